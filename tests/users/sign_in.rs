//! `pusher:signin`: who is let in, and what everybody else is told (U1 to U5, Q17, Q18).

use super::support::pusher::Client;
use super::support::server::TestServer;
use super::support::vectors::{self, entries, text};
use super::{keys, start};
use serde_json::{Value, json};
use shardcast::limits::USER_ID_MAX;

fn sign_in(data: &Value) -> Value {
    json!({"event": "pusher:signin", "data": data})
}

#[test]
fn the_text_that_was_signed_comes_back() {
    // U2, U5
    for shards in [1, 2] {
        let server = start(shards, |_, _| {});
        for shard in 0..shards as u64 {
            for user_data in [
                r#"{"id":"a"}"#,
                r#"{ "watchlist":["b"], "user_info":{"name":"Zo\u00eb \"Z\" \\ ☃"},"id":"user-1"}"#,
            ] {
                let mut client = server.client_on(shard);
                client.ask_to_sign_in(&keys(), user_data);
                let event = client.expect("pusher:signin_success");
                let wanted = format!("{{\"user_data\":{}}}", json!(user_data));
                assert_eq!((event.channel.as_deref(), event.text()), (None, &*wanted));
                client.expect_quiet(); // and no watchlist, which the app does not want (U12)
            }
        }
    }
}

#[test]
fn every_user_of_the_vectors_signs_in() {
    // Section 4.2, each signed anew for the socket at hand
    let vectors = vectors::vectors();
    let server = TestServer::with_apps(vectors::apps(&vectors));
    for entry in entries(&vectors, "user_auth", 5) {
        let keys = vectors::keys_of(&vectors, entry);
        let mut client = Client::connect(server.address(), &keys.key);
        client.sign_in_with(&keys, text(entry, "user_data"));
    }
    for entry in entries(&vectors, "user_auth_negative", 6) {
        let keys = vectors::keys_of(&vectors, entry);
        let mut client = Client::connect(server.address(), &keys.key);
        let user_data = text(entry, "user_data");
        let auth = match text(entry, "id") {
            "channel-style" => keys.token(&client.socket_id, user_data, None),
            "no-key" => {
                let token = keys.user_token(&client.socket_id, user_data);
                token.split_once(':').expect("key and digest").1.to_owned()
            }
            "other-socket" => keys.user_token("1.1", user_data),
            _ => keys.user_token(&client.socket_id, user_data),
        };
        client.send(&sign_in(&json!({"auth": auth, "user_data": user_data})));
        assert_eq!(client.expect_error(Some(4009)), None, "{entry}");
        client.expect_quiet();
    }
}

#[test]
fn the_same_user_signs_in_again_and_no_other() {
    // U3, Q17
    let server = TestServer::plain();
    let mut rest = server.rest();
    let mut client = server.client();
    client.sign_in(&keys(), "ann");
    client.sign_in_with(&keys(), r#"{"id":"ann","user_info":{"n":2}}"#);
    client.ask_to_sign_in(&keys(), r#"{"id":"ben"}"#);
    assert_eq!(client.expect_error(None), None);
    client.expect_quiet(); // it stays
    rest.trigger("#server-to-user-ben", "for-ben", "");
    rest.trigger("#server-to-user-ann", "for-ann", "");
    client.expect("for-ann");
    client.expect_quiet();
}

#[test]
fn what_is_no_sign_in_is_an_error_and_not_the_end() {
    // U1, U4, Q18
    let server = TestServer::plain();
    let mut client = server.client();
    let token = keys().user_token(&client.socket_id, r#"{"id":"a"}"#);
    for data in [
        json!(null),
        json!("x"),
        json!({}),
        json!({"auth": token}),
        json!({"user_data": r#"{"id":"a"}"#}),
        json!({"auth": token, "user_data": {"id": "a"}}),
        json!({"auth": "", "user_data": r#"{"id":"a"}"#}),
        json!({"auth": token, "user_data": r#"{"id":"b"}"#}),
        json!({"auth": token.replace("app-key", "other"), "user_data": r#"{"id":"a"}"#}),
        json!({"auth": token.to_uppercase(), "user_data": r#"{"id":"a"}"#}),
    ] {
        client.send(&sign_in(&data));
        assert_eq!(client.expect_error(Some(4009)), None, "{data}");
    }
    let long = json!({"id": "a".repeat(USER_ID_MAX + 1)}).to_string();
    for user_data in [
        "nope",
        "{}",
        r#"["a"]"#,
        r#"{"id":1}"#,
        r#"{"id":""}"#,
        r#"{"id":"a b"}"#,
        r#"{"id":"ë"}"#,
        r#"{"id":"a","user_info":"b"}"#,
        r#"{"id":"a","watchlist":"b"}"#,
        r#"{"id":"a","watchlist":[1]}"#,
        &long,
    ] {
        client.ask_to_sign_in(&keys(), user_data);
        assert_eq!(client.expect_error(Some(4009)), None, "{user_data}");
    }
    client.expect_quiet();
    client.ask("#server-to-user-a");
    client.expect_refused("#server-to-user-a", "InvalidChannel", 4009);
    client.sign_in(&keys(), &"a".repeat(USER_ID_MAX));
}
