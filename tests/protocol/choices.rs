//! What an app may choose about subscriptions: which frames tell of a failure (section 3.2), and
//! whether a repeated subscription is one (Q7).

use crate::support::pusher::{Client, QUERY};
use crate::support::server::{TestServer, app};
use crate::support::sign::Keys;
use crate::support::websocket::Ws;
use shardcast::app::{App, SubscriptionErrors};

const DOTNET: &str = "?protocol=5&client=pusher-dotnet-client&version=2.1.0";

fn connect(server: &TestServer, query: &str) -> Client {
    Client::greeted(Ws::open(server.address(), &format!("/app/app-key{query}")))
}

fn server(frames: SubscriptionErrors) -> TestServer {
    let mut app = app();
    app.subscription_errors = frames;
    app.presence_members = 1;
    TestServer::with_apps([app])
}

#[track_caller]
fn expect_failure(client: &mut Client, name: &str, channel: &str, kind: &str, status: u64) {
    let event = client.expect(name);
    let data = event.json();
    assert_eq!(event.channel(), channel);
    assert_eq!(
        (&data["type"], &data["status"]),
        (&kind.into(), &status.into())
    );
    assert!(data["error"].as_str().is_some_and(|text| !text.is_empty()));
}

#[test]
fn an_app_chooses_the_frames_of_a_failure() {
    // Section 3.2, Q5
    for (frames, wanted) in [
        (
            SubscriptionErrors::Both,
            ["pusher:subscription_error", "pusher:error"].as_slice(),
        ),
        (
            SubscriptionErrors::SubscriptionError,
            &["pusher:subscription_error"],
        ),
        (SubscriptionErrors::Error, &["pusher:error"]),
    ] {
        let server = server(frames);
        let keys = Keys::of(&app());
        let mut member = server.client();
        member.ask_signed(&keys, "presence-full", Some(r#"{"user_id":"one"}"#));
        member.expect_members("presence-full");
        let mut client = connect(&server, QUERY);
        for (channel, kind, status) in [
            ("private-x", "AuthError", 401),         // refused on the spot
            ("presence-full", "LimitReached", 4100), // refused by the home
        ] {
            match channel {
                "private-x" => client.ask(channel),
                _ => client.ask_signed(&keys, channel, Some(r#"{"user_id":"two"}"#)),
            }
            for name in wanted {
                if *name == "pusher:error" {
                    assert_eq!(client.expect_error(None).as_deref(), Some(channel));
                } else {
                    expect_failure(&mut client, name, channel, kind, status);
                }
            }
            client.expect_quiet();
        }
    }
}

#[test]
fn dotnet_clients_are_told_a_third_time() {
    // Section 3.2: its pending call fails by this frame only
    let internal = "pusher_internal:subscription_error";
    let server = server(SubscriptionErrors::Both);
    let keys = Keys::of(&app());
    let mut client = connect(&server, DOTNET);
    client.ask("private-x");
    client.expect_refused("private-x", "AuthError", 401);
    expect_failure(&mut client, internal, "private-x", "AuthError", 401);
    client.ask("no good");
    client.expect_refused("no good", "InvalidChannel", 4009);
    expect_failure(&mut client, internal, "no good", "InvalidChannel", 4009);
    let mut member = server.client();
    member.ask_signed(&keys, "presence-full", Some(r#"{"user_id":"one"}"#));
    member.expect_members("presence-full");
    client.ask_signed(&keys, "presence-full", Some(r#"{"user_id":"two"}"#));
    client.expect_refused("presence-full", "LimitReached", 4100);
    expect_failure(&mut client, internal, "presence-full", "LimitReached", 4100);
    client.subscribe("news");
    client.expect_quiet();
    // Nobody else is: the first of a repeated parameter counts (H3).
    for query in [
        QUERY,
        "",
        "?client=dotnet-pusher",
        "?client=Pusher-dotnet",
        "?client=js&client=pusher-dotnet-client",
    ] {
        let mut client = connect(&server, query);
        client.ask("private-x");
        client.expect_refused("private-x", "AuthError", 401);
        client.expect_quiet();
    }
}

#[test]
fn one_frame_is_one_frame_for_dotnet_too() {
    for (frames, name) in [
        (
            SubscriptionErrors::SubscriptionError,
            "pusher:subscription_error",
        ),
        (SubscriptionErrors::Error, "pusher:error"),
    ] {
        let server = server(frames);
        let mut client = connect(&server, DOTNET);
        client.ask("private-x");
        client.expect(name);
        client.expect_quiet();
    }
}

#[test]
fn a_strict_app_refuses_what_is_subscribed_already() {
    // Q7 as pusher.com has it
    let mut strict: App = app();
    strict.strict_subscribe = true;
    let server = TestServer::with_apps([strict]);
    let keys = Keys::of(&app());
    let mut rest = server.rest();
    for mut client in server.pair() {
        for channel in [
            "news",
            "private-a",
            "cache-b",
            "presence-c",
            "presence-cache-d",
        ] {
            let member = format!(r#"{{"user_id":"{}"}}"#, client.socket_id);
            let member = channel.starts_with("presence-").then_some(member);
            // The second comes before the first can have been answered.
            client.ask_signed(&keys, channel, member.as_deref());
            client.ask_signed(&keys, channel, member.as_deref());
            client.ask_signed(&keys, channel, member.as_deref());
            let (mut successes, mut errors) = (0, 0);
            while successes < 1 || errors < 2 {
                let event = client.next();
                assert_eq!(event.channel(), channel);
                match event.name.as_str() {
                    "pusher_internal:subscription_succeeded" => successes += 1,
                    "pusher:cache_miss" | "mark" => {} // what a cache channel begins with
                    _ => {
                        let text = format!("Existing subscription to channel {channel}");
                        assert_eq!(event.error(), (None, text.as_str()));
                        errors += 1;
                    }
                }
            }
            assert_eq!((successes, errors), (1, 2));
            client.read_over_cached();
            // The subscription is as good as before.
            rest.trigger(channel, "mark", "");
            assert_eq!(client.expect("mark").channel(), channel);
            // What was left can be had again.
            client.unsubscribe(channel);
            client.ask_signed(&keys, channel, member.as_deref());
            client.expect("pusher_internal:subscription_succeeded");
            client.read_over_cached();
            client.unsubscribe(channel);
        }
    }
}

impl Client {
    /// Reads over what a cache channel begins with.
    fn read_over_cached(&mut self) {
        self.send(&serde_json::json!({"event": "pusher:ping"}));
        loop {
            let event = self.next();
            match event.name.as_str() {
                "pusher:pong" => return,
                "pusher:cache_miss" | "mark" => {}
                _ => panic!("{event:?}"),
            }
        }
    }
}
