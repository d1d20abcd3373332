//! `health`: whether a server answers, for what looks after containers.
//!
//! One that lives is not to be ended: so one that is full is alive, and so is one whose
//! configuration was made worse since it was started.

use super::context::Order;
use super::ending::Failure;
use super::reach::Place;
use super::terminal::complain;
use super::{reach, rest};
use crate::http::health;
use crate::server::config::{AdminPort, Config};
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::time::Instant;

const READY: &str = "ready";

pub(super) fn command() -> Command {
    Command::new("health")
        .about("Ask a running server whether it lives, or is ready for traffic")
        .arg(
            Arg::new(READY)
                .long(READY)
                .action(ArgAction::SetTrue)
                .help("Whether it is ready: one that drains or is full lives, and is not"),
        )
        .args(reach::place_args())
        .after_help(
            "Asks /live, or /ready, at the port of the clients, and ends with 0 when the server \
             answers that all is well, otherwise with 69. One that takes no more clients lives. \
             Where the settings turn the admin port on, /live is asked there when the other one \
             does not answer. Made for the health check of a container.",
        )
}

/// # Errors
/// When nobody answers, or not that all is well.
pub(super) fn run(order: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    if matches.get_flag(READY) {
        let place = reach::place(&order.config()?, matches)?;
        return ask(&place, "/ready", false);
    }
    match order.config() {
        Ok(config) => alive(&config, matches),
        // That is no reason to end a server that was started with another one.
        Err(refused) => match order.config_without_file().map(|it| alive(&it, matches)) {
            Ok(Ok(())) => {
                complain(&format!("it could not be started again: {refused}\n"));
                Ok(())
            }
            Ok(Err(_)) | Err(_) => Err(refused),
        },
    }
}

/// # Errors
/// When it is found at neither port.
fn alive(config: &Config, matches: &ArgMatches) -> Result<(), Failure> {
    let place = reach::place(config, matches)?;
    let begun = Instant::now();
    let failure = match ask(&place, "/live", true) {
        Ok(()) => return Ok(()),
        Err(failure) => failure,
    };
    // A full one says nothing over TLS. But one that takes connections and leaves them is not well;
    // and unless it has to have its admin port, that may be another server's.
    let says_nothing = begun.elapsed() >= rest::TIME;
    let has_admin = config.admin == AdminPort::On && !reach::is_elsewhere(matches);
    match reach::admin_place(config).filter(|_| has_admin && !says_nothing) {
        Some(admin) => ask(&admin, "/live", false).map_err(|_| failure),
        None => Err(failure),
    }
}

/// Whether it is well; or full, which it says to everybody, whatever is asked.
fn ask(place: &Place, path: &str, or_full: bool) -> Result<(), Failure> {
    let answer = rest::get(place, path)?;
    let is_full = [health::FULL, health::ADDRESS_FULL].contains(&&*answer.body);
    if answer.status != 200 && !(or_full && is_full) {
        let said = rest::said(&answer.body);
        return Err(Failure::unavailable(format!(
            "{place} answered {} to {path}: {said}",
            answer.status
        )));
    }
    let state = if path == "/ready" { "ready" } else { "alive" };
    complain(&format!("{place} is {state}\n"));
    Ok(())
}
