//! Connections of an app: never more than it has places, over all shards, and none is lost.

use crate::support::http::Http;
use crate::support::pusher::{Event, QUERY};
use crate::support::server::{TestServer, app};
use crate::support::websocket::{Ws, handshake};
use crate::support::wire::PATIENCE;
use shardcast::app::{App, QuotaClose};
use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

const THREADS: usize = 20;

/// Connects: gives the connection, or the code that it was told and closed with.
fn enter(address: SocketAddr) -> Result<Ws, u64> {
    let mut ws = Ws::open(address, &format!("/app/app-key{QUERY}"));
    let event = Event::parse(&ws.expect_text());
    if event.name == "pusher:connection_established" {
        return Ok(ws);
    }
    let (code, message) = event.error();
    let code = code.expect("a refusal has a code");
    assert_eq!(ws.expect_close(code as u16), message);
    Err(code)
}

/// So many clients come at once; gives those that got in, and the codes of the others.
fn race(address: SocketAddr, clients: usize) -> (Vec<Ws>, Vec<u64>) {
    let start = Barrier::new(THREADS);
    let outcomes: Vec<Result<Ws, u64>> = thread::scope(|scope| {
        let racers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    let outcomes = (0..clients / THREADS).map(|_| enter(address));
                    outcomes.collect::<Vec<_>>()
                })
            })
            .collect();
        let outcomes = racers
            .into_iter()
            .map(|racer| racer.join().expect("no racer fails"));
        outcomes.flatten().collect()
    });
    let (inside, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    let refused = refused.into_iter().filter_map(Result::err).collect();
    (inside.into_iter().flatten().collect(), refused)
}

/// Comes in as soon as a place is free.
fn enter_soon(address: SocketAddr) -> Ws {
    let start = Instant::now();
    loop {
        match enter(address) {
            Ok(ws) => return ws,
            Err(_) => assert!(start.elapsed() < PATIENCE, "a place is lost"),
        }
    }
}

fn small(places: u32, quota_close: QuotaClose) -> App {
    App {
        max_connections: Some(places),
        quota_close,
        ..app()
    }
}

#[test]
fn a_thousand_clients_race_for_a_hundred_places() {
    // Q4, both answers
    for (quota_close, code) in [
        (QuotaClose::OverQuota, 4004),
        (QuotaClose::OverCapacity, 4100),
    ] {
        let server = TestServer::with_apps([small(100, quota_close)]);
        let address = server.address();
        let (mut inside, refused) = race(address, 1000);
        assert_eq!((inside.len(), refused.len()), (100, 900));
        assert!(refused.iter().all(|told| *told == code));
        assert_eq!(enter(address).err(), Some(code));
        // Places come back one for one, however their connections end.
        for round in 0..40 {
            let leaves = inside.swap_remove(round);
            match round % 2 {
                0 => leaves.close(),
                _ => drop(leaves),
            }
            inside.push(enter_soon(address));
            assert_eq!(enter(address).err(), Some(code));
        }
        drop(inside);
        let again: Vec<Ws> = (0..100).map(|_| enter_soon(address)).collect();
        assert_eq!(enter(address).err(), Some(code));
        drop(again);
    }
}

#[test]
fn who_leaves_before_it_was_greeted_gives_its_place_back() {
    let server = TestServer::with_apps([small(10, QuotaClose::OverQuota)]);
    let address = server.address();
    for _ in 0..200 {
        let mut http = Http::connect(address);
        http.wire.send(handshake(&format!("/app/app-key{QUERY}")));
        drop(http);
    }
    let inside: Vec<Ws> = (0..10).map(|_| enter_soon(address)).collect();
    assert_eq!(enter(address).err(), Some(4004));
    drop(inside);
}

#[test]
fn the_places_of_two_apps_are_not_shared() {
    let other = App {
        max_connections: Some(1),
        ..App::new("2", "other-key", "other-secret")
    };
    let server = TestServer::with_apps([small(1, QuotaClose::OverCapacity), other]);
    let _inside = enter(server.address()).expect("a place is free");
    assert_eq!(enter(server.address()).err(), Some(4100));
    let mut ws = Ws::open(server.address(), &format!("/app/other-key{QUERY}"));
    let event = Event::parse(&ws.expect_text());
    assert_eq!(event.name, "pusher:connection_established");
}
