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
//! suite      several servers in turn through many loads, side by side
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
pub mod suite;
pub mod target;
pub mod wire;

use clap::{CommandFactory, FromArgMatches};
use cli::{Arguments, Command, Task};
use progress::Progress;
use report::{Report, Verdict};
use std::ffi::OsString;
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

/// The same under another program's name: `arguments` are those behind it.
pub fn run_as(name: &'static str, arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let command = Arguments::command().name(name).bin_name(name);
    let words = [OsString::from(name)].into_iter().chain(arguments);
    let matches = command.get_matches_from(words);
    match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => run(&arguments),
        Err(error) => error.exit(),
    }
}

fn reported(arguments: &Arguments) -> io::Result<Verdict> {
    let Arguments { output, task } = arguments;
    match task {
        Task::Scenario(command) => one(command, output),
        Task::Suite(options) => suite::run(options, output),
    }
}

/// What can be wrong with the outputs is found before the load begins.
fn one(command: &Command, output: &report::Options) -> io::Result<Verdict> {
    let report = Report::prepare(output, command.name())?;
    let mut progress = Progress::new(output.quiet);
    let outcome = command.run(&mut progress);
    progress.end();
    report.finish(&outcome?)
}
