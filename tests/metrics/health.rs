//! Whether the server lives and wants traffic, where the users of other servers ask for it.

use super::admin;
use super::support::http::Http;
use super::support::metrics::get;
use super::support::server::{TestServer, app, config};
use shardcast::app::App;
use shardcast::server::config::Config;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    let response = Http::connect(address).ask("GET", path, b"");
    (response.status, response.text().to_owned())
}

#[test]
fn both_ports_tell_it() {
    let mut ended = App::new("2", "other-key", "other-secret");
    ended.enabled = false;
    let server = TestServer::start(config([app(), ended]));
    let admin = admin(&server);
    // The admin port knows the apps from the first look at the shards on.
    let start = Instant::now();
    while ask(admin, "/up/1001").0 != 200 {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "the app stays unknown"
        );
    }
    for address in [server.address(), admin] {
        for path in ["/live", "/ready", "/accept-traffic"] {
            assert_eq!(ask(address, path), (200, "OK\n".into()), "{path}");
        }
        let up = (200, r#"{"health":"OK"}"#.to_owned());
        assert_eq!(
            (ask(address, "/up"), ask(address, "/up/1001")),
            (up.clone(), up)
        );
        for path in ["/up/nope", "/up/%ff"] {
            assert_eq!(ask(address, path).0, 404, "{path}");
        }
        let response = Http::connect(address).ask("HEAD", "/up", b"");
        assert_eq!(response.status, 200);
        let response = Http::connect(address).ask("POST", "/ready", b"");
        assert_eq!(
            (response.status, response.header("allow")),
            (405, Some("GET, HEAD"))
        );
    }
    assert_eq!(ask(server.address(), "/up/2").0, 404, "it is not served");
}

#[test]
fn they_are_behind_the_prefix_too() {
    let server = TestServer::start(Config {
        path_prefix: "/live/ws".into(),
        ..config([app()])
    });
    for path in [
        "/ready",
        "/live/ws/ready",
        "/live/ws/up/1001",
        "/up/1001",
        "/live",
    ] {
        assert_eq!(ask(server.address(), path).0, 200, "{path}");
    }
    assert_eq!(ask(server.address(), "/live/ws/up/nope").0, 404);
}

#[test]
fn a_stopping_server_is_not_up() {
    // R39
    let server = TestServer::start(Config {
        drain_spread_ms: Some(3_000),
        ..config([app()])
    });
    let mut clients = [server.client(), server.client()];
    let mut probe = Http::connect(server.address());
    assert_eq!(probe.ask("GET", "/up", b"").status, 200);
    server.stop();
    let admin = admin(&server);
    let start = Instant::now();
    while get(admin, "/up").status != 503 {
        assert!(start.elapsed() < Duration::from_secs(2), "it stays up");
    }
    assert_eq!(get(admin, "/up").text(), r#"{"health":"DRAINING"}"#);
    // At the port of the clients nobody answers any more, on a kept connection neither.
    probe.wire.expect_end();
    for client in &mut clients {
        client.expect_closed(4100);
    }
}
