//! Sockets of one shard: accepting, reading, writing. The only place, with `shard`, where
//! glommio is named.
//!
//! An idle connection holds no buffer: reads go into pooled buffers that are taken when there
//! is something to read, writes go straight from shared frames into the socket at the end of a
//! turn. A socket that takes nothing gets a task of its own until it does.

mod census;
pub mod clock;
mod controls;
mod deadlines;
mod fattest;
pub mod files;
pub mod limits;
mod listener;
pub mod memory;
pub mod outflow;
pub mod pool;
pub mod reader;
mod routes;
mod send_ring;
pub mod sockets;
pub mod stream;
pub mod tasks;
mod tls;
mod turn_away;
mod unfinished;
mod ways_out;
mod writer;

pub use census::Counted;
pub use clock::Clock;
pub use listener::{Entrance, Listener, ListenerOptions};
pub use outflow::Outflow;
pub use pool::Buffer;
pub use reader::Reader;
pub use send_ring::SENDS_MAX;
pub use sockets::{SocketOptions, Sockets};
pub use stream::Stream;
pub use tasks::{LocalTask, ShardTasks, Tasks, busy, look_around, pause, pause_ms, running, spawn};
pub use turn_away::{send_now, turn_away};
pub(crate) use unfinished::is_too_slow;
pub use ways_out::Gone;
