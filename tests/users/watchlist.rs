//! Watchlists: the state of all after a sign-in, then each change (U10 to U13, Q19).

use super::support::pusher::Client;
use super::support::server::TestServer;
use super::{USERS, keys, start};
use serde_json::{Value, json};
use shardcast::limits::WATCHLIST_MAX;

/// Longer than any test takes.
const NEVER_MS: u64 = 3_600_000;

fn with_watchlists(shards: usize, flap_ms: u64) -> TestServer {
    start(shards, |app, config| {
        app.watchlist = true;
        app.subscription_count = true; // of own channels too, for backends
        config.flap_ms = flap_ms;
    })
}

#[track_caller]
fn sign_in(client: &mut Client, id: &str, watchlist: &[&str]) {
    let user_data = json!({"id": id, "watchlist": watchlist});
    client.sign_in_with(&keys(), &user_data.to_string());
}

/// The next frame tells of this and nothing else, in the shape that SDKs read.
#[track_caller]
fn expect_events(client: &mut Client, events: &Value) {
    let event = client.expect("pusher_internal:watchlist_events");
    assert_eq!(event.channel, None); // U10
    assert_eq!(event.json(), json!({ "events": events }));
}

fn online(ids: &[&str]) -> Value {
    json!({"name": "online", "user_ids": ids})
}

fn offline(ids: &[&str]) -> Value {
    json!({"name": "offline", "user_ids": ids})
}

#[test]
fn first_the_state_of_all_then_each_change() {
    // U10, U11, U13, Q19
    for shards in [1, 2] {
        let server = with_watchlists(shards, 1);
        for user in USERS {
            for shard in 0..shards as u64 {
                let mut there = server.client_on(shard);
                there.sign_in(&keys(), "there");
                there.subscribe("#server-to-user-there"); // now its home knows
                let mut watcher = server.client_on(shard);
                sign_in(&mut watcher, "watcher", &["there", user, "nobody"]);
                expect_events(
                    &mut watcher,
                    &json!([online(&["there"]), offline(&[user, "nobody"])]),
                );
                let mut late = server.client();
                late.sign_in(&keys(), user);
                expect_events(&mut watcher, &json!([online(&[user])]));
                drop(late);
                expect_events(&mut watcher, &json!([offline(&[user])]));
                drop(there);
                expect_events(&mut watcher, &json!([offline(&["there"])]));
            }
        }
    }
}

#[test]
fn there_are_none_unless_the_app_wants_them() {
    // U12
    let server = TestServer::plain();
    let [mut first, mut second] = server.pair();
    sign_in(&mut first, "ann", &["ben", "ann"]);
    sign_in(&mut second, "ben", &["ann"]);
    second.subscribe("#server-to-user-ben");
    first.expect_quiet();
    let too_many: Vec<String> = (0..=WATCHLIST_MAX).map(|n| n.to_string()).collect();
    let user_data = json!({"id": "ben", "watchlist": too_many}).to_string();
    second.sign_in_with(&keys(), &user_data);
    second.expect_quiet();
}

#[test]
fn an_empty_list_is_no_frame() {
    let server = with_watchlists(2, 1);
    let mut client = server.client();
    sign_in(&mut client, "ann", &[]);
    client.expect_quiet();
    client.sign_in(&keys(), "ann");
    client.expect_quiet();
}

#[test]
fn an_id_counts_once_and_may_be_ones_own() {
    for shards in [1, 2] {
        let server = with_watchlists(shards, 1);
        for user in USERS {
            let mut client = server.client();
            sign_in(&mut client, user, &["x", user, "x", user, "a \"b\""]);
            let told = json!([online(&[user]), offline(&["x", "a \"b\""])]);
            expect_events(&mut client, &told);
            client.expect_quiet();
        }
    }
}

