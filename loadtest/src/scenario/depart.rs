//! `depart`: a crowd of subscribers leaves at once, and nobody else may be kept waiting for that.

use super::drive::Drive;
use crate::cli::load::{Span, prefix, rate, seconds};
use crate::cli::server::Server;
use crate::load::Load;
use crate::load::fan_out::{FanOut, Shape};
use crate::load::publishers::{Pace, Until};
use crate::load::visitors::{Stay, Visitors, Visits};
use crate::outcome::{Figure, Outcome, Unit};
use crate::progress::Progress;
use clap::Args;
use std::io;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Connections, all subscribed to one channel, that break off at once.
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// Others who listen to another channel.
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub bystanders: u32,
    /// Messages a second to these, each at its own due time.
    #[arg(long, value_name = "N", default_value = "200", value_parser = rate)]
    pub rate: f64,
    /// Fail when a message to them took longer than so many milliseconds from when it was due.
    #[arg(long, value_name = "MS", default_value_t = 50)]
    pub limit_ms: u64,
    /// Seconds of the same traffic before, without anybody leaving, to compare with; the crowd
    /// leaves in the middle of as many more. Either time begins after a second of warm-up.
    #[arg(long, value_name = "SECONDS", default_value = "4", value_parser = seconds)]
    pub quiet_s: Duration,
    /// Give up when not all are there after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub timeout_s: Duration,
    /// The server.
    #[command(flatten)]
    pub server: Server,
}

/// Runs it.
///
/// # Errors
/// When not all come, or the crowd does not leave.
pub fn run(options: &Options, progress: &mut Progress) -> io::Result<Outcome> {
    let (told, tells) = sync_channel(1);
    let (leave, wait) = sync_channel(1);
    thread::scope(|scope| {
        let crowd = scope.spawn(move || crowd(options, &told, &wait));
        if tells.recv().is_err() {
            // It has ended before all were there, and knows why.
            crowd.join().expect("the crowd does not panic")?;
            return Err(io::Error::other("the crowd did not come"));
        }
        let (quiet, _) = messages(options, progress, || ())?;
        let (outcome, measured) = messages(options, progress, || {
            let _ = leave.send(()); // who is gone already has failed, and tells below
        })?;
        let left = crowd.join().expect("the crowd does not panic")?;
        let mut outcome = compared(options, &quiet, outcome);
        outcome.failures.extend(outside(&left, &measured));
        Ok(outcome)
    })
}

/// Comes, says so, and breaks off in the middle of the measured time, once it was told that its
/// warm-up begins. Says from when until when the sockets were closed.
fn crowd(
    options: &Options,
    told: &SyncSender<()>,
    wait: &Receiver<()>,
) -> io::Result<Range<Instant>> {
    let server = &options.server;
    let visits = Visits {
        connections: options.connections,
        channel: format!("{}-crowd", prefix(None)),
        stay: Stay::ForEver,
        rate: None,
        under_way: Span::default().connect_under_way,
    };
    let span = span(options);
    let mut load = Visitors::new(visits, &server.url, &server.key);
    let mut silent = Progress::new(true);
    let mut drive = Drive::new(server, &span, options.connections as usize, &mut silent)?;
    drive.gather(&mut [&mut load])?;
    let _ = told.send(()); // who has failed meanwhile does not listen
    if wait.recv().is_ok() {
        // Nothing more comes: only the time passes.
        let _ = wait.recv_timeout(span.warm_up_s + options.quiet_s / 2);
    }
    let begun = Instant::now();
    drop(drive); // all sockets are closed here
    Ok(begun..Instant::now())
}

/// What is wrong when the crowd was leaving while nothing was measured.
fn outside(left: &Range<Instant>, measured: &Range<Instant>) -> Option<String> {
    let within = measured.start <= left.start && left.end <= measured.end;
    (!within).then(|| {
        "the crowd was still leaving when the measured time was over, or left before it: give it \
         a longer --quiet-s"
            .to_owned()
    })
}

/// Traffic to the bystanders, and when it was measured.
fn messages(
    options: &Options,
    progress: &mut Progress,
    begun: impl FnOnce(),
) -> io::Result<(Outcome, Range<Instant>)> {
    let server = &options.server;
    let shape = Shape {
        channels: 1,
        subscribers: options.bystanders,
        prefix: prefix(None),
        payload: 200,
        pace: Pace {
            publishers: 4,
            pipeline: 1,
            rate: Some(options.rate),
            until: Until::Answered,
            batch: 1,
        },
        under_way: Span::default().connect_under_way,
    };
    let mut load = FanOut::new(shape, &server.url, &server.app());
    let span = span(options);
    let connections = load.connections();
    let mut drive = Drive::new(server, &span, connections, progress)?;
    drive.gather(&mut [&mut load])?;
    begun();
    let readings = drive.traffic(&mut [&mut load])?;
    let measured = readings.measured.clone();
    let findings = load.findings(readings.seconds, "");
    let outcome = readings.outcome("depart", settings(options), vec![findings], false);
    Ok((outcome, measured))
}

