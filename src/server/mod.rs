//! Floor 8: from flags, files and variables to running threads.
//!
//! It decides and starts; it serves nothing itself. The order at start is: [`config`] (what was
//! asked for, exit code 78 when it makes no sense), [`placement`] (which core each shard gets),
//! [`preflight`] (whether this machine lets the shards run, exit code 69 when not), and only then
//! the first executor, followed by the [`banner`].

mod admin_bound_rows;
pub mod banner;
mod bound_rows;
mod bounds;
mod builder;
mod commands;
pub mod config;
mod doors;
mod handle;
#[cfg(feature = "testing")]
mod in_memory;
mod launch;
mod live;
mod log;
mod log_level;
mod log_queue;
pub mod placement;
pub mod preflight;
mod program;

pub use crate::handler::ServerHandle;
pub use bounds::{Bound, bounds};
pub use builder::{Builder, Server};
pub use handle::ServerError;
#[cfg(feature = "testing")]
pub(crate) use in_memory::{Desk, InMemory};
pub use program::Program;
