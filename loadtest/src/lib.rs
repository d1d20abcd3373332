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
//! wire       frames, answers, signatures, marks
//! ```
//!
//! Exit codes: 0 when the scenario stayed within its limits, 1 when it did not, 2 when it could
//! not be run.

pub mod cli;
pub mod engine;
pub mod load;
pub mod outcome;
pub mod process;
pub mod progress;
pub mod scenario;
pub mod target;
pub mod wire;

use cli::{Arguments, Command};
use outcome::{Outcome, Unit};
use progress::Progress;
use scenario::{client_events, connect, fan_out, idle, mixed, presence, publish};
use std::io;
use std::process::ExitCode;

/// Runs what was asked for and prints what it found.
pub fn run(arguments: Arguments) -> ExitCode {
    let mut progress = Progress::default();
    let outcome = start(&arguments.command, &mut progress);
    progress.end();
    match outcome {
        Ok(outcome) => {
            print(&outcome, arguments.json);
            ExitCode::from(u8::from(!outcome.failures.is_empty()))
        }
        Err(error) => {
            eprintln!("shardcast-loadtest: {error}");
            ExitCode::from(2)
        }
    }
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

/// The plainest table.
fn print(outcome: &Outcome, json: bool) {
    if json {
        let figures: serde_json::Map<_, _> = outcome
            .figures
            .iter()
            .map(|figure| (figure.key.clone(), figure.value.into()))
            .collect();
        println!("{}", serde_json::Value::from(figures));
        return;
    }
    println!("{}", outcome.scenario);
    for figure in &outcome.figures {
        let value = match figure.unit {
            Unit::Count | Unit::Bytes => format!("{:.0}", figure.value),
            Unit::Share => format!("{:.1} %", figure.value * 100.0),
            _ => format!("{:.3}", figure.value),
        };
        println!("  {:40} {value:>16}", figure.key);
    }
    for latency in &outcome.latencies {
        let of = |quantile| latency.nanoseconds.value_at_quantile(quantile) as f64 / 1_000.0;
        println!(
            "  {} us: p50 {} p99 {} p99.9 {} max {}",
            latency.key,
            of(0.5),
            of(0.99),
            of(0.999),
            of(1.0)
        );
    }
    for text in outcome.notes.iter().chain(&outcome.failures) {
        println!("  {text}");
    }
}
