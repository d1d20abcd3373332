//! The examples as a newcomer runs them, each with real clients: `ws` and `fetch` of Node, and
//! headless Chromium for the pages. What is asserted stands in `tests/clients/examples`.

mod scripts;

use scripts::{example, run_node_file, with_program};
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
fn mishaps() {
    run("mishaps");
}

#[test]
fn everything() {
    run("everything");
}

/// Runs an example, and its script against it.
fn run(name: &str) {
    with_program(Command::new(example(name)), |port| {
        run_node_file(port, &format!("examples/{name}.test.js"));
    });
}
