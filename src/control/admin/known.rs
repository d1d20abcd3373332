//! What each shard has said last of what it has counted. One that is late takes nothing back:
//! counters never fall, as who takes their rate counts on.

use super::serve::pause;
use crate::control::calls::Calls;
use crate::crossing::{AppMeasured, Call, Measured, OfApps};
use crate::id::ShardId;
use crate::limits::MEASURE_TIMEOUT_MS;
use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// How long each shard took to answer; nothing if it has not in time.
pub(super) type Took = Vec<Option<Duration>>;

/// What is known of all shards.
#[derive(Default)]
pub(super) struct Known {
    shards: RefCell<Vec<Shard>>,
    /// The apps that any of them serves.
    ids: RefCell<BTreeSet<Box<str>>>,
    /// Counts changes of that list.
    generation: Cell<u64>,
}

/// What is known of one.
#[derive(Default)]
pub(super) struct Shard {
    /// Its last answer, without the apps; nothing before the first.
    last: Option<Measured>,
    apps: HashMap<Box<str>, Counted>,
    /// The shard's number of the list of apps that these are.
    listed: Option<u64>,
}

/// What a shard has counted of an app.
pub(super) struct Counted {
    /// Until when, since the server started.
    pub(super) at: Duration,
    pub(super) app: AppMeasured,
}

impl Known {
    /// Asks all shards about these apps, and keeps what they answer in time.
    pub(super) async fn ask(&self, calls: &Calls, of: &OfApps) -> Took {
        let asked = Instant::now();
        let mut took = vec![None; calls.shards().into()];
        let question = |answer| Call::Measure {
            apps: of.clone(),
            answer,
        };
        for (measured, at) in gather(calls, question).await {
            took[usize::from(measured.census.shard)] = Some(at - asked);
            self.hear(measured, of);
        }
        took
    }

    /// Keeps an answer, unless the shard has said something newer to somebody else meanwhile.
    pub(super) fn hear(&self, mut measured: Measured, of: &OfApps) {
        let mut shards = self.shards.borrow_mut();
        let at = usize::from(measured.census.shard);
        if shards.len() <= at {
            shards.resize_with(at + 1, Shard::default);
        }
        let shard = &mut shards[at];
        if shard.last.as_ref().is_some_and(|it| it.at > measured.at) {
            return;
        }
        let at = measured.at;
        let apps = std::mem::take(&mut measured.hub.apps).into_iter();
        let apps = apps.map(|app| (app.id.clone(), Counted { at, app }));
        match of {
            OfApps::Of(_) => shard.apps.extend(apps),
            OfApps::All => {
                shard.apps = apps.collect();
                shard.listed = Some(measured.hub.generation);
            }
        }
        shard.last = Some(measured);
        drop(shards);
        if *of == OfApps::All {
            self.list();
        }
    }

    /// Looks which apps are served.
    fn list(&self) {
        let shards = self.shards.borrow();
        let mut ids = self.ids.borrow_mut();
        let all = || shards.iter().flat_map(|shard| shard.apps.keys());
        let is_served = |id: &str| shards.iter().any(|shard| shard.apps.contains_key(id));
        if all().any(|id| !ids.contains(id)) || !ids.iter().all(|id| is_served(id)) {
            *ids = all().cloned().collect();
            self.generation.set(self.generation.get() + 1);
        }
    }

    /// Whether the list of apps is that of the shards, as far as they have said something.
    pub(super) fn is_listed(&self) -> bool {
        let shards = self.shards.borrow();
        let mut lists = shards.iter().filter_map(|shard| {
            let last = shard.last.as_ref()?;
            Some(shard.listed == Some(last.hub.generation))
        });
        !shards.is_empty() && lists.all(|is_listed| is_listed)
    }

    /// The ids of the apps, in their order.
    pub(super) fn ids(&self) -> Ref<'_, BTreeSet<Box<str>>> {
        self.ids.borrow()
    }

    pub(super) fn serves(&self, app: &str) -> bool {
        self.ids.borrow().contains(app)
    }

    /// Another number whenever there are other apps.
    pub(super) fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// What is known of each shard; of the last ones nothing may be.
    pub(super) fn shards(&self) -> Ref<'_, [Shard]> {
        Ref::map(self.shards.borrow(), |shards| &**shards)
    }

    /// What is known of each app: summed over the shards, in the order of the ids.
    pub(super) fn sums(&self) -> Vec<AppMeasured> {
        let shards = self.shards.borrow();
        let mut sums: BTreeMap<&str, AppMeasured> = BTreeMap::new();
        for Counted { app, .. } in shards.iter().flat_map(|shard| shard.apps.values()) {
            match sums.get_mut(&*app.id) {
                Some(sum) => sum.add(app),
                None => drop(sums.insert(&app.id, app.clone())),
            }
        }
        sums.into_values().collect()
    }
}

