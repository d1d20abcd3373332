//! Whose pages may connect, in which order a client is checked, and the prefix of all paths.

use crate::support::http::Http;
use crate::support::pusher::{Client, QUERY, expect_told_and_closed};
use crate::support::server::{TestServer, app, config};
use crate::support::sign::Keys;
use crate::support::websocket::{Ws, handshake, refused, upgrade};
use serde_json::json;
use shardcast::app::App;
use shardcast::server::config::Config;

/// Connects as a page of an origin does.
fn from(server: &TestServer, target: &str, origin: Option<&str>) -> Ws {
    let origin = origin.map(|origin| format!("Origin: {origin}"));
    let fields: Vec<&str> = origin.as_deref().into_iter().collect();
    let mut http = Http::connect(server.address());
    http.wire.send(upgrade("GET", target, &fields));
    Ws::accepted(http)
}

fn guarded() -> App {
    let hosts = ["app.example.com", "*.example.org", "localhost:3000"];
    App {
        allowed_origins: hosts.map(String::from).to_vec(),
        ..app()
    }
}

#[test]
fn pages_of_listed_origins_may_connect_and_no_others() {
    // Section 1.3, row 7
    let open = App::new("2", "open-key", "open-secret");
    let any = App {
        allowed_origins: vec!["a.com".into(), "*".into()],
        ..App::new("3", "any-key", "any-secret")
    };
    let server = TestServer::with_apps([guarded(), open, any]);
    let target = format!("/app/app-key{QUERY}");
    for origin in [
        "https://app.example.com",
        "http://App.Example.Com:8080",
        "https://app.example.com.",
        "https://a.b.example.org",
        "http://localhost:3000",
    ] {
        Client::greeted(from(&server, &target, Some(origin))).expect_quiet();
    }
    for origin in [
        Some("https://example.com"),
        Some("https://evilapp.example.com"),
        Some("https://app.example.com.evil.com"),
        Some("https://example.org"),
        Some("http://localhost:3001"),
        Some("http://localhost"),
        Some("null"),
        Some(""),
        None, // no browser
    ] {
        let mut ws = from(&server, &target, origin);
        expect_told_and_closed(&mut ws, 4009);
    }
    for key in ["open-key", "any-key"] {
        for origin in [None, Some("null"), Some("https://anything.example")] {
            let target = format!("/app/{key}{QUERY}");
            Client::greeted(from(&server, &target, origin)).expect_quiet();
        }
    }
}

#[test]
fn a_refused_origin_is_told_so() {
    let server = TestServer::with_apps([guarded()]);
    let mut ws = from(&server, "/app/app-key", Some("https://evil.com"));
    let frame = r#"{"event":"pusher:error","data":{"code":4009,"message":"Origin not allowed"}}"#;
    assert_eq!(ws.expect_text(), frame);
    assert_eq!(ws.expect_close(4009), "Origin not allowed");
}

#[test]
fn of_two_reasons_to_refuse_the_first_is_told() {
    // Section 1.3: version, key, switched off, origin, places
    let off = App {
        enabled: false,
        max_connections: Some(1),
        ..guarded()
    };
    let off = App {
        id: "2".into(),
        key: "off-key".into(),
        ..off
    };
    let full = App {
        max_connections: Some(1),
        ..guarded()
    };
    let server = TestServer::with_apps([full, off]);
    let good = Some("https://app.example.com");
    let bad = Some("https://evil.com");
    let _inside = Client::greeted(from(&server, "/app/app-key", good));
    for (target, origin, code) in [
        ("/app/nope?protocol=x", bad, 4006),
        ("/app/nope?protocol=3", bad, 4007),
        ("/app/off-key?protocol=3", bad, 4007),
        ("/app/app-key?protocol=3", bad, 4007),
        ("/app/nope", bad, 4001),
        ("/app/off-key", bad, 4003),
        ("/app/off-key", good, 4003),
        ("/app/app-key", bad, 4009),
        ("/app/app-key", None, 4009),
        ("/app/app-key", good, 4004),
    ] {
        let mut ws = from(&server, target, origin);
        expect_told_and_closed(&mut ws, code);
    }
}

#[test]
fn a_refused_origin_takes_no_place() {
    let one = App {
        max_connections: Some(1),
        ..guarded()
    };
    let server = TestServer::with_apps([one]);
    for _ in 0..10 {
        let mut ws = from(&server, "/app/app-key", Some("https://evil.com"));
        expect_told_and_closed(&mut ws, 4009);
    }
    let page = from(&server, "/app/app-key", Some("https://app.example.com"));
    Client::greeted(page).expect_quiet();
}

#[test]
fn everything_is_served_behind_the_prefix_and_nothing_beside_it() {
    // Section 1.1: pusher-js puts its `wsPath` in front
    let server = TestServer::start(Config {
        path_prefix: "/real/time".into(),
        ..config([app()])
    });
    let keys = Keys::of(&app());
    let target = format!("/real/time/app/app-key{QUERY}");
    let mut client = Client::greeted(Ws::open(server.address(), &target));
    client.subscribe("a");
    let mut http = Http::connect(server.address());
    let body = json!({"name": "e", "channel": "a", "data": "d"})
        .to_string()
        .into_bytes();
    // SDKs that know of a prefix sign the path without it, proxies' users with it.
    let bare = keys.target("POST", "/apps/1001/events", &[], &body);
    let whole = keys.target("POST", "/real/time/apps/1001/events", &[], &body);
    for target in [format!("/real/time{bare}"), whole] {
        let response = http.ask("POST", &target, &body);
        assert_eq!(response.status, 200, "{}", response.text());
        client.expect("e");
    }
    assert_eq!(http.ask("POST", &bare, &body).status, 404);
    assert_eq!(http.ask("GET", "/", b"").status, 200);
    for path in [
        "/app/app-key",
        "/real/app/app-key",
        "/real/time/real/time/app/app-key",
    ] {
        assert_eq!(
            refused(server.address(), &handshake(path)).status,
            404,
            "{path}"
        );
    }
    let mut unknown = Ws::open(server.address(), "/real/time/app/nope");
    expect_told_and_closed(&mut unknown, 4001);
}
