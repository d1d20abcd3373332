//! The options that compress messages of Pusher clients (permessage-deflate, RFC 7692): off unless
//! asked for, and then only for those who offer it.

use crate::support::deflate::{RSV1, deflated, inflated, raw, squeezed};
use crate::support::pusher::{Client, Event, QUERY};
use crate::support::server::{TestServer, app, config};
use crate::support::sign::Keys;
use crate::support::websocket::{FIN, TEXT, frame, shake};
use serde_json::json;
use shardcast::server::config::Config;

fn target() -> String {
    format!("/app/app-key{QUERY}")
}

fn server(config: Config) -> TestServer {
    TestServer::start(Config {
        websocket_compression: true,
        ..config
    })
}

/// A greeted client that may be sent compressed messages.
fn compressed(server: &TestServer) -> Client {
    Client::greeted(squeezed(server, &target(), "; client_max_window_bits"))
}

fn headlines() -> String {
    let headlines: Vec<_> = (0..50)
        .map(|n| json!({"id": n, "title": format!("headline {n}"), "tags": ["a", "b"]}))
        .collect();
    json!(headlines).to_string()
}

#[test]
fn nothing_is_compressed_unless_it_is_wanted() {
    let server = TestServer::plain();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate";
    let (answer, ws) = shake(&server, &target(), &[offer]);
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-extensions"), None);
    let mut client = Client::greeted(ws);
    client.ws.send(frame(FIN | RSV1 | TEXT, deflated("{}")));
    client.ws.expect_close(1002); // W23
}

#[test]
fn an_event_reaches_clients_with_and_without_compression() {
    let server = server(config([app()]));
    let mut squeezed: Vec<_> = (0..8).map(|_| compressed(&server)).collect();
    let mut plain = server.pair();
    for client in squeezed.iter_mut().chain(&mut plain) {
        client.subscribe("news");
    }
    let data = headlines();
    server.rest().trigger("news", "headlines", &data);
    let mut wires = Vec::new();
    for client in &mut squeezed {
        let (first, payload) = raw(&mut client.ws);
        assert_eq!(first, FIN | RSV1 | TEXT);
        assert!(payload.len() * 4 < data.len(), "{}", payload.len());
        let event = Event::parse(&inflated(&payload));
        assert_eq!((event.channel(), event.text()), ("news", &*data));
        wires.push(payload);
    }
    wires.dedup();
    assert_eq!(wires.len(), 1, "all get the same bytes");
    for client in &mut plain {
        assert_eq!(client.expect("headlines").text(), data); // not one bit of RSV1
    }
}

#[test]
fn a_client_may_compress_what_it_sends() {
    let server = server(config([app()]));
    let (mut sender, mut receiver) = (compressed(&server), server.client());
    for client in [&mut sender, &mut receiver] {
        client.subscribe_signed(&Keys::of(&app()), "private-room");
    }
    let data = json!(headlines());
    let event = json!({"event": "client-news", "channel": "private-room", "data": data});
    let message = deflated(event.to_string());
    sender.ws.send(frame(FIN | RSV1 | TEXT, message));
    assert_eq!(receiver.expect("client-news").data, data);
}

#[test]
fn the_message_limit_holds_for_what_a_client_compressed() {
    let server = server(Config {
        message_bytes: 20_000,
        ..config([app()])
    });
    let bare = json!({"event": "pusher:ping", "data": ""})
        .to_string()
        .len();
    let ping = |bytes: usize| json!({"event": "pusher:ping", "data": "x".repeat(bytes - bare)});
    let mut client = compressed(&server);
    let say = |client: &mut Client, bytes| {
        let message = deflated(ping(bytes).to_string());
        client.ws.send(frame(FIN | RSV1 | TEXT, message));
    };
    say(&mut client, 20_000);
    client.expect("pusher:pong");
    say(&mut client, 20_001);
    client.ws.expect_close(1009); // W23
}

#[test]
fn the_shortest_message_that_is_compressed_may_be_set() {
    let data = "x".repeat(150);
    let frame = json!({"event": "short", "channel": "news", "data": data}).to_string();
    for (bytes, bit) in [(frame.len(), RSV1), (frame.len() + 1, 0)] {
        let server = server(Config {
            websocket_compression_bytes: bytes,
            ..config([app()])
        });
        let mut client = compressed(&server);
        client.subscribe("news");
        server.rest().trigger("news", "short", &data);
        let (first, payload) = raw(&mut client.ws);
        assert_eq!(first, FIN | bit | TEXT, "{bytes}");
        assert_eq!(bit == 0, payload.len() == frame.len());
    }
}

#[test]
fn a_higher_level_tries_harder() {
    let lengths = [1, 9].map(|level| {
        let server = server(Config {
            websocket_compression_level: level,
            ..config([app()])
        });
        let mut client = compressed(&server);
        client.subscribe("news");
        server.rest().trigger("news", "headlines", &headlines());
        raw(&mut client.ws).1.len()
    });
    assert!(lengths[1] < lengths[0], "{lengths:?}");
}
