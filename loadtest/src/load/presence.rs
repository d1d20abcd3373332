//! Presence: some join and leave a channel again and again, and every watcher must hear of it.

use super::client::{self, Said, Stage};
use super::findings::{Delivered, Gauge, columns, values};
use super::publish::App;
use super::rounds::{Kind, Rounds};
use super::{Findings, Load, Member};
use crate::engine::clock::NEVER;
use crate::engine::schedule::Schedule;
use crate::engine::timing::Timing;
use crate::engine::{Ended, SocketNo, Sockets};
use crate::outcome::{Figure, Latency, Series, Unit};
use crate::target::Target;
use crate::wire::frame;
use crate::wire::sign::Signer;
use std::collections::{BTreeMap, VecDeque};
use std::io;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Members that stay and watch.
    pub watchers: u32,
    /// Members that join and leave.
    pub churners: u32,
    /// What the channel's name holds.
    pub prefix: String,
    /// Cycles of joining and leaving in a second; without it each begins when one is done.
    pub rate: Option<f64>,
    /// Connections that are under way at a time.
    pub under_way: u32,
}

/// The load.
#[derive(Debug)]
pub struct Presence {
    shape: Shape,
    channel: String,
    handshake: Vec<u8>,
    unsubscribe: Vec<u8>,
    key: String,
    signer: Signer,
    watchers: Vec<Side>,
    churners: Vec<Churner>,
    opened: u32,
    there: u32,
    begun: bool,
    running: bool,
    schedule: Option<Schedule>,
    rounds: Rounds,
    cycles: u64,
    cycle: Timing,
    latency: Timing,
    cycles_measured: Gauge,
    measured: Gauge,
    ends: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Side {
    stage: Stage,
    left: bool,
}

#[derive(Clone, Debug, Default)]
struct Churner {
    side: Side,
    socket: Option<SocketNo>,
    /// The frame that joins: signed for this connection once.
    join: Vec<u8>,
    /// When the join under way was due.
    due: Option<u64>,
    /// Joins whose time has come while one was under way.
    late: VecDeque<u64>,
}

impl Presence {
    /// Nobody is there yet.
    pub fn new(shape: Shape, target: &Target, app: &App<'_>) -> Self {
        let channel = format!("presence-{}", shape.prefix);
        let text = serde_json::json!({
            "event": "pusher:unsubscribe",
            "data": { "channel": channel },
        });
        let (watchers, churners) = (shape.watchers as usize, shape.churners as usize);
        Self {
            handshake: client::handshake(target, app.key),
            unsubscribe: frame::masked(frame::TEXT, text.to_string().as_bytes()),
            key: app.key.to_owned(),
            signer: app.signer.clone(),
            watchers: vec![Side::default(); watchers],
            churners: vec![Churner::default(); churners],
            opened: 0,
            there: 0,
            begun: false,
            running: false,
            schedule: None,
            rounds: Rounds::new(watchers, churners),
            cycles: 0,
            cycle: Timing::default(),
            latency: Timing::default(),
            cycles_measured: Gauge::default(),
            measured: Gauge::default(),
            ends: BTreeMap::new(),
            channel,
            shape,
        }
    }

    /// Connections that it needs.
    pub fn connections(&self) -> usize {
        self.watchers.len() + self.churners.len()
    }

    fn side(&mut self, number: u32) -> &mut Side {
        let watchers = self.watchers.len();
        match (number as usize).checked_sub(watchers) {
            None => &mut self.watchers[number as usize],
            Some(churner) => &mut self.churners[churner].side,
        }
    }

    /// A churner joins if its time has come: when it was due, or in a closed loop now.
    fn go_on(&mut self, churner: usize, now: u64, sockets: &mut Sockets) {
        let closed_loop = self.running && self.shape.rate.is_none();
        let one = &mut self.churners[churner];
        let (Some(socket), None) = (one.socket, one.due) else {
            return;
        };
        let Some(due) = one.late.pop_front().or(closed_loop.then_some(now)) else {
            return;
        };
        one.due = Some(due);
        one.side.stage = Stage::Subscribing;
        self.rounds.sent(churner, Kind::Added, due);
        sockets.out(socket).extend_from_slice(&one.join);
    }

