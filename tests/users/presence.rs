//! Presence channels through the signed-in user (P9, Q12).

use super::support::server::TestServer;
use super::{USERS, keys, start};
use serde_json::json;

#[test]
fn a_user_joins_without_channel_data() {
    // P9, Q12
    let server = TestServer::plain();
    for user in USERS {
        let channel = format!("presence-{}", user.len());
        let [mut first, mut second] = server.pair();
        first.join(&keys(), &channel, &json!({"user_id": "watcher"}));
        let user_data = json!({"id": user, "user_info": {"name": "Zoë"}}).to_string();
        second.sign_in_with(&keys(), &user_data);
        second.ask_signed(&keys(), &channel, None);
        let members = second.expect_members(&channel);
        assert_eq!(members["ids"], json!(["watcher", user]));
        assert_eq!(members["hash"][user], json!({"name": "Zoë"}));
        let added = first.expect("pusher_internal:member_added").json();
        assert_eq!(
            added,
            json!({"user_id": user, "user_info": {"name": "Zoë"}})
        );
        second.unsubscribe(&channel);
        let removed = first.expect("pusher_internal:member_removed").json();
        assert_eq!(removed, json!({"user_id": user}));
    }
}

#[test]
fn without_user_info_there_is_none() {
    // P7
    let server = TestServer::plain();
    let mut client = server.client();
    client.sign_in(&keys(), "ann");
    client.ask_signed(&keys(), "presence-a", None);
    let members = client.expect_members("presence-a");
    assert_eq!(
        members,
        json!({"count": 1, "ids": ["ann"], "hash": {"ann": null}})
    );
}

#[test]
fn channel_data_goes_before_the_user() {
    let server = TestServer::plain();
    let mut client = server.client();
    client.sign_in(&keys(), "ann");
    let members = client.join(&keys(), "presence-a", &json!({"user_id": "other"}));
    assert_eq!(members["ids"], json!(["other"]));
    // One connection is one user of a channel (Q7).
    client.ask_signed(&keys(), "presence-a", None);
    client.expect_refused("presence-a", "InvalidMember", 4009);
}

#[test]
fn nobody_joins_without_a_user_or_a_signature() {
    // P9
    let server = TestServer::plain();
    let mut client = server.client();
    client.ask_signed(&keys(), "presence-a", None);
    client.expect_refused("presence-a", "InvalidMember", 4009);
    client.sign_in(&keys(), "ann");
    client.ask("presence-a");
    client.expect_refused("presence-a", "AuthError", 401);
    let token = keys().user_token(&client.socket_id, "presence-a");
    client.ask_with("presence-a", &token, None);
    client.expect_refused("presence-a", "AuthError", 401);
    client.ask_signed(&keys(), "presence-a", None);
    client.expect_members("presence-a");
}

#[test]
fn the_users_info_is_limited_like_any_members() {
    // P8, at the limit and one past it
    const INFO: &str = r#"{"n":1}"#;
    for (bytes, fits) in [(INFO.len(), true), (INFO.len() - 1, false)] {
        let server = start(1, |app, _| app.presence_member_bytes = bytes);
        let mut client = server.client();
        client.sign_in_with(&keys(), &format!(r#"{{"id":"ann","user_info":{INFO}}}"#));
        client.ask_signed(&keys(), "presence-a", None);
        if fits {
            client.expect_members("presence-a");
        } else {
            client.expect_refused("presence-a", "LimitReached", 4301);
        }
    }
}
