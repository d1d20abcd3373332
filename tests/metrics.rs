//! The admin port: what is counted, who may see it, and whether the server wants traffic.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "metrics/health.rs"]
mod health;
mod support;
#[path = "metrics/timed.rs"]
mod timed;

use serde_json::json;
use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result};
use shardcast::limits::{ADMIN_CONNECTIONS_MAX, ADMIN_HEAD_MS, ADMIN_SILENT_MAX, ADMIN_TIMEOUT_MS};
use shardcast::server::config::{AdminPort, Config};
use shardcast::server::{Server, ServerError};
use socket2::{Domain, Socket, Type};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use support::http::{Http, request};
use support::metrics::{Values, get, get_with};
use support::server::{NOW, TestServer, app, config};
use support::sign::Keys;
use support::websocket::Ws;
use support::wire::{PATIENCE, Wire};

fn admin(server: &TestServer) -> SocketAddr {
    server.handle().admin_addr().expect("it has an admin port")
}

#[test]
fn what_soketi_counts_is_counted_under_its_names() {
    let server = TestServer::plain();
    let admin = admin(&server);
    let mine = [
        r#"app_id="1001""#,
        &format!("port=\"{}\"", server.address().port()),
    ];
    let mut pair = server.pair();
    for client in &mut pair {
        client.subscribe_signed(&Keys::of(&app()), "private-a");
    }
    let values = Values::expect_soon(admin, "connected", &mine, 2.0);
    let sent = |values: &Values| {
        ["ws_messages_sent_total", "socket_transmitted_bytes"].map(|name| values.sum(name, &mine))
    };
    let (before, read) = (sent(&values), "ws_messages_received_total");
    // More were tried, until each was on its shard.
    let opened = values.sum("new_connections_total", &mine);
    assert!(opened >= 2.0, "{opened}");
    assert_eq!(values.sum(read, &mine), 2.0);
    let [first, second] = &mut pair;
    let said = json!({"event": "client-e", "channel": "private-a", "data": "x"});
    first.send(&said);
    second.expect("client-e");
    let values = Values::of(admin);
    assert_eq!(values.sum(read, &mine), 3.0);
    let after = sent(&values);
    let frame = r#"{"event":"client-e","channel":"private-a","data":"x"}"#.len() as f64;
    assert_eq!(after[0] - before[0], 1.0);
    assert_eq!(
        after[1] - before[1],
        frame + 2.0,
        "with the header of the frame"
    );
    let bytes = values.sum("socket_received_bytes", &mine);
    assert!(bytes > said.to_string().len() as f64, "{bytes}");
    // A backend, too.
    let body = json!({"name": "e", "channel": "private-a", "data": "y"});
    server.rest().publish(&body);
    pair.iter_mut().for_each(|client| drop(client.expect("e")));
    let values = Values::of(admin);
    assert_eq!(sent(&values)[0] - after[0], 2.0);
    assert_eq!(values.sum("http_calls_received_total", &mine), 1.0);
    let bytes = ["http_received_bytes", "http_transmitted_bytes"];
    let bytes = bytes.map(|name| values.sum(name, &mine));
    assert_eq!(bytes, [body.to_string().len() as f64, 2.0]);
    drop(pair);
    let values = Values::expect_soon(admin, "connected", &mine, 0.0);
    assert_eq!(values.sum("new_disconnections_total", &mine), opened);
    assert_eq!(values.sum("new_connections_total", &mine), opened);
}

