//! Apps that come, change and go.

use crate::served::Served;
use crate::support::pusher::Client;
use crate::support::sign::Keys;
use crate::{app, file, keys};
use serde_json::json;

#[test]
fn the_clients_of_an_app_that_goes_get_4003_and_the_others_stay() {
    let two = file(&[&app(1, ""), &app(2, "")]);
    let served = Served::start("goes", &two);
    let mut stays = Client::connect(served.address, "k1");
    stays.subscribe("news");
    let mut gone: Vec<Client> = (0..4)
        .map(|n| Client::connect_on(served.address, "k2", n % 2))
        .collect();
    for (user, client) in gone.iter_mut().enumerate() {
        client.join(
            &keys(2),
            "presence-a",
            &json!({"user_id": user.to_string()}),
        );
    }
    let mut backend = served.rest(&keys(2));
    let info = [("info", "subscription_count")];
    backend.trigger("cache-a", "old", "kept");
    let lines = served.reloaded(&file(&[&app(1, "")]));
    assert!(lines[0].contains("app 2: removed"), "{lines:#?}");
    for client in &mut gone {
        // What others' departures bring may come before.
        let closed =
            std::iter::from_fn(|| Some(client.next())).find(|it| it.name == "pusher:error");
        assert_eq!(closed.unwrap().error().0, Some(4003));
        client.ws.expect_close(4003);
    }
    assert_eq!(backend.get("channels", &info).status, 404);
    let mut late = crate::support::websocket::Ws::open(served.address, "/app/k2?protocol=7");
    crate::support::pusher::expect_told_and_closed(&mut late, 4001);
    served.rest(&keys(1)).trigger("news", "still", "");
    stays.expect("still");

    // It comes back as if it were new: nobody is there, and nothing is kept.
    let lines = served.reloaded(&two);
    assert!(lines[0].contains("app 2: added"), "{lines:#?}");
    let mut back = Client::connect(served.address, "k2");
    let members = back.join(&keys(2), "presence-a", &json!({"user_id": "new"}));
    assert_eq!(members["count"], 1);
    back.subscribe("cache-a");
    assert_eq!(back.cached, None);
    let here = backend.get_json("channels/presence-a", &[("info", "user_count")]);
    assert_eq!(here["user_count"], 1);
    stays.expect_quiet();
}

#[test]
fn an_app_that_is_not_enabled_any_more_is_closed_with_4003_and_may_come_back() {
    let served = Served::start("enabled", &file(&[&app(1, "")]));
    let mut client = Client::connect(served.address, "k1");
    served.reloaded(&file(&[&app(1, "enabled = false")]));
    client.expect_closed(4003);
    let mut late = crate::support::websocket::Ws::open(served.address, "/app/k1?protocol=7");
    crate::support::pusher::expect_told_and_closed(&mut late, 4003);
    assert_eq!(served.rest(&keys(1)).get("channels", &[]).status, 403);
    served.reloaded(&file(&[&app(1, "")]));
    Client::connect(served.address, "k1").subscribe("news");
}

#[test]
fn a_secret_that_changes_is_good_for_what_comes_next() {
    let served = Served::start("secret", &file(&[&app(1, "")]));
    let mut client = Client::connect(served.address, "k1");
    client.subscribe_signed(&keys(1), "private-before");
    let lines = served.reloaded(&file(&[&app(1, "").replace("canary-1", "canary-other")]));
    assert!(lines[0].contains("app 1: secret: changed"), "{lines:#?}");
    assert!(!lines.concat().contains("canary"), "{lines:#?}");
    let new = Keys::new("1", "k1", "canary-other");
    client.ask_signed(&keys(1), "private-after", None);
    client.expect_refused("private-after", "AuthError", 401);
    client.subscribe_signed(&new, "private-after");
    let body = json!({"name": "e", "channel": "private-before", "data": ""});
    assert_eq!(served.rest(&keys(1)).post("events", &body).status, 401);
    served.rest(&new).trigger("private-before", "e", "");
    client.expect("e"); // who was let in stays in
}

#[test]
fn a_limit_on_connections_counts_those_who_were_here_before_it() {
    let limited = |max: &str| file(&[&app(1, &format!("max_connections = {max}"))]);
    let served = Served::start("places", &limited("-1"));
    let mut here: Vec<Client> = (0..3)
        .map(|n| Client::connect_on(served.address, "k1", n % 2))
        .collect();
    let refused = |code| {
        let mut ws = crate::support::websocket::Ws::open(served.address, "/app/k1?protocol=7");
        crate::support::pusher::expect_told_and_closed(&mut ws, code);
    };
    served.reloaded(&limited("3"));
    refused(4004);
    served.reloaded(&limited("4"));
    here.push(Client::connect(served.address, "k1"));
    refused(4004);
    // Who comes while there is no limit is counted when there is one again, and only once.
    served.reloaded(&limited("-1"));
    here.push(Client::connect(served.address, "k1"));
    served.reloaded(&limited("5"));
    refused(4004);
    served.reloaded(&limited("6"));
    here.push(Client::connect(served.address, "k1"));
    refused(4004);
    for client in here {
        client.ws.close();
    }
    let mut rest = served.rest(&keys(1));
    rest.expect_soon("connections", &[], &json!({"connections": 0}));
    let all: Vec<Client> = (0..6)
        .map(|_| Client::connect(served.address, "k1"))
        .collect();
    refused(4004);
    drop(all);
}

#[test]
fn who_signed_in_before_a_watchlist_was_wanted_is_known_to_be_online() {
    let served = Served::start("watch", &file(&[&app(1, "")]));
    let mut early = Client::connect(served.address, "k1");
    early.sign_in(&keys(1), "early");
    served.reloaded(&file(&[&app(1, "watchlist = true")]));
    let mut watcher = Client::connect(served.address, "k1");
    let user = json!({"id": "watcher", "watchlist": ["early"]}).to_string();
    watcher.sign_in_with(&keys(1), &user);
    let told = watcher.expect("pusher_internal:watchlist_events").json();
    assert_eq!(
        told["events"][0],
        json!({"name": "online", "user_ids": ["early"]})
    );
    early.ws.close();
    let told = watcher.expect("pusher_internal:watchlist_events").json();
    assert_eq!(
        told["events"][0],
        json!({"name": "offline", "user_ids": ["early"]})
    );
}
