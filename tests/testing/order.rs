//! The order of what happens, and how long it takes.

use crate::room::{Shared, routes};
use shardcast::testing::{Received, Testing};
use std::time::Instant;

/// What two clients of two shards see of each other when both shout at once.
fn shouting(seed: Option<u64>) -> (Vec<Received>, Vec<String>) {
    let shared = Shared::default();
    let testing = Testing::new(routes(&shared));
    let shards = match seed {
        Some(seed) => testing.seed(seed).start(),
        None => testing.start(),
    };
    let mut clients: Vec<_> = (0..4)
        .map(|n| shards.connect(&format!("/room/{n}")))
        .collect();
    for round in 0..3 {
        for (who, client) in clients.iter_mut().enumerate() {
            client.send_text(&format!("all {who} {round}"));
        }
    }
    let seen = clients[0].receive_all();
    shards.stop();
    (seen, shared.take())
}

#[test]
fn a_test_runs_the_same_way_each_time() {
    let first = shouting(None);
    assert_eq!(first.0.len(), 12);
    assert_eq!(shouting(None), first);
}

#[test]
fn seeds_shuffle_and_keep_each_clients_own_order() {
    let runs: Vec<_> = (0..30).map(|seed| shouting(Some(seed)).0).collect();
    assert_eq!(shouting(Some(7)).0, runs[7]);
    assert!(runs.iter().any(|run| *run != runs[0]), "some differ");
    for run in &runs {
        for who in 0..4 {
            let of_one = run.iter().filter_map(|got| match got {
                Received::Text(text) => text.strip_prefix(&format!("{who} ")),
                other => panic!("{other:?}"),
            });
            assert_eq!(of_one.collect::<Vec<_>>(), ["0", "1", "2"]);
        }
    }
}

#[test]
fn a_hundred_clients_take_no_time_to_speak_of() {
    let begun = Instant::now();
    let shared = Shared::default();
    let shards = Testing::new(routes(&shared)).start();
    let mut clients: Vec<_> = (0..100)
        .map(|n| shards.connect(&format!("/room/{n}")))
        .collect();
    clients[0].send_text("all hello");
    for client in &mut clients {
        assert_eq!(client.expect_text(), "hello");
    }
    shards.stop();
    drop(clients);
    let took = begun.elapsed();
    println!("a hundred clients took {took:?}");
    // It takes some 10 ms; the rest is for a busy machine.
    assert!(took.as_millis() < 1_000, "{took:?}");
}
