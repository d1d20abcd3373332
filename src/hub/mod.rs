//! The Pusher application's state on one shard: who is connected, who listens to what, and the
//! channels this shard is home of. No I/O, no clock, no executor.
//!
//! A [`Hub`] is driven by calls (a command arrived, a client left, a note came from another
//! shard, the turn ends) and answers with [`Effect`]s in a buffer the caller owns. The caller
//! carries them out in order before it calls again; notes to the own shard go the same way as
//! notes to others, so that one shard and many behave alike.
//!
//! ```text
//!   command ──▶ local (sessions, index) ──note──▶ home (order, members, counts)
//!                      ▲                               │
//!                      └──────── Joined, Deliver ◀─────┘
//! ```
//!
//! Invariants, checked by the simulation in tests/sim.rs:
//! - A channel's home sends to one shard in the order in which it decided, and notes between
//!   two shards keep their order; so whoever has joined misses nothing and gets nothing twice.
//! - A shard counts at a home while it has subscribers, or joins under way, for a channel.
//! - When everybody has left and the turn has ended, nothing is left in any table, but for the
//!   cached events, which have their own time, and users who may still come back from a short
//!   absence.

mod apps;
mod ask;
mod at_home;
mod authorize;
mod cache;
mod channel_table;
mod client_event;
mod count;
mod deadlines;
mod effect;
mod home;
mod index;
mod local;
mod note;
mod notice;
mod online;
mod options;
mod pass;
mod presence;
mod publish;
mod quota;
mod reload;
mod session;
mod state;
mod tell;
mod user;
mod watch;

pub use apps::{AppTable, Tenant};
pub use ask::{Answer, ChannelState, Cursor, Listed, Listener, Question, Whom};
pub use cache::CachedEvent;
pub use channel_table::ChannelName;
pub use deadlines::{Deadline, Deadlines};
pub use effect::Effect;
pub use index::ChannelSlot;
pub use note::{CountNote, Deliver, HomeRef, Join, LocalRef, Note, Part, Publish, Status, Watch};
pub use note::{Stamp, Welcome, home_of};
pub use notice::Notice;
pub use options::{Limits, Options};
pub use pass::{Pass, Passed, Proof, Rated};
pub use presence::Presence;
pub use publish::{Relay, hash_of};
pub use quota::Bucket;
pub use state::{Happened, Hub};
