//! Tables of the documents that are made from tables of the code: they say the same, or this fails.
//!
//! `STORE_TABLES=1 cargo test --test tables` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use shardcast::metrics::{ALL, Kind};
use shardcast::server::bounds;
use std::env;
use std::fs;

/// Compares what stands between two marks of a document, or writes it.
fn check(path: &str, table: &str) {
    const BEGIN: &str = "<!-- table: made by tests/tables.rs -->\n";
    const END: &str = "<!-- end of table -->\n";
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the document has a place");
    let (found, after) = rest.split_once(END).expect("the place has an end");
    if env::var_os("STORE_TABLES").is_some() {
        fs::write(&path, [before, BEGIN, table, END, after].concat()).unwrap();
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
