//! R25: channels without number, each for a moment.

use crate::scene::{Scene, row};
use crate::support::websocket::text;
use serde_json::json;
use std::thread;

const CLIENTS: usize = 10;
/// Names of each client in each round; what is sent before it is read has to fit on the way.
const BATCH: usize = 50;
const BATCHES: usize = 400;

fn asked(verb: &str, name: &dyn Fn(usize) -> String) -> Vec<u8> {
    let frames = (0..BATCH).flat_map(|n| {
        let event = format!("pusher:{verb}");
        text(json!({"event": event, "data": {"channel": name(n)}}).to_string())
    });
    frames.collect()
}

/// Subscribes to names that nobody had before, and leaves them.
fn churn(scene: &Scene, who: usize, round: usize) {
    let mut client = scene.client();
    for batch in 0..BATCHES {
        let name = |n: usize| format!("churn-{who}-{round}-{batch}-{n}");
        client.ws.send(asked("subscribe", &name));
        // Channels live on either shard: which is the first to be answered is open.
        for _ in 0..BATCH {
            client.expect("pusher_internal:subscription_succeeded");
        }
        client.ws.send(asked("unsubscribe", &name));
    }
    client.expect_quiet();
}

fn round(scene: &Scene, number: usize) -> u64 {
    thread::scope(|scope| {
        for who in 0..CLIENTS {
            scope.spawn(move || churn(scene, who, number));
        }
    });
    scene.until("every channel is gone", || {
        let channels = scene.backend().get_json("channels", &[]);
        let channels = channels["channels"].as_object().unwrap();
        channels.keys().all(|name| !name.starts_with("churn"))
    });
    scene.server.memory().0
}

#[test]
fn r25_channels_that_came_and_went_leave_nothing() {
    row("r25").keeps(24 << 20).run(|scene| {
        let first = round(scene, 0);
        let second = round(scene, 1);
        println!(
            "r25: {} names a round; {first} bytes after one, {second} after two",
            CLIENTS * BATCH * BATCHES
        );
        assert!(
            second < first + first / 20 + (4 << 20),
            "{first}, then {second}"
        );
    });
}
