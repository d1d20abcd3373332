//! What can be asked for on the command line.

use crate::target::Target;
use clap::{Args, Parser, Subcommand};
use std::time::Duration;

/// Put a load on a server of the Pusher protocol and see what it costs.
#[derive(Debug, Parser)]
#[command(name = "shardcast-loadtest", version)]
pub struct Arguments {
    /// Print the report as JSON instead of a table.
    #[arg(long, global = true)]
    pub json: bool,
    /// Which load.
    #[command(subcommand)]
    pub command: Command,
}

/// The scenarios.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Memory of the server for each connection that is subscribed and silent.
    Idle(Idle),
}

/// What every scenario needs to know of the server.
#[derive(Args, Debug)]
pub struct Server {
    /// Where the server listens.
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:6001")]
    pub url: Target,
    /// Key of the app to connect to.
    #[arg(long, default_value = "app-key")]
    pub key: String,
    /// Process id of the server, on this machine: its memory is read from /proc.
    #[arg(long, value_name = "PID")]
    pub server_pid: u32,
}

/// The scenario `idle`.
#[derive(Args, Debug)]
pub struct Idle {
    /// The server.
    #[command(flatten)]
    pub server: Server,
    /// Connections to open and hold.
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// The public channel that each of them subscribes to.
    #[arg(long, value_name = "NAME", default_value = "idle")]
    pub channel: String,
    /// Bytes of the server's own memory that a connection may cost.
    #[arg(long, value_name = "BYTES", default_value_t = 6144)]
    pub limit_bytes: u64,
    /// Give up when not all are subscribed after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub timeout_s: Duration,
}

fn seconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let parse = |arguments: &str| {
            Arguments::try_parse_from(["x"].into_iter().chain(arguments.split(' ')))
        };
        assert!(parse("idle --server-pid 1 --connections 1").is_ok());
        for wrong in [
            "idle",
            "idle --server-pid 1 --connections 0",
            "idle --server-pid x",
            "idle --server-pid 1 --url wss://x:1",
            "idle --server-pid 1 --timeout-s soon",
            "none --server-pid 1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
