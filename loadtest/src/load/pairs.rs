//! Client events: of each pair on a private channel one sends and the other receives.

use super::client::{self, Said, Stage};
use super::findings::{Delivered, Gauge, columns, told, values};
use super::publish::{App, CHANNEL_DIGITS, channel_name, digits};
use super::{Findings, Load, Member};
use crate::engine::check::{Check, Sent};
use crate::engine::clock::NEVER;
use crate::engine::schedule::Schedule;
use crate::engine::timing::Timing;
use crate::engine::{Ended, SocketNo, Sockets};
use crate::outcome::{Figure, Latency, Series, Unit};
use crate::target::Target;
use crate::wire::frame;
use crate::wire::mark::{self, Mark};
use crate::wire::sign::Signer;
use std::collections::BTreeMap;
use std::io;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Pairs, each on a channel of its own.
    pub pairs: u32,
    /// What the channels' names hold.
    pub prefix: String,
    /// Bytes of each event's data.
    pub payload: usize,
    /// Events in a second, of all pairs; without it the loop is closed.
    pub rate: Option<f64>,
    /// Events under way in each pair, in the closed loop.
    pub window: u32,
    /// Connections that are under way at a time.
    pub under_way: u32,
}

/// The load.
#[derive(Debug)]
pub struct Pairs {
    shape: Shape,
    handshake: Vec<u8>,
    key: String,
    signer: Signer,
    event: Event,
    members: Vec<Side>,
    pairs: Vec<Pair>,
    opened: u32,
    subscribed: u32,
    begun: bool,
    running: bool,
    schedule: Option<Schedule>,
    check: Check,
    place: usize,
    sent: u64,
    strange: u64,
    latency: Timing,
    measured: Gauge,
    ends: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
}

/// The frame that is sent, with places for what changes.
#[derive(Debug)]
struct Event {
    bytes: Vec<u8>,
    channel: usize,
    mark: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Side {
    stage: Stage,
    left: bool,
}

#[derive(Clone, Debug, Default)]
struct Pair {
    sender: Option<SocketNo>,
    sent: Sent,
    /// Events that the server refused. It does not say which.
    refused: u64,
}

/// The code of a refused client event.
const REFUSED: u32 = 4301;

impl Pairs {
    /// Nobody is there yet.
    pub fn new(shape: Shape, target: &Target, app: &App<'_>) -> Self {
        let count = shape.pairs as usize;
        let prefix = format!("private-{}", shape.prefix);
        Self {
            handshake: client::handshake(target, app.key),
            key: app.key.to_owned(),
            signer: app.signer.clone(),
            event: Event::new(&prefix, shape.payload),
            members: vec![Side::default(); 2 * count],
            pairs: vec![Pair::default(); count],
            opened: 0,
            subscribed: 0,
            begun: false,
            running: false,
            schedule: None,
            check: Check::new(count, 1),
            place: 0,
            sent: 0,
            strange: 0,
            latency: Timing::default(),
            measured: Gauge::default(),
            ends: BTreeMap::new(),
            errors: BTreeMap::new(),
            shape,
        }
    }

    /// Connections that it needs.
    pub fn connections(&self) -> usize {
        self.members.len()
    }

    fn send(&mut self, pair: u32, due: u64, sockets: &mut Sockets) {
        let Pair { sender, sent, .. } = &mut self.pairs[pair as usize];
        let Some(sender) = *sender else {
            return;
        };
        let mark = Mark {
            stream: pair,
            sequence: sent.count,
            due,
        };
        sent.count += 1;
        self.sent += 1;
        self.event.write(pair, mark, sockets.out(sender));
    }

    /// So many of a pair's events are done; in a closed loop as many follow, in one write.
    fn done(&mut self, pair: u32, count: u32, now: u64, sockets: &mut Sockets) {
        if self.running && self.shape.rate.is_none() {
            for _ in 0..count {
                self.send(pair, now, sockets);
            }
        }
    }