#[test]
fn each_shard_tells_of_its_connections_and_their_ends() {
    let server = TestServer::plain();
    let admin = admin(&server);
    let [first, second] = server.pair();
    // More were tried, until each was on its shard.
    let values = Values::expect_soon(admin, "connections", &[], 2.0);
    let (accepted, closed) = (
        values.sum("connections_accepted_total", &[]),
        values.sum("ws_closes_total", &[]),
    );
    for shard in [r#"shard="0""#, r#"shard="1""#] {
        assert_eq!(values.sum("shard_up", &[shard]), 1.0);
        assert_eq!(values.sum("connections", &[shard]), 1.0);
        assert!(values.sum("connections_accepted_total", &[shard]) >= 1.0);
        let of_pusher = [shard, r#"route="/app/{key}""#];
        assert_eq!(values.sum("clients", &of_pusher), 1.0);
        assert!(values.sum("received_bytes_total", &[shard]) > 100.0);
        assert!(values.sum("sent_bytes_total", &[shard]) > 100.0);
        assert!(values.sum("shard_answer_seconds", &[shard]) < 1.0);
    }
    first.ws.close();
    drop(second); // without a word
    let values = Values::expect_soon(admin, "connections_ended_total", &[], accepted);
    assert_eq!(values.sum("connections", &[]), 0.0);
    assert_eq!(values.sum("ws_closes_total", &[]), closed + 2.0);
    let closes = |code: &str, by: &str| values.sum("ws_closes_total", &[code, by]);
    assert!(closes(r#"code="1000""#, r#"by="client""#) >= 1.0);
    assert!(closes(r#"code="1006""#, r#"by="client""#) >= 1.0);
    assert!(values.sum("process_resident_memory_bytes", &[]) > 1e6);
    assert!(values.sum("process_open_fds", &[]) > 10.0);
    assert!(values.sum("memory_limit_bytes", &[]) > values.sum("memory_used_bytes", &[]));
    assert!(values.sum("process_start_time_seconds", &[]) > 1.7e9);
}

#[test]
fn names_stand_behind_the_prefix_and_come_as_json_too() {
    let mut config = config([app()]);
    config.metrics_prefix = "mine_".into();
    let server = TestServer::start(config);
    let page = get(admin(&server), "/metrics");
    let kind = page.header("content-type").unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    for line in page.text().lines().filter(|line| !line.starts_with('#')) {
        assert!(line.starts_with("mine_"), "{line}");
    }
    let json = get(admin(&server), "/metrics?json=1").json();
    let all = json["data"].as_array().unwrap();
    let connected = all
        .iter()
        .find(|it| it["name"] == "mine_connected")
        .unwrap();
    assert_eq!(connected["type"], "gauge");
    assert_eq!(connected["values"][0]["labels"]["app_id"], "1001");
    assert_eq!(connected["values"][0]["value"], 0);
}

#[test]
fn who_asks_without_the_token_sees_whether_it_lives_and_no_more() {
    // R46
    let mut config = config([app()]);
    config.admin_host = "0.0.0.0".parse().unwrap();
    let refused = Server::builder().config(config.clone()).start();
    match refused.unwrap_err() {
        ServerError::Admin(_, error) => assert!(error.to_string().contains("admin_token")),
        other => panic!("{other:?}"),
    }
    config.admin_token = Some("canary-token".into());
    let server = TestServer::start(config);
    let port = admin(&server).port();
    let admin = SocketAddr::new("127.0.0.1".parse().unwrap(), port);
    for path in ["/metrics", "/usage"] {
        let not = [
            "X: y",
            "Authorization: Bearer canary-toke",
            "Authorization: Bearer canary-token2",
            "Authorization: Basic canary-token",
            "Authorization: ",
        ];
        for field in not {
            let response = get_with(admin, path, &[field]);
            assert_eq!(response.status, 401, "{field}");
            assert_eq!(
                response.header("www-authenticate"),
                Some("Bearer realm=\"admin\"")
            );
        }
        let good = get_with(admin, path, &["authorization: bearer canary-token"]);
        assert_eq!(good.status, 200);
        assert!(!good.text().contains("canary"));
    }
    for path in ["/", "/live", "/ready", "/accept-traffic"] {
        assert_eq!(get(admin, path).status, 200, "{path}");
    }
}

#[test]
fn other_paths_and_methods_are_refused() {
    let server = TestServer::plain();
    let admin = admin(&server);
    assert_eq!(get(admin, "/app/app-key").status, 404);
    let response = Http::connect(admin).ask("POST", "/metrics", b"");
    assert_eq!(
        (response.status, response.header("allow")),
        (405, Some("GET, HEAD"))
    );
    assert_eq!(
        Http::connect(admin).ask("HEAD", "/metrics", b"").status,
        200
    );
    let response = Http::connect(admin).send("GET / HTTP/1.1\nHost: x\n\n");
    assert_eq!(response.status, 400);
    // Nothing of it is on the port that clients have.
    let response = Http::connect(server.address()).ask("GET", "/metrics", b"");
    assert_eq!(response.status, 404);
}

#[test]
fn a_server_that_was_told_to_stop_is_not_ready() {
    // R39
    let server = TestServer::start(Config {
        drain_spread_ms: Some(3_000),
        ..config([app()])
    });
    let admin = admin(&server);
    let mut clients = [server.client(), server.client()];
    assert_eq!(get(admin, "/ready").status, 200);
    server.stop();
    let start = Instant::now();
    while get(admin, "/ready").status != 503 {
        assert!(start.elapsed() < Duration::from_secs(2), "it stays ready");
    }
    assert_eq!(get(admin, "/accept-traffic").status, 503);
    assert_eq!(get(admin, "/live").status, 200);
    assert_eq!(Values::of(admin).sum("draining", &[]), 1.0);
    for client in &mut clients {
        client.expect_closed(4100);
    }
}

#[test]
fn little_memory_turns_traffic_away() {
    // R42: soketi's threshold
    for (bytes, status) in [(1 << 20, 503), (1 << 40, 200)] {
        let server = TestServer::start(Config {
            memory_bytes: Some(bytes),
            ..config([app()])
        });
        let admin = admin(&server);
        // The first look at the memory may still be to come.
        let start = Instant::now();
        while get(admin, "/accept-traffic").status != status {
            assert!(start.elapsed() < Duration::from_secs(10), "never {status}");
        }
        assert_eq!(get(admin, "/ready").status, 200);
        let asked = Http::connect(server.address()).ask("GET", "/accept-traffic", b"");
        assert_eq!(
            asked.status, status,
            "the port of the clients goes by the same look"
        );
        let usage = get(admin, "/usage").json();
        let memory = &usage["memory"];
        assert_eq!(memory["total"], bytes);
        let used = memory["used"].as_u64().unwrap();
        assert_eq!(memory["free"].as_u64().unwrap(), bytes.saturating_sub(used));
        let percent = memory["percent"].as_f64().unwrap();
        assert!((percent - used as f64 * 100.0 / bytes as f64).abs() < 1e-6);
    }
}

/// Stops its shard's thread on any message, until the test lets it go.
struct Gate(Arc<Barrier>);

impl Handler for Gate {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        Ok(client.send_text(&format!("{:?}", client.id()))?)
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        self.0.wait(); // it stands still from here ...
        self.0.wait(); // ... to here
        Ok(())
    }
}

/// A server of which one shard stands still while the test holds the barrier.
fn with_gate(config: Config) -> (TestServer, Arc<Barrier>) {
    let barrier = Arc::new(Barrier::new(2));
    let shared = Arc::clone(&barrier);
    let builder = Server::builder()
        .config(config)
        .wall_clock(|| NOW)
        .routes(move |router| {
            let barrier = Arc::clone(&shared);
            router.mount("/gate", |_| Gate(barrier));
        });
    (TestServer::build(builder), barrier)
}

#[test]
fn a_shard_that_stands_still_is_told_and_nothing_that_was_counted_falls() {
    let (server, barrier) = with_gate(config([app()]));
    let admin = admin(&server);
    let mut pair = server.pair();
    for client in &mut pair {
        client.subscribe_signed(&Keys::of(&app()), "private-a");
    }
    let mine = [r#"app_id="1001""#];
    let before = Values::expect_soon(admin, "connected", &mine, 2.0);
    let mut ws = Ws::open(server.address(), "/gate");
    let stopped = usize::from(ws.expect_text().starts_with("client 1/"));
    ws.send_text("stop");
    barrier.wait();
    // The other goes on.
    pair[1 - stopped].send(&json!({"event": "pusher:ping"}));
    pair[1 - stopped].expect("pusher:pong");
    let during = Values::of(admin);
    barrier.wait();
    let label = |shard: usize| format!("shard=\"{shard}\"");
    assert_eq!(during.sum("shard_up", &[&label(stopped)]), 0.0);
    assert_eq!(during.sum("shard_up", &[&label(1 - stopped)]), 1.0);
    assert_eq!(during.sum("shard_answer_seconds", &[&label(stopped)]), 1.0);
    assert_eq!(during.sum("connected", &mine), 2.0);
    let after = Values::expect_soon(admin, "shard_up", &[], 2.0);
    for (earlier, later) in [(&before, &during), (&during, &after)] {
        for (series, value) in earlier.counters() {
            let now = later.value(series);
            assert!(now.is_some(), "{series} has gone");
            assert!(now >= Some(value), "{series} fell from {value} to {now:?}");
        }
    }
    let read = |values: &Values| values.sum("ws_messages_received_total", &mine);
    assert_eq!(read(&during), read(&before) + 1.0);
}

/// A request that has said all but its body.
fn without_its_body(admin: SocketAddr) -> Http {
    let mut http = Http::connect(admin);
    let fields = ["Expect: 100-continue", "Content-Length: 2"];
    http.wire.send(request("POST", "/log-level", &fields, b""));
    assert_eq!(http.head_response().status, 100, "its body is waited for");
    http
}

/// Requests that have a place each until the shard goes on, or its second is over.
fn take_all_places(admin: SocketAddr, fields: &[&str]) -> Vec<Http> {
    let ask = |_| {
        let mut http = Http::connect(admin);
        http.wire.send(request("GET", "/metrics", fields, b""));
        http
    };
    (0..ADMIN_CONNECTIONS_MAX).map(ask).collect()
}

#[test]
fn as_many_ask_at_a_time_as_the_limit_says() {
    let (server, barrier) = with_gate(config([app()]));
    let admin = admin(&server);
    let mut ws = Ws::open(server.address(), "/gate");
    ws.expect_text();
    ws.send_text("stop");
    barrier.wait();
    let mut all = take_all_places(admin, &[]);
    let mut late = Http::connect(admin);
    late.wire.send(request("GET", "/nothing", &[], b""));
    assert!(!late.wire.hears_within(100), "one past the limit");
    for path in ["/live", "/ready", "/up", "/accept-traffic"] {
        assert_eq!(get(admin, path).status, 200, "{path} is beside them");
    }
    barrier.wait();
    assert_eq!(late.response().status, 404);
    for http in &mut all {
        assert_eq!(http.response().status, 200);
    }
}

#[test]
fn who_keeps_its_body_back_takes_no_place_and_does_not_stay() {
    let server = TestServer::plain();
    let admin = admin(&server);
    let start = Instant::now();
    let mut slow: Vec<_> = (0..ADMIN_CONNECTIONS_MAX)
        .map(|_| without_its_body(admin))
        .collect();
    assert_eq!(get(admin, "/metrics").status, 200);
    assert!(slow[0].wire.has_ended(), "it made room for who asked");
    assert!(slow[ADMIN_CONNECTIONS_MAX - 1].wire.has_ended());
    assert!(start.elapsed() >= Duration::from_millis(ADMIN_TIMEOUT_MS));
}

#[test]
fn who_shows_the_token_is_not_driven_out() {
    let (server, barrier) = with_gate(Config {
        admin_token: Some("token".into()),
        ..config([app()])
    });
    let admin = admin(&server);
    let mut ws = Ws::open(server.address(), "/gate");
    ws.expect_text();
    ws.send_text("stop");
    barrier.wait();
    let token = ["Authorization: Bearer token"];
    let all = take_all_places(admin, &token);
    // Both wait for a place, and then more come than may wait.
    let ask = |fields: &[&str]| {
        let mut http = Http::connect(admin);
        http.wire.send(request("GET", "/usage", fields, b""));
        assert!(!http.wire.hears_within(100), "no place is free");
        http
    };
    let (mut known, mut stranger) = (ask(&token), ask(&[]));
    let crowd: Vec<_> = (0..2 * ADMIN_SILENT_MAX)
        .map(|_| Http::connect(admin))
        .collect();
    assert!(stranger.wire.has_ended());
    barrier.wait();
    assert_eq!(known.response().status, 200);
    drop((all, crowd));
}

/// Asks from another address of this machine.
fn live_from(admin: SocketAddr, address: [u8; 4]) -> (u16, Duration) {
    let start = Instant::now();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&admin.into()).unwrap();
    let wire = Wire::over(socket.into());
    let status = Http { wire }.send(request("GET", "/live", &[], b"")).status;
    (status, start.elapsed())
}

#[test]
fn who_says_nothing_keeps_nobody_from_the_probes() {
    let server = TestServer::plain();
    let admin = admin(&server);
    for count in [64, 200] {
        let mut idle: Vec<_> = (0..count).map(|_| Http::connect(admin)).collect();
        for address in [[127, 0, 0, 2], [127, 0, 0, 1]] {
            let (status, time) = live_from(admin, address);
            assert_eq!(status, 200);
            assert!(time < Duration::from_millis(900), "{address:?}: {time:?}");
        }
        // The first had to go for the others, and the last have their time.
        assert!(idle[0].wire.has_ended());
        let start = Instant::now();
        assert!(idle.last_mut().unwrap().wire.has_ended());
        let most = Duration::from_millis(2 * ADMIN_HEAD_MS);
        assert!(start.elapsed() < most, "{:?}", start.elapsed());
    }
}

fn with_admin(admin: AdminPort, at: SocketAddr) -> Config {
    Config {
        admin,
        admin_host: at.ip(),
        admin_port: at.port(),
        ..config([app()])
    }
}

#[test]
fn a_taken_admin_port_is_an_error_only_where_it_was_asked_for() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    let without = TestServer::start(with_admin(AdminPort::IfFree, at));
    assert_eq!(without.handle().admin_addr(), None);
    without.client();
    let error = Server::builder()
        .config(with_admin(AdminPort::On, at))
        .start();
    let error = error.unwrap_err();
    assert!(
        matches!(&error, ServerError::Admin(_, error) if error.kind() == ErrorKind::AddrInUse),
        "{error:?}"
    );
    assert_eq!(error.exit_code(), 69);
    let words = error.to_string();
    for part in [
        "--admin-port",
        "SOKETI_METRICS_SERVER_PORT",
        &at.to_string(),
    ] {
        assert!(words.contains(part), "{words}");
    }
    drop(taken);
    let start = Instant::now();
    let with = loop {
        let started = Server::builder()
            .config(with_admin(AdminPort::On, at))
            .start();
        match started {
            Ok(handle) => break TestServer::of(handle),
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
    };
    assert_eq!(with.handle().admin_addr(), Some(at));
    let off = TestServer::start(with_admin(AdminPort::Off, at));
    assert_eq!(off.handle().admin_addr(), None);
}

#[test]
fn it_is_for_this_machine_unless_told_otherwise() {
    // R46
    let defaults = Config::default();
    assert!(defaults.admin_host.is_loopback());
    assert_eq!(
        (defaults.admin_port, defaults.admin),
        (9601, AdminPort::IfFree)
    );
}
