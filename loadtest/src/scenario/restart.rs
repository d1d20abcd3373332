//! `restart`: a server with a crowd is killed and started again, and the whole crowd comes back at
//! once, without the pause that clients make.

use super::drive::Drive;
use crate::cli::load::{Span, prefix, seconds};
use crate::cli::server::Server;
use crate::engine::clock::SECOND;
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
    let back = Back::of(options, &load, begun_s);
    let mut findings = load.findings(readings.seconds, "");
    findings
        .figures
        .splice(0..0, figures(options, opened_in_s, down_s, &back));
    // Some may fail and enough be there all the same.
    findings.failures = failures(options, &back);
    Ok(readings.outcome("restart", settings(options, start), vec![findings], false))
}

/// Who came back, and when.
#[derive(Debug)]
struct Back {
    /// How many are subscribed again and stayed so.
    count: u64,
    /// From the kill until enough were subscribed, if they ever were.
    enough_s: Option<f64>,
    /// From the kill until the last was subscribed who came at all.
    last_s: Option<f64>,
}

impl Back {
    /// `begun_s` is when they began to come, after the kill.
    fn of(options: &Options, load: &Visitors, begun_s: f64) -> Self {
        let count = load.subscribed() - load.dropped();
        Self::from(options, load.came_ns(), count, begun_s)
    }

    fn from(options: &Options, came_ns: &[u64], count: u64, begun_s: f64) -> Self {
        let after = |ns: &u64| begun_s + *ns as f64 / SECOND as f64;
        Self {
            count,
            enough_s: came_ns.get(needed(options) as usize - 1).map(after),
            last_s: came_ns.last().map(after),
        }
    }
}

/// How many of them are enough, of one or more.
fn needed(options: &Options) -> u64 {
    (u64::from(options.connections) * u64::from(options.enough)).div_ceil(100)
}

fn figures(options: &Options, opened_in_s: f64, down_s: f64, back: &Back) -> [Figure; 4] {
    let lower = |key, label: &str, value| Figure::lower(key, label, Unit::Seconds, value);
    let enough = format!(
        "from the kill until {} of 100 were subscribed again",
        options.enough
    );
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
        lower("back_s", &enough, back.enough_s.unwrap_or(f64::NAN)),
        lower(
            "last_back_s",
            "from the kill until the last was subscribed again",
            back.last_s.unwrap_or(f64::NAN),
        ),
    ]
}

fn failures(options: &Options, back: &Back) -> Vec<String> {
    let mut failures = Vec::new();
    if back.count < needed(options) {
        failures.push(format!("only {} connections came back", back.count));
    }
    let enough_s = back
        .enough_s
        .filter(|at| *at > options.limit_s.as_secs_f64());
    if let Some(enough_s) = enough_s {
        failures.push(format!(
            "{} of 100 were back after {enough_s:.2} s, past the limit of {:?}",
            options.enough, options.limit_s
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

    /// So many are back after a second, one at a time of its own, and the rest long after that.
    fn run_of(first: usize, then_s: f64, all: usize) -> Vec<u64> {
        let mut came_ns = vec![SECOND; first];
        came_ns.push((then_s * SECOND as f64) as u64);
        came_ns.resize(all, 40 * SECOND);
        came_ns
    }

    #[test]
    fn the_limit_is_for_when_enough_are_back_and_not_for_the_last() {
        let options = options(&["--connections", "1000"]);
        // They begin to come two seconds after the kill, and the 950th is the one that matters.
        let back = Back::from(&options, &run_of(949, 8.0, 1000), 1000, 2.0);
        assert_eq!((back.enough_s, back.last_s), (Some(10.0), Some(42.0)));
        assert!(failures(&options, &back).is_empty());
        let back = Back::from(&options, &run_of(949, 8.01, 1000), 1000, 2.0);
        let told = "95 of 100 were back after 10.01 s, past the limit of 10s";
        assert_eq!(failures(&options, &back), [told]);
        let labels = figures(&options, 1.0, 2.0, &back).map(|figure| (figure.key, figure.value));
        let keys = labels.each_ref().map(|(key, _)| key.as_str());
        assert_eq!(keys, ["opened_in_s", "down_s", "back_s", "last_back_s"]);
        assert_eq!([labels[2].1, labels[3].1], [10.01, 42.0]);
    }

    #[test]
    fn it_fails_one_connection_short_and_for_those_that_were_ended_again() {
        let options = options(&["--connections", "1000"]);
        let all = run_of(949, 1.0, 950);
        let enough = Back::from(&options, &all, 950, 2.0);
        assert!(failures(&options, &enough).is_empty());
        for (came, stayed) in [(&all[..949], 949), (&all[..], 949)] {
            let short = Back::from(&options, came, stayed, 2.0);
            let told = ["only 949 connections came back"];
            assert_eq!(failures(&options, &short), told);
        }
        let nobody = Back::from(&options, &[], 0, 2.0);
        assert_eq!((nobody.enough_s, nobody.last_s), (None, None));
        assert_eq!(
            failures(&options, &nobody),
            ["only 0 connections came back"]
        );
    }

    #[test]
    fn a_part_of_a_connection_that_is_needed_is_a_whole_one() {
        for (connections, enough, wanted) in [("10", "95", 10), ("1", "1", 1), ("1000", "95", 950)]
        {
            let options = options(&["--connections", connections, "--enough", enough]);
            assert_eq!(needed(&options), wanted);
        }
    }
}
