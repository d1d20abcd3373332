//! `apps list`: the apps that a server with this configuration serves.

use super::context::Order;
use super::ending::Failure;
use super::line::{JSON, json};
use super::terminal::{plain, plain_json, say, table};
use clap::{ArgMatches, Command};
use serde_json::json as object;

pub(super) fn command() -> Command {
    Command::new("apps")
        .about("Show the apps of the configuration")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("list")
                .about("List the apps, without their secrets")
                .arg(json("Print them as a JSON array")),
        )
}

/// # Errors
/// When the configuration is refused.
pub(super) fn run(order: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let (_, matches) = matches.subcommand().expect("clap wants one");
    let apps = order.config()?.apps;
    if matches.get_flag(JSON) {
        let all = apps.iter().map(|app| {
            object!({
                "id": app.id,
                "key": app.key,
                "enabled": app.enabled,
                "client_events": app.client_events,
                "max_connections": app.max_connections,
                "webhooks": app.webhooks.len(),
            })
        });
        let all = serde_json::Value::Array(all.collect());
        return say(&format!("{}\n", plain_json(&all.to_string())));
    }
    let head = [
        "ID",
        "KEY",
        "ENABLED",
        "CLIENT EVENTS",
        "CONNECTIONS",
        "WEBHOOKS",
    ];
    let yes = |truth| if truth { "yes" } else { "no" }.to_owned();
    let rows = apps.iter().map(|app| {
        [
            plain(&app.id),
            plain(&app.key),
            yes(app.enabled),
            yes(app.client_events),
            app.max_connections
                .map_or_else(|| "no limit".to_owned(), |most| most.to_string()),
            app.webhooks.len().to_string(),
        ]
    });
    let all: Vec<_> = std::iter::once(head.map(str::to_owned))
        .chain(rows)
        .collect();
    say(&table(&all))
}
