//! The end of all connections of a user, by its app's backend (sections 7.5 and 8.8, Q20).

use super::support::http::Response;
use super::support::pusher::{Client, Event};
use super::support::rest::Rest;
use super::support::server::{TestServer, app};
use super::support::sign::Keys;
use super::{USERS, keys, start};
use serde_json::{Value, json};

#[track_caller]
fn expect_disconnected(client: &mut Client) {
    const MESSAGE: &str = "You got disconnected by the app.";
    let event = Event::parse(&client.ws.expect_text());
    assert_eq!(
        (event.error(), &event.channel),
        ((Some(4009), MESSAGE), &None)
    );
    assert_eq!(client.ws.expect_close(4009), MESSAGE);
}

#[track_caller]
fn expect_done(response: &Response) {
    let (status, body) = (response.status, response.json());
    assert_eq!((status, body), (200, json!({})));
}

fn path(user: &str) -> String {
    format!("users/{user}/terminate_connections")
}

#[test]
fn each_connection_of_the_user_ends_and_no_other() {
    for shards in [1, 2] {
        let server = start(shards, |_, _| {});
        let mut rest = server.rest();
        for user in USERS {
            let mut own: Vec<Client> = (0..4).map(|_| server.client()).collect();
            let mut other = server.client();
            other.sign_in(&keys(), "other");
            let mut member = server.client();
            member.join(&keys(), "presence-a", &json!({"user_id": user}));
            for client in &mut own {
                client.sign_in(&keys(), user);
                client.subscribe(&format!("#server-to-user-{user}"));
            }
            expect_done(&rest.post(&path(user), &json!({})));
            own.iter_mut().for_each(expect_disconnected);
            other.expect_quiet();
            member.expect_quiet(); // Q20: it has not signed in
            // It may come back.
            let mut again = server.client();
            again.sign_in(&keys(), user);
        }
    }
}

#[test]
fn unknown_users_are_done_with() {
    let server = TestServer::plain();
    let mut rest = server.rest();
    for user in ["nobody", "%F0%9F%98%80", &"x".repeat(200)] {
        expect_done(&rest.post(&path(user), &json!({})));
    }
}

#[test]
fn the_body_is_empty_or_an_object() {
    let server = TestServer::plain();
    let mut rest = server.rest();
    let full = format!("/apps/1001/{}", path("ann"));
    let mut ask = |body: &str| {
        let target = rest.keys.target("POST", &full, &[], body.as_bytes());
        rest.http.ask("POST", &target, body.as_bytes())
    };
    for body in ["", "{}", r#"{"reason":"x"}"#] {
        expect_done(&ask(body));
    }
    for body in ["nope", "[]", "null", "\"x\"", "{", "7"] {
        assert_eq!(ask(body).status, 400, "{body}");
    }
}

#[test]
fn only_the_apps_backend_may_ask_and_only_by_post() {
    let server = TestServer::plain();
    let mut client = server.client();
    client.sign_in(&keys(), "ann");
    client.subscribe("#server-to-user-ann");
    let mut rest = server.rest();
    for full in ["/apps/1001/", "/"].map(|head| format!("{head}{}", path("ann"))) {
        let unsigned = rest.http.ask("POST", &full, b"");
        assert_eq!(unsigned.status, 401, "{full}");
        let target = rest.keys.target("POST", &full, &[], b"");
        let forged = format!("{}0", &target[..target.len() - 1]);
        let other = rest
            .keys
            .target("POST", &full.replace("ann", "ben"), &[], b"");
        let moved = other.replace("ben", "ann");
        for bad in [forged.as_str(), &moved] {
            if bad != target {
                assert_eq!(rest.http.ask("POST", bad, b"").status, 401, "{bad}");
            }
        }
        let unknown = target.replace("auth_key=app%2Dkey", "auth_key=nope");
        assert_ne!(unknown, target);
        assert_eq!(rest.http.ask("POST", &unknown, b"").status, 401);
        let target = rest.keys.target("GET", &full, &[], b"");
        assert_eq!(rest.http.ask("GET", &target, b"").status, 405);
    }
    client.expect_quiet();
}

#[test]
fn the_path_of_the_python_sdk_works_too() {
    // Section 8.8: the app is that of the key
    let mut other = app();
    (other.id, other.key) = ("1002".into(), "other-key".into());
    let server = TestServer::with_apps([app(), other.clone()]);
    let mut client = server.client();
    client.sign_in(&keys(), "ann");
    client.subscribe("#server-to-user-ann");
    let mut stranger = Client::connect(server.address(), "other-key");
    stranger.sign_in(&Keys::of(&other), "ann");
    let full = format!("/{}", path("ann"));
    let mut rest = server.rest();
    let target = rest.keys.target("POST", &full, &[], b"{}");
    expect_done(&rest.http.ask("POST", &target, b"{}"));
    expect_disconnected(&mut client);
    stranger.expect_quiet();
}

#[test]
fn ids_are_decoded_after_the_path_is_verified() {
    // A6: signed as it is sent, and signed before it was encoded
    let server = TestServer::plain();
    let mut rest = server.rest();
    for signed_encoded in [true, false] {
        let mut client = server.client();
        client.sign_in(&keys(), "a=b@c;d,e");
        client.subscribe("#server-to-user-a=b@c;d,e");
        let plain = format!("/apps/1001/{}", path("a=b@c;d,e"));
        let sent = format!("/apps/1001/{}", path("a%3Db%40c%3Bd%2Ce"));
        let target = if signed_encoded {
            rest.keys.target("POST", &sent, &[], b"{}")
        } else {
            let target = rest.keys.target("POST", &plain, &[], b"{}");
            target.replace(&plain, &sent)
        };
        expect_done(&rest.http.ask("POST", &target, b"{}"));
        expect_disconnected(&mut client);
    }
}

#[test]
fn presence_members_end_with_the_user_where_the_app_wants_it() {
    // Q20
    for (shards, ends) in [(1, false), (1, true), (2, false), (2, true)] {
        let server = start(shards, |app, _| app.terminate_presence_members = ends);
        let mut rest = server.rest();
        for user in ["ann", "7", "Zoë"] {
            let mut members: Vec<Client> = (0..4).map(|_| server.client()).collect();
            for member in &mut members {
                join(member, user);
            }
            let mut other = server.client();
            join(&mut other, "other");
            let target = user.replace('ë', "%C3%AB");
            expect_done(&rest.post(&path(&target), &json!({})));
            for member in &mut members {
                if ends {
                    expect_disconnected(member);
                } else {
                    member.expect_quiet();
                }
            }
            other.expect_quiet();
        }
        signed_in_end_too(&server, &mut rest);
    }
}

fn signed_in_end_too(server: &TestServer, rest: &mut Rest) {
    let mut client = server.client();
    client.sign_in(&keys(), "ben");
    client.subscribe("#server-to-user-ben");
    expect_done(&rest.post(&path("ben"), &json!({})));
    expect_disconnected(&mut client);
}

/// Joins a channel of its own, so that nobody else's coming and going is told.
fn join(client: &mut Client, user: &str) {
    let channel = format!("presence-{}", client.socket_id);
    let member: Value = json!({"user_id": user});
    client.join(&keys(), &channel, &member);
}
