//! Visitors: connections that come, subscribe, and stay or go; nothing is published to them.

use super::client::{self, Said, Stage};
use super::findings::{Gauge, columns, told, values};
use super::{Findings, Load, Member};
use crate::engine::clock::NEVER;
use crate::engine::schedule::Schedule;
use crate::engine::timing::Timing;
use crate::engine::{Ended, Sockets};
use crate::outcome::{Figure, Latency, Series, Unit};
use crate::target::Target;
use crate::wire::frame;
use std::collections::BTreeMap;
use std::io;

/// What a visitor does once it is subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It was there before the traffic began and stays. Each of them is needed.
    ForEver,
    /// It came in the measured part and stays. What fails is counted.
    ToTheEnd,
    /// It goes at once, and another may come.
    Briefly,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Visits {
    /// How many in all; of brief visits, how many at a time at most.
    pub connections: u32,
    /// The public channel that all subscribe to.
    pub channel: String,
    /// What they do then.
    pub stay: Stay,
    /// How many come in a second; without it, the next comes when one is there.
    pub rate: Option<f64>,
    /// How many are on their way in at a time, without a rate.
    pub under_way: u32,
}

/// The load.
#[derive(Debug)]
pub struct Visitors {
    visits: Visits,
    handshake: Vec<u8>,
    subscribe: Vec<u8>,
    visitors: Vec<Visitor>,
    free: Vec<u32>,
    /// Visits whose time has come while nobody could come.
    late: std::collections::VecDeque<u64>,
    schedule: Option<Schedule>,
    running: bool,
    begun: u64,
    opened: u64,
    subscribed: u64,
    /// When each who came to the end was subscribed, since the beginning.
    came_ns: Vec<u64>,
    failed: u64,
    /// Visitors that the server ended once they were subscribed.
    dropped: u64,
    causes: BTreeMap<String, u64>,
    established: Timing,
    welcomed: Timing,
    measured: Gauge,
}

#[derive(Clone, Copy, Debug, Default)]
struct Visitor {
    stage: Stage,
    due: u64,
}

impl Visitors {
    /// Nobody is there yet.
    pub fn new(visits: Visits, target: &Target, key: &str) -> Self {
        Self {
            handshake: client::handshake(target, key),
            subscribe: client::subscribe(&visits.channel, None, None),
            visitors: Vec::new(),
            free: Vec::new(),
            late: std::collections::VecDeque::new(),
            schedule: None,
            running: visits.stay == Stay::ForEver,
            begun: 0,
            opened: 0,
            subscribed: 0,
            came_ns: Vec::new(),
            failed: 0,
            dropped: 0,
            causes: BTreeMap::new(),
            established: Timing::default(),
            welcomed: Timing::default(),
            measured: Gauge::default(),
            visits,
        }
    }

    /// How many have been subscribed.
    pub fn subscribed(&self) -> u64 {
        self.subscribed
    }

    /// How many of them the server ended again.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// After how many nanoseconds each was subscribed, since the traffic began, in order. Only of
    /// those who came [to the end](Stay::ToTheEnd).
    pub fn came_ns(&self) -> &[u64] {
        &self.came_ns
    }

    fn on_their_way(&self) -> u64 {
        self.opened - self.subscribed - self.failed
    }

    /// Whether another one may come.
    fn has_room(&self) -> bool {
        let limit = u64::from(self.visits.connections);
        match self.visits.stay {
            Stay::Briefly => ((self.visitors.len() - self.free.len()) as u64) < limit,
            Stay::ToTheEnd | Stay::ForEver => self.opened < limit,
        }
    }

    fn open(&mut self, due: u64, sockets: &mut Sockets) -> io::Result<()> {
        self.opened += 1;
        let number = self.free.pop().unwrap_or_else(|| {
            self.visitors.push(Visitor::default());
            (self.visitors.len() - 1) as u32
        });
        match sockets.open(number) {
            Ok(socket) => {
                sockets.out(socket).extend_from_slice(&self.handshake);
                let stage = Stage::Upgrading;
                self.visitors[number as usize] = Visitor { stage, due };
                Ok(())
            }
            Err(error) => {
                self.free.push(number);
                self.fail(&error.to_string(), Stage::Away)
            }
        }
    }

    fn fail(&mut self, why: &str, stage: Stage) -> io::Result<()> {
        let text = format!("{why} (while {stage:?})");
        if self.visits.stay == Stay::ForEver {
            return Err(io::Error::other(text));
        }
        self.failed += 1;
        *self.causes.entry(text).or_default() += 1;
        Ok(())
    }

