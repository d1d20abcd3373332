//! HTTP/1.1 as it is on the wire: keep-alive, pipelining, bodies in any pieces, and requests that
//! could be read in two ways.
//!
//! Not here: what the REST API answers, and the limits, which have programs of their own.

mod support;

use serde_json::json;
use support::http::{Http, in_chunks, request};
use support::server::{TestServer, app};
use support::sign::Keys;

/// A signed request whose body publishes to `a`, as target and body.
fn publish(name: &str) -> (String, Vec<u8>) {
    let body = json!({"name": name, "channel": "a", "data": "d"}).to_string();
    let body = body.into_bytes();
    let target = Keys::of(&app()).target("POST", "/apps/1001/events", &[], &body);
    (target, body)
}

/// The same, ready to be sent.
fn publish_request(name: &str) -> Vec<u8> {
    let (target, body) = publish(name);
    request("POST", &target, &["Content-Type: application/json"], &body)
}

fn channels_target(method: &str) -> String {
    Keys::of(&app()).target(method, "/apps/1001/channels", &[], b"")
}

/// The head of a chunked request that publishes, and its body before it is cut up.
fn chunked(name: &str, fields: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let (target, body) = publish(name);
    let fields = [&["Transfer-Encoding: chunked"], fields].concat();
    (request("POST", &target, &fields, b""), body)
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    // R1
    let server = TestServer::plain();
    let mut client = server.client();
    client.subscribe("a");
    let mut http = Http::connect(server.address());
    for n in 0..20 {
        let name = format!("e{n}");
        let response = http.send(publish_request(&name));
        assert_eq!((response.status, response.text()), (200, "{}"));
        assert_eq!(response.header("connection"), Some("keep-alive"));
        client.expect(&name);
        assert_eq!(http.ask("GET", "/nope", b"").status, 404);
        let listed = http.ask("GET", &channels_target("GET"), b"");
        assert_eq!(listed.json(), json!({"channels": {"a": {}}}));
    }
}

#[test]
fn many_requests_in_one_write_are_answered_in_their_order() {
    // R1
    let server = TestServer::plain();
    let mut client = server.client();
    client.subscribe("a");
    let mut http = Http::connect(server.address());
    let mut all = Vec::new();
    for n in 0..30 {
        all.extend(publish_request(&format!("e{n}")));
        all.extend(request("GET", &channels_target("GET"), &[], b""));
        all.extend(request("GET", &format!("/nope/{n}"), &[], b""));
    }
    http.wire.send(all);
    for n in 0..30 {
        assert_eq!(http.response().text(), "{}");
        assert_eq!(http.response().json(), json!({"channels": {"a": {}}}));
        assert_eq!(http.response().status, 404);
        client.expect(&format!("e{n}"));
    }
}

#[test]
fn requests_of_every_framing_share_one_write() {
    let server = TestServer::plain();
    let mut client = server.client();
    client.subscribe("a");
    let mut http = Http::connect(server.address());
    let (head, body) = chunked("two", &[]);
    let (late_head, late_body) = chunked("four", &[]);
    let parts = [
        publish_request("one"),
        head,
        in_chunks(&body, 7),
        publish_request("three"),
        late_head,
        in_chunks(&late_body, 1000),
        request("GET", &channels_target("GET"), &[], b""),
    ];
    http.wire.send(parts.concat());
    for name in ["one", "two", "three", "four"] {
        assert_eq!(http.response().status, 200, "{name}");
        client.expect(name);
    }
    // The last request lies behind a body, whole: nothing more has to come for its answer.
    assert_eq!(http.response().json(), json!({"channels": {"a": {}}}));
}

#[test]
fn a_request_behind_a_body_that_came_late_is_answered() {
    let server = TestServer::plain();
    let mut beside = server.rest();
    for split in [1, 10] {
        let mut http = Http::connect(server.address());
        let (target, body) = publish("e");
        let one = request("POST", &target, &[], &body);
        let two = request("GET", &channels_target("GET"), &[], b"");
        let at = one.len() - split;
        http.wire.send(&one[..at]);
        beside.get_json("channels", &[]); // time for a shard to read
        http.wire.send([&one[at..], &two, &two].concat());
        assert_eq!(http.response().text(), "{}");
        assert_eq!(http.response().json(), json!({"channels": {}}));
        assert_eq!(http.response().json(), json!({"channels": {}}));
    }
}

