//! A large fan-out does not keep a shard to itself.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use serde_json::json;
use shardcast::server::config::Config;
use std::thread;
use support::pusher::Client;
use support::server::{TestServer, app, config};

/// With events near their limit, some ten milliseconds of writing.
const SUBSCRIBERS: usize = 2_000;
const DATA_BYTES: usize = 9_000;

/// One event to everyone. While it is being written, `outsider` asks something; says whether the
/// answer came before the last subscriber had the event.
fn is_answered_in_between(server: &TestServer, all: &mut [Client], outsider: &mut Client) -> bool {
    let data = "x".repeat(DATA_BYTES);
    thread::scope(|scope| {
        scope.spawn(|| server.rest().trigger("large", "event", &data));
        let [first, .., last] = &mut *all else {
            panic!("there are many");
        };
        assert!(
            first.ws.wire.hears_within(10_000),
            "the event is on its way"
        );
        outsider.send(&json!({"event": "pusher:ping", "data": {}}));
        outsider.expect("pusher:pong");
        let early = !last.ws.wire.hears_within(1);
        for client in all {
            client.expect("event");
        }
        early
    })
}

#[test]
fn others_are_heard_and_answered_while_a_large_channel_is_written_to() {
    let server = TestServer::start(Config {
        shards: Some(1),
        ..config([app()])
    });
    let mut clients: Vec<Client> = (0..SUBSCRIBERS).map(|_| server.client()).collect();
    for client in &mut clients {
        client.subscribe("large");
    }
    let mut outsider = server.client();
    // This thread may be late once, or twice; a writer that finishes first is early never.
    let early = (0..10).filter(|_| is_answered_in_between(&server, &mut clients, &mut outsider));
    assert!(early.count() > 0);
}
