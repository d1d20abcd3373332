//! R32: handlers that do not come back, and their shard with them.
//!
//! The server alone has no such handler: an example has its place.

use crate::process::Process;
use crate::scene::row;
use crate::shell::{Log, by, mishaps, port_of_our_own, serves_newcomers};
use crate::support::pusher::Client;
use crate::support::websocket::Ws;
use crate::support::wire::on_shard;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// Clients of the server that is lost, on both shards.
const CLIENTS: usize = 50;
const END: Duration = Duration::from_millis(1_000);

fn client(address: SocketAddr, shard: usize) -> Ws {
    let shard = format!("shard {shard}");
    on_shard(|| {
        let mut ws = Ws::open(address, "/mishaps");
        (ws.expect_text() == shard).then_some(ws)
    })
}

#[test]
fn r32_a_shard_that_is_stuck_for_a_while_is_named_and_loses_nobody() {
    const WARN: Duration = Duration::from_millis(500);
    const BLOCK: Duration = Duration::from_millis(1_600);
    let log = Log::new("r32");
    let blocked = "a shard does not turn";
    row("r32")
        .by(&by(&log.script_of(&mishaps())))
        .flag("--watchdog-warn-ms", WARN.as_millis())
        .standing_still()
        .run(|scene| {
            for shard in 0..2 {
                let mut stuck = client(scene.address(), shard);
                let mut other = Client::connect_on(scene.address(), "app-key", 1 - shard as u64);
                let warned = log.count(blocked);
                let start = Instant::now();
                stuck.send_text(format!("block {}", BLOCK.as_millis()));
                let mut longest = Duration::ZERO;
                while log.count(blocked) == warned {
                    let asked = Instant::now();
                    other.expect_quiet();
                    longest = longest.max(asked.elapsed());
                    assert!(start.elapsed() < BLOCK, "shard {shard} is not named");
                }
                let text = log.text();
                let line = text.lines().rfind(|line| line.contains(blocked)).unwrap();
                let parts = [&format!("shard={shard}"), "\"/mishaps\"", "\"on_message\""];
                assert!(parts.iter().all(|part| line.contains(part)), "{line}");
                println!("r32: shard {shard} is named after {:.1?}", start.elapsed());
                assert!(
                    longest < BLOCK / 2,
                    "the other shard waits, too: {longest:?}"
                );
                // It goes on where it was.
                assert!(stuck.expect_text().starts_with("block"));
                assert!(start.elapsed() >= BLOCK);
            }
        });
    assert!(!log.text().contains("panicked"), "{}", log.text());
}

#[test]
fn r32_a_shard_that_stays_stuck_ends_its_server_and_nobody_is_left_hanging() {
    // A server that ends has no bystanders left: theirs is another one, beside it.
    row("r32-end").with_servers().run(|_| {
        let port = port_of_our_own();
        let end_ms = END.as_millis().to_string();
        let flags = ["--shards", "2", "--watchdog-end-ms", &end_ms];
        let start = || Process::start_at(Command::new(mishaps()), port, &flags);
        for shard in 0..2 {
            let server = start();
            let mut all: Vec<Client> = (0..CLIENTS)
                .map(|_| Client::connect(server.address, "app-key"))
                .collect();
            for client in &mut all {
                client.subscribe("news");
            }
            let mut stuck = client(server.address, shard);
            let begun = Instant::now();
            stuck.send_text("block 600000");
            assert!(stuck.wire.ends_somehow());
            for client in &mut all {
                assert!(client.ws.wire.ends_somehow());
            }
            let took = begun.elapsed();
            println!("r32: {CLIENTS} clients are told after {took:.1?}");
            assert!(
                (END..END + Duration::from_secs(2)).contains(&took),
                "{took:?}"
            );
            let address = server.address;
            let (status, log) = server.wait();
            assert_eq!(status.code(), Some(70), "{log}");
            let lost = format!("shard {shard} is lost");
            assert!(
                log.contains(&lost) && log.contains("on_message at /mishaps"),
                "{log}"
            );
            // Nobody comes into a listener that is never served, and the next one can have it.
            assert!(TcpStream::connect(address).is_err());
            let next = start();
            assert!(serves_newcomers(next.address));
            let (status, log) = next.stop();
            assert!(status.success(), "{status}: {log}");
        }
    });
}
