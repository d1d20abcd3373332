//! The examples as a newcomer runs them, each with real clients: `ws` and `fetch` of Node, and
//! headless Chromium for the pages. What is asserted stands in `tests/clients/examples`.

mod scripts;

use scripts::{run_node_file, with_program};
use std::path::PathBuf;
use std::process::Command;

#[test]
fn echo() {
    run("echo");
}

#[test]
fn chat() {
    run("chat");
}

#[test]
fn handshake() {
    run("handshake");
}

#[test]
fn http_push() {
    run("http_push");
}

#[test]
fn upload() {
    run("upload");
}

#[test]
fn connection_table() {
    run("connection_table");
}

#[test]
fn named_handlers() {
    run("named_handlers");
}

#[test]
fn everything() {
    run("everything");
}

/// Runs an example, and its script against it.
fn run(name: &str) {
    with_program(Command::new(program(name)), |port| {
        run_node_file(port, &format!("examples/{name}.test.js"));
    });
}

/// The example's program, which `cargo test` has built before it runs tests. When one test program
/// is asked for by its name it does not: `cargo build --examples` does then.
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    let folder = own.parent().and_then(|deps| deps.parent());
    let folder = folder.expect("tests lie in target/PROFILE/deps");
    let program = folder.join("examples").join(name);
    assert!(
        program.exists(),
        "{} is missing: run `cargo build --examples`",
        program.display()
    );
    program
}
