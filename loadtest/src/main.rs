//! A load tester for servers of the Pusher protocol: a scenario puts a stated load on a server
//! and reports what it cost.
//!
//! What it is not: a client library. It speaks just enough of the protocol for its scenarios, and
//! it takes what does not fit them as a failure.
//!
//! Exit codes: 0 when the scenario stayed within its limits, 1 when it did not, 2 when it could
//! not be run.

mod cli;
mod client;
mod crowd;
mod frame;
mod report;
mod scenario;
mod server;
mod target;

use clap::Parser;
use cli::{Arguments, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Arguments { json, command } = Arguments::parse();
    let outcome = match command {
        Command::Idle(idle) => scenario::idle::run(&idle),
    };
    match outcome {
        Ok(report) => {
            report::print(&report, json);
            ExitCode::from(u8::from(!report.passed()))
        }
        Err(error) => {
            eprintln!("shardcast-loadtest: {error}");
            ExitCode::from(2)
        }
    }
}
