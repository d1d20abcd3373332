//! R18: everybody comes back at once after a crash. Ten thousand of them are the load tester's
//! matter; here it is five hundred.

use crate::process::{Process, binary};
use crate::support::pusher::Client;
use rustix::process::Signal;
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 500;
const THREADS: usize = 10;

/// A free port that the kernel gives to nobody who does not ask for it by its number: the server
/// has to have it again.
fn port_of_our_own() -> u16 {
    let first = 10_000 + (std::process::id() % 20_000) as u16;
    let mut ports = first..32_000;
    ports
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("some port is free")
}

#[test]
fn r18_all_are_subscribed_again_soon_after_a_crash() {
    let port = port_of_our_own();
    let start = || Process::start_at(Command::new(binary()), port, &["--shards", "2"]);
    let server = start();
    let address = server.address;
    let connect_all = || -> Vec<Client> {
        let clients = thread::scope(|scope| {
            let threads = [(); THREADS].map(|()| {
                scope.spawn(|| {
                    let connected = (0..CLIENTS / THREADS).map(|_| {
                        let mut client = Client::connect(address, "app-key");
                        client.subscribe("news");
                        client
                    });
                    connected.collect::<Vec<Client>>()
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        clients.into_iter().flatten().collect()
    };
    let mut before = connect_all();
    server.signal(Signal::KILL);
    for client in &mut before {
        assert!(client.ws.wire.ends_somehow(), "the kernel tells them");
    }
    let (status, _) = server.wait();
    assert!(!status.success());
    let crashed = Instant::now();
    let server = start();
    let after = connect_all();
    let took = crashed.elapsed();
    println!(
        "r18: {} clients are back {took:.1?} after the crash",
        after.len()
    );
    assert_eq!(after.len(), CLIENTS);
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(after);
    let (status, log) = server.stop();
    assert!(status.success(), "{status}: {log}");
}
