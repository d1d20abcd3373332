//! Order and exactness on real sockets, over two shards: subscribing while events pour in, and
//! presence of one user from both shards at the same instant.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use serde_json::json;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use support::pusher::{Client, Event};
use support::rest::Rest;
use support::server::{TestServer, app};
use support::sign::Keys;

const SUBSCRIBERS: usize = 1_000;

/// Publishes numbered events until told to stop; says how many.
fn publish(server: &TestServer, name: &str, stop: &AtomicBool, published: &AtomicU32) -> u32 {
    let mut rest = Rest::connect(server, &app());
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        rest.trigger("storm", name, &number.to_string());
        number += 1;
        published.fetch_add(1, Ordering::Relaxed);
    }
    number
}

/// What a subscriber gets until the end.
fn listen(client: &mut Client) -> Vec<(String, u32)> {
    let mut events = Vec::new();
    loop {
        let event = client.next();
        assert_eq!(event.channel(), "storm");
        if event.name == "end" {
            return events;
        }
        events.push((event.name.clone(), event.text().parse().unwrap()));
    }
}

#[test]
fn a_thousand_subscribe_in_a_storm_of_events() {
    // Conformance item 8
    let server = TestServer::plain();
    let mut clients: Vec<Client> = (0..SUBSCRIBERS).map(|_| server.client()).collect();
    let mut first = server.client();
    first.subscribe("storm"); // before anything is published: it will have all of it
    let (stop, published) = (AtomicBool::new(false), AtomicU32::new(0));
    let counts = thread::scope(|scope| {
        let publishers = ["p0", "p1", "p2"].map(|name| {
            let (server, stop, published) = (&server, &stop, &published);
            scope.spawn(move || publish(server, name, stop, published))
        });
        // One subscribes, one event goes out, one subscribes: all through the storm.
        for (index, client) in clients.iter_mut().enumerate() {
            while published.load(Ordering::Relaxed) < index as u32 {
                thread::yield_now();
            }
            client.ask("storm");
        }
        stop.store(true, Ordering::Relaxed);
        publishers.map(|publisher| publisher.join().unwrap())
    });
    server.rest().trigger("storm", "end", "");

    // The first subscriber was there before the storm and has all of it: that is the order.
    let order = listen(&mut first);
    for (publisher, count) in ["p0", "p1", "p2"].iter().zip(counts) {
        let own = order
            .iter()
            .filter(|(name, _)| name == publisher)
            .map(|(_, number)| *number);
        assert!(
            own.eq(0..count),
            "{publisher}: each event once, in its own order (S15)"
        );
    }
    let mut late = 0;
    for client in &mut clients {
        // S3, S4: nothing of the channel comes before the success.
        client.expect_subscribed("storm");
        let events = listen(client);
        // Everybody else has the end of that order, without a gap (S4).
        let from = order
            .len()
            .checked_sub(events.len())
            .expect("nobody got more than there was");
        assert_eq!(events, order[from..]);
        late += usize::from(from > 0);
    }
    println!(
        "{} events, {late} of {SUBSCRIBERS} subscribed while they came",
        order.len()
    );
    assert!(
        order.len() >= SUBSCRIBERS - 1 && late > SUBSCRIBERS / 2,
        "that was no storm: {late}"
    );
}

#[test]
fn the_excluded_connection_is_left_out_on_whichever_shard() {
    // S13, conformance item 9
    let server = TestServer::plain();
    let mut clients: Vec<Client> = [0, 1, 0, 1].map(|shard| server.client_on(shard)).into();
    for client in &mut clients {
        client.subscribe("news");
    }
    // Several backends, so that the request itself lands on both shards.
    for mut rest in (0..8).map(|_| server.rest()) {
        for excluded in 0..clients.len() {
            let socket_id = clients[excluded].socket_id.clone();
            rest.publish(
                &json!({"name": "e", "channel": "news", "data": "x", "socket_id": socket_id}),
            );
            rest.trigger("news", "sentinel", "");
            for (index, client) in clients.iter_mut().enumerate() {
                if index != excluded {
                    client.expect("e");
                }
                client.expect("sentinel");
            }
        }
    }
}

/// One connection that joins and leaves in step with another one.
fn flap(address: SocketAddr, shard: u64, rounds: usize, step: &Barrier) {
    let keys = Keys::of(&app());
    let mut client = Client::connect_on(address, "app-key", shard);
    for _ in 0..rounds {
        step.wait();
        let presence = client.join(&keys, "presence-room", &json!({"user_id": "flapper"}));
        assert_eq!(presence["count"], 3, "{presence}");
        step.wait();
        client.unsubscribe("presence-room");
    }
    step.wait();
}