    #[cold]
    fn hear(
        &mut self,
        member: Member,
        frame: &frame::Frame<'_>,
        now: u64,
        sockets: &mut Sockets,
    ) -> Result<(), Ended> {
        let side = &mut self.members[member.number as usize];
        let pair = member.number / 2;
        let said = client::hear(frame, |bytes| {
            sockets.out(member.socket).extend_from_slice(bytes);
        })?;
        match (said, side.stage) {
            (Said::Established(id), Stage::Greeting) => {
                side.stage = Stage::Subscribing;
                let channel = channel_name(&format!("private-{}", self.shape.prefix), pair);
                let token = self.signer.token(&self.key, id, &channel, None);
                let subscribe = client::subscribe(&channel, Some(&token), None);
                sockets.out(member.socket).extend_from_slice(&subscribe);
            }
            (Said::Subscribed, Stage::Subscribing) => {
                side.stage = Stage::Subscribed;
                self.subscribed += 1;
            }
            (Said::Error(Some(REFUSED)), Stage::Subscribed) => {
                self.pairs[pair as usize].refused += 1;
                self.done(pair, 1, now, sockets);
            }
            (Said::Error(_), stage) => {
                let text = String::from_utf8_lossy(frame.payload).into_owned();
                if stage != Stage::Subscribed {
                    return Err(Ended::said(text));
                }
                *self.errors.entry(text).or_default() += 1;
            }
            _ => {}
        }
        Ok(())
    }

    fn balance(&self) -> Delivered {
        let mut balance = Delivered {
            delivered: self.check.delivered,
            duplicated: self.check.duplicated,
            out_of_order: self.check.out_of_order,
            disconnected: self.ends.values().sum(),
            ..Delivered::default()
        };
        for (number, pair) in self.pairs.iter().enumerate() {
            let left = self.members[2 * number].left || self.members[2 * number + 1].left;
            let account = self.check.account(number, 0, &pair.sent, left);
            let excused = pair.refused.min(account.lost);
            balance.expected += account.expected - excused;
            balance.lost += account.lost - excused;
        }
        balance
    }

    fn refused(&self) -> u64 {
        self.pairs.iter().map(|pair| pair.refused).sum()
    }
}

impl Event {
    fn new(prefix: &str, payload: usize) -> Self {
        let channel = channel_name(prefix, 0);
        let mark_text = "M".repeat(mark::BYTES);
        let padding = "x".repeat(payload.saturating_sub(mark::BYTES));
        let before = r#"{"event":"client-lt","channel":""#;
        let between = r#"","data":""#;
        let text = format!("{before}{channel}{between}{mark_text}{padding}\"}}");
        let bytes = frame::masked(frame::TEXT, text.as_bytes());
        let start = bytes.len() - text.len();
        let channel_end = start + before.len() + channel.len();
        Self {
            bytes,
            channel: channel_end - CHANNEL_DIGITS,
            mark: channel_end + between.len(),
        }
    }

