//! R02: a client that reads, but slowly.

use crate::proxy::{GOOD, Line, Proxy};
use crate::scene::row;
use crate::support::pusher::{Client, Event};
use crate::support::websocket::Incoming;
use serde_json::json;
use std::time::{Duration, Instant};

/// Fifty kilobytes a second.
const SLOW: Line = Line {
    piece: 1024,
    pause: Duration::from_millis(20),
    ..GOOD
};
const EVENT_BYTES: usize = 10_000;

#[test]
fn r02_a_slow_reader_gets_everything_and_is_closed_for_what_it_owes_alone() {
    // A quarter of a megabyte, which takes the line five seconds, and is less than it may owe.
    const TAKEN: usize = 25;
    row("r02").flag("--outbox-bytes", 256 * 1024).run(|scene| {
        let proxy = Proxy::start(scene.address(), GOOD);
        let mut slow = Client::connect(proxy.address, "app-key");
        slow.subscribe("slow");
        proxy.set(|line| *line = SLOW);
        let mut backend = scene.backend();
        let start = Instant::now();
        let data = "x".repeat(EVENT_BYTES);
        for number in 0..TAKEN {
            backend.trigger("slow", &number.to_string(), &data);
        }
        let published = start.elapsed();
        for number in 0..TAKEN {
            assert_eq!(slow.expect(&number.to_string()).text(), data);
        }
        let took = start.elapsed();
        assert!(
            took >= Duration::from_secs(2),
            "the line was not slow: {took:?}"
        );
        assert!(
            published < took / 2,
            "the backend waited for it: {published:?}"
        );
        slow.expect_quiet();

        let mut beside = Client::connect_on(scene.address(), "app-key", slow.shard());
        beside.subscribe("slow");
        // More than it may owe, and it stands still: told why as soon as it moves.
        proxy.set(|line| line.stalled = true);
        for _ in 0..10 {
            let item = json!({"channel": "slow", "name": "e", "data": data});
            let batch = json!({"batch": vec![item; 10]});
            assert_eq!(backend.post("batch_events", &batch).status, 200);
            for _ in 0..10 {
                beside.expect("e"); // of the same shard: the slow one was sent it too
            }
        }
        proxy.set(|line| *line = GOOD);
        let mut got = 0;
        loop {
            match slow.ws.next() {
                Incoming::Text(text) => match Event::parse(&text) {
                    event if event.name == "e" => got += 1,
                    event => break assert_eq!(event.error().0, Some(4100)),
                },
                other => panic!("{other:?} after {got} events"),
            }
        }
        assert!(got < 100, "nothing was too much for it");
        slow.ws.expect_close(4100);
    });
}