#[test]
fn the_first_hundred_are_kept() {
    // U12, at the limit and one past it
    let server = with_watchlists(2, 1);
    let ids: Vec<String> = (0..=WATCHLIST_MAX).map(|n| format!("u-{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let kept = &ids[..WATCHLIST_MAX];
    let mut client = server.client();
    sign_in(&mut client, "ann", kept);
    expect_events(&mut client, &json!([offline(kept)]));
    let mut client = server.client();
    let repeated = [kept, &ids[..1]].concat();
    sign_in(&mut client, "ann", &repeated);
    expect_events(&mut client, &json!([offline(kept)]));
    let mut client = server.client();
    sign_in(&mut client, "ann", &ids);
    assert_eq!(client.expect_error(Some(4302)), None);
    expect_events(&mut client, &json!([offline(kept)]));
    client.expect_quiet();
    // The one too many is not watched, the last that fits is.
    let [mut last, mut extra] = server.pair();
    extra.sign_in(&keys(), ids[WATCHLIST_MAX]);
    extra.subscribe(&format!("#server-to-user-{}", ids[WATCHLIST_MAX]));
    last.sign_in(&keys(), ids[WATCHLIST_MAX - 1]);
    expect_events(
        &mut client,
        &json!([online(&ids[WATCHLIST_MAX - 1..WATCHLIST_MAX])]),
    );
}

#[test]
fn who_comes_back_was_never_away() {
    // U11
    let server = with_watchlists(2, NEVER_MS);
    let mut rest = server.rest();
    let [mut first, mut second] = server.pair();
    sign_in(&mut first, "w", &["ann"]);
    sign_in(&mut second, "w", &["ann"]);
    for watcher in [&mut first, &mut second] {
        expect_events(watcher, &json!([offline(&["ann"])]));
    }
    for round in 0..4 {
        let mut user = server.client_on(round % 2);
        user.sign_in(&keys(), "ann");
        user.subscribe("#server-to-user-ann");
        if round == 0 {
            expect_events(&mut first, &json!([online(&["ann"])]));
            expect_events(&mut second, &json!([online(&["ann"])]));
        }
        drop(user);
        let (path, gone) = ("channels/%23server-to-user-ann", json!({"occupied": false}));
        rest.expect_soon(path, &[], &gone);
        // Whoever asks now is told what the others believe.
        let mut late = server.client();
        sign_in(&mut late, "w", &["ann"]);
        expect_events(&mut late, &json!([online(&["ann"])]));
    }
    first.expect_quiet();
    second.expect_quiet();
}

#[test]
fn a_user_is_online_with_its_first_connection_and_until_its_last() {
    // U11
    for shards in [1, 2] {
        let server = with_watchlists(shards, 1);
        let mut rest = server.rest();
        let mut watcher = server.client();
        sign_in(&mut watcher, "w", &["ann", "mark"]);
        expect_events(&mut watcher, &json!([offline(&["ann", "mark"])]));
        let mut first = server.client_on(0);
        let mut second = server.client_on(shards as u64 - 1);
        first.sign_in(&keys(), "ann");
        expect_events(&mut watcher, &json!([online(&["ann"])]));
        second.sign_in(&keys(), "ann");
        second.subscribe("#server-to-user-ann");
        drop(first);
        let path = "channels/%23server-to-user-ann";
        let one = json!({"occupied": true, "subscription_count": 1});
        rest.expect_soon(path, &[("info", "subscription_count")], &one);
        // On one shard another user's going comes later, and ann's would be told before it.
        let mut mark = server.client();
        mark.sign_in(&keys(), "mark");
        expect_events(&mut watcher, &json!([online(&["mark"])]));
        drop(mark);
        expect_events(&mut watcher, &json!([offline(&["mark"])]));
        drop(second);
        expect_events(&mut watcher, &json!([offline(&["ann"])]));
    }
}

#[test]
fn signing_in_again_brings_the_new_list() {
    // U3
    let server = with_watchlists(2, 1);
    let mut watcher = server.client();
    sign_in(&mut watcher, "w", &["ann", "ben"]);
    expect_events(&mut watcher, &json!([offline(&["ann", "ben"])]));
    sign_in(&mut watcher, "w", &["ben", "cas"]);
    expect_events(&mut watcher, &json!([offline(&["ben", "cas"])]));
    for (user, told) in [("ann", false), ("cas", true), ("ben", true)] {
        let mut client = server.client();
        client.sign_in(&keys(), user);
        client.subscribe(&format!("#server-to-user-{user}"));
        if told {
            expect_events(&mut watcher, &json!([online(&[user])]));
            drop(client);
            expect_events(&mut watcher, &json!([offline(&[user])]));
        }
    }
    sign_in(&mut watcher, "w", &[]);
    watcher.expect_quiet();
}

#[test]
fn users_of_another_app_are_others() {
    let mut apps = [super::app(), super::app()];
    (apps[1].id, apps[1].key) = ("1002".into(), "other-key".into());
    for app in &mut apps {
        app.watchlist = true;
    }
    let other = super::Keys::of(&apps[1]);
    let server = TestServer::with_apps(apps);
    let mut stranger = Client::connect(server.address(), "other-key");
    stranger.sign_in(&other, "ann");
    stranger.subscribe("#server-to-user-ann");
    let mut watcher = server.client();
    sign_in(&mut watcher, "w", &["ann"]);
    expect_events(&mut watcher, &json!([offline(&["ann"])]));
}
