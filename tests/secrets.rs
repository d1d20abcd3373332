//! Secrets stay where they are (R29, F29): canaries are planted wherever one can come from, and
//! nothing that the server says may contain one, at whatever level it logs.

mod support;

#[path = "secrets/program.rs"]
mod program;
#[allow(dead_code, reason = "the tests of webhooks use the rest")]
#[path = "webhooks/receiver.rs"]
mod receiver;
#[allow(dead_code, reason = "the tests of reloads use the rest")]
#[path = "reload/served.rs"]
mod served;
#[path = "secrets/trace.rs"]
mod trace;

/// Part of every secret.
const CANARY: &str = "canary";

/// Whether none is in a text, and otherwise where.
#[track_caller]
fn expect_none(text: &str) {
    let lines = text.lines().filter(|line| line.contains(CANARY));
    let found: Vec<&str> = lines.take(10).collect();
    assert!(found.is_empty(), "secrets are told: {found:#?}");
}
