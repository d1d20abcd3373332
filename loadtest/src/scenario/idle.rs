//! `idle`: connections that are subscribed and silent, and what the server holds for each.

use super::drive::Drive;
use crate::cli::load::{Span, seconds};
use crate::cli::server::Server;
use crate::load::Load;
use crate::load::visitors::{Stay, Visitors, Visits};
use crate::outcome::{Figure, Outcome, Timeline, Unit};
use crate::process::Memory;
use crate::progress::Progress;
use clap::Args;
use std::io;
use std::time::Duration;

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Connections to open and hold.
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// The public channel that each of them subscribes to.
    #[arg(long, value_name = "NAME", default_value = "idle")]
    pub channel: String,
    /// Bytes of the server's resident memory that a connection may cost.
    #[arg(long, value_name = "BYTES", default_value_t = 6144)]
    pub limit_bytes: u64,
    /// Give up when not all are subscribed after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub timeout_s: Duration,
    /// Connections that are being made at a time.
    #[arg(long, value_name = "N", default_value_t = 512,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub connect_under_way: u32,
    /// The server.
    #[command(flatten)]
    pub server: Server,
}

/// Opens the connections, waits until all are subscribed, and looks at the server before and
/// after.
///
/// # Errors
/// When a connection fails or the server's memory cannot be read.
pub fn run(options: &Options, progress: &mut Progress) -> io::Result<Outcome> {
    let server = &options.server;
    if server.server_pid.is_empty() {
        return Err(io::Error::other(
            "idle looks at the server: give its --server-pid",
        ));
    }
    let visits = Visits {
        connections: options.connections,
        channel: options.channel.clone(),
        stay: Stay::ForEver,
        rate: None,
        under_way: options.connect_under_way,
    };
    let span = Span {
        timeout_s: options.timeout_s,
        connect_under_way: options.connect_under_way,
        ..Span::default()
    };
    let mut load = Visitors::new(visits, &server.url, &server.key);
    let mut drive = Drive::new(server, &span, options.connections as usize, progress)?;
    let before = Memory::of_all(&server.server_pid)?;
    let loads: &mut [&mut dyn Load] = &mut [&mut load];
    let opened_in_s = drive.gather(loads)?;
    let after = Memory::of_all(&server.server_pid)?;
    Ok(outcome(options, before, after, opened_in_s))
}

fn outcome(options: &Options, before: Memory, after: Memory, opened_in_s: f64) -> Outcome {
    let connections = u64::from(options.connections);
    let each = |before: u64, after: u64| after.saturating_sub(before).div_ceil(connections);
    let resident = each(before.resident, after.resident);
    let private = each(before.private, after.private);
    let bytes = |key, label, value: u64| Figure::lower(key, label, Unit::Bytes, value as f64);
    let memory = |key, label, value: u64| Figure::plain(key, label, Unit::Bytes, value as f64);
    let figures = vec![
        bytes(
            "resident_bytes_each",
            "resident memory of the server for each connection",
            resident,
        ),
        bytes(
            "private_bytes_each",
            "private memory of the server for each connection",
            private,
        ),
        Figure::plain(
            "connections",
            "connections, all subscribed",
            Unit::Count,
            connections as f64,
        ),
        Figure::lower(
            "opened_in_s",
            "time in which they were opened",
            Unit::Seconds,
            opened_in_s,
        ),
        memory(
            "resident_before_bytes",
            "resident memory before",
            before.resident,
        ),
        memory(
            "resident_after_bytes",
            "resident memory after",
            after.resident,
        ),
    ];
    let limit = options.limit_bytes;
    let failure = format!("a connection costs {resident} bytes, past the limit of {limit}");
    Outcome {
        scenario: "idle",
        settings: settings(options),
        figures,
        latencies: Vec::new(),
        timeline: Timeline::default(),
        notes: Vec::new(),
        failures: Vec::from_iter((resident > limit).then_some(failure)),
    }
}

fn settings(options: &Options) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("connections", options.connections.to_string()),
        ("channel", options.channel.clone()),
        ("limit-bytes", options.limit_bytes.to_string()),
        ("timeout-s", options.timeout_s.as_secs_f64().to_string()),
        ("connect-under-way", options.connect_under_way.to_string()),
    ];
    settings.extend(options.server.settings());
    settings
}
