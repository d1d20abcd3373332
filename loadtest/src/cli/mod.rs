//! What can be asked for on the command line.

pub mod load;
pub mod server;

use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::scenario::{
    client_events, connect, depart, fan_out, idle, mixed, presence, publish, restart,
};
use crate::suite;
use clap::{Parser, Subcommand};
use load::Span;
use server::Server;
use std::io;
use std::time::Duration;

/// Put a load on a server of the Pusher protocol and see what it costs.
#[derive(Debug, Parser)]
#[command(name = "shardcast-loadtest", version)]
pub struct Arguments {
    /// Where the outcome goes.
    #[command(flatten)]
    pub output: crate::report::Options,
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// One load, or many.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// One scenario on a server that runs.
    #[command(flatten)]
    Scenario(Command),
    /// Several servers in turn through a list of loads, each started afresh, in one table.
    Suite(suite::Options),
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
    /// A crowd that breaks off at once, and how long others waited meanwhile.
    Depart(depart::Options),
    /// A server that is killed and started again, and how long its clients took to be back.
    Restart(restart::Options),
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
            Self::Depart(_) => "depart",
            Self::Restart(_) => "restart",
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// When it could not be run to its end.
    pub fn run(&self, progress: &mut Progress) -> io::Result<Outcome> {
        match self {
            Self::Connect(options) => connect::run(options, progress),
            Self::Idle(options) => idle::run(options, progress),
            Self::FanOut(options) => fan_out::run("fan-out", options, progress),
            Self::Channels(options) => fan_out::run("channels", options, progress),
            Self::ClientEvents(options) => client_events::run(options, progress),
            Self::Presence(options) => presence::run(options, progress),
            Self::Publish(options) => publish::run(options, progress),
            Self::Mixed(options) => mixed::run(options, progress),
            Self::Depart(options) => depart::run(options, progress),
            Self::Restart(options) => restart::run(options, progress),
        }
    }

    /// The server that it is for.
    pub fn server_mut(&mut self) -> &mut Server {
        match self {
            Self::Connect(options) => &mut options.server,
            Self::Idle(options) => &mut options.server,
            Self::FanOut(options) | Self::Channels(options) => &mut options.server,
            Self::ClientEvents(options) => &mut options.server,
            Self::Presence(options) => &mut options.server,
            Self::Publish(options) => &mut options.server,
            Self::Mixed(options) => &mut options.server,
            Self::Depart(options) => &mut options.server,
            Self::Restart(options) => &mut options.server,
        }
    }

    /// Sets how long its traffic goes on; some end by themselves.
    pub fn set_span(&mut self, warm_up: Duration, duration: Duration) {
        let span = match self {
            Self::Connect(_) | Self::Idle(_) | Self::Depart(_) | Self::Restart(_) => return,
            Self::FanOut(options) | Self::Channels(options) => &mut options.span,
            Self::ClientEvents(options) => &mut options.span,
            Self::Presence(options) => &mut options.span,
            Self::Publish(options) => &mut options.span,
            Self::Mixed(options) => &mut options.span,
        };
        *span = Span {
            warm_up_s: warm_up,
            duration_s: duration,
            ..span.clone()
        };
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
        for name in names.filter(|name| !["help", "suite"].contains(name)) {
            let arguments = Arguments::try_parse_from(["x", name, "--server-pid", "1"]).unwrap();
            let Task::Scenario(mut command) = arguments.task else {
                panic!("{name} is no scenario");
            };
            assert_eq!(command.name(), name);
            assert_eq!(command.server_mut().server_pid, [1]);
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
