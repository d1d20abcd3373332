//! What is told: each kind with its fields, edges and nothing but edges (K5, K10).

use crate::receiver::Receiver;
use crate::support::server::{TestServer, config};
use crate::support::sign::Keys;
use crate::{app_with, everything, names, only, quick, told};
use serde_json::json;
use shardcast::app::{App, WebhookKind};
use shardcast::server::config::Config;
use std::time::{Duration, Instant};

#[test]
fn the_first_and_the_last_subscriber_over_both_shards_are_told_of() {
    let receiver = Receiver::plain();
    let app = app_with([only(
        receiver.url(),
        &[WebhookKind::ChannelOccupied, WebhookKind::ChannelVacated],
    )]);
    let mut server = TestServer::start(quick([app.clone()]));
    for channel in ["a", "b", "private-c", "cache-d", "presence-e", "presence-f"] {
        let [mut one, mut two] = server.pair();
        for (client, user) in [(&mut one, "1"), (&mut two, "2")] {
            match channel.starts_with("presence-") {
                true => drop(client.join(&Keys::of(&app), channel, &json!({"user_id": user}))),
                false => client.subscribe_signed(&Keys::of(&app), channel),
            }
        }
        let occupied = json!({"name": "channel_occupied", "channel": channel});
        assert_eq!(receiver.events(&app, 1), [occupied], "{channel}");
        one.unsubscribe(channel);
        drop(two); // an end counts as much as an unsubscription
        let vacated = json!({"name": "channel_vacated", "channel": channel});
        assert_eq!(receiver.events(&app, 1), [vacated], "{channel}");
    }
    server.end();
    assert_eq!(receiver.rest(&app), [json!(null); 0]);
}

#[test]
fn members_are_told_of_by_user() {
    let receiver = Receiver::plain();
    let app = App {
        presence_members: 1,
        ..app_with([only(
            receiver.url(),
            &[
                WebhookKind::ChannelOccupied,
                WebhookKind::ChannelVacated,
                WebhookKind::MemberAdded,
                WebhookKind::MemberRemoved,
            ],
        )])
    };
    let keys = Keys::of(&app);
    let mut server = TestServer::start(Config {
        flap_ms: 60_000,
        ..quick([app.clone()])
    });
    for channel in ["presence-a", "presence-b"] {
        let [mut one, mut again] = server.pair();
        one.join(&keys, channel, &json!({"user_id": "u-1"}));
        again.join(&keys, channel, &json!({"user_id": "u-1"}));
        // There is no room for another: that is nobody's arrival.
        let mut other = server.client();
        other.ask_signed(&keys, channel, Some("{\"user_id\":\"u-2\"}"));
        other.expect("pusher:subscription_error");
        let told = receiver.events(&app, 2);
        assert_eq!(
            told[0],
            json!({"name": "channel_occupied", "channel": channel})
        );
        let added = json!({"name": "member_added", "channel": channel, "user_id": "u-1"});
        assert_eq!(told[1], added);
    }
    server.end(); // everybody is gone for good, so nothing is held any longer
    let told = receiver.rest(&app);
    assert_eq!(told.len(), 4, "{told:?}");
    for channel in ["presence-a", "presence-b"] {
        assert_eq!(names(&told, channel), ["member_removed", "channel_vacated"]);
    }
    assert!(
        told.iter()
            .filter(|event| event["user_id"] == "u-1")
            .count()
            == 2
    );
}

#[test]
fn a_client_event_is_told_once_with_its_sender() {
    // CE6
    let receiver = Receiver::plain();
    let app = app_with([only(receiver.url(), &[WebhookKind::ClientEvent])]);
    let keys = Keys::of(&app);
    let mut server = TestServer::start(quick([app.clone()]));
    let [mut one, mut two] = server.pair();
    for client in [&mut one, &mut two] {
        client.subscribe_signed(&keys, "private-a");
        client.subscribe_signed(&keys, "private-encrypted-a");
    }
    one.join(&keys, "presence-a", &json!({"user_id": "u-1"}));
    let data = json!({"k": "\u{2603} \"quoted\""});
    // What an encrypted channel carries is told as it came: the receiver has the key (E5).
    for channel in ["private-a", "private-encrypted-a", "presence-a"] {
        one.trigger(channel, "client-move", &data);
        let told = receiver.events(&app, 1).remove(0);
        assert_eq!(told["name"], "client_event");
        assert_eq!(
            (&told["channel"], &told["event"]),
            (&json!(channel), &json!("client-move"))
        );
        assert_eq!(told["socket_id"], json!(one.socket_id));
        // A string, and what subscribers get (K10).
        let text = told["data"].as_str().expect("data is a string");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(text).unwrap(),
            data
        );
        let user = (channel == "presence-a").then_some("u-1");
        assert_eq!(told["user_id"].as_str(), user);
    }
    two.expect("client-move");
    // Refused: nobody is told.
    one.trigger("private-b", "client-move", &data);
    one.expect_error(None);
    server.rest().trigger("private-a", "server-event", "{}");
    server.end();
    assert_eq!(receiver.rest(&app), [json!(null); 0]);
}

