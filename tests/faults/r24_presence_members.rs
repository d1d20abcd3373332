//! R24: members of presence channels that are too large, of the wrong kind, or one too many.

use crate::scene::row;
use crate::support::pusher::Client;
use serde_json::json;

const CHANNEL: &str = "presence-room";

#[test]
fn r24_bad_members_are_refused_and_stay_connected() {
    row("r24").run(|scene| {
        let mut client = scene.client();
        let long = "u".repeat(129);
        let cases = [
            String::new(),
            "1".into(),
            "[]".into(),
            "{}".into(),
            "{".into(),
            r#"{"user_id":""}"#.into(),
            r#"{"user_id":null}"#.into(),
            r#"{"user_id":{}}"#.into(),
            r#"{"user_id":["a"]}"#.into(),
            r#"{"user_id":true}"#.into(),
            json!({"user_id": long}).to_string(),
            json!({"user_id": "a", "user_info": "x".repeat(50_000)}).to_string(),
            format!(
                r#"{{"user_id":"a","user_info":{}1{}}}"#,
                "[".repeat(500),
                "]".repeat(500)
            ),
        ];
        for data in &cases {
            client.ask_signed(&scene.keys, CHANNEL, Some(data));
            client.send(&json!({"event": "pusher:ping"}));
            let mut errors = 0;
            loop {
                let event = client.next();
                if event.name == "pusher:pong" {
                    break; // it was told, and stays
                }
                let shown = &data[..data.len().min(60)];
                assert!(event.name.contains("error"), "{shown}: {event:?}");
                errors += 1;
            }
            assert!(errors > 0, "{data} was let in");
        }
        // A number is as good a name as its digits (P5).
        let members = client.join(&scene.keys, CHANNEL, &json!({"user_id": 7}));
        assert_eq!(members["ids"], json!(["7"]));
    });
}

#[test]
fn r24_the_hundred_and_first_member_is_refused() {
    row("r24-full").run(|scene| {
        let mut members: Vec<Client> = Vec::new();
        for number in 0..100 {
            let mut client = scene.client();
            let member = json!({"user_id": number.to_string()});
            client.join(&scene.keys, CHANNEL, &member);
            members.push(client);
        }
        let mut late = scene.client();
        let member = json!({"user_id": "late"}).to_string();
        late.ask_signed(&scene.keys, CHANNEL, Some(&member));
        let refused = late.expect("pusher:subscription_error");
        assert_eq!(refused.channel(), CHANNEL);
        late.next();
        late.expect_quiet();
        // A second connection of a member is no further one.
        let again = json!({"user_id": "0"});
        let mut second = scene.client();
        assert_eq!(second.join(&scene.keys, CHANNEL, &again)["count"], 100);
        // There is room when one has gone.
        members[50].unsubscribe(CHANNEL);
        scene.until("one has gone", || {
            let users = scene
                .backend()
                .get_json("channels/presence-room/users", &[]);
            users["users"].as_array().unwrap().len() == 99
        });
        assert_eq!(
            late.join(&scene.keys, CHANNEL, &json!({"user_id": "late"}))["count"],
            100
        );
    });
}
