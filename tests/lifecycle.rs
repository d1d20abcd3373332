//! The server from start to end: ports, shards, stopping, and clients that fall silent.
//!
//! Losing a shard has its test with the handlers, which can break one.

mod support;

use serde_json::json;
use shardcast::server::config::{Config, DrainClose};
use shardcast::server::{Server, ServerError};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use support::http::Http;
use support::pusher::{Client, QUERY, expect_told_and_closed};
use support::server::{TestServer, app, config};
use support::sign::Keys;
use support::websocket::{FIN, Incoming, PONG, TEXT, Ws, frame, handshake};

fn at(address: SocketAddr) -> Config {
    Config {
        port: address.port(),
        ..config([app()])
    }
}

#[test]
fn stopping_tells_every_client_to_come_back_after_a_pause() {
    // W22: no successor is known, so 4100
    let server = TestServer::plain();
    let mut clients: Vec<Client> = (0..6).map(|n| server.client_on(n % 2)).collect();
    for client in &mut clients {
        client.subscribe("news");
        client.join(&Keys::of(&app()), "presence-a", &json!({"user_id": "one"}));
    }
    server.stop();
    server.stop(); // asked twice, it stops once
    let address = server.address();
    for client in &mut clients {
        client.expect_closed(4100);
    }
    server.wait().expect("it was asked to");
    let refused = TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

/// A crowd on one shard, in the order in which it came; a millisecond each is its spread.
fn crowd(config: Config) -> (TestServer, Vec<Client>) {
    const CROWD: usize = 1_500;
    let server = TestServer::start(Config {
        shards: Some(1),
        ..config
    });
    let clients = (0..CROWD).map(|_| server.client()).collect();
    (server, clients)
}

#[test]
fn a_stop_closes_a_crowd_in_waves_and_serves_who_waits_for_its_turn() {
    // W22, Q29
    let (server, mut clients) = crowd(Config {
        drain_close: DrainClose::AtOnce,
        ..config([app()])
    });
    server.stop();
    clients[0].expect_closed(4200);
    let last = clients.last_mut().expect("there is a crowd");
    last.expect_quiet();
    for client in &mut clients[1..] {
        client.expect_closed(4200);
    }
    server.wait().expect("it was asked to");
}

#[test]
fn a_stop_without_a_spread_closes_all_at_once() {
    let (server, mut clients) = crowd(Config {
        drain_spread_ms: Some(0),
        ..config([app()])
    });
    server.stop();
    clients[0].expect_closed(4100);
    // Nothing is read of the last any more, or it would be answered first.
    let last = clients.last_mut().expect("there is a crowd");
    last.send(&json!({"event": "pusher:ping", "data": {}}));
    for client in &mut clients[1..] {
        client.expect_closed(4100);
    }
    server.wait().expect("it was asked to");
}

#[test]
fn stopping_waits_for_nobody_that_has_nothing_to_say() {
    let server = TestServer::plain();
    let mut idle = Http::connect(server.address());
    assert_eq!(idle.ask("GET", "/", b"").status, 200);
    let mut begun = Http::connect(server.address());
    assert_eq!(begun.ask("GET", "/", b"").status, 200);
    begun.wire.send("GET / HT");
    let start = Instant::now();
    server.stop();
    idle.wire.expect_end();
    begun.wire.expect_end();
    server.wait().expect("it was asked to");
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "less than the grace"
    );
}

#[test]
fn a_client_that_does_not_answer_the_close_is_ended_for_it() {
    let server = TestServer::plain();
    let mut stubborn = server.client();
    let start = Instant::now();
    server.stop();
    assert_eq!(stubborn.next().error().0, Some(4100));
    assert!(matches!(
        stubborn.ws.next(),
        Incoming::Close(Some((4100, _)))
    ));
    assert_eq!(stubborn.ws.next(), Incoming::End); // it was ended from the other side
    server.wait().expect("it was asked to");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(9), "{took:?}");
}