impl Shard {
    /// Its last answer, without the apps.
    pub(super) fn last(&self) -> Option<&Measured> {
        self.last.as_ref()
    }

    /// What it has counted of an app.
    pub(super) fn app(&self, id: &str) -> Option<&Counted> {
        self.apps.get(id)
    }
}

/// Asks all shards at once, and gives what they have answered in time, and when.
pub(super) async fn gather<T>(
    calls: &Calls,
    question: impl Fn(flume::Sender<T>) -> Call,
) -> Vec<(T, Instant)> {
    let shards = calls.shards();
    let (answer, answers) = flume::bounded(shards.into());
    for shard in (0..shards).map(ShardId) {
        // One that takes no calls has not answered either.
        let _ = calls.leave(shard, question(answer.clone()));
    }
    drop(answer);
    let mut found = Vec::new();
    let late = pause(Duration::from_millis(MEASURE_TIMEOUT_MS));
    let all = async {
        while let Ok(answered) = answers.recv_async().await {
            found.push((answered, Instant::now()));
        }
    };
    futures_lite::future::or(all, late).await;
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crossing::{Census, HubMeasured};

    fn measured(shard: u16, at_s: u64, generation: u64, apps: &[(&str, u64)]) -> Measured {
        let app = |&(id, opened): &(&str, u64)| AppMeasured {
            id: id.into(),
            opened,
            ..AppMeasured::default()
        };
        Measured {
            census: Census {
                shard,
                ..Census::default()
            },
            at: Duration::from_secs(at_s),
            hub: HubMeasured {
                apps: apps.iter().map(app).collect(),
                generation,
                ..HubMeasured::default()
            },
            ..Measured::default()
        }
    }

    fn opened(known: &Known) -> Vec<(String, u64)> {
        let sums = known.sums().into_iter();
        sums.map(|sum| (sum.id.into(), sum.opened)).collect()
    }

    #[test]
    fn a_shard_that_does_not_answer_counts_as_it_did_last() {
        let known = Known::default();
        let hear = |measured| known.hear(measured, &OfApps::All);
        hear(measured(1, 1, 0, &[("b", 5), ("a", 3)]));
        assert!(known.shards()[0].last().is_none(), "it has said nothing");
        hear(measured(0, 1, 0, &[("a", 10)]));
        assert_eq!(opened(&known), [("a".into(), 13), ("b".into(), 5)]);
        hear(measured(0, 2, 0, &[("a", 11)]));
        assert_eq!(opened(&known), [("a".into(), 14), ("b".into(), 5)]);
        // A reload has ended one of them.
        hear(measured(1, 3, 1, &[("a", 3)]));
        assert_eq!(opened(&known), [("a".into(), 14)]);
    }

    #[test]
    fn what_was_said_before_takes_nothing_back() {
        let known = Known::default();
        for (at_s, opened) in [(2, 20), (1, 10)] {
            known.hear(measured(0, at_s, 0, &[("a", opened)]), &OfApps::All);
        }
        assert_eq!(opened(&known), [("a".into(), 20)]);
        assert_eq!(known.shards()[0].last().unwrap().at.as_secs(), 2);
    }

    #[test]
    fn who_is_asked_about_few_apps_changes_nothing_of_the_others() {
        let known = Known::default();
        let few = OfApps::Of([Box::from("a")].into());
        assert!(!known.is_listed(), "nobody has said what there is");
        known.hear(measured(0, 1, 0, &[("a", 1), ("b", 2)]), &OfApps::All);
        assert!(known.is_listed());
        known.hear(measured(0, 2, 0, &[("a", 5)]), &few);
        assert_eq!(opened(&known), [("a".into(), 5), ("b".into(), 2)]);
        assert!(known.is_listed() && known.serves("b") && !known.serves("c"));
        assert_eq!(known.generation(), 1);
        // A reload: until all apps are asked about, it is not known which there are.
        known.hear(measured(0, 3, 1, &[("a", 6)]), &few);
        assert!(!known.is_listed() && known.serves("b"));
        known.hear(measured(0, 4, 1, &[("a", 7), ("c", 0)]), &OfApps::All);
        assert!(known.is_listed() && known.serves("c") && !known.serves("b"));
        assert_eq!(known.generation(), 2);
        known.hear(measured(1, 4, 1, &[("a", 1), ("c", 1)]), &OfApps::All);
        assert_eq!(known.generation(), 2, "the same apps on another shard");
        assert_eq!(opened(&known), [("a".into(), 8), ("c".into(), 1)]);
    }
}
