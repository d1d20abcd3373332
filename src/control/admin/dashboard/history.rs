//! The last hour, second by second: what was counted of each app, and how busy the shards are.

use super::super::known::{Counted, Known, Shard, Took};
use super::super::plan::Desk;
use super::super::serve::pause;
use super::Dashboard;
use crate::crossing::{AppMeasured, Measured, OfApps};
use crate::limits::{HISTORY_APPS_MAX, HISTORY_SECONDS};
use crate::metrics::Count;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SECOND: Duration = Duration::from_secs(1);

/// What was counted until now.
#[derive(Default)]
pub(super) struct History {
    curves: HashMap<Box<str>, Curve>,
    /// What each shard had counted when it was looked at last.
    seen: Vec<Option<Seen>>,
    loads: Vec<Load>,
    /// Seconds since the first sample.
    second: u64,
    began: Option<Instant>,
    /// The apps whose last hour is kept, of the list of this generation.
    kept: BTreeSet<Box<str>>,
    generation: u64,
}

/// What a shard had counted.
struct Seen {
    at: Duration,
    busy: Duration,
    late_ms: u64,
    /// The part of the time in which it worked.
    ratio: Option<f64>,
}

/// What is kept of one app.
#[derive(Default)]
struct Curve {
    /// One for each second, in a ring; none for an app past the limit, that is only shown.
    points: Option<Box<[Point]>>,
    first: u64,
    now: Point,
    /// What each shard had counted.
    seen: Vec<Option<SeenOfApp>>,
}

/// What a shard had counted of an app, and in which second of the history that was.
struct SeenOfApp {
    at: Duration,
    second: u64,
    read: u64,
    sent: u64,
}

/// One second of an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Point {
    connections: u32,
    channels: u32,
    /// Messages of clients, in this second.
    read: u32,
    /// Messages for clients.
    sent: u32,
}

/// What a shard does just now.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Load {
    /// Whether it has answered.
    up: bool,
    /// The part of the time in which it worked.
    busy: Option<f64>,
    connections: usize,
    /// Bytes that wait to be written.
    outbox_bytes: usize,
    /// Messages for other shards that these have not taken yet.
    mesh_waiting: usize,
    /// Milliseconds by which it came too late to its own timer, in this second.
    late_ms: u64,
}

/// The hour of an app, oldest second first.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Hour {
    /// When the last second was, since 1970.
    at: u64,
    connections: Vec<u32>,
    channels: Vec<u32>,
    read: Vec<u32>,
    sent: Vec<u32>,
}

/// Looks at the shards once a second, for as long as the server runs.
pub(in super::super) async fn sample(desk: Rc<Desk>) {
    loop {
        let begun = Instant::now();
        let Dashboard {
            known,
            history,
            pages,
            ..
        } = &desk.dashboard;
        let wanted = history.borrow_mut().wanted(known, &pages.apps());
        let took = known.ask(&desk.plan.calls, &wanted).await;
        let shown = pages.apps();
        history.borrow_mut().add(known, (&took, &shown), begun);
        desk.dashboard.tell_sample(&desk);
        pause(SECOND.saturating_sub(begun.elapsed())).await;
    }
}

impl History {
    /// The apps that the shards are to be asked about, while pages show these: of many apps a few,
    /// unless it is not known which there are.
    fn wanted(&mut self, known: &Known, shown: &BTreeSet<Box<str>>) -> OfApps {
        match known.is_listed() {
            true => OfApps::Of(self.choose(known, shown).into_iter().collect()),
            false => OfApps::All,
        }
    }

    /// The apps that have a curve: those that have an hour, as many as there may be, and those that
    /// are shown.
    fn choose(&mut self, known: &Known, shown: &BTreeSet<Box<str>>) -> BTreeSet<Box<str>> {
        if self.generation != known.generation() {
            self.generation = known.generation();
            let ids = known.ids();
            self.kept.retain(|id| ids.contains(id));
            let room = HISTORY_APPS_MAX - self.kept.len();
            let more: Vec<_> = ids.difference(&self.kept).take(room).cloned().collect();
            self.kept.extend(more);
        }
        let shown = shown.iter().filter(|id| known.serves(id));
        self.kept.iter().chain(shown).cloned().collect()
    }

