//! Who comes in, and who is told why not: limits of the process, of an address, of the memory, and
//! whom a proxy is believed to ask for.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "admission/floods.rs"]
mod floods;
mod process;
#[path = "admission/proxies.rs"]
mod proxies;
mod support;

use rustix::process::Signal;
use shardcast::server::config::Config;
use socket2::{Domain, Socket, Type};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Instant;
use support::http::{Http, Response};
use support::metrics::Values;
use support::pusher::QUERY;
use support::server::{TestServer, app, config};
use support::websocket::{Ws, handshake};
use support::wire::{PATIENCE, Wire};

/// A connection from one of this machine's addresses.
fn from(source: [u8; 4], to: SocketAddr) -> Http {
    let connected = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(Ipv4Addr::from(source).into(), 0).into())?;
        socket.connect(&to.into())?;
        Ok::<_, std::io::Error>(socket)
    };
    let wire = Wire::over(connected().expect("the server listens").into());
    Http { wire }
}

/// A Pusher handshake with these fields: a WebSocket, or the answer that refuses it.
fn enter(mut http: Http, fields: &str) -> Result<Ws, Response> {
    let handshake = String::from_utf8(handshake(&format!("/app/app-key{QUERY}"))).unwrap();
    let head = handshake.replacen("\r\n", &format!("\r\n{fields}"), 1);
    http.wire.send_while_open(head.as_bytes());
    let answer = http.head_response();
    if answer.status == 101 {
        let mut ws = Ws { wire: http.wire };
        assert!(ws.expect_text().contains("connection_established"));
        return Ok(ws);
    }
    assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    Err(answer)
}

/// Same, again and again while it is refused: a place comes back when an end was noticed.
fn enter_soon(http: impl Fn() -> Http, fields: &str) -> Ws {
    let start = Instant::now();
    loop {
        match enter(http(), fields) {
            Ok(ws) => return ws,
            Err(answer) => assert!(start.elapsed() < PATIENCE, "{answer:?}"),
        }
    }
}

fn status(entered: Result<Ws, Response>) -> u16 {
    let Err(answer) = entered else {
        panic!("it is let in");
    };
    let after = answer
        .header("retry-after")
        .expect("it is told when to come again");
    assert!(after.parse::<u32>().unwrap() > 0);
    answer.status
}

fn admin(server: &TestServer) -> SocketAddr {
    server.handle().admin_addr().unwrap()
}