#[test]
fn a_request_may_arrive_in_any_pieces() {
    let server = TestServer::plain();
    let mut client = server.client();
    client.subscribe("a");
    let mut http = Http::connect(server.address());
    let mut beside = server.client();
    let whole = publish_request("e");
    for size in [1, 7, 100] {
        for piece in whole.chunks(size) {
            http.wire.send(piece);
            beside.expect_quiet(); // time for a shard to read
        }
        assert_eq!(http.response().text(), "{}", "{size}");
        client.expect("e");
    }
}

#[test]
fn chunked_bodies_may_be_cut_anywhere() {
    // R2
    let server = TestServer::plain();
    let mut client = server.client();
    client.subscribe("a");
    let mut beside = server.client();
    let mut http = Http::connect(server.address());
    let (head, body) = chunked("e", &["Content-Type: application/json; charset=utf-8"]);
    for size in [1, 2, 15, 1000] {
        let coded = in_chunks(&body, size);
        http.wire.send([&head[..], &coded].concat());
        assert_eq!(http.response().text(), "{}", "{size}");
        client.expect("e");
    }
    let odd = format!(
        "0005;x=\"y ; z\"\r\n{}\r\n{:X} ; a\r\n{}\r\n000\r\nTrailer: ignored\r\nX:\r\n\r\n",
        std::str::from_utf8(&body[..5]).unwrap(),
        body.len() - 5,
        std::str::from_utf8(&body[5..]).unwrap(),
    );
    for piece in [1, 3, 16] {
        http.wire.send(&head);
        for bytes in odd.as_bytes().chunks(piece) {
            http.wire.send(bytes);
            beside.expect_quiet(); // time for a shard to read
        }
        assert_eq!(http.response().text(), "{}", "{piece}");
        client.expect("e");
    }
}

#[test]
fn a_client_that_waits_for_continue_is_told_to_go_on() {
    // R1
    let server = TestServer::plain();
    let mut client = server.client();
    client.subscribe("a");
    let mut http = Http::connect(server.address());
    let (target, body) = publish("e");
    let length = format!("Content-Length: {}", body.len());
    let with_length = request("POST", &target, &["Expect: 100-continue", &length], b"");
    let (with_chunks, _) = chunked("e", &["Expect: 100-Continue"]);
    for (head, rest) in [
        (with_length.clone(), body.clone()),
        (with_chunks, in_chunks(&body, 9)),
    ] {
        http.wire.send(&head);
        let interim = http.head_response();
        assert_eq!((interim.status, interim.headers), (100, vec![]));
        http.wire.send(&rest);
        assert_eq!(http.response().text(), "{}");
        client.expect("e");
    }
    // Who sends the body anyway needs no leave.
    http.wire.send([&with_length[..], &body].concat());
    assert_eq!(http.response().text(), "{}");
    client.expect("e");
    // Without a body there is nothing to go on with, and a refused one is not waited for.
    let bodiless = request(
        "GET",
        &channels_target("GET"),
        &["Expect: 100-continue"],
        b"",
    );
    assert_eq!(http.send(bodiless).status, 200);
    let length = ["Expect: 100-continue", "Content-Length: 999999999"];
    http.wire.send(request("POST", &target, &length, b""));
    http.expect_refusal(413);
    let mut http = Http::connect(server.address());
    http.wire
        .send(request("POST", &target, &["Expect: 200-maybe"], b"x"));
    http.expect_refusal(417);
}

#[test]
fn head_is_get_without_the_body() {
    let server = TestServer::plain();
    let mut http = Http::connect(server.address());
    let wanted = r#"{"channels":{}}"#;
    for _ in 0..2 {
        let head = http.ask("HEAD", &channels_target("HEAD"), b"");
        assert_eq!(head.status, 200);
        assert_eq!(head.header("content-length"), Some("15"));
        assert_eq!(http.ask("GET", &channels_target("GET"), b"").text(), wanted);
    }
    assert_eq!(http.ask("HEAD", "/nope", b"").status, 404);
    assert_eq!(http.ask("HEAD", "/apps/1001/events", b"").status, 405);
    assert_eq!(http.ask("GET", &channels_target("GET"), b"").text(), wanted);
}

