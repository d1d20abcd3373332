//! The load tester as a command of the server's program: `shardcast loadtest`.

#![cfg(feature = "loadtest")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod process;

use process::Process;
use std::process::{Command, Output};

fn shardcast(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardcast"));
    command.args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn help_is_under_the_name_that_was_typed() {
    let output = shardcast(&["loadtest", "fan-out", "--help"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let help = text(&output.stdout);
    assert!(
        help.contains("Usage: shardcast loadtest fan-out [OPTIONS]"),
        "{help}"
    );
    assert!(help.contains("--subscribers <N>"), "{help}");
    let own = shardcast(&["--help"]);
    assert!(text(&own.stdout).contains("\n  loadtest  "), "{own:?}");
}

#[test]
fn the_program_loads_itself() {
    let server = Process::start(&["--shards", "1"]);
    let url = format!("ws://{}", server.address);
    let pid = server.pid().to_string();
    let publish = [
        "loadtest",
        "publish",
        "--warm-up-s",
        "0.1",
        "--duration-s",
        "1",
    ];
    let to = [
        "--url",
        &url,
        "--server-pid",
        &pid,
        "--require",
        "answered>0",
    ];
    let output = shardcast(&[&publish[..], &to].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        text(&output.stdout).starts_with("publish: passed\n"),
        "{output:?}"
    );
    let (status, complaints) = server.stop();
    assert!(status.success(), "{complaints}");
}

#[test]
fn a_crowd_leaves_and_a_server_is_restarted() {
    // Limits that no machine misses, but for the one that must be.
    let server = Process::start(&["--shards", "2"]);
    let url = format!("ws://{}", server.address);
    let crowd = ["--connections", "200", "--require", "subscribed==200"];
    let leave = ["loadtest", "depart", "--url", &url, "--limit-ms", "60000"];
    let output = shardcast(&[&leave[..], &["--quiet-s", "0.5", "--connections", "200"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = text(&output.stdout);
    assert!(
        told.contains("longest delivery while the crowd left"),
        "{told}"
    );
    let too_long = shardcast(&[&leave[..4], &["--limit-ms", "0", "--quiet-s", "0.5"]].concat());
    assert_eq!(too_long.status.code(), Some(1), "{too_long:?}");

    let program = env!("CARGO_BIN_EXE_shardcast");
    let start = format!("{program} start --port {{port}} --shards 2");
    let again = ["loadtest", "restart", "--start", &start, "--limit-s", "60"];
    let output = shardcast(&[&again[..], &crowd[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = text(&output.stdout);
    for figure in ["until 95 of 100 were", "until the last was"] {
        let label = format!("from the kill {figure} subscribed again");
        assert!(told.contains(&label), "{told}");
    }
    let again = [
        "loadtest",
        "restart",
        "--start",
        &start,
        "--limit-s",
        "0.01",
    ];
    let output = shardcast(&[&again[..], &crowd[..2]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = text(&output.stdout);
    assert!(told.contains("95 of 100 were back after "), "{told}");
}

#[test]
fn mistakes_have_the_exit_codes_of_the_load_tester() {
    let output = shardcast(&["loadtest", "fan-out", "--rate", "0"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let output = shardcast(&["--port", "0", "loadtest"]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(
        text(&output.stderr).contains("shardcast loadtest ..."),
        "{output:?}"
    );
}
