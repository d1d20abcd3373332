//! Everything that soketi is told by: its 115 variables, its file, what only its documents name.
//!
//! The table beside this is made from soketi's own list, not from ours: the name, its default,
//! another value, and what that does here (`+` is nothing to see, `!` begins the reason that it is
//! refused for).

use crate::{ConfigFile, Run, has, printed, refused, run};
use shardcast::server::config::{self, Unconfigured};
use std::ffi::OsString;

const TABLE: &str = include_str!("soketi.txt");

struct Row {
    name: &'static str,
    default: &'static str,
    other: &'static str,
    effect: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let cells: Vec<_> = line.split(" | ").map(str::trim).collect();
        let [name, default, other, effect] = cells[..] else {
            panic!("{line} has four cells");
        };
        Row {
            name,
            default,
            other,
            effect,
        }
    };
    TABLE.lines().map(row).collect()
}

/// An app of one's own, for with published credentials nobody listens on every address.
const APP: [(&str, &str); 3] = [
    ("SOKETI_DEFAULT_APP_ID", "own-id"),
    ("SOKETI_DEFAULT_APP_KEY", "own-key"),
    ("SOKETI_DEFAULT_APP_SECRET", "own-secret"),
];

/// What a configuration of these variables is printed as, or why it is refused.
fn loaded(variables: &[(&str, &str)]) -> Result<(String, Vec<String>), String> {
    let pairs = variables.iter();
    let pairs = pairs.map(|(name, value)| (name.to_string(), value.to_string()));
    let arguments = ["shardcast", "--no-env-file"].map(OsString::from);
    let read = config::load(arguments, pairs, &[0, 1], Unconfigured::DemoApp);
    let read = read.map_err(|halt| halt.to_string())?;
    Ok((read.print_config(), read.warnings))
}

/// The app with one more variable, or another value of one.
fn with<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let app = APP.into_iter().filter(|(known, _)| *known != name);
    app.chain([(name, value)]).collect()
}

#[test]
fn each_of_the_115_names_starts_with_its_default() {
    assert_eq!(rows().len(), 115);
    for Row { name, default, .. } in rows() {
        let (_, warnings) = loaded(&with(name, default)).expect(name);
        // Of what soketi opens to everybody without a token.
        let wanted = usize::from(name == "SOKETI_METRICS_HOST");
        assert_eq!(warnings.len(), wanted, "{name}: {warnings:?}");
    }
}

#[test]
fn each_of_them_does_something_or_is_refused_by_name() {
    let mut seen = [0; 3];
    for row in rows() {
        let mut variables = with(row.name, row.other);
        // Half a pair of files is refused.
        match row.name {
            "SOKETI_SSL_CERT" => variables.push(("SOKETI_SSL_KEY", "/k")),
            "SOKETI_SSL_KEY" => variables.push(("SOKETI_SSL_CERT", "/c")),
            _ => {}
        }
        let got = loaded(&variables);
        match (row.effect.strip_prefix('!'), row.effect) {
            (Some(reason), _) => {
                let error = got.expect_err(row.name);
                assert!(
                    error.starts_with(&format!("shardcast: {}: `", row.name)),
                    "{error}"
                );
                assert!(error.contains(reason), "{error}");
                assert!(!error.contains("canary"), "{error}"); // F29
                assert_eq!(error.lines().count(), 1);
                seen[0] += 1;
            }
            (None, "+") => {
                let (_, warnings) = got.expect(row.name);
                assert!(warnings.is_empty(), "{warnings:?}");
                seen[1] += 1;
            }
            (None, effect) => {
                let (text, warnings) = got.expect(row.name);
                let origin = row.name;
                assert!(has(&text, effect, origin), "{effect} # {origin}:\n{text}");
                // What it does is its doing.
                let (without, _) = loaded(&APP).unwrap();
                let is_shown = row.name != "SOKETI_DEFAULT_APP_SECRET";
                assert!(!(is_shown && has(&without, effect, origin)), "{origin}");
                let risky = ["_BACKEND_EVENTS_PER_SEC", "MAX_MEMBER_SIZE"];
                let may_warn = risky.iter().any(|end| row.name.contains(end));
                assert!(
                    warnings.is_empty() || may_warn,
                    "{}: {warnings:?}",
                    row.name
                );
                seen[2] += 1;
            }
        }
    }
    assert_eq!(seen, [79, 2, 34]);
}

