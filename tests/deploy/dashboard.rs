//! The dashboard for Grafana: that what it asks Prometheus for is what a server tells, name by name
//! and label by label.

use crate::support::metrics::Values;
use crate::support::server::{TestServer, app, config};
use crate::text;
use serde_json::Value;
use shardcast::metrics::names;
use shardcast::server::config::Config;
use std::collections::BTreeSet;

/// What stands in front of every name in the dashboard.
pub const PREFIX: &str = "${metrics_prefix}";
/// What only servers with TLS, and with handlers that share tables, tell.
const OF_FEW: [&str; 2] = ["table_rows", "tls_certificate_expiry_timestamp_seconds"];
/// Labels that Prometheus adds.
const ADDED: [&str; 2] = ["instance", "le"];

pub fn dashboard() -> Value {
    serde_json::from_str(&text("grafana/shardcast.json")).unwrap()
}

/// All expressions, with the titles of their panels.
pub fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().unwrap();
    let of_panel = |panel: &Value| -> Vec<(String, String)> {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets
            .map(|target| {
                (
                    title.to_owned(),
                    target["expr"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    };
    panels.iter().flat_map(of_panel).collect()
}

/// The names behind the prefix, each with the text that follows it.
fn named(expression: &str) -> Vec<(&str, &str)> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let after = expression.split(PREFIX).skip(1);
    after
        .map(|rest| rest.split_at(rest.find(|char| !is_part(char)).unwrap_or(rest.len())))
        .collect()
}

/// The names of labels that an expression groups by or selects.
fn labels(expression: &str) -> BTreeSet<&str> {
    let grouped = expression.split("by (").skip(1);
    let grouped = grouped.flat_map(|rest| rest.split(')').next().unwrap().split(','));
    let selected = expression.split('{').skip(1);
    let selected = selected
        .filter_map(|rest| rest.split_once('}'))
        .flat_map(|(inner, _)| inner.split(','))
        .filter_map(|matcher| matcher.split(['=', '!']).next());
    let all = grouped.chain(selected).map(str::trim);
    all.filter(|label| !label.is_empty() && *label != "metrics_prefix")
        .collect()
}

#[test]
fn it_shows_what_a_server_tells_and_nothing_else() {
    let server = TestServer::start(Config {
        metrics_prefix: "other_".to_owned(),
        ..config([app()])
    });
    server.client().ws.close(); // what is counted by code has no sample before
    let admin = server.handle().admin_addr().unwrap();
    let is_closed = |values: &Values| values.text().contains("other_ws_closes_total{");
    let told = std::iter::repeat_with(|| Values::of(admin)).find(is_closed);
    let told = told.unwrap();
    let types = told
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let told: BTreeSet<&str> = types
        .map(|line| line.split(' ').next().unwrap())
        .map(|name| name.strip_prefix("other_").expect("the prefix is honoured"))
        .chain(OF_FEW)
        .collect();
    for name in OF_FEW {
        assert!(names::ALL.iter().any(|known| known.name == name), "{name}");
    }
    let dashboard = dashboard();
    let mut shown = BTreeSet::new();
    for (title, expression) in expressions(&dashboard) {
        let names = named(&expression);
        assert!(!names.is_empty(), "{title}: {expression}");
        for (name, _) in names {
            let of_histogram = ["_bucket", "_sum", "_count"];
            let of_histogram = of_histogram.iter().find_map(|end| name.strip_suffix(end));
            let name = [Some(name), of_histogram]
                .into_iter()
                .flatten()
                .find(|name| told.contains(name))
                .unwrap_or_else(|| panic!("{title}: no server tells {name}: {expression}"));
            shown.insert(name.to_owned());
        }
    }
    // The names that soketi's users know are all there.
    let soketi = names::ALL
        .iter()
        .filter(|known| known.labels == ["app_id", "port"]);
    for known in soketi {
        assert!(shown.contains(known.name), "{}", known.name);
    }
}

#[test]
fn it_asks_for_labels_that_are_there() {
    for (title, expression) in expressions(&dashboard()) {
        let of_all: BTreeSet<&str> = named(&expression)
            .into_iter()
            .filter_map(|(name, _)| names::ALL.iter().find(|known| known.name == name))
            .flat_map(|known| known.labels.iter().copied())
            .chain(ADDED)
            .collect();
        for label in labels(&expression) {
            assert!(of_all.contains(label), "{title}: {label} in {expression}");
        }
    }
    assert_eq!(
        labels("sum by (a, b) (${metrics_prefix}x{c=~\"$c\", d!=\"1\"})"),
        BTreeSet::from(["a", "b", "c", "d"])
    );
}

// A counter is only ever asked how much it rises, a gauge never.
#[test]
fn rates_are_those_of_counters() {
    for (title, expression) in expressions(&dashboard()) {
        for (name, _) in named(&expression) {
            let Some(known) = names::ALL.iter().find(|known| known.name == name) else {
                continue;
            };
            let whole = format!("{PREFIX}{name}");
            let rises = ["rate(", "increase("]
                .iter()
                .any(|function| expression.contains(&format!("{function}{whole}")));
            // Of counters whose names are older than its rules, Prometheus is not told the type.
            let is_counter = matches!(known.kind, names::Kind::Counter | names::Kind::Untyped);
            assert_eq!(rises, is_counter, "{title}: {expression}");
        }
    }
}

#[test]
fn it_can_be_imported_anywhere() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|it| it["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut taken = BTreeSet::new();
    for panel in panels {
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
        for cell in (at("x")..at("x") + at("w"))
            .flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
        {
            assert!(taken.insert(cell), "{} lies on another", panel["title"]);
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}");
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let default = |name: &str| {
        let it = variables.iter().find(|variable| variable["name"] == name);
        it.unwrap_or_else(|| panic!("{name}"))["query"].clone()
    };
    assert_eq!(default("datasource"), "prometheus");
    let prefix = Config::default().metrics_prefix;
    assert_eq!(default("metrics_prefix"), prefix.as_str());
    for name in ["instance", "app"] {
        let query = default(name)["query"].as_str().unwrap().to_owned();
        let (metric, rest) = named(&query)[0];
        let known = names::ALL.iter().find(|known| known.name == metric);
        let label = rest.trim_matches([',', ' ', ')']);
        let of_it = &known.unwrap().labels;
        assert!(of_it.contains(&label) || ADDED.contains(&label), "{query}");
    }
}
