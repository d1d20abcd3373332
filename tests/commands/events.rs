//! `listen` and `trigger`: from one terminal to the other.

use super::{Listener, command, demo_server, run, run_in, run_with};
use crate::process::{Process, binary};
use serde_json::{Value, json};
use std::process::Command;

/// The commands and the lines that a section of the README shows.
fn readme(section: &str) -> (Vec<&'static str>, Vec<&'static str>) {
    let text = include_str!("../../README.md");
    let (_, rest) = text.split_once(section).expect("the section is there");
    let (section, _) = rest.split_once("\n## ").unwrap_or((rest, ""));
    let commands = section.lines().filter_map(|line| line.strip_prefix("$ "));
    let printed = section.split("```text\n").skip(1);
    let printed = printed.filter_map(|block| block.split("\n```").next());
    (commands.collect(), printed.collect())
}

/// A command of the README, with the program that was built here in place of the release.
fn as_written(line: &str, port: u16) -> Command {
    let program = binary().into_string().unwrap();
    let rest = line.strip_prefix("target/release/shardcast ");
    let rest = rest.expect("`make run` leaves the program there");
    let mut command = Command::new("timeout");
    command.args(["60", "sh", "-c", &format!("exec {program} {rest}")]);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    command.env("SOKETI_PORT", port.to_string());
    command
}

// The README, from its first command to the line that it promises. Only the port is another one.
#[test]
fn a_newcomer_sees_the_first_event() {
    let (commands, _) = readme("## Two commands");
    assert!(commands[0].starts_with("make run "), "{commands:?}");
    let makefile = include_str!("../../Makefile");
    let (_, recipe) = makefile.split_once("\nrun:").unwrap();
    let (recipe, _) = recipe.split_once("\n\n").unwrap();
    let start = "@exec $(TARGET)/release/shardcast start $(ARGS)";
    assert!(recipe.trim_end().ends_with(start), "{recipe}");
    let mut server = Command::new(binary());
    server.arg("start").env_clear();
    server.envs([("SOKETI_PORT", "0"), ("SOKETI_METRICS_SERVER_PORT", "0")]);
    let server = Process::started(server);

    let port = server.address.port();
    let (commands, printed) = readme("## A first event");
    let [listen, trigger] = commands[..] else {
        panic!("two commands: {commands:?}");
    };
    let mut listener = Listener::started(as_written(listen, port));
    listener.wait_for("subscribed to news");
    let sent = as_written(trigger, port).output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    let (_, promised) = printed[0].split_once("  ").unwrap();
    assert_eq!(listener.event(), promised);
}

#[test]
fn private_channels_are_signed_and_data_comes_as_it_was_sent() {
    let (_server, port) = demo_server();
    let mut listener = Listener::subscribed(1, &["private-a", &port]);
    let send = |data: &str| run(&["trigger", "private-a", "e", data, &port]).code;
    // S12
    for data in ["{\"a\": 1}", "no JSON", "\"text\"", "-1", "{}"] {
        assert_eq!(send(data), Some(0), "{data}");
        assert_eq!(listener.event(), format!("private-a  e  {data}"));
    }
    let piped = run_with(
        "{\"ä\":\n2}\n".as_bytes(),
        &["trigger", "private-a", "e", "-", &port],
    );
    assert_eq!(piped.code, Some(0), "{}", piped.stderr);
    assert_eq!(listener.event(), "private-a  e  {\"ä\":\\n2}");
}

#[test]
fn data_is_empty_unless_it_is_given() {
    let (_server, port) = demo_server();
    let mut listener = Listener::subscribed(2, &["a", "b", &port, "--count=2"]);
    let sent = run(&["trigger", "a", "e", "--also=b", "--also", "c", &port]);
    assert_eq!((sent.code, &sent.stdout[..]), (Some(0), ""));
    assert!(
        sent.stderr
            .starts_with("sent e to a, b, c (app 1001, http://127."),
        "{}",
        sent.stderr
    );
    // S15
    assert_eq!(listener.event(), "a  e  {}");
    assert_eq!(listener.event(), "b  e  {}");
    assert_eq!(
        listener.end(),
        (Some(0), String::new()),
        "two were all that was wanted"
    );
}