#[test]
fn connections_are_told_of_when_asked_for() {
    let receiver = Receiver::plain();
    let app = told(&receiver);
    let mut server = TestServer::start(quick([app.clone()]));
    let client = server.client();
    let id = json!(client.socket_id);
    let opened = json!({"name": "connection_opened", "channel": "", "socket_id": id});
    assert_eq!(receiver.events(&app, 1), [opened]);
    drop(client);
    let closed = json!({"name": "connection_closed", "channel": "", "socket_id": id,
        "code": 1006, "reason": "Connection lost"});
    assert_eq!(receiver.events(&app, 1), [closed]);
    let last = server.client();
    receiver.events(&app, 1);
    server.end();
    let told = receiver.rest(&app);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["socket_id"], json!(last.socket_id));
    assert_eq!(told[0]["code"], 4100); // W22
}

#[test]
fn users_are_told_of_when_asked_for() {
    let receiver = Receiver::plain();
    let app = app_with([only(
        receiver.url(),
        &[
            WebhookKind::UserOnline,
            WebhookKind::UserOffline,
            WebhookKind::ChannelOccupied,
            WebhookKind::ChannelVacated,
            WebhookKind::SubscriptionCount,
        ],
    )]);
    let keys = Keys::of(&app);
    let mut server = TestServer::start(quick([app.clone()]));
    for id in ["a", "b", "c"] {
        let channel = format!("#server-to-user-{id}");
        let [mut one, mut two] = server.pair();
        one.sign_in(&keys, id);
        let online = json!({"name": "user_online", "channel": channel, "user_id": id});
        assert_eq!(receiver.events(&app, 1), [online]);
        two.sign_in(&keys, id);
        two.subscribe(&channel); // U8: told of as a channel to nobody
        drop(one);
        two.unsubscribe(&channel);
        drop(two);
        assert_eq!(names(&receiver.events(&app, 1), &channel), ["user_offline"]);
    }
    server.end();
    assert_eq!(receiver.rest(&app), [json!(null); 0]);
}

#[test]
fn a_connection_that_signed_in_is_told_of_by_user() {
    let receiver = Receiver::plain();
    let app = app_with([only(receiver.url(), &[WebhookKind::ConnectionClosed])]);
    let server = TestServer::start(quick([app.clone()]));
    let mut client = server.client();
    client.sign_in(&Keys::of(&app), "a");
    let socket_id = json!(client.socket_id);
    drop(client);
    let told = receiver.events(&app, 1).remove(0);
    assert_eq!(
        (&told["user_id"], &told["socket_id"]),
        (&json!("a"), &socket_id)
    );
}

#[test]
fn a_user_who_comes_back_was_never_gone() {
    // K5
    let receiver = Receiver::plain();
    let app = app_with([only(
        receiver.url(),
        &[WebhookKind::UserOnline, WebhookKind::UserOffline],
    )]);
    let mut server = TestServer::start(Config {
        flap_ms: 60_000,
        ..config([app.clone()])
    });
    for reload in 0..4 {
        server.client_on(reload % 2).sign_in(&Keys::of(&app), "a");
    }
    server.end();
    let told = receiver.rest(&app);
    assert_eq!(
        names(&told, "#server-to-user-a"),
        ["user_online", "user_offline"]
    );
}

