//! R42: memory that runs out because of clients that do not end what they say. In a process of its
//! own: what is looked at is the memory of the process.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use shardcast::app::App;
use shardcast::control::machine::resident;
use shardcast::server::config::Config;
use std::time::Instant;
use support::metrics::Values;
use support::pusher::Client;
use support::server::{TestServer, app, config};
use support::websocket::{TEXT, frame};
use support::wire::PATIENCE;

#[test]
fn who_never_ends_a_message_is_ended_and_not_who_reads_slowly() {
    const PART: usize = 7 << 20;
    const ROOM: u64 = 100 << 20;
    let app = App {
        event_data_bytes: 1 << 20,
        ..app()
    };
    let server = TestServer::start(Config {
        memory_bytes: Some(resident() + ROOM),
        memory_soft_percent: 90,
        memory_hard_percent: 95,
        outbox_bytes: 1 << 24,
        body_bytes: 2 << 20,
        message_bytes: 2 * PART,
        body_timeout_ms: 600_000,
        write_stall_ms: 600_000,
        ..config([app])
    });
    let admin = server.handle().admin_addr().unwrap();
    let mut slow = Client::connect_narrow(server.address(), "app-key");
    slow.subscribe("a");
    let data = "x".repeat(1 << 20);
    server.rest().trigger("a", "e", &data);
    let part = frame(TEXT, vec![b' '; PART]);
    let closed = || Values::of(admin).sum("memory_closes_total", &[]);
    // Past the soft mark nobody comes in, so they are here before.
    let many = 2 * ROOM as usize / PART;
    let mut open: Vec<_> = (0..many).map(|_| server.client().ws).collect();
    for ws in &mut open {
        ws.wire.send_while_open(&part);
        if closed() > 0.0 {
            break;
        }
    }
    let start = Instant::now();
    while closed() == 0.0 {
        assert!(start.elapsed() < PATIENCE, "all of it is still there");
    }
    assert!(closed() < many as f64, "half of it is enough");
    assert_eq!(slow.expect("e").text().len(), data.len());
}
