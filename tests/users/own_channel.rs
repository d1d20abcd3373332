//! `#server-to-user-ID`: delivered once to each connection of the user, seen by nobody else (U7 to
//! U9).

use super::support::server::{TestServer, app};
use super::support::sign::Keys;
use super::{USERS, keys, start};
use serde_json::json;

fn own(user: &str) -> String {
    format!("#server-to-user-{user}")
}

#[test]
fn each_connection_gets_it_once_subscribed_or_not() {
    // U7, U8, U9
    let server = TestServer::counting();
    let mut rest = server.rest();
    for user in USERS {
        let channel = own(user);
        let [mut bare, mut subscribed] = server.pair();
        let [mut twice, mut stranger] = server.pair();
        for client in [&mut bare, &mut subscribed, &mut twice] {
            client.sign_in(&keys(), user);
        }
        stranger.sign_in(&keys(), "somebody-else");
        subscribed.subscribe(&channel);
        twice.subscribe(&channel);
        twice.subscribe(&channel); // Q7
        // The answer comes from the home, so it has let the shard of the last one in as well.
        for client in [&mut bare, &mut stranger] {
            client.subscribe("news");
        }
        rest.expect_soon(
            &format!("channels/%23server-to-user-{}", encoded(user)),
            &[("info", "subscription_count")],
            &json!({"occupied": true, "subscription_count": 3}),
        );
        for number in 0..10 {
            rest.trigger(&channel, "hello", &number.to_string());
        }
        for client in [&mut bare, &mut subscribed, &mut twice] {
            for number in 0..10 {
                let event = client.expect("hello");
                assert_eq!(
                    (event.channel(), event.text()),
                    (&*channel, &*number.to_string())
                );
            }
            client.expect_quiet();
        }
        rest.trigger("news", "mark", "");
        stranger.expect("mark");
    }
}

/// Percent-encodes what paths give a meaning to.
fn encoded(id: &str) -> String {
    id.replace('@', "%40")
        .replace('=', "%3D")
        .replace(';', "%3B")
}

#[test]
fn a_client_that_subscribes_at_once_is_answered_once() {
    // U8: as pusher-js does, without waiting for anything
    for shards in [1, 2] {
        let server = start(shards, |_, _| {});
        let mut rest = server.rest();
        for user in USERS {
            let mut client = server.client();
            client.ask_to_sign_in(&keys(), &json!({"id": user}).to_string());
            client.ask_with(&own(user), "", None);
            client.expect("pusher:signin_success");
            client.expect_subscribed(&own(user));
            rest.trigger(&own(user), "hello", "");
            client.expect("hello");
            client.expect_quiet();
        }
    }
}

#[test]
fn unsubscribing_does_not_end_it() {
    // U9
    let server = TestServer::plain();
    let mut rest = server.rest();
    for user in USERS {
        let mut client = server.client();
        client.sign_in(&keys(), user);
        client.subscribe(&own(user));
        client.unsubscribe(&own(user));
        client.expect_quiet();
        rest.trigger(&own(user), "hello", "");
        client.expect("hello");
        client.subscribe(&own(user));
    }
}

#[test]
fn it_may_be_longer_than_the_apps_channel_names() {
    // U7: whoever may sign in can be reached
    let server = start(2, |app, _| app.channel_name_chars = 20);
    let mut rest = server.rest();
    let longest = "u".repeat(128);
    let mut client = server.client();
    client.sign_in(&keys(), &longest);
    client.subscribe(&own(&longest));
    rest.trigger(&own(&longest), "hello", "");
    client.expect("hello");
    let status = |rest: &mut super::support::rest::Rest, user: &str| {
        let event = json!({"name": "e", "channel": own(user), "data": ""});
        rest.post("events", &event).status
    };
    assert_eq!(status(&mut rest, &longest), 200);
    assert_eq!(status(&mut rest, &"u".repeat(129)), 400);
}

#[test]
fn nobody_elses_channel_is_given_away() {
    // U8, section 3.2
    let server = TestServer::plain();
    let mut rest = server.rest();
    let mut client = server.client();
    let refused = |client: &mut super::support::pusher::Client, name: &str| {
        client.ask(name);
        client.expect_refused(name, "InvalidChannel", 4009);
        client.ask_signed(&keys(), name, None); // no signature helps
        client.expect_refused(name, "InvalidChannel", 4009);
    };
    refused(&mut client, "#server-to-user-ann");
    client.sign_in(&keys(), "ann");
    for name in [
        "#server-to-user-ben",
        "#server-to-user-",
        "#server-to-user",
        "#x",
    ] {
        refused(&mut client, name);
    }
    rest.trigger("#server-to-user-ben", "hello", "");
    client.expect_quiet();
    client.subscribe("#server-to-user-ann");
}

#[test]
fn it_is_not_listed_and_takes_no_client_events() {
    // U9, Q14: not even where public channels take them
    let server = start(2, |app, _| app.allow_client_events_on_public = true);
    let mut rest = server.rest();
    let [mut first, mut second] = server.pair();
    for client in [&mut first, &mut second] {
        client.sign_in(&keys(), "ann");
        client.subscribe("#server-to-user-ann");
        client.subscribe("news");
    }
    assert_eq!(
        rest.get_json("channels", &[]),
        json!({"channels": {"news": {}}})
    );
    let prefix = [("filter_by_prefix", "#server-to-user-")];
    assert_eq!(rest.get_json("channels", &prefix), json!({"channels": {}}));
    first.trigger("#server-to-user-ann", "client-x", &json!({}));
    assert_eq!(
        first.expect_error(Some(4301)).as_deref(),
        Some("#server-to-user-ann")
    );
    second.expect_quiet();
}

#[test]
fn it_is_none_of_the_channels_a_connection_may_have() {
    // S8, and one past it
    let server = start(1, |_, config| config.channels_per_connection = 1);
    let mut client = server.client();
    client.sign_in(&keys(), "ann");
    client.subscribe("#server-to-user-ann");
    client.subscribe("news");
    client.ask("more");
    client.expect_refused("more", "LimitReached", 4100);
}

#[test]
fn a_publish_leaves_out_its_socket_and_users_of_other_apps() {
    // S13
    let mut other = app();
    (other.id, other.key) = ("1002".into(), "other-key".into());
    let server = TestServer::with_apps([app(), other.clone()]);
    let mut rest = server.rest();
    let [mut first, mut second] = server.pair();
    let mut stranger = super::support::pusher::Client::connect(server.address(), "other-key");
    stranger.sign_in(&Keys::of(&other), "ann");
    stranger.subscribe("#server-to-user-ann");
    for client in [&mut first, &mut second] {
        client.sign_in(&keys(), "ann");
        client.subscribe("#server-to-user-ann"); // from now on the home knows of it
    }
    rest.publish(&json!({
        "name": "hello", "channel": "#server-to-user-ann", "data": "",
        "socket_id": first.socket_id,
    }));
    second.expect("hello");
    rest.trigger("#server-to-user-ann", "both", "");
    first.expect("both");
    second.expect("both");
    stranger.expect_quiet();
}

#[test]
fn the_others_go_on_when_a_connection_ends() {
    let server = TestServer::plain();
    let mut rest = server.rest();
    for user in USERS {
        let [mut first, mut second] = server.pair();
        first.sign_in(&keys(), user);
        second.sign_in(&keys(), user);
        second.subscribe(&own(user));
        drop(first);
        rest.trigger(&own(user), "hello", "");
        second.expect("hello");
        drop(second);
        let path = format!("channels/%23server-to-user-{}", encoded(user));
        rest.expect_soon(&path, &[], &json!({"occupied": false}));
    }
}
