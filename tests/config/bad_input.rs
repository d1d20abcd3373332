//! What stops a start: one sentence that names the source and the fix, and an exit code.

use crate::{ConfigFile, Run, refused, run};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

/// Runs it, and expects an end with that code and one line.
fn stopped(code: i32, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let run: Run = run(arguments, variables);
    let said = (run.code, run.stderr.lines().count());
    assert_eq!(
        said,
        (Some(code), 1),
        "{arguments:?}: {}{}",
        run.stdout,
        run.stderr
    );
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    run.stderr
}

#[test]
fn a_port_in_use_names_it_and_the_settings_that_choose_another() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = stopped(
        69,
        &["start", "--port", &port, "--shards=1", "--admin=off"],
        &[],
    );
    let start = format!("shardcast: cannot listen on 127.0.0.1:{port}: another program does");
    assert!(
        said.starts_with(&start) && said.contains("--port"),
        "{said}"
    );
    let by_variable = [("SHARDCAST_PORT", &*port), ("SHARDCAST_ADMIN", "off")];
    let said = stopped(69, &["start", "--shards=1"], &by_variable);
    assert!(said.starts_with(&start), "{said}");
    let admin = [
        "start",
        "--port=0",
        "--shards=1",
        "--admin=on",
        "--admin-port",
        &port,
    ];
    let said = stopped(69, &admin, &[]);
    assert!(
        said.contains("cannot answer for metrics on 127.0.0.1:"),
        "{said}"
    );
    assert!(said.contains("--admin-port"), "{said}");
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    let none = [
        ("SOKETI_SSL_CERT", "/none.pem"),
        ("SOKETI_SSL_KEY", "/none.key"),
    ];
    let said = stopped(
        78,
        &["start", "--port=0", "--shards=1", "--admin=off"],
        &none,
    );
    assert!(said.contains("/none.pem"), "{said}");
    let text = ConfigFile::named("not-a.pem", "canary: no certificate\n");
    let own = [
        ("SOKETI_SSL_CERT", text.path()),
        ("SOKETI_SSL_KEY", text.path()),
    ];
    let said = stopped(
        78,
        &["start", "--port=0", "--shards=1", "--admin=off"],
        &own,
    );
    assert!(
        said.contains(text.path()) && !said.contains("canary"),
        "{said}"
    );
    let said = stopped(78, &["--check"], &own);
    assert!(said.contains(text.path()), "{said}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let said = refused(&["--config", "/none.toml"], &[]);
    assert!(
        said.contains("\"/none.toml\": expected a readable file in TOML or JSON, but: No such")
    );
    let said = refused(&["--config", "/"], &[]);
    assert!(said.contains("Is a directory"), "{said}");
    let bytes = ConfigFile::named("bytes.toml", "");
    fs::write(bytes.path(), b"port = 1 # \xff\xfe").unwrap();
    let said = refused(&["--config", bytes.path()], &[]);
    assert!(said.contains("valid UTF-8"), "{said}");
    let shut = ConfigFile::named("shut.toml", "port = 1");
    fs::set_permissions(shut.path(), fs::Permissions::from_mode(0o000)).unwrap();
    // Whoever may read everything sees no refusal.
    if fs::read(shut.path()).is_err() {
        let said = refused(&["--config", shut.path()], &[]);
        assert!(said.contains("Permission denied"), "{said}");
    }
}

#[test]
fn a_secret_that_is_missing_is_asked_for_by_name() {
    let id_and_key = |prefix: &str| [format!("{prefix}ID"), format!("{prefix}KEY")];
    for prefix in ["SOKETI_DEFAULT_APP_", "REVERB_APP_", "SHARDCAST_APP_"] {
        let names = id_and_key(prefix);
        let variables = [(&*names[0], "7"), (&*names[1], "k")];
        let said = refused(&[], &variables);
        let start = format!("{prefix}SECRET: `apps.secret`: it is missing; an app needs the");
        assert!(said.starts_with(&start), "{said}");
    }
    let file = ConfigFile::new("no-secret", "[[apps]]\nid = '1'\nkey = 'k'\n");
    let said = refused(&["--config", file.path()], &[]);
    assert!(
        said.contains(":1: `apps[0].secret`: it is missing"),
        "{said}"
    );
    let named = [
        ("SHARDCAST_APP_ID", "7"),
        ("SHARDCAST_APP_KEY", "k"),
        ("SHARDCAST_APP_SECRET_FILE", "/none/secret"),
    ];
    let said = refused(&[], &named);
    let start = "SHARDCAST_APP_SECRET_FILE (/none/secret): `apps.secret`: expected a readable file";
    assert!(said.starts_with(start), "{said}");
}

#[test]
fn every_variable_of_ours_with_a_bad_value_is_named() {
    for (name, value) in [
        ("SHARDCAST_PORT", "http"),
        ("SHARDCAST_HOST", "example.com"),
        ("SHARDCAST_SHARDS", "-1"),
        ("SHARDCAST_CORES", "a"),
        ("SHARDCAST_DEBUG", "yes"),
        ("SHARDCAST_ADMIN", "maybe"),
        ("SHARDCAST_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("SHARDCAST_APP_MAX_CONNECTIONS", "many"),
        ("SHARDCAST_APP_WEBHOOKS", "[{}]"),
        ("REVERB_SERVER_PORT", "70000"),
        ("SOKETI_SHUTDOWN_GRACE_PERIOD", "3s"),
        ("LARAVEL_WEBSOCKETS_PORT", "http"),
    ] {
        let said = refused(&[], &[(name, value)]);
        assert!(said.starts_with(&format!("{name}: `")), "{said}");
        let is_told = ["expected ", "it is missing"]
            .iter()
            .any(|word| said.contains(word));
        assert!(is_told, "{said}");
    }
}

#[test]
fn authorities_of_webhooks_that_cannot_be_read_are_found_by_a_check_too() {
    let app = "[[apps]]\nid='1'\nkey='k'\nsecret='s'\n\
               webhooks=[{url='https://a.example/'}]\n";
    let apart = ConfigFile::new("ca-apart", app);
    let whole = ConfigFile::new("ca", &format!("\nwebhook_ca_file = '/none.pem'\n{app}"));
    let flag = "--webhook-ca-file=/none.pem";
    let variable = [("SHARDCAST_WEBHOOK_CA_FILE", "/none.pem")];
    for (file, flags, variables, source) in [
        (&whole, &[][..], &[][..], format!("{}:2", whole.path())),
        (&apart, &[flag][..], &[][..], "--webhook-ca-file".to_owned()),
        (
            &apart,
            &[][..],
            &variable[..],
            "SHARDCAST_WEBHOOK_CA_FILE".to_owned(),
        ),
    ] {
        for command in ["start", "check"] {
            let arguments = [&[command, "--shards=1", "--config", file.path()], flags].concat();
            let said = stopped(78, &arguments, variables);
            let start = format!("shardcast: {source}: `webhook_ca_file` cannot be \"/none.pem\": ");
            assert!(said.starts_with(&start), "{said}");
        }
    }
    let Run { stdout, .. } = run(
        &["check", "--json", "--shards=1", "--config", whole.path()],
        &[],
    );
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(answer["good"], false);
    let told = answer["error"].as_str().unwrap();
    assert!(told.contains("`webhook_ca_file`"), "{told}");
}
