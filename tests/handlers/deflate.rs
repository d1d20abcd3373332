//! Compressed messages (permessage-deflate, RFC 7692) between real sockets and custom handlers:
//! what is agreed on, byte by byte what is sent, and what is refused.

use crate::chat::ChatServer;
use crate::support::deflate::{self, RSV1, deflated, expect_squeezed, inflated, raw};
use crate::support::server::{TestServer, config};
use crate::support::websocket::{
    BINARY, CLOSE, CONTINUE, FIN, Incoming, PING, TEXT, Ws, frame, shake,
};
use shardcast::handler::{
    Client, Deflate, Endpoint, Handler, Handshake, Message, Request, Result, Router,
};
use shardcast::server::Server;

const MESSAGE_MAX: usize = 4096;

/// Says everything to everybody when asked to, and else back.
struct Squeezed {
    endpoint: Endpoint,
    deflate: Deflate,
}

impl Handler for Squeezed {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        client.send_text(&format!("shard {}", self.endpoint.shard()))?;
        Ok(())
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        match message.as_text() {
            Some(text) => match text.strip_prefix("all ") {
                Some(rest) => self.endpoint.broadcast(rest),
                None => client.send_text(text)?,
            },
            None => client.send_binary(message.as_bytes())?,
        }
        Ok(())
    }

    fn message_max(&self) -> usize {
        MESSAGE_MAX
    }

    fn deflate(&self) -> Option<Deflate> {
        Some(self.deflate)
    }
}

fn builder(deflate: Deflate) -> shardcast::server::Builder {
    let routes = move |router: &mut Router| {
        router.mount("/squeezed", move |endpoint| Squeezed { endpoint, deflate });
    };
    Server::builder().config(config([])).routes(routes)
}

fn server() -> TestServer {
    TestServer::build(builder(Deflate::default()))
}

/// A client that offers compression with these parameters; and the shard it is on.
fn squeezed(server: &TestServer, parameters: &str) -> (Ws, u16) {
    greeted(deflate::squeezed(server, "/squeezed", parameters))
}

fn plain(server: &TestServer) -> (Ws, u16) {
    greeted(Ws::open(server.address(), "/squeezed"))
}

fn greeted(mut ws: Ws) -> (Ws, u16) {
    let greeting = ws.expect_text(); // too short to be compressed
    let shard = greeting.strip_prefix("shard ").expect("the greeting");
    (ws, shard.parse().expect("shards are numbers"))
}

fn verse(lines: usize) -> String {
    (0..lines)
        .map(|n| format!("line {n} of a verse; "))
        .collect()
}

// RFC 7692, sections 5.1 and 7.1
#[test]
fn what_is_offered_is_answered() {
    const BARE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let server = server();
    let answer = |fields: &[&str]| {
        let (answer, _ws) = shake(&server, "/squeezed", fields);
        assert_eq!(answer.status, 101);
        answer.header("sec-websocket-extensions").map(str::to_owned)
    };
    assert_eq!(answer(&[]), None);
    assert_eq!(answer(&["Sec-WebSocket-Extensions: x-other"]), None);
    for (offer, agreed) in [
        // As browsers ask, and as `ws` for Node.js does.
        ("permessage-deflate; client_max_window_bits", Some(BARE)),
        ("permessage-deflate; server_max_window_bits=8", None),
        (
            "permessage-deflate; unknown, permessage-deflate",
            Some(BARE),
        ),
    ] {
        let field = format!("Sec-WebSocket-Extensions: {offer}");
        assert_eq!(answer(&[&field]).as_deref(), agreed, "{offer}");
    }
    let two = [
        "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=1",
        "sec-websocket-extensions: permessage-deflate; server_max_window_bits=12",
    ];
    let narrow = format!("{BARE}; server_max_window_bits=12");
    assert_eq!(answer(&two), Some(narrow));
}