#[test]
fn connection_close_and_old_clients_are_obeyed() {
    let server = TestServer::plain();
    let target = channels_target("GET");
    let mut http = Http::connect(server.address());
    let close = request("GET", &target, &["Connection: close"], b"");
    let again = request("GET", &target, &[], b"");
    http.wire.send([close, again].concat());
    let response = http.response();
    assert_eq!((response.status, response.closes()), (200, true));
    http.wire.expect_end(); // the second one is not served

    let mut http = Http::connect(server.address());
    let old = format!("GET {target} HTTP/1.0\r\n\r\n");
    let kept = format!("GET {target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert!(!http.send(&kept).closes());
    assert!(http.send(&old).closes());
    http.wire.expect_end();

    // Whoever ends its own side still gets its answer.
    let mut http = Http::connect(server.address());
    http.wire.send(request("GET", &target, &[], b""));
    http.wire.end_sending();
    assert_eq!(http.response().status, 200);
    http.wire.expect_end();
}

#[test]
fn a_request_that_could_end_in_two_places_ends_the_connection() {
    // R09: nothing behind it may be taken for a request.
    let server = TestServer::plain();
    let mut client = server.client();
    client.subscribe("a");
    let inner = publish_request("smuggled");
    let (target, _) = publish("outer");
    let cases: [(&[&str], u16); 12] = [
        (&["Content-Length: 5", "Transfer-Encoding: chunked"], 400),
        (&["Transfer-Encoding: chunked", "Content-Length: 0"], 400),
        (&["Content-Length: 5", "Content-Length: 5"], 400),
        (&["Content-Length: 5, 5"], 400),
        (&["Content-Length: +5"], 400),
        (&["Content-Length: 0x5"], 400),
        (&["Content-Length: 99999999999999999999999"], 400),
        (&["Content-Length:"], 400),
        (&["Transfer-Encoding: gzip, chunked"], 501),
        (
            &["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
            501,
        ),
        (&["Transfer-Encoding : chunked"], 400),
        (&["Transfer-Encoding: chunked\r\n X: folded"], 400),
    ];
    for (fields, status) in cases {
        let mut http = Http::connect(server.address());
        let outer = request("POST", &target, fields, b"");
        http.wire
            .send_while_open(&[&outer[..], b"0\r\n\r\n", &inner].concat());
        http.expect_refusal(status);
    }
    let chunk_faults: [(&[u8], u16); 6] = [
        (b"5\nhello\r\n0\r\n\r\n", 400),
        (b"5 \r\nhello\r\n0\r\n\r\n", 400),
        (b"-1\r\n\r\n", 400),
        (b"5\r\nhelloX\r\n0\r\n\r\n", 400),
        (b"0\r\n: x\r\n\r\n", 400),
        (b"fffffffffffffffff\r\n", 400),
    ];
    let (head, _) = chunked("outer", &[]);
    for (body, status) in chunk_faults {
        let mut http = Http::connect(server.address());
        http.wire
            .send_while_open(&[&head[..], body, &inner].concat());
        http.expect_refusal(status);
    }
    server.rest().trigger("a", "mark", "");
    client.expect("mark");
}

#[test]
fn malformed_heads_are_refused_and_closed() {
    let server = TestServer::plain();
    let cases: [(&[u8], u16); 15] = [
        (b"nope\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
        (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET nope HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400), // TLS
    ];
    for (bytes, status) in cases {
        let mut http = Http::connect(server.address());
        http.wire.send(bytes);
        http.expect_refusal(status);
    }
    // One empty line in front is forgiven (RFC 9112, section 2.2), and so is a whole URL.
    let mut http = Http::connect(server.address());
    let target = channels_target("GET");
    let forgiven = format!("\r\nGET http://localhost{target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(http.send(&forgiven).status, 200);
    assert_eq!(http.send(&forgiven).status, 200);
}