#[test]
fn a_taken_port_is_refused_in_words() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = TestServer::plain();
    for address in [taken.local_addr().unwrap(), server.address()] {
        let error = Server::builder().config(at(address)).start().unwrap_err();
        match &error {
            ServerError::Bind(at, error) => {
                assert_eq!((*at, error.kind()), (address, ErrorKind::AddrInUse));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(error.exit_code(), 69);
        let words = error.to_string();
        for part in [&address.to_string(), "--port", "SOKETI_PORT"] {
            assert!(words.contains(part), "{words}");
        }
    }
    server.client().expect_quiet(); // who was there first is not disturbed
}

#[test]
fn a_port_can_be_had_again_at_once() {
    // M9: connections of the last server still wait in the kernel.
    let mut address: Option<SocketAddr> = None;
    for _ in 0..3 {
        let server = match address {
            None => TestServer::plain(),
            Some(address) => TestServer::start(at(address)),
        };
        address = Some(server.address());
        let mut client = server.client();
        client.subscribe("news");
        server.stop(); // the server closes first: its side keeps the port for a minute
        client.expect_closed(4100);
        server.wait().unwrap();
    }
}

#[test]
fn two_servers_live_side_by_side() {
    let servers = [TestServer::plain(), TestServer::plain()];
    assert_ne!(servers[0].address(), servers[1].address());
    let mut clients = servers.each_ref().map(TestServer::client);
    for client in &mut clients {
        client.subscribe("news");
    }
    servers[0].rest().trigger("news", "first", "1");
    servers[1].rest().trigger("news", "second", "2");
    clients[0].expect("first");
    clients[1].expect("second");
    let [one, two] = servers;
    let [mut of_one, mut of_two] = clients;
    one.stop();
    of_one.expect_closed(4100);
    one.wait().unwrap();
    of_two.expect_quiet();
    two.rest().trigger("news", "third", "3");
    of_two.expect("third");
}

#[test]
fn any_number_of_shards_is_one_server() {
    for shards in [1, 5] {
        let server = TestServer::start(Config {
            shards: Some(shards),
            ..config([app()])
        });
        let mut clients: Vec<Client> = (0..shards as u64).map(|n| server.client_on(n)).collect();
        let keys = Keys::of(&app());
        let mut rest = server.rest();
        for n in 0..8 {
            let channel = &format!("presence-{n}");
            for (user, client) in clients.iter_mut().enumerate() {
                let member = json!({"user_id": user.to_string()});
                assert_eq!(client.join(&keys, channel, &member)["count"], user + 1);
            }
            for (user, client) in clients.iter_mut().enumerate() {
                let later: BTreeSet<String> = (user + 1..shards)
                    .map(|_| {
                        let added = client.expect("pusher_internal:member_added").json();
                        added["user_id"].as_str().unwrap().to_owned()
                    })
                    .collect();
                assert_eq!(later, (user + 1..shards).map(|n| n.to_string()).collect());
            }
            rest.trigger(channel, "mark", "");
            for client in &mut clients {
                client.expect("mark");
            }
        }
    }
}

/// A server that grows impatient after a second and a bit.
fn impatient() -> TestServer {
    let mut app = app();
    app.activity_timeout_s = 1;
    TestServer::start(Config {
        activity_grace_ms: 100,
        pong_wait_ms: 400,
        ..config([app])
    })
}

#[test]
fn a_client_that_answers_nothing_is_pinged_and_closed_with_4201() {
    // W14, W15
    let server = impatient();
    let mut silent = server.client();
    let start = Instant::now();
    assert_eq!(silent.ws.next(), Incoming::Ping(vec![])); // never `pusher:ping`
    let pinged = start.elapsed();
    silent.expect_closed(4201);
    let closed = start.elapsed();
    // Not before its time: told once a second, a tenth of grace, less what passed before `start`.
    assert!(pinged >= Duration::from_millis(900), "{pinged:?}");
    assert!(closed - pinged >= Duration::from_millis(200), "{closed:?}");
}

#[test]
fn a_listener_that_only_answers_pings_lives() {
    // W13, W15: it gets events and says nothing, as clients on busy channels do.
    let server = impatient();
    let mut silent = server.client();
    let mut listener = server.client();
    listener.subscribe("news");
    let mut rest = server.rest();
    for _ in 0..3 {
        rest.trigger("news", "e", "1");
        listener.expect("e");
        assert_eq!(listener.ws.next(), Incoming::Ping(vec![]));
        listener.ws.send(frame(FIN | PONG, ""));
    }
    // The one beside it, which answers nothing, is long gone.
    assert_eq!(silent.ws.next(), Incoming::Ping(vec![]));
    silent.expect_closed(4201);
    listener.expect_quiet();
    rest.trigger("news", "e", "2");
    listener.expect("e");
}

#[test]
fn any_byte_shows_that_a_client_lives() {
    // W15
    let server = impatient();
    let mut slow = server.client();
    let message = frame(FIN | TEXT, r#"{"event":"pusher:ping"}"#);
    let (first, rest) = message.split_at(3);
    for piece in [first, rest] {
        assert_eq!(slow.ws.next(), Incoming::Ping(vec![]));
        slow.ws.send(piece); // the ping is answered by half a frame, then by the rest
    }
    slow.expect("pusher:pong");
}

#[test]
fn a_refused_client_that_stays_is_ended() {
    // The close is answered by nobody: the connection ends all the same.
    let server = TestServer::plain();
    let mut ws = Ws::open(server.address(), &format!("/app/nope{QUERY}"));
    ws.expect_text();
    assert!(matches!(ws.next(), Incoming::Close(Some((4001, _)))));
    assert_eq!(ws.next(), Incoming::End);
}

#[test]
fn what_comes_while_the_server_stops_is_not_served() {
    let server = TestServer::plain();
    let mut open = server.pair();
    let mut waiting = Http::connect(server.address());
    assert_eq!(waiting.ask("GET", "/", b"").status, 200);
    server.stop();
    for client in &mut open {
        assert_eq!(client.next().error().0, Some(4100)); // both shards are stopping now
    }
    waiting.wire.send_while_open(&handshake("/app/app-key"));
    let mut ws = Ws { wire: waiting.wire };
    assert_eq!(ws.next(), Incoming::End);
    for client in &mut open {
        client.ws.expect_close(4100);
    }
    server.wait().unwrap();
}

#[test]
fn a_greeted_client_is_never_lost_between_handshake_and_stop() {
    // Whoever was let in before the stop is told of it, however late it came.
    for _ in 0..5 {
        let server = TestServer::plain();
        let mut clients: Vec<Ws> = (0..20)
            .map(|_| Ws::open(server.address(), "/app/app-key"))
            .collect();
        server.stop();
        for ws in &mut clients {
            ws.expect_text();
            expect_told_and_closed(ws, 4100);
        }
        server.wait().unwrap();
    }
}
