//! Whether another connection may come in: what the shards tell each other of their number, and the
//! control thread of the memory.
//!
//! Each shard writes a cache line of its own with plain stores; who accepts reads those of all. A
//! shard may miss what another one does in this very moment, so the limit can be passed by one
//! connection for each other shard; what is kept in reserve has room for that.

use crate::id::ShardId;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// Why a connection is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many are here as may be.
    Full,
    /// Too much memory is in use.
    Memory,
}

/// How much memory is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// There is enough.
    #[default]
    Free = 0,
    /// Past the soft mark: nobody new comes in.
    Soft = 1,
    /// Past the hard mark: those that hold most of it are closed.
    Hard = 2,
}

/// What is known of the connections of all shards, and of the memory.
#[derive(Debug)]
pub struct Admission {
    most: usize,
    here: Box<[Line]>,
    memory: AtomicU8,
}

/// The connections of one shard.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicUsize);

impl Admission {
    /// For so many shards and so many connections in all.
    #[must_use]
    pub fn new(shards: usize, most: usize) -> Self {
        Self {
            most,
            here: (0..shards).map(|_| Line::default()).collect(),
            memory: AtomicU8::default(),
        }
    }

    /// Most connections there may be.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most
    }

    /// A shard has so many connections now.
    ///
    /// # Panics
    /// When there is no such shard.
    pub fn set(&self, shard: ShardId, connections: usize) {
        self.here[shard.index()]
            .0
            .store(connections, Ordering::Relaxed);
    }

    /// The control thread has looked at the memory.
    pub fn set_memory(&self, level: Level) {
        self.memory.store(level as u8, Ordering::Relaxed);
    }

    /// How much memory was in use then.
    #[must_use]
    pub fn memory(&self) -> Level {
        match self.memory.load(Ordering::Relaxed) {
            0 => Level::Free,
            1 => Level::Soft,
            _ => Level::Hard,
        }
    }

    /// Whether one more may come in.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.memory() > Level::Free {
            return Err(Refusal::Memory);
        }
        let here = self.here.iter().map(|line| line.0.load(Ordering::Relaxed));
        match here.sum::<usize>() < self.most {
            true => Ok(()),
            false => Err(Refusal::Full),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_come_in_as_the_limit_says_on_whatever_shard() {
        let admission = Admission::new(2, 3);
        for [first, second] in [[0, 0], [2, 0], [0, 2], [1, 1]] {
            admission.set(ShardId(0), first);
            admission.set(ShardId(1), second);
            assert_eq!(admission.check(), Ok(()));
        }
        for [first, second] in [[3, 0], [0, 3], [2, 1], [9, 9]] {
            admission.set(ShardId(0), first);
            admission.set(ShardId(1), second);
            assert_eq!(admission.check(), Err(Refusal::Full));
        }
        admission.set(ShardId(0), 0);
        admission.set(ShardId(1), 2);
        assert_eq!(admission.check(), Ok(()), "one has left");
    }

    #[test]
    fn nobody_comes_in_past_the_soft_mark() {
        let admission = Admission::new(1, 1);
        for level in [Level::Soft, Level::Hard] {
            admission.set_memory(level);
            assert_eq!(admission.memory(), level);
            assert_eq!(admission.check(), Err(Refusal::Memory));
        }
        admission.set_memory(Level::Free);
        assert_eq!(admission.check(), Ok(()));
    }

    #[test]
    fn each_shard_has_a_cache_line_of_its_own() {
        assert_eq!(align_of::<Line>(), 128);
    }
}
