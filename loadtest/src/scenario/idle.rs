//! `idle`: connections that are subscribed and silent, and what the server holds for each.

use crate::cli::Idle;
use crate::client::Speech;
use crate::crowd::Crowd;
use crate::report::{Report, grouped};
use crate::server::Memory;
use serde::Serialize;
use std::io;
use std::time::Instant;

/// The outcome.
#[derive(Debug, Serialize)]
pub struct IdleReport {
    connections: usize,
    opened_in_ms: u64,
    before: Memory,
    after: Memory,
    /// Growth of the resident memory for each connection, rounded up.
    bytes_each: u64,
    /// The same of the pages that are the server's alone.
    private_bytes_each: u64,
    limit_bytes: u64,
    passed: bool,
}

/// Opens the connections, waits until all are subscribed, and looks at the server before and
/// after.
///
/// # Errors
/// When a connection fails or the server's memory cannot be read.
pub fn run(idle: &Idle) -> io::Result<IdleReport> {
    let server = &idle.server;
    let speech = Speech::new(&server.url, &server.key, &idle.channel);
    let before = Memory::of(server.server_pid)?;
    let start = Instant::now();
    let count = idle.connections as usize;
    let crowd = Crowd::gather(&server.url, &speech, count, idle.timeout_s)?;
    let opened_in_ms = start.elapsed().as_millis() as u64;
    let after = Memory::of(server.server_pid)?;
    let connections = crowd.len();
    let each = |before: u64, after: u64| after.saturating_sub(before).div_ceil(connections as u64);
    let bytes_each = each(before.resident, after.resident);
    Ok(IdleReport {
        connections,
        opened_in_ms,
        before,
        after,
        bytes_each,
        private_bytes_each: each(before.private, after.private),
        limit_bytes: idle.limit_bytes,
        passed: bytes_each <= idle.limit_bytes,
    })
}

impl IdleReport {
    /// Whether the limit was kept.
    pub fn passed(&self) -> bool {
        self.passed
    }
}

impl Report for IdleReport {
    fn title(&self) -> String {
        let verdict = if self.passed { "within" } else { "PAST" };
        format!(
            "idle: {} bytes per connection, {verdict} the limit of {}",
            grouped(self.bytes_each),
            grouped(self.limit_bytes)
        )
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        vec![
            (
                "connections, all subscribed",
                grouped(self.connections as u64),
            ),
            ("opened in, ms", grouped(self.opened_in_ms)),
            ("resident before, bytes", grouped(self.before.resident)),
            ("resident after, bytes", grouped(self.after.resident)),
            ("resident per connection, bytes", grouped(self.bytes_each)),
            (
                "private per connection, bytes",
                grouped(self.private_bytes_each),
            ),
        ]
    }
}
