//! Cache channels over real sockets: the last event a backend published is what a subscription
//! begins with (C1 to C5, P10).
//!
//! Stories are told on several channels, so that either shard is home of some of them. That nothing
//! was sent is proved by something sent later on the same way.

mod support;

use serde_json::json;
use shardcast::server::config::Config;
use std::thread;
use std::time::Instant;
use support::pusher::{Client, Event};
use support::server::{TestServer, app, config, counting_app};
use support::sign::Keys;
use support::wire::PATIENCE;

const CHANNELS: [&str; 8] = [
    "cache-a",
    "cache-b",
    "private-cache-c",
    "private-cache-d",
    "private-encrypted-cache-e",
    "private-encrypted-cache-f",
    "presence-cache-g",
    "presence-cache-h",
];

fn event(name: &str, channel: &str, data: &str) -> Event {
    Event {
        name: name.into(),
        channel: Some(channel.into()),
        data: data.into(),
        user_id: None,
    }
}

fn miss(channel: &str) -> Event {
    event("pusher:cache_miss", channel, "{}") // C3, Q13
}

/// Asks for a channel of any kind.
fn ask(client: &mut Client, channel: &str) {
    let member = format!(r#"{{"user_id":"{}"}}"#, client.socket_id);
    let member = channel.starts_with("presence-").then_some(member);
    client.ask_signed(&Keys::of(&app()), channel, member.as_deref());
}

/// Subscribes, and reads what comes right after the success.
fn begin(client: &mut Client, channel: &str) -> Event {
    ask(client, channel);
    let success = client.expect("pusher_internal:subscription_succeeded");
    assert_eq!(success.channel(), channel);
    client.next()
}

/// The same server with two shards and with one.
fn servers() -> [TestServer; 2] {
    [2, 1].map(|shards| {
        TestServer::start(Config {
            shards: Some(shards),
            ..config([app()])
        })
    })
}

fn clients(server: &TestServer) -> [Client; 2] {
    let mut clients = [server.client(), server.client()];
    while clients[0].shard() == clients[1].shard() && clients[0].shard() != 0 {
        clients[1] = server.client();
    }
    clients
}

#[test]
fn a_subscription_begins_with_the_last_event_of_a_backend() {
    // C1, C2, C5, S3, P10
    for server in servers() {
        let mut rest = server.rest();
        let [mut one, mut two] = clients(&server);
        for channel in CHANNELS {
            // Nobody has to be there for an event to be kept.
            rest.trigger(channel, "older", "gone");
            let data = r#"{"nonce":"ü☃","ciphertext":"\"\\"}"#;
            rest.trigger(channel, "a \"name\"", data);
            for client in [&mut one, &mut two] {
                assert_eq!(begin(client, channel), event("a \"name\"", channel, data));
            }
            if channel.starts_with("presence-") {
                one.expect("pusher_internal:member_added");
            }
            // From there on everything comes once.
            rest.trigger(channel, "live", "1");
            for client in [&mut one, &mut two] {
                assert_eq!(client.next(), event("live", channel, "1"));
                client.expect_quiet();
            }
        }
    }
}

#[test]
fn a_channel_without_an_event_says_so() {
    // C3, Q13
    for server in servers() {
        let mut rest = server.rest();
        let [mut one, mut two] = clients(&server);
        for channel in CHANNELS {
            assert_eq!(begin(&mut one, channel), miss(channel));
            one.expect_quiet();
            assert_eq!(begin(&mut two, channel), miss(channel));
            if channel.starts_with("presence-") {
                one.expect("pusher_internal:member_added");
            }
            rest.trigger(channel, "first", "");
            assert_eq!(one.next(), event("first", channel, ""));
            assert_eq!(two.next(), event("first", channel, ""));
        }
        // Channels that keep nothing say nothing.
        for channel in ["cache", "xcache-a", "private-cacheable", "my-cache-a"] {
            rest.trigger(channel, "unseen", "");
            ask(&mut one, channel);
            let success = one.expect("pusher_internal:subscription_succeeded");
            assert_eq!(success.channel(), channel);
            one.expect_quiet();
        }
    }
}

#[test]
fn who_was_excluded_gets_the_event_from_the_cache() {
    // C2, Q32
    let server = TestServer::plain();
    let [mut one, mut two] = server.pair();
    let mut rest = server.rest();
    for channel in CHANNELS {
        assert_eq!(begin(&mut one, channel), miss(channel));
        let body = json!({"name": "e", "channel": channel, "data": "x",
            "socket_id": one.socket_id});
        rest.publish(&body);
        one.expect_quiet(); // S13
        one.unsubscribe(channel);
        assert_eq!(begin(&mut one, channel), event("e", channel, "x"));
        assert_eq!(begin(&mut two, channel), event("e", channel, "x"));
        for client in [&mut one, &mut two] {
            client.unsubscribe(channel);
            read_over_members(client, channel);
        }
    }
}

#[test]
fn client_events_are_not_kept() {
    // C1, CE1
    let server = TestServer::plain();
    let [mut one, mut two] = server.pair();
    let mut rest = server.rest();
    for channel in CHANNELS.iter().filter(|name| name.starts_with("private-")) {
        assert_eq!(begin(&mut one, channel), miss(channel));
        assert_eq!(begin(&mut two, channel), miss(channel));
        one.trigger(channel, "client-said", &json!("no"));
        two.expect("client-said");
        let state = rest.get_json(&format!("channels/{channel}"), &[("info", "cache")]);
        assert_eq!(state, json!({"occupied": true, "cache": null}));
        rest.trigger(channel, "kept", "yes");
        two.expect("kept");
        one.expect("kept");
        two.trigger(channel, "client-said", &json!("no"));
        one.expect("client-said");
        two.unsubscribe(channel);
        assert_eq!(begin(&mut two, channel), event("kept", channel, "yes"));
    }
}

#[test]
fn asking_again_brings_the_event_again() {
    // Q7
    let server = TestServer::plain();
    let mut rest = server.rest();
    for mut client in server.pair() {
        for channel in CHANNELS {
            rest.trigger(channel, "e", "1");
            assert_eq!(begin(&mut client, channel), event("e", channel, "1"));
            assert_eq!(begin(&mut client, channel), event("e", channel, "1"));
            rest.trigger(channel, "e", "2");
            assert_eq!(client.next(), event("e", channel, "2"));
            assert_eq!(begin(&mut client, channel), event("e", channel, "2"));
            // Two in one breath have two answers.
            ask(&mut client, channel);
            assert_eq!(begin(&mut client, channel), event("e", channel, "2"));
            client.expect("pusher_internal:subscription_succeeded");
            assert_eq!(client.next(), event("e", channel, "2"));
            // It is one subscription all the same.
            rest.trigger(channel, "e", "3");
            assert_eq!(client.next(), event("e", channel, "3"));
            client.expect_quiet();
            client.unsubscribe(channel);
            client.expect_quiet();
        }
    }
}

#[test]
fn a_repeat_has_to_prove_itself() {
    // Q7
    let server = TestServer::plain();
    let mut client = server.client();
    let channel = "private-cache-c";
    assert_eq!(begin(&mut client, channel), miss(channel));
    client.ask(channel);
    client.expect_refused(channel, "AuthError", 401);
    client.expect_quiet();
}

#[test]
fn the_event_outlives_its_audience() {
    // S11, Q28
    let server = TestServer::plain();
    let mut rest = server.rest();
    for channel in CHANNELS {
        let [mut one, mut two] = server.pair();
        rest.trigger(channel, "e", "x");
        assert_eq!(begin(&mut one, channel), event("e", channel, "x"));
        one.unsubscribe(channel);
        let path = format!("channels/{channel}");
        rest.expect_soon(&path, &[], &json!({"occupied": false}));
        assert_eq!(begin(&mut two, channel), event("e", channel, "x"));
        two.ws.close();
        rest.expect_soon(&path, &[], &json!({"occupied": false}));
        let cached = &rest.get_json(&path, &[("info", "cache")])["cache"];
        assert_eq!(cached["data"], "x");
        assert_eq!(begin(&mut one, channel), event("e", channel, "x"));
    }
}

#[test]
fn an_event_is_over_after_its_time() {
    // C4
    let mut brief = app();
    brief.cache_ttl_s = 1;
    let server = TestServer::with_apps([brief]);
    let mut rest = server.rest();
    for (channel, mut client) in ["cache-a", "cache-b"].into_iter().zip(server.pair()) {
        let start = Instant::now();
        rest.trigger(channel, "e", "x");
        let mut got = begin(&mut client, channel);
        while got == event("e", channel, "x") {
            assert!(start.elapsed() < PATIENCE, "{channel} is never over");
            client.unsubscribe(channel);
            got = begin(&mut client, channel);
        }
        assert_eq!(got, miss(channel));
        // Not before its time, of which the clock may have lost a millisecond.
        assert!(start.elapsed().as_millis() >= 999);
        let path = format!("channels/{channel}");
        let state = rest.get_json(&path, &[("info", "cache")]);
        assert_eq!(state, json!({"occupied": true, "cache": null}));
        rest.trigger(channel, "e", "y");
        assert_eq!(client.next(), event("e", channel, "y"));
    }
}

#[test]
fn the_oldest_events_make_room() {
    // The bound of cache_bytes
    const DATA: usize = 1000;
    let server = TestServer::start(Config {
        shards: Some(1),
        cache_bytes: 10 * 1024,
        ..config([app()])
    });
    let mut rest = server.rest();
    let mut client = server.client();
    for n in 0..20 {
        rest.trigger(&format!("cache-{n}"), "e", &"x".repeat(DATA));
    }
    let kept = |rest: &mut support::rest::Rest, n: usize| {
        let state = rest.get_json(&format!("channels/cache-{n}"), &[("info", "cache")]);
        !state["cache"].is_null()
    };
    let all: Vec<bool> = (0..20).map(|n| kept(&mut rest, n)).collect();
    let first = all.iter().position(|kept| *kept).expect("some fit");
    assert!((11..14).contains(&first), "{all:?}"); // 10 KiB are seven or eight of them
    assert!(all[first..].iter().all(|kept| *kept), "{all:?}");
    // What is too large for the whole bound is delivered, and nothing is kept.
    let channel = format!("cache-{first}");
    begin(&mut client, &channel);
    let large = "x".repeat(10 * 1024);
    rest.trigger(&channel, "large", &large);
    assert_eq!(client.next(), event("large", &channel, &large));
    assert_eq!(begin(&mut client, &channel), miss(&channel));
    assert!(kept(&mut rest, 19), "nothing else had to go");
}

#[test]
fn apps_keep_their_events_apart() {
    let other = shardcast::app::App::new("2", "other-key", "other-secret");
    let server = TestServer::with_apps([app(), other]);
    server.rest().trigger("cache-a", "e", "x");
    let mut client = Client::connect(server.address(), "other-key");
    client.subscribe("cache-a");
    assert_eq!(client.cached, None);
    let mut client = server.client();
    client.subscribe("cache-a");
    assert_eq!(client.cached, Some(event("e", "cache-a", "x")));
}

#[test]
fn the_count_comes_behind_the_cached_event() {
    // S3, section 3.7
    let server = TestServer::with_apps([counting_app()]);
    let mut rest = server.rest();
    for channel in ["cache-a", "cache-b", "private-cache-c", "private-cache-d"] {
        let [mut one, mut two] = server.pair();
        assert_eq!(begin(&mut one, channel), miss(channel));
        one.expect_count(channel, 1);
        rest.trigger(channel, "e", "x");
        one.expect("e");
        assert_eq!(begin(&mut two, channel), event("e", channel, "x"));
        two.expect_count(channel, 2);
        one.expect_count(channel, 2);
        // Asking again is no change.
        assert_eq!(begin(&mut two, channel), event("e", channel, "x"));
        two.expect_quiet();
        one.expect_quiet();
    }
}

/// Reads the numbers that come on a channel until one is reached: each follows the one before.
/// Between them may be news of members.
fn expect_run(client: &mut Client, channel: &str, first: u64, last: u64) {
    let mut seen = first;
    while seen < last {
        let got = client.next();
        if got.name != "pusher_internal:member_added" {
            seen += 1;
            assert_eq!(got, event("n", channel, &seen.to_string()));
        }
    }
}

#[test]
fn nothing_is_lost_or_doubled_behind_the_cached_event() {
    // S4, C2: subscribe in the midst of a stream
    const EVENTS: u64 = 400;
    let server = TestServer::plain();
    for channel in ["cache-a", "cache-b", "private-cache-c", "presence-cache-h"] {
        let mut rest = server.rest();
        let publisher = thread::spawn(move || {
            for n in 1..=EVENTS {
                rest.trigger(channel, "n", &n.to_string());
            }
        });
        let mut inside = Vec::new();
        while !publisher.is_finished() {
            let mut client = server.client();
            let first = begin_quietly(&mut client, channel);
            inside.push((client, first));
            if inside.len() == 40 {
                break;
            }
        }
        publisher.join().expect("everything is published");
        for (mut client, first) in inside {
            expect_run(&mut client, channel, first, EVENTS);
        }
    }
}

/// Subscribes; the number of the cached event, 0 for none.
fn begin_quietly(client: &mut Client, channel: &str) -> u64 {
    let first = begin(client, channel);
    if first.name == "pusher:cache_miss" {
        return 0;
    }
    first.text().parse().expect("a number")
}

/// Reads over the news of members that came before the answer to a ping.
fn read_over_members(client: &mut Client, channel: &str) {
    client.send(&json!({"event": "pusher:ping"}));
    loop {
        let event = client.next();
        if event.name == "pusher:pong" {
            return;
        }
        assert_eq!(event.channel(), channel);
        assert!(
            event.name.starts_with("pusher_internal:member_"),
            "{event:?}"
        );
    }
}
