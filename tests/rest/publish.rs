//! `POST events` and `POST batch_events`: what is taken, and what subscribers get of it.

use crate::support::http::Http;
use crate::support::pusher::{Client, Event};
use crate::support::rest::Rest;
use crate::support::server::{NOW, TestServer, app, config};
use crate::support::sign::Keys;
use serde_json::{Value, json};
use shardcast::server::Server;
use std::thread;

fn event(name: &str, channel: &str, data: &str) -> Event {
    Event {
        name: name.into(),
        channel: Some(channel.into()),
        data: data.into(),
        user_id: None,
    }
}

#[test]
fn subscribers_get_what_was_published_byte_for_byte() {
    // S12, R7, R8, R9, W6
    let server = TestServer::plain();
    let mut rest = server.rest();
    let [mut one, mut two] = server.pair();
    for n in 0..6 {
        let channel = &format!("c{n}");
        one.subscribe(channel);
        two.subscribe(channel);
        for (data, text) in [
            (json!("{\"id\": 5}"), "{\"id\": 5}"),
            (json!("hello"), "hello"),
            (json!("\"hello\""), "\"hello\""),
            (json!(""), ""), // Q24
            (
                json!("☃ 😀 \"\\/ \u{0}\u{7f}\u{2028}\r\n"),
                "☃ 😀 \"\\/ \u{0}\u{7f}\u{2028}\r\n",
            ),
            (json!({"a": [1, {"b": null}]}), "{\"a\":[1,{\"b\":null}]}"),
            (json!(7), "7"),
            (json!(true), "true"),
        ] {
            // R6: what nobody knows is ignored.
            rest.publish(&json!({"name": "e", "channel": channel, "data": data, "x": [1]}));
            assert_eq!(one.next(), event("e", channel, text));
            assert_eq!(two.next(), event("e", channel, text));
        }
        // Q30: the backend is trusted; names are any characters (section 3.1).
        for name in [
            "pusher:x",
            "client-x",
            "App\\Events\\Ordé \"r\"",
            &"ë".repeat(200),
        ] {
            rest.trigger(channel, name, "d");
            assert_eq!(one.next(), event(name, channel, "d"));
            assert_eq!(two.next(), event(name, channel, "d"));
        }
    }
    rest.trigger("nobody-here", "e", "d"); // R9
}

#[test]
fn the_excluded_connection_gets_none_of_it() {
    // S13, on its own shard and on the other
    let server = TestServer::plain();
    let mut rest = server.rest();
    let [mut one, mut two] = server.pair();
    let channels: Vec<String> = (0..6).map(|n| format!("c{n}")).collect();
    for channel in &channels {
        one.subscribe(channel);
        two.subscribe(channel);
    }
    for excludes_one in [true, false] {
        let (out, other) = match excludes_one {
            true => (&mut one, &mut two),
            false => (&mut two, &mut one),
        };
        rest.publish(&json!({
            "name": "e", "channels": channels, "data": "d", "socket_id": out.socket_id,
        }));
        let mut got: Vec<Event> = channels.iter().map(|_| other.next()).collect();
        got.sort_by(|a, b| a.channel.cmp(&b.channel));
        let wanted = channels.iter().map(|channel| event("e", channel, "d"));
        assert!(got.into_iter().eq(wanted)); // S14: one frame a channel
        for channel in &channels {
            rest.trigger(channel, "mark", "");
            assert_eq!(out.next(), event("mark", channel, ""));
            assert_eq!(other.next(), event("mark", channel, ""));
        }
    }
    // Nobody is excluded by an id that is nobody's, or by none.
    for id in [
        json!("1.1"),
        json!("0.0"),
        json!("007.1"),
        json!(null),
        json!(""),
    ] {
        rest.publish(&json!({"name": "e", "channel": "c0", "data": "d", "socket_id": id}));
        assert_eq!(one.next(), event("e", "c0", "d"), "{id}");
        assert_eq!(two.next(), event("e", "c0", "d"), "{id}");
    }
}

#[test]
fn channels_of_one_request_come_in_the_order_of_its_list() {
    // S15: what one node with one shard promises; several shards promise it for each channel.
    let one_shard = shardcast::server::config::Config {
        shards: Some(1),
        ..config([app()])
    };
    let server = TestServer::start(one_shard);
    let mut rest = server.rest();
    let mut client = server.client();
    let channels = ["c3", "c1", "c4", "c1", "c5", "c9", "c2"];
    for channel in channels {
        client.subscribe(channel);
    }
    rest.publish(&json!({"name": "e", "channels": channels, "data": "d"}));
    for channel in ["c3", "c1", "c4", "c5", "c9", "c2"] {
        assert_eq!(client.next(), event("e", channel, "d")); // duplicates count once
    }
    rest.trigger("c1", "mark", "");
    assert_eq!(client.next(), event("mark", "c1", ""));
}

