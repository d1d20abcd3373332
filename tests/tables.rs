//! Tables of the documents that are made from tables of the code: they say the same, or this fails.
//!
//! `STORE_TABLES=1 cargo test --test tables` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use shardcast::metrics::{ALL, Kind};
use shardcast::server::bounds;
use shardcast::server::config::documents;
use std::env;
use std::fs;

/// Compares what stands between two marks of a document, or writes it.
fn check(path: &str, table: &str) {
    check_named(path, "table", table);
}

/// Same, in a document with several, each with a name in its first mark.
fn check_named(path: &str, name: &str, table: &str) {
    const END: &str = "<!-- end of table -->\n";
    let begin = &*format!("<!-- {name}: made by tests/tables.rs -->\n");
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(begin).expect("the document has a place");
    let (found, after) = rest.split_once(END).expect("the place has an end");
    if env::var_os("STORE_TABLES").is_some() {
        fs::write(&path, [before, begin, table, END, after].concat()).unwrap();
        return;
    }
    assert!(
        found == table,
        "{path} is out of date: STORE_TABLES=1 cargo test --test tables writes\n{table}"
    );
}

#[test]
fn every_metric_is_documented() {
    let mut table = String::from("| name | kind | labels | what it says |\n|---|---|---|---|\n");
    for name in ALL {
        let kind = match name.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Untyped => "untyped",
        };
        let labels = name.labels.join(", ");
        table += &format!("| `{}` | {kind} | {labels} | {} |\n", name.name, name.help);
    }
    check("docs/metrics.md", &table);
}

#[test]
fn every_limit_is_documented() {
    let mut table = String::from("| limit | default | of what | at the limit | metric |\n");
    table += "|---|---:|---|---|---|\n";
    for bound in bounds() {
        let name = match bound.is_setting {
            true => format!("`{}`", bound.name),
            false => bound.name.to_lowercase().replace('_', " "),
        };
        let default = match &*bound.default {
            "" => "none",
            value => value,
        };
        table += &format!(
            "| {name} | {default} | {} | {} | `{}` |\n",
            bound.unit, bound.at_limit, bound.metric.name
        );
    }
    check("docs/limits.md", &table);
}

#[test]
fn every_setting_is_documented() {
    check("docs/configuration.md", &documents::document());
}

// One after the other, for they may be written.
#[test]
fn every_name_of_another_server_is_documented() {
    for (name, table) in [
        ("soketi", documents::names_of_soketi()),
        ("reverb", documents::names_of_reverb()),
        (
            "laravel-websockets",
            documents::names_of_laravel_websockets(),
        ),
    ] {
        check_named("docs/migrating.md", name, &table);
    }
}

/// A file that the schema takes is one that the server takes, as far as single values go.
#[test]
fn the_schema_knows_the_default_file_and_what_is_wrong_in_others() {
    let schema = serde_json::from_str(&documents::schema()).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let is_valid = |text: &str| validator.is_valid(&toml::from_str(text).expect(text));
    let text = documents::default_file();
    assert!(is_valid(&text));
    let uncommented = text.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
        _ => String::new(),
    });
    let uncommented: String = uncommented.collect();
    assert!(uncommented.lines().count() > 80, "{uncommented}");
    let found: Vec<String> = validator
        .iter_errors(&toml::from_str(&uncommented).unwrap())
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
    const APP: &str = "[[apps]]\nid = '1'\nkey = 'k'\n";
    for (bad, good) in [
        ("prot = 1", "port = 1"),
        ("port = 65536", "port = 65535"),
        ("port = '1'", "accept_per_second = -1"),
        ("backlog = -1", "backlog = 1"),
        ("host = 1", "host = '::1'"),
        ("drain_close = 4101", "drain_close = 4100"),
        ("cores = [0, 0]", "cores = '0-1'"),
        ("apps = {}", "apps = []"),
        (APP, &format!("{APP}secret = 's'")),
        (
            &format!("{APP}secret = 's'\nsecret_file = '/s'"),
            &format!("{APP}secret_file = '/s'"),
        ),
        (
            &format!("{APP}secret = 's'\nwebhooks = [{{}}]"),
            &format!("{APP}secret = 's'\nwebhooks = [{{ url = 'http://a.example' }}]"),
        ),
        (
            "[[apps]]\nid = 'a/b'\nkey = 'k'\nsecret = 's'",
            "[[apps]]\nid = 'a:b'\nkey = 'k'\nsecret = 's'",
        ),
        (
            "[[tls_certificates]]\ncert = 'a'",
            "[[tls_certificates]]\ncert = 'a'\nkey = 'b'",
        ),
    ] {
        assert!(!is_valid(bad), "{bad}");
        assert!(is_valid(good), "{good}");
    }
}