/// A member that keeps its own picture of who is there.
struct Observer {
    client: Client,
    seen: HashSet<String>,
}

impl Observer {
    fn new(server: &TestServer, shard: u64, name: &str) -> Self {
        let mut client = server.client_on(shard);
        let presence = client.join(
            &Keys::of(&app()),
            "presence-room",
            &json!({"user_id": name}),
        );
        let seen = presence["ids"].as_array().unwrap().iter();
        let seen = seen.map(|id| id.as_str().unwrap().to_owned()).collect();
        Self { client, seen }
    }

    /// Reads one change, which must be the expected one.
    fn change(&mut self, name: &str) {
        let event = self.client.expect(name);
        self.apply(&event);
    }

    /// Takes a change into the picture, where it must be possible.
    fn apply(&mut self, event: &Event) {
        let user_id = event.json()["user_id"].as_str().unwrap().to_owned();
        match event.name.as_str() {
            "pusher_internal:member_added" => {
                assert!(
                    self.seen.insert(user_id),
                    "P2: added while there: {event:?}"
                );
            }
            "pusher_internal:member_removed" => {
                assert!(
                    self.seen.remove(&user_id),
                    "P2: removed while gone: {event:?}"
                );
            }
            _ => panic!("no change of members: {event:?}"),
        }
    }

    /// Reads all changes up to the event `end`; says how many there were.
    fn changes_until_end(&mut self) -> usize {
        for changes in 0.. {
            let event = self.client.next();
            if event.name == "end" {
                return changes;
            }
            self.apply(&event);
        }
        unreachable!("the loop ends with the event")
    }
}

#[test]
fn one_user_on_two_shards_is_one_member_through_a_thousand_rounds() {
    // P1 to P4, conformance item 7
    const ROUNDS: usize = 1_000;
    let server = TestServer::plain();
    let mut first = Observer::new(&server, 0, "observer-0");
    let mut second = Observer::new(&server, 1, "observer-1");
    first.change("pusher_internal:member_added");
    let (step, address) = (Barrier::new(3), server.address());
    thread::scope(|scope| {
        for shard in [0, 1] {
            let step = &step;
            scope.spawn(move || flap(address, shard, ROUNDS, step));
        }
        for _ in 0..ROUNDS {
            step.wait(); // both join at once
            first.change("pusher_internal:member_added");
            second.change("pusher_internal:member_added");
            step.wait(); // both are in; both leave at once
            first.change("pusher_internal:member_removed");
            second.change("pusher_internal:member_removed");
        }
        step.wait();
    });
    let users = json!({"users": [{"id": "observer-0"}, {"id": "observer-1"}]});
    server
        .rest()
        .expect_soon("channels/presence-room/users", &[], &users);
    for observer in [&mut first, &mut second] {
        observer.client.expect_quiet();
        assert_eq!(observer.seen.len(), 2);
    }
}

/// One of two connections of a user, of which one joins whenever the other one leaves.
fn take_turns(address: SocketAddr, shard: u64, rounds: u64, step: &Barrier) {
    let keys = Keys::of(&app());
    let mut client = Client::connect_on(address, "app-key", shard);
    for round in 0..rounds {
        step.wait();
        if (round + shard).is_multiple_of(2) {
            let presence = client.join(&keys, "presence-room", &json!({"user_id": "mover"}));
            assert_eq!(presence["count"], 3, "{presence}");
        } else if round > 0 {
            client.unsubscribe("presence-room");
        }
    }
    client.ws.close();
}

#[test]
fn one_user_moves_between_two_shards_through_a_thousand_rounds() {
    // P2 to P4, conformance item 7: the join on one shard races the leave on the other one.
    const ROUNDS: u64 = 1_000;
    let server = TestServer::plain();
    let mut observers = [0, 1].map(|shard| Observer::new(&server, shard, &format!("o-{shard}")));
    observers[0].change("pusher_internal:member_added");
    let (step, address) = (Barrier::new(2), server.address());
    thread::scope(|scope| {
        for shard in [0, 1] {
            let step = &step;
            scope.spawn(move || take_turns(address, shard, ROUNDS, step));
        }
    });
    let mut rest = server.rest();
    let users = json!({"users": [{"id": "o-0"}, {"id": "o-1"}]});
    rest.expect_soon("channels/presence-room/users", &[], &users);
    rest.trigger("presence-room", "end", "");

    // Whichever came first in a round, both observers were told the same and of no half a change.
    let changes = observers.each_mut().map(Observer::changes_until_end);
    println!("{} changes in {ROUNDS} rounds", changes[0]);
    assert_eq!(changes[0], changes[1]);
    assert!((2..=2 * ROUNDS as usize).contains(&changes[0]));
    for observer in observers {
        assert_eq!(observer.seen.len(), 2);
    }
}
