//! R27: pages of other people that connect from a visitor's browser.

use crate::scene::row;
use crate::support::http::{Http, request};
use crate::support::pusher::{Client, Event, QUERY};
use crate::support::websocket::{NONCE, Ws};
use std::net::SocketAddr;

const APPS: &str = "[[apps]]\nid = \"2\"\nkey = \"guarded\"\nsecret = \"guarded-secret\"\n\
    allowed_origins = [\"app.example.com\", \"*.example.org\", \"localhost:3000\"]\n";

const ALLOWED: [&str; 8] = [
    "https://app.example.com",
    "http://app.example.com",
    "https://APP.Example.COM",
    "https://app.example.com:8443",
    "https://app.example.com.",
    "https://a.example.org",
    "https://a.b.example.org",
    "http://localhost:3000",
];

const REFUSED: [&str; 18] = [
    "null",
    "",
    "*",
    "https://",
    "https://example.com",
    "https://evilapp.example.com",
    "https://app.example.com.evil.com",
    "https://app.example.comevil",
    "https://app-example.com",
    "https://evil.com/app.example.com",
    "https://evil.com?app.example.com",
    "https://evil.com#app.example.com",
    "https://app.example.com@evil.com",
    "https://evilexample.org",
    "https://example.org",
    "https://.example.org.evil.com",
    "http://localhost",
    "http://localhost:30000",
];

fn from(address: SocketAddr, origin: &str) -> Ws {
    let (key, origin) = (
        format!("Sec-WebSocket-Key: {NONCE}"),
        format!("Origin: {origin}"),
    );
    let fields = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        &key,
        &origin,
    ];
    let mut http = Http::connect(address);
    let target = format!("/app/guarded{QUERY}");
    http.wire.send(request("GET", &target, &fields, b""));
    Ws::accepted(http)
}

#[test]
fn r27_only_pages_of_listed_hosts_connect() {
    row("r27").apps(APPS).run(|scene| {
        for origin in ALLOWED {
            Client::greeted(from(scene.address(), origin)).expect_quiet();
        }
        for origin in REFUSED {
            let mut ws = from(scene.address(), origin);
            let told = Event::parse(&ws.expect_text());
            assert_eq!(told.name, "pusher:error", "{origin:?} is let in");
            assert_eq!(told.error().0, Some(4009), "{origin:?}");
            ws.expect_close(4009);
        }
    });
}
