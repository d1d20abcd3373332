//! The check of presence: what was sent by those who join and leave, and what each watcher heard.
//!
//! For each watcher and churner, "added" and "removed" must come in turn, each as often as it
//! happened. Member events carry no number: which one it is follows from how many came before.

use super::Delivered;
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

/// All rounds of all churners.
#[derive(Debug)]
pub struct Rounds {
    /// Member events that watchers heard.
    pub heard: u64,
    out_of_order: u64,
    sent: Vec<Sent>,
    seen: Vec<Seen>,
    /// What events begin with up to the number in the user id, once one was read.
    starts: [Vec<u8>; 2],
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
            starts: [Vec::new(), Vec::new()],
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
            let start = &self.starts[kind as usize];
            if !start.is_empty() && frame.starts_with(start) {
                return Some((kind, number(frame, start.len())?));
            }
        }
        self.learn(frame)
    }

    #[cold]
    fn learn(&mut self, frame: &[u8]) -> Option<(Kind, u32)> {
        let says = |event: &[u8]| memmem::find(frame, event).is_some();
        let kind = if says(b"\"pusher_internal:member_added\"") {
            Kind::Added
        } else if says(b"\"pusher_internal:member_removed\"") {
            Kind::Removed
        } else {
            return None;
        };
        let at = memmem::find(frame, ID.as_bytes())? + ID.len();
        let churner = number(frame, at)?;
        self.starts[kind as usize] = frame[..at].to_vec();
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
        format!(
            r#"{{"event":"pusher_internal:{event}","data":"{{\"user_id\":\"{id}\"}}","channel":"presence-a"}}"#
        )
        .into_bytes()
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
