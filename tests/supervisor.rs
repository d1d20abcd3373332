//! What a supervisor such as systemd hears of the server's own program, and in which order. That it
//! hears of a shard that does not turn has its test in `blocked.rs`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod process;
#[path = "supervisor/socket.rs"]
mod socket;

use process::{Process, binary, connect};
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};
use socket::{Supervisor, Told};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

const APP: &str = "[[apps]]\nid = '1001'\nkey = 'app-key'\nsecret = 'canary-1'\n";

fn supervised(supervisor: &Supervisor, flags: &[&str]) -> Process {
    let mut command = Command::new(binary());
    supervisor.supervise(&mut command, Some(Duration::from_secs(1)));
    Process::start_as(command, flags)
}

fn names(told: &Told) -> Vec<&str> {
    told.keys().map(String::as_str).collect()
}

fn now_us() -> i128 {
    let now = clock_gettime(ClockId::Monotonic);
    i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000
}

/// Where a status says that the server listens.
fn address(told: &Told) -> SocketAddr {
    let (_, rest) = told["STATUS"].split_once("serving on ").unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn a_supervisor_hears_of_the_start_of_reloads_and_of_the_end() {
    let supervisor = Supervisor::new("words");
    let file = std::env::temp_dir().join(format!("shardcast-words-{}.toml", std::process::id()));
    std::fs::write(&file, APP).unwrap();
    let flags = ["--shards", "2", "--config", file.to_str().unwrap()];
    let server = supervised(&supervisor, &flags);

    let ready = supervisor.next();
    assert_eq!(names(&ready), ["READY", "STATUS"]);
    assert_eq!(ready["READY"], "1");
    assert_eq!(address(&ready), server.address);
    assert!(ready["STATUS"].ends_with(", shards: 2"), "{ready:?}");
    let client = connect(server.address).expect("it was said to be ready");
    let ping = supervisor.next_within(Duration::from_secs(20)).unwrap();
    assert_eq!(ping, Told::from([("WATCHDOG".into(), "1".into())]));

    let before = now_us();
    for (text, refused) in [
        ("outbox_bytes = 20000\n", None),
        ("outbox_byts = 1\n", Some("did you mean `outbox_bytes`?")),
        ("outbox_bytes = 30000\n", None),
    ] {
        std::fs::write(&file, format!("{text}{APP}")).unwrap();
        server.signal(Signal::HUP);
        let reloading = supervisor.next();
        assert_eq!(names(&reloading), ["MONOTONIC_USEC", "RELOADING", "STATUS"]);
        assert_eq!(reloading["RELOADING"], "1");
        let at: i128 = reloading["MONOTONIC_USEC"].parse().unwrap();
        assert!((before..=now_us()).contains(&at), "{at}");
        let again = supervisor.next();
        assert_eq!(names(&again), ["READY", "STATUS"]);
        assert_eq!(again["READY"], "1");
        assert!(again["STATUS"].starts_with(&ready["STATUS"]), "{again:?}");
        match refused {
            None => assert_eq!(again["STATUS"], ready["STATUS"]),
            Some(words) => assert!(again["STATUS"].contains(words), "{again:?}"),
        }
        assert!(!again["STATUS"].contains("canary"), "{again:?}");
    }

    server.signal(Signal::TERM);
    let stopping = supervisor.next();
    assert_eq!(
        names(&stopping),
        ["EXTEND_TIMEOUT_USEC", "STATUS", "STOPPING"]
    );
    assert_eq!(stopping["STOPPING"], "1");
    // The default of stop_deadline_ms, and what may follow on it.
    assert_eq!(stopping["EXTEND_TIMEOUT_USEC"], "33000000");
    drop(client);
    let (status, stderr) = server.wait();
    assert!(status.success(), "{stderr}");
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_server_that_cannot_start_is_never_ready() {
    let supervisor = Supervisor::new("taken");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = Command::new(binary());
    supervisor.supervise(&mut command, None);
    command.args(["start", "--port", &port, "--admin-port", "0"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert!(supervisor.is_quiet());
}

#[test]
fn a_supervisor_that_is_gone_does_no_harm() {
    let mut command = Command::new(binary());
    command.env("NOTIFY_SOCKET", "/nowhere/at/all");
    let server = Process::start_as(command, &["--shards", "1"]);
    assert!(connect(server.address).is_some());
    let (status, stderr) = server.stop();
    assert!(status.success(), "{stderr}");
    let told = "the supervisor at NOTIFY_SOCKET does not hear of it";
    assert!(stderr.contains(told), "{stderr}");
}

#[test]
fn another_process_of_the_unit_does_not_ping() {
    let supervisor = Supervisor::new("other");
    let mut command = Command::new(binary());
    supervisor.supervise(&mut command, Some(Duration::from_millis(100)));
    command.env("WATCHDOG_PID", "1");
    let server = Process::start_as(command, &["--shards", "1"]);
    assert_eq!(names(&supervisor.next()), ["READY", "STATUS"]);
    // The others are told every 50 ms; this one not even once, until the end.
    assert_eq!(supervisor.next_within(Duration::from_secs(1)), None);
    server.signal(Signal::TERM);
    let last = supervisor.next_within(Duration::from_secs(20)).unwrap();
    assert!(last.contains_key("STOPPING"), "{last:?}");
    assert!(server.wait().0.success());
}
