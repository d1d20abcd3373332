//! Who may ask: the vectors that all SDKs agree on, at the time they were made for.

use crate::support::http::{Http, request};
use crate::support::rest::Rest;
use crate::support::server::{NOW, TestServer, app, config};
use crate::support::sign::Keys;
use crate::support::vectors::{self, entries, text};
use serde_json::{Value, json};
use shardcast::app::App;
use shardcast::server::Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// A server with the apps of the vectors, and its wall clock.
fn server_and_clock(vectors: &Value) -> (TestServer, Arc<AtomicU64>) {
    let clock = Arc::new(AtomicU64::new(0));
    let hand = Arc::clone(&clock);
    let builder = Server::builder()
        .config(config(vectors::apps(vectors)))
        .wall_clock(move || hand.load(SeqCst));
    (TestServer::build(builder), clock)
}

#[test]
fn every_signed_request_of_the_vectors_is_accepted() {
    // A5 to A11, Q22
    let vectors = vectors::vectors();
    let (server, clock) = server_and_clock(&vectors);
    let mut http = Http::connect(server.address());
    for entry in entries(&vectors, "rest", 15) {
        let id = text(entry, "id");
        clock.store(entry["server_time"].as_u64().unwrap(), SeqCst);
        let body = entry["body"].as_str().unwrap_or_default().as_bytes();
        let targets = entry["targets"].as_array().unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            let target = target.as_str().unwrap();
            let response = http.ask(text(entry, "method"), target, body);
            assert_eq!(response.status, 200, "{id}: {}", response.text());
            let wanted = match (id, text(entry, "path").rsplit('/').next()) {
                ("batch", _) => json!({"batch": [{}, {"user_count": 0}]}),
                (_, Some("events" | "terminate_connections")) => json!({}),
                (_, Some("channels")) => json!({"channels": {}}), // R14
                (_, Some("users")) => json!({"users": []}),
                // R15: these apps do not count subscriptions.
                _ => json!({"occupied": false, "user_count": 0}),
            };
            assert_eq!(response.json(), wanted, "{id}: {target}");
        }
    }
}

#[test]
fn every_unsigned_request_of_the_vectors_is_refused() {
    // Section 8.2, rows 4 to 8
    let vectors = vectors::vectors();
    let (server, clock) = server_and_clock(&vectors);
    let mut http = Http::connect(server.address());
    for entry in entries(&vectors, "rest_negative", 11) {
        clock.store(entry["server_time"].as_u64().unwrap(), SeqCst);
        let body = text(entry, "body").as_bytes();
        for target in entry["targets"].as_array().unwrap() {
            let response = http.ask(text(entry, "method"), target.as_str().unwrap(), body);
            let status = entry["status"].as_u64().unwrap();
            assert_eq!(u64::from(response.status), status, "{}", entry["id"]);
            assert_eq!(response.status, 401);
            assert!(!response.error().is_empty());
            assert!(!response.closes(), "a refusal is an answer like any other");
        }
    }
}

#[test]
fn the_clock_may_differ_by_600_seconds_either_way() {
    // A10
    let vectors = vectors::vectors();
    let (server, clock) = server_and_clock(&vectors);
    let boundary = &vectors["rest_boundary"];
    let entry = entries(&vectors, "rest", 15)
        .iter()
        .find(|entry| entry["id"] == boundary["base"])
        .unwrap();
    let signed = entry["auth_timestamp"].as_u64().unwrap();
    assert_eq!(boundary["server_time"], signed + 600);
    let mut http = Http::connect(server.address());
    let target = entry["targets"][0].as_str().unwrap();
    for (now, status) in [
        (signed - 601, 401),
        (signed - 600, 200),
        (signed, 200),
        (signed + 599, 200),
        (signed + 600, 200),
        (signed + 601, 401),
    ] {
        clock.store(now, SeqCst);
        let response = http.ask("POST", target, text(entry, "body").as_bytes());
        assert_eq!(response.status, status, "{now}");
    }
}