/// The run in which the crowd left, beside the one in which it did not.
fn compared(options: &Options, quiet: &Outcome, mut outcome: Outcome) -> Outcome {
    // Of no message there is no longest time.
    let longest_ms = |outcome: &Outcome| {
        let mut delivery = outcome.latencies.iter().filter(|it| it.key == "delivery");
        let measured = delivery.next().filter(|it| !it.nanoseconds.is_empty());
        measured.map_or(f64::NAN, |it| it.nanoseconds.max() as f64 / 1e6)
    };
    let (quiet_ms, departing_ms) = (longest_ms(quiet), longest_ms(&outcome));
    let micros = |key, label, ms: f64| Figure::lower(key, label, Unit::Microseconds, ms * 1e3);
    outcome.figures.splice(
        0..0,
        [
            micros(
                "quiet_longest_us",
                "longest delivery while nobody left",
                quiet_ms,
            ),
            micros(
                "longest_us",
                "longest delivery while the crowd left",
                departing_ms,
            ),
        ],
    );
    if quiet_ms.is_nan() || departing_ms.is_nan() {
        let told = "no message was measured: raise --quiet-s or --rate";
        outcome.failures.push(told.to_owned());
    }
    if departing_ms > options.limit_ms as f64 {
        outcome.failures.push(format!(
            "a message took {departing_ms:.1} ms while the crowd left, past the limit of {} ms",
            options.limit_ms
        ));
    }
    outcome
}

fn span(options: &Options) -> Span {
    Span {
        duration_s: options.quiet_s,
        timeout_s: options.timeout_s,
        ..Span::default()
    }
}

fn settings(options: &Options) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("connections", options.connections.to_string()),
        ("bystanders", options.bystanders.to_string()),
        ("rate", options.rate.to_string()),
        ("limit-ms", options.limit_ms.to_string()),
        ("quiet-s", options.quiet_s.as_secs_f64().to_string()),
    ];
    settings.extend(options.server.settings());
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Arguments, Command, Task};
    use crate::outcome::{Latency, Timeline};
    use clap::Parser;
    use hdrhistogram::Histogram;

    fn options(arguments: &[&str]) -> Options {
        let words = ["x", "depart"].iter().chain(arguments);
        match Arguments::parse_from(words).task {
            Task::Scenario(Command::Depart(options)) => options,
            other => panic!("{other:?}"),
        }
    }

    /// A run whose deliveries took so many milliseconds.
    fn took(all_ms: &[u64]) -> Outcome {
        let mut nanoseconds = Histogram::new(3).expect("three digits are legal");
        for ms in all_ms {
            nanoseconds.record(ms * 1_000_000).expect("it grows");
        }
        Outcome {
            scenario: "depart",
            settings: Vec::new(),
            figures: Vec::new(),
            latencies: vec![Latency {
                key: "delivery",
                label: "delivery",
                nanoseconds,
            }],
            timeline: Timeline::default(),
            notes: Vec::new(),
            failures: Vec::new(),
        }
    }

    #[test]
    fn one_message_past_the_limit_fails_it_and_so_does_none_at_all() {
        let options = options(&["--limit-ms", "50"]);
        let failures = |quiet: &[u64], departing: &[u64]| {
            compared(&options, &took(quiet), took(departing)).failures
        };
        // Three digits of a histogram: 49 ms are told apart from 50, and 51 from 50.
        assert!(failures(&[1], &[1, 49]).is_empty());
        let late = failures(&[1], &[1, 51]);
        assert!(late[0].ends_with("past the limit of 50 ms"), "{late:?}");
        assert_eq!(late.len(), 1);
        for (quiet, departing) in [(&[][..], &[1][..]), (&[1], &[])] {
            let nothing = failures(quiet, departing);
            assert!(nothing[0].starts_with("no message was measured"));
        }
    }

    #[test]
    fn a_crowd_that_leaves_outside_of_the_measured_time_fails_it() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let measured = at(100)..at(200);
        assert_eq!(outside(&(at(100)..at(200)), &measured), None);
        for (from, to) in [(99, 150), (150, 201), (50, 60), (300, 301)] {
            assert!(outside(&(at(from)..at(to)), &measured).is_some());
        }
    }
}