    /// It is in, and leaves. In a closed loop it joins again in the same write.
    fn joined(&mut self, churner: usize, now: u64, sockets: &mut Sockets) {
        let one = &mut self.churners[churner];
        let (Some(due), Some(socket)) = (one.due.take(), one.socket) else {
            return;
        };
        self.cycles += 1;
        self.cycle.record(due, now);
        one.side.stage = Stage::Greeting;
        self.rounds.sent(churner, Kind::Removed, now);
        sockets.out(socket).extend_from_slice(&self.unsubscribe);
        self.go_on(churner, now, sockets);
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
        let churner = (member.number as usize).checked_sub(self.watchers.len());
        match (said, self.side(member.number).stage) {
            (Said::Established(id), Stage::Greeting) => {
                let subscribe = self.subscribe(member.number, id);
                match churner {
                    None => {
                        sockets.out(member.socket).extend_from_slice(&subscribe);
                        self.side(member.number).stage = Stage::Subscribing;
                    }
                    Some(churner) => {
                        self.churners[churner].join = subscribe;
                        self.there += 1;
                    }
                }
            }
            (Said::Subscribed, Stage::Subscribing) => match churner {
                None => {
                    self.side(member.number).stage = Stage::Subscribed;
                    self.there += 1;
                }
                Some(churner) => self.joined(churner, now, sockets),
            },
            (Said::Error(_), _) => {
                return Err(Ended::said(String::from_utf8_lossy(frame.payload)));
            }
            _ => {}
        }
        Ok(())
    }

    fn subscribe(&self, number: u32, socket_id: &str) -> Vec<u8> {
        let watchers = self.watchers.len() as u32;
        let id = match number.checked_sub(watchers) {
            None => format!("watcher-{number}"),
            Some(churner) => Rounds::user_id(churner),
        };
        let data = format!("{{\"user_id\":\"{id}\"}}");
        let token = self
            .signer
            .token(&self.key, socket_id, &self.channel, Some(&data));
        client::subscribe(&self.channel, Some(&token), Some(&data))
    }

    fn balance(&self) -> Delivered {
        let mut balance = self.rounds.balance(|watcher| self.watchers[watcher].left);
        balance.disconnected = self.ends.values().sum();
        balance
    }
}

impl Load for Presence {
    fn turn(&mut self, now: u64, sockets: &mut Sockets) -> io::Result<u64> {
        while (self.opened as usize) < self.connections()
            && self.opened - self.there < self.shape.under_way
        {
            let socket = sockets.open(self.opened)?;
            sockets.out(socket).extend_from_slice(&self.handshake);
            self.side(self.opened).stage = Stage::Upgrading;
            if let Some(churner) = (self.opened as usize).checked_sub(self.watchers.len()) {
                self.churners[churner].socket = Some(socket);
            }
            self.opened += 1;
        }
        let Some(mut schedule) = self.schedule else {
            return Ok(NEVER);
        };
        while let Some((number, due)) = schedule.take(now) {
            let churner = (number % self.churners.len() as u64) as usize;
            self.churners[churner].late.push_back(due);
            self.go_on(churner, now, sockets);
        }
        self.schedule = Some(schedule);
        Ok(schedule.due())
    }

    fn received(
        &mut self,
        member: Member,
        bytes: &[u8],
        now: u64,
        sockets: &mut Sockets,
    ) -> Result<usize, Ended> {
        let mut rest = bytes;
        let side = self.side(member.number);
        if !client::upgraded(&mut side.stage, &mut rest)? {
            return Ok(0);
        }
        // Those who join hear of each other too, but they come and go themselves: the exact check
        // is of those who stay.
        let watcher = Some(member.number as usize).filter(|one| *one < self.watchers.len());
        while let Some(frame) = frame::take(&mut rest) {
            let news = (frame.opcode == frame::TEXT)
                .then(|| self.rounds.read(frame.payload))
                .flatten();
            match (news, watcher) {
                (Some((kind, churner)), Some(watcher)) => {
                    if let Some(due) = self.rounds.heard(watcher, churner, kind) {
                        self.latency.record(due, now);
                    }
                }
                (Some(_), None) => {}
                (None, _) => self.hear(member, &frame, now, sockets)?,
            }
        }
        Ok(bytes.len() - rest.len())
    }

