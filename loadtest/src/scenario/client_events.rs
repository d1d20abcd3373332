//! `client-events`: pairs on private channels, of which one sends and the other receives.

use super::drive::alone;
use crate::cli::load::{Span, prefix, rate};
use crate::cli::server::Server;
use crate::load::Load;
use crate::load::pairs::{Pairs, Shape};
use crate::load::publish::CHANNELS_MAX;
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::wire::mark;
use clap::Args;
use std::io;

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Pairs of connections, each on a private channel of its own.
    #[arg(long, value_name = "N", default_value_t = 500,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(CHANNELS_MAX)))]
    pub pairs: u32,
    /// Events in a second of all pairs, each at its own due time, and latency counted from there.
    /// Without it, an event follows when one has arrived.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// Without a rate: events under way in each pair.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub window: u32,
    /// Bytes of each event's data.
    #[arg(long, value_name = "BYTES", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(mark::BYTES as i64..=60_000))]
    pub payload: u32,
    /// What the names of the channels hold; unless set, no two runs share a channel.
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
        pairs: options.pairs,
        prefix: prefix(options.prefix.as_deref()),
        payload: options.payload as usize,
        rate: options.rate,
        window: options.window,
        under_way: span.connect_under_way,
    };
    let mut load = Pairs::new(shape, &server.url, &server.app());
    let mut settings = vec![("pairs", options.pairs.to_string())];
    settings.push(match options.rate {
        Some(rate) => ("rate", rate.to_string()),
        None => ("window", options.window.to_string()),
    });
    settings.push(("payload", options.payload.to_string()));
    let connections = load.connections();
    let load = (&mut load as &mut dyn Load, connections);
    alone("client-events", load, settings, (span, server), progress)
}