    pub(super) fn loads(&self) -> &[Load] {
        &self.loads
    }

    /// The part of the time in which each shard worked, when it was looked at last.
    pub(super) fn busy(&self) -> Vec<Option<f64>> {
        let seen = self.seen.iter();
        seen.map(|seen| seen.as_ref()?.ratio).collect()
    }

    /// The last second of an app.
    pub(super) fn now(&self, app: &str) -> Option<Point> {
        self.curves.get(app).map(|curve| curve.now)
    }

    /// The last hour of an app, as far as it was kept.
    pub(super) fn hour(&self, app: &str) -> Hour {
        let mut hour = Hour {
            at: now_s(),
            ..Hour::default()
        };
        let curve = self.curves.get(app);
        let Some((curve, points)) = curve.and_then(|it| Some((it, it.points.as_ref()?))) else {
            return hour;
        };
        let length = points.len() as u64;
        let oldest = (self.second + 1).saturating_sub(length).max(curve.first);
        for second in oldest..=self.second {
            let point = points[(second % length) as usize];
            hour.connections.push(point.connections);
            hour.channels.push(point.channels);
            hour.read.push(point.read);
            hour.sent.push(point.sent);
        }
        hour
    }

    /// Adds what is known by now; `took` says who has answered in time, `shown` what pages show.
    fn add(&mut self, known: &Known, (took, shown): (&Took, &BTreeSet<Box<str>>), at: Instant) {
        let began = *self.began.get_or_insert(at);
        let last_second = self.second;
        // Rounded, so that a look that comes a little late is not two seconds from the one before.
        self.second = ((at - began + SECOND / 2).as_secs()).max(last_second);
        let shards = known.shards();
        self.seen.resize_with(took.len(), || None);
        self.loads = (self.seen.iter_mut().zip(took).enumerate())
            .map(|(shard, (seen, took))| {
                let now = shards.get(shard).and_then(Shard::last);
                let now = now.map(|now| Load::of(now, seen));
                now.filter(|_| took.is_some()).unwrap_or_default()
            })
            .collect();
        let ids = self.choose(known, shown);
        self.add_apps(ids, &shards, last_second);
    }

    fn add_apps(&mut self, ids: BTreeSet<Box<str>>, shards: &[Shard], last_second: u64) {
        self.curves.retain(|id, _| ids.contains(id));
        for id in ids {
            let counted: Vec<_> = shards.iter().map(|shard| shard.app(&id)).collect();
            let is_kept = self.kept.contains(&id);
            let curve = self.curves.entry(id).or_default();
            if is_kept && curve.points.is_none() {
                curve.first = self.second;
                curve.points = Some(vec![Point::default(); HISTORY_SECONDS].into());
            }
            curve.add(&counted, (last_second, self.second));
        }
    }
}

impl Curve {
    /// Adds what each shard had counted until this second, after that one.
    fn add(&mut self, counted: &[Option<&Counted>], (after, second): (u64, u64)) {
        let mut sum = AppMeasured::default();
        let (mut read, mut sent) = (0.0, 0.0);
        self.seen.resize_with(counted.len(), || None);
        for (shard, counted) in counted.iter().enumerate() {
            let Some(Counted { at, app }) = *counted else {
                self.seen[shard] = None;
                continue;
            };
            sum.add(app);
            let now = SeenOfApp {
                at: *at,
                second,
                read: app.messages_read,
                sent: app.messages_sent,
            };
            match &self.seen[shard] {
                Some(last) if last.at >= now.at => {} // it is late: it tells with its next answer
                Some(last) => {
                    let rates = now.rates(last);
                    let first = last.second + 1;
                    (read, sent) = (read + rates.0, sent + rates.1);
                    self.add_rates(rates, first, after, second);
                    self.seen[shard] = Some(now);
                }
                None => self.seen[shard] = Some(now),
            }
        }
        self.now = Point {
            connections: sum.connected,
            channels: sum.channels,
            read: read.round() as u32,
            sent: sent.round() as u32,
        };
        let Some(points) = &mut self.points else {
            return;
        };
        let length = points.len() as u64;
        // Seconds in which nobody looked are like the one after them.
        let skipped = (second - after).min(length);
        for at in (second + 1).saturating_sub(skipped.max(1))..=second {
            points[(at % length) as usize] = self.now;
        }
    }