#[test]
fn what_is_no_offer_fails_the_handshake() {
    let server = server();
    for field in ["permessage-deflate;", "a b", "permessage-deflate; x=\"1"] {
        let field = format!("Sec-WebSocket-Extensions: {field}");
        let (answer, _ws) = shake(&server, "/squeezed", &[&field]);
        assert_eq!(answer.status, 400, "{field}"); // RFC 6455, section 9.1
    }
}

#[test]
fn a_handler_that_does_not_compress_agrees_to_nothing() {
    let chat = ChatServer::start();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate";
    let (answer, mut ws) = shake(&chat.server, "/chat/a", &[offer]);
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-extensions"), None);
    ws.expect_text();
    let long = verse(50);
    ws.send_text(format!("echo {long}"));
    assert_eq!(ws.expect_text(), long);
    ws.send(frame(FIN | RSV1 | TEXT, deflated("echo x")));
    ws.expect_close(1002); // RFC 6455, section 5.2
}

#[test]
fn a_broadcast_reaches_a_mixed_crowd_on_all_shards() {
    let server = server();
    let mut crowd = Vec::new();
    while (0..2).any(|shard| crowd.iter().filter(|(_, _, on)| *on == shard).count() < 9) {
        for parameters in [None, Some(""), Some("; server_max_window_bits=9")] {
            let (ws, shard) = match parameters {
                None => plain(&server),
                Some(parameters) => squeezed(&server, parameters),
            };
            crowd.push((ws, parameters, shard));
        }
    }
    let text = verse(150); // longer than the narrow window
    let said = frame(FIN | RSV1 | TEXT, deflated(format!("all {text}")));
    crowd[1].0.send(said);
    let mut seen = std::collections::BTreeMap::new();
    for (ws, parameters, _) in &mut crowd {
        let (first, payload) = raw(ws);
        if parameters.is_none() {
            assert_eq!((first, &*payload), (FIN | TEXT, text.as_bytes()));
            continue;
        }
        assert_eq!(first, FIN | RSV1 | TEXT);
        assert_eq!(inflated(&payload), text);
        assert!(payload.len() < text.len() / 2, "{}", payload.len());
        // What comes is a function of the message and the window, so it could be made once.
        let known = seen.entry(*parameters).or_insert_with(|| payload.clone());
        assert_eq!(*known, payload);
    }
    assert_eq!(seen.len(), 2);
    for (ws, parameters, _) in &mut crowd {
        ws.send_text("still there"); // nobody got it twice
        assert_eq!(ws.expect_text(), "still there", "{parameters:?}: short");
    }
}

#[test]
fn messages_are_compressed_both_ways_and_may_be_plain() {
    let server = server();
    let (mut ws, _) = squeezed(&server, "");
    let text = verse(100);
    let compressed = deflated(&text);
    ws.send(frame(FIN | RSV1 | TEXT, &compressed));
    assert_eq!(expect_squeezed(&mut ws), text);
    ws.send_text(&text); // section 6: each message says for itself
    assert_eq!(expect_squeezed(&mut ws), text);
    let (start, end) = compressed.split_at(compressed.len() / 2);
    ws.send(frame(RSV1 | BINARY, start));
    ws.send(frame(FIN | PING, [7; 125]));
    ws.send(frame(FIN | CONTINUE, end));
    assert_eq!(ws.next(), Incoming::Pong(vec![7; 125]), "never compressed");
    let (first, payload) = raw(&mut ws);
    assert_eq!(first, FIN | RSV1 | BINARY);
    assert_eq!(inflated(&payload), text);
    let close = [&1000u16.to_be_bytes()[..], &[b'x'; 100]].concat();
    ws.send(frame(FIN | CLOSE, close));
    assert_eq!(ws.next(), Incoming::Close(Some((1000, String::new()))));
}

