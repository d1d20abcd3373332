//! `presence`: some join and leave a presence channel, and all others hear of it.

use super::drive::alone;
use crate::cli::load::{Span, prefix, rate};
use crate::cli::server::Server;
use crate::load::Load;
use crate::load::presence::{Presence, Shape};
use crate::outcome::Outcome;
use crate::progress::Progress;
use clap::Args;
use std::io;

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Members of the channel that stay and watch.
    #[arg(long, value_name = "N", default_value_t = 500,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub members: u32,
    /// Members that join and leave.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub churners: u32,
    /// Cycles of joining and leaving in a second, each at its own due time, and latency counted
    /// from there. Without it, the next begins when the join was confirmed.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// What the name of the channel holds; unless set, no two runs share a channel.
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// How long.
    #[command(flatten)]
    pub span: Span,
    /// The server.
    #[command(flatten)]
    pub server: Server,
}

/// Runs it.
///
/// # Errors
/// When it could not be run to its end.
pub fn run(options: &Options, progress: &mut Progress) -> io::Result<Outcome> {
    let Options { span, server, .. } = options;
    let shape = Shape {
        watchers: options.members,
        churners: options.churners,
        prefix: prefix(options.prefix.as_deref()),
        rate: options.rate,
        under_way: span.connect_under_way,
    };
    let mut load = Presence::new(shape, &server.url, &server.app());
    let mut settings = vec![
        ("members", options.members.to_string()),
        ("churners", options.churners.to_string()),
    ];
    settings.extend(options.rate.map(|rate| ("rate", rate.to_string())));
    let connections = load.connections();
    let load = (&mut load as &mut dyn Load, connections);
    alone("presence", load, settings, (span, server), progress)
}
