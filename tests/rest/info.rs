//! What backends are told of channels besides their names: counts, cached events, users' infos,
//! connections, and lists that are long.

use crate::support::pusher::Client;
use crate::support::rest::Rest;
use crate::support::server::{TestServer, app, config, counting_app};
use crate::support::sign::Keys;
use serde_json::{Value, json};
use shardcast::app::App;
use shardcast::server::config::Config;
use std::collections::BTreeMap;

const CACHE: (&str, &str) = ("info", "cache");

#[test]
fn the_cached_event_of_a_channel() {
    // Section 8.6
    let server = TestServer::plain();
    let mut rest = server.rest();
    for channel in [
        "cache-a",
        "cache-b",
        "private-cache-c",
        "private-encrypted-cache-d",
        "presence-cache-e",
    ] {
        let path = &format!("channels/{channel}");
        let state = rest.get_json(path, &[CACHE]);
        assert_eq!(state, json!({"occupied": false, "cache": null}));
        for data in ["{\"id\":5}", "", "ü\u{1}\"\\ \u{2028}"] {
            rest.trigger(channel, "e", data);
            let state = rest.get_json(path, &[CACHE]);
            assert_eq!(state["cache"]["data"], data);
            let ttl_s = state["cache"]["ttl"].as_u64().unwrap();
            assert!((1_700..=1_800).contains(&ttl_s), "{ttl_s}"); // C4
            assert_eq!(state["cache"].as_object().unwrap().len(), 2);
        }
        assert_eq!(rest.get_json(path, &[]), json!({"occupied": false}));
    }
    for channel in ["news", "cache", "private-a", "presence-a", "xcache-a"] {
        let refused = rest.get(&format!("channels/{channel}"), &[CACHE]);
        assert_eq!(refused.status, 400, "{channel}");
        assert!(!refused.error().is_empty());
    }
    // All that fits at once, and what does not.
    let all = ("info", "user_count,cache,subscription_count");
    let state = rest.get_json("channels/presence-cache-e", &[all]);
    assert_eq!(
        (&state["user_count"], state["cache"].is_object()),
        (&json!(0), true)
    );
    assert_eq!(rest.get("channels/cache-a", &[all]).status, 400);
}

#[test]
fn answers_to_events_tell_of_cached_events_too() {
    // R10: what does not fit is left out
    let server = TestServer::counting();
    let mut rest = server.rest();
    let channels = ["cache-a", "news", "presence-cache-b"];
    let body = json!({"name": "e", "channels": channels, "data": "d\n",
        "info": "cache,user_count,subscription_count"});
    let response = rest.post("events", &body);
    let cache = json!({"data": "d\n"});
    assert_eq!(
        without_ttl(response.json()),
        json!({"channels": {
            "cache-a": {"subscription_count": 0, "cache": cache},
            "news": {"subscription_count": 0},
            "presence-cache-b": {"user_count": 0, "subscription_count": 0, "cache": cache},
        }})
    );
    let batch = json!({"batch": [
        {"channel": "cache-a", "name": "e", "data": "1", "info": "cache"},
        {"channel": "cache-a", "name": "e", "data": "2"},
        {"channel": "news", "name": "e", "data": "3", "info": "cache"},
    ]});
    let response = rest.post("batch_events", &batch);
    let wanted = json!({"batch": [{"cache": {"data": "2"}}, {}, {}]});
    assert_eq!(without_ttl(response.json()), wanted);
}

#[test]
fn subscriptions_are_counted_where_the_app_counts_them() {
    // R15, section 8.6
    let server = TestServer::plain();
    let mut rest = server.rest();
    let mut client = server.client();
    client.subscribe("news");
    let count = ("info", "subscription_count");
    let state = rest.get_json("channels/news", &[count]);
    assert_eq!(state, json!({"occupied": true}));
    let list = rest.get_json("channels", &[count]);
    assert_eq!(list, json!({"channels": {"news": {}}}));
    let body = json!({"name": "e", "channel": "news", "data": "", "info": "subscription_count"});
    let response = rest.post("events", &body).json();
    assert_eq!(response, json!({"channels": {"news": {}}}));
    drop(client);

    let server = TestServer::counting();
    let mut rest = server.rest();
    let keys = Keys::of(&app());
    let [mut one, mut two] = server.pair();
    for (n, client) in [&mut one, &mut two].into_iter().enumerate() {
        client.subscribe("news");
        client.join(&keys, "presence-a", &json!({"user_id": "same"}));
        let count = json!({"subscription_count": n + 1});
        let list = rest.get_json("channels", &[("info", "subscription_count,cache")]);
        assert_eq!(
            list,
            json!({"channels": {"news": count, "presence-a": count}})
        );
    }
    let state = rest.get_json("channels/presence-a", &[count]);
    assert_eq!(state, json!({"occupied": true, "subscription_count": 2}));
}

