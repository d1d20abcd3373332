//! Client events over two shards: who may send what where, and who gets it (CE1 to CE7).
//!
//! That nobody else got it is proved by something sent later on the same way.

mod support;

use serde_json::{Value, json};
use shardcast::app::App;
use std::time::Instant;
use support::pusher::{Client, Event};
use support::rest::Rest;
use support::server::{TestServer, app};
use support::sign::Keys;
use support::websocket;

fn keys() -> Keys {
    Keys::of(&app())
}

/// What subscribers get of a client event on a private channel.
fn event(name: &str, channel: &str, data: &str) -> Event {
    Event {
        name: name.into(),
        channel: Some(channel.into()),
        data: data.into(),
        user_id: None,
    }
}

/// Reads a refusal and sees that the connection is none the worse.
#[track_caller]
fn expect_refusal(client: &mut Client, code: Option<u64>, channel: &str) {
    assert_eq!(client.expect_error(code).as_deref(), Some(channel)); // W18
    client.expect_quiet();
}

#[test]
fn everybody_but_the_sender_gets_it_as_a_string() {
    // CE1, CE3, CE7, Q15
    let mut free = app();
    free.client_events_per_second = None;
    let server = TestServer::with_apps([free]);
    let mut rest = server.rest();
    let [mut sender, mut far] = server.pair();
    let mut near = server.client_on(0);
    for n in 0..6 {
        let channel = &format!("private-{n}");
        for client in [&mut sender, &mut near, &mut far] {
            client.subscribe_signed(&keys(), channel);
        }
        for (data, text) in [
            (json!("plain"), "plain"),
            (json!(""), ""),
            (json!("{\"a\": 1}"), "{\"a\": 1}"), // byte for byte
            (json!("☃ \"\\\n\u{0}😀"), "☃ \"\\\n\u{0}😀"),
            (json!({"a": [1, null, true]}), "{\"a\":[1,null,true]}"),
            (json!([]), "[]"),
            (json!(7), "7"),
            (json!(false), "false"),
        ] {
            sender.trigger(channel, "client-typing", &data);
            let wanted = event("client-typing", channel, text);
            assert_eq!(near.next(), wanted);
            assert_eq!(far.next(), wanted);
        }
        rest.trigger(channel, "mark", "");
        for client in [&mut sender, &mut near, &mut far] {
            client.expect("mark"); // the sender heard nothing before it
        }
    }
}

#[test]
fn the_frame_may_have_any_order_and_more_keys() {
    // W2, W5
    let server = TestServer::plain();
    let [mut sender, mut other] = server.pair();
    for client in [&mut sender, &mut other] {
        client.subscribe_signed(&keys(), "private-a");
    }
    for frame in [
        r#"{"data":{"x": 1},"channel":"private-a","event":"client-x","more":[{}]}"#,
        r#"{"channel":"private-a","data":"{\"x\":1}","event":"client\u002dx"}"#,
        r#"{"data":0,"event":"a","event":"client-x","data":{"x":1},"channel":"private-a"}"#,
    ] {
        sender.ws.send_text(frame);
        assert_eq!(other.next(), event("client-x", "private-a", "{\"x\":1}"));
    }
    sender.expect_quiet();
}

#[test]
fn presence_tells_who_sent_it_from_the_membership() {
    // CE2, Q16
    let server = TestServer::plain();
    let mut rest = server.rest();
    for n in 0..6 {
        let channel = &format!("presence-{n}");
        let [mut sender, mut watcher] = server.pair();
        let mut same_user = server.client_on(1);
        watcher.join(&keys(), channel, &json!({"user_id": "watcher"}));
        sender.join(&keys(), channel, &json!({"user_id": 7}));
        watcher.expect("pusher_internal:member_added");
        same_user.join(&keys(), channel, &json!({"user_id": "7"}));
        sender.send(&json!({
            "event": "client-x", "channel": channel, "data": "d", "user_id": "watcher",
        }));
        let wanted = Event {
            user_id: Some("7".into()),
            ..event("client-x", channel, "d")
        };
        assert_eq!(watcher.next(), wanted);
        assert_eq!(same_user.next(), wanted); // CE1: other connections of the user do get it
        rest.trigger(channel, "mark", "");
        sender.expect("mark");
        assert_eq!(watcher.expect("mark").user_id, None); // W4
    }
}

#[test]
fn an_app_that_does_not_want_them_says_so() {
    // CE4: disabled for the app
    let server = TestServer::with_apps([App::new("1001", "app-key", "app-secret")]);
    let [mut sender, mut other] = server.pair();
    for client in [&mut sender, &mut other] {
        client.subscribe_signed(&keys(), "private-a");
    }
    sender.trigger("private-a", "client-x", &json!("d"));
    expect_refusal(&mut sender, Some(4301), "private-a");
    server.rest().trigger("private-a", "mark", "");
    other.expect("mark");
    sender.expect("mark");
}

#[test]
fn public_channels_take_none_unless_the_app_allows_it() {
    // CE4, Q14
    let mut open = App::new("2", "open-key", "open-secret");
    open.client_events = true;
    open.allow_client_events_on_public = true;
    let server = TestServer::with_apps([app(), open.clone()]);
    for (app, allowed) in [(app(), false), (open, true)] {
        let mut sender = Client::connect_on(server.address(), &app.key, 0);
        let mut other = Client::connect_on(server.address(), &app.key, 1);
        let mut rest = Rest::connect(&server, &app);
        for channel in ["news", "cache-news", "privateer", "my-private-x"] {
            sender.subscribe(channel);
            other.subscribe(channel);
            sender.trigger(channel, "client-x", &json!("d"));
            if allowed {
                assert_eq!(other.next(), event("client-x", channel, "d"));
                sender.expect_quiet();
            } else {
                expect_refusal(&mut sender, Some(4301), channel);
            }
            rest.trigger(channel, "mark", "");
            other.expect("mark");
            sender.expect("mark");
        }
        // A name that is no public channel's is not made one by the setting.
        sender.trigger("#server-to-user-7", "client-x", &json!("d"));
        expect_refusal(&mut sender, Some(4301), "#server-to-user-7");
    }
}

