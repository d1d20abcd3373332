//! Fan-out: backends publish to channels, and every subscriber of a channel must get it.

use super::client::{self, Said, Stage};
use super::findings::{Delivered, Gauge, columns, told, values};
use super::publish::{App, Publish, channel_name};
use super::publishers::{Pace, Publishers};
use super::{Findings, Load, Member};
use crate::engine::check::{Account, Check};
use crate::engine::timing::Timing;
use crate::engine::{Ended, Sockets};
use crate::outcome::{Figure, Latency, Series, Unit};
use crate::target::Target;
use crate::wire::frame;
use crate::wire::mark::Mark;
use std::collections::BTreeMap;
use std::io;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Channels.
    pub channels: u32,
    /// Subscribers of each.
    pub subscribers: u32,
    /// What the channels' names begin with.
    pub prefix: String,
    /// Bytes of each message's data.
    pub payload: usize,
    /// How it is published.
    pub pace: Pace,
    /// Connections that are under way at a time.
    pub under_way: u32,
}

/// The load.
#[derive(Debug)]
pub struct FanOut {
    shape: Shape,
    handshake: Vec<u8>,
    listeners: Vec<Listener>,
    opened: u32,
    subscribed: u32,
    /// The publishers are open.
    publishing: bool,
    begun: bool,
    publishers: Publishers,
    check: Check,
    delivery: Timing,
    /// Where marks lie in frames.
    place: usize,
    bytes: u64,
    /// Frames with a mark that nobody sent here.
    strange: u64,
    /// Error frames of the server after the beginning.
    errors: u64,
    /// Requests that were never answered.
    unanswered: u64,
    /// Why subscribers are no more.
    ends: BTreeMap<String, u64>,
    delivered: Gauge,
    answered: Gauge,
    received: Gauge,
}

#[derive(Clone, Copy, Debug)]
struct Listener {
    stage: Stage,
    channel: u32,
    /// It was there and is no more.
    left: bool,
}

impl FanOut {
    /// Nothing is opened yet.
    pub fn new(shape: Shape, target: &Target, app: &App<'_>) -> Self {
        let count = shape.channels * shape.subscribers;
        let listener = |number| Listener {
            stage: Stage::Away,
            channel: number / shape.subscribers.max(1),
            left: false,
        };
        let listeners = (0..count).map(listener).collect();
        let request = Publish::new(target, app, &shape.prefix, shape.payload, shape.pace.batch);
        let publishers = Publishers::new(shape.pace, shape.channels, request, count);
        let check = Check::new(count as usize, publishers.streams_of_a_channel());
        Self {
            handshake: client::handshake(target, app.key),
            listeners,
            opened: 0,
            subscribed: 0,
            publishing: false,
            begun: false,
            publishers,
            check,
            delivery: Timing::default(),
            place: 0,
            bytes: 0,
            strange: 0,
            errors: 0,
            unanswered: 0,
            ends: BTreeMap::new(),
            delivered: Gauge::default(),
            answered: Gauge::default(),
            received: Gauge::default(),
            shape,
        }
    }

    /// Connections that it needs.
    pub fn connections(&self) -> usize {
        self.listeners.len() + self.publishers.count() as usize
    }

    /// A message, unless it is something else.
    #[inline]
    fn deliver(&mut self, number: u32, message: &[u8], now: u64, sockets: &mut Sockets) -> bool {
        let Some(mark) = Mark::find(message, &mut self.place) else {
            return false;
        };
        let stream = self.publishers.streams.get(mark.stream as usize);
        let channel = self.listeners[number as usize].channel;
        match stream.filter(|stream| stream.channel == channel) {
            Some(stream) => {
                let place = stream.place as usize;
                if self.check.take(number as usize, place, mark.sequence) {
                    self.delivery.record(mark.due, now);
                    self.publishers
                        .delivered(mark.stream, mark.sequence, now, sockets);
                }
            }
            None => self.strange += 1,
        }
        true
    }

    #[cold]
    fn hear(
        &mut self,
        member: Member,
        frame: &frame::Frame<'_>,
        sockets: &mut Sockets,
    ) -> Result<(), Ended> {
        let listener = &mut self.listeners[member.number as usize];
        let said = client::hear(frame, |bytes| {
            sockets.out(member.socket).extend_from_slice(bytes);
        })?;
        match (said, listener.stage) {
            (Said::Established(_), Stage::Greeting) => {
                listener.stage = Stage::Subscribing;
                let channel = channel_name(&self.shape.prefix, listener.channel);
                let subscribe = client::subscribe(&channel, None, None);
                sockets.out(member.socket).extend_from_slice(&subscribe);
            }
            (Said::Subscribed, Stage::Subscribing) => {
                listener.stage = Stage::Subscribed;
                self.subscribed += 1;
            }
            (Said::Error(_), Stage::Subscribed) => self.errors += 1,
            (Said::Error(_), _) => {
                let text = String::from_utf8_lossy(frame.payload).into_owned();
                return Err(Ended::said(text));
            }
            _ => {}
        }
        Ok(())
    }