#[test]
fn users_with_their_infos() {
    // Section 8.7, as soketi's users know it
    let server = TestServer::plain();
    let mut rest = server.rest();
    let keys = Keys::of(&app());
    let [mut one, mut two] = server.pair();
    one.join(
        &keys,
        "presence-a",
        &json!({"user_id": "u-1", "user_info": {"name": "Zoë"}}),
    );
    two.join(&keys, "presence-a", &json!({"user_id": "u-2"}));
    let path = "channels/presence-a/users";
    let with = json!({"users": [{"id": "u-1", "user_info": {"name": "Zoë"}}, {"id": "u-2"}]});
    let without = json!({"users": [{"id": "u-1"}, {"id": "u-2"}]});
    assert_eq!(rest.get_json(path, &[("with_user_info", "1")]), with);
    for value in ["0", "", "true", "2"] {
        assert_eq!(rest.get_json(path, &[("with_user_info", value)]), without);
    }
    assert_eq!(rest.get_json(path, &[]), without);
    let nobody = "channels/presence-nobody/users";
    assert_eq!(
        rest.get_json(nobody, &[("with_user_info", "1")]),
        json!({"users": []}) // Q27
    );
    let refused = rest.get("channels/news/users", &[("with_user_info", "1")]);
    assert_eq!(refused.status, 400);
}

#[test]
fn connections_are_counted_over_all_shards() {
    // Section 8.9, as Reverb answers: with or without a channel
    let other = App::new("2", "other-key", "other-secret");
    for shards in [2, 1] {
        let server = TestServer::start(Config {
            shards: Some(shards),
            ..config([app(), other.clone()])
        });
        let mut rest = server.rest();
        let connections = |n: usize| json!({ "connections": n });
        assert_eq!(rest.get_json("connections", &[]), connections(0));
        let mut inside = Vec::new();
        for n in 1..=6 {
            let mut client = server.client_on(n % shards as u64);
            if n % 3 == 0 {
                client.subscribe("news");
            }
            inside.push(client);
            assert_eq!(rest.get_json("connections", &[]), connections(n as usize));
        }
        let _there = Client::connect(server.address(), "other-key");
        assert_eq!(rest.get_json("connections", &[]), connections(6));
        let mut theirs = Rest::connect(&server, &other);
        assert_eq!(theirs.get_json("connections", &[]), connections(1));
        inside.truncate(4);
        rest.expect_soon("connections", &[], &connections(4));
        assert_eq!(rest.post("connections", &json!({})).status, 405);
    }
}

/// Takes the remaining seconds out of an answer: how many they are depends on the machine.
fn without_ttl(mut answer: Value) -> Value {
    fn visit(value: &mut Value) {
        if let Some(cache) = value.get_mut("cache").and_then(Value::as_object_mut) {
            let ttl_s = cache.remove("ttl").and_then(|ttl| ttl.as_u64());
            assert!(ttl_s.is_some_and(|ttl_s| (1_700..=1_800).contains(&ttl_s)));
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(visit),
            Value::Object(fields) => fields.values_mut().for_each(visit),
            _ => {}
        }
    }
    visit(&mut answer);
    answer
}

/// More than a home tells of at once, and more bytes than a client's backlog may have.
#[test]
fn a_long_list_is_whole() {
    // Section 8.5, R15
    const CHANNELS: usize = 6_000;
    let server = TestServer::start(Config {
        channels_per_connection: CHANNELS,
        outbox_bytes: 1 << 20,
        ..config([counting_app()])
    });
    let mut rest = server.rest();
    let mut client = server.client();
    client.skips_counts = true;
    let name = |n: usize| format!("c-{n}-{}", "x".repeat(185));
    for first in (0..CHANNELS).step_by(100) {
        let names = (first..first + 100).map(name);
        names.clone().for_each(|name| client.ask(&name));
        for name in names {
            let event = client.expect("pusher_internal:subscription_succeeded");
            assert!(event.channel().starts_with("c-"), "{name}");
        }
    }
    let response = rest.get("channels", &[("info", "subscription_count")]);
    assert_eq!(response.status, 200);
    let text = response.text();
    assert!(text.len() > 1 << 20, "{}", text.len());
    // Read as a list, so that a name that stands twice is seen.
    let once = text.matches("\"subscription_count\":1").count();
    let listed: BTreeMap<String, Value> =
        serde_json::from_value(response.json()["channels"].clone()).unwrap();
    assert_eq!((once, listed.len()), (CHANNELS, CHANNELS));
    let some = rest.get_json("channels", &[("filter_by_prefix", "c-5999-")]);
    assert_eq!(some["channels"], json!({ name(5999): {} }));
}
