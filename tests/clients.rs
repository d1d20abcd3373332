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

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use scripts::{
    listening_port, run_node, run_node_over_tls, run_python, scripts_folder, with_program,
    with_program_that,
};
use std::path::Path;
use std::process::Command;

#[test]
fn pusher_js() {
    with_server(Some("apps.toml"), |port| run_node(port, "pusher-js"));
}

/// The same over TLS, with the backend's SDK over TLS too.
#[test]
fn pusher_js_over_tls() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients-tls");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file can be written");
        path
    };
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Or OpenSSL would take what it signs for signed by itself.
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "authority of the tests");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let cert = params.signed_by(&key, &authority).unwrap();
    let trusted = file("authority.pem", authority.pem());
    let (cert, key) = (
        file("cert.pem", cert.pem()),
        file("key.pem", key.serialize_pem()),
    );
    let server = |config: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shardcast"));
        let config = scripts_folder().join(config);
        command.arg("--config").arg(config);
        command.arg("--tls-cert").arg(&cert);
        command.arg("--tls-key").arg(&key);
        command
    };
    let names = ["cache", "client-events", "presence", "private", "public"];
    let files = names.map(|name| format!("pusher-js/{name}.test.js"));
    let files = files.each_ref().map(|name| &name[..]);
    with_program_that(server("apps.toml"), &[], "wss", |port, _| {
        run_node_over_tls(port, port, &trusted, &files);
    });
    let both = server("tls.toml");
    with_program_that(both, &["--tls-port=0"], "wss", |tls_port, banner| {
        let port = listening_port(banner, "ws").expect("there is a port in clear");
        run_node_over_tls(port, tls_port, &trusted, &["tls/only.test.js"]);
    });
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
fn dashboard_in_chromium() {
    with_server(Some("apps.toml"), |port| run_node(port, "dashboard"));
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
