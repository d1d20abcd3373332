//! The suite as others call it: servers are started, waited for, measured and ended.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use rustix::thread::{CpuSet, sched_getaffinity};
use serde_json::Value;
use std::process::{Command, Output};
use support::counting::{CountingServer, Faults};

/// Where the server of this file listens, when it is one.
const PORT: &str = "SUITE_TEST_PORT";
/// How often it loses a delivery.
const DROP_EVERY: &str = "SUITE_TEST_DROP_EVERY";

/// No test: what the suite starts, which is this program again.
#[test]
#[ignore = "a server that runs until it is ended"]
fn server() {
    let variable = |name: &str| std::env::var(name).ok()?.parse().ok();
    let port = variable(PORT).expect("the suite says which port");
    let faults = Faults {
        drop_every: variable(DROP_EVERY).map_or(0, u64::from),
        ..Faults::default()
    };
    let _server = CountingServer::start_on(port, faults);
    loop {
        std::thread::park();
    }
}

fn counting_server(name: &str, drop_every: u16) -> String {
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    format!(
        "{name}=env {PORT}={{port}} {DROP_EVERY}={drop_every} '{program}' --exact server --ignored"
    )
}

fn suite(arguments: &[&str]) -> Output {
    let allowed = sched_getaffinity(None).unwrap();
    let core = (0..CpuSet::MAX_CPU).find(|core| allowed.is_set(*core));
    let core = core.unwrap().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardcast-loadtest"));
    command.args(["suite", "--server-core", &core, "--core", &core]);
    command.args(["--warm-up-s", "0.1", "--duration-s", "0.4"]);
    command.args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn servers_are_measured_side_by_side() {
    let path = unused_path();
    let (json, markdown) = (format!("{path}.json"), format!("{path}.md"));
    let (floor, other) = (counting_server("floor", 0), counting_server("other", 0));
    let output = suite(&[
        "--server",
        &other,
        "--server",
        &floor,
        "--skip",
        "floor:publish",
        "--only",
        "fan-out-fixed",
        "--only",
        "publish",
        "--runs",
        "2",
        "--json-file",
        &json,
        "--markdown",
        &markdown,
    ]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let table = text(&output.stdout);
    assert!(
        table.starts_with("fan-out-fixed: 1 channel of 1,000"),
        "{table}"
    );
    assert!(table.contains("\n\npublish: signed publishes"), "{table}");
    let read: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    let line = &read["lines"][0];
    assert_eq!(line["floor"], "floor");
    assert_eq!(line["servers"][1]["ratio"], 1.0);
    for server in line["servers"].as_array().unwrap() {
        assert_eq!(server["runs"].as_array().unwrap().len(), 2);
        for figure in ["ratio", "p50_us", "cpu_ratio", "server_cpu_share"] {
            assert!(server[figure].as_f64().unwrap() > 0.0, "{figure}: {server}");
        }
    }
    let alone = &read["lines"][1];
    assert_eq!(
        (&alone["floor"], alone["servers"].as_array().unwrap().len()),
        (&"other".into(), 1)
    );
    let document = std::fs::read_to_string(&markdown).unwrap();
    assert!(document.contains("\n| floor | "), "{document}");
    assert!(
        document.contains("\n`publish --publishers 4 --pipeline 32`\n"),
        "{document}"
    );
    for path in [json, markdown] {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn what_fails_stands_in_the_table_and_does_not_stop_the_rest() {
    let (good, lossy) = (counting_server("good", 0), counting_server("lossy", 997));
    let output = suite(&[
        "--server",
        "gone=sh -c 'echo no licence; exit 7'",
        "--server",
        &lossy,
        "--server",
        &good,
        "--only",
        "fan-out-fixed",
        "--runs",
        "1",
        "--floor",
        "good",
    ]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let table = text(&output.stdout);
    let row = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap();
    assert_eq!(row("  gone ! ").matches(" -").count(), 8, "{table}");
    assert!(!row("  lossy ! ").contains(" - "), "{table}");
    assert!(row("  good  ").contains(" 1.00 "), "{table}");
    let one_line: Vec<&str> = table.split_whitespace().collect();
    let one_line = one_line.join(" ");
    for told in [
        "- gone, run 1: ended before it answered (exit status: 7); it printed at last: no licence",
        " deliveries were lost",
    ] {
        assert!(one_line.contains(told), "{table}");
    }
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn what_makes_no_sense_is_told_before_anything_starts() {
    for (wrong, told) in [
        (vec![], "--server"),
        (
            vec!["--server", "a=x", "--only", "none"],
            "expected one of fan-out-16",
        ),
        (
            vec!["--server", "a=x", "--floor", "b"],
            "no server is called b",
        ),
        (
            vec!["--server", "a=x", "--require", "lost==0"],
            "--require is for a single",
        ),
        (
            vec!["--server", "a=x", "--markdown", "/nowhere/x"],
            "cannot write /nowhere/x",
        ),
    ] {
        let output = suite(&wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(text(&output.stderr).contains(told), "{output:?}");
    }
    let output = suite(&["--list"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("fan-out --channels 1 --subscribers 10000"));
}

/// A path that no other test has.
fn unused_path() -> String {
    let directory = env!("CARGO_TARGET_TMPDIR");
    format!("{directory}/suite-{}", std::process::id())
}
