//! Drives loads through the phases of a run, and reads meanwhile what the server costs.

use crate::cli::load::Span;
use crate::cli::server::Server;
use crate::engine::Engine;
use crate::engine::clock::SECOND;
use crate::engine::turn::Loads;
use crate::load::{Findings, Load};
use crate::outcome::{Figure, Outcome, Series, Timeline, Unit};
use crate::process;
use crate::progress::Progress;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::time::{Duration, Instant};

/// How often a person is told how far it is, and a drain is looked at.
const LOOK_NS: u64 = SECOND / 5;

/// How often it is looked whether everything has arrived.
const DRAIN_LOOK_NS: u64 = SECOND / 100;

/// A run that is under way.
#[derive(Debug)]
pub struct Drive<'r> {
    engine: Engine,
    server: &'r Server,
    span: &'r Span,
    progress: &'r mut Progress,
}

/// What was read while the loads ran.
#[derive(Debug)]
pub struct Readings {
    /// How long the measured part was.
    pub seconds: f64,
    /// From when until when that was.
    pub measured: Range<Instant>,
    /// CPU time in the measured part: the server's, if it is known, and ours.
    server_cpu_ns: Option<u64>,
    own_cpu_ns: u64,
    resident: Option<u64>,
    timeline: Timeline,
}

/// The clocks of CPU time, read together.
#[derive(Clone, Copy, Debug)]
struct Costs {
    now: u64,
    server: Option<u64>,
    own: u64,
}

impl<'r> Drive<'r> {
    /// For at most so many connections.
    ///
    /// # Errors
    /// When this machine has no room for them, or not the core that was asked for.
    pub fn new(
        server: &'r Server,
        span: &'r Span,
        connections: usize,
        progress: &'r mut Progress,
    ) -> io::Result<Self> {
        if let Some(core) = server.core {
            let mut set = CpuSet::new();
            if core >= CpuSet::MAX_CPU {
                return Err(io::Error::other(format!("there is no core {core}")));
            }
            set.set(core);
            sched_setaffinity(None, &set).map_err(|error| {
                io::Error::other(format!("cannot stay on core {core}: {error}"))
            })?;
        }
        process::cpu_ns(&server.server_pid)?;
        let engine = Engine::new(&server.url, connections)?;
        Ok(Self {
            engine,
            server,
            span,
            progress,
        })
    }

