//! What few connections have, or for a short time: it is boxed, so that others hold nothing of it.

use super::pace::{Budget, Pace};
use super::tally::Tally;
use super::waiters::Waiters;
use crate::ws::Frame;

/// The rare state of a connection.
#[derive(Debug, Default)]
pub struct Extra {
    /// What is counted of it, for handlers that want to know.
    pub tally: Option<Tally>,
    /// What it may still send, for handlers that set it a bound.
    pace: Option<Box<Budget>>,
    /// Messages that wait for the end of one that leaves in pieces.
    behind: Vec<Frame>,
    behind_bytes: usize,
    /// Who waits until something has left, or until the connection is closing.
    pub(super) waiting: Waiters,
}

impl Extra {
    /// So many bytes came in.
    pub(super) fn read(&mut self, count: usize, now_ms: u64) {
        if let Some(tally) = &mut self.tally {
            tally.read(count, now_ms);
        }
        if let Some(pace) = &mut self.pace {
            pace.took_bytes(count, now_ms);
        }
    }

    pub(super) fn set_pace(&mut self, pace: Pace, now_ms: u64) {
        self.pace = Some(Box::new(Budget::new(pace, now_ms)));
    }

    pub(super) fn is_paced(&self) -> bool {
        self.pace.is_some()
    }

    pub(super) fn pace_mut(&mut self) -> Option<&mut Budget> {
        self.pace.as_deref_mut()
    }

    /// Puts a message behind the one that leaves in pieces.
    pub(super) fn push_behind(&mut self, frame: Frame) {
        self.behind_bytes += frame.bytes().len();
        self.behind.push(frame);
    }

    /// Bytes of what waits behind.
    pub(super) fn behind_bytes(&self) -> usize {
        self.behind_bytes
    }

    /// Takes what waits behind, in its order, and says how many bytes it has.
    pub(super) fn take_behind(&mut self) -> (Vec<Frame>, usize) {
        let bytes = std::mem::take(&mut self.behind_bytes);
        (std::mem::take(&mut self.behind), bytes)
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.tally.is_none()
            && self.pace.is_none()
            && self.behind.is_empty()
            && self.waiting.is_empty()
    }
}
