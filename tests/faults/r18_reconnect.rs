//! R18: everybody comes back at once after a crash. Ten thousand of them are the load tester's
//! matter; here it is a thousand, and fifty who came back first must not notice.

use crate::process::{Process, binary};
use crate::scene::{open_many_files, row};
use crate::shell::{by, port_of_our_own};
use crate::support::http::Http;
use crate::support::pusher::{Client, QUERY};
use crate::support::websocket::{Ws, handshake};
use rustix::process::Signal;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

const CLIENTS: usize = 1_000;

/// All of them in one go: everybody has connected before anybody asks, and has asked before anybody
/// listens.
fn connect_all(address: SocketAddr) -> Vec<Client> {
    let mut all: Vec<Http> = (0..CLIENTS).map(|_| Http::connect(address)).collect();
    for http in &mut all {
        http.wire.send(handshake(&format!("/app/app-key{QUERY}")));
    }
    let all = all
        .into_iter()
        .map(|http| Client::greeted(Ws::accepted(http)));
    let mut all: Vec<Client> = all.collect();
    all.iter_mut().for_each(|client| client.ask("news"));
    all.iter_mut()
        .for_each(|client| client.expect_subscribed("news"));
    all
}

#[test]
fn r18_all_are_subscribed_again_soon_after_a_crash() {
    open_many_files();
    let port = port_of_our_own();
    let crashed = Process::start_at(Command::new(binary()), port, &["--shards", "2"]);
    let mut before = connect_all(crashed.address);
    crashed.signal(Signal::KILL);
    for client in &mut before {
        assert!(client.ws.wire.ends_somehow(), "the kernel tells them");
    }
    let (status, _) = crashed.wait();
    assert!(!status.success());
    // The next one has the same port, where the scene would have any: PROGRAM start --port 0.
    let script = format!("program=$1; shift 4; exec \"$program\" start --port {port} \"$@\"");
    row("r18").by(&by(&script)).run(|scene| {
        assert_eq!(scene.address().port(), port);
        let start = Instant::now();
        let mut after = connect_all(scene.address());
        let took = start.elapsed();
        println!("r18: {} clients are back within {took:.1?}", after.len());
        assert!(took < Duration::from_secs(10), "{took:?}");
        scene.backend().trigger("news", "e", "x");
        for client in &mut after {
            client.expect("e");
        }
    });
}
