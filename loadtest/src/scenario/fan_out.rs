//! `fan-out`: messages published to a few channels with many subscribers each. `channels` is the
//! same with many channels of few.

use super::drive::alone;
use crate::cli::load::{Publishing, Span, channels};
use crate::cli::server::Server;
use crate::load::Load;
use crate::load::fan_out::FanOut;
use crate::outcome::Outcome;
use crate::progress::Progress;
use clap::Args;
use std::io;

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Channels.
    #[arg(long, value_name = "N", default_value = "1", value_parser = channels)]
    pub channels: u32,
    /// Subscribers of each channel.
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub subscribers: u32,
    /// How it is published.
    #[command(flatten)]
    pub publishing: Publishing,
    /// How long.
    #[command(flatten)]
    pub span: Span,
    /// The server.
    #[command(flatten)]
    pub server: Server,
}

/// Runs it under the name by which it was asked for.
///
/// # Errors
/// When it could not be run to its end.
pub fn run(
    scenario: &'static str,
    options: &Options,
    progress: &mut Progress,
) -> io::Result<Outcome> {
    let Options {
        channels,
        subscribers,
        publishing,
        span,
        server,
    } = options;
    let shape = publishing.shape(*channels, *subscribers, span.connect_under_way);
    let mut load = FanOut::new(shape, &server.url, &server.app());
    let mut settings = vec![
        ("channels", channels.to_string()),
        ("subscribers", subscribers.to_string()),
    ];
    settings.extend(publishing.settings());
    let connections = load.connections();
    let load = (&mut load as &mut dyn Load, connections);
    alone(scenario, load, settings, (span, server), progress)
}
