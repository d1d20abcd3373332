//! A configuration that changes while the server's own program runs (R40): apps that come, change
//! and go, limits, webhooks, the log; and files that make no sense, which change nothing.

mod support;

#[path = "reload/apps.rs"]
mod apps;
#[path = "reload/hundred.rs"]
mod hundred;
#[path = "reload/limits.rs"]
mod limits;
#[allow(dead_code, reason = "the tests of webhooks use the rest")]
#[path = "webhooks/receiver.rs"]
mod receiver;
#[allow(dead_code, reason = "the tests of secrets use the rest")]
#[path = "reload/served.rs"]
mod served;
#[path = "reload/webhooks.rs"]
mod webhooks;

use support::sign::Keys;

/// What every file begins with: tests sign with a time of their own.
const BASE: &str = "rest_clock_s = 0\nflap_ms = 1\n";

/// An app of a file, with more lines.
fn app(id: u32, more: &str) -> String {
    format!("[[apps]]\nid = '{id}'\nkey = 'k{id}'\nsecret = 'canary-{id}'\n{more}\n")
}

/// Its credentials.
fn keys(id: u32) -> Keys {
    Keys::new(&id.to_string(), &format!("k{id}"), &format!("canary-{id}"))
}

fn file(parts: &[&str]) -> String {
    format!("{BASE}{}", parts.concat())
}
