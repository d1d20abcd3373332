//! Pings, and frames that say nothing the server knows: it answers, and lives.

use crate::support::pusher::{Client, Event};
use crate::support::server::TestServer;
use crate::support::websocket::{FIN, Incoming, PING, PONG, frame};
use serde_json::json;
use std::time::Instant;

/// Errors that one connection is told in a second (section 2.7).
const ERRORS_PER_SECOND: u64 = 10;

#[test]
fn a_ping_event_is_answered_at_once() {
    // W10
    let server = TestServer::plain();
    let mut client = server.client();
    for ping in [
        r#"{"event":"pusher:ping","data":{}}"#, // pusher-js
        r#"{"event": "pusher:ping"}"#,          // Java
        r#"{"event":"pusher:ping","data":"{}"}"#,
        r#"{"event":"pusher:ping","data":null}"#,
        r#"{"data":{},"id":[1,{"event":"x"}],"event":"pusher:ping","channel":7}"#, // W2, W5
        " { \"event\" : \"pusher\\u003aping\" } ",
    ] {
        client.ws.send_text(ping);
        let pong = client.expect("pusher:pong");
        assert_eq!((pong.data, pong.channel), (json!("{}"), None), "{ping}");
    }
    // The answer to a ping that was never sent is nobody's fault.
    client.ws.send_text(r#"{"event":"pusher:pong","data":{}}"#);
    client.expect_quiet();
}

#[test]
fn a_control_ping_is_answered_with_its_payload() {
    // W11
    let server = TestServer::plain();
    let mut client = server.client();
    for length in [0, 1, 12, 13, 125] {
        let payload = vec![length as u8; length];
        client.ws.send(frame(FIN | PING, &payload));
        assert_eq!(client.ws.next(), Incoming::Pong(payload));
    }
    client.ws.send(frame(FIN | PONG, "unasked"));
    client.expect_quiet();
}

#[test]
fn a_control_ping_may_arrive_byte_by_byte() {
    // W11
    let server = TestServer::plain();
    let mut client = server.client_on(0);
    // One question to the same shard between two bytes: the first of them was read by then.
    let mut beside = server.client_on(0);
    for byte in frame(FIN | PING, "in pieces") {
        client.ws.send([byte]);
        beside.expect_quiet();
    }
    assert_eq!(client.ws.next(), Incoming::Pong(b"in pieces".to_vec()));
    client.expect_quiet();
}

#[test]
fn pings_cost_nothing_of_any_rate() {
    // W11: .NET pings every second, and more often is no fault either.
    let server = TestServer::plain();
    let mut client = server.client();
    let many: Vec<u8> = (0..200u8).flat_map(|n| frame(FIN | PING, [n])).collect();
    client.ws.send(many);
    for n in 0..200u8 {
        assert_eq!(client.ws.next(), Incoming::Pong(vec![n]));
    }
    client.expect_quiet();
}

#[test]
fn frames_that_say_nothing_are_answered_and_the_connection_stays() {
    // Section 2.7, column ours.
    let server = TestServer::plain();
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let nested = format!("{{\"event\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    let groups: [&[&str]; 6] = [
        // Not JSON, or not an object.
        &[
            "nope",
            "",
            "[]",
            "7",
            "null",
            "\"pusher:ping\"",
            "{\"event\":\"pusher:ping\"",
            "{}}",
        ],
        &[
            &deep,
            &nested,
            "{'event':'pusher:ping'}",
            "\u{feff}{}",
            "\0",
        ],
        // No event that is a string.
        &[
            "{}",
            r#"{"data":{}}"#,
            r#"{"event":null}"#,
            r#"{"event":7}"#,
            r#"{"event":["a"]}"#,
        ],
        // Not for clients to say.
        &[
            r#"{"event":""}"#,
            r#"{"event":"pusher:nope"}"#,
            r#"{"event":"pusher:error","data":{}}"#,
            r#"{"event":"pusher:connection_established","data":"{}"}"#,
            r#"{"event":"pusher_internal:subscription_succeeded","channel":"a","data":"{}"}"#,
            r#"{"event":"pusher_internal:member_added","channel":"presence-a","data":"{}"}"#,
        ],
        &[
            r#"{"event":"news","channel":"a","data":"x"}"#,
            r#"{"event":"foo-client-bar","channel":"private-a","data":"x"}"#,
            r#"{"event":"Client-x","channel":"private-a","data":"x"}"#,
            r#"{"event":"client","channel":"private-a","data":"x"}"#,
            r#"{"event":"pusher:Subscribe","data":{"channel":"a"}}"#,
        ],
        // CE4: a client event without channel or data.
        &[
            r#"{"event":"client-x","data":"x"}"#,
            r#"{"event":"client-x","channel":"private-a"}"#,
            r#"{"event":"client-x","channel":"private-a","data":null}"#,
            r#"{"event":"client-x","channel":7,"data":"x"}"#,
        ],
    ];
    for group in groups {
        let mut client = server.client(); // a new one: its errors are counted from zero
        for text in group {
            client.ws.send_text(text);
            let channel = client.expect_error(None);
            assert_eq!(channel, None, "{text}");
            client.expect_quiet();
        }
    }
}

#[test]
fn a_subscribe_frame_without_its_parts_kills_nobody() {
    let server = TestServer::plain();
    let mut bystander = server.client();
    bystander.subscribe("news");
    for event in ["pusher:subscribe", "pusher:unsubscribe"] {
        let mut client = server.client();
        for data in [
            "",
            r#","data":null"#,
            r#","data":[]"#,
            r#","data":"{\"channel\":\"a\"}""#,
            r#","data":7"#,
            r#","data":{}"#,
            r#","data":{"channel":null}"#,
            r#","data":{"channel":{"channel":"a"}}"#,
            r#","channel":"a""#,
        ] {
            client
                .ws
                .send_text(format!(r#"{{"event":"{event}"{data}}}"#));
            assert_eq!(client.expect_error(None), None, "{event} {data}");
            client.expect_quiet();
        }
    }
    server.rest().trigger("news", "alive", "yes");
    bystander.expect("alive");
}

#[test]
fn odd_subscribe_fields_are_refused_as_subscriptions() {
    let server = TestServer::plain();
    let mut client = server.client();
    for (fields, kind) in [
        (r#""auth":7"#, "AuthError"),
        (r#""auth":null"#, "AuthError"),
        (r#""auth":["k:s"]"#, "AuthError"),
        (r#""auth":":""#, "AuthError"),
        (r#""auth":"app-key:\u0000""#, "AuthError"),
        (r#""auth":"app-key:ü""#, "AuthError"),
    ] {
        let data = format!(r#"{{"channel":"private-a",{fields}}}"#);
        client
            .ws
            .send_text(format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#));
        client.expect_refused("private-a", kind, 401);
        client.expect_quiet();
    }
}

#[test]
fn the_eleventh_error_inside_a_second_closes_with_1008() {
    // Section 2.7: an amplifier is switched off.
    let server = TestServer::plain();
    let mut client = server.client();
    let flood: Vec<u8> = (0..500)
        .flat_map(|_| crate::support::websocket::text("nope"))
        .collect();
    let start = Instant::now();
    client.ws.send(&flood);
    let mut told = 0;
    let reason = loop {
        match client.ws.next() {
            Incoming::Text(text) => {
                assert_eq!(Event::parse(&text).error().0, None);
                told += 1;
            }
            Incoming::Close(Some((1008, reason))) => break reason,
            other => panic!("{other:?}"),
        }
    };
    let earned = start.elapsed().as_millis() as u64 * ERRORS_PER_SECOND / 1000;
    assert!(!reason.is_empty());
    assert!(told >= ERRORS_PER_SECOND, "{told}");
    assert!(told <= ERRORS_PER_SECOND + earned + 1, "{told}, {earned}");
    server.client().expect_quiet();
}

#[test]
fn ten_errors_at_once_are_told_and_forgiven() {
    let server = TestServer::plain();
    let mut client = server.client();
    let ten: Vec<u8> = (0..ERRORS_PER_SECOND)
        .flat_map(|_| crate::support::websocket::text("nope"))
        .collect();
    client.ws.send(ten);
    for _ in 0..ERRORS_PER_SECOND {
        client.expect_error(None);
    }
    client.expect_quiet();
    // The rate is each connection's own.
    let mut other: Client = server.client();
    other.ws.send_text("nope");
    other.expect_error(None);
    other.expect_quiet();
}
