//! Lengths and numbers, each app's own.

use crate::support::pusher::Client;
use crate::support::rest::Rest;
use crate::support::server::TestServer;
use crate::support::sign::Keys;
use serde_json::{Value, json};
use shardcast::app::App;

/// An app in which everything is small, and one with the defaults beside it.
fn apps() -> [App; 2] {
    let tight = App {
        client_events: true,
        channel_name_chars: 20,
        event_name_chars: 12,
        event_data_bytes: 30,
        channels_per_event: 3,
        batch_events: 2,
        presence_members: 2,
        presence_member_bytes: 20,
        ..App::new("1001", "app-key", "app-secret")
    };
    let plain = App {
        client_events: true,
        ..App::new("2", "plain-key", "plain-secret")
    };
    [tight, plain]
}

/// A name of exactly so many characters.
fn named(prefix: &str, characters: usize) -> String {
    format!("{prefix}{}", "n".repeat(characters - prefix.len()))
}

/// The status of an event published with one part replaced.
fn publish(rest: &mut Rest, key: &str, value: Value) -> u16 {
    let mut event = json!({"name": "e", "channel": "a", "data": "d"});
    event[key] = value;
    let alone = rest.post("events", &event).status;
    if key != "channels" {
        let batch = rest.post("batch_events", &json!({"batch": [event]})).status;
        assert_eq!(alone, batch, "{event}");
    }
    alone
}

fn expect_event_refused(client: &mut Client, channel: &str) {
    let told = client.expect_error(Some(4301));
    assert_eq!(told.as_deref(), Some(channel));
}

