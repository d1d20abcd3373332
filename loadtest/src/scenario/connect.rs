//! `connect`: a storm of connections, as after a restart of the server.

use super::drive::Drive;
use crate::cli::load::{Span, prefix, rate, seconds};
use crate::cli::server::Server;
use crate::load::Load;
use crate::load::visitors::{Stay, Visitors, Visits};
use crate::outcome::Outcome;
use crate::progress::Progress;
use clap::Args;
use std::io;
use std::time::Duration;

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Connections to open.
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// Connections on their way in at a time.
    #[arg(long, value_name = "N", default_value_t = 512,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub under_way: u32,
    /// Connections in a second, each at its own due time, and latency counted from there. Without
    /// it, the next comes when one is there.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// What the name of the channel begins with; unless set, no two runs share a channel.
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// Give up when not all are there after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub timeout_s: Duration,
    /// Let the run pass although connections failed.
    #[arg(long)]
    pub allow_loss: bool,
    /// The server.
    #[command(flatten)]
    pub server: Server,
}

/// Runs it.
///
/// # Errors
/// When it could not be run to its end.
pub fn run(options: &Options, progress: &mut Progress) -> io::Result<Outcome> {
    let server = &options.server;
    let visits = Visits {
        connections: options.connections,
        channel: prefix(options.prefix.as_deref()),
        stay: Stay::ToTheEnd,
        rate: options.rate,
        under_way: options.under_way,
    };
    let span = Span {
        warm_up_s: Duration::ZERO,
        duration_s: options.timeout_s,
        drain_s: Duration::ZERO,
        ..Span::default()
    };
    let mut load = Visitors::new(visits, &server.url, &server.key);
    let mut drive = Drive::new(server, &span, options.connections as usize, progress)?;
    let loads: &mut [&mut dyn Load] = &mut [&mut load];
    let readings = drive.traffic(loads)?;
    let findings = load.findings(readings.seconds, "");
    let mut settings = vec![
        ("connections", options.connections.to_string()),
        ("under-way", options.under_way.to_string()),
    ];
    settings.extend(options.rate.map(|rate| ("rate", rate.to_string())));
    settings.push(("timeout-s", options.timeout_s.as_secs_f64().to_string()));
    settings.push(("allow-loss", options.allow_loss.to_string()));
    settings.extend(server.settings());
    Ok(readings.outcome("connect", settings, vec![findings], options.allow_loss))
}
