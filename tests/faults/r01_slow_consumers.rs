//! R01: clients that stop reading, while much is published to them.

use crate::scene::{Scene, row};
use crate::support::pusher::{Client, Event};
use crate::support::websocket::Incoming;
use serde_json::{Value, json};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

const STALLED: usize = 200;
/// What all of them together may cost.
const COST_MAX: u64 = 80 << 20;
/// Batches of ten events of 10 KB: three times what a client may owe.
const BATCHES: usize = 30;

/// They are read from again after a while, and shall not have been given up by then.
const PATIENT_MS: u32 = 60_000;

fn event(channel: &str) -> Value {
    json!({"channel": channel, "name": "e", "data": "x".repeat(10_000)})
}

/// A client with a narrow kernel, on that channel.
fn stalled(scene: &Scene, channel: &str) -> Client {
    let mut client = Client::connect_narrow(scene.address(), "app-key");
    client.subscribe(channel);
    client
}

/// Reads what had begun to leave, then the word, then the end. Gives how much that was: nothing
/// where so much came at once that none of it could leave before.
fn told(client: &mut Client) -> usize {
    let mut got = 0;
    loop {
        match client.ws.next() {
            Incoming::Text(text) => match Event::parse(&text) {
                event if event.name == "e" => got += 1,
                event => break assert_eq!(event.error().0, Some(4100)),
            },
            other => panic!("{other:?} after {got} events"),
        }
    }
    assert!(got < BATCHES * 10, "{got}");
    client.ws.expect_close(4100);
    got
}

/// All of them are told, and what could leave before that did.
fn expect_told(all: &mut [Client]) {
    let got: usize = all.iter_mut().map(told).sum();
    assert!(got > 0);
}

/// Publishes to the channels of all, a batch when it is due; the last one goes out when the limit
/// is long past. Without a pace it would be seen what so many events cost, and not what it costs
/// that nobody reads them.
fn flood(scene: &Scene, batch: &[Value], pace_ms: u64) {
    let mut backend = scene.backend();
    let body = json!({ "batch": batch });
    let (_open, clock) = sync_channel::<()>(1);
    let start = Instant::now();
    for due in (0..BATCHES as u32).map(|number| number * Duration::from_millis(pace_ms)) {
        let _ = clock.recv_timeout(due.saturating_sub(start.elapsed())); // nothing comes: it is due
        let response = backend.post("batch_events", &body);
        assert_eq!(response.status, 200, "{}", response.text());
    }
}

#[test]
fn r01_stalled_clients_of_one_channel_are_closed_with_4100() {
    row("r01")
        .flag("--write-stall-ms", PATIENT_MS)
        .run(|scene| {
            let before = scene.server.memory().0;
            let mut all: Vec<Client> = (0..STALLED).map(|_| stalled(scene, "slow")).collect();
            flood(scene, &vec![event("slow"); 10], 40);
            expect_told(&mut all);
            let cost = scene.server.memory().1 - before;
            assert!(
                cost < COST_MAX,
                "{cost} bytes for {STALLED} stalled clients"
            );
        });
}

#[test]
fn r01_stalled_clients_that_owe_different_things_cost_as_much_as_each_may() {
    // Nothing of what waits for one waits for another one too.
    const EACH: usize = 20;
    const OUTBOX: usize = 256 * 1024;
    /// Less than that, even where all of it comes in one turn of the shard.
    const OWED: usize = 20;
    row("r01-own")
        .flag("--write-stall-ms", PATIENT_MS)
        .flag("--outbox-bytes", OUTBOX)
        .run(|scene| {
            let before = scene.server.memory().0;
            let names: Vec<String> = (0..EACH).map(|n| format!("slow-{n}")).collect();
            let mut all: Vec<Client> = names.iter().map(|name| stalled(scene, name)).collect();
            let mut backend = scene.backend();
            for name in &names {
                let body = json!({"batch": vec![event(name); 10]});
                for _ in 0..OWED / 10 {
                    assert_eq!(backend.post("batch_events", &body).status, 200);
                }
            }
            let cost = scene.server.memory().1 - before;
            // As two hundred of them would: the reference is 400 KB each.
            let most = COST_MAX * EACH as u64 / STALLED as u64;
            assert!(
                cost < most + (4 << 20),
                "{cost} bytes for {EACH} stalled clients"
            );
            println!("r01: {cost} bytes for {EACH} that owe {OWED} events of their own each");
            for name in &names {
                flood(scene, &vec![event(name); 10], 2);
            }
            expect_told(&mut all);
        });
}

#[test]
fn r01_a_client_that_takes_nothing_for_a_while_is_ended() {
    // Less than it may owe, more than the kernel takes for it.
    const OWED: usize = 80;
    const STALL_MS: u32 = 1_000;
    row("r01-stall")
        .flag("--write-stall-ms", STALL_MS)
        .run(|scene| {
            let mut client = stalled(scene, "slow");
            let mut backend = scene.backend();
            let start = Instant::now();
            let body = json!({"batch": vec![event("slow"); 10]});
            for _ in 0..OWED / 10 {
                assert_eq!(backend.post("batch_events", &body).status, 200);
            }
            backend.expect_soon("channels/slow", &[], &json!({"occupied": false}));
            assert!(
                start.elapsed() >= Duration::from_millis(STALL_MS.into()),
                "too early"
            );
            assert!(client.ws.wire.ends_somehow());
        });
}
