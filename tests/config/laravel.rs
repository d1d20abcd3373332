//! What a Laravel application has: the names of Reverb and of laravel-websockets, and its `.env`.

use crate::{ConfigFile, Run, has, printed, refused, run_in};
use std::fs;
use std::path::PathBuf;

/// Reverb's names: the default, another value, and what that does (as in soketi's table).
const REVERB: &[(&str, &str, &str, &str)] = &[
    ("REVERB_SERVER", "reverb", "other", "!expected reverb"),
    (
        "REVERB_SERVER_HOST",
        "0.0.0.0",
        "127.0.0.9",
        "host = \"127.0.0.9\"",
    ),
    ("REVERB_SERVER_PORT", "8080", "8081", "port = 8081"),
    ("REVERB_SERVER_PATH", "", "live", "path_prefix = \"/live\""),
    ("REVERB_HOST", "localhost", "ws.example.com", "+"),
    ("REVERB_PORT", "443", "80", "+"),
    ("REVERB_SCHEME", "https", "http", "+"),
    (
        "REVERB_MAX_REQUEST_SIZE",
        "10000",
        "20000",
        "body_bytes = 20000",
    ),
    (
        "REVERB_SCALING_ENABLED",
        "false",
        "true",
        "!others are not joined",
    ),
    ("REVERB_SCALING_CHANNEL", "reverb", "other", "+"),
    (
        "REVERB_PULSE_INGEST_INTERVAL",
        "15",
        "20",
        "?monitors are not fed",
    ),
    (
        "REVERB_TELESCOPE_INGEST_INTERVAL",
        "15",
        "20",
        "?monitors are not fed",
    ),
    ("REVERB_APP_ID", "own", "7", "id = \"7\""),
    ("REVERB_APP_KEY", "own", "k7", "key = \"k7\""),
    ("REVERB_APP_SECRET", "own", "s7", "secret = \"(hidden)\""),
    (
        "REVERB_APP_PING_INTERVAL",
        "60",
        "90",
        "activity_grace_ms = 60000",
    ),
    (
        "REVERB_APP_ACTIVITY_TIMEOUT",
        "30",
        "20",
        "activity_timeout_s = 20",
    ),
    (
        "REVERB_APP_MAX_CONNECTIONS",
        "null",
        "9",
        "max_connections = 9",
    ),
    (
        "REVERB_APP_MAX_MESSAGE_SIZE",
        "10000",
        "20000",
        "message_bytes = 20000",
    ),
    (
        "REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM",
        "members",
        "none",
        "client_events = false",
    ),
    (
        "REVERB_APP_RATE_LIMITING_ENABLED",
        "false",
        "true",
        "!CLIENT_EVENTS_PER_SECOND",
    ),
    ("REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS", "60", "90", "+"),
    ("REVERB_APP_RATE_LIMIT_DECAY_SECONDS", "60", "90", "+"),
    ("REVERB_APP_RATE_LIMIT_TERMINATE", "false", "true", "+"),
];

/// Those of laravel-websockets.
const WEBSOCKETS: &[(&str, &str, &str, &str)] = &[
    ("PUSHER_APP_ID", "own", "7", "id = \"7\""),
    ("PUSHER_APP_KEY", "own", "k7", "key = \"k7\""),
    ("PUSHER_APP_SECRET", "own", "s7", "secret = \"(hidden)\""),
    ("PUSHER_APP_HOST", "", "ws.example.com", "+"),
    ("PUSHER_APP_PATH", "", "/live", "+"),
    ("PUSHER_APP_CLUSTER", "mt1", "eu", "+"),
    ("PUSHER_HOST", "", "ws.example.com", "+"),
    ("PUSHER_PORT", "443", "80", "+"),
    ("PUSHER_SCHEME", "https", "http", "+"),
    ("LARAVEL_WEBSOCKETS_PORT", "6001", "6002", "port = 6002"),
    (
        "LARAVEL_WEBSOCKETS_DOMAIN",
        "null",
        "a.example",
        "?dashboard is on the admin port",
    ),
    (
        "LARAVEL_WEBSOCKETS_PATH",
        "laravel-websockets",
        "ws",
        "?dashboard is on the admin port",
    ),
    (
        "LARAVEL_WEBSOCKETS_SSL_LOCAL_CERT",
        "null",
        "/c",
        "tls_cert = \"/c\"",
    ),
    (
        "LARAVEL_WEBSOCKETS_SSL_LOCAL_PK",
        "null",
        "/k",
        "tls_key = \"/k\"",
    ),
    (
        "LARAVEL_WEBSOCKETS_SSL_CA",
        "null",
        "/ca",
        "!certificates of clients",
    ),
    (
        "LARAVEL_WEBSOCKETS_SSL_PASSPHRASE",
        "null",
        "canary",
        "!encrypted is not supported",
    ),
    (
        "WEBSOCKETS_REPLICATION_MODE",
        "local",
        "redis",
        "!others are not joined",
    ),
    (
        "WEBSOCKETS_REDIS_REPLICATION_CONNECTION",
        "default",
        "other",
        "!servers are not joined",
    ),
];

