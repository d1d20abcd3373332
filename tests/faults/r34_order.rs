//! R33, R34: order and once-only across shards, whose rings are as short as they can be.

use crate::scene::{Scene, row};
use crate::support::pusher::Client;
use serde_json::json;
use std::thread;

const PUBLISHERS: usize = 4;
const EVENTS: usize = 300;
const LISTENERS: u64 = 8;

/// Publishes numbered events to one channel; what is refused is not counted and not sent.
fn publish(scene: &Scene, who: usize) -> usize {
    let mut backend = scene.backend();
    let mut taken = 0;
    for _ in 0..EVENTS {
        let name = format!("p{who}");
        let body = json!({"name": name, "channel": "order", "data": taken.to_string()});
        let response = backend.post("events", &body);
        match response.status {
            200 => taken += 1,
            503 => assert_eq!(response.header("retry-after"), Some("1")),
            other => panic!("{other}: {}", response.text()),
        }
    }
    taken
}

/// Reads to the end; gives how many there were of each publisher, each in its order and once.
fn listen(client: &mut Client) -> [usize; PUBLISHERS] {
    let mut seen = [0; PUBLISHERS];
    loop {
        let event = client.next();
        if event.name == "end" {
            return seen;
        }
        let who: usize = event.name[1..].parse().unwrap();
        assert_eq!(event.text(), seen[who].to_string(), "of publisher {who}");
        seen[who] += 1;
    }
}

#[test]
fn r34_each_event_arrives_once_and_in_its_publishers_order() {
    row("r34").flag("--mesh-slots", 16).run(|scene| {
        let on = |number: u64| Client::connect_on(scene.address(), "app-key", number % 2);
        let mut listeners: Vec<Client> = (0..LISTENERS).map(on).collect();
        for client in &mut listeners {
            client.subscribe("order");
        }
        let taken = thread::scope(|scope_of_threads| {
            let threads: [_; PUBLISHERS] =
                std::array::from_fn(|who| scope_of_threads.spawn(move || publish(scene, who)));
            threads.map(|thread| thread.join().unwrap())
        });
        scene.backend().trigger("order", "end", "");
        for client in &mut listeners {
            assert_eq!(listen(client), taken);
            client.expect_quiet();
        }
        println!("r34: {taken:?} of {EVENTS} events each were taken");
        assert!(taken.iter().all(|taken| *taken > 0));
    });
}

#[test]
fn r33_client_events_past_a_full_ring_are_refused_and_the_rest_arrives() {
    // As many as the other shard's ring has room for, many times over, in one write.
    const BURST: usize = 2_000;
    const APPS: &str = "[[apps]]\nid = \"2\"\nkey = \"fast\"\nsecret = \"fast-secret\"\n\
                        client_events = true\nclient_events_per_second = -1\n";
    row("r33").flag("--mesh-slots", 16).apps(APPS).run(|scene| {
        let keys = crate::support::sign::Keys::new("2", "fast", "fast-secret");
        let [mut sender, mut listener] = [0, 1].map(|shard| {
            let mut client = Client::connect_on(scene.address(), "fast", shard);
            client.subscribe_signed(&keys, "private-room");
            client
        });
        let mut all = Vec::new();
        for number in 0..BURST {
            let data = number.to_string();
            let frame = json!({"event": "client-e", "channel": "private-room", "data": data});
            all.extend(crate::support::websocket::text(frame.to_string()));
        }
        sender.ws.send(all);
        let refused = sender.count_refused();
        listener.expect_rising("client-e", BURST - refused);
        println!("r33: {refused} of {BURST} were refused");
    });
}
