//! R44: io_urings as short as they can be, with more to do than fits into them.

use crate::scene::{Scene, row};
use crate::support::pusher::Client;
use serde_json::json;
use std::thread;

const CLIENTS: usize = 300;
/// All that is published is less than who has not read it yet may owe.
const BATCHES: usize = 5;

/// Connects, subscribes, and gets every event, while others do the same.
fn part(scene: &Scene, clients: usize) {
    let mut all: Vec<Client> = (0..clients).map(|_| scene.client()).collect();
    for client in &mut all {
        client.ask("ring");
    }
    for client in &mut all {
        client.expect_subscribed("ring");
    }
    let mut backend = scene.backend();
    let own = backend
        .http
        .wire
        .stream()
        .local_addr()
        .unwrap()
        .port()
        .to_string();
    let item = json!({"channel": "ring", "name": own, "data": "x".repeat(2_000)});
    let batch = json!({"batch": vec![item; 10]});
    for _ in 0..BATCHES {
        let response = backend.post("batch_events", &batch);
        assert_eq!(response.status, 200, "{}", response.text());
    }
    for client in &mut all {
        let mut missing = BATCHES * 10;
        while missing > 0 {
            missing -= usize::from(client.next().name == own);
        }
    }
}

#[test]
fn r44_short_rings_serve_everybody() {
    row("r44").flag("--ring-depth", 8).run(|scene| {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| part(scene, CLIENTS / 4));
            }
        });
    });
}
