//! What clients say: serde_json agrees on what is JSON and on what stands in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use shardcast::limits::JSON_DEPTH_WIRE;
use shardcast::protocol::command::CommandError;
use shardcast::protocol::{Command, Parser};

fuzz_target!(|text: &str| {
    let mut parser = Parser::default();
    let theirs = serde_json::from_str::<Value>(text);
    for _ in 0..2 {
        let mut input = text.as_bytes().to_vec();
        let ours = parser.parse(&mut input);
        match &theirs {
            Ok(frame) if depth(frame) < JSON_DEPTH_WIRE => compare(ours, frame),
            Ok(frame) if depth(frame) > JSON_DEPTH_WIRE => {
                assert_eq!(ours, Err(CommandError::NotJson));
            }
            Ok(_) => {}
            Err(_) => assert_eq!(ours, Err(CommandError::NotJson)),
        }
    }
});

/// How deep arrays and objects lie in each other.
fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Array(list) => list.iter().map(depth).max(),
        Value::Object(pairs) => pairs.values().map(depth).max(),
        _ => return 0,
    };
    inner.unwrap_or(0) + 1
}

fn compare(ours: Result<Command<'_>, CommandError<'_>>, frame: &Value) {
    if !frame.is_object() {
        assert_eq!(ours, Err(CommandError::NotJson));
        return;
    }
    let Some(event) = frame["event"].as_str() else {
        assert_eq!(ours, Err(CommandError::NoEvent));
        return;
    };
    let data = |key: &str| frame["data"][key].as_str();
    match event {
        "pusher:ping" => assert_eq!(ours, Ok(Command::Ping)),
        "pusher:pong" => assert_eq!(ours, Ok(Command::Pong)),
        "pusher:subscribe" => match ours {
            Ok(Command::Subscribe(subscribe)) => {
                assert_eq!(Some(subscribe.channel), data("channel"));
                assert_eq!(subscribe.auth, data("auth"));
                assert_eq!(subscribe.channel_data, data("channel_data"));
            }
            other => {
                assert_eq!(other, Err(CommandError::NoChannel(event)));
                assert_eq!(data("channel"), None);
            }
        },
        "pusher:unsubscribe" => match data("channel") {
            Some(channel) => assert_eq!(ours, Ok(Command::Unsubscribe { channel })),
            None => assert_eq!(ours, Err(CommandError::NoChannel(event))),
        },
        "pusher:signin" => {
            let Ok(Command::SignIn(sign_in)) = ours else {
                panic!("{ours:?}");
            };
            assert_eq!(sign_in.auth, data("auth"));
            assert_eq!(sign_in.user_data, data("user_data"));
        }
        _ if event.starts_with("client-") => match (frame["channel"].as_str(), &frame["data"]) {
            (None, _) | (_, Value::Null) => {
                assert_eq!(ours, Err(CommandError::IncompleteClientEvent));
            }
            (Some(channel), data) => {
                let Ok(Command::ClientEvent(said)) = ours else {
                    panic!("{ours:?}");
                };
                assert_eq!((said.event, said.channel), (event, channel));
                match data {
                    Value::String(text) => assert_eq!(said.data, text),
                    other => {
                        let relayed =
                            serde_json::from_str(said.data).expect("JSON goes on as JSON");
                        assert!(same(&relayed, other), "{relayed} for {other}");
                    }
                }
            }
        },
        _ => assert_eq!(ours, Err(CommandError::UnknownEvent(event))),
    }
}

/// The same value, numbers as JavaScript knows them.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64(), other.as_f64());
            let (Some(one), Some(other)) = (one, other) else {
                return false;
            };
            one == other || (one - other).abs() <= other.abs() * 1e-15
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}