    /// Everybody's accounts together.
    fn account(&self) -> Account {
        let mut all = Account::default();
        for (number, listener) in self.listeners.iter().enumerate() {
            for stream in (listener.channel as usize..self.publishers.streams.len())
                .step_by(self.shape.channels as usize)
            {
                let stream = &self.publishers.streams[stream];
                let place = stream.place as usize;
                let one = self
                    .check
                    .account(number, place, &stream.sent, listener.left);
                all.expected += one.expected;
                all.lost += one.lost;
                all.against_refusal += one.against_refusal;
            }
        }
        all
    }
}

impl Load for FanOut {
    fn turn(&mut self, now: u64, sockets: &mut Sockets) -> io::Result<u64> {
        if !self.publishing {
            self.publishing = true;
            self.publishers.open(sockets)?;
            if self.listeners.is_empty() {
                self.publishers.prepare(sockets.clock.unix_s(now));
            }
        }
        while (self.opened as usize) < self.listeners.len()
            && self.opened - self.subscribed < self.shape.under_way
        {
            let socket = sockets.open(self.opened)?;
            sockets.out(socket).extend_from_slice(&self.handshake);
            self.listeners[self.opened as usize].stage = Stage::Upgrading;
            self.opened += 1;
        }
        Ok(self.publishers.turn(now, sockets))
    }

    fn received(
        &mut self,
        member: Member,
        bytes: &[u8],
        now: u64,
        sockets: &mut Sockets,
    ) -> Result<usize, Ended> {
        if member.number as usize >= self.listeners.len() {
            return self.publishers.received(member, bytes, now, sockets);
        }
        let mut rest = bytes;
        let stage = &mut self.listeners[member.number as usize].stage;
        if !client::upgraded(stage, &mut rest)? {
            return Ok(0);
        }
        while let Some(frame) = frame::take(&mut rest) {
            let message = frame.opcode == frame::TEXT
                && self.deliver(member.number, frame.payload, now, sockets);
            if !message {
                self.hear(member, &frame, sockets)?;
            }
        }
        let used = bytes.len() - rest.len();
        self.bytes += used as u64;
        Ok(used)
    }

    fn ended(&mut self, member: Member, why: &Ended, sockets: &mut Sockets) -> io::Result<()> {
        let Some(listener) = self.listeners.get_mut(member.number as usize) else {
            return self.publishers.ended(member, why, sockets);
        };
        if !self.begun {
            let (number, stage) = (member.number, listener.stage);
            let text = format!("subscriber {number} failed while {stage:?}: {why}");
            return Err(io::Error::other(text));
        }
        listener.stage = Stage::Away;
        listener.left = true;
        *self.ends.entry(why.to_string()).or_default() += 1;
        Ok(())
    }

    fn ready(&self) -> (u64, u64) {
        // One more for the publishers.
        let publishing = u64::from(self.publishing);
        let listeners = self.listeners.len() as u64;
        (u64::from(self.subscribed) + publishing, listeners + 1)
    }

    fn begin(&mut self, now: u64, sockets: &mut Sockets) {
        self.begun = true;
        self.publishers.begin(now, sockets);
    }

    fn measure(&mut self, now: u64) {
        self.delivered.measure(self.check.delivered);
        self.answered.measure(self.publishers.counts.answered);
        self.received.measure(self.bytes);
        self.delivery.measure(now);
        self.publishers.answer.measure(now);
    }

    fn stop(&mut self, now: u64) {
        self.delivered.stop(self.check.delivered);
        self.answered.stop(self.publishers.counts.answered);
        self.received.stop(self.bytes);
        self.delivery.stop(now);
        self.publishers.stop(now);
    }

    fn settled(&self) -> bool {
        self.publishers.settled() && self.account().lost == 0
    }

    fn series(&self) -> Vec<Series> {
        if self.listeners.is_empty() {
            return columns(
                ("answers_per_s", "answers"),
                [
                    ("answer_p50_us", "answer p50"),
                    ("answer_p99_us", "answer p99"),
                    ("answer_max_us", "answer max"),
                ],
            );
        }
        columns(
            ("deliveries_per_s", "deliveries"),
            [
                ("delivery_p50_us", "delivery p50"),
                ("delivery_p99_us", "delivery p99"),
                ("delivery_max_us", "delivery max"),
            ],
        )
    }