#[test]
fn all_subscribers_of_a_channel_see_one_order() {
    // S15 over shards: four backends at once, subscribers on both shards
    const EACH: usize = 50;
    let server = TestServer::plain();
    let mut clients: Vec<Client> = (0..4).map(|n| server.client_on(n % 2)).collect();
    for client in &mut clients {
        client.subscribe("busy");
    }
    thread::scope(|scope| {
        for sender in 0..4 {
            let mut rest = server.rest();
            scope.spawn(move || {
                for n in 0..EACH {
                    rest.trigger("busy", "e", &format!("{sender}.{n}"));
                }
            });
        }
    });
    let orders: Vec<Vec<String>> = clients
        .iter_mut()
        .map(|client| {
            let order = (0..4 * EACH).map(|_| client.expect("e").text().to_owned());
            order.collect()
        })
        .collect();
    assert!(orders.iter().all(|order| *order == orders[0]));
    for sender in 0..4 {
        let own = orders[0].iter().filter_map(|text| {
            let (from, n) = text.split_once('.')?;
            (from == sender.to_string()).then(|| n.parse::<usize>().unwrap())
        });
        assert!(own.eq(0..EACH), "each backend's own order is kept");
    }
}

#[test]
fn info_tells_of_each_channel() {
    // R10
    let server = TestServer::counting();
    let keys = Keys::of(&app());
    let mut rest = server.rest();
    let [mut one, mut two] = server.pair();
    one.subscribe("news");
    two.subscribe("news");
    for client in [&mut one, &mut two] {
        client.ask_signed(&keys, "presence-room", Some(r#"{"user_id":"u"}"#));
        client.expect_members("presence-room");
    }
    let mut ask = |info: Value| {
        let channels = ["news", "presence-room", "news", "nobody", "presence-nobody"];
        let body = json!({"name": "e", "channels": channels, "data": "d", "info": info});
        let response = rest.post("events", &body);
        assert_eq!(response.status, 200);
        response.json()
    };
    assert_eq!(
        ask(json!("user_count,subscription_count")),
        json!({"channels": {
            "news": {"subscription_count": 2},
            "presence-room": {"user_count": 1, "subscription_count": 2},
            "nobody": {"subscription_count": 0},
            "presence-nobody": {"user_count": 0, "subscription_count": 0},
        }})
    );
    assert_eq!(
        ask(json!("user_count")),
        json!({"channels": {
            "news": {},
            "presence-room": {"user_count": 1},
            "nobody": {},
            "presence-nobody": {"user_count": 0},
        }})
    );
    for info in [json!("nope"), json!(""), json!(null), json!(7)] {
        assert_eq!(ask(info), json!({}));
    }
}

#[test]
fn bodies_that_are_refused_publish_nothing() {
    // Sections 8.2 and 8.3
    let server = TestServer::plain();
    let mut client = server.client();
    client.subscribe("a");
    let mut rest = server.rest();
    let good = json!({"name": "e", "channel": "a", "data": "d"});
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    let names = |count: usize| -> Vec<String> { (0..count).map(|n| format!("c{n}")).collect() };
    for (body, status) in [
        (json!([]), 400),
        (json!("x"), 400),
        (json!({}), 400),
        (with("name", json!("")), 400),
        (with("name", json!(7)), 400),
        (with("name", json!("n".repeat(201))), 400),
        (with("data", json!(null)), 400),
        (with("data", json!("d".repeat(10_241))), 413),
        (with("data", json!("é".repeat(5_121))), 413),
        (with("data", json!(["d".repeat(10_237)])), 413),
        (with("channel", json!("a b")), 400),
        (with("channel", json!("")), 400),
        (with("channel", json!("c".repeat(201))), 400),
        (with("channel", json!(["a"])), 400),
        (with("channels", json!("a")), 400),
        (with("channels", json!([])), 400),
        (with("channels", json!(["a", 7])), 400),
        (with("channels", json!(["a", "#x"])), 400),
        (with("channels", json!(names(101))), 400),
        (with("socket_id", json!("1")), 400), // Q31
        (with("socket_id", json!("1.1\n")), 400),
        (with("socket_id", json!(1.1)), 400),
    ] {
        let refused = rest.post("events", &body);
        assert_eq!(refused.status, status, "{body}");
        assert!(!refused.error().is_empty());
    }
    let keys = Keys::of(&app());
    let mut http = Http::connect(server.address());
    for body in ["nope", "{", "{\"name\":", &"[".repeat(500_000), "\u{0}"] {
        let target = keys.target("POST", "/apps/1001/events", &[], body.as_bytes());
        let refused = http.ask("POST", &target, body.as_bytes());
        assert_eq!(refused.status, 400);
        assert!(!refused.error().is_empty());
    }
    // At the limit, all is well.
    for body in [
        with("name", json!("n".repeat(200))),
        with("data", json!("d".repeat(10_240))),
        with("channels", json!(names(100))), // wins over `channel`
        with("channel", json!("c".repeat(200))),
        with("channel", json!("#server-to-user-7")),
    ] {
        rest.publish(&body);
    }
    assert_eq!(client.next().name, "n".repeat(200));
    assert_eq!(client.next().text().len(), 10_240);
    rest.trigger("a", "mark", "");
    client.expect("mark");
}

#[test]
fn a_batch_is_published_in_its_order() {
    // Section 8.4
    let server = TestServer::counting();
    let keys = Keys::of(&app());
    let mut rest = server.rest();
    let [mut one, mut two] = server.pair();
    for client in [&mut one, &mut two] {
        client.subscribe("a");
        client.ask_signed(&keys, "presence-b", Some(r#"{"user_id":"u"}"#));
        client.expect_members("presence-b");
    }
    let item = |n: usize| json!({"channel": "a", "name": "e", "data": n.to_string()});
    let full: Vec<Value> = (0..10).map(item).collect();
    let response = rest.post("batch_events", &json!({"batch": full}));
    assert_eq!((response.status, response.json()), (200, json!({})));
    for n in 0..10 {
        assert_eq!(one.next(), event("e", "a", &n.to_string()));
        assert_eq!(two.next(), event("e", "a", &n.to_string()));
    }
    let response = rest.post(
        "batch_events",
        &json!({"batch": [
            {"channel": "a", "name": "e", "data": "all"},
            {"channel": "presence-b", "name": "e", "data": "all", "info": "user_count"},
            {"channel": "a", "name": "e", "data": "two", "socket_id": one.socket_id,
             "info": "subscription_count,user_count"},
        ]}),
    );
    let info = json!({"batch": [{}, {"user_count": 1}, {"subscription_count": 2}]});
    assert_eq!((response.status, response.json()), (200, info));
    for (client, count) in [(&mut one, 2), (&mut two, 3)] {
        let got: Vec<Event> = (0..count).map(|_| client.next()).collect();
        let on_a = got.iter().filter(|event| event.channel() == "a");
        let on_a: Vec<&str> = on_a.map(Event::text).collect();
        assert_eq!(on_a, ["all", "two"][..count - 1]);
    }
    rest.trigger("a", "mark", "");
    one.expect("mark");
    two.expect("mark");
}

#[test]
fn a_batch_is_taken_whole_or_not_at_all() {
    // Section 8.4
    let server = TestServer::plain();
    let mut client = server.client();
    client.subscribe("a");
    let mut rest = server.rest();
    let good = json!({"channel": "a", "name": "e", "data": "d"});
    for (bad, status) in [
        (json!({"channel": "a", "name": "e"}), 400),
        (json!({"channel": "a b", "name": "e", "data": "d"}), 400),
        (json!({"channels": ["a"], "name": "e", "data": "d"}), 400),
        (json!({"channel": "a", "name": "", "data": "d"}), 400),
        (
            json!({"channel": "a", "name": "e", "data": "d", "socket_id": "x"}),
            400,
        ),
        (
            json!({"channel": "a", "name": "e", "data": "d".repeat(10_241)}),
            413,
        ),
        (json!("x"), 400),
    ] {
        let refused = rest.post("batch_events", &json!({"batch": [good, good, bad]}));
        assert_eq!(refused.status, status, "{bad}");
    }
    let eleven = vec![good.clone(); 11];
    for body in [
        json!({"batch": eleven}),
        json!({"batch": []}),
        json!({"batch": good}),
        json!({}),
        json!([good]),
    ] {
        assert_eq!(rest.post("batch_events", &body).status, 400, "{body}");
    }
    rest.trigger("a", "mark", "");
    client.expect("mark");
}

#[test]
fn the_largest_batch_fits_the_default_body() {
    // Section 10: ten events of 10 KB that need escapes stay under 1 MB
    let server = TestServer::build(Server::builder().config(config([app()])).wall_clock(|| NOW));
    let mut client = server.client();
    client.subscribe("a");
    let mut rest: Rest = server.rest();
    let data = "\u{1}".repeat(10_240); // six bytes each in JSON
    let item = json!({"channel": "a", "name": "e", "data": data});
    let response = rest.post("batch_events", &json!({"batch": vec![item; 10]}));
    assert_eq!(response.status, 200, "{}", response.text());
    for _ in 0..10 {
        assert_eq!(client.next(), event("e", "a", &data));
    }
}
