//! RFC 6455 at its edges: each fault has its code, and nothing after it is read.

use crate::support::pusher::{Client, Event};
use crate::support::server::TestServer;
use crate::support::websocket::{
    BINARY, CLOSE, CONTINUE, FIN, Incoming, PING, PONG, TEXT, close_payload, frame, header, text,
};

const PING_EVENT: &str = r#"{"event":"pusher:ping"}"#;

/// Sends bytes and expects a close with this code, then the end, and no word before.
fn expect_fault(server: &TestServer, bytes: &[u8], code: u16) {
    let mut client = server.client();
    client.ws.wire.send_while_open(bytes);
    let reason = client.ws.expect_close(code);
    assert!(!reason.is_empty() && reason.len() <= 123, "{reason:?}");
}

#[test]
fn binary_messages_are_closed_with_1003() {
    // H2
    let server = TestServer::plain();
    expect_fault(&server, &frame(FIN | BINARY, PING_EVENT), 1003);
    expect_fault(&server, &frame(FIN | BINARY, ""), 1003);
    let halves = [frame(BINARY, "ab"), frame(FIN | CONTINUE, "c")].concat();
    expect_fault(&server, &halves, 1003);
}

#[test]
fn broken_frames_are_closed_with_1002() {
    // W23, R12
    let server = TestServer::plain();
    let unmasked = [&[FIN | TEXT, PING_EVENT.len() as u8], PING_EVENT.as_bytes()].concat();
    let long_ping = [header(FIN | PING, 126), vec![0; 126]].concat();
    let not_shortest = [&[FIN | TEXT, 0x80 | 126, 0, 2], &[0; 6][..]].concat();
    let top_bit = [vec![FIN | TEXT, 0x80 | 127, 0x80], vec![0; 11]].concat();
    let faults: [(&str, Vec<u8>); 17] = [
        ("unmasked", unmasked),
        ("unmasked, told by two bytes", vec![FIN | TEXT, 5]),
        ("RSV1", frame(FIN | 0x40 | TEXT, PING_EVENT)),
        ("RSV2", frame(FIN | 0x20 | TEXT, PING_EVENT)),
        ("RSV3", frame(FIN | 0x10 | TEXT, PING_EVENT)),
        ("reserved data opcode", frame(FIN | 3, "x")),
        ("reserved control opcode", frame(FIN | 11, "x")),
        ("fragmented ping", frame(PING, "x")),
        ("fragmented close", frame(CLOSE, close_payload(1000, ""))),
        ("ping of 126 bytes", long_ping),
        ("length not in its shortest form", not_shortest),
        ("length with its top bit", top_bit),
        ("continuation of nothing", frame(FIN | CONTINUE, "x")),
        (
            "text inside a message",
            [frame(TEXT, "{"), text("}")].concat(),
        ),
        ("close of one byte", frame(FIN | CLOSE, [3])),
        (
            "close with 1005",
            frame(FIN | CLOSE, close_payload(1005, "")),
        ),
        ("close with 999", frame(FIN | CLOSE, close_payload(999, ""))),
    ];
    for (name, bytes) in faults {
        let mut client = server.client();
        client.ws.wire.send_while_open(&bytes);
        // Whatever follows a fault is thrown away.
        client.ws.wire.send_while_open(&text(PING_EVENT));
        match client.ws.next() {
            Incoming::Close(Some((1002, _))) => client.ws.wire.expect_end(),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn text_that_is_not_utf8_is_closed_with_1007() {
    // W23, R13
    let server = TestServer::plain();
    for bytes in [
        &b"\xff"[..],
        b"{\"event\":\"\xc3\x28\"}",
        b"\xc0\xaf",         // overlong
        b"\xed\xa0\x80",     // surrogate
        b"\xf4\x90\x80\x80", // past U+10FFFF
        b"{\xc3",            // cut short
    ] {
        expect_fault(&server, &frame(FIN | TEXT, bytes), 1007);
    }
    let cut = [frame(TEXT, b"\xe2\x98"), frame(FIN | CONTINUE, b"x")].concat();
    expect_fault(&server, &cut, 1007);
    // Told at the first wrong byte, not when a message that may never end has ended.
    expect_fault(&server, &frame(TEXT, b"ab\xff"), 1007);
    let reason = [&1000u16.to_be_bytes()[..], b"\xff"].concat();
    expect_fault(&server, &frame(FIN | CLOSE, reason), 1007);
}

#[test]
fn a_message_may_come_in_any_pieces() {
    let server = TestServer::plain();
    let message = r#"{"event":"pusher:ping","data":"☃ é"}"#.as_bytes();
    let mut client = server.client();
    for at in 0..=message.len() {
        let (one, two) = message.split_at(at); // inside characters too
        client.ws.send(frame(TEXT, one));
        client.ws.send(frame(CONTINUE, ""));
        client.ws.send(frame(FIN | CONTINUE, two));
        assert_eq!(client.next().name, "pusher:pong", "{at}");
    }
    let first = frame(TEXT, &message[..1]);
    let rest = message[1..].chunks(1).map(|byte| frame(CONTINUE, byte));
    let all: Vec<u8> = [first].into_iter().chain(rest).flatten().collect();
    client.ws.send(all);
    client.ws.send(frame(FIN | CONTINUE, ""));
    assert_eq!(client.next().name, "pusher:pong");
    client.expect_quiet();
}

#[test]
fn control_frames_may_stand_between_fragments() {
    let server = TestServer::plain();
    let mut client = server.client();
    client.ws.send(frame(TEXT, &PING_EVENT[..5]));
    client.ws.send(frame(FIN | PING, "one"));
    assert_eq!(client.ws.next(), Incoming::Pong(b"one".to_vec()));
    client.ws.send(frame(FIN | PONG, ""));
    client.ws.send(frame(CONTINUE, &PING_EVENT[5..9]));
    client.ws.send(frame(FIN | PING, "two"));
    client.ws.send(frame(FIN | CONTINUE, &PING_EVENT[9..]));
    assert_eq!(client.ws.next(), Incoming::Pong(b"two".to_vec()));
    assert_eq!(client.next().name, "pusher:pong");
    // In one piece of TCP just as well.
    let all = [
        frame(TEXT, &PING_EVENT[..3]),
        frame(FIN | PING, "three"),
        frame(FIN | CONTINUE, &PING_EVENT[3..]),
        frame(FIN | PING, "four"),
    ];
    client.ws.send(all.concat());
    assert_eq!(client.ws.next(), Incoming::Pong(b"three".to_vec()));
    assert_eq!(client.next().name, "pusher:pong");
    assert_eq!(client.ws.next(), Incoming::Pong(b"four".to_vec()));
}

#[test]
fn a_message_may_arrive_byte_by_byte() {
    let server = TestServer::plain();
    let mut client = server.client_on(1);
    let mut beside = server.client_on(1);
    for byte in text(PING_EVENT) {
        client.ws.send([byte]);
        beside.expect_quiet(); // the shard has had a turn
    }
    assert_eq!(client.next().name, "pusher:pong");
}

#[test]
fn many_messages_in_one_write_are_answered_in_their_order() {
    let server = TestServer::plain();
    let mut client = server.client();
    let subscribe = |n: usize| {
        let data = format!(r#"{{"channel":"c{n}"}}"#);
        text(format!(r#"{{"event":"pusher:unsubscribe","data":{data}}}"#))
    };
    let mut all = Vec::new();
    for n in 0..100 {
        all.extend(subscribe(n));
        all.extend(frame(FIN | PING, [n as u8]));
        all.extend(text(PING_EVENT));
    }
    client.ws.send(all);
    for n in 0..100 {
        assert_eq!(client.ws.next(), Incoming::Pong(vec![n]));
        assert_eq!(client.next().name, "pusher:pong");
    }
    client.expect_quiet();
}

#[test]
fn a_close_is_answered_with_its_code_and_then_the_connection_ends() {
    let server = TestServer::plain();
    for code in [1000, 1001, 3000, 4999] {
        let mut client = server.client();
        client
            .ws
            .send(frame(FIN | CLOSE, close_payload(code, "bye")));
        client.ws.wire.send_while_open(&text(PING_EVENT)); // after the close: not heard
        match client.ws.next() {
            Incoming::Close(Some((got, _))) => assert_eq!(got, code),
            other => panic!("{other:?}"),
        }
        client.ws.wire.expect_end();
    }
    let mut client = server.client();
    client.ws.send(frame(FIN | CLOSE, ""));
    assert_eq!(client.ws.next(), Incoming::Close(None));
    client.ws.wire.expect_end();
}

#[test]
fn what_was_asked_before_a_close_is_answered_before_it() {
    let server = TestServer::plain();
    let mut client = server.client();
    let close = frame(FIN | CLOSE, close_payload(1000, ""));
    client.ws.send([text(PING_EVENT), close].concat());
    assert_eq!(client.next().name, "pusher:pong");
    assert_eq!(
        client.ws.next(),
        Incoming::Close(Some((1000, String::new())))
    );
    client.ws.wire.expect_end();
}

#[test]
fn a_client_that_only_ends_its_side_is_gone() {
    // R05
    let server = TestServer::plain();
    let mut client = server.client();
    client.subscribe("news");
    client.ws.wire.end_sending();
    client.ws.wire.expect_end();
    let gone = serde_json::json!({"occupied": false});
    server.rest().expect_soon("channels/news", &[], &gone);
}

#[test]
fn a_broken_connection_harms_no_other() {
    let server = TestServer::plain();
    let mut healthy: Vec<Client> = Vec::from(server.pair());
    for client in &mut healthy {
        client.subscribe("news");
    }
    for bytes in [
        &b"\x81"[..],
        &frame(TEXT, "half"),
        &header(FIN | TEXT, 60_000),
    ] {
        let mut client = server.client();
        client.ws.send(bytes);
        drop(client); // in the middle of a frame
    }
    expect_fault(&server, &frame(FIN | 3, "x"), 1002);
    server.rest().trigger("news", "alive", "yes");
    for client in &mut healthy {
        assert_eq!(
            client.next(),
            Event::parse(r#"{"event":"alive","channel":"news","data":"yes"}"#)
        );
    }
}
