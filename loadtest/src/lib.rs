//! A load tester for servers of the Pusher protocol: a scenario puts a stated load on a server
//! and reports what it cost.
//!
//! What it is not: a client library. It speaks just enough of the protocol for its scenarios, and
//! it takes what does not fit them as a failure.
//!
//! ```text
//! cli        what is asked for
//! scenario   loads put together into a run: connect, warm up, measure, drain
//! load       what is said on the connections and what must come back
//! engine     sockets, time, readiness; the exact check of what came
//! report     what becomes of an outcome: table, JSON, page, verdict
//! wire       frames, answers, signatures, marks
//! ```
//!
//! Exit codes: 0 when the run kept every check and threshold, 1 when it did not, 2 when it could
//! not be made.

pub mod cli;
pub mod engine;
pub mod load;
pub mod outcome;
pub mod process;
pub mod progress;
pub mod report;
pub mod scenario;
pub mod target;
pub mod wire;

use cli::{Arguments, Command};
use outcome::Outcome;
use progress::Progress;
use report::{Report, Verdict};
use scenario::{client_events, connect, fan_out, idle, mixed, presence, publish};
use std::io;
use std::process::ExitCode;

/// Runs what was asked for and prints what it found.
pub fn run(arguments: &Arguments) -> ExitCode {
    match reported(arguments) {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::from(1),
        Err(error) => {
            eprintln!("shardcast-loadtest: {error}");
            ExitCode::from(2)
        }
    }
}

/// What can be wrong with the outputs is found before the load begins.
fn reported(arguments: &Arguments) -> io::Result<Verdict> {
    let Arguments { output, command } = arguments;
    let report = Report::prepare(output, command.name())?;
    let mut progress = Progress::new(output.quiet);
    let outcome = start(command, &mut progress);
    progress.end();
    report.finish(&outcome?)
}

fn start(command: &Command, progress: &mut Progress) -> io::Result<Outcome> {
    match command {
        Command::Connect(options) => connect::run(options, progress),
        Command::Idle(options) => idle::run(options, progress),
        Command::FanOut(options) => fan_out::run("fan-out", options, progress),
        Command::Channels(options) => fan_out::run("channels", options, progress),
        Command::ClientEvents(options) => client_events::run(options, progress),
        Command::Presence(options) => presence::run(options, progress),
        Command::Publish(options) => publish::run(options, progress),
        Command::Mixed(options) => mixed::run(options, progress),
    }
}
