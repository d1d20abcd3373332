//! Commands that cannot do what they are asked for: one sentence, and the exit code for it.

use super::{Listener, Run, command, demo_server, run, run_in, run_with};
use crate::process::Process;
use std::net::TcpListener;

const APP: [(&str, &str); 3] = [
    ("SOKETI_DEFAULT_APP_ID", "1001"),
    ("SOKETI_DEFAULT_APP_KEY", "app-key"),
    ("SOKETI_DEFAULT_APP_SECRET", "canary"),
];

fn with(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let others = APP.into_iter().filter(|(other, _)| *other != name);
    others.chain([(name, value)]).collect()
}

// A2
#[test]
fn a_wrong_credential_is_named() {
    let (_server, port) = demo_server();
    let listen = |channel: &str, variables: &[_]| run_in(&["listen", channel, &port], variables);
    let trigger = |variables: &[_]| run_in(&["trigger", "a", "e", &port], variables).refused(78);

    for channel in ["private-a", "presence-a"] {
        let heard = listen(channel, &APP);
        assert_eq!((heard.code, &heard.stdout[..]), (Some(78), ""));
        let told = heard.stderr.lines().last().unwrap();
        let wanted = format!("shardcast: cannot subscribe to {channel}: ");
        assert!(
            told.starts_with(&wanted) && told.contains("secret of app 1001"),
            "{told}"
        );
    }
    let told = trigger(&APP);
    assert!(
        told.contains("401") && told.contains("secret of app 1001"),
        "{told}"
    );
    assert!(!told.contains("canary"), "{told}");

    let key = with("SOKETI_DEFAULT_APP_KEY", "other");
    let told = listen("a", &key).refused(78);
    assert!(told.contains("with 4001") && told.contains("key"), "{told}");
    assert!(trigger(&key).contains("401"));
    let told = trigger(&with("SOKETI_DEFAULT_APP_ID", "other"));
    assert!(
        told.contains("404") && told.contains("no app other"),
        "{told}"
    );
}

