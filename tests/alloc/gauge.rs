//! What a piece of work takes from the allocator, over all threads of the process, and what the
//! process holds.
//!
//! Reallocations count: growing in place adds bytes, although it adds no block. Only one piece of
//! work can be gauged at a time, so a test program that does has one test.

use dhat::HeapStats;
use std::fmt;
use std::ops::Sub;

/// Allocations, and how many bytes they came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub blocks: u64,
    pub bytes: u64,
}

impl Cost {
    /// What `work` costs.
    pub fn of(work: impl FnOnce()) -> Self {
        let before = Self::so_far();
        work();
        Self::so_far() - before
    }

    fn so_far() -> Self {
        let stats = HeapStats::get();
        Self {
            blocks: stats.total_blocks,
            bytes: stats.total_bytes,
        }
    }
}

/// What the process holds at a time.
#[allow(dead_code, reason = "not every test program asks what is held")]
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub blocks: usize,
    pub bytes: usize,
}

#[allow(dead_code, reason = "not every test program asks what is held")]
impl Held {
    /// What is held now.
    pub fn now() -> Self {
        let stats = HeapStats::get();
        Self {
            blocks: stats.curr_blocks,
            bytes: stats.curr_bytes,
        }
    }
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            blocks: self.blocks - other.blocks,
            bytes: self.bytes - other.bytes,
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} allocations, {} bytes", self.blocks, self.bytes)
    }
}
