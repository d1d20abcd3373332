//! `restart`: a server with a crowd is killed and started again, and the whole crowd comes back at
//! once, without the pause that clients make.

use super::drive::Drive;
use crate::cli::load::{Span, prefix, seconds};
use crate::cli::server::Server;
use crate::load::Load;
use crate::load::visitors::{Stay, Visitors, Visits};
use crate::outcome::{Figure, Outcome, Unit};
use crate::progress::Progress;
use crate::suite::{Place, Running, ServerCommand};
use clap::Args;
use std::io;
use std::time::{Duration, Instant};

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How the server is started, {port} standing for the port that it shall listen on. --url and
    /// --server-pid do not matter here.
    #[arg(long, value_name = "COMMAND")]
    pub start: Option<String>,
    /// Connections that are lost and come back.
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// Fail when after so many seconds from the kill not enough of them are subscribed again.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub limit_s: Duration,
    /// How many of a hundred are enough.
    #[arg(long, value_name = "PERCENT", default_value_t = 95,
          value_parser = clap::value_parser!(u32).range(1..=100))]
    pub enough: u32,
    /// Cores the server may use, as taskset has them; all that this process may, unless set.
    #[arg(long, value_name = "LIST")]
    pub cores: Option<String>,
    /// Give up when not all are there after so many seconds, the first time or the second.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub timeout_s: Duration,
    /// The server.
    #[command(flatten)]
    pub server: Server,
}

/// Runs it.
///
/// # Errors
/// When the server cannot be started, or not all come in the first time.
pub fn run(options: &Options, progress: &mut Progress) -> io::Result<Outcome> {
    let start = (options.start.as_deref())
        .ok_or_else(|| io::Error::other("restart starts the server itself: give its --start"))?;
    let command: ServerCommand = format!("server={start}")
        .parse()
        .map_err(io::Error::other)?;
    let place = Place {
        cores: options.cores.clone().unwrap_or_else(all_cores),
        port: None,
        timeout: options.timeout_s,
    };
    let running = Running::start(&command, &place, &options.server.key)?;
    let mut server = options.server.clone();
    server.url = running.target.clone();
    server.server_pid = Vec::new();
    let before = span(options);
    let mut load = Visitors::new(visits(options, Stay::ForEver), &server.url, &server.key);
    let mut drive = Drive::new(&server, &before, options.connections as usize, progress)?;
    let opened_in_s = drive.gather(&mut [&mut load])?;

    let killed = Instant::now();
    let port = Some(running.target.address.port());
    running.kill()?;
    drop(drive);
    let place = Place { port, ..place };
    let again = Running::start(&command, &place, &options.server.key)?;
    let down_s = killed.elapsed().as_secs_f64();
    server.server_pid = again.pids()?;
    let mut load = Visitors::new(visits(options, Stay::ToTheEnd), &server.url, &server.key);
    let mut drive = Drive::new(&server, &before, options.connections as usize, progress)?;
    let begun_s = killed.elapsed().as_secs_f64();
    let readings = drive.traffic(&mut [&mut load])?;
    let back_s = begun_s + readings.seconds;
    let subscribed = load.subscribed();
    let mut findings = load.findings(readings.seconds, "");
    findings
        .figures
        .splice(0..0, figures(opened_in_s, down_s, back_s));
    // Some may fail and enough be there all the same.
    findings.failures = failures(options, subscribed, back_s);
    Ok(readings.outcome("restart", settings(options, start), vec![findings], false))
}

fn figures(opened_in_s: f64, down_s: f64, back_s: f64) -> [Figure; 3] {
    let lower = |key, label, value| Figure::lower(key, label, Unit::Seconds, value);
    [
        lower(
            "opened_in_s",
            "time in which all came the first time",
            opened_in_s,
        ),
        lower(
            "down_s",
            "from the kill until a handshake was answered again",
            down_s,
        ),
        lower("back_s", "from the kill until the last was back", back_s),
    ]
}

fn failures(options: &Options, subscribed: u64, back_s: f64) -> Vec<String> {
    let needed = u64::from(options.connections) * u64::from(options.enough);
    let mut failures = Vec::new();
    if subscribed * 100 < needed {
        failures.push(format!("only {subscribed} connections came back"));
    }
    if back_s > options.limit_s.as_secs_f64() {
        failures.push(format!(
            "they were back after {back_s:.2} s, past the limit of {:?}",
            options.limit_s
        ));
    }
    failures
}

/// All come at the same time: the server, not its clients, has to spread them.
fn visits(options: &Options, stay: Stay) -> Visits {
    Visits {
        connections: options.connections,
        channel: prefix(None),
        stay,
        rate: None,
        under_way: match stay {
            Stay::ToTheEnd => options.connections,
            Stay::ForEver | Stay::Briefly => Span::default().connect_under_way,
        },
    }
}

fn span(options: &Options) -> Span {
    Span {
        warm_up_s: Duration::ZERO,
        duration_s: options.timeout_s,
        drain_s: Duration::ZERO,
        timeout_s: options.timeout_s,
        ..Span::default()
    }
}

fn settings(options: &Options, start: &str) -> Vec<(&'static str, String)> {
    vec![
        ("start", start.to_owned()),
        ("connections", options.connections.to_string()),
        ("limit-s", options.limit_s.as_secs_f64().to_string()),
        ("enough", options.enough.to_string()),
    ]
}

/// Every core that this process may run on.
fn all_cores() -> String {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let allowed = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    let cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    cores
        .map(|core| core.to_string())
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Arguments, Command, Task};
    use clap::Parser;

    fn options(arguments: &[&str]) -> Options {
        let words = ["x", "restart"]
            .into_iter()
            .chain(arguments.iter().copied());
        match Arguments::parse_from(words).task {
            Task::Scenario(Command::Restart(options)) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_command_it_says_what_it_needs() {
        let error = run(&options(&[]), &mut Progress::new(true)).unwrap_err();
        assert!(error.to_string().contains("--start"), "{error}");
    }

    #[test]
    fn it_fails_one_connection_and_one_moment_past_the_limits() {
        let options = options(&["--connections", "1000"]);
        assert!(failures(&options, 950, 10.0).is_empty());
        assert_eq!(
            failures(&options, 949, 10.0),
            ["only 949 connections came back"]
        );
        let late = failures(&options, 1000, 10.01);
        assert_eq!(
            late,
            ["they were back after 10.01 s, past the limit of 10s"]
        );
    }
}
