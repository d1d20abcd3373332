//! R42: memory that runs out because of clients that do not read. In a process of its own: what is
//! looked at is the memory of the process.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use serde_json::json;
use shardcast::app::App;
use shardcast::control::machine::resident;
use shardcast::server::config::Config;
use std::time::Instant;
use support::metrics::{Values, get};
use support::pusher::{Client, Event};
use support::server::{TestServer, app, config};
use support::websocket::Incoming;
use support::wire::PATIENCE;

#[test]
fn past_the_hard_mark_those_that_hold_the_memory_are_closed_and_nobody_else() {
    const EVENT: usize = 1 << 20;
    const ROOM: u64 = 100 << 20;
    let app = App {
        event_data_bytes: EVENT,
        ..app()
    };
    let server = TestServer::start(Config {
        memory_bytes: Some(resident() + ROOM),
        memory_soft_percent: 90,
        memory_hard_percent: 95,
        outbox_bytes: 1 << 30,
        body_bytes: 2 * EVENT,
        message_bytes: 2 * EVENT,
        write_stall_ms: 600_000,
        ..config([app])
    });
    let admin = server.handle().admin_addr().unwrap();
    let mut rest = server.rest();
    let mut fat = Client::connect_narrow(server.address(), "app-key");
    fat.subscribe("fat");
    let mut thin = Client::connect_narrow(server.address(), "app-key");
    thin.subscribe("thin");
    rest.trigger("thin", "e", "something waits for it too");
    let mut well = server.client();
    well.subscribe("lean");
    let data = "x".repeat(EVENT);
    let event = json!({"name": "e", "channel": "fat", "data": data});
    let closed = |values: &Values| values.sum("memory_closes_total", &[]);
    let start = Instant::now();
    // Twice what there is would not fit, so somebody is closed before.
    for published in 0.. {
        assert!(published < 2 * ROOM as usize / EVENT, "it is still there");
        rest.publish(&event);
        rest.trigger("lean", "e", "");
        well.expect("e");
        if closed(&Values::of(admin)) > 0.0 {
            break;
        }
    }
    assert!(get(admin, "/ready").status == 200, "it lives");
    let values = Values::of(admin);
    assert_eq!(closed(&values), 1.0);
    assert_eq!(values.sum("ws_slow_consumers_total", &[]), 0.0);
    // What had begun to leave arrives, and then the word to come back after a pause.
    loop {
        match fat.ws.next() {
            Incoming::Text(text) => match Event::parse(&text) {
                event if event.name == "e" => {}
                event => break assert_eq!(event.error().0, Some(4100)),
            },
            other => panic!("{other:?}"),
        }
    }
    fat.ws.expect_close(4100);
    thin.expect("e");
    // Then there is room again, also for new clients.
    loop {
        if get(admin, "/accept-traffic").status == 200 {
            break;
        }
        assert!(
            start.elapsed() < 2 * PATIENCE,
            "the memory is not given back"
        );
    }
    rest.trigger("lean", "last", "");
    well.expect("last");
}
