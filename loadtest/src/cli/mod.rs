//! What can be asked for on the command line.

pub mod load;
pub mod server;

use crate::scenario::{client_events, connect, fan_out, idle, mixed, presence, publish};
use clap::{Parser, Subcommand};

/// Put a load on a server of the Pusher protocol and see what it costs.
#[derive(Debug, Parser)]
#[command(name = "shardcast-loadtest", version)]
pub struct Arguments {
    /// Where the outcome goes.
    #[command(flatten)]
    pub output: crate::report::Options,
    /// Which load.
    #[command(subcommand)]
    pub command: Command,
}

/// The scenarios.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Connections opened and subscribed as fast as the server lets them, or at a rate.
    Connect(connect::Options),
    /// Memory of the server for each connection that is subscribed and silent.
    Idle(idle::Options),
    /// Messages published to a few channels with many subscribers each.
    FanOut(fan_out::Options),
    /// Messages published to many channels with few subscribers each.
    #[command(mut_arg("channels", |arg| arg.default_value("1000")))]
    #[command(mut_arg("subscribers", |arg| arg.default_value("10")))]
    Channels(fan_out::Options),
    /// Client events in pairs on private channels. The app must allow them, at this rate.
    ClientEvents(client_events::Options),
    /// Members that join and leave a presence channel with many others on it.
    Presence(presence::Options),
    /// Signed publish requests to channels that nobody listens to.
    Publish(publish::Options),
    /// All of these at once, each at its own rate.
    Mixed(mixed::Options),
}

impl Command {
    /// The scenario's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Idle(_) => "idle",
            Self::FanOut(_) => "fan-out",
            Self::Channels(_) => "channels",
            Self::ClientEvents(_) => "client-events",
            Self::Presence(_) => "presence",
            Self::Publish(_) => "publish",
            Self::Mixed(_) => "mixed",
        }
    }
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
    fn every_scenario_is_called_what_it_is_asked_for_as() {
        let command = Arguments::command();
        let names = command
            .get_subcommands()
            .map(|scenario| scenario.get_name());
        for name in names.filter(|name| *name != "help") {
            let arguments = Arguments::try_parse_from(["x", name, "--server-pid", "1"]).unwrap();
            assert_eq!(arguments.command.name(), name);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let parse = |arguments: &str| {
            Arguments::try_parse_from(["x"].into_iter().chain(arguments.split(' ')))
        };
        assert!(parse("idle --server-pid 1 --connections 1").is_ok());
        assert!(parse("fan-out --rate 0.5 --warm-up-s 0.5").is_ok());
        for wrong in [
            "idle --server-pid 1 --connections 0",
            "idle --server-pid x",
            "idle --server-pid 1 --url wss://x:1",
            "idle --server-pid 1 --timeout-s soon",
            "fan-out --rate 0",
            "fan-out --payload 39",
            "fan-out --duration-s -1",
            "fan-out --channels 0",
            "none --server-pid 1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
