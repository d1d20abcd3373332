//! What the settings of docs/tuning.md do, each on real sockets: what is gathered before it is
//! written, and what the kernel holds for a connection. Those for shards, cores and rings have
//! their tests in `shards.rs`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use serde_json::json;
use shardcast::app::App;
use shardcast::server::config::Config;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};
use support::metrics::Values;
use support::pusher::Client;
use support::server::{TestServer, app, config};
use support::sign::Keys;

/// Three events of one client to another, and how long the first was on its way; gives the bytes
/// that had come by then.
fn three_events(server: &TestServer, shards: [u64; 2]) -> (Duration, String) {
    let [mut from, mut to] = shards.map(|shard| server.client_on(shard));
    for client in [&mut from, &mut to] {
        client.subscribe_signed(&Keys::of(&app()), "private-talk");
    }
    let event =
        |n: u32| json!({"event": "client-note", "channel": "private-talk", "data": {"n": n}});
    let begun = Instant::now();
    for n in 0..3 {
        from.send(&event(n));
    }
    let mut bytes = [0; 4096];
    let size = to.ws.wire.stream().peek(&mut bytes).unwrap();
    let took = begun.elapsed();
    (took, String::from_utf8_lossy(&bytes[..size]).into_owned())
}

#[test]
fn what_is_gathered_for_a_while_leaves_in_one_write() {
    const DELAY: Duration = Duration::from_millis(100);
    let server = TestServer::start(Config {
        flush_delay_us: DELAY.as_micros() as u64,
        ..config([app()])
    });
    for shards in [[0, 0], [0, 1]] {
        let mut fastest = Duration::MAX;
        let mut together = 0;
        for _ in 0..5 {
            let (took, bytes) = three_events(&server, shards);
            assert!(took >= DELAY, "{took:?}");
            // Unless who sends was kept from it for so long.
            together += usize::from(bytes.matches("client-note").count() == 3);
            fastest = fastest.min(took);
        }
        assert!(together > 0, "never in one write");
        // From shard to shard it went at once: it waited only where it is written.
        assert!(fastest < 2 * DELAY, "{fastest:?}");
    }
}

#[test]
fn nothing_waits_unless_it_is_told_to() {
    let server = TestServer::plain();
    let fastest = (0..10)
        .map(|_| three_events(&server, [0, 1]).0)
        .min()
        .unwrap();
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
}

/// Bytes that wait in the server for a client that does not read, of 600,000 that were sent to it.
fn waiting(notsent_lowat_bytes: u32) -> f64 {
    let app = App {
        event_data_bytes: 60_000,
        ..app()
    };
    let server = TestServer::start(Config {
        notsent_lowat_bytes,
        ..config([app])
    });
    let mut client = Client::connect_narrow(server.address(), "app-key");
    client.subscribe("news");
    let mut rest = server.rest();
    for _ in 0..12 {
        rest.trigger("news", "large", &"x".repeat(50_000));
    }
    Values::of(server.handle().admin_addr().unwrap()).sum("outbox_bytes", &[])
}

#[test]
fn what_a_slow_reader_leaves_waits_here_and_not_in_the_kernel() {
    let few = waiting(16 << 10);
    assert!((400_000.0..600_000.0).contains(&few), "{few}");
    // The kernel takes all of it, before it has sent it.
    assert_eq!(waiting(16 << 20), 0.0);
}

/// What the kernel's buffers of a server's end of a connection hold: for receiving, for sending.
fn buffers(address: SocketAddr) -> [usize; 2] {
    let source = format!("sport = :{}", address.port());
    let output = Command::new("ss")
        .args(["-H", "-t", "-n", "-m", "state", "established", &source])
        .output()
        .expect("ss is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, memory) = text.split_once("skmem:(").expect("there is a connection");
    let field = |name: &str| {
        let mut fields = memory.split([',', ')']);
        let value = fields.find_map(|field| field.strip_prefix(name)?.parse::<usize>().ok());
        // Doubled by the kernel, for its bookkeeping.
        value.unwrap() / 2
    };
    [field("rb"), field("tb")]
}

#[test]
fn the_kernels_buffers_are_as_large_as_they_are_set() {
    for (receive, send) in [(16_384, 32_768), (4_096, 65_536)] {
        let server = TestServer::start(Config {
            receive_buffer_bytes: Some(receive),
            send_buffer_bytes: Some(send),
            ..config([app()])
        });
        let _client = server.client();
        assert_eq!(buffers(server.address()), [receive, send]);
    }
    let by_itself = TestServer::plain();
    let _client = by_itself.client();
    let [_, sent] = buffers(by_itself.address());
    assert!(sent > 65_536, "{sent}: the kernel chooses");
}

#[test]
fn no_more_are_accepted_in_a_second_than_is_said() {
    const RATE: u32 = 20;
    let server = TestServer::start(Config {
        shards: Some(1),
        accept_per_second: Some(RATE),
        ..config([app()])
    });
    let begun = Instant::now();
    // A second's worth at once, and then one after the other.
    let clients: Vec<Client> = (0..2 * RATE).map(|_| server.client()).collect();
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(900), "{took:?}");
    drop(clients);
}

#[test]
fn the_document_tells_of_every_setting_that_tunes() {
    let text = include_str!("../docs/tuning.md");
    let known = include_str!("../docs/configuration.md");
    let (_, table) = text.split_once("| setting | more of it |").unwrap();
    let (table, rest) = table.split_once("\n\n").unwrap();
    let cells = table.lines().filter_map(|line| line.split('|').nth(1));
    let keys: Vec<&str> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    for key in &keys {
        assert!(known.contains(&format!("\n| `{key}` | `--")), "{key}");
        assert!(
            rest.contains(&format!("`{key}`")),
            "{key} has its paragraph"
        );
    }
    for key in [
        "shards",
        "cores",
        "spin_us",
        "ring_depth",
        "send_ring",
        "mesh_slots",
        "flush_delay_us",
        "notsent_lowat_bytes",
        "send_buffer_bytes",
        "receive_buffer_bytes",
        "outbox_bytes",
        "accept_per_second",
        "backlog",
    ] {
        assert!(keys.contains(&key), "{key}");
    }
}
