//! `publish`: signed publish requests to channels that nobody listens to.

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
#[command(mut_arg("publishers", |arg| arg.default_value("4")))]
#[command(mut_arg("pipeline", |arg| arg.default_value("32")))]
#[command(mut_arg("until", |arg| arg.hide(true)))]
pub struct Options {
    /// Channels.
    #[arg(long, value_name = "N", default_value = "1", value_parser = channels)]
    pub channels: u32,
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

/// Runs it.
///
/// # Errors
/// When it could not be run to its end.
pub fn run(options: &Options, progress: &mut Progress) -> io::Result<Outcome> {
    let Options {
        channels,
        publishing,
        span,
        server,
    } = options;
    let shape = publishing.shape(*channels, 0, span.connect_under_way);
    let mut load = FanOut::new(shape, &server.url, &server.app());
    let mut settings = vec![("channels", channels.to_string())];
    settings.extend(publishing.settings());
    let connections = load.connections();
    let load = (&mut load as &mut dyn Load, connections);
    alone("publish", load, settings, (span, server), progress)
}
