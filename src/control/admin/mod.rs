//! The admin port: metrics for Prometheus, answers to whoever asks whether this server lives and
//! should be sent traffic, and the dashboard. Its own listener, so that it is never open to who may
//! connect to the other one; on the control thread, so that it answers when every shard is busy.

mod answer;
mod dashboard;
mod guard;
mod health;
mod known;
mod lobby;
mod measure;
mod plan;
mod serve;

pub use health::Health;
pub use plan::{Listener, Log, Plan, SetLevel};
pub(super) use serve::start;