#[test]
fn only_the_events_that_were_asked_for_are_printed_and_counted() {
    let (_server, port) = demo_server();
    let events = ["--event=yes", "--event=also"];
    let mut listener = Listener::subscribed(1, &["a", &port, "--count=2", events[0], events[1]]);
    for event in ["no", "yes", "nor", "also"] {
        assert_eq!(run(&["trigger", "a", event, &port]).code, Some(0));
    }
    assert_eq!(
        (listener.event(), listener.event()),
        ("a  yes  {}".into(), "a  also  {}".into())
    );
    assert_eq!(listener.end().0, Some(0));
}

// P1, P2
#[test]
fn members_are_told_as_they_come_and_go() {
    let (_server, port) = demo_server();
    let mut first = Listener::subscribed(1, &["presence-a", &port, "--user-id=1"]);
    assert_eq!(first.event(), "presence-a  members: 1");
    let info = "{\"name\":\"Zoë\"}";
    let second = [
        "presence-a",
        &port,
        "--user-id=2",
        "--user-info",
        info,
        "--json",
    ];
    let mut second = Listener::subscribed(1, &second);
    assert_eq!(first.event(), "presence-a  + 2  {\"name\":\"Zoë\"}");
    let snapshot: Value = serde_json::from_str(&second.line()).unwrap();
    assert_eq!(snapshot["event"], "pusher:subscription_succeeded");
    assert_eq!(snapshot["data"]["presence"]["ids"], json!(["1", "2"]));
    for name in ["pusher:member_removed", "pusher_internal:member_removed"] {
        let event = format!("--event={name}");
        let arguments = ["presence-a", &port, "--user-id=3", "--json", &event];
        let mut third = Listener::subscribed(1, &arguments);
        assert!(first.event().starts_with("presence-a  + 3"));
        let fourth = Listener::subscribed(1, &["presence-a", &port, "--user-id=4"]);
        assert!(first.event().starts_with("presence-a  + 4"));
        drop(fourth);
        assert_eq!(first.event(), "presence-a  - 4");
        let gone: Value = serde_json::from_str(&third.line()).unwrap();
        assert_eq!(gone["event"], "pusher:member_removed");
        drop(third);
        assert_eq!(first.event(), "presence-a  - 3");
    }
    drop(second);
    assert_eq!(first.event(), "presence-a  - 2");
    // Whoever does not say who he is, is somebody all the same.
    let _third = Listener::subscribed(1, &["presence-a", &port]);
    let came = first.event();
    assert!(came.starts_with("presence-a  + listen-"), "{came}");
}

#[test]
fn json_is_one_object_a_line() {
    let (_server, port) = demo_server();
    let mut listener = Listener::subscribed(1, &["a", &port, "--json"]);
    let mut line = |data: &str| -> Value {
        let sent = run(&["trigger", "a", "e", data, &port, "--json"]);
        assert_eq!(sent.json(), json!({}), "the answer of the server");
        serde_json::from_str(&listener.line()).unwrap()
    };
    let heard = line("{\"a\":[1]}");
    assert_eq!(
        (&heard["channel"], &heard["event"]),
        (&json!("a"), &json!("e"))
    );
    assert_eq!(heard["data"], json!({ "a": [1] }));
    assert!(
        heard["time_ms"]
            .as_u64()
            .is_some_and(|ms| ms > 1_700_000_000_000),
        "{heard}"
    );
    // W6
    assert_eq!(line("no JSON")["data"], "no JSON");
    assert_eq!(line("\u{1b}[2J")["data"], "\u{1b}[2J");
}

#[test]
fn what_drives_a_terminal_is_shown_and_not_obeyed() {
    let (_server, port) = demo_server();
    let mut listener = Listener::subscribed(1, &["a", &port]);
    assert_eq!(
        run(&["trigger", "a", "e\u{7}", "\u{1b}[2J\nx", &port]).code,
        Some(0)
    );
    assert_eq!(listener.event(), "a  e\\u{7}  \\u{1b}[2J\\nx");
}

