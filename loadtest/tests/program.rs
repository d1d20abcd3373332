//! The program as others call it: exit codes, what goes where, bars on a terminal and nowhere else.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};
use support::counting::{CountingServer, Faults};

/// A run that ends at its first connection, because nobody listens there.
fn refused() -> Command {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardcast-loadtest"));
    command.args(["fan-out", "--subscribers", "10", "--url", &url]);
    command.env("TERM", "xterm").env_remove("NO_COLOR");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Both ends of a new terminal.
fn terminal() -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let name = OsStr::from_bytes(name.as_bytes());
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .open(name)
        .unwrap();
    (File::from(master), slave)
}

/// What the program wrote on a terminal in place of its standard error.
fn on_a_terminal(mut command: Command) -> String {
    let (mut master, slave) = terminal();
    let mut child = command.stderr(slave).spawn().unwrap();
    // Our own hold on the other end would keep it from ever ending.
    drop(command);
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // The kernel tells the end of a terminal by an error.
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(child.wait().unwrap().code(), Some(2));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn bars_are_drawn_on_a_terminal() {
    let text = on_a_terminal(refused());
    assert!(
        text.contains("connecting") && text.contains('['),
        "{text:?}"
    );
    assert!(text.contains("shardcast-loadtest: "), "{text:?}");
}

#[test]
fn nothing_is_drawn_for_who_wants_quiet() {
    let mut command = refused();
    command.arg("--quiet");
    let text = on_a_terminal(command);
    assert!(text.starts_with("shardcast-loadtest: "), "{text:?}");
    assert_eq!(text.lines().count(), 1, "{text:?}");
}

#[test]
fn nothing_is_drawn_on_a_pipe() {
    let output = refused().stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("shardcast-loadtest: "), "{text:?}");
    assert_eq!(text.lines().count(), 1, "{text:?}");
}

#[test]
fn what_is_wrong_with_the_outputs_is_told_before_anybody_connects() {
    for (wrong, told) in [
        (
            ["--json-file", "/nowhere/run.json"],
            "cannot write /nowhere/run.json: No such",
        ),
        (
            ["--compare", "/nowhere/old.json"],
            "/nowhere/old.json: No such file",
        ),
        (["--tolerate", "5"], "--tolerate needs --compare"),
        (["--require", "lost=0"], "expected KEY OP NUMBER"),
    ] {
        let output = refused()
            .args(wrong)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(told), "{text:?}");
        assert!(!text.contains("refused"), "{text:?}");
    }
}

/// A short run of fan-out against a server that loses a message now and then, or does not.
fn short(drop_every: u64, arguments: &[&str]) -> Output {
    let server = CountingServer::start(Faults {
        drop_every,
        ..Faults::default()
    });
    let url = format!("ws://{}", server.address);
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardcast-loadtest"));
    command.args(["fan-out", "--subscribers", "20", "--url", &url]);
    command.args([
        "--warm-up-s",
        "0.1",
        "--duration-s",
        "0.3",
        "--drain-s",
        "0.1",
    ]);
    let output = command.args(arguments).output().unwrap();
    server.stop();
    output
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_run_that_keeps_everything_ends_with_0() {
    let bounds = ["--require", "lost==0", "--require", "delivery_p50_us > 0"];
    let output = short(0, &bounds);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).starts_with("fan-out: passed\n"));
    assert!(text(&output.stdout).contains("\n  ok   lost == 0\n"));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn a_run_that_fails_a_check_ends_with_1() {
    let output = short(97, &["--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["passed"], false);
    assert!(value["figures"]["lost"]["value"].as_f64().unwrap() > 0.0);
    let output = short(0, &["--require", "deliveries_per_s>=1e12"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stdout).contains("\n  FAIL deliveries_per_s >= "));
}

#[test]
fn a_bound_for_no_figure_ends_with_2_after_the_report() {
    let output = short(0, &["--require", "deliverys_per_s>1"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stdout).starts_with("fan-out: FAILED\n"));
    let told = "no figure is called deliverys_per_s; did you mean deliveries_per_s?";
    assert!(text(&output.stderr).contains(told), "{output:?}");
}
