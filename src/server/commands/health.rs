//! `health`: whether a server answers, for what looks after containers.

use super::context::Order;
use super::ending::Failure;
use super::terminal::complain;
use super::{reach, rest};
use clap::{Arg, ArgAction, ArgMatches, Command};

const READY: &str = "ready";

pub(super) fn command() -> Command {
    Command::new("health")
        .about("Ask a running server whether it lives, or is ready for traffic")
        .arg(
            Arg::new(READY)
                .long(READY)
                .action(ArgAction::SetTrue)
                .help("Whether it is ready: one that drains lives, and is not"),
        )
        .args(reach::place_args())
        .after_help(
            "Asks /live, or /ready, at the port of the clients, and ends with 0 when the server \
             answers that all is well, otherwise with 69. Made for the health check of a \
             container.",
        )
}

/// # Errors
/// When nobody answers, or not that all is well.
pub(super) fn run(order: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let place = reach::place(&order.config()?, matches)?;
    let (path, state) = match matches.get_flag(READY) {
        true => ("/ready", "ready"),
        false => ("/live", "alive"),
    };
    let answer = rest::get(&place, path)?;
    if answer.status != 200 {
        let said = rest::said(&answer.body);
        return Err(Failure::unavailable(format!(
            "{place} answered {} to {path}: {said}",
            answer.status
        )));
    }
    complain(&format!("{place} is {state}\n"));
    Ok(())
}
