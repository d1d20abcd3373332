//! `version`: what this program is, and what it runs on.

use super::context::Order;
use super::ending::Failure;
use super::line::{JSON, json};
use super::terminal::{plain_json, say, table};
use crate::server::preflight::{Operations, operations};
use clap::{Arg, ArgAction, ArgMatches, Command};
use rustix::system::uname;
use serde_json::json as object;

const VERBOSE: &str = "verbose";

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What build.rs found out.
const COMMIT: &str = env!("SHARDCAST_COMMIT");
const ALLOCATOR: &str = match cfg!(target_env = "musl") {
    true => "the system's (musl)",
    false => "the system's (glibc)",
};
const TLS: &str = "rustls with ring, TLS 1.2 and 1.3";

pub(super) fn command() -> Command {
    Command::new("version")
        .about("Print the version, and what the program is made of and runs on")
        .arg(
            Arg::new(VERBOSE)
                .long(VERBOSE)
                .action(ArgAction::SetTrue)
                .help("Print commit, features, allocator, TLS, kernel and its io_uring as well"),
        )
        .arg(json("Print all of it as a JSON object"))
}

/// # Errors
/// None.
pub(super) fn run(order: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let kernel = uname().release().to_string_lossy().into_owned();
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let operations = operations();
    let missing = operations.as_ref().map(missing);
    if matches.get_flag(JSON) {
        let answer = object!({
            "version": VERSION,
            "commit": COMMIT,
            "target": target,
            "features": features(),
            "allocator": ALLOCATOR,
            "tls": TLS,
            "kernel": kernel,
            "io_uring": operations.as_ref().map(|it| object!({
                "operations": it.count,
                "needed": it.needed.len(),
                "missing": missing,
            })),
        });
        return say(&format!("{}\n", plain_json(&answer.to_string())));
    }
    let name = &order.context.name;
    let own = if name == "shardcast" {
        String::new()
    } else {
        "shardcast ".to_owned()
    };
    say(&format!("{name} {own}{VERSION}\n"))?;
    if !matches.get_flag(VERBOSE) {
        return Ok(());
    }
    let ring = match (&operations, missing.as_deref()) {
        (Some(it), Some([])) => {
            let needed = it.needed.len();
            format!(
                "{} operations, the {needed} needed ones among them",
                it.count
            )
        }
        (Some(it), Some(missing)) => {
            format!("{} operations, without {}", it.count, missing.join(", "))
        }
        _ => "not allowed here: `check` says why".to_owned(),
    };
    let rows = [
        ["commit", COMMIT],
        ["target", &target],
        ["features", &features().join(", ")],
        ["allocator", ALLOCATOR],
        ["tls", TLS],
        ["kernel", &kernel],
        ["io_uring", &ring],
    ];
    say(&table(&rows.map(|row| row.map(str::to_owned))))
}

fn features() -> Vec<&'static str> {
    let all = [
        ("loadtest", cfg!(feature = "loadtest")),
        ("testing", cfg!(feature = "testing")),
    ];
    let there = all.into_iter().filter(|(_, is_there)| *is_there);
    there.map(|(name, _)| name).collect()
}

/// The needed operations that are not there.
fn missing(operations: &Operations) -> Vec<&'static str> {
    let missing = operations.needed.iter().filter(|(_, is_there)| !is_there);
    missing.map(|&(name, _)| name).collect()
}