    fn interval(&mut self, seconds: f64) -> Vec<f64> {
        let answers = self.answered.interval(self.publishers.counts.answered);
        let deliveries = self.delivered.interval(self.check.delivered);
        let (answer, delivery) = (self.publishers.answer.roll(), self.delivery.roll());
        if self.listeners.is_empty() {
            values(answers, seconds, answer)
        } else {
            values(deliveries, seconds, delivery)
        }
    }

    fn detail(&self) -> String {
        if self.listeners.is_empty() {
            format!("{} answered", self.publishers.counts.answered)
        } else {
            format!("{} delivered", self.check.delivered)
        }
    }

    fn findings(&mut self, seconds: f64, prefix: &str) -> Findings {
        self.unanswered += self.publishers.give_up();
        let account = self.account();
        let balance = self.balance(account);
        let failures = self.failures(&balance);
        let notes = self.notes(account);
        let figures = self.figures(seconds, prefix, &balance);
        let latency = |key, label, timing: &mut Timing| Latency {
            key,
            label,
            nanoseconds: timing.take(),
        };
        let answer = latency(
            "answer",
            "answer, from due to answered",
            &mut self.publishers.answer,
        );
        let delivery = latency(
            "delivery",
            "delivery, from due to received",
            &mut self.delivery,
        );
        let (latencies, work) = if self.listeners.is_empty() {
            (vec![answer], (self.answered.measured(), "answer"))
        } else {
            (
                vec![delivery, answer],
                (self.delivered.measured(), "delivery"),
            )
        };
        Findings {
            figures,
            latencies,
            notes,
            failures,
            work,
        }
    }
}

impl FanOut {
    fn balance(&self, account: Account) -> Delivered {
        Delivered {
            expected: account.expected,
            delivered: self.check.delivered,
            lost: account.lost,
            duplicated: self.check.duplicated,
            out_of_order: self.check.out_of_order,
            disconnected: self.ends.values().sum(),
        }
    }

    fn figures(&self, seconds: f64, prefix: &str, balance: &Delivered) -> Vec<Figure> {
        let key = |name: &str| format!("{prefix}{name}");
        let rate = |gauge: &Gauge| gauge.measured() as f64 / seconds;
        let per_s = Unit::PerSecond;
        let answers = Figure::higher(
            &key("publishes_per_s"),
            "publishes answered in a second",
            per_s,
            rate(&self.answered),
        );
        let deliveries = Figure::higher(
            &key("deliveries_per_s"),
            "deliveries in a second",
            per_s,
            rate(&self.delivered),
        );
        let bytes = Figure::plain(
            &key("bytes_per_s"),
            "bytes received by subscribers in a second",
            Unit::Bytes,
            rate(&self.received),
        );
        let counts = self.publishers.counts;
        let count = |name: &str, label, value: u64| {
            Figure::plain(&key(name), label, Unit::Count, value as f64)
        };
        let refused = Figure::lower(
            &key("refused"),
            "publishes refused",
            Unit::Count,
            counts.refused as f64,
        );
        let published = count("published", "messages published", counts.published);
        let answered = count("answered", "publishes answered", counts.answered);
        if self.listeners.is_empty() {
            return vec![answers, published, answered, refused];
        }
        let mut figures = vec![deliveries, answers, bytes, published, answered, refused];
        figures.extend(balance.figures(prefix));
        figures
    }

    fn failures(&self, balance: &Delivered) -> Vec<String> {
        let mut failures = balance.failures();
        let counts = self.publishers.counts;
        if counts.refused > 0 && counts.refused == counts.answered {
            failures.push("every publish was refused".to_owned());
        }
        failures.extend(told(&[
            (
                self.publishers.died,
                "publishers' connections died with requests under way",
            ),
            (self.unanswered, "publishes were never answered"),
            (
                self.strange,
                "messages came that nobody had sent to that channel",
            ),
        ]));
        failures
    }

    fn notes(&self, account: Account) -> Vec<String> {
        let mut notes = Vec::new();
        for (status, count) in &self.publishers.statuses {
            notes.push(format!("{count} publishes were refused with {status}"));
        }
        notes.extend(told(&[
            (
                account.against_refusal,
                "deliveries of refused publishes came all the same",
            ),
            (self.errors, "error frames came to subscribers"),
            (
                self.publishers.reopened,
                "times the server ended a publisher's connection after an answer",
            ),
        ]));
        for (why, count) in &self.ends {
            notes.push(format!("{count} subscribers ended: {why}"));
        }
        notes
    }
}
