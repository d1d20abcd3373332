//! The check of presence: what was sent by those who join and leave, and what each watcher heard.
//!
//! For each watcher and churner, "added" and "removed" must come in turn, each as often as it
//! happened. Member events carry no number: which one it is follows from how many came before.

use super::findings::Delivered;
use memchr::memmem;
use std::collections::VecDeque;

/// What happened to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It joined.
    Added,
    /// It left.
    Removed,
}

impl Kind {
    /// The name of its event, in quotes.
    fn event(self) -> &'static str {
        match self {
            Self::Added => "\"pusher_internal:member_added\"",
            Self::Removed => "\"pusher_internal:member_removed\"",
        }
    }
}

/// All rounds of all churners.
#[derive(Debug)]
pub struct Rounds {
    /// Member events that watchers heard.
    pub heard: u64,
    out_of_order: u64,
    sent: Vec<Sent>,
    seen: Vec<Seen>,
    /// Where things lay in the last event of each kind.
    places: [Places; 2],
}

/// The key order of a server is its own, so both places are learnt.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    event: usize,
    id: usize,
}

/// One churner's rounds.
#[derive(Clone, Debug, Default)]
struct Sent {
    counts: [u32; 2],
    /// When the latest joins and leaves were due.
    due: [VecDeque<u64>; 2],
}

/// What one watcher heard of one churner.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    counts: [u32; 2],
    inside: bool,
}

/// User ids of churners begin with this and end with a number of eight digits.
const ID: &str = "loadtest-churner-";
const DIGITS: usize = 8;

/// Rounds whose times are remembered: a watcher that is further behind has no latency.
const REMEMBERED: usize = 4096;

impl Rounds {
    /// Of so many who watch so many.
    pub fn new(watchers: usize, churners: usize) -> Self {
        Self {
            heard: 0,
            out_of_order: 0,
            sent: vec![Sent::default(); churners],
            seen: vec![Seen::default(); watchers * churners],
            places: [Places::default(); 2],
        }
    }

    /// The user id of a churner.
    pub fn user_id(churner: u32) -> String {
        format!("{ID}{churner:0DIGITS$}")
    }

    /// A churner joined or left, or was due to.
    pub fn sent(&mut self, churner: usize, kind: Kind, due: u64) {
        let sent = &mut self.sent[churner];
        sent.counts[kind as usize] += 1;
        let times = &mut sent.due[kind as usize];
        if times.len() == REMEMBERED {
            times.pop_front();
        }
        times.push_back(due);
    }

    /// Which churner a frame speaks of, if it is a member event of one.
    #[inline]
    pub fn read(&mut self, frame: &[u8]) -> Option<(Kind, u32)> {
        for kind in [Kind::Added, Kind::Removed] {
            let Places { event, id } = self.places[kind as usize];
            let has = |at: usize, text: &str| {
                let rest = frame.get(at..).unwrap_or_default();
                rest.starts_with(text.as_bytes())
            };
            if has(event, kind.event()) && has(id, ID) {
                return Some((kind, number(frame, id + ID.len())?));
            }
        }
        self.learn(frame)
    }

    #[cold]
    fn learn(&mut self, frame: &[u8]) -> Option<(Kind, u32)> {
        let find = |text: &str| memmem::find(frame, text.as_bytes());
        let kinds = [Kind::Added, Kind::Removed].into_iter();
        let (kind, event) = kinds
            .filter_map(|kind| Some((kind, find(kind.event())?)))
            .next()?;
        let id = find(ID)?;
        let churner = number(frame, id + ID.len())?;
        self.places[kind as usize] = Places { event, id };
        Some((kind, churner))
    }

    /// A watcher heard of it; when it was due, if that is still known.
    #[inline]
    pub fn heard(&mut self, watcher: usize, churner: u32, kind: Kind) -> Option<u64> {
        let sent = self.sent.get(churner as usize)?;
        let seen = &mut self.seen[watcher * self.sent.len() + churner as usize];
        let now_inside = kind == Kind::Added;
        if seen.inside == now_inside {
            self.out_of_order += 1;
        }
        seen.inside = now_inside;
        let index = seen.counts[kind as usize];
        seen.counts[kind as usize] += 1;
        self.heard += 1;
        let times = &sent.due[kind as usize];
        let behind = sent.counts[kind as usize].checked_sub(index + 1)? as usize;
        let at = times.len().checked_sub(behind + 1)?;
        times.get(at).copied()
    }

