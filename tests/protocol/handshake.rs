//! From the URL to the greeting, or to the code that refuses it.

use crate::support::http::{Http, request};
use crate::support::pusher::{Client, Event, QUERY, expect_told_and_closed};
use crate::support::server::{TestServer, app};
use crate::support::websocket::{self, NONCE, Ws, handshake, refused};
use serde_json::json;
use shardcast::app::App;

fn disabled() -> App {
    let mut app = App::new("2", "off-key", "off-secret");
    app.enabled = false;
    app
}

#[test]
fn the_greeting_has_every_part_that_clients_need() {
    let mut other = App::new("2", "other-key", "other-secret");
    other.activity_timeout_s = 7;
    let server = TestServer::with_apps([app(), other]);
    let mut ids = Vec::new();
    for (key, activity_timeout) in [("app-key", 120), ("other-key", 7)] {
        let mut ws = Ws::open(server.address(), &format!("/app/{key}{QUERY}"));
        let greeting = Event::parse(&ws.expect_text());
        assert_eq!(greeting.name, "pusher:connection_established");
        assert_eq!((&greeting.channel, &greeting.user_id), (&None, &None)); // W3
        let data = greeting.json(); // a string that holds JSON
        assert_eq!(data["activity_timeout"], activity_timeout); // W9
        assert_eq!(data.as_object().unwrap().len(), 2);
        let id = data["socket_id"].as_str().unwrap().to_owned();
        let (high, low) = id.split_once('.').unwrap(); // W7
        for number in [high, low] {
            assert!(
                !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()),
                "{id}"
            );
        }
        assert!(high.parse::<u64>().unwrap() % 1024 < 2, "W8: {id}");
        assert!(low.parse::<u64>().unwrap() < 10_000_000_000, "W8: {id}");
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn both_shards_take_connections() {
    let server = TestServer::plain();
    let [mut first, mut second] = server.pair();
    assert_eq!((first.shard(), second.shard()), (0, 1));
    first.expect_quiet();
    second.expect_quiet();
}

#[test]
fn every_refusal_is_told_in_a_frame_and_in_the_close() {
    let server = TestServer::with_apps([app(), disabled()]);
    for (target, code) in [
        ("/app/nope?protocol=7", 4001), // Q1, Q2
        ("/app/APP-KEY?protocol=7", 4001),
        ("/app/app-key%20?protocol=7", 4001),
        ("/app/%ff?protocol=7", 4001),
        ("/app/off-key?protocol=7", 4003),
        ("/app/app-key?protocol=3", 4007), // H4
        ("/app/app-key?protocol=2", 4007), // H5
        ("/app/app-key?protocol=0", 4007),
        ("/app/app-key?protocol=x", 4006),
        ("/app/app-key?protocol=", 4006),
        ("/app/app-key?protocol=-7", 4006),
        // The order of section 1.3: version, key, switched off.
        ("/app/nope?protocol=3", 4007),
        ("/app/off-key?protocol=x", 4006),
    ] {
        let mut ws = Ws::open(server.address(), target);
        expect_told_and_closed(&mut ws, code);
    }
    server.client().expect_quiet();
}

#[test]
fn whatever_a_refused_client_says_is_not_heard() {
    let server = TestServer::plain();
    let mut ws = Ws::open(server.address(), "/app/nope");
    ws.send_text(r#"{"event":"pusher:ping"}"#);
    expect_told_and_closed(&mut ws, 4001);
}

#[test]
fn versions_and_parameters_that_are_fine() {
    let server = TestServer::plain();
    for target in [
        "/app/app-key", // Q3
        "/app/app-key?",
        "/app/app-key?protocol=4",
        "/app/app-key?client=java-client&protocol=5&version=2.4", // H3
        "/app/app-key?client=swift&version=10&protocol=7",
        "/app/app-key?protocol=99",              // H4
        "/app/app-key?protocol=7&protocol=nope", // H3: the first counts
        "/app/app-key?flash=false&x=%ff&protocol=7&=&&y",
        "/app/app%2Dkey?protocol=7", // 1.1: decoded once
    ] {
        Client::greeted(Ws::open(server.address(), target)).expect_quiet();
    }
}

#[test]
fn what_comes_right_behind_the_handshake_is_served() {
    let server = TestServer::plain();
    let ping = websocket::text(r#"{"event":"pusher:ping"}"#);
    let mut http = Http::connect(server.address());
    http.wire
        .send([handshake("/app/app-key"), ping.clone(), ping[..7].to_vec()].concat());
    let mut client = Client::greeted(Ws::accepted(http));
    assert_eq!(client.next().name, "pusher:pong");
    client.ws.send(&ping[7..]); // the rest of a frame that was cut
    assert_eq!(client.next().name, "pusher:pong");
    client.expect_quiet();
}

#[test]
fn a_quota_counts_open_connections_over_all_shards() {
    let mut small = app();
    small.max_connections = Some(1);
    let mut pair = App::new("2", "pair-key", "pair-secret");
    pair.max_connections = Some(2);
    let server = TestServer::with_apps([small, pair]);
    for (key, places) in [("app-key", 1), ("pair-key", 2)] {
        let target = format!("/app/{key}{QUERY}");
        let open = || Ws::open(server.address(), &target);
        let mut inside: Vec<Client> = (0..places).map(|_| Client::greeted(open())).collect();
        for _ in 0..5 {
            expect_told_and_closed(&mut open(), 4004); // Q4
        }
        inside.pop().unwrap().ws.close();
        // The place comes back when the shard of the connection has told the app's home.
        let came_in = (0..1000).find_map(|_| {
            let mut ws = open();
            let event = Event::parse(&ws.expect_text());
            match event.name.as_str() {
                "pusher:connection_established" => Some(ws),
                _ => {
                    assert_eq!(event.error().0, Some(4004));
                    ws.expect_close(4004);
                    None
                }
            }
        });
        let _again_full = came_in.expect("a closed connection gives its place back");
        expect_told_and_closed(&mut open(), 4004); // one place, not more
    }
}

#[test]
fn a_refused_connection_takes_no_place() {
    let mut small = app();
    small.max_connections = Some(1);
    let server = TestServer::with_apps([small]);
    let mut bad = Ws::open(server.address(), "/app/app-key?protocol=3");
    expect_told_and_closed(&mut bad, 4007);
    server.client().expect_quiet();
}

#[test]
fn other_paths_are_not_upgraded() {
    // H6
    let server = TestServer::plain();
    for path in [
        "/",
        "/app",
        "/app/",
        "/app/app-key/",
        "/app/app-key/x",
        "/apps/1001/events",
        "/nope",
        "/APP/app-key",
    ] {
        let response = refused(server.address(), &handshake(path));
        assert_eq!(response.status, 404, "{path}: {response:?}");
    }
}

#[test]
fn unsound_handshakes_are_refused_by_status() {
    let server = TestServer::plain();
    let key = format!("Sec-WebSocket-Key: {NONCE}");
    let upgrade = ["Upgrade: websocket", "Connection: keep-alive, Upgrade"];
    let ask = |method: &str, more: &[&str]| {
        let fields = [&upgrade[..], more].concat();
        refused(
            server.address(),
            &request(method, "/app/app-key", &fields, b""),
        )
    };
    let version = "Sec-WebSocket-Version: 13";
    for key in [
        "Sec-WebSocket-Key: AAAA",
        "Sec-WebSocket-Key: !!!",
        "Sec-WebSocket-Key:",
        "X: y",
    ] {
        let response = ask("GET", &[version, key]);
        assert_eq!((response.status, response.closes()), (400, true), "{key}");
    }
    for version in ["Sec-WebSocket-Version: 8", "Sec-WebSocket-Version:", "X: y"] {
        let response = ask("GET", &[version, &key]);
        assert_eq!(response.status, 426, "{version}");
        assert_eq!(response.header("sec-websocket-version"), Some("13"));
    }
    assert_eq!(ask("POST", &[version, &key]).status, 405);
    // Without an upgrade it is a request like any other.
    let plain = request("GET", "/app/app-key", &[], b"");
    assert_eq!(refused(server.address(), &plain).status, 404);
}

#[test]
fn an_offered_subprotocol_is_not_chosen() {
    // H1; `Ws::accepted` looks at the answer's fields.
    let server = TestServer::plain();
    let key = format!("Sec-WebSocket-Key: {NONCE}");
    let fields = [
        "upgrade: WebSocket",
        "connection: upgrade",
        "sec-websocket-version: 13",
        "Sec-WebSocket-Protocol: pusher, chat",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        &key,
    ];
    let mut http = Http::connect(server.address());
    http.wire.send(request("GET", "/app/app-key", &fields, b""));
    Client::greeted(Ws::accepted(http)).expect_quiet();
}

#[test]
fn apps_do_not_see_each_other() {
    let mut other = App::new("2", "other-key", "other-secret");
    other.subscription_count = true;
    let server = TestServer::with_apps([app(), other.clone()]);
    let mut here = server.client();
    let mut there = Client::connect(server.address(), "other-key");
    there.skips_counts = true;
    here.subscribe("news");
    there.subscribe("news");
    server.rest().trigger("news", "mine", "1");
    let mut rest = crate::support::rest::Rest::connect(&server, &other);
    rest.trigger("news", "theirs", "2");
    assert_eq!(here.expect("mine").data, json!("1"));
    assert_eq!(there.expect("theirs").data, json!("2"));
    here.expect_quiet();
    there.expect_quiet();
    assert_eq!(
        rest.get_json("channels/news", &[("info", "subscription_count")]),
        json!({"occupied": true, "subscription_count": 1})
    );
}