#[test]
fn an_app_that_is_switched_off_is_said_so() {
    let path = std::env::temp_dir().join(format!("shardcast-off-{}.toml", std::process::id()));
    std::fs::write(
        &path,
        "[[apps]]\nid='1'\nkey='k'\nsecret='s'\nenabled=false\n",
    )
    .unwrap();
    let file = format!("--config={}", path.display());
    let server = Process::start(&["--shards=1", &file]);
    let port = format!("--port={}", server.address.port());
    let told = run(&["listen", "a", &file, &port]).refused(78);
    assert!(told.contains("with 4003: The app is not enabled"), "{told}");
    let told = run(&["trigger", "a", "e", &file, &port]).refused(78);
    assert!(told.contains("403"), "{told}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn nobody_there_is_69() {
    // Nobody else gets the port while it is bound, and nobody answers before it listens.
    let taken = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    taken.bind(&any.into()).unwrap();
    let port = taken.local_addr().unwrap().as_socket().unwrap().port();
    let port = format!("--port={port}");
    for arguments in [&["listen", "a"][..], &["trigger", "a", "e"]] {
        let told = run(&[arguments, &[&port]].concat()).refused(69);
        assert!(told.starts_with("cannot reach http://127.0.0.1:"), "{told}");
        assert!(told.contains("is the server running"), "{told}");
    }
    for command in ["reload", "drain"] {
        let told = run(&[command, &port]).refused(69);
        assert!(told.starts_with("nobody listens on port"), "{told}");
    }
    let nowhere = run(&["trigger", "a", "e", "--url=ws://name.invalid"]).refused(69);
    assert!(
        nowhere.starts_with("cannot reach http://name.invalid:80: "),
        "{nowhere}"
    );
}

#[test]
fn who_does_not_speak_the_protocol_is_69() {
    let (server, _) = demo_server();
    let admin = format!("--url=ws://{}", server.admin.unwrap());
    let told = run(&["listen", "a", &admin]).refused(69);
    assert!(
        told.contains("answered 404 Not Found instead of a WebSocket"),
        "{told}"
    );
    let told = run(&["trigger", "a", "e", &admin]).refused(78);
    assert!(
        told.contains("or it is no server of this protocol"),
        "{told}"
    );

    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("--url=ws://{}", mute.local_addr().unwrap());
    let goodbye = std::thread::spawn(move || {
        for _ in 0..2 {
            drop(mute.accept().unwrap());
        }
    });
    let told = run(&["listen", "a", &url]).refused(69);
    assert!(told.contains("does not speak WebSocket"), "{told}");
    let told = run(&["trigger", "a", "e", &url]).refused(69);
    assert!(told.contains("does not speak HTTP"), "{told}");
    goodbye.join().unwrap();
}

#[test]
fn a_server_that_is_gone_is_69_and_one_that_comes_back_is_heard_again() {
    let (server, port) = demo_server();
    let mut lasting = Listener::subscribed(1, &["a", &port]);
    let leaving = Listener::subscribed(1, &["a", &port, "--retry-s=0"]);
    let number = server.address.port();
    assert!(server.stop().0.success());
    let (code, told) = leaving.end();
    assert_eq!(code, Some(69));
    assert!(told.contains("closed the connection with 4100"), "{told}");
    lasting.wait_for("ws://127.0.0.1:");

    let command = std::process::Command::new(crate::process::binary());
    let _server = Process::start_at(command, number, &["--shards=1"]);
    lasting.wait_for("subscribed to a");
    assert_eq!(run(&["trigger", "a", "e", &port]).code, Some(0));
    assert_eq!(lasting.event(), "a  e  {}");
}

#[test]
fn what_makes_no_sense_is_64_before_anything_is_sent() {
    let of_no_channel = "is no name of a channel; expected 1 to 200 of letters";
    for (arguments, part) in [
        (&["listen", "a b"][..], of_no_channel),
        (&["trigger", "ä", "e"], of_no_channel),
        (&["trigger", "a", "e", "--also=b c"], of_no_channel),
        (&["trigger", "a", "e", "--except=7"], "is no socket id"),
        (&["listen", "presence-a", "--user-id="], "is no user id"),
        (
            &["listen", "presence-a", "--user-info=7"],
            "is no JSON object",
        ),
        (
            &["listen", "presence-a", "--user-info={"],
            "is no JSON object",
        ),
        (&["listen", "a", "--port=0"], "the port is 0"),
        (&["reload", "--port=0"], "the port is 0"),
        (
            &["listen", "a", "--url=example.com"],
            "expected it to begin with ws://",
        ),
        (
            &["listen", "a", "--app=7"],
            "no app has the id or key \"7\"",
        ),
    ] {
        let told = run(arguments).refused(64);
        assert!(told.contains(part), "{told}");
    }
    let told = run_with(b"\xff", &["trigger", "a", "e", "-"]).refused(64);
    assert!(told.contains("the standard input is no text"), "{told}");
    for arguments in [
        &["listen"][..],
        &["trigger", "a"],
        &["listen", "a", "--count=0"],
        &["drain", "--pid=0"],
        &["completions", "csh"],
        &["sign", "channel", "1.1"],
    ] {
        let refused = run(arguments);
        assert_eq!(
            (refused.code, &refused.stdout[..]),
            (Some(64), ""),
            "{arguments:?}"
        );
        assert!(
            refused.stderr.contains("try '--help'"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn what_the_server_refuses_is_said_in_its_words() {
    let (_server, port) = demo_server();
    let long = "x".repeat(10_241);
    let told = run_with(long.as_bytes(), &["trigger", "a", "e", "-", &port]).refused(64);
    assert!(
        told.contains("413") && told.contains("10240 bytes"),
        "{told}"
    );
    assert_eq!(
        run_with(&long.as_bytes()[1..], &["trigger", "a", "e", "-", &port]).code,
        Some(0)
    );
}

#[test]
fn settings_are_refused_as_at_a_start() {
    for command in [
        &["listen", "a"][..],
        &["apps", "list"],
        &["sign", "user", "1.1", "7"],
    ] {
        let told = run(&[command, &["--port=70000"]].concat()).refused(78);
        assert!(
            told.starts_with("--port: `port` cannot be \"70000\""),
            "{told}"
        );
        let told = run_in(command, &[("SOKETI_PORT", "x")]).refused(78);
        assert!(
            told.starts_with("SOKETI_PORT: `port` cannot be \"x\""),
            "{told}"
        );
    }
}

#[test]
fn older_flags_are_of_a_start_alone() {
    for flag in ["--check", "--print-config"] {
        for command in [
            &["reload"][..],
            &["drain"],
            &["config", "schema"],
            &["apps", "list"],
        ] {
            let ended = run(&[&[flag], command].concat());
            assert_eq!(
                (ended.code, &ended.stdout[..]),
                (Some(64), ""),
                "{command:?}"
            );
            assert!(ended.stderr.contains("are of `start`"), "{}", ended.stderr);
        }
        assert_eq!(run(&[flag, "start", "--shards=1"]).code, Some(0));
        assert_eq!(run(&[flag, "check", "--shards=1"]).code, Some(0));
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure_and_a_reader_that_left_is_not() {
    for arguments in [
        &["config", "schema"][..],
        &["--help"],
        &["version"],
        &["start", "--print-config"],
    ] {
        let mut command = command(arguments, &[]);
        command.stdout(std::fs::File::create("/dev/full").unwrap());
        let ended = Run::of(command.output().unwrap());
        assert_eq!(ended.code, Some(74), "{arguments:?}");
        assert!(
            ended.stderr.contains("the answer cannot be written"),
            "{}",
            ended.stderr
        );
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = super::command(arguments, &[]);
        command.stdout(writer);
        let ended = Run::of(command.output().unwrap());
        assert_eq!(
            (ended.code, &ended.stderr[..]),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_program_that_asks_is_told_of_a_refusal_as_json() {
    for (arguments, variables) in [
        (&["check", "--json"][..], &[("SHARDCAST_PORT", "x")][..]),
        (&["check", "--json", "--port=x"], &[]),
    ] {
        let ended = run_in(arguments, variables);
        let answer: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((ended.code, &answer["good"]), (Some(78), &false.into()));
        let told = answer["error"].as_str().unwrap();
        assert!(told.contains("`port` cannot be \"x\""), "{told}");
        assert_eq!(ended.stderr, format!("shardcast: {told}\n"));
    }
}
