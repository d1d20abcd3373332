//! The last hour, second by second: what was counted of each app, and how busy the shards are.

use super::super::measure::{Answered, ask};
use super::super::plan::Desk;
use super::super::serve::pause;
use crate::crossing::{AppMeasured, Measured};
use crate::limits::{HISTORY_APPS_MAX, HISTORY_SECONDS};
use crate::metrics::Count;
use serde::Serialize;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SECOND: Duration = Duration::from_secs(1);

/// What was counted until now.
#[derive(Default)]
pub(super) struct History {
    curves: HashMap<Box<str>, Curve>,
    /// The last answer of each shard, so that one that is late does not make sums smaller.
    last: Vec<Option<Measured>>,
    last_at: Option<Instant>,
    loads: Vec<Load>,
    /// Seconds since the first sample.
    second: u64,
    began: Option<Instant>,
    /// Counts changes of the list of apps.
    generation: u64,
}

/// What is kept of one app.
struct Curve {
    /// One for each second, in a ring; none where too many apps are served.
    points: Option<Box<[Point]>>,
    first: u64,
    now: Point,
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
        let answered = ask(&desk.plan.calls).await;
        desk.dashboard.history.borrow_mut().add(answered, begun);
        desk.dashboard.tell_sample(&desk);
        pause(SECOND.saturating_sub(begun.elapsed())).await;
    }
}

impl History {
    /// The ids of the apps, in their order.
    pub(super) fn apps(&self) -> Vec<&str> {
        let mut apps: Vec<&str> = self.curves.keys().map(|id| &**id).collect();
        apps.sort_unstable();
        apps
    }

    pub(super) fn knows(&self, app: &str) -> bool {
        self.curves.contains_key(app)
    }

    /// Another number whenever there are other apps.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn loads(&self) -> &[Load] {
        &self.loads
    }

    pub(super) fn busy(&self) -> Vec<Option<f64>> {
        self.loads.iter().map(|load| load.busy).collect()
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

    fn add(&mut self, answered: Answered, at: Instant) {
        let passed = self.last_at.map(|last| at - last);
        let began = *self.began.get_or_insert(at);
        let last_second = self.second;
        // Rounded, so that a look that comes a little late is not two seconds from the one before.
        self.second = ((at - began + SECOND / 2).as_secs()).max(last_second);
        self.last_at = Some(at);
        self.last.resize_with(answered.len(), || None);
        self.loads = (answered.iter().zip(&self.last))
            .map(|(now, last)| Load::of(now.as_ref().map(|(it, _)| it), last.as_ref(), passed))
            .collect();
        for (last, now) in self.last.iter_mut().zip(answered) {
            if let Some((measured, _)) = now {
                *last = Some(measured);
            }
        }
        self.add_apps(passed, last_second);
    }

    fn add_apps(&mut self, passed: Option<Duration>, last_second: u64) {
        let mut sums: HashMap<&str, AppMeasured> = HashMap::new();
        for app in self.last.iter().flatten().flat_map(|it| &it.hub.apps) {
            match sums.get_mut(&*app.id) {
                Some(sum) => sum.add(app),
                None => drop(sums.insert(&app.id, app.clone())),
            }
        }
        let before = self.curves.len();
        self.curves.retain(|id, _| sums.contains_key(&**id));
        let gone = before - self.curves.len();
        let mut kept = self
            .curves
            .values()
            .filter(|it| it.points.is_some())
            .count();
        let mut ids: Vec<&str> = sums.keys().copied().collect();
        ids.sort_unstable();
        let mut came = 0;
        for id in ids {
            let sum = &sums[id];
            let curve = self.curves.entry(id.into()).or_insert_with(|| {
                came += 1;
                let has_room = kept < HISTORY_APPS_MAX;
                kept += usize::from(has_room);
                Curve::new(has_room, self.second, sum)
            });
            curve.add(sum, passed, (last_second, self.second));
        }
        self.generation += u64::from(gone + came > 0);
    }
}

impl Curve {
    fn new(is_kept: bool, first: u64, sum: &AppMeasured) -> Self {
        Self {
            points: is_kept.then(|| vec![Point::default(); HISTORY_SECONDS].into()),
            first,
            now: Point::default(),
            read: sum.messages_read,
            sent: sum.messages_sent,
        }
    }

