//! Who moves here starts this server on the environment of the other one, unchanged, and real
//! clients work on it: pusher-js, Laravel Echo and the SDK of a backend.
//!
//! Only the ports are others, by flags, since those of the environment may be taken by who runs the
//! tests; that they would be used is shown too. The environment is a `.env` file, as both servers
//! read it. `make setup` puts the clients in place.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod scripts;

use scripts::{run_node, run_node_file, with_program};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All 115 variables of soketi with their defaults, in its order (see tests/config).
const SOKETI: &str = include_str!("config/soketi.txt");

/// What Laravel has once Reverb is installed, and what Reverb's own documents add.
const REVERB: &str = include_str!("clients/moves/reverb.env");

/// The app that the scripts expect.
const APP: [(&str, &str); 3] = [
    ("ID", "4242"),
    ("KEY", "orders-key"),
    ("SECRET", "orders-secret"),
];

/// A working directory with this `.env` file.
fn folder(name: &str, env: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(".env"), env).unwrap();
    folder
}

/// The server in that directory, with nothing in its environment.
fn server(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardcast"));
    command.current_dir(folder).env_clear();
    command
}

/// What it would listen on if no flag said otherwise.
fn printed(folder: &Path) -> String {
    let output = server(folder).arg("--print-config").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn expect_line(printed: &str, setting: &str, origin: &str) {
    let found = printed.lines().find(|line| line.starts_with(setting));
    let found = found.unwrap_or_else(|| panic!("{setting}:\n{printed}"));
    assert!(found.ends_with(&format!("# {origin}")), "{found}");
}

#[test]
fn soketis_environment_starts_it_and_clients_work() {
    let mut env = String::new();
    for row in SOKETI.lines() {
        let mut cells = row.split(" | ").map(str::trim);
        let (name, default) = (cells.next().unwrap(), cells.next().unwrap());
        let own = APP
            .iter()
            .find(|(key, _)| name == format!("SOKETI_DEFAULT_APP_{key}"));
        let value = own.map_or(default, |(_, value)| value);
        // Quotes as a shell would want them, where the value has some.
        match value.contains('"') {
            true => env += &format!("{name}='{value}'\n"),
            false => env += &format!("{name}={value}\n"),
        }
    }
    assert_eq!(env.lines().count(), 115);
    let folder = folder("moves-soketi", &env);
    let text = printed(&folder);
    let line = |name: &str| 1 + env.lines().position(|line| line.starts_with(name)).unwrap();
    for (setting, name) in [
        ("host = \"0.0.0.0\" ", "SOKETI_HOST"),
        ("port = 6001 ", "SOKETI_PORT"),
    ] {
        expect_line(&text, setting, &format!("{name} (.env:{})", line(name)));
    }
    with_program(server(&folder), |port| {
        run_node_file(port, "pusher-js/presence.test.js");
        run_node_file(port, "moves/soketi.test.js");
    });
}

#[test]
fn reverbs_environment_starts_it_and_clients_work() {
    let folder = folder("moves-reverb", REVERB);
    let text = printed(&folder);
    expect_line(&text, "host = \"0.0.0.0\" ", "default of Reverb");
    expect_line(&text, "port = 8080 ", "default of Reverb");
    expect_line(&text, "client_events = true ", "default of Reverb");
    with_program(server(&folder), |port| run_node(port, "echo"));
}
