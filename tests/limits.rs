//! Every limit of a connection and of a request: at the limit all is well, one past it is not.
//!
//! Limits of presence, client events and publishing stand with those subjects. Deadlines are made
//! short by configuration, and the test waits for the server's answer, not for time to pass.

mod support;

use serde_json::json;
use shardcast::server::config::Config;
use std::time::{Duration, Instant};
use support::http::{Http, request};
use support::metrics::Values;
use support::pusher::{Client, Event};
use support::server::{TestServer, app, config, counting_app};
use support::sign::Keys;
use support::websocket::{
    self, CONTINUE, FIN, Incoming, PING, PONG, TEXT, Ws, frame, handshake, header, text,
};
use support::wire::PATIENCE;

/// A ping event that is exactly so long.
fn ping_of(bytes: usize) -> String {
    let bare = json!({"event": "pusher:ping", "data": ""})
        .to_string()
        .len();
    json!({"event": "pusher:ping", "data": "x".repeat(bytes - bare)}).to_string()
}

#[test]
fn a_message_may_be_exactly_as_long_as_the_limit() {
    // W23, R10
    for limit in [1024, 65_536] {
        let server = TestServer::start(Config {
            message_bytes: limit,
            ..config([app()])
        });
        let mut client = server.client();
        client.ws.send_text(ping_of(limit));
        client.expect("pusher:pong");
        let message = ping_of(limit);
        let (one, two) = message.as_bytes().split_at(limit / 3);
        client
            .ws
            .send([frame(TEXT, one), frame(FIN | CONTINUE, two)].concat());
        client.expect("pusher:pong");
        client.expect_quiet();

        let over = ping_of(limit + 1);
        let (one, two) = over.as_bytes().split_at(limit);
        let pieces = [frame(TEXT, one), frame(FIN | CONTINUE, two)].concat();
        for bytes in [text(&over), pieces] {
            let mut client = server.client();
            client.ws.wire.send_while_open(&bytes);
            client.ws.expect_close(1009);
        }
    }
}

#[test]
fn a_message_is_refused_by_its_header_alone() {
    // R10: nothing of the payload is ever sent.
    let server = TestServer::plain();
    for length in [65_537, 1 << 32, 1 << 62, (1 << 63) - 1] {
        let mut client = server.client();
        client.ws.send(header(FIN | TEXT, length));
        client.ws.expect_close(1009);
        let mut client = server.client();
        client
            .ws
            .send([frame(TEXT, "{"), header(CONTINUE, length)].concat());
        client.ws.expect_close(1009);
    }
    server.client().expect_quiet();
}

#[test]
fn a_message_has_at_most_64_fragments() {
    // R11
    let server = TestServer::plain();
    let in_fragments = |count: usize| {
        let ping = r#"{"event":"pusher:ping"}"#;
        let empty = (0..count - 2).map(|_| frame(CONTINUE, ""));
        let mut out = frame(TEXT, ping);
        out.extend(empty.flatten());
        out.extend(frame(FIN | CONTINUE, ""));
        out
    };
    let mut client = server.client();
    client.ws.send(in_fragments(64));
    client.expect("pusher:pong");
    client.ws.send(in_fragments(64)); // counted for each message
    client.expect("pusher:pong");
    client.ws.wire.send_while_open(&in_fragments(65));
    client.ws.expect_close(1009);
    let mut client = server.client();
    let endless: Vec<u8> = (0..10_000).flat_map(|_| frame(CONTINUE, "")).collect();
    client.ws.send(frame(TEXT, ""));
    client.ws.wire.send_while_open(&endless);
    client.ws.expect_close(1009);
}