    fn ended(&mut self, member: Member, why: &Ended, _: &mut Sockets) -> io::Result<()> {
        let side = self.side(member.number);
        let stage = std::mem::take(&mut side.stage);
        side.left = true;
        if !self.begun {
            let text = format!("a member failed while {stage:?}: {why}");
            return Err(io::Error::other(text));
        }
        if let Some(churner) = (member.number as usize).checked_sub(self.watchers.len()) {
            self.churners[churner].socket = None;
            self.churners[churner].due = None;
            self.churners[churner].late.clear();
        }
        *self.ends.entry(why.to_string()).or_default() += 1;
        Ok(())
    }

    fn ready(&self) -> (u64, u64) {
        (u64::from(self.there), self.connections() as u64)
    }

    fn begin(&mut self, now: u64, sockets: &mut Sockets) {
        self.begun = true;
        self.running = true;
        self.schedule = self.shape.rate.map(|rate| Schedule::new(now, rate));
        for churner in 0..self.churners.len() {
            self.go_on(churner, now, sockets);
        }
    }

    fn measure(&mut self, now: u64) {
        self.cycle.measure(now);
        self.latency.measure(now);
        self.cycles_measured.measure(self.cycles);
        self.measured.measure(self.rounds.heard);
    }

    fn stop(&mut self, now: u64) {
        self.running = false;
        self.schedule = None;
        self.cycle.stop(now);
        self.latency.stop(now);
        self.cycles_measured.stop(self.cycles);
        self.measured.stop(self.rounds.heard);
    }

    fn settled(&self) -> bool {
        let idle = |one: &Churner| one.due.is_none() && one.late.is_empty();
        let balance = self.balance();
        // Member events have no numbers: one that came twice stands in for one still to come, so
        // after any disorder only time can tell.
        self.churners.iter().all(idle) && balance.lost == 0 && balance.out_of_order == 0
    }

    fn series(&self) -> Vec<Series> {
        columns(
            ("member_events_per_s", "member events"),
            [
                ("member_event_p50_us", "member event p50"),
                ("member_event_p99_us", "member event p99"),
                ("member_event_max_us", "member event max"),
            ],
        )
    }

    fn interval(&mut self, seconds: f64) -> Vec<f64> {
        self.cycle.roll();
        let count = self.measured.interval(self.rounds.heard);
        values(count, seconds, self.latency.roll())
    }

    fn detail(&self) -> String {
        format!("{} member events", self.rounds.heard)
    }

    fn findings(&mut self, seconds: f64, prefix: &str) -> Findings {
        let key = |name: &str| format!("{prefix}{name}");
        let rate = |gauge: &Gauge| gauge.measured() as f64 / seconds;
        let balance = self.balance();
        let mut figures = vec![
            Figure::higher(
                &key("cycles_per_s"),
                "cycles of joining and leaving in a second",
                Unit::PerSecond,
                rate(&self.cycles_measured),
            ),
            Figure::higher(
                &key("member_events_per_s"),
                "member events received in a second",
                Unit::PerSecond,
                rate(&self.measured),
            ),
            Figure::plain(&key("cycles"), "cycles", Unit::Count, self.cycles as f64),
        ];
        figures.extend(balance.figures(prefix));
        let ends = self.ends.iter();
        Findings {
            figures,
            latencies: vec![
                Latency {
                    key: "member_event",
                    label: "member event, from due to received",
                    nanoseconds: self.latency.take(),
                },
                Latency {
                    key: "join",
                    label: "join, from due to subscribed",
                    nanoseconds: self.cycle.take(),
                },
            ],
            notes: ends
                .map(|(why, count)| format!("{count} members ended: {why}"))
                .collect(),
            failures: balance.failures(),
            work: (self.measured.measured(), "member event"),
        }
    }
}