/// Reads the variables, with the credentials of that server for what they leave out.
fn loaded(family: &str, variables: &[(&str, &str)]) -> Result<(String, Vec<String>), String> {
    use shardcast::server::config::{self, Unconfigured};
    let own = ["ID", "KEY", "SECRET"].map(|name| (format!("{family}{name}"), "own".to_owned()));
    let pairs = variables.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let is_given = |name: &String| pairs.iter().any(|(given, _)| given == name);
    let own: Vec<_> = own
        .into_iter()
        .filter(|(name, _)| !is_given(name))
        .collect();
    let all = pairs.into_iter().chain(own);
    let arguments = ["shardcast", "--no-env-file"].map(Into::into);
    let read = config::load(arguments, all, &[0, 1], Unconfigured::DemoApp);
    let read = read.map_err(|halt| halt.to_string())?;
    Ok((read.print_config(), read.warnings))
}

#[test]
fn every_name_starts_with_its_default_and_does_something_or_is_refused() {
    for (family, table) in [("REVERB_APP_", REVERB), ("PUSHER_APP_", WEBSOCKETS)] {
        for (name, default, other, effect) in table.iter().copied() {
            let (_, warnings) = loaded(family, &[(name, default)]).expect(name);
            assert!(warnings.is_empty(), "{name}={default}: {warnings:?}");
            let pair = match name {
                "LARAVEL_WEBSOCKETS_SSL_LOCAL_CERT" => ("LARAVEL_WEBSOCKETS_SSL_LOCAL_PK", "/k"),
                "LARAVEL_WEBSOCKETS_SSL_LOCAL_PK" => ("LARAVEL_WEBSOCKETS_SSL_LOCAL_CERT", "/c"),
                _ => ("PATH", "/bin"),
            };
            let got = loaded(family, &[(name, other), pair]);
            match (&effect[..1], &effect[1..]) {
                ("!", reason) => {
                    let error = got.expect_err(name);
                    assert!(
                        error.starts_with(&format!("shardcast: {name}: `")),
                        "{error}"
                    );
                    assert!(
                        error.contains(reason) && !error.contains("canary"),
                        "{error}"
                    );
                }
                ("?", reason) => {
                    let (_, warnings) = got.expect(name);
                    assert!(warnings[0].starts_with(&format!("{name} has no effect: ")));
                    assert!(warnings[0].contains(reason), "{warnings:?}");
                }
                ("+", _) => {
                    let (text, warnings) = got.expect(name);
                    let plain = loaded(family, &[]).unwrap();
                    assert_eq!((text, warnings), plain, "{name} is for clients");
                }
                _ => {
                    let (text, warnings) = got.expect(name);
                    assert!(has(&text, effect, name), "{effect} # {name}:\n{text}");
                    assert!(warnings.is_empty(), "{name}: {warnings:?}");
                }
            }
        }
    }
}

#[test]
fn where_clients_find_the_server_is_not_where_it_listens() {
    let variables = [
        ("REVERB_HOST", "ws.example.com"),
        ("REVERB_PORT", "443"),
        ("PUSHER_HOST", "ws.example.com"),
        ("PUSHER_PORT", "443"),
        ("REVERB_SERVER_PORT", "8081"),
    ];
    let (text, warnings) = loaded("REVERB_APP_", &variables).unwrap();
    assert!(
        has(&text, "host = \"0.0.0.0\"", "default of Reverb"),
        "{text}"
    );
    assert!(has(&text, "port = 8081", "REVERB_SERVER_PORT"), "{text}");
    assert!(warnings.is_empty(), "{warnings:?}");
}

/// A working directory with a `.env` file.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("shardcast-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder can be made");
        fs::write(path.join(".env"), text).expect("a file can be written");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const ENV: &str = "APP_NAME=Shop\nAPP_KEY=base64:canary\nDB_PASSWORD=\"canary\n\n# Reverb\n\
    REVERB_APP_ID=7\nREVERB_APP_KEY=k7\nREVERB_APP_SECRET='canary-7'\nREVERB_HOST=\"localhost\"\n\
    REVERB_PORT=8080\nREVERB_SERVER_PORT=7001\n\nVITE_REVERB_APP_KEY=\"${REVERB_APP_KEY}\"\n\
    PUSHER_APP_ID=9\nPUSHER_APP_KEY=k9\nPUSHER_APP_SECRET=canary-9\nREDIS_HOST=127.0.0.1\n";