#[test]
fn the_threshold_is_the_shortest_that_is_compressed() {
    let server = TestServer::build(builder(Deflate {
        threshold_bytes: 100,
        ..Deflate::default()
    }));
    let (mut ws, _) = squeezed(&server, "");
    for (length, bit) in [(99, 0), (100, RSV1), (101, RSV1)] {
        ws.send_text("x".repeat(length));
        assert_eq!(raw(&mut ws).0, FIN | bit | TEXT, "{length}");
    }
    let noise: Vec<u8> = (0..1000).map(|_| rand::random()).collect();
    ws.send(frame(FIN | BINARY, &noise));
    assert_eq!(ws.expect_binary(), noise, "it would only have grown");
}

#[test]
fn a_level_tries_harder_and_a_window_is_announced() {
    let mut lengths = Vec::new();
    for level in [1, 9] {
        let server = TestServer::build(builder(Deflate {
            level,
            window_bits: 11,
            ..Deflate::default()
        }));
        let offer = "Sec-WebSocket-Extensions: permessage-deflate";
        let (answer, ws) = shake(&server, "/squeezed", &[offer]);
        let agreed = answer.header("sec-websocket-extensions").expect("agreed");
        assert!(agreed.ends_with("; server_max_window_bits=11"), "{agreed}");
        let (mut ws, _) = greeted(ws);
        let text = verse(100);
        ws.send_text(&text);
        let (_, payload) = raw(&mut ws);
        assert_eq!(inflated(&payload), text);
        lengths.push(payload.len());
    }
    assert!(lengths[1] < lengths[0], "{lengths:?}");
}

#[test]
fn the_message_limit_holds_for_what_comes_out_and_for_what_comes_in() {
    let server = server();
    let (mut ws, _) = squeezed(&server, "");
    let most = "x".repeat(MESSAGE_MAX);
    ws.send(frame(FIN | RSV1 | TEXT, deflated(&most)));
    assert_eq!(expect_squeezed(&mut ws), most);
    ws.send(frame(FIN | RSV1 | TEXT, deflated(most + "x")));
    ws.expect_close(1009);
    let (mut bomber, _) = squeezed(&server, "");
    let bomb = deflated(vec![0; 3_000_000]);
    assert!(bomb.len() < MESSAGE_MAX);
    bomber.send(frame(FIN | RSV1 | BINARY, bomb));
    bomber.expect_close(1009);
    let (mut wordy, _) = squeezed(&server, "");
    wordy.send(frame(FIN | RSV1 | BINARY, vec![0; MESSAGE_MAX + 1]));
    wordy.expect_close(1009);
}

#[test]
fn what_breaks_the_rules_is_closed_and_others_are_served() {
    let server = server();
    let (mut neighbour, _) = squeezed(&server, "");
    let good = deflated("hello");
    for (bytes, code) in [
        (frame(FIN | RSV1 | PING, b"x"), 1002), // section 6.1
        (
            [
                frame(RSV1 | TEXT, &good[..2]),
                frame(FIN | RSV1 | CONTINUE, &good[2..]),
            ]
            .concat(),
            1002,
        ),
        (frame(FIN | 0x20 | TEXT, b"x"), 1002),
        (frame(FIN | RSV1 | TEXT, [0xff; 9]), 1007),
        (frame(FIN | RSV1 | TEXT, deflated([0xff; 9])), 1007),
    ] {
        let (mut ws, _) = squeezed(&server, "");
        ws.send(&bytes);
        ws.expect_close(code);
        neighbour.send(frame(FIN | RSV1 | TEXT, deflated("still served")));
        assert_eq!(neighbour.expect_text(), "still served");
    }
}

#[test]
fn settings_out_of_range_stop_the_start() {
    for (deflate, says) in [
        (
            Deflate {
                window_bits: 8,
                ..Deflate::default()
            },
            "deflate window_bits 8: it is from 9 to 15",
        ),
        (
            Deflate {
                level: 10,
                ..Deflate::default()
            },
            "deflate level 10: it is from 1 to 9",
        ),
    ] {
        let error = builder(deflate).start().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
