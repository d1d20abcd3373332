//! `listen`: a client that prints what it hears.
//!
//! ```text
//! plan     what was asked for: channels, who to be there, when to end
//! retry    whether to come back after a close, and when (section 2.6)
//! session  one connection: greeted, subscribed, kept alive, ended
//! heard    what a frame means, and how it is printed
//! ```

mod heard;
mod plan;
mod retry;
mod session;

use super::context::Order;
use super::ending::Failure;
use super::reach;
use super::terminal::complain;
use clap::ArgMatches;
use plan::Plan;
use retry::Next;
use session::{End, Session};
use std::time::{Duration, Instant};

pub(super) use plan::command;

/// # Errors
/// When the server cannot be reached, refuses, or has been gone for too long.
pub(super) fn run(order: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let (place, app) = reach::find(order, matches)?;
    let plan = Plan::new(order.context, matches, &app)?;
    let mut session = Session::new(&place, &app, &plan);
    // Since when it has been gone, and how often it was tried since.
    let mut gone: Option<(Instant, u32)> = None;
    loop {
        let (lost, code) = match session.run() {
            End::Done => return Ok(()),
            End::Refused(failure) => return Err(failure),
            End::Unreachable(failure) if gone.is_none() => return Err(failure),
            End::Unreachable(failure) => (failure.to_string(), None),
            End::Lost { reason, code } => (reason, code),
        };
        // Who has heard the server for a while has found it again.
        if session.was_good() {
            gone = None;
        }
        let (since, tries) = *gone.get_or_insert_with(|| (Instant::now(), 0));
        let wait = match retry::after(code, tries) {
            Next::Never => return Err(Failure::config(lost)),
            Next::After(wait) => wait,
        };
        if since.elapsed() + wait > plan.retry {
            return Err(Failure::unavailable(lost));
        }
        complain(&format!("{lost}; trying again{}\n", in_time(wait)));
        gone = Some((since, tries + 1));
        #[expect(
            clippy::disallowed_methods,
            reason = "a command has nothing else to do meanwhile, and no shard"
        )]
        std::thread::sleep(wait);
    }
}

fn in_time(wait: Duration) -> String {
    match wait.is_zero() {
        true => " at once".to_owned(),
        false => format!(" in {:.1} s", wait.as_secs_f64()),
    }
}