    fn write(&mut self, pair: u32, mark: Mark, out: &mut Vec<u8>) {
        let channel = &mut self.bytes[self.channel..][..CHANNEL_DIGITS];
        digits(channel, u64::from(pair));
        self.bytes[self.mark..][..mark::BYTES].copy_from_slice(&mark.text());
        out.extend_from_slice(&self.bytes);
    }
}

impl Load for Pairs {
    fn turn(&mut self, now: u64, sockets: &mut Sockets) -> io::Result<u64> {
        while (self.opened as usize) < self.members.len()
            && self.opened - self.subscribed < self.shape.under_way
        {
            let socket = sockets.open(self.opened)?;
            sockets.out(socket).extend_from_slice(&self.handshake);
            self.members[self.opened as usize].stage = Stage::Upgrading;
            if self.opened.is_multiple_of(2) {
                self.pairs[self.opened as usize / 2].sender = Some(socket);
            }
            self.opened += 1;
        }
        let Some(mut schedule) = self.schedule else {
            return Ok(NEVER);
        };
        while let Some((number, due)) = schedule.take(now) {
            let pair = (number % self.pairs.len() as u64) as u32;
            self.send(pair, due, sockets);
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
        if !client::upgraded(&mut self.members[member.number as usize].stage, &mut rest)? {
            return Ok(0);
        }
        let pair = member.number / 2;
        let mut new = 0;
        while let Some(frame) = frame::take(&mut rest) {
            let mark = (frame.opcode == frame::TEXT)
                .then(|| Mark::find(frame.payload, &mut self.place))
                .flatten();
            match mark {
                None => self.hear(member, &frame, now, sockets)?,
                Some(mark) if mark.stream != pair || member.number.is_multiple_of(2) => {
                    self.strange += 1;
                }
                Some(mark) => {
                    if self.check.take(pair as usize, 0, mark.sequence) {
                        self.latency.record(mark.due, now);
                        new += 1;
                    }
                }
            }
        }
        self.done(pair, new, now, sockets);
        Ok(bytes.len() - rest.len())
    }

    fn ended(&mut self, member: Member, why: &Ended, _: &mut Sockets) -> io::Result<()> {
        let side = &mut self.members[member.number as usize];
        if !self.begun {
            let stage = side.stage;
            let text = format!("a member of a pair failed while {stage:?}: {why}");
            return Err(io::Error::other(text));
        }
        side.stage = Stage::Away;
        side.left = true;
        if member.number.is_multiple_of(2) {
            self.pairs[member.number as usize / 2].sender = None;
        }
        *self.ends.entry(why.to_string()).or_default() += 1;
        Ok(())
    }

    fn ready(&self) -> (u64, u64) {
        (u64::from(self.subscribed), self.members.len() as u64)
    }

    fn begin(&mut self, now: u64, sockets: &mut Sockets) {
        self.begun = true;
        self.running = true;
        self.schedule = self.shape.rate.map(|rate| Schedule::new(now, rate));
        for pair in 0..self.shape.pairs {
            self.done(pair, self.shape.window, now, sockets);
        }
    }

    fn measure(&mut self, now: u64) {
        self.latency.measure(now);
        self.measured.measure(self.check.delivered);
    }

    fn stop(&mut self, now: u64) {
        self.running = false;
        self.schedule = None;
        self.latency.stop(now);
        self.measured.stop(self.check.delivered);
    }

    fn settled(&self) -> bool {
        self.balance().lost == 0
    }

    fn series(&self) -> Vec<Series> {
        columns(
            ("events_per_s", "client events"),
            [
                ("event_p50_us", "client event p50"),
                ("event_p99_us", "client event p99"),
                ("event_max_us", "client event max"),
            ],
        )
    }

    fn interval(&mut self, seconds: f64) -> Vec<f64> {
        let count = self.measured.interval(self.check.delivered);
        values(count, seconds, self.latency.roll())
    }

    fn detail(&self) -> String {
        format!("{} client events", self.check.delivered)
    }

    fn findings(&mut self, seconds: f64, prefix: &str) -> Findings {
        let key = |name: &str| format!("{prefix}{name}");
        let balance = self.balance();
        let mut figures = vec![
            Figure::higher(
                &key("events_per_s"),
                "client events delivered in a second",
                Unit::PerSecond,
                self.measured.measured() as f64 / seconds,
            ),
            Figure::plain(
                &key("sent"),
                "client events sent",
                Unit::Count,
                self.sent as f64,
            ),
            Figure::lower(
                &key("refused"),
                "client events refused with 4301",
                Unit::Count,
                self.refused() as f64,
            ),
        ];
        figures.extend(balance.figures(prefix));
        let mut failures = balance.failures();
        failures.extend(told(&[(self.strange, "events came to the wrong member")]));
        let ends = self.ends.iter();
        let mut notes: Vec<String> = ends
            .map(|(why, count)| format!("{count} members of pairs ended: {why}"))
            .collect();
        let errors = self.errors.iter();
        notes.extend(errors.map(|(text, count)| format!("{count} times the server said {text}")));
        let (sent, refused) = (self.sent, self.refused());
        if refused > 0 && self.check.delivered == 0 {
            failures.push(format!(
                "no client event was delivered: {refused} of {sent} were refused with 4301"
            ));
        } else if refused > sent / 2 {
            notes.push(format!(
                "most client events, {refused} of {sent}, were refused with 4301: the figures are \
                 those of the server's limit"
            ));
        }
        Findings {
            figures,
            latencies: vec![Latency {
                key: "event",
                label: "client event, from due to received",
                nanoseconds: self.latency.take(),
            }],
            notes,
            failures,
            work: (self.measured.measured(), "client event"),
        }
    }
}