    /// The seconds in which a shard was late were for it like the one in which it has answered.
    fn add_rates(&mut self, (read, sent): (f64, f64), first: u64, last: u64, second: u64) {
        let Some(points) = &mut self.points else {
            return;
        };
        let length = points.len() as u64;
        for at in first.max((second + 1).saturating_sub(length))..=last {
            let point = &mut points[(at % length) as usize];
            point.read += read.round() as u32;
            point.sent += sent.round() as u32;
        }
    }
}

impl SeenOfApp {
    /// Messages a second since then: of clients, and for them.
    fn rates(&self, last: &Self) -> (f64, f64) {
        let passed_s = seconds(self.at - last.at);
        let rate = |now: u64, last: u64| now.saturating_sub(last) as f64 / passed_s;
        (rate(self.read, last.read), rate(self.sent, last.sent))
    }
}

impl Load {
    /// What a shard has said, after what was seen of it before.
    fn of(now: &Measured, seen: &mut Option<Seen>) -> Self {
        let late_ms = now.totals.get(Count::LateMs);
        let mut load = Self {
            up: true,
            busy: None,
            connections: now.census.connections,
            outbox_bytes: now.census.waiting_bytes,
            mesh_waiting: now.mesh_waiting,
            late_ms: 0,
        };
        match seen {
            Some(last) if last.at >= now.at => return load,
            Some(last) => {
                let worked = now.busy.saturating_sub(last.busy).as_secs_f64();
                load.busy = Some((worked / seconds(now.at - last.at)).min(1.0));
                load.late_ms = late_ms.saturating_sub(last.late_ms);
            }
            None => {}
        }
        *seen = Some(Seen {
            at: now.at,
            busy: now.busy,
            late_ms,
            ratio: load.busy,
        });
        load
    }
}

/// At least a little: of less no rate can be told.
fn seconds(passed: Duration) -> f64 {
    passed.as_secs_f64().max(0.1)
}

