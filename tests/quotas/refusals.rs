//! Section 2.7: whoever is refused without end is closed, and whoever cannot sign is told less.

use crate::support::http::{Http, request};
use crate::support::pusher::{Client, Event};
use crate::support::server::{TestServer, app, config};
use crate::support::sign::Keys;
use crate::support::websocket::{self, Incoming};
use serde_json::{Value, json};
use shardcast::app::App;
use shardcast::server::config::Config;
use std::time::Instant;

/// What one connection may be refused in a second.
const REFUSALS: u64 = 100;

/// Sends one frame again and again; gives how many refusals were told before the close with 1008.
/// Each is told by so many frames.
fn refused_until_closed(client: &mut Client, frame: &Value, frames_each: u64) -> u64 {
    let flood = websocket::text(frame.to_string()).repeat(400);
    let start = Instant::now();
    client.ws.wire.send_while_open(&flood);
    let mut frames = 0;
    loop {
        match client.ws.next() {
            Incoming::Text(text) => {
                assert_ne!(
                    Event::parse(&text).name,
                    "pusher_internal:subscription_succeeded"
                );
                frames += 1;
            }
            Incoming::Close(Some((1008, reason))) => {
                assert!(!reason.is_empty());
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let earned = start.elapsed().as_millis() as u64 * REFUSALS / 1000 + 1;
    assert_eq!(frames % frames_each, 0, "a refusal is told whole");
    let told = frames / frames_each;
    assert!(
        (REFUSALS..=REFUSALS + earned).contains(&told),
        "{told}, {earned}"
    );
    told
}

/// Where wrong signatures are no more than refusals: the limit of a minute would be met first.
fn unwary(apps: impl Into<Vec<App>>) -> TestServer {
    TestServer::start(Config {
        auth_failures_per_minute: None,
        ..config(apps)
    })
}

#[test]
fn failed_subscriptions() {
    // Rate of failed authorisations, and of every other reason
    let server = unwary([app()]);
    for data in [
        json!({"channel": "private-a", "auth": "app-key:00"}),
        json!({"channel": "private-a"}),
        json!({"channel": "a b"}),
        json!({"channel": "#server-to-user-7"}),
    ] {
        let mut client = server.client();
        client.subscribe("news");
        let frame = json!({"event": "pusher:subscribe", "data": data});
        refused_until_closed(&mut client, &frame, 2);
    }
    server.client().expect_quiet();
}

#[test]
fn a_page_of_channels_that_all_fail_keeps_its_connection() {
    // S5: at the limit
    let server = TestServer::plain();
    let mut client = server.client();
    for n in 0..REFUSALS {
        client.ask_with(&format!("private-{n}"), "app-key:00", None);
    }
    for n in 0..REFUSALS {
        client.expect_refused(&format!("private-{n}"), "AuthError", 401);
    }
    client.expect_quiet();
    let keys = Keys::of(&app());
    client.subscribe_signed(&keys, "private-a");
}

#[test]
fn a_presence_channel_that_stays_full() {
    // The refusal comes from the channel's home.
    let mut small = app();
    small.presence_members = 1;
    let server = TestServer::with_apps([small]);
    let keys = Keys::of(&app());
    let [mut inside, mut outside] = server.pair();
    inside.ask_signed(&keys, "presence-a", Some(r#"{"user_id":"1"}"#));
    inside.expect_members("presence-a");
    let member = r#"{"user_id":"2"}"#;
    let auth = keys.token(&outside.socket_id, "presence-a", Some(member));
    let data = json!({"channel": "presence-a", "auth": auth, "channel_data": member});
    let frame = json!({"event": "pusher:subscribe", "data": data});
    refused_until_closed(&mut outside, &frame, 2);
    inside.expect_quiet();
}

#[test]
fn refused_client_events() {
    // CE4: the connection stays as long as it is not a flood.
    let off = App::new("2", "off-key", "off-secret");
    let server = TestServer::with_apps([app(), off]);
    let frame = json!({"event": "client-x", "channel": "private-a", "data": "d"});
    let mut client = Client::connect(server.address(), "off-key");
    refused_until_closed(&mut client, &frame, 1);
    let mut client = server.client(); // who is not subscribed
    refused_until_closed(&mut client, &frame, 1);
}

#[test]
fn frames_without_sense_weigh_ten_times_as_much() {
    let server = TestServer::plain();
    let mut client = server.client();
    let start = Instant::now();
    for _ in 0..5 {
        client.ws.send_text("nope");
        client.expect_error(None);
    }
    let frame = json!({"event": "client-x", "channel": "private-a", "data": "d"});
    let flood = websocket::text(frame.to_string()).repeat(200);
    client.ws.wire.send_while_open(&flood);
    let mut told = 0;
    while let Incoming::Text(_) = client.ws.next() {
        told += 1;
    }
    let earned = start.elapsed().as_millis() as u64 * REFUSALS / 1000 + 1;
    assert!((50..=50 + earned).contains(&told), "{told}, {earned}");
}

#[test]
fn requests_that_cannot_be_believed() {
    const FAILED: u64 = 100;
    const SHARDS: u64 = 2;
    let other = App::new("2", "other-key", "other-secret");
    let server = unwary([app(), other.clone()]);
    let good = Keys::of(&app()).target("GET", "/apps/1001/channels", &[], b"");
    let bad = good.replace("auth_signature=", "auth_signature=0");
    let mut refused = 0;
    let start = Instant::now();
    // Whichever shards the connections come to, both have had enough at last.
    let mut full = 0;
    while full < 20 {
        let mut http = Http::connect(server.address());
        http.wire.send(request("GET", &bad, &[], b"").repeat(300));
        loop {
            let response = http.response();
            if response.status == 401 {
                refused += 1;
                continue;
            }
            assert_eq!((response.status, response.closes()), (429, true));
            assert_eq!(response.header("retry-after"), Some("1"));
            assert!(!response.error().is_empty());
            full += 1;
            break;
        }
    }
    let earned = SHARDS * (start.elapsed().as_millis() as u64 * FAILED / 1000 + 1);
    assert!(
        (FAILED..=SHARDS * FAILED + earned).contains(&refused),
        "{refused}, {earned}"
    );
    // What is signed well is served, and another app's failures are its own.
    for _ in 0..10 {
        let mut http = Http::connect(server.address());
        assert_eq!(http.ask("GET", &good, b"").status, 200);
        let theirs = Keys::of(&other).target("GET", "/apps/2/channels", &[], b"");
        let bad = theirs.replace("auth_signature=", "auth_signature=0");
        assert_eq!(http.ask("GET", &bad, b"").status, 401);
    }
}
