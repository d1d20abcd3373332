//! Several servers in turn through a list of loads, so that every claim is a ratio of one session.
//!
//! ```text
//! options    what is asked for: servers, lines, rounds
//! lines      the loads, each a scenario with fixed settings
//! launch     a server that is started, waited for, and ended
//! rounds     who is measured when
//! tally      what the runs of one line come to: medians and ratios
//! grid       the same as a table, for people and for documents
//! ```
//!
//! The servers take turns within each round, so that an hour in which the machine is slow is slow
//! for all of them, and each is started afresh for each run.

mod grid;
mod launch;
mod lines;
mod options;
mod rounds;
mod tally;

pub use launch::{Place, Running};
pub use options::{Options, ServerCommand};
pub use rounds::run;
