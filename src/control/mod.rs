//! The control thread: signals, orders to shards, their reports. A current-thread tokio runtime
//! for everything that is not the data plane; kept off the shards' cores where there are spare
//! ones.

mod bridge;
mod thread;
pub mod webhook;

pub use bridge::{Bridge, bridge};
pub use thread::{Control, Outcome};