/// Seconds since 1970.
pub(super) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crossing::{Census, HubMeasured};

    /// What is known, and the history of it.
    #[derive(Default)]
    struct Fixture {
        known: Known,
        history: History,
        start: Option<Instant>,
        shown: BTreeSet<Box<str>>,
    }

    impl Fixture {
        /// At this second of the server each shard answers in time, or does not.
        fn add(&mut self, second: u32, answers: Vec<Option<Measured>>) {
            let start = *self.start.get_or_insert_with(Instant::now);
            let took = (answers.iter().map(Option::as_ref))
                .map(|it| it.map(|_| Duration::ZERO))
                .collect();
            for (shard, answer) in answers.into_iter().enumerate() {
                if let Some(mut measured) = answer {
                    measured.at = SECOND * second;
                    measured.census.shard = shard as u16;
                    self.known.hear(measured, &OfApps::All);
                }
            }
            self.history
                .add(&self.known, (&took, &self.shown), start + SECOND * second);
        }

        /// Same, of one shard.
        fn add_one(&mut self, second: u32, apps: &[(&str, u32, u64)]) {
            self.add(second, vec![Some(measured(apps))]);
        }
    }

    fn measured(apps: &[(&str, u32, u64)]) -> Measured {
        let app = |&(id, connected, messages): &(&str, u32, u64)| AppMeasured {
            id: id.into(),
            connected,
            channels: connected / 2,
            messages_read: messages,
            messages_sent: 2 * messages,
            ..AppMeasured::default()
        };
        let hub = HubMeasured {
            apps: apps.iter().map(app).collect(),
            ..HubMeasured::default()
        };
        Measured {
            hub,
            ..Measured::default()
        }
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let mut it = Fixture::default();
        for second in 0..=HISTORY_SECONDS as u32 {
            it.add_one(second, &[("a", second, 10 * u64::from(second))]);
        }
        let hour = it.history.hour("a");
        assert_eq!(hour.connections.len(), HISTORY_SECONDS);
        assert_eq!(hour.connections[0], 1, "the first second has gone");
        assert_eq!(hour.connections.last(), Some(&(HISTORY_SECONDS as u32)));
        assert!(hour.read.iter().all(|read| *read == 10));
        assert!(hour.sent.iter().all(|sent| *sent == 20));
        assert_eq!(it.history.now("a").unwrap().read, 10);
        assert!(it.history.hour("b").read.is_empty());
    }

    #[test]
    fn seconds_without_a_look_are_filled_and_rates_stay_true() {
        let mut it = Fixture::default();
        it.add_one(0, &[("a", 1, 100)]);
        it.add_one(3, &[("a", 5, 160)]);
        let hour = it.history.hour("a");
        assert_eq!(hour.connections, [1, 5, 5, 5]);
        assert_eq!(hour.read, [0, 20, 20, 20]);
    }

    #[test]
    fn a_shard_that_is_late_counts_as_it_did_last() {
        let mut it = Fixture::default();
        let answer = |connected: u32, messages: u64, busy_ms: u64| {
            Some(Measured {
                busy: Duration::from_millis(busy_ms),
                census: Census {
                    connections: connected as usize,
                    ..Census::default()
                },
                ..measured(&[("a", connected, messages)])
            })
        };
        it.add(0, vec![answer(3, 100, 0), answer(4, 100, 0)]);
        it.add(1, vec![answer(3, 110, 200), answer(4, 105, 600)]);
        it.add(2, vec![answer(3, 120, 400), None]);
        let now = it.history.now("a").unwrap();
        assert_eq!((now.connections, now.read), (7, 10));
        let up = |it: &Fixture| {
            it.history
                .loads()
                .iter()
                .map(|it| it.up)
                .collect::<Vec<_>>()
        };
        assert_eq!(up(&it), [true, false]);
        assert_eq!(it.history.busy(), [Some(0.2), Some(0.6)]);
        // What it has done since is told of all the seconds that it took.
        it.add(3, vec![answer(3, 130, 600), answer(5, 145, 1_800)]);
        let now = it.history.now("a").unwrap();
        assert_eq!((now.connections, now.read, now.sent), (8, 30, 60));
        assert_eq!(it.history.hour("a").read, [0, 15, 30, 30]);
        assert_eq!(up(&it), [true, true]);
        assert_eq!(it.history.busy(), [Some(0.2), Some(0.6)]);
    }

    #[test]
    fn as_many_apps_are_kept_as_the_limit_says() {
        let mut it = Fixture::default();
        let ids: Vec<String> = (0..=HISTORY_APPS_MAX).map(|n| format!("{n:04}")).collect();
        let counted: Vec<_> = ids.iter().map(|id| (&**id, 1, 0)).collect();
        let all = it.history.wanted(&it.known, &it.shown);
        assert_eq!(all, OfApps::All, "it is not known which there are");
        it.add_one(0, &counted);
        let last = &ids[HISTORY_APPS_MAX];
        let connections = |it: &Fixture, id: &str| it.history.hour(id).connections;
        assert_eq!(connections(&it, &ids[HISTORY_APPS_MAX - 1]), [1]);
        assert!(connections(&it, last).is_empty());
        // Of those that nobody looks at, nobody is asked.
        let asked = |it: &mut Fixture| match it.history.wanted(&it.known, &it.shown) {
            OfApps::Of(ids) => ids.len(),
            OfApps::All => panic!("it is known which there are"),
        };
        assert_eq!(asked(&mut it), HISTORY_APPS_MAX);
        assert!(it.history.now(last).is_none());
        it.shown = ["nobody", last, "0000"].map(Box::from).into();
        assert_eq!(asked(&mut it), HISTORY_APPS_MAX + 1);
        it.add_one(1, &counted);
        assert_eq!(it.history.now(last).unwrap().connections, 1);
        assert!(connections(&it, last).is_empty());
        // A reload has ended one: there is room for the hour of another.
        it.add_one(2, &counted[1..]);
        assert_eq!(connections(&it, last), [1]);
        assert!(it.history.now("0000").is_none());
        assert_eq!(asked(&mut it), HISTORY_APPS_MAX);
    }
}