#[test]
fn the_length_of_channel_names() {
    // Section 3.1: subscriptions, publishing, questions and client events
    let [tight, plain] = apps();
    let server = TestServer::with_apps([tight.clone(), plain.clone()]);
    let (keys, mut rest) = (Keys::of(&tight), server.rest());
    let mut client = server.client();
    let member = Some(r#"{"user_id":"u"}"#);
    for prefix in ["", "private-", "presence-"] {
        let (at, past) = (named(prefix, 20), named(prefix, 21));
        client.ask_signed(&keys, &at, member);
        let answer = client.expect("pusher_internal:subscription_succeeded");
        assert_eq!(answer.channel(), at);
        client.ask_signed(&keys, &past, member);
        client.expect_refused(&past, "LimitReached", 4009);
        client.trigger(&past, "client-x", &json!("d"));
        expect_event_refused(&mut client, &past);
        assert_eq!(publish(&mut rest, "channel", json!(past)), 400);
        assert_eq!(publish(&mut rest, "channels", json!(["a", past])), 400);
        assert_eq!(publish(&mut rest, "channels", json!(["a", at])), 200);
        client.expect("e");
        let status = |rest: &mut Rest, name| rest.get(&format!("channels/{name}"), &[]).status;
        assert_eq!(
            (status(&mut rest, &at), status(&mut rest, &past)),
            (200, 400)
        );
    }
    for (characters, status) in [(20, 200), (21, 400)] {
        let path = format!("channels/{}/users", named("presence-", characters));
        assert_eq!(rest.get(&path, &[]).status, status);
    }
    // The other app has its own limit.
    let mut other = Client::connect(server.address(), "plain-key");
    other.subscribe(&named("", 200));
    let mut rest = Rest::connect(&server, &plain);
    assert_eq!(publish(&mut rest, "channel", json!(named("x", 200))), 200);
    assert_eq!(publish(&mut rest, "channel", json!(named("x", 201))), 400);
}

#[test]
fn the_length_of_event_names() {
    let [tight, plain] = apps();
    let server = TestServer::with_apps([tight.clone(), plain.clone()]);
    let (keys, mut rest) = (Keys::of(&tight), server.rest());
    let [mut sender, mut other] = server.pair();
    for client in [&mut sender, &mut other] {
        client.subscribe_signed(&keys, "private-a");
    }
    // Characters, not bytes.
    assert_eq!(publish(&mut rest, "name", json!("é".repeat(12))), 200);
    assert_eq!(publish(&mut rest, "name", json!("é".repeat(13))), 400);
    let message = rest.post(
        "events",
        &json!({"name": "é".repeat(13), "channel": "a", "data": ""}),
    );
    assert!(
        message.error().contains("1 to 12 characters"),
        "{}",
        message.error()
    );
    let name = |characters: usize| format!("client-{}", "é".repeat(characters - 7));
    sender.trigger("private-a", &name(12), &json!("d"));
    assert_eq!(other.next().name, name(12));
    sender.trigger("private-a", &name(13), &json!("d"));
    expect_event_refused(&mut sender, "private-a");
    other.expect_quiet();
    let mut rest = Rest::connect(&server, &plain);
    assert_eq!(publish(&mut rest, "name", json!("é".repeat(200))), 200);
    assert_eq!(publish(&mut rest, "name", json!("é".repeat(201))), 400);
}

#[test]
fn the_size_of_data() {
    let [tight, plain] = apps();
    let server = TestServer::with_apps([tight.clone(), plain.clone()]);
    let (keys, mut rest) = (Keys::of(&tight), server.rest());
    let [mut sender, mut other] = server.pair();
    for client in [&mut sender, &mut other] {
        client.subscribe_signed(&keys, "private-a");
    }
    for (at, past) in [
        (json!("d".repeat(30)), json!("d".repeat(31))),
        (json!("é".repeat(15)), json!("é".repeat(16))), // bytes, not characters
        (json!(["d".repeat(26)]), json!(["d".repeat(27)])), // R7: of its JSON text
    ] {
        assert_eq!(publish(&mut rest, "data", at.clone()), 200);
        assert_eq!(publish(&mut rest, "data", past.clone()), 413);
        sender.trigger("private-a", "client-x", &at);
        other.expect("client-x");
        sender.trigger("private-a", "client-x", &past);
        expect_event_refused(&mut sender, "private-a");
    }
    other.expect_quiet();
    let mut rest = Rest::connect(&server, &plain);
    assert_eq!(publish(&mut rest, "data", json!("d".repeat(10_240))), 200);
    assert_eq!(publish(&mut rest, "data", json!("d".repeat(10_241))), 413);
}

#[test]
fn channels_of_an_event_and_events_of_a_batch() {
    let [tight, plain] = apps();
    let server = TestServer::with_apps([tight.clone(), plain.clone()]);
    let channels = |count: usize| json!((0..count).map(|n| format!("c{n}")).collect::<Vec<_>>());
    let batch = |rest: &mut Rest, count: usize| {
        let event = json!({"name": "e", "channel": "a", "data": "d"});
        let response = rest.post("batch_events", &json!({"batch": vec![event; count]}));
        (response.status, response.text().to_owned())
    };
    for (app, most_channels, most_events) in [(&tight, 3, 2), (&plain, 100, 10)] {
        let mut rest = Rest::connect(&server, app);
        assert_eq!(publish(&mut rest, "channels", channels(most_channels)), 200);
        assert_eq!(
            publish(&mut rest, "channels", channels(most_channels + 1)),
            400
        );
        assert_eq!(batch(&mut rest, most_events).0, 200);
        let (status, text) = batch(&mut rest, most_events + 1);
        assert_eq!(status, 400);
        assert!(
            text.contains(&format!("at most {most_events} events")),
            "{text}"
        );
    }
    // Doubles are one channel.
    let doubled = json!(["c0", "c1", "c0", "c2", "c1"]);
    assert_eq!(publish(&mut server.rest(), "channels", doubled), 200);
}

#[test]
fn members_and_their_size() {
    // P8
    let [tight, plain] = apps();
    let server = TestServer::with_apps([tight.clone(), plain]);
    let keys = Keys::of(&tight);
    let [mut one, mut two] = server.pair();
    let mut three = server.client();
    for (client, user) in [(&mut one, "1"), (&mut two, "2")] {
        client.ask_signed(
            &keys,
            "presence-a",
            Some(&format!("{{\"user_id\":\"{user}\"}}")),
        );
        client.expect_members("presence-a");
    }
    one.expect("pusher_internal:member_added");
    three.ask_signed(&keys, "presence-a", Some(r#"{"user_id":"3"}"#));
    three.expect_refused("presence-a", "LimitReached", 4100);
    three.ask_signed(&keys, "presence-a", Some(r#"{"user_id":"2"}"#)); // not a new one
    three.expect_members("presence-a");

    let info = |bytes: usize| {
        let info = json!({"n": "x".repeat(bytes - json!({"n": ""}).to_string().len())});
        json!({"user_id": "4", "user_info": info}).to_string()
    };
    three.ask_signed(&keys, "presence-b", Some(&info(20)));
    three.expect_members("presence-b");
    three.ask_signed(&keys, "presence-c", Some(&info(21)));
    three.expect_refused("presence-c", "LimitReached", 4301);
}