// S13
#[test]
fn one_connection_may_be_left_out() {
    let (_server, port) = demo_server();
    let mut left_out = Listener::started(command(&["listen", "a", &port], &[]));
    let connected = left_out.wait_for("connected to ");
    let socket_id = connected.trim_end().rsplit(' ').next().unwrap();
    left_out.wait_for("subscribed to ");
    let except = format!("--except={socket_id}");
    assert_eq!(
        run(&["trigger", "a", "first", &except, &port]).code,
        Some(0)
    );
    assert_eq!(run(&["trigger", "a", "second", &port]).code, Some(0));
    assert_eq!(left_out.event(), "a  second  {}");
}

// U7
#[test]
fn a_users_own_channel_is_heard_by_signing_in() {
    let (_server, port) = demo_server();
    let mut listener = Listener::subscribed(1, &["#server-to-user-7", &port]);
    assert_eq!(
        run(&["trigger", "#server-to-user-7", "e", &port]).code,
        Some(0)
    );
    assert_eq!(listener.event(), "#server-to-user-7  e  {}");
    let two = run(&["listen", "#server-to-user-7", "#server-to-user-8", &port]).refused(64);
    assert!(two.contains("is one user"), "{two}");
}

#[test]
fn the_same_settings_find_the_server_that_they_started() {
    let path = std::env::temp_dir().join(format!("shardcast-listen-{}.toml", std::process::id()));
    let app = |id: &str| format!("[[apps]]\nid='{id}'\nkey='k{id}'\nsecret='s{id}'\n");
    std::fs::write(
        &path,
        format!("path_prefix = '/live'\n{}{}", app("1"), app("2")),
    )
    .unwrap();
    let file = format!("--config={}", path.display());
    let server = Process::start(&["--shards=1", &file]);
    let port = server.address.port().to_string();
    // The port before the command, the file behind it, and the app by its key.
    let mut listener = Listener::subscribed(0, &["private-a", &file, "--app=k2", "--port", &port]);
    listener.wait_for("subscribed to private-a");
    let variables = [("SOKETI_PORT", &port[..])];
    let trigger = |app: &str| {
        run_in(
            &[&file, "trigger", "private-a", app, "--app", app],
            &variables,
        )
    };
    assert_eq!(trigger("1").code, Some(0), "of another app");
    assert_eq!(trigger("2").code, Some(0));
    assert_eq!(listener.event(), "private-a  2  {}");
    let told = run_in(&["trigger", "a", "e", &file], &variables).refused(64);
    assert!(told.ends_with("say which one with --app: 1, 2"), "{told}");
    let url = format!("--url=http://localhost:{port}/live/");
    assert_eq!(
        run(&["trigger", "a", "e", &file, "--app=1", &url]).code,
        Some(0)
    );
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_reader_that_has_had_enough_ends_it() {
    let (_server, port) = demo_server();
    let mut listener = Listener::subscribed(1, &["a", &port]);
    let Listener { stdout, .. } = &mut listener;
    let gone = std::mem::replace(stdout, std::io::BufReader::new(other_pipe()));
    drop(gone);
    assert_eq!(run(&["trigger", "a", "e", &port]).code, Some(0));
    assert_eq!(listener.end(), (Some(0), String::new()));
}

/// A pipe with nothing in it.
fn other_pipe() -> std::process::ChildStdout {
    let mut child = Command::new("true");
    let child = child.stdout(std::process::Stdio::piped()).spawn();
    child.unwrap().stdout.take().unwrap()
}

// A1
#[test]
fn an_event_is_as_large_as_a_request_to_reverb_may_be_whatever_clients_may_send() {
    let variables = [
        ("REVERB_APP_ID", "1"),
        ("REVERB_APP_KEY", "own-key"),
        ("REVERB_APP_SECRET", "own-secret"),
        ("REVERB_APP_MAX_MESSAGE_SIZE", "10000"),
        ("REVERB_MAX_REQUEST_SIZE", "30000"),
    ];
    let mut server = Command::new(binary());
    server.envs(variables);
    let server = Process::start_as(server, &["--shards=1", "--host=127.0.0.1"]);
    let port = format!("--port={}", server.address.port());
    let publish = |bytes| {
        let data = "x".repeat(bytes);
        run_in(
            &["trigger", "a", "e", &data, "--host=127.0.0.1", &port],
            &variables,
        )
    };
    assert_eq!(publish(20_000).code, Some(0));
    assert!(publish(30_001).refused(64).contains("413"));
}