#[test]
fn a_page_reload_is_not_told() {
    // K5, Q36
    let receiver = Receiver::plain();
    let app = app_with([only(
        receiver.url(),
        &[
            WebhookKind::ChannelOccupied,
            WebhookKind::ChannelVacated,
            WebhookKind::MemberAdded,
            WebhookKind::MemberRemoved,
        ],
    )]);
    let keys = Keys::of(&app);
    let mut server = TestServer::start(Config {
        flap_ms: 60_000,
        ..config([app.clone()])
    });
    let member = json!({"user_id": "u-1"});
    let mut watcher = server.client();
    watcher.subscribe("other");
    for reload in 0..4 {
        let mut page = server.client_on(reload % 2);
        page.subscribe("a");
        page.join(&keys, "presence-a", &member);
        // Seen by the server before the page comes back, since the channel is empty by then.
        drop(page);
        let mut rest = server.rest();
        let empty = json!({"channels": {"other": {}}});
        rest.expect_soon("channels", &[], &empty);
    }
    server.end();
    let told = receiver.rest(&app);
    assert_eq!(names(&told, "a"), ["channel_occupied", "channel_vacated"]);
    let presence = [
        "channel_occupied",
        "member_added",
        "member_removed",
        "channel_vacated",
    ];
    assert_eq!(names(&told, "presence-a"), presence);
}

#[test]
fn who_is_gone_for_long_enough_is_told_of() {
    // K5
    let receiver = Receiver::plain();
    let app = app_with([only(receiver.url(), &[WebhookKind::ChannelVacated])]);
    let server = TestServer::start(Config {
        flap_ms: 300,
        ..config([app.clone()])
    });
    let mut client = server.client();
    client.subscribe("a");
    let left = Instant::now();
    client.unsubscribe("a");
    assert_eq!(names(&receiver.events(&app, 1), "a"), ["channel_vacated"]);
    // The server counts whole milliseconds: what came late in one is due early in another.
    assert!(left.elapsed() >= Duration::from_millis(299));
}

#[test]
fn an_app_without_webhooks_tells_nobody() {
    let receiver = Receiver::plain();
    let silent = App {
        webhooks: Vec::new(),
        ..App::new("2002", "silent", "secret-2")
    };
    let app = app_with([everything(receiver.url())]);
    let mut server = TestServer::start(quick([silent, app.clone()]));
    let mut nobody = crate::support::pusher::Client::connect(server.address(), "silent");
    nobody.subscribe("a");
    drop(nobody);
    server.client().subscribe("b");
    server.end();
    let told = receiver.rest(&app);
    assert!(names(&told, "a").is_empty(), "{told:?}");
    assert_eq!(names(&told, "b"), ["channel_occupied", "channel_vacated"]);
}

#[test]
fn a_cache_channel_without_an_event_is_told_of_for_each_who_comes() {
    // C3
    let receiver = Receiver::plain();
    let app = app_with([only(receiver.url(), &[WebhookKind::CacheMiss])]);
    let keys = Keys::of(&app);
    let mut server = TestServer::start(quick([app.clone()]));
    let missed = |channel: &str| json!({"name": "cache_miss", "channel": channel});
    for channel in ["cache-a", "private-cache-a", "private-encrypted-cache-a"] {
        for mut client in server.pair() {
            client.subscribe_signed(&keys, channel);
            assert_eq!(receiver.events(&app, 1), [missed(channel)]);
            client.subscribe_signed(&keys, channel); // Q7: not told again
        }
        server.rest().trigger(channel, "e", "d");
        let mut client = server.client();
        client.subscribe_signed(&keys, channel); // there is one now
    }
    server.end();
    assert_eq!(receiver.rest(&app), [json!(null); 0]);
}

#[test]
fn the_number_of_subscribers_is_told_as_a_number_and_not_in_presence_channels() {
    // 3.7, K10
    let receiver = Receiver::plain();
    let app = App {
        subscription_count: true,
        ..app_with([only(receiver.url(), &[WebhookKind::SubscriptionCount])])
    };
    let mut server = TestServer::start(quick([app.clone()]));
    let name = "subscription_count";
    let counted = |count: u32| json!({"name": name, "channel": "a", name: count});
    let [mut one, mut two] = server.pair();
    one.join(&Keys::of(&app), "presence-a", &json!({"user_id": "u-1"}));
    one.subscribe("a");
    assert_eq!(receiver.events(&app, 1), [counted(1)]);
    two.subscribe("a");
    assert_eq!(receiver.events(&app, 1), [counted(2)]);
    one.unsubscribe("a");
    assert_eq!(receiver.events(&app, 1), [counted(1)]);
    server.end();
    assert_eq!(receiver.rest(&app), [json!(null); 0]);
}
