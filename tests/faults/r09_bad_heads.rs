//! R09: heads of requests that are too large, malformed, or could be read in two ways.

use crate::proxy::{GOOD, Line, Proxy};
use crate::scene::row;
use crate::support::http::Http;
use std::net::SocketAddr;

/// Head, and the status that refuses it.
type Case = (Vec<u8>, &'static [u16]);

const MALFORMED: &[u16] = &[400];

fn get(rest: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\n{rest}\r\n\r\n").into_bytes()
}

/// A POST whose body would be of unsure length, and what an attacker hides behind it.
fn unsure(fields: &str) -> Vec<u8> {
    let head = format!("POST /apps/1001/events HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    format!("{head}0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

fn oversize() -> Vec<Case> {
    let long = |bytes: usize| "x".repeat(bytes);
    let fields = |count: usize| {
        let fields: Vec<String> = (1..count).map(|n| format!("X-{n}: y")).collect();
        get(&format!("Host: a\r\n{}", fields.join("\r\n")))
    };
    let too_large: &[u16] = &[414, 431];
    vec![
        (get(&format!("Host: a\r\nX: {}", long(8_192))), too_large),
        (get(&format!("Host: a\r\nX: {}", long(100_000))), too_large),
        (get(&format!("Host: a\r\n{}: y", long(9_000))), too_large),
        (fields(65), &[431]),
        (fields(1_000), &[431]),
        (
            format!("GET /?{} HTTP/1.1\r\nHost: a\r\n\r\n", long(4_097)).into(),
            &[414],
        ),
        (format!("GET /?{}", long(9_000)).into(), too_large),
        (long(9_000).into(), &[400, 414, 431, 501]),
    ]
}

fn malformed() -> Vec<Case> {
    let lines: [&[u8]; 24] = [
        b"nope\r\n\r\n",
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        b"GET / http/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1x\r\nHost: a\r\n\r\n",
        b"GET /\r\nHost: a\r\n\r\n",
        b"G\0T / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET nope HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\rHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    let refused: &[u16] = &[400, 505];
    lines.map(|line| (line.to_vec(), refused)).into()
}

fn of_fields() -> Vec<Case> {
    let lines = [
        "X: y",
        "Host: a\r\nHost: b",
        "Host: a\r\nHost: a",
        "Host: a b",
        "Host: a\r\nX y: z",
        "Host: a\r\nX : z",
        "Host : a",
        "Host: a\r\n X: folded",
        "Host: a\r\nX: y\r\n folded",
        "Host: a\r\nX: y\r\n\tfolded",
        "Host: a\r\n: empty",
        "Host: a\r\nno colon",
        "Host: a\r\nX\0: z",
    ];
    lines.map(|fields| (get(fields), MALFORMED)).into()
}

fn of_unsure_length() -> Vec<Case> {
    let refused: &[u16] = &[400, 501];
    let fields = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 18446744073709551616",
        "Content-Length:",
        "Content-Length : 5",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked\r\n X: folded",
    ];
    fields.map(|fields| (unsure(fields), refused)).into()
}

/// Sends a head and expects one refusal, and that nothing behind it is taken for a request.
fn expect_refused(address: SocketAddr, (bytes, statuses): &Case) {
    let mut http = Http::connect(address);
    http.wire.send_while_open(bytes);
    // A head that has not ended yet is refused for its size alone.
    let response = http.response();
    let shown = &bytes[..bytes.len().min(120)];
    let told = format!("{} for \"{}\"", response.status, shown.escape_ascii());
    assert!(statuses.contains(&response.status), "{told}");
    assert!(response.closes(), "{told}");
    assert!(http.wire.has_ended(), "answered twice: {told}");
}

#[test]
fn r09_heads_that_are_no_requests_are_refused_and_closed() {
    row("r09").run(|scene| {
        // Cut into the smallest pieces, the verdict is the same.
        let bytewise = Line { piece: 1, ..GOOD };
        let proxy = Proxy::start(scene.address(), bytewise);
        let all = [oversize(), malformed(), of_fields(), of_unsure_length()].concat();
        assert!(all.len() > 60, "{}", all.len());
        for case in &all {
            expect_refused(scene.address(), case);
            if case.0.len() < 1_000 {
                expect_refused(proxy.address, case);
            }
        }
    });
}