    /// What should have been heard and was. Of a watcher that left, nothing is missing.
    pub fn balance(&self, left: impl Fn(usize) -> bool) -> Delivered {
        let mut balance = Delivered {
            out_of_order: self.out_of_order,
            ..Delivered::default()
        };
        for (place, seen) in self.seen.iter().enumerate() {
            let sent = &self.sent[place % self.sent.len()];
            let left = left(place / self.sent.len());
            for (sent, seen) in sent.counts.iter().zip(seen.counts) {
                let expected = if left { seen.min(*sent) } else { *sent };
                balance.expected += u64::from(expected);
                balance.delivered += u64::from(seen.min(*sent));
                balance.lost += u64::from(expected.saturating_sub(seen));
                balance.duplicated += u64::from(seen.saturating_sub(*sent));
            }
        }
        balance
    }
}

fn number(frame: &[u8], at: usize) -> Option<u32> {
    let digits = frame.get(at..at + DIGITS)?;
    digits.iter().try_fold(0, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        Some(number * 10 + u32::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(event: &str, id: &str) -> Vec<u8> {
        let data = format!(r#""{{\"user_id\":\"{id}\"}}""#);
        let event = format!("pusher_internal:{event}");
        format!(r#"{{"event":"{event}","data":{data},"channel":"presence-a"}}"#).into_bytes()
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let mut rounds = Rounds::new(1, 2);
        let frame = |event: &str| {
            let id = Rounds::user_id(1);
            let event = format!("pusher_internal:{event}");
            format!(r#"{{"data":"{{\"user_id\":\"{id}\"}}","event":"{event}"}}"#).into_bytes()
        };
        for _ in 0..2 {
            let added = rounds.read(&frame("member_added"));
            assert_eq!(added, Some((Kind::Added, 1)));
            let removed = rounds.read(&frame("member_removed"));
            assert_eq!(removed, Some((Kind::Removed, 1)));
        }
    }

    #[test]
    fn member_events_of_churners_are_read() {
        let mut rounds = Rounds::new(1, 13);
        for _ in 0..2 {
            for (event, kind) in [
                ("member_added", Kind::Added),
                ("member_removed", Kind::Removed),
            ] {
                let frame = frame(event, &Rounds::user_id(12));
                assert_eq!(rounds.read(&frame), Some((kind, 12)));
            }
        }
        assert_eq!(rounds.read(&frame("member_added", "watcher-1")), None);
        let snapshot = frame("subscription_succeeded", &Rounds::user_id(12));
        assert_eq!(rounds.read(&snapshot), None);
        assert_eq!(rounds.read(b"{}"), None);
    }

    #[test]
    fn each_round_has_its_time() {
        let mut rounds = Rounds::new(2, 1);
        rounds.sent(0, Kind::Added, 10);
        rounds.sent(0, Kind::Removed, 20);
        rounds.sent(0, Kind::Added, 30);
        assert_eq!(rounds.heard(0, 0, Kind::Added), Some(10));
        assert_eq!(rounds.heard(0, 0, Kind::Removed), Some(20));
        assert_eq!(rounds.heard(0, 0, Kind::Added), Some(30));
        assert_eq!(rounds.heard(1, 0, Kind::Added), Some(10));
        let balance = rounds.balance(|_| false);
        assert_eq!(
            (balance.expected, balance.delivered, balance.lost),
            (6, 4, 2)
        );
        let balance = rounds.balance(|watcher| watcher == 1);
        assert_eq!((balance.expected, balance.lost), (4, 0));
        assert_eq!(balance.out_of_order, 0);
    }

    #[test]
    fn what_comes_twice_or_against_the_turn_is_seen() {
        let mut rounds = Rounds::new(1, 1);
        rounds.sent(0, Kind::Added, 10);
        rounds.sent(0, Kind::Removed, 20);
        rounds.heard(0, 0, Kind::Added);
        assert_eq!(rounds.heard(0, 0, Kind::Added), None, "it was sent once");
        rounds.heard(0, 0, Kind::Removed);
        let balance = rounds.balance(|_| false);
        assert_eq!(
            (balance.duplicated, balance.out_of_order, balance.lost),
            (1, 1, 0)
        );
    }
}