    /// Adds what was counted until this second, after that one.
    fn add(&mut self, sum: &AppMeasured, passed: Option<Duration>, (after, second): (u64, u64)) {
        let per_second = |more: u64| match passed {
            Some(passed) => (more as f64 / passed.as_secs_f64().max(0.1)).round() as u32,
            None => 0,
        };
        self.now = Point {
            connections: sum.connected,
            channels: sum.channels,
            read: per_second(sum.messages_read.saturating_sub(self.read)),
            sent: per_second(sum.messages_sent.saturating_sub(self.sent)),
        };
        (self.read, self.sent) = (sum.messages_read, sum.messages_sent);
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
}

impl Load {
    fn of(now: Option<&Measured>, last: Option<&Measured>, passed: Option<Duration>) -> Self {
        let Some(now) = now else {
            return Self::default();
        };
        let busy = last.zip(passed).map(|(last, passed)| {
            let worked = now.busy.saturating_sub(last.busy);
            (worked.as_secs_f64() / passed.as_secs_f64().max(0.1)).min(1.0)
        });
        let late = |it: &Measured| it.totals.get(Count::LateMs);
        Self {
            up: true,
            busy,
            connections: now.census.connections,
            outbox_bytes: now.census.waiting_bytes,
            mesh_waiting: now.mesh_waiting,
            late_ms: last.map_or(0, |last| late(now).saturating_sub(late(last))),
        }
    }
}

/// Seconds since 1970.
pub(super) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crossing::HubMeasured;

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
            cache_bytes: 0,
        };
        Measured {
            hub,
            ..Measured::default()
        }
    }

    fn of_one(apps: &[(&str, u32, u64)]) -> Answered {
        vec![Some((measured(apps), Duration::ZERO))]
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let mut history = History::default();
        let start = Instant::now();
        for second in 0..=HISTORY_SECONDS as u64 {
            let counted = [("a", second as u32, 10 * second)];
            history.add(of_one(&counted), start + SECOND * second as u32);
        }
        let hour = history.hour("a");
        assert_eq!(hour.connections.len(), HISTORY_SECONDS);
        assert_eq!(hour.connections[0], 1, "the first second has gone");
        assert_eq!(hour.connections.last(), Some(&(HISTORY_SECONDS as u32)));
        assert!(hour.read.iter().all(|read| *read == 10));
        assert!(hour.sent.iter().all(|sent| *sent == 20));
        assert_eq!(history.now("a").unwrap().read, 10);
        assert!(history.hour("b").read.is_empty());
    }

    #[test]
    fn seconds_without_a_look_are_filled_and_rates_stay_true() {
        let mut history = History::default();
        let start = Instant::now();
        history.add(of_one(&[("a", 1, 100)]), start);
        history.add(of_one(&[("a", 5, 160)]), start + 3 * SECOND);
        let hour = history.hour("a");
        assert_eq!(hour.connections, [1, 5, 5, 5]);
        assert_eq!(hour.read, [0, 20, 20, 20]);
    }

    #[test]
    fn a_shard_that_is_late_counts_as_it_did_last() {
        let mut history = History::default();
        let start = Instant::now();
        let both = |first, second| -> Answered {
            [first, second]
                .map(|it: Option<u32>| {
                    it.map(|n| (measured(&[("a", n, n.into())]), Duration::ZERO))
                })
                .into()
        };
        history.add(both(Some(3), Some(4)), start);
        history.add(both(Some(3), None), start + SECOND);
        assert_eq!(history.now("a").unwrap().connections, 7);
        assert_eq!(
            history.loads().iter().map(|it| it.up).collect::<Vec<_>>(),
            [true, false]
        );
    }

    #[test]
    fn as_many_apps_are_kept_as_the_limit_says() {
        let mut history = History::default();
        let ids: Vec<String> = (0..=HISTORY_APPS_MAX).map(|n| format!("{n:04}")).collect();
        let counted: Vec<_> = ids.iter().map(|id| (&**id, 1, 0)).collect();
        let start = Instant::now();
        history.add(of_one(&counted), start);
        assert_eq!(history.generation(), 1);
        assert_eq!(history.hour(&ids[HISTORY_APPS_MAX - 1]).connections, [1]);
        assert!(history.hour(&ids[HISTORY_APPS_MAX]).connections.is_empty());
        assert_eq!(history.now(&ids[HISTORY_APPS_MAX]).unwrap().connections, 1);
        // A reload has ended all but one.
        history.add(of_one(&counted[..1]), start + SECOND);
        assert_eq!((history.apps(), history.generation()), (vec!["0000"], 2));
    }
}