#[test]
fn each_missing_or_wrong_part_is_named() {
    // Section 8.2
    let server = TestServer::plain();
    let keys = Keys::of(&app());
    let body = br#"{"name":"e","channel":"a","data":"x"}"#;
    let good = keys.target("POST", "/apps/1001/events", &[], body);
    let (path, query) = good.split_once('?').unwrap();
    let mut http = Http::connect(server.address());
    let mut status_of = |query: &str, body: &[u8]| {
        let response = http.ask("POST", &format!("{path}?{query}"), body);
        let error = (response.status != 200).then(|| response.error());
        (response.status, error.unwrap_or_default())
    };
    assert_eq!(status_of(query, body).0, 200);
    for part in query.split('&') {
        let (name, _) = part.split_once('=').unwrap();
        let without: Vec<&str> = query.split('&').filter(|other| *other != part).collect();
        let (status, error) = status_of(&without.join("&"), body);
        assert_eq!(status, 401, "without {name}");
        let word = match name {
            "auth_version" => "Version",
            "auth_timestamp" => "Timestamp",
            name => name,
        };
        assert!(error.contains(word), "without {name}: {error}");
    }
    for (name, value, word) in [
        ("auth_key", "other", "auth_key"),
        ("auth_version", "1.1", "Version"),
        ("auth_timestamp", "now", "Timestamp"),
        ("auth_timestamp", "-1", "Timestamp"),
        ("auth_timestamp", "99999999999999999999", "Timestamp"),
        ("body_md5", "d41d8cd98f00b204e9800998ecf8427e", "body_md5"),
        ("body_md5", "nope", "body_md5"),
        ("auth_signature", "nope", "signature"),
    ] {
        let changed: Vec<String> = query
            .split('&')
            .map(|part| match part.split_once('=') {
                Some((known, _)) if known == name => format!("{name}={value}"),
                _ => part.to_owned(),
            })
            .collect();
        let (status, error) = status_of(&changed.join("&"), body);
        assert_eq!(status, 401, "{name}={value}");
        assert!(error.contains(word), "{name}={value}: {error}");
    }
    assert_eq!(status_of(query, b"").0, 401); // the digest is of another body
    assert_eq!(status_of(&format!("{query}&extra=1"), body).0, 401);
}

#[test]
fn the_refusal_of_a_signature_tells_what_to_sign_and_no_secret() {
    // R29
    let server = TestServer::plain();
    let mut http = Http::connect(server.address());
    let query = format!("auth_key=app-key&auth_timestamp={NOW}&auth_version=1.0");
    let target = format!("/apps/1001/channels?{query}&auth_signature=00");
    let response = http.ask("GET", &target, b"");
    assert_eq!(response.status, 401);
    let text = format!("GET\\n/apps/1001/channels\\n{query}");
    assert!(response.error().contains(&text), "{}", response.error());
    assert!(!response.text().contains("app-secret"));
}

#[test]
fn apps_are_told_apart() {
    // Section 8.2, rows 3, 4 and 9
    let other = App::new("2", "other-key", "other-secret");
    let mut off = App::new("3", "off-key", "off-secret");
    off.enabled = false;
    let server = TestServer::with_apps([app(), other.clone(), off.clone()]);
    let mut http = Http::connect(server.address());
    let keys = Keys::of(&app());
    for path in [
        "/apps/nobody/channels",
        "/apps/4/channels",
        "/apps//channels",
    ] {
        let target = keys.target("GET", path, &[], b"");
        assert_eq!(http.ask("GET", &target, b"").status, 404, "{path}"); // Q21
    }
    let crossed = keys.target("GET", "/apps/2/channels", &[], b"");
    assert_eq!(http.ask("GET", &crossed, b"").status, 401);
    let mine = keys.target("GET", "/apps/%31001/channels", &[], b""); // A6
    assert_eq!(http.ask("GET", &mine, b"").status, 200);
    assert_eq!(
        Rest::connect(&server, &other).get("channels", &[]).status,
        200
    );
    let refused = Rest::connect(&server, &off).get("channels", &[]);
    assert_eq!(refused.status, 403);
    assert!(!refused.error().is_empty());
}

#[test]
fn a_body_is_read_once_it_is_known_who_sends_it() {
    const BODY: usize = 500_000;
    let server = TestServer::start(config([app()]));
    let data = "x".repeat(BODY);
    let body = json!({"name": "e", "channels": ["a"], "data": data}).to_string();
    let keys = Keys::of(&app());
    let head = |target: &str| {
        let length = format!("Content-Length: {}", body.len());
        request("POST", target, &[&length], b"")
    };
    let path = "/apps/1001/events";
    let wrong = Keys::new(&keys.id, &keys.key, "another");
    let old = keys.target_at(NOW - 100_000, "POST", path, &[], body.as_bytes());
    for (target, status) in [
        (wrong.target("POST", path, &[], body.as_bytes()), 401),
        (old, 401),
        (path.to_owned(), 401),
        ("/apps/77/events".to_owned(), 404),
        ("/nothing".to_owned(), 404),
    ] {
        // Nothing of the body is sent, and nothing of it is waited for.
        let mut http = Http::connect(server.address());
        let response = http.send(head(&target));
        assert_eq!(response.status, status, "{target}: {}", response.text());
    }
    let target = keys.target("POST", path, &[], body.as_bytes());
    for (body, expected) in [
        (
            body.clone(),
            (
                413,
                "The data content of this event exceeds the allowed maximum",
            ),
        ),
        (body.replacen("xx", "xy", 1), (401, "Invalid body_md5")),
    ] {
        let mut http = Http::connect(server.address());
        http.wire.send(head(&target));
        for piece in body.as_bytes().chunks(100_000) {
            http.wire.send_while_open(piece);
        }
        let response = http.response();
        let said = response.text();
        assert!(said.contains(expected.1), "{said}");
        assert_eq!(response.status, expected.0);
    }
}
