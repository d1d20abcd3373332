//! Presence channels over two shards: who is there, who is told, and how often (P1 to P8).
//!
//! Each story is told on several channels, so that either shard is home of some of them. That
//! nothing was sent is proved by something sent later on the same way.

mod support;

use serde_json::{Value, json};
use shardcast::app::App;
use std::collections::BTreeSet;
use std::thread;
use support::pusher::Client;
use support::rest::Rest;
use support::server::{TestServer, app};
use support::sign::Keys;
use support::vectors::{self, entries, text};

const CHANNELS: [&str; 6] = [
    "presence-a",
    "presence-b",
    "presence-c",
    "presence-d",
    "presence-cache-e",
    "presence-encrypted-f",
];

fn keys() -> Keys {
    Keys::of(&app())
}

fn member(id: &str) -> Value {
    json!({"user_id": id, "user_info": {"name": id}})
}

/// Publishes something and sees it come to each client before anything else does.
fn expect_nothing_new(rest: &mut Rest, channel: &str, clients: &mut [&mut Client]) {
    rest.trigger(channel, "mark", "");
    for client in clients {
        assert_eq!(client.expect("mark").channel(), channel);
    }
}

fn string(id: &Value) -> String {
    id.as_str().expect("ids are strings (P6)").to_owned()
}

#[track_caller]
fn expect_removed(client: &mut Client, channel: &str, id: &str) {
    let event = client.expect("pusher_internal:member_removed");
    assert_eq!(event.channel(), channel);
    assert_eq!(event.json(), json!({"user_id": id}));
}

#[track_caller]
fn expect_added(client: &mut Client, channel: &str, data: &Value) {
    let event = client.expect("pusher_internal:member_added");
    assert_eq!((event.channel(), &event.json()), (channel, data));
}

#[test]
fn members_meet_over_two_shards() {
    // P1 to P3
    let server = TestServer::plain();
    let mut rest = server.rest();
    let [mut ann, mut ben] = server.pair();
    for channel in CHANNELS {
        let alone = json!({"count": 1, "ids": ["ann"], "hash": {"ann": {"name": "ann"}}});
        assert_eq!(ann.join(&keys(), channel, &member("ann")), alone);
        let both = json!({
            "count": 2,
            "ids": ["ann", "ben"],
            "hash": {"ann": {"name": "ann"}, "ben": {"name": "ben"}},
        });
        assert_eq!(ben.join(&keys(), channel, &member("ben")), both);
        expect_added(&mut ann, channel, &member("ben"));
        expect_nothing_new(&mut rest, channel, &mut [&mut ann, &mut ben]); // P3
        let users = rest.get_json(&format!("channels/{channel}/users"), &[]);
        assert_eq!(users, json!({"users": [{"id": "ann"}, {"id": "ben"}]}));
        ann.unsubscribe(channel);
        expect_removed(&mut ben, channel, "ann");
        ann.expect_quiet(); // who left is not told
        expect_nothing_new(&mut rest, channel, &mut [&mut ben]);
    }
}

#[test]
fn a_user_with_two_connections_comes_and_goes_once() {
    // P2, P3, P5, Q10
    let server = TestServer::counting();
    let mut rest = server.rest();
    for channel in CHANNELS {
        let [mut first, mut second] = server.pair();
        let [mut marker, mut watcher] = server.pair();
        watcher.join(&keys(), channel, &member("watcher"));
        marker.join(&keys(), channel, &member("marker"));
        expect_added(&mut watcher, channel, &member("marker"));

        first.join(&keys(), channel, &member("ann"));
        expect_added(&mut watcher, channel, &member("ann"));
        expect_added(&mut marker, channel, &member("ann"));
        let newer = json!({"user_id": "ann", "user_info": {"name": "newer"}});
        let members = second.join(&keys(), channel, &newer);
        assert_eq!(members["count"], 3);
        assert_eq!(members["ids"], json!(["watcher", "marker", "ann"]));
        assert_eq!(members["hash"]["ann"], json!({"name": "newer"})); // P5
        let everybody = &mut [&mut watcher, &mut marker, &mut first, &mut second];
        expect_nothing_new(&mut rest, channel, everybody);
        let count = [("info", "user_count,subscription_count")];
        let state = rest.get_json(&format!("channels/{channel}"), &count);
        assert_eq!(
            state,
            json!({"occupied": true, "user_count": 3, "subscription_count": 4})
        );

        // One of the two goes. The mark comes from its own shard, so it cannot overtake it.
        first.unsubscribe(channel);
        first.expect_quiet();
        marker.trigger(channel, "client-mark", &json!(""));
        watcher.expect("client-mark");
        second.expect("client-mark");
        // A newcomer sees the newest of the user's texts, and the user once.
        let members = first.join(&keys(), channel, &member("eve"));
        assert_eq!(members["hash"]["ann"], json!({"name": "newer"}));
        assert_eq!(members["count"], 4);
        for client in [&mut watcher, &mut marker, &mut second] {
            expect_added(client, channel, &member("eve"));
        }
        second.ws.close(); // the last one
        for client in [&mut watcher, &mut marker, &mut first] {
            expect_removed(client, channel, "ann");
        }
        expect_nothing_new(
            &mut rest,
            channel,
            &mut [&mut watcher, &mut marker, &mut first],
        );
    }
}

