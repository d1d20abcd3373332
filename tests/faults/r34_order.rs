//! R33, R34: order and once-only across shards, whose rings are as short as they can be.

use crate::scene::{Scene, row};
use crate::support::http::request;
use crate::support::pusher::Client;
use crate::support::rest::Rest;
use crate::support::sign::Keys;
use crate::support::websocket::text;
use serde_json::json;
use std::thread;

/// Several times what fits into a ring.
const PUBLISHERS: usize = 100;
/// Of each publisher in each round, all in one write.
const EVENTS: usize = 20;
/// In so many rounds a ring has to be full.
const ROUNDS_MIN: usize = 2;
/// By then they were, for all that is known of machines.
const ROUNDS_MAX: usize = 50;
/// Client events of one write: as many as a ring has room for, many times over.
const BURST: usize = 2_000;
const APPS: &str = "[[apps]]\nid = \"2\"\nkey = \"fast\"\nsecret = \"fast-secret\"\n\
                    client_events = true\nclient_events_per_second = -1\n";
const LISTENERS: u64 = 8;

/// A client of one shard that sends client events to one of the other shard, as fast as it can.
struct Shouting {
    sender: Client,
    listener: Client,
    burst: Vec<u8>,
}

impl Shouting {
    fn start(scene: &Scene) -> Self {
        let keys = Keys::new("2", "fast", "fast-secret");
        let [sender, listener] = [0, 1].map(|shard| {
            let mut client = Client::connect_on(scene.address(), "fast", shard);
            client.subscribe_signed(&keys, "private-room");
            client
        });
        let frames = (0..BURST).flat_map(|number| {
            let data = number.to_string();
            let frame = json!({"event": "client-e", "channel": "private-room", "data": data});
            text(frame.to_string())
        });
        Self {
            sender,
            listener,
            burst: frames.collect(),
        }
    }

    /// One burst; what was not refused has arrived. Gives how many were: the ring was full.
    fn round(&mut self) -> usize {
        self.sender.ws.send(&self.burst);
        let refused = self.sender.count_refused();
        self.listener.expect_rising("client-e", BURST - refused);
        refused
    }
}

/// A backend of one publisher, and which of its events were taken.
struct Publisher {
    name: String,
    backend: Rest,
    taken: Vec<usize>,
}

impl Publisher {
    /// Asks to publish so many numbered events to one channel, all in one write.
    fn ask(&mut self) {
        let mut all = Vec::new();
        for number in 0..EVENTS {
            let (name, data) = (&self.name, number.to_string());
            let body = json!({"name": name, "channel": "order", "data": data}).to_string();
            let keys = &self.backend.keys;
            let target = keys.target("POST", "/apps/1001/events", &[], body.as_bytes());
            all.extend(request("POST", &target, &[], body.as_bytes()));
        }
        self.backend.http.wire.send(all);
    }

    /// Reads the answers.
    fn hear(&mut self) {
        self.taken.clear();
        for number in 0..EVENTS {
            let response = self.backend.http.response();
            match response.status {
                200 => self.taken.push(number),
                503 => assert_eq!(response.header("retry-after"), Some("1")),
                other => panic!("{other}: {}", response.text()),
            }
        }
    }
}

/// Reads to the end; gives the numbers of each publisher's events in the order in which they came.
fn listen(client: &mut Client) -> Vec<Vec<usize>> {
    let mut seen = vec![Vec::new(); PUBLISHERS];
    loop {
        let event = client.next();
        if event.name == "end" {
            return seen;
        }
        let who: usize = event.name[1..].parse().unwrap();
        seen[who].push(event.text().parse().unwrap());
    }
}

#[test]
fn r34_each_event_arrives_once_and_in_its_publishers_order() {
    row("r34").flag("--mesh-slots", 16).apps(APPS).run(|scene| {
        let on = |number: u64| Client::connect_on(scene.address(), "app-key", number % 2);
        let mut listeners: Vec<Client> = (0..LISTENERS).map(on).collect();
        for client in &mut listeners {
            client.subscribe("order");
        }
        let mut publishers: Vec<Publisher> = (0..PUBLISHERS)
            .map(|who| Publisher {
                name: format!("p{who}"),
                backend: scene.backend(),
                taken: Vec::new(),
            })
            .collect();
        let mut shouting = Shouting::start(scene);
        let (mut refused, mut full) = (0, 0);
        let mut rounds = 0;
        while full < ROUNDS_MIN {
            assert!(rounds < ROUNDS_MAX, "no ring was ever full");
            thread::scope(|threads| {
                let shouted = threads.spawn(|| shouting.round());
                publishers.iter_mut().for_each(Publisher::ask);
                publishers.iter_mut().for_each(Publisher::hear);
                full += usize::from(shouted.join().unwrap() > 0);
            });
            scene.backend().trigger("order", "end", "");
            let taken: Vec<&Vec<usize>> = publishers.iter().map(|it| &it.taken).collect();
            for client in &mut listeners {
                assert_eq!(listen(client).iter().collect::<Vec<_>>(), taken);
                client.expect_quiet();
            }
            let count: usize = taken.iter().map(|taken| taken.len()).sum();
            assert!(count > 0);
            refused += PUBLISHERS * EVENTS - count;
            rounds += 1;
        }
        let all = rounds * PUBLISHERS * EVENTS;
        // A publish waits for room before it is refused; `pressure` shows that it is.
        println!(
            "r34: a ring was full in {full} of {rounds} rounds; {refused} of {all} publishes were \
             refused"
        );
    });
}

#[test]
fn r33_client_events_past_a_full_ring_are_refused_and_the_rest_arrives() {
    row("r33").flag("--mesh-slots", 16).apps(APPS).run(|scene| {
        let mut shouting = Shouting::start(scene);
        let mut refused = 0;
        let mut rounds = 0;
        while refused == 0 {
            assert!(rounds < ROUNDS_MAX, "no ring was ever full");
            refused = shouting.round();
            rounds += 1;
        }
        println!("r33: {refused} of {BURST} were refused in round {rounds}");
    });
}