    /// Waits until every load has all its connections. Says how many seconds that took.
    ///
    /// # Errors
    /// When one fails, or when they are not there in time.
    pub fn gather(&mut self, loads: &mut Loads<'_>) -> io::Result<f64> {
        let total = loads.iter().map(|load| load.ready().1).sum();
        self.progress.phase("connecting", Some(total));
        let timeout = self.span.timeout_s;
        let start = self.engine.clock().now();
        let deadline = start + nanoseconds(timeout);
        loop {
            let done: u64 = loads.iter().map(|load| load.ready().0).sum();
            self.progress.at(done, "");
            let now = self.engine.clock().now();
            if done >= total {
                return Ok((now - start) as f64 / SECOND as f64);
            }
            if now >= deadline {
                let text = format!("{done} of {total} connections were there in {timeout:?}");
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            let look = deadline.min(now + LOOK_NS);
            self.until(loads, look, |loads| {
                loads.iter().map(|load| load.ready().0).sum::<u64>() >= total
            })?;
        }
    }

    /// Everything after that: warm-up, the measured part, the drain.
    ///
    /// # Errors
    /// What makes the run useless.
    pub fn traffic(&mut self, loads: &mut Loads<'_>) -> io::Result<Readings> {
        let begin = self.engine.clock().now();
        for load in loads.iter_mut() {
            load.begin(begin, self.engine.sockets());
        }
        let warm_up = nanoseconds(self.span.warm_up_s);
        self.progress.timed("warm-up", warm_up / 1_000_000);
        self.look_until(loads, begin, begin + warm_up)?;
        let readings = self.measured(loads, (warm_up == 0).then_some(begin))?;
        self.drain(loads)?;
        Ok(readings)
    }

    /// `from` is given when what was due from then on counts, and not only from now on.
    fn measured(&mut self, loads: &mut Loads<'_>, from: Option<u64>) -> io::Result<Readings> {
        let duration = nanoseconds(self.span.duration_s);
        self.progress.timed("measuring", duration / 1_000_000);
        let start = self.costs()?;
        let end = start.now + duration;
        for load in loads.iter_mut() {
            load.measure(from.unwrap_or(start.now));
        }
        let mut timeline = Timeline {
            series: series(loads),
            rows: Vec::new(),
        };
        let mut last = start;
        while last.now < end && !finished(loads) {
            // A rest shorter than half a second joins the last interval.
            let next = last.now + SECOND;
            let next = if next + SECOND / 2 > end { end } else { next };
            self.look_until(loads, start.now, next)?;
            let costs = self.costs()?;
            timeline.rows.push(self.row(loads, start, last, costs)?);
            last = costs;
        }
        for load in loads.iter_mut() {
            load.stop(last.now);
        }
        Ok(Readings {
            seconds: (last.now - start.now) as f64 / SECOND as f64,
            measured: self.engine.clock().instant(start.now)..self.engine.clock().instant(last.now),
            server_cpu_ns: last.server.zip(start.server).map(|(to, from)| to - from),
            own_cpu_ns: last.own - start.own,
            resident: self.resident()?,
            timeline,
        })
    }

    fn drain(&mut self, loads: &mut Loads<'_>) -> io::Result<()> {
        self.progress.phase("draining", None);
        let end = self.engine.clock().now() + nanoseconds(self.span.drain_s);
        while !loads.iter().all(|load| load.settled()) {
            let now = self.engine.clock().now();
            if now >= end {
                break;
            }
            self.until(loads, end.min(now + DRAIN_LOOK_NS), |_| false)?;
        }
        Ok(())
    }

    /// Turns until then, with a word about how far it is now and then.
    fn look_until(&mut self, loads: &mut Loads<'_>, start: u64, end: u64) -> io::Result<()> {
        loop {
            let now = self.engine.clock().now();
            let details: Vec<String> = loads.iter().map(|load| load.detail()).collect();
            self.progress
                .at(now.saturating_sub(start) / 1_000_000, &details.join(", "));
            if now >= end {
                return Ok(());
            }
            self.until(loads, end.min(now + LOOK_NS), finished)?;
            if finished(loads) {
                return Ok(());
            }
        }
    }

    fn until(
        &mut self,
        loads: &mut Loads<'_>,
        end: u64,
        enough: impl Fn(&Loads<'_>) -> bool,
    ) -> io::Result<()> {
        while self.engine.clock().now() < end && !enough(loads) {
            self.engine.turn(loads, end)?;
        }
        Ok(())
    }

    fn costs(&self) -> io::Result<Costs> {
        let pids = &self.server.server_pid;
        let known = !pids.is_empty();
        Ok(Costs {
            server: known.then(|| process::cpu_ns(pids)).transpose()?,
            own: process::own_cpu_ns(),
            now: self.engine.clock().now(),
        })
    }

    fn resident(&self) -> io::Result<Option<u64>> {
        let pids = &self.server.server_pid;
        let known = !pids.is_empty();
        known.then(|| process::resident(pids)).transpose()
    }

    fn row(
        &self,
        loads: &mut Loads<'_>,
        start: Costs,
        from: Costs,
        to: Costs,
    ) -> io::Result<(f64, Vec<f64>)> {
        let elapsed = (to.now - from.now) as f64;
        let share = |from: u64, to: u64| (to - from) as f64 / elapsed;
        let mut values = Vec::new();
        for load in loads.iter_mut() {
            values.extend(load.interval(elapsed / SECOND as f64));
        }
        let server = from.server.zip(to.server);
        values.push(server.map_or(f64::NAN, |(from, to)| share(from, to)));
        values.push(self.resident()?.map_or(f64::NAN, |bytes| bytes as f64));
        values.push(share(from.own, to.own));
        Ok(((to.now - start.now) as f64 / SECOND as f64, values))
    }
}

impl Readings {
    /// Puts everything together. `work` is how much was done in the measured part, and one of it.
    pub fn outcome(
        self,
        scenario: &'static str,
        settings: Vec<(&'static str, String)>,
        findings: Vec<Findings>,
        allow_loss: bool,
    ) -> Outcome {
        let mut outcome = Outcome {
            scenario,
            settings,
            figures: Vec::new(),
            latencies: Vec::new(),
            timeline: Timeline::default(),
            notes: Vec::new(),
            failures: Vec::new(),
        };
        let alone = findings.len() == 1;
        let mut work = None;
        for found in findings {
            work = alone.then_some(found.work);
            outcome.figures.extend(found.figures);
            outcome.latencies.extend(found.latencies);
            outcome.notes.extend(found.notes);
            outcome.failures.extend(found.failures);
        }
        self.costs(work, &mut outcome);
        if allow_loss {
            outcome.notes.append(&mut outcome.failures);
        }
        outcome.timeline = self.timeline;
        outcome
    }

    fn costs(&self, work: Option<(u64, &'static str)>, outcome: &mut Outcome) {
        let ns = self.seconds * SECOND as f64;
        let own_share = self.own_cpu_ns as f64 / ns;
        if let Some(server) = self.server_cpu_ns {
            if let Some((count, one)) = work.filter(|(count, _)| *count > 0) {
                outcome.figures.push(Figure::lower(
                    "server_cpu_us_each",
                    &format!("CPU time of the server for each {one}"),
                    Unit::Microseconds,
                    server as f64 / 1_000.0 / count as f64,
                ));
            }
            outcome.figures.push(Figure::plain(
                "server_cpu_share",
                "CPU of the server, of one core",
                Unit::Share,
                server as f64 / ns,
            ));
            let ratio = self.own_cpu_ns as f64 / server.max(1) as f64;
            outcome.figures.push(Figure::plain(
                "tester_cpu_per_server_cpu",
                "CPU of the load tester for that of the server",
                Unit::Share,
                ratio,
            ));
            if ratio > 0.5 {
                outcome.notes.push(format!(
                    "the load tester used {:.0} % of the CPU time that the server used",
                    ratio * 100.0
                ));
            }
        }
        if let Some(resident) = self.resident {
            let label = "resident memory of the server";
            let figure =
                Figure::lower("server_resident_bytes", label, Unit::Bytes, resident as f64);
            outcome.figures.push(figure);
        }
        outcome.figures.push(Figure::plain(
            "tester_cpu_share",
            "CPU of the load tester, of one core",
            Unit::Share,
            own_share,
        ));
        if own_share > 0.95 {
            outcome.notes.push(format!(
                "the load tester was itself the bottleneck: it used {:.0} % of its core",
                own_share * 100.0
            ));
        }
    }
}

/// A run of one load by itself: everybody connects, then traffic, then what was found. `own` are
/// the scenario's own settings; those of the run and of the server follow.
///
/// # Errors
/// When it could not be run to its end.
pub fn alone(
    scenario: &'static str,
    (load, connections): (&mut dyn Load, usize),
    own: Vec<(&'static str, String)>,
    (span, server): (&Span, &Server),
    progress: &mut Progress,
) -> io::Result<Outcome> {
    let mut drive = Drive::new(server, span, connections, progress)?;
    let loads: &mut [&mut dyn Load] = &mut [&mut *load];
    drive.gather(loads)?;
    let readings = drive.traffic(loads)?;
    let findings = load.findings(readings.seconds, "");
    let settings = [own, span.settings(), server.settings()].concat();
    Ok(readings.outcome(scenario, settings, vec![findings], span.allow_loss))
}

/// Whether every load has done what it had to do, and more time would show nothing.
fn finished(loads: &Loads<'_>) -> bool {
    loads.iter().all(|load| load.finished())
}

fn series(loads: &Loads<'_>) -> Vec<Series> {
    let mut series: Vec<Series> = loads.iter().flat_map(|load| load.series()).collect();
    for (key, label, unit) in [
        ("server_cpu_share", "CPU of the server", Unit::Share),
        ("server_resident_bytes", "memory of the server", Unit::Bytes),
        ("tester_cpu_share", "CPU of the load tester", Unit::Share),
    ] {
        series.push(Series { key, label, unit });
    }
    series
}

fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}