#[test]
fn as_many_connect_as_the_limit_says() {
    // R16
    let server = TestServer::start(Config {
        max_connections: Some(3),
        ..config([app()])
    });
    let to = server.address();
    let mut inside: Vec<_> = (0..3)
        .map(|_| enter(Http::connect(to), "").expect("a place is free"))
        .collect();
    for _ in 0..3 {
        assert_eq!(status(enter(Http::connect(to), "")), 503);
    }
    let values = Values::of(admin(&server));
    assert_eq!(
        values.sum("connections_refused_total", &[r#"reason="full""#]),
        3.0
    );
    assert_eq!(
        (
            values.sum("connections", &[]),
            values.sum("max_connections", &[])
        ),
        (3.0, 3.0)
    );
    inside.pop().unwrap().close();
    inside.push(enter_soon(|| Http::connect(to), ""));
    assert_eq!(status(enter(Http::connect(to), "")), 503);
}

#[test]
fn a_storm_past_the_open_files_is_turned_away() {
    // R16: 300 files, of which two shards keep 96 for themselves.
    const ROOM: usize = 300 - 96;
    const SILENT: usize = 48;
    let mut limited = Command::new("prlimit");
    limited.args(["--nofile=300:300", env!("CARGO_BIN_EXE_shardcast")]);
    let server = process::Process::start_as(limited, &["--shards", "2"]);
    let to = server.address;
    let mut inside = Vec::new();
    let mut refused = 0;
    for _ in 0..1000 {
        match enter(Http::connect(to), "") {
            Ok(ws) => inside.push(ws),
            Err(answer) => {
                assert_eq!(answer.status, 503);
                refused += 1;
            }
        }
    }
    assert_eq!((inside.len(), refused), (ROOM, 1000 - ROOM));
    // Who is inside does not notice.
    for ws in &mut inside {
        ws.send_text(r#"{"event":"pusher:ping","data":{}}"#);
        assert!(ws.expect_text().contains("pusher:pong"));
    }
    // Those that are told and stay take no place, and all of them are told.
    let mut silent: Vec<_> = (0..SILENT).map(|_| Http::connect(to)).collect();
    for http in &mut silent {
        assert_eq!(http.response().status, 503);
        assert!(http.wire.has_ended());
    }
    let values = Values::of(server.admin.unwrap());
    assert_eq!(
        values.sum("accept_errors_total", &[]),
        0.0,
        "it never came to that"
    );
    // And when somebody leaves, there is room again.
    inside.pop();
    enter_soon(|| Http::connect(to), "");
    drop(inside);
    assert!(server.stop().0.success());
}

#[test]
fn everybody_of_a_burst_that_is_refused_is_told() {
    // R17: they wait in the backlog, and are accepted one right behind the other.
    const BURST: usize = 300;
    for (flag, told) in [
        ("--max-connections=1", 503),
        ("--connections-per-address=1", 429),
    ] {
        let server = process::Process::start(&["--shards=2", flag]);
        let to = server.address;
        let _inside = enter(Http::connect(to), "").expect("a place is free");
        server.signal(Signal::STOP);
        let mut burst: Vec<_> = (0..BURST).map(|_| Http::connect(to)).collect();
        server.signal(Signal::CONT);
        for http in &mut burst {
            assert_eq!(http.response().status, told, "{flag}");
        }
    }
}

fn per_address(most: u32) -> TestServer {
    TestServer::start(Config {
        connections_per_address: Some(most),
        ..config([app()])
    })
}

#[test]
fn an_address_has_so_many_connections_whatever_it_says() {
    // R19
    let server = per_address(2);
    let to = server.address();
    let one = || from([127, 0, 0, 2], to);
    let mut inside: Vec<_> = (0..2).map(|_| enter(one(), "").unwrap()).collect();
    for spoofed in [
        "",
        "X-Forwarded-For: 192.0.2.7\r\n",
        "Forwarded: for=192.0.2.7\r\n",
    ] {
        assert_eq!(status(enter(one(), spoofed)), 429, "{spoofed}");
    }
    let values = Values::of(admin(&server));
    assert_eq!(
        values.sum("connections_refused_total", &[r#"reason="address""#]),
        3.0
    );
    for other in 3..=9 {
        let other = || from([127, 0, 0, other], to);
        let _inside = [enter(other(), "").unwrap(), enter(other(), "").unwrap()];
        assert_eq!(status(enter(other(), "")), 429);
    }
    // Places come back, however connections end.
    for round in 0..20 {
        let ws = inside.pop().unwrap();
        match round % 2 {
            0 => ws.close(),
            _ => drop(ws),
        }
        inside.push(enter_soon(one, ""));
        assert_eq!(status(enter(one(), "")), 429);
    }
}

#[test]
fn requests_take_places_too() {
    let server = per_address(1);
    let to = server.address();
    let one = || from([127, 0, 0, 2], to);
    let mut http = one();
    assert_eq!(http.ask("GET", "/", b"").status, 200);
    assert_eq!(http.ask("GET", "/", b"").status, 200);
    assert_eq!(status(enter(one(), "")), 429);
    drop(http);
    enter_soon(one, "");
}

#[test]
fn nobody_new_comes_in_while_there_is_little_memory() {
    // R42: this process has more than a megabyte, so there is none from the start.
    let server = TestServer::start(Config {
        memory_bytes: Some(1 << 20),
        memory_hard_percent: 100,
        ..config([app()])
    });
    let start = Instant::now();
    let answer = loop {
        match enter(Http::connect(server.address()), "") {
            Ok(_) => assert!(start.elapsed() < PATIENCE, "it never looks"),
            Err(answer) => break answer,
        }
    };
    assert_eq!(status(Err(answer)), 503);
    let values = Values::of(admin(&server));
    assert!(values.sum("connections_refused_total", &[r#"reason="memory""#]) >= 1.0);
}

#[test]
fn an_address_that_is_full_keeps_nobody_else_out() {
    // R19: what is refused neither reads nor goes.
    const SILENT: usize = 2_500;
    let server = per_address(2);
    let to = server.address();
    let one = || from([127, 0, 0, 2], to);
    let _inside = [enter(one(), "").unwrap(), enter(one(), "").unwrap()];
    let mut silent = Vec::new();
    for number in 0..SILENT {
        silent.push(one());
        if number % 500 == 499 {
            let start = Instant::now();
            let _other = enter(from([127, 0, 0, 3], to), "").expect("its address has room");
            assert!(start.elapsed() < PATIENCE);
        }
    }
    let told = |values: &Values| values.sum("connections_refused_total", &[r#"reason="address""#]);
    let start = Instant::now();
    while told(&Values::of(admin(&server))) < SILENT as f64 {
        assert!(start.elapsed() < PATIENCE, "they wait to be refused");
    }
    let full = Values::of(admin(&server)).sum("connections_refused_total", &[r#"reason="full""#]);
    assert_eq!(full, 0.0, "they take nobody's place");
    // Those that were told last are still told, and the others were cut off by them.
    assert_eq!(silent.pop().unwrap().response().status, 429);
}

#[test]
fn who_is_turned_away_and_sends_without_end_is_cut_off() {
    let server = TestServer::start(Config {
        max_connections: Some(1),
        ..config([app()])
    });
    let to = server.address();
    let mut inside = enter(Http::connect(to), "").unwrap();
    let block = vec![b'x'; 1 << 20];
    let mut refused = Http::connect(to).wire.into_stream();
    // The kernel's buffers take some of it, and 64 KiB are read.
    let mut sent = 0;
    while refused.write_all(&block).is_ok() {
        sent += block.len();
        assert!(sent < 64 << 20, "it is listened to for ever");
    }
    inside.send_text(r#"{"event":"pusher:ping","data":{}}"#);
    assert!(inside.expect_text().contains("pusher:pong"));
}
