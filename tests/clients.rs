//! Official clients and server SDKs against the real binary with two shards.
//!
//! Each test starts a server of its own on a free port, runs one folder of `tests/clients` on it
//! (pusher-js, Laravel Echo, both again in headless Chromium, npm `pusher`, PyPI `pusher`), and
//! then stops the server with SIGTERM, which must end it with status 0. What is asserted about the
//! protocol stands in those scripts.
//!
//! It is not the place for raw sockets or for further SDKs. `make setup` puts the Node packages,
//! the Python environment and Chromium in place; a test fails, and is never skipped, when one of
//! them is missing.

mod scripts;

use scripts::{run_node, run_python, scripts_folder, with_program};
use std::process::Command;

#[test]
fn pusher_js() {
    with_server(Some("apps.toml"), |port| run_node(port, "pusher-js"));
}

/// Conformance item 1.
#[test]
fn server_frames_of_the_vectors() {
    with_server(Some("vectors.toml"), |port| run_node(port, "frames"));
}

#[test]
fn laravel_echo() {
    with_server(Some("apps.toml"), |port| run_node(port, "echo"));
}

#[test]
fn webhook_receivers() {
    with_server(Some("apps.toml"), |port| run_node(port, "webhooks"));
}

#[test]
fn watchlists_and_counts() {
    with_server(Some("social.toml"), |port| run_node(port, "social"));
}

#[test]
fn web_builds_in_chromium() {
    with_server(Some("apps.toml"), |port| run_node(port, "browser"));
}

#[test]
fn npm_pusher() {
    with_server(Some("apps.toml"), |port| run_node(port, "sdk-node"));
}

#[test]
fn pypi_pusher() {
    with_server(Some("apps.toml"), run_python);
}

#[test]
fn demo_application_needs_no_configuration() {
    let output = with_server(None, |port| run_node(port, "demo"));
    for credential in ["1001", "app-key", "app-secret"] {
        assert!(
            output.contains(credential),
            "the banner tells {credential}:\n{output}"
        );
    }
}

/// Starts a server, runs `check` with its port, stops it, and returns all it printed.
fn with_server(config: Option<&str>, check: impl FnOnce(u16)) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardcast"));
    if let Some(name) = config {
        command.arg("--config").arg(scripts_folder().join(name));
    }
    with_program(command, check)
}