    fn hear(
        &mut self,
        member: Member,
        frame: &frame::Frame<'_>,
        now: u64,
        sockets: &mut Sockets,
    ) -> Result<(), Ended> {
        let said = client::hear(frame, |bytes| {
            sockets.out(member.socket).extend_from_slice(bytes);
        })?;
        let visitor = &mut self.visitors[member.number as usize];
        match (said, visitor.stage) {
            (Said::Established(_), Stage::Greeting) => {
                self.established.record(visitor.due, now);
                visitor.stage = Stage::Subscribing;
                sockets
                    .out(member.socket)
                    .extend_from_slice(&self.subscribe);
            }
            (Said::Subscribed, Stage::Subscribing) => {
                self.subscribed += 1;
                self.welcomed.record(visitor.due, now);
                if self.visits.stay == Stay::ToTheEnd {
                    self.came_ns.push(now.saturating_sub(self.begun));
                }
                visitor.stage = Stage::Subscribed;
                if self.visits.stay == Stay::Briefly {
                    visitor.stage = Stage::Leaving;
                    sockets
                        .out(member.socket)
                        .extend_from_slice(&client::goodbye());
                }
            }
            (Said::Error(_), Stage::Greeting | Stage::Subscribing) => {
                return Err(Ended::said(String::from_utf8_lossy(frame.payload)));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Load for Visitors {
    fn turn(&mut self, now: u64, sockets: &mut Sockets) -> io::Result<u64> {
        if let Some(mut schedule) = self.schedule {
            while let Some((_, due)) = schedule.take(now) {
                self.late.push_back(due);
            }
            self.schedule = Some(schedule);
            while self.running && self.has_room() {
                let Some(due) = self.late.pop_front() else {
                    break;
                };
                self.open(due, sockets)?;
            }
            return Ok(schedule.due());
        }
        let closed_loop = self.running && self.visits.rate.is_none();
        while closed_loop
            && self.has_room()
            && self.on_their_way() < u64::from(self.visits.under_way)
        {
            self.open(sockets.clock.now(), sockets)?;
        }
        Ok(NEVER)
    }

    fn received(
        &mut self,
        member: Member,
        bytes: &[u8],
        now: u64,
        sockets: &mut Sockets,
    ) -> Result<usize, Ended> {
        let mut rest = bytes;
        let stage = &mut self.visitors[member.number as usize].stage;
        if !client::upgraded(stage, &mut rest)? {
            return Ok(0);
        }
        while let Some(frame) = frame::take(&mut rest) {
            self.hear(member, &frame, now, sockets)?;
        }
        Ok(bytes.len() - rest.len())
    }

    fn ended(&mut self, member: Member, why: &Ended, _: &mut Sockets) -> io::Result<()> {
        let stage = std::mem::take(&mut self.visitors[member.number as usize].stage);
        self.free.push(member.number);
        match stage {
            Stage::Leaving => Ok(()),
            Stage::Subscribed => {
                self.dropped += 1;
                *self.causes.entry(why.to_string()).or_default() += 1;
                Ok(())
            }
            _ => self.fail(&why.to_string(), stage),
        }
    }

    fn ready(&self) -> (u64, u64) {
        let needed = u64::from(self.visits.connections);
        match self.visits.stay {
            Stay::ForEver => (self.subscribed, needed),
            Stay::ToTheEnd | Stay::Briefly => (0, 0),
        }
    }

    fn begin(&mut self, now: u64, _: &mut Sockets) {
        self.running = true;
        self.begun = now;
        self.schedule = self.visits.rate.map(|rate| Schedule::new(now, rate));
    }

    fn measure(&mut self, now: u64) {
        self.measured.measure(self.subscribed);
        self.established.measure(now);
        self.welcomed.measure(now);
    }

    fn stop(&mut self, now: u64) {
        self.running = false;
        self.schedule = None;
        self.measured.stop(self.subscribed);
        self.established.stop(now);
        self.welcomed.stop(now);
    }

    fn settled(&self) -> bool {
        self.on_their_way() == 0
    }

    fn finished(&self) -> bool {
        let all = u64::from(self.visits.connections);
        self.visits.stay == Stay::ToTheEnd && self.subscribed + self.failed >= all
    }

    fn series(&self) -> Vec<Series> {
        if self.visits.stay == Stay::ForEver {
            return Vec::new();
        }
        columns(
            ("connections_per_s", "connections subscribed"),
            [
                ("subscribed_p50_us", "subscribed p50"),
                ("subscribed_p99_us", "subscribed p99"),
                ("subscribed_max_us", "subscribed max"),
            ],
        )
    }

    fn interval(&mut self, seconds: f64) -> Vec<f64> {
        if self.visits.stay == Stay::ForEver {
            return Vec::new();
        }
        self.established.roll();
        let count = self.measured.interval(self.subscribed);
        values(count, seconds, self.welcomed.roll())
    }

    fn detail(&self) -> String {
        format!("{} subscribed", self.subscribed)
    }

    fn findings(&mut self, seconds: f64, prefix: &str) -> Findings {
        let key = |name: &str| format!("{prefix}{name}");
        let count =
            |name, label, value: u64| Figure::plain(&key(name), label, Unit::Count, value as f64);
        let bad =
            |name, label, value: u64| Figure::lower(&key(name), label, Unit::Count, value as f64);
        let mut figures = vec![count(
            "subscribed",
            "connections subscribed",
            self.subscribed,
        )];
        let mut latencies = Vec::new();
        if self.visits.stay != Stay::ForEver {
            figures.insert(
                0,
                Figure::higher(
                    &key("connections_per_s"),
                    "connections opened and subscribed in a second",
                    Unit::PerSecond,
                    self.measured.measured() as f64 / seconds,
                ),
            );
            figures.push(bad("failed", "connections that failed", self.failed));
            latencies.push(Latency {
                key: "established",
                label: "established, from due",
                nanoseconds: self.established.take(),
            });
            latencies.push(Latency {
                key: "subscribed",
                label: "subscribed, from due",
                nanoseconds: self.welcomed.take(),
            });
        }
        figures.push(bad(
            "disconnected",
            "connections that the server ended",
            self.dropped,
        ));
        let causes = self.causes.iter();
        Findings {
            figures,
            latencies,
            notes: causes
                .map(|(why, count)| format!("{count} connections: {why}"))
                .collect(),
            failures: told(&[
                (self.failed, "connections failed"),
                (self.on_their_way(), "connections were never subscribed"),
                (self.dropped, "connections were ended by the server"),
            ]),
            work: (self.measured.measured(), "connection"),
        }
    }
}