#[test]
fn a_connection_has_so_many_channels() {
    // S8
    let server = TestServer::start(Config {
        channels_per_connection: 3,
        ..config([app()])
    });
    let keys = Keys::of(&app());
    let mut client = server.client();
    client.subscribe("a");
    client.subscribe_signed(&keys, "private-b");
    client.join(&keys, "presence-c", &json!({"user_id": "u"}));
    for channel in ["d", "private-d", "presence-d"] {
        client.ask_signed(&keys, channel, Some(r#"{"user_id":"u"}"#));
        client.expect_refused(channel, "LimitReached", 4100);
    }
    client.subscribe("a"); // Q7: a repeat is none more
    client.unsubscribe("private-b");
    client.subscribe("d");
    client.ask("e");
    client.expect_refused("e", "LimitReached", 4100);
    // The limit is each connection's own, and the others get what they asked for.
    let mut other = server.client();
    other.subscribe("e");
    server.rest().trigger("d", "mark", "");
    client.expect("mark");
}

#[test]
fn a_channel_name_has_at_most_200_characters() {
    // Section 3.1
    let server = TestServer::plain();
    let keys = Keys::of(&app());
    let mut client = server.client();
    for prefix in ["", "private-", "presence-"] {
        let name = |length: usize| format!("{prefix}{}", "c".repeat(length - prefix.len()));
        let member = Some(r#"{"user_id":"u"}"#);
        client.ask_signed(&keys, &name(200), member);
        let answer = client.expect("pusher_internal:subscription_succeeded");
        assert_eq!(answer.channel(), name(200));
        client.ask_signed(&keys, &name(201), member);
        client.expect_refused(&name(201), "LimitReached", 4009);
    }
    client.expect_quiet();
}

/// A request for `/` whose head has exactly so many bytes.
fn head_of(bytes: usize) -> Vec<u8> {
    let bare = request("GET", "/", &["X: "], b"").len();
    request(
        "GET",
        "/",
        &[&format!("X: {}", "x".repeat(bytes - bare))],
        b"",
    )
}

#[test]
fn heads_have_limits_of_size_and_of_fields() {
    // R09: 431
    for limit in [1024, 8192] {
        let server = TestServer::start(Config {
            head_bytes: limit,
            ..config([app()])
        });
        let mut http = Http::connect(server.address());
        for _ in 0..2 {
            assert_eq!(http.send(head_of(limit)).status, 200);
        }
        http.wire.send(head_of(limit + 1));
        http.expect_refusal(431);
        // It does not have to end to be too long, nor to say what it is.
        let mut http = Http::connect(server.address());
        http.wire.send(&head_of(limit + 10)[..limit]);
        http.expect_refusal(431);
        // A handshake is a head like any other.
        let mut http = Http::connect(server.address());
        let long = format!("/app/app-key?x={}", "x".repeat(limit));
        http.wire.send_while_open(&handshake(&long));
        assert!(matches!(http.response().status, 414 | 431));
    }
    let server = TestServer::plain();
    let fields = |count: usize| {
        let fields: Vec<String> = (1..count).map(|n| format!("X-{n}: y")).collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        request("GET", "/", &fields, b"") // and the host
    };
    let mut http = Http::connect(server.address());
    assert_eq!(http.send(fields(64)).status, 200);
    http.wire.send(fields(65));
    http.expect_refusal(431);
}

#[test]
fn targets_have_a_limit() {
    // R09: 414
    let server = TestServer::plain();
    let target = |bytes: usize| format!("/?{}", "x".repeat(bytes - 2));
    let mut http = Http::connect(server.address());
    assert_eq!(http.ask("GET", &target(4096), b"").status, 200);
    http.wire.send(request("GET", &target(4097), &[], b""));
    http.expect_refusal(414);
    let mut http = Http::connect(server.address());
    http.wire.send(format!("GET {}", target(8192)));
    http.expect_refusal(414);
}

#[test]
fn bodies_have_a_limit_however_they_are_sent() {
    // Section 8.2, row 2: 413
    const LIMIT: usize = 20_000;
    let server = TestServer::start(Config {
        body_bytes: LIMIT,
        ..config([app()])
    });
    let body_of = |bytes: usize| {
        let body = |data: usize| {
            json!({"name": "e", "channel": "a", "data": "d", "x": "x".repeat(data)}).to_string()
        };
        body(bytes - body(0).len()).into_bytes()
    };
    let keys = Keys::of(&app());
    let target = |body: &[u8]| keys.target("POST", "/apps/1001/events", &[], body);
    let chunked = |body: &[u8], size: usize| {
        let mut out = request("POST", &target(body), &["Transfer-Encoding: chunked"], b"");
        for chunk in body.chunks(size) {
            out.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            out.extend_from_slice(&[chunk, b"\r\n"].concat());
        }
        out.extend_from_slice(b"0\r\n\r\n");
        out
    };
    let (at, over) = (body_of(LIMIT), body_of(LIMIT + 1));
    let mut http = Http::connect(server.address());
    assert_eq!(http.ask("POST", &target(&at), &at).status, 200);
    assert_eq!(http.send(chunked(&at, 999)).status, 200);
    assert_eq!(http.send(chunked(&at, LIMIT)).status, 200);
    http.wire
        .send_while_open(&request("POST", &target(&over), &[], &over));
    http.expect_refusal(413);
    for size in [999, LIMIT, LIMIT + 1] {
        let mut http = Http::connect(server.address());
        http.wire.send_while_open(&chunked(&over, size));
        http.expect_refusal(413);
    }
    // Told by the length alone, before a byte of the body.
    let mut http = Http::connect(server.address());
    let length = format!("Content-Length: {}", LIMIT + 1);
    http.wire
        .send(request("POST", "/apps/1001/events", &[&length], b""));
    http.expect_refusal(413);
}

/// A server whose heads must arrive within a fifth of a second.
fn hasty() -> TestServer {
    TestServer::start(Config {
        head_timeout_ms: 200,
        ..config([app()])
    })
}

#[test]
fn a_head_that_does_not_arrive_is_ended_on_time() {
    // R06
    let server = hasty();
    for part in [&b""[..], b"\r\n", b"G", b"GET / HTTP/1.1\r\nHost: a\r\n"] {
        let mut http = Http::connect(server.address());
        http.wire.send(part);
        http.expect_refusal(408);
    }
    // Once it is a WebSocket, or has been answered, that time is over.
    let mut client = server.client();
    let mut http = Http::connect(server.address());
    http.ask("GET", "/", b"");
    let mut slow = Http::connect(server.address());
    slow.wire.send(b"GET");
    slow.expect_refusal(408); // a whole deadline later
    client.expect_quiet();
    assert_eq!(http.ask("GET", "/", b"").status, 200);
    // A later head on the same connection has a deadline of its own.
    http.wire.send(b"GET / HT");
    http.expect_refusal(408);
    // So has one that lies behind a request.
    let mut http = Http::connect(server.address());
    http.wire
        .send([request("GET", "/", &[], b""), b"GET / HT".to_vec()].concat());
    assert_eq!(http.response().status, 200);
    http.expect_refusal(408);
}

#[test]
fn a_head_that_drips_in_is_ended_on_time() {
    // R06: the deadline is the whole head's, not the next byte's.
    let server = hasty();
    let mut http = Http::connect(server.address());
    http.wire.send("GET / HTTP/1.1\r\nHost: a\r\n");
    let start = Instant::now();
    while !http.wire.hears_within(20) {
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "it drips for ever"
        );
        http.wire.send_while_open(b"X: y\r\n");
    }
    http.expect_refusal(408);
    assert!(start.elapsed() >= Duration::from_millis(150), "too early");
}

#[test]
fn an_idle_connection_is_closed_in_silence() {
    let server = TestServer::start(Config {
        keep_alive_ms: 200,
        ..config([app()])
    });
    let mut http = Http::connect(server.address());
    for _ in 0..3 {
        assert_eq!(http.ask("GET", "/", b"").status, 200);
    }
    http.wire.expect_end();
    let mut client = server.client(); // a WebSocket may be idle as long as it likes
    let mut http = Http::connect(server.address());
    http.ask("GET", "/", b"");
    http.wire.expect_end();
    client.expect_quiet();
}

#[test]
fn a_reader_that_cannot_keep_up_is_closed_with_4100_and_nobody_else() {
    // R01: told to come back after a pause
    const PUBLISHED: usize = 300; // three megabytes
    let server = TestServer::start(Config {
        outbox_bytes: 256 * 1024,
        ..config([counting_app()])
    });
    let mut slow = Client::connect_narrow(server.address(), "app-key");
    slow.skips_counts = true;
    slow.subscribe("news");
    let mut fast = server.client_on(slow.shard());
    fast.skips_counts = true;
    fast.subscribe("news");
    let mut rest = server.rest();
    let data = "x".repeat(10_000);
    let item = json!({"channel": "news", "name": "e", "data": data});
    let batch = json!({"batch": vec![item; 10]});
    for _ in 0..PUBLISHED / 10 {
        assert_eq!(rest.post("batch_events", &batch).status, 200);
        for _ in 0..10 {
            assert_eq!(fast.expect("e").text(), data);
        }
    }
    // What had begun to leave arrives whole, then the word, then the end.
    let mut got = 0;
    loop {
        match slow.ws.next() {
            Incoming::Text(text) => match Event::parse(&text) {
                event if event.name == "e" => got += 1,
                event if event.name == "pusher_internal:subscription_count" => {}
                event => break assert_eq!(event.error().0, Some(4100)),
            },
            other => panic!("{other:?} after {got} events"),
        }
    }
    assert!((1..PUBLISHED).contains(&got), "{got}");
    slow.ws.expect_close(4100);
    let values = Values::of(server.handle().admin_addr().unwrap());
    let shard = format!("shard=\"{}\"", slow.shard());
    assert_eq!(values.sum("ws_slow_consumers_total", &[&shard]), 1.0);
    assert_eq!(values.sum("ws_slow_consumers_total", &[]), 1.0);
    let gone = json!({"occupied": true, "subscription_count": 1});
    rest.expect_soon("channels/news", &[("info", "subscription_count")], &gone);
    rest.trigger("news", "mark", "");
    fast.expect("mark");
}

#[test]
fn a_flood_of_pings_by_a_peer_that_does_not_read_is_bounded() {
    // R14: pongs wait in the same bounded place as everything else.
    let server = TestServer::start(Config {
        outbox_bytes: 16 * 1024,
        ..config([app()])
    });
    let mut flooder = Client::connect_narrow(server.address(), "app-key");
    let pings: Vec<u8> = (0..500).flat_map(|_| frame(FIN | PING, [7; 125])).collect();
    for _ in 0..100 {
        flooder.ws.wire.send_while_open(&pings);
    }
    loop {
        match flooder.ws.next() {
            Incoming::Pong(payload) => assert_eq!(payload, [7; 125]),
            Incoming::Text(text) => break assert_eq!(Event::parse(&text).error().0, Some(4100)),
            other => panic!("{other:?}"),
        }
    }
    flooder.ws.expect_close(4100);
    server.client().expect_quiet();
    let mut ws = Ws::open(server.address(), "/app/app-key");
    ws.send(websocket::frame(FIN | PING, ""));
    ws.expect_text();
}

/// A channel list of more than 20 KB, and a server whose outboxes take less than that.
fn crowded() -> (TestServer, Client) {
    let server = TestServer::start(Config {
        outbox_bytes: 16 * 1024,
        ..config([app()])
    });
    let mut client = server.client();
    for n in 0..150 {
        client.subscribe(&format!("{n:0150}"));
    }
    (server, client)
}

#[test]
fn an_answer_may_be_longer_than_what_a_slow_client_may_owe() {
    let (server, _client) = crowded();
    let listed = server.rest().get_json("channels", &[]);
    let channels = listed["channels"].as_object().map(|all| all.len());
    assert_eq!(channels, Some(150));
}

#[test]
fn a_backend_that_asks_before_it_reads_gets_every_answer() {
    const ASKED: usize = 400;
    let (server, _client) = crowded();
    let target = Keys::of(&app()).target("GET", "/apps/1001/channels", &[], b"");
    let mut http = Http::connect(server.address());
    http.wire
        .send(request("GET", &target, &[], b"").repeat(ASKED));
    server.rest().get_json("channels", &[]); // the others do not wait for it
    for _ in 0..ASKED {
        let answer = http.response();
        assert_eq!((answer.status, answer.body.len() > 20_000), (200, true));
    }
}

#[test]
fn a_message_that_drips_in_is_ended_and_little_of_one_is_not() {
    // R10: what is held of it, is held in time.
    let server = TestServer::start(Config {
        body_timeout_ms: 100,
        ..config([app()])
    });
    let fragment = |length: usize| frame(TEXT, &ping_of(4_096).as_bytes()[..length]);
    let rest = |length: usize| frame(FIN | CONTINUE, &ping_of(4_096).as_bytes()[length..]);
    let mut little = server.client();
    little.ws.send(fragment(1_023));
    let mut client = server.client();
    client.ws.send(fragment(1_024));
    let start = Instant::now();
    // It lives, as its pongs say; beyond 0.1 s it has one for each 500 bytes.
    while !client.ws.wire.hears_within(20) {
        assert!(start.elapsed() < PATIENCE, "it may drip for ever");
        client.ws.wire.send_while_open(&frame(FIN | PONG, b""));
    }
    assert!(start.elapsed() >= Duration::from_millis(2_100), "too early");
    client.expect_closed(4100);
    little.ws.send(rest(1_023));
    little.expect("pusher:pong");
    let values = Values::of(server.handle().admin_addr().unwrap());
    assert!(values.sum("timeouts_total", &[r#"of="message""#]) >= 1.0);
    // What arrives in time is a message.
    let mut whole = server.client();
    whole.ws.send([fragment(1_024), rest(1_024)].concat());
    whole.expect("pusher:pong");
}
