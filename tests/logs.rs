//! What the program logs, on real pipes: its format, its level while it runs, and the frames that
//! `--debug` shows. That no secret is among them: tests/secrets.rs.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod process;
mod support;

use process::Process;
use serde_json::{Value, json};
use support::http::{Http, request};
use support::pusher::Client;
use support::sign::Keys;

/// The demo app, on a client that said something.
fn talk(server: &Process) {
    let mut client = Client::connect(server.address, "app-key");
    client.subscribe("room");
    client.ask_with("private-room", "app-key:canary-signature", None);
    client.expect("pusher:subscription_error");
    client.expect("pusher:error");
    client.expect_quiet();
}

fn set_level(server: &Process, fields: &[&str], body: &Value) -> u16 {
    let body = body.to_string();
    let fields = [&["Content-Type: application/json"], fields].concat();
    let mut http = Http::connect(server.admin.unwrap());
    http.send(request("POST", "/log-level", &fields, body.as_bytes()))
        .status
}

/// All that a server has logged until its end.
fn log_of(server: Process) -> Vec<String> {
    let (status, text) = server.stop();
    assert!(status.success(), "{text}");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn every_line_is_json_where_nobody_looks() {
    let server = Process::start(&["--debug", "--log-format", "auto"]);
    talk(&server);
    let lines = log_of(server);
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let subscribe = lines
        .iter()
        .find(|line| line["message"] == "in: subscribe")
        .unwrap();
    assert_eq!(
        (&subscribe["level"], &subscribe["app"]),
        (&json!("DEBUG"), &json!("1001"))
    );
    assert_eq!(subscribe["channel"], "room");
    assert!(subscribe["shard"].is_u64(), "{subscribe}");
    let id = subscribe["socket_id"].as_str().unwrap();
    assert!(id.contains('.'), "{id}");
    let out = lines
        .iter()
        .filter(|line| line["message"] == "out" && line["socket_id"] == *id);
    let out: Vec<_> = out.collect();
    let events: Vec<_> = out
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    let expected = [
        "pusher:connection_established",
        "pusher_internal:subscription_succeeded",
        "pusher:subscription_error",
        "pusher:error",
        "pusher:pong",
    ];
    assert_eq!(events, expected);
    let greeting: Value = serde_json::from_str(out[0]["data"].as_str().unwrap()).unwrap();
    assert_eq!(greeting["socket_id"], *id, "as it was sent");
}

#[test]
fn what_frames_carry_is_shown_and_of_long_ones_the_beginning() {
    let server = Process::start(&["--debug", "--log-format", "auto", "--shards=1"]);
    let keys = Keys::new("1001", "app-key", "app-secret");
    let clients = [(); 2].map(|()| {
        let mut client = Client::connect(server.address, "app-key");
        client.join(&keys, "presence-a", &json!({"user_id": "u"}));
        client
    });
    let [mut from, mut to] = clients;
    let long = "x".repeat(5_000);
    for data in [json!({"text": "hello"}), json!(long)] {
        from.trigger("presence-a", "client-said", &data);
        to.expect("client-said");
    }
    let lines = log_of(server);
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let data = |message: &str| -> Vec<&str> {
        let shown = lines.iter().filter(|line| line["message"] == message);
        shown.filter_map(|line| line["data"].as_str()).collect()
    };
    let events = [r#"{"text":"hello"}"#, &long[..4_096]];
    assert_eq!(data("in: subscribe"), [r#"{"user_id":"u"}"#; 2]);
    assert_eq!(data("in: client event"), events);
    assert!(data("out: to subscribers").ends_with(&events), "{lines:#?}");
}

#[test]
fn people_are_shown_lines() {
    let server = Process::start(&["--debug", "--log-format", "pretty"]);
    talk(&server);
    let lines = log_of(server);
    let line = lines
        .iter()
        .find(|line| line.contains("in: subscribe"))
        .unwrap();
    assert!(
        line.contains("DEBUG") && line.contains("channel=\"room\""),
        "{line}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("canary")),
        "no signature is shown"
    );
}

#[test]
fn the_level_changes_while_it_runs() {
    let server = Process::start(&[]);
    talk(&server);
    assert_eq!(set_level(&server, &[], &json!({"level": "debug"})), 200);
    talk(&server);
    assert_eq!(set_level(&server, &[], &json!({"level": "warn"})), 200);
    talk(&server);
    for (fields, body, status) in [
        (&[][..], json!({"level": "shardcast=loud"}), 400),
        (&[], json!({"level": 1}), 400),
        (
            &["Origin: http://evil.example"],
            json!({"level": "debug"}),
            403,
        ),
    ] {
        assert_eq!(set_level(&server, fields, &body), status, "{body}");
    }
    let lines = log_of(server);
    let said = lines
        .iter()
        .filter(|line| line.contains("in: subscribe"))
        .count();
    assert_eq!(said, 2, "{lines:#?}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("the level of the log was changed"))
    );
}
