//! How much the dashboard shows, and of how many apps.

use super::support::metrics::get;
use super::support::pusher::Client;
use super::support::server::{TestServer, app, config};
use super::support::sign::Keys;
use super::{Page, admin, expect_soon};
use serde_json::{Value, json};
use shardcast::app::App;
use shardcast::limits::{CHANNELS_LOOKED_AT, CHANNELS_SHOWN, HISTORY_APPS_MAX, SUBSCRIBERS_SHOWN};
use shardcast::server::config::Config;

const CHANNELS: &str = "/dashboard/api/channels?app=1001";

/// A server where a connection may have one channel more than are looked at.
fn roomy() -> TestServer {
    TestServer::start(Config {
        channels_per_connection: CHANNELS_LOOKED_AT + 1,
        ..config([app()])
    })
}

/// Subscribes to channels of these numbers, and waits until all are answered.
fn occupy(client: &mut Client, numbers: std::ops::Range<usize>) {
    const AT_ONCE: usize = 500;
    for first in numbers.clone().step_by(AT_ONCE) {
        let some = first..numbers.end.min(first + AT_ONCE);
        for number in some.clone() {
            client.ask(&format!("c-{number}"));
        }
        for _ in some {
            client.expect("pusher_internal:subscription_succeeded");
        }
    }
}

fn length(list: &Value, of: &str) -> usize {
    list[of].as_array().unwrap().len()
}

#[test]
fn as_many_channels_are_shown_as_the_limit_says() {
    let server = roomy();
    let admin = admin(&server);
    let mut client = server.client();
    occupy(&mut client, 0..CHANNELS_SHOWN);
    let list = expect_soon(admin, CHANNELS, |list| list["found"] == CHANNELS_SHOWN);
    assert_eq!(length(&list, "channels"), CHANNELS_SHOWN);
    occupy(&mut client, CHANNELS_SHOWN..CHANNELS_SHOWN + 1);
    let list = expect_soon(admin, CHANNELS, |list| list["found"] == CHANNELS_SHOWN + 1);
    assert_eq!(
        (length(&list, "channels"), &list["more"]),
        (CHANNELS_SHOWN, &json!(false)),
        "all were looked at"
    );
}

#[test]
fn as_many_channels_are_looked_at_as_the_limit_says() {
    let server = roomy();
    let admin = admin(&server);
    let mut client = server.client();
    occupy(&mut client, 0..CHANNELS_LOOKED_AT);
    let list = expect_soon(admin, CHANNELS, |list| list["found"] == CHANNELS_LOOKED_AT);
    assert_eq!(list["more"], false);
    occupy(&mut client, CHANNELS_LOOKED_AT..CHANNELS_LOOKED_AT + 1);
    let list = expect_soon(admin, CHANNELS, |list| list["more"] == true);
    assert_eq!(list["found"], CHANNELS_LOOKED_AT + 1);
    assert_eq!(length(&list, "channels"), CHANNELS_SHOWN);
}

#[test]
fn as_many_subscribers_and_members_are_named_as_the_limit_says() {
    let mut app = app();
    app.presence_members = SUBSCRIBERS_SHOWN + 1;
    let keys = Keys::of(&app);
    let server = TestServer::with_apps([app]);
    let admin = admin(&server);
    let mut clients = Vec::new();
    let mut named = |count: usize| {
        while clients.len() < count {
            let mut client = server.client();
            let user = json!({"user_id": clients.len().to_string()});
            client.join(&keys, "presence-room", &user);
            clients.push(client);
        }
        let path = "/dashboard/api/channel?app=1001&name=presence-room";
        let room = expect_soon(admin, path, |room| room["subscriptions"] == count);
        assert_eq!(room["users"], count);
        (length(&room, "subscribers"), length(&room, "members"))
    };
    let most = SUBSCRIBERS_SHOWN;
    assert_eq!(named(most), (most, most));
    assert_eq!(named(most + 1), (most, most));
}

#[test]
fn of_many_apps_those_that_are_shown_are_counted_too() {
    let mut apps = vec![app()];
    // In front of the one that is shown, so many that it has no hour.
    let id = |number: usize| format!("0{number:03}");
    apps.extend((0..HISTORY_APPS_MAX).map(|n| App::new(id(n), format!("key-{n}"), "secret")));
    let server = TestServer::start(config(apps));
    let admin = admin(&server);
    let state = expect_soon(admin, "/dashboard/api/state", |state| {
        length(state, "apps") == HISTORY_APPS_MAX + 1
    });
    assert_eq!(state["apps"][HISTORY_APPS_MAX], "1001");
    let path = format!("/dashboard/api/history?app={}", id(HISTORY_APPS_MAX - 1));
    expect_soon(admin, &path, |hour| length(hour, "read") > 0);
    let mut page = Page::on(admin, &[]);
    let _client = server.client();
    let sample = loop {
        let sample = page.next("sample");
        if sample["app"]["connections"] == 1 {
            break sample;
        }
    };
    assert_eq!(sample["app"]["channels"], 0);
    let hour = get(admin, "/dashboard/api/history?app=1001").json();
    assert_eq!(length(&hour, "connections"), 0, "only its curve is drawn");
}