#[test]
fn the_env_file_of_the_working_directory_counts_below_the_environment() {
    let folder = Folder::new("env", ENV);
    let print = |flags: &[&str], variables: &[(&str, &str)]| {
        let run = run_in(&folder.0, &[flags, &["--print-config"]].concat(), variables);
        assert_eq!((run.code, &run.stderr[..]), (Some(0), ""));
        assert!(!run.stdout.contains("canary"), "{}", run.stdout);
        run.stdout
    };
    let text = print(&[], &[]);
    for (setting, origin) in [
        ("port = 7001", "REVERB_SERVER_PORT (.env:11)"),
        ("id = \"7\"", "REVERB_APP_ID (.env:6)"),
        ("host = \"0.0.0.0\"", "default of Reverb"),
    ] {
        assert!(has(&text, setting, origin), "{setting} # {origin}:\n{text}");
    }
    assert_eq!(text.matches("[[apps]]").count(), 1, "{text}");
    let text = print(&[], &[("SHARDCAST_PORT", "7002"), ("REVERB_APP_ID", "8")]);
    assert!(has(&text, "port = 7002", "SHARDCAST_PORT"), "{text}");
    assert!(has(&text, "id = \"8\"", "REVERB_APP_ID"), "{text}");
    let text = print(&["--port=7003"], &[]);
    assert!(has(&text, "port = 7003", "--port"), "{text}");
    let file = ConfigFile::new("below-env", "port = 7004\nbacklog = 99\n");
    let text = print(&["--config", file.path()], &[]);
    assert!(
        has(&text, "port = 7001", "REVERB_SERVER_PORT (.env:11)"),
        "{text}"
    );
    assert!(
        has(&text, "backlog = 99", &format!("{}:2", file.path())),
        "{text}"
    );
}

#[test]
fn which_env_file_is_read_can_be_said() {
    let folder = Folder::new("env-said", ENV);
    let other = folder.0.join("other");
    fs::write(&other, "SHARDCAST_PORT=7009\n").unwrap();
    let other = other.to_str().unwrap();
    let none = run_in(&folder.0, &["--no-env-file", "--print-config"], &[]);
    assert!(
        has(&none.stdout, "port = 6001", "default"),
        "{}",
        none.stdout
    );
    let named = run_in(&folder.0, &["--env-file", other, "--print-config"], &[]);
    let origin = format!("SHARDCAST_PORT ({other}:1)");
    assert!(
        has(&named.stdout, "port = 7009", &origin),
        "{}",
        named.stdout
    );
    assert!(has(&named.stdout, "id = \"1001\"", "default"));
    let said = refused(&["--env-file", "/none/.env"], &[]);
    assert!(said.starts_with("--env-file: `env-file` cannot be \"/none/.env\": expected a"));
    let both = run_in(&folder.0, &["--no-env-file", "--env-file", other], &[]);
    assert_eq!(both.code, Some(64), "{}", both.stderr);
}

#[test]
fn the_environment_mends_what_is_refused_in_an_env_file() {
    let folder = Folder::new("env-mended", "SOKETI_ADAPTER_DRIVER=redis\n");
    let mended = run_in(
        &folder.0,
        &["--check"],
        &[("SOKETI_ADAPTER_DRIVER", "local")],
    );
    assert_eq!(mended.code, Some(0), "{}", mended.stderr);
    let worse = run_in(&folder.0, &[], &[("SOKETI_ADAPTER_DRIVER", "nats")]);
    assert_eq!(worse.code, Some(78));
    assert!(!worse.stderr.contains(".env"), "{}", worse.stderr);
}

#[test]
fn mistakes_in_an_env_file_name_its_line() {
    for (name, text, said) in [
        (
            "port",
            "A=1\nREVERB_SERVER_PORT=http\n",
            "REVERB_SERVER_PORT (.env:2): `port` cannot be",
        ),
        (
            "quote",
            "\nREVERB_APP_SECRET=\"canary\n",
            ".env:2: `REVERB_APP_SECRET`: a quote is opened",
        ),
        (
            "redis",
            "SOKETI_ADAPTER_DRIVER=redis",
            "SOKETI_ADAPTER_DRIVER (.env:1): `adapter.driver`",
        ),
        (
            "part",
            "REVERB_APP_ID=7",
            "REVERB_APP_KEY: `apps.key`: it is missing",
        ),
    ] {
        let folder = Folder::new(&format!("env-{name}"), text);
        let Run { code, stderr, .. } = run_in(&folder.0, &[], &[]);
        assert_eq!((code, stderr.lines().count()), (Some(78), 1), "{stderr}");
        assert!(
            stderr.starts_with(&format!("shardcast: {said}")),
            "{stderr}"
        );
        assert!(!stderr.contains("canary"));
    }
    let folder = Folder::new(
        "env-typo",
        "SOKETI_DEFAULT_APP_SECRT=canary\nSOMETHING=else\n",
    );
    let Run { code, stdout, .. } = run_in(&folder.0, &["--check", "--shards=1"], &[]);
    assert_eq!(code, Some(0));
    assert!(
        stdout.contains("did you mean SOKETI_DEFAULT_APP_SECRET?"),
        "{stdout}"
    );
    assert!(
        !stdout.contains("SOMETHING") && !stdout.contains("canary"),
        "{stdout}"
    );
}

#[test]
fn printed_as_a_file_it_is_the_same_again() {
    let app = [
        ("REVERB_APP_ID", "7"),
        ("REVERB_APP_KEY", "k"),
        ("REVERB_APP_SECRET", "s"),
    ];
    let text = printed(&[], &app);
    let file = ConfigFile::new("again", &text);
    let again = printed(&["--config", file.path()], &[]);
    let values = |text: &str| {
        let lines = text
            .lines()
            .map(|line| line.split(" # ").next().unwrap().trim().to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(values(&again), values(&text));
}
