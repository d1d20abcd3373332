//! How many are subscribed, as subscribers are told (section 3.7).
//!
//! Told on several channels, so that either shard is home of some of them.

mod support;

use serde_json::json;
use shardcast::server::config::Config;
use support::pusher::Client;
use support::server::{TestServer, app, config, counting_app};
use support::sign::Keys;

const CHANNELS: [&str; 4] = ["news", "sport", "private-a", "private-encrypted-b"];
/// Longer than any test.
const HOUR_MS: u64 = 3_600_000;

fn keys() -> Keys {
    Keys::of(&app())
}

fn counting(shards: usize, count_interval_ms: u64) -> TestServer {
    TestServer::start(Config {
        shards: Some(shards),
        count_interval_ms,
        ..config([counting_app()])
    })
}

/// Reads numbers until this one, which is never passed, comes.
fn expect_up_to(client: &mut Client, channel: &str, count: u64) {
    let mut told = 0;
    while told != count {
        let event = client.expect("pusher_internal:subscription_count");
        assert_eq!(event.channel(), channel);
        told = event.json()["subscription_count"]
            .as_u64()
            .expect("a number");
        assert!(told <= count, "{told} of {count}");
    }
}

#[test]
fn each_change_is_told_to_all_subscribers() {
    // 3.7, Q35
    for shards in [2, 1] {
        let server = counting(shards, HOUR_MS);
        for channel in CHANNELS {
            let [mut one, mut two, mut three] =
                [0, (shards - 1) as u64, 0].map(|shard| server.client_on(shard));
            one.subscribe_signed(&keys(), channel);
            one.expect_count(channel, 1); // the first is told too
            two.subscribe_signed(&keys(), channel);
            two.expect_count(channel, 2);
            one.expect_count(channel, 2);
            three.subscribe_signed(&keys(), channel);
            for client in [&mut one, &mut two, &mut three] {
                client.expect_count(channel, 3);
            }
            // Asking again is no change (S7, Q7).
            three.subscribe_signed(&keys(), channel);
            for client in [&mut one, &mut two, &mut three] {
                client.expect_quiet();
            }
            two.unsubscribe(channel);
            one.expect_count(channel, 2);
            three.expect_count(channel, 2);
            two.expect_quiet(); // who left is not told
            drop(three); // S10
            one.expect_count(channel, 1);
        }
    }
}

#[test]
fn who_takes_anothers_place_is_told_the_number_it_was() {
    // One leaves and one comes in the same turn: no change, but somebody who never heard it.
    let server = counting(1, HOUR_MS);
    for channel in CHANNELS {
        let [mut stays, mut goes] = [server.client(), server.client()];
        stays.subscribe_signed(&keys(), channel);
        stays.expect_count(channel, 1);
        goes.subscribe_signed(&keys(), channel);
        goes.expect_count(channel, 2);
        stays.expect_count(channel, 2);
        for _ in 0..20 {
            // In one write, and so most likely in one turn.
            goes.unsubscribe(channel);
            goes.subscribe_signed(&keys(), channel);
            expect_up_to(&mut goes, channel, 2);
            expect_up_to(&mut stays, channel, 2);
        }
    }
}

#[test]
fn nobody_is_told_in_presence_channels_or_without_the_switch() {
    let server = counting(2, HOUR_MS);
    let [mut one, mut two] = server.pair();
    for channel in ["presence-a", "presence-b", "presence-cache-c"] {
        one.join(&keys(), channel, &json!({"user_id": "one"}));
        two.join(&keys(), channel, &json!({"user_id": "two"}));
        one.expect("pusher_internal:member_added");
        for client in [&mut one, &mut two] {
            client.expect_quiet();
        }
    }
    let server = TestServer::plain();
    let [mut one, mut two] = server.pair();
    let mut rest = server.rest();
    for channel in CHANNELS {
        one.subscribe_signed(&keys(), channel);
        two.subscribe_signed(&keys(), channel);
        rest.trigger(channel, "mark", "");
        for client in [&mut one, &mut two] {
            client.expect("mark");
            client.expect_quiet();
        }
        two.unsubscribe(channel);
        two.expect_quiet();
        one.expect_quiet();
    }
}

#[test]
fn more_than_a_hundred_are_not_told_of_each_change() {
    let server = counting(2, HOUR_MS);
    let mut rest = server.rest();
    let mut inside: Vec<Client> = Vec::new();
    for _ in 0..100 {
        let mut client = server.client();
        client.subscribe("news");
        inside.push(client);
    }
    for client in &mut inside {
        expect_up_to(client, "news", 100); // at the limit: told at once
    }
    let mut late = server.client();
    late.subscribe("news"); // one past it
    let wanted = json!({"occupied": true, "subscription_count": 101});
    rest.expect_soon("channels/news", &[("info", "subscription_count")], &wanted);
    rest.trigger("news", "mark", "");
    for client in inside.iter_mut().chain([&mut late]) {
        client.expect("mark"); // and nothing before it
    }
    // Back at the limit, everybody is told again.
    drop(late);
    for client in &mut inside {
        client.expect_count("news", 100);
    }
}

#[test]
fn more_than_a_hundred_are_told_after_the_interval() {
    let server = counting(2, 300);
    let mut inside: Vec<Client> = Vec::new();
    for _ in 0..103 {
        let mut client = server.client();
        client.subscribe("news");
        inside.push(client);
    }
    for client in &mut inside {
        expect_up_to(client, "news", 103);
    }
    // And once more when it has changed again.
    inside.pop();
    for client in &mut inside {
        client.expect_count("news", 102);
    }
}