#[test]
fn all_of_them_together_start_but_not_with_published_credentials_for_everybody() {
    let all: Vec<_> = rows().iter().map(|row| (row.name, row.default)).collect();
    let error = loaded(&all).unwrap_err();
    let start = "shardcast: SOKETI_HOST: `host` cannot be \"0.0.0.0\": the demo credentials";
    assert!(error.starts_with(start), "{error}");
    let own: Vec<_> = all
        .into_iter()
        .map(|(name, default)| match name {
            "SOKETI_DEFAULT_APP_SECRET" => (name, "own-secret"),
            _ => (name, default),
        })
        .collect();
    let (text, warnings) = loaded(&own).unwrap();
    for (setting, origin) in [
        ("host = \"0.0.0.0\"", "SOKETI_HOST"),
        ("port = 6001", "SOKETI_PORT"),
        ("id = \"app-id\"", "SOKETI_DEFAULT_APP_ID"),
        (
            "client_events_per_second = -1",
            "SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC",
        ),
        ("event_data_bytes = 102400", "SOKETI_EVENT_MAX_SIZE_IN_KB"),
        ("message_bytes = 106496", "default"),
        ("drain_spread_ms = 3000", "SOKETI_SHUTDOWN_GRACE_PERIOD"),
        ("admin = \"off\"", "SOKETI_METRICS_ENABLED"),
    ] {
        assert!(has(&text, setting, origin), "{setting} # {origin}:\n{text}");
    }
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn its_file_is_taken_as_it_is() {
    let file = ConfigFile::named(
        "soketi.json",
        r#"{
    "debug": true,
    "port": 6003,
    "appManager.array.apps": [
        {
            "id": "some-id",
            "key": "some-key",
            "secret": "canary-7c1d",
            "maxConnections": -1,
            "enableClientMessages": true,
            "enabled": true,
            "maxBackendEventsPerSecond": -1,
            "maxClientEventsPerSecond": 50,
            "maxReadRequestsPerSecond": -1,
            "maxEventPayloadInKb": 20
        }
    ],
    "eventLimits": { "maxBatchSize": 20 }
}"#,
    );
    let path = file.path();
    let text = printed(&["--config", path], &[("SOKETI_PORT", "6004")]);
    for (setting, origin) in [
        ("port = 6004", "SOKETI_PORT".to_owned()),
        ("host = \"0.0.0.0\"", "default of soketi".to_owned()),
        ("debug = true", format!("{path}:2:5")),
        ("id = \"some-id\"", format!("{path}:6:13")),
        ("client_events = true", format!("{path}:10:13")),
        ("event_data_bytes = 20480", format!("{path}:15:13")),
        ("batch_events = 20", format!("{path}:18:22")),
    ] {
        assert!(
            has(&text, setting, &origin),
            "{setting} # {origin}:\n{text}"
        );
    }
    assert!(!text.contains("canary"));
    let broken = ConfigFile::named("broken.json", "{\n  \"port\": 6001,\n}");
    let said = refused(&["--config", broken.path()], &[]);
    let start = format!("{}:3: `config`: expected JSON, but: ", broken.path());
    assert!(said.starts_with(&start), "{said}");
    let driver = ConfigFile::named("driver.json", "{\"queue\": {\"driver\": \"sqs\"}}");
    let said = refused(&["--config", driver.path()], &[]);
    assert!(
        said.contains(":1:12: `queue.driver` cannot be \"sqs\": webhooks wait"),
        "{said}"
    );
}

#[test]
fn what_only_its_documents_name_is_taken_with_a_warning() {
    let variables = [
        ("HTTP_MAX_REQUEST_SIZE", "2"),
        ("CHANNEL_MAX_NAME_LENGTH", "90"),
    ];
    let (text, warnings) = loaded(&variables).unwrap();
    assert!(
        has(&text, "body_bytes = 2097152", "HTTP_MAX_REQUEST_SIZE"),
        "{text}"
    );
    assert!(
        has(&text, "channel_name_chars = 90", "CHANNEL_MAX_NAME_LENGTH"),
        "{text}"
    );
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let Run { code, stdout, .. } = run(&["--check", "--shards=1"], &variables);
    assert_eq!(code, Some(0));
    assert!(
        stdout.contains("warning: HTTP_MAX_REQUEST_SIZE is taken for soketi's"),
        "{stdout}"
    );
}