#[test]
fn only_subscribers_may_send() {
    // CE4: not subscribed
    let server = TestServer::plain();
    let mut rest = server.rest();
    let [mut sender, mut other] = server.pair();
    for channel in ["private-a", "private-encrypted-a", "private-cache-a"] {
        other.subscribe_signed(&keys(), channel);
        sender.trigger(channel, "client-x", &json!("never asked"));
        expect_refusal(&mut sender, None, channel);
        sender.ask(channel);
        sender.expect_refused(channel, "AuthError", 401);
        sender.trigger(channel, "client-x", &json!("was refused"));
        expect_refusal(&mut sender, None, channel);
        sender.subscribe_signed(&keys(), channel);
        sender.trigger(channel, "client-x", &json!("is in"));
        assert_eq!(other.next(), event("client-x", channel, "is in"));
        sender.unsubscribe(channel);
        sender.trigger(channel, "client-x", &json!("has left"));
        expect_refusal(&mut sender, None, channel);
        rest.trigger(channel, "mark", "");
        other.expect("mark");
    }
    for channel in ["", "private a", "#x", &"p".repeat(201)] {
        sender.trigger(channel, "client-x", &json!("d"));
        expect_refusal(&mut sender, Some(4301), channel);
    }
}

#[test]
fn names_and_data_have_limits() {
    // CE4; characters for names, bytes for data
    let server = TestServer::plain();
    let [mut sender, mut other] = server.pair();
    for client in [&mut sender, &mut other] {
        client.subscribe_signed(&keys(), "private-a");
    }
    let name = |characters: usize| format!("client-{}", "é".repeat(characters - 7));
    sender.trigger("private-a", &name(200), &json!("d"));
    assert_eq!(other.next(), event(&name(200), "private-a", "d"));
    sender.trigger("private-a", &name(201), &json!("d"));
    expect_refusal(&mut sender, Some(4301), "private-a");
    sender.trigger("private-a", "client-", &json!("d"));
    assert_eq!(other.next(), event("client-", "private-a", "d"));

    let at_limit: [(Value, String); 3] = [
        (json!("x".repeat(10_240)), "x".repeat(10_240)),
        (json!("é".repeat(5_120)), "é".repeat(5_120)),
        (
            json!(["x".repeat(10_236)]),
            format!("[\"{}\"]", "x".repeat(10_236)),
        ),
    ];
    for (data, text) in at_limit {
        sender.trigger("private-a", "client-x", &data);
        assert_eq!(other.next(), event("client-x", "private-a", &text));
    }
    for past in [
        json!("x".repeat(10_241)),
        json!("é".repeat(5_121)),
        json!(["x".repeat(10_237)]),
    ] {
        sender.trigger("private-a", "client-x", &past);
        expect_refusal(&mut sender, Some(4301), "private-a");
    }
    other.expect_quiet();
}

#[test]
fn a_flood_is_cut_to_ten_a_second() {
    // CE5: a bucket of 10, refilled with 10 a second
    const SENT: u64 = 60;
    const RATE: u64 = 10;
    let server = TestServer::plain();
    let [mut sender, mut other] = server.pair();
    for client in [&mut sender, &mut other] {
        client.subscribe_signed(&keys(), "private-a");
    }
    let flood: Vec<u8> = (0..SENT)
        .map(|n| json!({"event": "client-x", "channel": "private-a", "data": n}))
        .flat_map(|frame| websocket::text(frame.to_string()))
        .collect();
    let start = Instant::now();
    sender.ws.send(flood);
    sender.send(&json!({"event": "pusher:ping"}));
    let mut refused = 0;
    loop {
        let answer = sender.next();
        if answer.name == "pusher:pong" {
            break;
        }
        assert_eq!(answer.error().0, Some(4301));
        assert_eq!(answer.channel(), "private-a");
        refused += 1;
    }
    let earned = start.elapsed().as_millis() as u64 * RATE / 1000 + 1;
    let relayed = SENT - refused;
    assert!(
        (RATE..=RATE + earned).contains(&relayed),
        "{relayed} got through"
    );
    // Those that got through are the others', in their order; refused ones never were sent.
    let mut last = None;
    for _ in 0..relayed {
        let n: u64 = other.expect("client-x").text().parse().unwrap();
        assert!(last < Some(n));
        last = Some(n);
    }
    server.rest().trigger("private-a", "mark", "");
    other.expect("mark");
    // The rate is each connection's own.
    other.trigger("private-a", "client-y", &json!(""));
    sender.expect("mark");
    sender.expect("client-y");
    other.expect_quiet();
}

#[test]
fn a_rate_that_is_off_limits_nothing_and_keeps_the_order() {
    // CE5
    const SENT: usize = 300;
    let mut free = app();
    free.client_events_per_second = None;
    let server = TestServer::with_apps([free]);
    let [mut sender, mut other] = server.pair();
    for client in [&mut sender, &mut other] {
        client.subscribe_signed(&keys(), "private-a");
    }
    let flood: Vec<u8> = (0..SENT)
        .map(|n| json!({"event": "client-x", "channel": "private-a", "data": n}))
        .flat_map(|frame| websocket::text(frame.to_string()))
        .collect();
    sender.ws.send(flood);
    for n in 0..SENT {
        assert_eq!(other.expect("client-x").text(), n.to_string());
    }
    sender.expect_quiet();
}
