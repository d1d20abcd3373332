//! What the program logs, on real pipes: its format, its level while it runs, and the frames that
//! `--debug` shows. That no secret is among them: tests/secrets.rs.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod process;
mod support;

use process::Process;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};
use support::http::{Http, request};
use support::metrics::{Values, get};
use support::pusher::Client;
use support::sign::Keys;
use support::wire::PATIENCE;

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
    // In any case, and what is not named stays as it is.
    assert_eq!(set_level(&server, &[], &json!({"level": "DEBUG"})), 200);
    talk(&server);
    let part = json!({"level": "shardcast::nowhere=debug"});
    assert_eq!(set_level(&server, &[], &part), 200);
    talk(&server);
    for (fields, body, status) in [
        (&[][..], json!({"level": "shardcast=loud"}), 400),
        (&[], json!({"level": 1}), 400),
        (&[], json!({"level": ""}), 400),
        (&[], json!({"level": "verbose"}), 400),
        (&[], json!({"level": "debgu"}), 400),
        (&[], json!({"level": "shardcast"}), 400),
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
    assert_eq!(said, 4, "{lines:#?}");
    // A filter without a level of its own leaves the rest at info, and so does a word that is
    // refused.
    assert!(
        lines.iter().any(|line| line.contains("stopping")),
        "{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("the level of the log was changed"))
    );
}

/// Says so much that more is logged than the pipe and the queue take, until lines are dropped.
fn flood(server: &Process, client: &mut Client) {
    let long = "c".repeat(150);
    let channels: Vec<String> = (0..50).map(|at| format!("{long}{at}")).collect();
    let start = Instant::now();
    let dropped = || Values::of(server.admin.unwrap()).sum("log_lines_dropped_total", &[]);
    assert_eq!(dropped(), 0.0);
    while dropped() < 5_000.0 {
        assert!(start.elapsed() < 3 * PATIENCE, "{} are dropped", dropped());
        for channel in &channels {
            client.ask(channel);
        }
        for _ in &channels {
            client.expect("pusher_internal:subscription_succeeded");
        }
        for channel in &channels {
            client.unsubscribe(channel);
        }
    }
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_what_is_missing_is_told() {
    let (server, mut log) = Process::start_unread(&["--debug", "--log-format", "json"]);
    let admin = server.admin.unwrap();
    let mut client = Client::connect(server.address, "app-key");
    flood(&server, &mut client);
    assert_eq!(get(admin, "/live").status, 200);
    client.subscribe("room");
    let event = json!({"app": "1001", "channel": "room", "event": "e", "data": "x"});
    let mut http = Http::connect(admin);
    let fields = &["Content-Type: application/json"];
    let body = event.to_string();
    let answer = http.send(request(
        "POST",
        "/dashboard/api/event",
        fields,
        body.as_bytes(),
    ));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(client.expect("e").text(), "x");
    let dropped = Values::of(admin).sum("log_lines_dropped_total", &[]);
    // Somebody reads again, and past the place where lines are missing there is room for more.
    let (past, is_past) = sync_channel(1);
    let log = std::thread::spawn(move || {
        let mut text = String::new();
        for line in BufReader::new(&mut log).lines() {
            let line = line.unwrap();
            if line.contains("\"dropped\":") {
                let _ = past.try_send(());
            }
            text += &(line + "\n");
        }
        text
    });
    is_past.recv_timeout(PATIENCE).expect("it is told");
    let (status, _) = server.stop();
    assert!(status.success());
    let text = log.join().unwrap();
    let lines = text
        .lines()
        .map(|line| -> Value { serde_json::from_str(line).expect(line) });
    let lines: Vec<Value> = lines.collect();
    let told: u64 = lines
        .iter()
        .filter_map(|line| line["dropped"].as_u64())
        .sum();
    assert!(told as f64 >= dropped, "{told} of {dropped}");
    let is_last = |line: &Value| line["message"] == "stopping";
    assert!(lines.iter().any(is_last), "the last lines are written");
    let gap = lines.iter().position(|line| line["dropped"].is_u64());
    assert!(
        gap > Some(1_000),
        "it is told where they are missing: {gap:?}"
    );
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_end() {
    let (server, log) = Process::start_unread(&["--debug"]);
    let mut client = Client::connect(server.address, "app-key");
    flood(&server, &mut client);
    drop(client);
    let start = Instant::now();
    let (status, _) = server.stop();
    assert!(status.success());
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    drop(log);
}

#[test]
fn a_reason_to_end_is_behind_all_that_was_logged() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = std::process::Command::new(process::binary());
    command.args([
        "start",
        "--port",
        &port,
        "--admin",
        "off",
        "--log-format",
        "json",
    ]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    let text = String::from_utf8(output.stderr).unwrap();
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("shardcast: cannot listen on "), "{text}");
}
