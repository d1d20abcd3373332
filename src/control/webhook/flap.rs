//! The delay before anybody is told that something is gone (K5).
//!
//! `channel_vacated`, `member_removed` and `user_offline` are held. When the opposite comes within
//! the delay, neither was worth telling. Everything else passes at once.
//!
//! Invariant: what passes keeps its order, and so does what is held; a held event is overtaken only
//! by events that it does not contradict.

use crate::hub::Notice;
use crate::id::AppSlot;
use crate::protocol::webhook::What;
use std::collections::{BTreeMap, HashMap};

/// Events that are held at most; past them the oldest is told early, which is better than never.
const HELD_MAX: usize = 65_536;

/// What an edge is an edge of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    app: AppSlot,
    channel: Box<str>,
    /// The user, for members; signed-in users have a channel of their own.
    user_id: Option<Box<str>>,
}

/// Which side of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Here,
    Gone,
}

/// What is held.
#[derive(Debug)]
pub(super) struct Flap {
    hold_ms: u64,
    numbers: HashMap<Key, u64>,
    /// By number, which is by time too: all are held equally long.
    held: BTreeMap<u64, Held>,
    next: u64,
    max: usize,
}

#[derive(Debug)]
struct Held {
    due_ms: u64,
    key: Key,
    notice: Notice,
}

impl Flap {
    pub(super) fn new(hold_ms: u64) -> Self {
        Self {
            hold_ms,
            numbers: HashMap::new(),
            held: BTreeMap::new(),
            next: 0,
            max: HELD_MAX,
        }
    }

    /// Takes a notice; appends to `out` what is to be told now.
    pub(super) fn take(&mut self, notice: Notice, now_ms: u64, out: &mut Vec<Notice>) {
        let (key, edge) = match edge(&notice) {
            Some(both) if self.hold_ms > 0 => both,
            _ => return out.push(notice),
        };
        match (edge, self.numbers.remove(&key)) {
            (Edge::Here, Some(number)) => {
                self.held.remove(&number); // it never went
            }
            (Edge::Here, None) => out.push(notice),
            (Edge::Gone, Some(number)) => {
                self.numbers.insert(key, number); // it is going already
            }
            (Edge::Gone, None) => {
                if self.held.len() >= self.max {
                    out.extend(self.pop());
                }
                self.numbers.insert(key.clone(), self.next);
                let due_ms = now_ms + self.hold_ms;
                let held = Held {
                    due_ms,
                    key,
                    notice,
                };
                self.held.insert(self.next, held);
                self.next += 1;
            }
        }
    }

    /// When something is to be told next.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.held.values().next().map(|held| held.due_ms)
    }

    /// Appends what has been gone for long enough.
    pub(super) fn due(&mut self, now_ms: u64, out: &mut Vec<Notice>) {
        while self.due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            out.extend(self.pop());
        }
    }

    fn pop(&mut self) -> Option<Notice> {
        let (_, held) = self.held.pop_first()?;
        self.numbers.remove(&held.key);
        if self.held.is_empty() {
            self.numbers.shrink_to(0);
        }
        Some(held.notice)
    }
}