#[test]
fn a_disconnect_leaves_every_channel_at_once() {
    // S10
    let server = TestServer::plain();
    for how in ["close", "break", "half"] {
        let [mut goes, mut stays] = server.pair();
        for channel in CHANNELS {
            stays.join(&keys(), channel, &member("stays"));
            goes.join(&keys(), channel, &member("goes"));
            expect_added(&mut stays, channel, &member("goes"));
        }
        match how {
            "close" => goes.ws.close(),
            "half" => goes.ws.wire.end_sending(),
            _ => drop(goes),
        }
        let removed: BTreeSet<String> = CHANNELS
            .iter()
            .map(|_| {
                let event = stays.expect("pusher_internal:member_removed");
                assert_eq!(event.json(), json!({"user_id": "goes"}));
                event.channel().to_owned()
            })
            .collect();
        assert_eq!(removed, CHANNELS.map(String::from).into(), "{how}");
        let mut rest = server.rest();
        for channel in CHANNELS {
            expect_nothing_new(&mut rest, channel, &mut [&mut stays]);
        }
    }
}

#[test]
fn ids_are_strings_whatever_they_were() {
    // P6, Q9
    let server = TestServer::plain();
    let mut rest = server.rest();
    for (n, (sent, id)) in [
        ("7", "7"),
        ("\"7\"", "7"),
        ("-7", "-7"),
        ("1.50", "1.50"),
        (
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        ),
        ("\"Zo\\u00eb \\\"☃\\\" \\\\ \\n\"", "Zoë \"☃\" \\ \n"),
        ("\"\\ud83d\\ude00\"", "😀"),
    ]
    .into_iter()
    .enumerate()
    {
        let channel = &format!("presence-{n}");
        let [mut watcher, mut joiner] = server.pair();
        watcher.join(&keys(), channel, &member("watcher"));
        let data = format!(r#"{{"user_id": {sent} ,"user_info":{{"n": 1}}}}"#);
        joiner.ask_signed(&keys(), channel, Some(&data));
        let members = joiner.expect_members(channel);
        assert_eq!(members["ids"], json!(["watcher", id]), "{sent}");
        assert_eq!(members["hash"][id], json!({"n": 1}));
        let added = json!({"user_id": id, "user_info": {"n": 1}});
        expect_added(&mut watcher, channel, &added);
        // The same user, told as a string: nobody came.
        let mut again = server.client();
        let members = again.join(&keys(), channel, &json!({"user_id": id}));
        assert_eq!(members["count"], 2, "{sent}");
        let users = rest.get_json(&format!("channels/{channel}/users"), &[]);
        assert_eq!(users["users"][1], json!({"id": id}));
        expect_nothing_new(
            &mut rest,
            channel,
            &mut [&mut watcher, &mut joiner, &mut again],
        );
    }
}

#[test]
fn what_members_say_of_themselves() {
    // P7, Q10b, Q11
    let server = TestServer::plain();
    let deep = json!({"a": [1, {"b": "\"☃\"\\"}], "c": null, "d": 1.5});
    for (n, (data, added, in_hash)) in [
        (
            json!({"user_id": "u"}),
            json!({"user_id": "u"}),
            Value::Null,
        ),
        (
            json!({"user_id": "u", "user_info": null}),
            json!({"user_id": "u"}),
            Value::Null,
        ),
        (
            json!({"user_id": "u", "user_info": {}}),
            json!({"user_id": "u", "user_info": {}}),
            json!({}),
        ),
        (
            json!({"user_id": "u", "user_info": deep, "secret": 1, "channel": "x"}),
            json!({"user_id": "u", "user_info": deep}),
            deep,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let channel = &format!("presence-{n}");
        let [mut watcher, mut joiner] = server.pair();
        watcher.join(&keys(), channel, &member("watcher"));
        let members = joiner.join(&keys(), channel, &data);
        assert_eq!(members["hash"]["u"], in_hash, "{data}");
        expect_added(&mut watcher, channel, &added);
    }
}

#[test]
fn signed_members_that_are_none_are_refused() {
    // P6, P7
    let vectors = vectors::vectors();
    let server = TestServer::plain();
    let mut client = server.client();
    client.join(&keys(), "presence-before", &member("u"));
    for entry in entries(&vectors, "presence_data_negative", 8) {
        client.ask_signed(&keys(), "presence-x", Some(text(entry, "channel_data")));
        client.expect_refused("presence-x", "InvalidMember", 4009);
        client.expect_quiet();
    }
    for data in [
        r#"{"user_id":"u","user_info":[]}"#,
        r#"{"user_id":"u","user_info":7}"#,
        r#"{"user_id":[]}"#,
        r#"["u"]"#,
        "{}",
        "",
    ] {
        client.ask_signed(&keys(), "presence-x", Some(data));
        client.expect_refused("presence-x", "InvalidMember", 4009);
    }
    // No member at all: it needs a sign-in, which there is not.
    client.ask_signed(&keys(), "presence-x", None);
    client.expect_refused("presence-x", "InvalidMember", 4009);
    client.expect_quiet();
    let users = server.rest().get_json("channels/presence-x/users", &[]);
    assert_eq!(users, json!({"users": []}));
    expect_nothing_new(&mut server.rest(), "presence-before", &mut [&mut client]); // S5
}

#[test]
fn a_full_channel_takes_members_but_no_new_users() {
    // P8
    let mut small = App::new("1001", "app-key", "app-secret");
    small.presence_members = 3;
    small.subscription_count = true;
    let server = TestServer::with_apps([small]);
    let mut rest = server.rest();
    for channel in CHANNELS {
        let mut inside: Vec<Client> = (0..3).map(|n| server.client_on(n % 2)).collect();
        for (n, client) in inside.iter_mut().enumerate() {
            let members = client.join(&keys(), channel, &member(&format!("u{n}")));
            assert_eq!(members["count"], n + 1); // the third is at the limit
        }
        let [mut fourth, mut again] = server.pair();
        fourth.ask_signed(&keys(), channel, Some(&member("u3").to_string()));
        fourth.expect_refused(channel, "LimitReached", 4100);
        assert_eq!(again.join(&keys(), channel, &member("u1"))["count"], 3);
        rest.expect_soon(
            &format!("channels/{channel}"),
            &[("info", "user_count,subscription_count")],
            &json!({"occupied": true, "user_count": 3, "subscription_count": 4}),
        );
        // A place that was given back can be had.
        for n in 1..3 {
            expect_added(&mut inside[0], channel, &member(&format!("u{n}")));
        }
        inside.pop().unwrap().ws.close();
        for client in [&mut inside[0], &mut again] {
            expect_removed(client, channel, "u2");
        }
        assert_eq!(fourth.join(&keys(), channel, &member("u3"))["count"], 3);
        for client in [&mut inside[0], &mut again] {
            expect_added(client, channel, &member("u3"));
        }
        expect_nothing_new(
            &mut rest,
            channel,
            &mut [&mut inside[0], &mut fourth, &mut again],
        );
    }
}

#[test]
fn members_have_limits_of_size() {
    // P8, section 10
    let server = TestServer::plain();
    let mut client = server.client();
    let info = |bytes: usize| {
        let empty = json!({"n": ""}).to_string().len();
        json!({"user_id": "u", "user_info": {"n": "x".repeat(bytes - empty)}})
    };
    assert_eq!(
        client.join(&keys(), "presence-info", &info(2048))["count"],
        1
    );
    client.ask_signed(&keys(), "presence-big", Some(&info(2049).to_string()));
    client.expect_refused("presence-big", "LimitReached", 4301);
    let id = |characters: usize| json!({"user_id": "é".repeat(characters)});
    assert_eq!(client.join(&keys(), "presence-id", &id(128))["count"], 1);
    client.ask_signed(&keys(), "presence-big", Some(&id(129).to_string()));
    client.expect_refused("presence-big", "LimitReached", 4301);
    client.expect_quiet();
}

#[test]
fn a_repeated_join_gets_the_members_again_and_nobody_else_hears_of_it() {
    // Q7
    let server = TestServer::plain();
    let mut rest = server.rest();
    for channel in CHANNELS {
        let [mut ann, mut ben] = server.pair();
        ben.join(&keys(), channel, &member("ben"));
        ann.join(&keys(), channel, &member("ann"));
        expect_added(&mut ben, channel, &member("ann"));
        for _ in 0..3 {
            let members = ann.join(&keys(), channel, &member("ann"));
            assert_eq!(members["ids"], json!(["ben", "ann"]));
        }
        // One connection is one user.
        ann.ask_signed(&keys(), channel, Some(&member("eve").to_string()));
        ann.expect_refused(channel, "InvalidMember", 4009);
        // A repeat that is not signed changes nothing either.
        ann.ask(channel);
        ann.expect_refused(channel, "AuthError", 401);
        let users = rest.get_json(&format!("channels/{channel}/users"), &[]);
        assert_eq!(users, json!({"users": [{"id": "ben"}, {"id": "ann"}]}));
        expect_nothing_new(&mut rest, channel, &mut [&mut ann, &mut ben]);
        ann.unsubscribe(channel);
        expect_removed(&mut ben, channel, "ann");
        expect_nothing_new(&mut rest, channel, &mut [&mut ben]);
    }
}

#[test]
fn a_snapshot_and_what_follows_it_always_agree() {
    // P4: users come and go on both shards while a watcher joins again and again.
    const ROUNDS: usize = 60;
    let server = TestServer::plain();
    let churn = |shard: u64, user: &'static str| {
        let mut client = server.client_on(shard);
        move || {
            for _ in 0..ROUNDS {
                client.join_any("presence-busy", &member(user));
                client.unsubscribe("presence-busy");
                client.expect_quiet_but_members();
            }
        }
    };
    // The same two users on both shards, so that edges meet.
    let churners = [churn(0, "x"), churn(1, "x"), churn(0, "y"), churn(1, "y")];
    let [mut watcher, mut steady] = server.pair();
    steady.join_any("presence-busy", &member("steady"));
    thread::scope(|scope| {
        let running: Vec<_> = churners.into_iter().map(|run| scope.spawn(run)).collect();
        while running.iter().any(|thread| !thread.is_finished()) {
            let mut present = watcher.join_any("presence-busy", &member("watcher"));
            for _ in 0..10 {
                if !watcher.ws.wire.hears_within(1) {
                    break;
                }
                watcher.apply_delta(&mut present);
            }
            watcher.unsubscribe("presence-busy");
            watcher.expect_quiet_but_members();
        }
    });
    let mut present = watcher.join_any("presence-busy", &member("watcher"));
    let rest: BTreeSet<String> = ["steady", "watcher"].map(String::from).into();
    while present != rest {
        watcher.apply_delta(&mut present);
    }
    expect_nothing_new(&mut server.rest(), "presence-busy", &mut [&mut watcher]);
    let users = server.rest().get_json("channels/presence-busy/users", &[]);
    assert_eq!(users["users"].as_array().unwrap().len(), 2);
}

impl Client {
    /// Joins while deltas of an earlier membership may still be on their way; gives who is there.
    fn join_any(&mut self, channel: &str, data: &Value) -> BTreeSet<String> {
        self.ask_signed(&keys(), channel, Some(&data.to_string()));
        let members = self.expect_members(channel);
        let ids = members["ids"].as_array().expect("P1");
        let ids: BTreeSet<String> = ids.iter().map(string).collect();
        let hash = members["hash"].as_object().expect("P1");
        assert_eq!(ids, hash.keys().cloned().collect());
        assert_eq!(members["count"], ids.len());
        assert!(ids.contains(&string(&data["user_id"])), "P1");
        ids
    }

    /// Applies one member frame, which must change who is there.
    fn apply_delta(&mut self, present: &mut BTreeSet<String>) {
        let event = self.next();
        let id = string(&event.json()["user_id"]);
        let changed = match event.name.as_str() {
            "pusher_internal:member_added" => present.insert(id),
            "pusher_internal:member_removed" => present.remove(&id),
            other => panic!("{other} came"),
        };
        assert!(changed, "told twice, or wrongly: {event:?}, {present:?}");
    }

    /// Reads member frames until everything that was sent has been answered.
    fn expect_quiet_but_members(&mut self) {
        self.send(&json!({"event": "pusher:ping"}));
        loop {
            let event = self.next();
            match event.name.as_str() {
                "pusher:pong" => break,
                "pusher_internal:member_added" | "pusher_internal:member_removed" => {}
                other => panic!("{other} came"),
            }
        }
    }
}
