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
