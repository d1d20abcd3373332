//! Subscriptions to public and private channels: signatures, names, repeats, and the way out.

use crate::support::pusher::Client;
use crate::support::server::{TestServer, app};
use crate::support::sign::Keys;
use crate::support::vectors::{self, entries, keys_of, text};
use serde_json::{Value, json};

#[test]
fn public_subscriptions_as_every_client_sends_them() {
    // S1, S2
    let server = TestServer::plain();
    let mut client = server.client();
    for (n, data) in [
        r#"{"auth":"","channel":"c0"}"#, // pusher-js
        r#"{"channel":"c1"}"#,           // Java, Swift, .NET
        r#"{"auth":"nonsense","channel_data":"nope","channel":"c2"}"#,
        r#"{"auth":null,"channel_data":null,"channel":"c3"}"#, // W5
        r#"{"auth":{"x":1},"channel_data":[],"more":1,"channel":"c4"}"#,
    ]
    .into_iter()
    .enumerate()
    {
        client
            .ws
            .send_text(format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#));
        client.expect_subscribed(&format!("c{n}"));
    }
    client.expect_quiet();
}

#[test]
fn every_signature_of_the_vectors_made_for_the_real_socket() {
    // A1 to A3, Q33
    let vectors = vectors::vectors();
    let server = TestServer::with_apps(vectors::apps(&vectors));
    for entry in entries(&vectors, "channel_auth", 17) {
        let keys = keys_of(&vectors, entry);
        let mut client = Client::connect(server.address(), &keys.key);
        let channel = text(entry, "channel");
        let channel_data = entry["channel_data"].as_str();
        // The frame of the vector, with the token for this connection in it.
        let mut frame: Value = serde_json::from_str(text(entry, "subscribe_frame")).unwrap();
        assert_eq!(frame["data"]["channel_data"].as_str(), channel_data);
        client.send(&frame);
        client.expect_refused(channel, "AuthError", 401); // it was made for another one
        frame["data"]["auth"] = keys.token(&client.socket_id, channel, channel_data).into();
        client.send(&frame);
        match (channel.starts_with("presence-"), channel_data) {
            (false, _) => client.expect_subscribed(channel),
            (true, Some(_)) => assert_eq!(client.expect_members(channel)["count"], 1),
            // P9 needs a sign-in, which this server does not have yet.
            (true, None) => client.expect_refused(channel, "InvalidMember", 4009),
        }
        client.expect_quiet();
    }
}

#[test]
fn every_wrong_signature_of_the_vectors_is_refused_and_the_connection_stays() {
    // S5, A2, Q5, Q6
    let vectors = vectors::vectors();
    let server = TestServer::with_apps(vectors::apps(&vectors));
    for entry in entries(&vectors, "channel_auth_negative", 10) {
        let keys = keys_of(&vectors, entry);
        let mut client = Client::connect(server.address(), &keys.key);
        client.subscribe("before");
        let channel = text(entry, "channel");
        let channel_data = entry["channel_data"].as_str();
        client.ask_with(channel, text(entry, "auth"), channel_data);
        client.expect_refused(channel, "AuthError", 401);
        // The same fault in a token for this connection.
        client.ask_with(
            channel,
            &spoiled(&keys, entry, &client.socket_id),
            channel_data,
        );
        client.expect_refused(channel, "AuthError", 401);
        client.expect_quiet();
        // Other subscriptions are untouched, and the channel can still be had.
        client.ask("before");
        client.expect_subscribed("before");
        client.ask_signed(&keys, channel, Some(r#"{"user_id":"7"}"#));
        let answer = client.expect("pusher_internal:subscription_succeeded");
        assert_eq!(answer.channel(), channel);
    }
}

/// A token for this socket with the fault that the entry is about.
fn spoiled(keys: &Keys, entry: &Value, socket_id: &str) -> String {
    let channel = text(entry, "channel");
    let good = keys.token(socket_id, channel, entry["channel_data"].as_str());
    let (key, digest) = good.split_once(':').expect("a token has two parts");
    match text(entry, "id") {
        "other-socket" => keys.token("1.1", channel, None),
        "other-channel" => keys.token(socket_id, "private-y", None),
        "other-key" => format!("wrong-key:{digest}"),
        "other-secret" => Keys::new("77", key, "another").token(socket_id, channel, None),
        "no-colon" => digest.to_owned(),
        "empty" => String::new(),
        "truncated" => good[..good.len() - 1].to_owned(),
        "data-changed" => keys.token(socket_id, channel, Some(r#"{"user_id":"7"}"#)),
        "data-dropped" => keys.token(socket_id, channel, Some(r#"{"user_id":"7"}"#)),
        "data-added" => keys.token(socket_id, channel, None),
        other => panic!("{other} is not known here"),
    }
}

#[test]
fn a_private_channel_without_a_token_is_refused() {
    let server = TestServer::plain();
    let mut client = server.client();
    for channel in ["private-a", "presence-a", "private-encrypted-a"] {
        client.ask(channel);
        client.expect_refused(channel, "AuthError", 401);
    }
    client.expect_quiet();
}

#[test]
fn every_channel_name_of_the_vectors() {
    // Section 3.1
    let vectors = vectors::vectors();
    let server = TestServer::plain();
    let keys = Keys::of(&app());
    let names = vectors["channel_names"]["names"].as_array().unwrap();
    assert_eq!(names.len(), 37);
    let mut client = server.client();
    for entry in names {
        let name = text(entry, "name");
        let flag = |field: &str| entry[field].as_bool().unwrap();
        if !flag("client_may_subscribe") || name.starts_with('#') {
            client.ask_signed(&keys, name, Some(r#"{"user_id":"u"}"#));
            let kind = match name.chars().count() {
                201.. => "LimitReached",
                _ => "InvalidChannel", // U8: users' channels need a sign-in
            };
            client.expect_refused(name, kind, 4009);
            continue;
        }
        if flag("auth") {
            client.ask(name);
            client.expect_refused(name, "AuthError", 401);
            let member = flag("presence").then_some(r#"{"user_id":"u"}"#);
            client.ask_signed(&keys, name, member);
        } else {
            client.ask(name);
        }
        match flag("presence") {
            true => assert_eq!(client.expect_members(name)["ids"], json!(["u"])),
            false => client.expect_subscribed(name),
        }
    }
    client.expect_quiet();
}

#[test]
fn a_repeated_subscription_succeeds_again_and_counts_once() {
    // Q7
    let server = TestServer::counting();
    let keys = Keys::of(&app());
    let mut client = server.client();
    let mut rest = server.rest();
    for _ in 0..3 {
        client.subscribe("news");
        client.subscribe_signed(&keys, "private-news");
    }
    // Two in one write, before the first can have been answered.
    client.ask("twice");
    client.ask("twice");
    client.expect_subscribed("twice");
    client.expect_subscribed("twice");
    // A repeat has to prove itself too, and its failure takes nothing away.
    client.ask("private-news");
    client.expect_refused("private-news", "AuthError", 401);
    for channel in ["news", "private-news", "twice"] {
        let info = [("info", "subscription_count")];
        let state = rest.get_json(&format!("channels/{channel}"), &info);
        assert_eq!(state["subscription_count"], 1, "{channel}");
        rest.trigger(channel, "once", channel);
        assert_eq!(client.expect("once").channel(), channel);
    }
    client.expect_quiet();
}

#[test]
fn unsubscribing_is_silent_and_final() {
    // S9, Q8
    let server = TestServer::plain();
    let [mut stays, mut leaves] = server.pair();
    let mut rest = server.rest();
    for n in 0..6 {
        // Several names, so that both shards are home of some.
        let channel = &format!("news-{n}");
        stays.subscribe(channel);
        leaves.subscribe(channel);
        leaves.unsubscribe(channel);
        leaves.expect_quiet();
        rest.trigger(channel, "later", "1");
        stays.expect("later");
        leaves.unsubscribe(channel); // not subscribed any more
        leaves.unsubscribe("never-was");
        leaves.unsubscribe("not a name");
        leaves.expect_quiet();
        // Back again, and events come again.
        leaves.subscribe(channel);
        rest.trigger(channel, "back", "2");
        leaves.expect("back");
        stays.expect("back");
    }
}

#[test]
fn a_channel_vanishes_with_its_last_subscriber() {
    // S10, S11
    let server = TestServer::counting();
    let mut rest = server.rest();
    let [mut first, mut second] = server.pair();
    first.subscribe("news");
    second.subscribe("news");
    let mut count = |wanted: u64| {
        let state = json!({"occupied": wanted > 0, "subscription_count": wanted});
        rest.expect_soon("channels/news", &[("info", "subscription_count")], &state);
    };
    count(2);
    second.ws.close(); // a disconnect is an unsubscribe from everything
    count(1);
    first.unsubscribe("news");
    count(0);
    first.subscribe("news");
    count(1);
}

#[test]
fn events_come_after_the_success_and_none_before() {
    // S3, S4
    let server = TestServer::plain();
    let mut rest = server.rest();
    let mut witness = server.client();
    for n in 0..20 {
        let channel = &format!("c{n}");
        witness.subscribe(channel);
        rest.trigger(channel, "before", "0");
        witness.expect("before"); // R9: the answer alone does not say that it has happened
        let mut client = server.client();
        client.subscribe(channel);
        rest.trigger(channel, "after", "1");
        assert_eq!(client.expect("after").channel(), channel);
        client.expect_quiet();
        witness.expect("after");
    }
}