fn edge(notice: &Notice) -> Option<(Key, Edge)> {
    let (user_id, edge) = match &notice.event.what {
        What::ChannelOccupied => (None, Edge::Here),
        What::ChannelVacated => (None, Edge::Gone),
        What::MemberAdded(user) | What::UserOnline(user) => (Some(user.clone()), Edge::Here),
        What::MemberRemoved(user) | What::UserOffline(user) => (Some(user.clone()), Edge::Gone),
        _ => return None,
    };
    let key = Key {
        app: notice.app,
        channel: notice.event.channel.clone(),
        user_id,
    };
    Some((key, edge))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::webhook::Event;

    /// A delay of three seconds, and what it lets through.
    struct Run {
        flap: Flap,
        out: Vec<Notice>,
    }

    impl Run {
        fn new() -> Self {
            let flap = Flap::new(3000);
            let out = Vec::new();
            Self { flap, out }
        }

        fn at(&mut self, now_ms: u64, app: u32, channel: &str, what: What) {
            let event = Event::of(channel, what);
            let app = AppSlot(app);
            self.flap.take(Notice { app, event }, now_ms, &mut self.out);
        }

        fn due(&mut self, now_ms: u64) {
            self.flap.due(now_ms, &mut self.out);
        }

        fn told(&mut self) -> Vec<String> {
            let told = self.out.drain(..).map(|Notice { app, event }| {
                format!("{} {} {}", app.0, event.kind().name(), event.channel)
            });
            told.collect()
        }
    }

    fn user(id: &str) -> Box<str> {
        id.into()
    }

    #[test]
    fn who_is_gone_for_three_seconds_is_gone() {
        // K5
        let mut run = Run::new();
        run.at(0, 0, "a", What::ChannelOccupied);
        assert_eq!(run.told(), ["0 channel_occupied a"]);
        run.at(1000, 0, "a", What::ChannelVacated);
        run.due(3999);
        assert_eq!(run.told(), [""; 0]);
        assert_eq!(run.flap.due_ms(), Some(4000));
        run.due(4000);
        assert_eq!(run.told(), ["0 channel_vacated a"]);
        assert_eq!(run.flap.due_ms(), None);
        run.at(4001, 0, "a", What::ChannelOccupied);
        assert_eq!(run.told(), ["0 channel_occupied a"]);
    }

    #[test]
    fn a_page_reload_is_not_told() {
        // K5: neither the removed nor the added event is sent.
        let mut run = Run::new();
        for at in [0, 2000, 4000, 6000] {
            run.at(at, 0, "presence-a", What::MemberRemoved(user("1")));
            run.at(at, 0, "presence-a", What::ChannelVacated);
            run.due(at + 1999);
            run.at(at + 1999, 0, "presence-a", What::ChannelOccupied);
            run.at(at + 1999, 0, "presence-a", What::MemberAdded(user("1")));
        }
        run.due(u64::MAX);
        assert_eq!(run.told(), [""; 0]);
    }

    #[test]
    fn users_channels_and_apps_are_told_apart() {
        let mut run = Run::new();
        run.at(0, 0, "presence-a", What::MemberRemoved(user("1")));
        run.at(0, 0, "presence-a", What::ChannelVacated);
        run.at(1, 0, "presence-a", What::MemberAdded(user("2")));
        run.at(1, 1, "presence-a", What::ChannelOccupied);
        run.at(1, 0, "presence-b", What::ChannelOccupied);
        let passed = [
            "0 member_added presence-a",
            "1 channel_occupied presence-a",
            "0 channel_occupied presence-b",
        ];
        assert_eq!(run.told(), passed);
        run.due(3000);
        let gone = [
            "0 member_removed presence-a",
            "0 channel_vacated presence-a",
        ];
        assert_eq!(run.told(), gone);
    }

    #[test]
    fn signed_in_users_flap_as_members_do() {
        let mut run = Run::new();
        let channel = "#server-to-user-7";
        run.at(0, 0, channel, What::UserOffline(user("7")));
        run.at(2999, 0, channel, What::UserOnline(user("7")));
        run.at(5000, 0, channel, What::UserOffline(user("7")));
        run.due(7999);
        assert_eq!(run.told(), [""; 0]);
        run.due(8000);
        assert_eq!(run.told(), ["0 user_offline #server-to-user-7"]);
    }

    #[test]
    fn everything_else_passes_what_is_held() {
        let mut run = Run::new();
        run.at(0, 0, "cache-a", What::ChannelVacated);
        run.at(1, 0, "cache-a", What::CacheMiss);
        run.at(1, 0, "cache-a", What::SubscriptionCount(2));
        let passed = ["0 cache_miss cache-a", "0 subscription_count cache-a"];
        assert_eq!(run.told(), passed);
    }

    #[test]
    fn gone_twice_is_gone_once_and_at_the_first_time() {
        let mut run = Run::new();
        run.at(0, 0, "a", What::ChannelVacated);
        run.at(2000, 0, "a", What::ChannelVacated);
        run.due(3000);
        assert_eq!(run.told(), ["0 channel_vacated a"]);
        run.due(u64::MAX);
        assert_eq!(run.told(), [""; 0]);
    }

    #[test]
    fn without_a_delay_everything_passes() {
        let mut run = Run::new();
        run.flap = Flap::new(0);
        run.at(0, 0, "a", What::ChannelVacated);
        run.at(0, 0, "a", What::ChannelOccupied);
        let both = ["0 channel_vacated a", "0 channel_occupied a"];
        assert_eq!(run.told(), both);
    }

    #[test]
    fn past_the_bound_the_oldest_is_told_early() {
        let mut run = Run::new();
        run.flap.max = 2;
        for name in ["a", "b"] {
            run.at(0, 0, name, What::ChannelVacated);
        }
        assert_eq!(run.told(), [""; 0]);
        run.at(0, 0, "c", What::ChannelVacated);
        assert_eq!(run.told(), ["0 channel_vacated a"]);
        run.at(1, 0, "a", What::ChannelOccupied);
        assert_eq!(run.told(), ["0 channel_occupied a"]);
        run.due(3000);
        assert_eq!(run.told(), ["0 channel_vacated b", "0 channel_vacated c"]);
        assert!(run.flap.numbers.is_empty() && run.flap.held.is_empty());
    }
}
