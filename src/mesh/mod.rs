//! Other cores: one bounded lock-free ring for each ordered pair of shards, and a bell for each
//! shard that wakes it when something was put into a ring of its own.
//!
//! - A sender never waits. What does not fit into a ring goes into an overflow of the sender,
//!   in order, and follows as soon as the receiver has made room.
//! - A shard whose overflows grow past one ring's worth says so by its pressure flag; from then
//!   on publishers everywhere are refused before they add to it. Membership is never refused;
//!   instead, a client that changes its own waits while its shard's flag is up, so that each
//!   connection adds at most what one read held to an overflow that is past the mark.
//! - A receiver never waits for a peer either, so no two shards can block each other.
//! - Bells ring at the end of a turn, once for each peer that was written to.

mod bell;
mod port;

pub use port::{Port, SharedPort, mesh};
