//! Who is not let in where TLS is spoken, and whom proxies ask for over it.

use crate::pki::Pki;
use crate::pki::hello;
use crate::support::http::{Http, request};
use crate::support::metrics::Values;
use crate::support::pusher::{Client, QUERY};
use crate::support::server::TestServer;
use crate::support::websocket::{Ws, handshake};
use crate::support::wire::PATIENCE;
use rustls::version::TLS13;
use shardcast::handler::Request;
use shardcast::http::proxied::Network;
use shardcast::server::Server;
use shardcast::server::config::Config;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

/// What a client that is not let in hears, which must end.
fn heard(pki: &Pki, address: SocketAddr) -> Vec<u8> {
    let hello = hello(pki, &TLS13);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Where it ends before this arrives, that is no mistake.
    let _ = stream.write_all(&hello);
    let (mut heard, mut chunk) = (Vec::new(), [0; 1024]);
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return heard,
            Ok(count) => heard.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return heard,
            Err(error) => panic!("it does not end: {error}"),
        }
    }
}

fn refused(server: &TestServer, reason: &str) -> f64 {
    let values = Values::of(server.handle().admin_addr().unwrap());
    let label = format!("reason=\"{reason}\"");
    values.sum("connections_refused_total", &[&label])
}

/// Tries again while it is not let in: a place comes back when an end was noticed.
fn enter_soon(pki: &Pki, address: SocketAddr) -> Client {
    let start = Instant::now();
    loop {
        let mut wire = pki.wire(address);
        match wire.agree() {
            Ok(()) => return Client::greeted(Ws::over(wire, &format!("/app/app-key{QUERY}"))),
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
    }
}

#[test]
fn who_finds_no_room_hears_nothing_in_clear() {
    // R16
    let pki = Pki::new("full");
    let server = TestServer::start(Config {
        max_connections: Some(1),
        ..pki.config()
    });
    let to = server.address();
    let mut inside = pki.client(&server);
    for _ in 0..3 {
        assert_eq!(heard(&pki, to), b"");
    }
    assert_eq!(refused(&server, "full"), 3.0);
    inside.expect_quiet();
    drop(inside);
    let mut next = enter_soon(&pki, to);
    assert_eq!(heard(&pki, to), b"");
    next.expect_quiet();
}

#[test]
fn an_address_has_its_places_in_clear_and_over_tls_together() {
    // R19
    let pki = Pki::new("places");
    let server = TestServer::start(Config {
        tls_port: Some(0),
        connections_per_address: Some(2),
        ..pki.config()
    });
    let tls = server.handle().tls_addr().unwrap();
    let (plain, encrypted) = (server.client(), pki.client(&server));
    for _ in 0..3 {
        assert_eq!(heard(&pki, tls), b"");
    }
    let mut http = Http::connect(server.address());
    assert_eq!(http.response().status, 429);
    assert_eq!(refused(&server, "address"), 4.0);
    drop(plain);
    let _next = enter_soon(&pki, tls);
    assert_eq!(heard(&pki, tls), b"");
    drop(encrypted);
    let _last = enter_soon(&pki, tls);
}

#[test]
fn nobody_comes_in_over_tls_while_there_is_little_memory() {
    // R42: this process has more than a megabyte, so there is none from the start.
    let pki = Pki::new("memory");
    let server = TestServer::start(Config {
        memory_bytes: Some(1 << 20),
        memory_hard_percent: 100,
        ..pki.config()
    });
    let start = Instant::now();
    while refused(&server, "memory") == 0.0 {
        let _ = pki.wire(server.address()).agree();
        assert!(start.elapsed() < PATIENCE, "it never looks");
    }
    assert_eq!(heard(&pki, server.address()), b"");
}

#[test]
fn a_proxy_that_speaks_tls_to_the_server_is_believed() {
    let pki = Pki::new("proxy");
    let builder = Server::builder().config(Config {
        trusted_proxies: vec![Network::parse("127.0.0.1").unwrap()],
        connections_per_address: Some(1),
        ..pki.config()
    });
    let server = TestServer::build(builder.routes(|router| {
        router.get("/", async |request: Request<'_>| {
            request.peer().expect("it has a peer").to_string()
        });
    }));
    let field = ["X-Forwarded-For: 192.0.2.7"];
    // Those of the proxy itself are not bounded.
    let mut kept: Vec<Http> = (0..3).map(|_| pki.http(&server)).collect();
    for http in &mut kept {
        let seen = http.send(request("GET", "/", &field, b""));
        assert_eq!((seen.status, seen.text()), (200, "192.0.2.7:0"));
    }
    let enter = || {
        let mut http = pki.http(&server);
        let handshake = String::from_utf8(handshake(&format!("/app/app-key{QUERY}"))).unwrap();
        let forwarded = format!("\r\n{}\r\n", field[0]);
        http.wire.send(handshake.replacen("\r\n", &forwarded, 1));
        (http.head_response().status, http)
    };
    let (status, _inside) = enter();
    assert_eq!(status, 101);
    assert_eq!(enter().0, 429);
}

#[test]
fn a_proxy_header_in_front_of_tls_stops_the_start() {
    let pki = Pki::new("header");
    let started = Server::builder()
        .config(Config {
            trusted_proxies: vec![Network::parse("127.0.0.1").unwrap()],
            proxy_protocol: true,
            ..pki.config()
        })
        .start();
    let error = started.expect_err("it does not start").to_string();
    assert!(
        error.contains("proxy_protocol is not read in front of TLS"),
        "{error}"
    );
}
