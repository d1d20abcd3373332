//! How old a signed request may be (Q23), and that it is served once where that is asked for.

use crate::support::http::{Http, request};
use crate::support::server::{NOW, TestServer, app, config};
use crate::support::sign::Keys;
use shardcast::app::App;
use shardcast::server::Server;
use shardcast::server::config::Config;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

const BODY: &[u8] = br#"{"name":"e","channel":"a","data":"d"}"#;

/// A server whose clock a test can set.
fn server(config: Config) -> (TestServer, Arc<AtomicU64>) {
    let clock = Arc::new(AtomicU64::new(NOW));
    let hand = Arc::clone(&clock);
    let builder = Server::builder().config(config);
    let server = TestServer::build(builder.wall_clock(move || hand.load(SeqCst)));
    (server, clock)
}

fn guarded(app: App) -> (TestServer, Arc<AtomicU64>) {
    server(Config {
        rest_replay_guard: true,
        ..config([app])
    })
}

/// A publish request that was signed at [`NOW`]; others differ in a parameter that nobody knows.
fn target(number: usize) -> String {
    let parameters = [("x", &*number.to_string())];
    Keys::of(&app()).target("POST", "/apps/1001/events", &parameters, BODY)
}

#[test]
fn the_window_is_as_wide_as_configured() {
    // Q23
    for (rest_clock_s, fine, refused) in [
        (5, &[NOW, NOW - 5, NOW + 5][..], &[NOW - 6, NOW + 6][..]),
        (86_400, &[NOW + 86_400, NOW - 86_400], &[NOW + 86_401]),
        (0, &[0, NOW, NOW * 2], &[]),
    ] {
        let (server, clock) = server(Config {
            rest_clock_s,
            ..config([app()])
        });
        let mut http = Http::connect(server.address());
        for now in fine {
            clock.store(*now, SeqCst);
            assert_eq!(http.ask("POST", &target(0), BODY).status, 200, "{now}");
        }
        for now in refused {
            clock.store(*now, SeqCst);
            let response = http.ask("POST", &target(0), BODY);
            assert_eq!(response.status, 401, "{now}");
            let within = format!("not within {rest_clock_s}s");
            assert!(response.error().contains(&within), "{}", response.error());
        }
    }
    // Without a clock a time stamp still has to be one.
    let (server, _) = server(Config {
        rest_clock_s: 0,
        ..config([app()])
    });
    let target = target(0).replace(&NOW.to_string(), "soon");
    let response = Http::connect(server.address()).ask("POST", &target, BODY);
    assert_eq!(response.status, 401);
}

#[test]
fn a_request_is_served_again_unless_somebody_minds() {
    let server = TestServer::plain();
    let mut http = Http::connect(server.address());
    for _ in 0..3 {
        assert_eq!(http.ask("POST", &target(0), BODY).status, 200);
    }
}

#[test]
fn the_guard_serves_each_request_once_over_all_shards() {
    const ROUNDS: usize = 50;
    const BACKENDS: usize = 8;
    let (server, clock) = guarded(app());
    let mut client = server.client();
    client.subscribe("a");
    let served: usize = thread::scope(|scope| {
        let backends = [(); BACKENDS].map(|()| {
            scope.spawn(|| {
                let mut http = Http::connect(server.address());
                let statuses = (0..ROUNDS).map(|n| http.ask("POST", &target(n), BODY).status);
                let statuses: Vec<u16> = statuses.collect();
                assert!(statuses.iter().all(|status| [200, 401].contains(status)));
                statuses.iter().filter(|status| **status == 200).count()
            })
        });
        backends.map(|backend| backend.join().unwrap()).iter().sum()
    });
    assert_eq!(served, ROUNDS);
    for _ in 0..ROUNDS {
        client.expect("e");
    }
    client.expect_quiet();
    // To the end of its window it is known, and then it is too old.
    let mut http = Http::connect(server.address());
    for (now, word) in [(NOW + 600, "Replayed"), (NOW + 601, "expired")] {
        clock.store(now, SeqCst);
        let response = http.ask("POST", &target(0), BODY);
        assert_eq!(response.status, 401);
        assert!(response.error().contains(word), "{}", response.error());
    }
}

#[test]
fn a_request_that_gets_too_old_while_its_body_arrives_is_not_served() {
    const HELD: usize = 3;
    let (server, clock) = guarded(app());
    let mut client = server.client();
    client.subscribe("a");
    assert_eq!(
        Http::connect(server.address())
            .ask("POST", &target(0), BODY)
            .status,
        200
    );
    client.expect("e");
    // In the last second of its window all of them are believed.
    clock.store(NOW + 600, SeqCst);
    let held = [(); HELD].map(|()| {
        let mut http = Http::connect(server.address());
        let whole = request("POST", &target(0), &["Expect: 100-continue"], BODY);
        http.wire.send(&whole[..whole.len() - BODY.len()]);
        assert_eq!(http.head_response().status, 100, "its body is waited for");
        http
    });
    clock.store(NOW + 602, SeqCst);
    for mut http in held {
        http.wire.send(BODY);
        let response = http.response();
        assert_eq!(response.status, 401);
        assert!(response.error().contains("expired"), "{}", response.error());
    }
    client.expect_quiet();
}

#[test]
fn the_guard_looks_at_every_endpoint() {
    let (server, _) = guarded(app());
    let keys = Keys::of(&app());
    let mut http = Http::connect(server.address());
    let batch = br#"{"batch":[{"name":"e","channel":"a","data":"d"}]}"#;
    for (method, path, body, status) in [
        ("GET", "channels", &b""[..], 200),
        ("GET", "channels/a", b"", 200),
        ("GET", "channels/presence-a/users", b"", 200),
        ("POST", "events", BODY, 200),
        ("POST", "batch_events", batch, 200),
        ("POST", "channels/a/events", b"d", 202),
        // Whatever is wrong with it otherwise.
        ("POST", "events", b"[]", 400),
    ] {
        let path = format!("/apps/1001/{path}");
        let parameters = [("name", "e")];
        let target = keys.target(method, &path, &parameters, body);
        assert_eq!(http.ask(method, &target, body).status, status, "{path}");
        let again = http.ask(method, &target, body);
        assert_eq!(again.status, 401, "{path}");
        assert!(again.error().starts_with("Replayed"), "{}", again.error());
    }
}

#[test]
fn what_came_too_early_may_come_again_as_it_is() {
    // A request past the rate was not served, so it is not a replay.
    let (server, _) = guarded(App {
        backend_events_per_second: Some(1),
        ..app()
    });
    let mut http = Http::connect(server.address());
    assert_eq!(http.ask("POST", &target(0), BODY).status, 200);
    let mut tries = 0;
    loop {
        match http.ask("POST", &target(1), BODY).status {
            429 => tries += 1,
            status => break assert_eq!(status, 200),
        }
        assert!(tries < 1_000_000, "the bucket never fills");
    }
    assert_eq!(http.ask("POST", &target(1), BODY).status, 401);
}
