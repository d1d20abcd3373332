//! The Pusher application: a [`Handler`](crate::handler::Handler) for `/app/{key}` and the REST
//! API, around one shard's [`Hub`](crate::hub::Hub).
//!
//! The hub decides, this module carries out: frames into outboxes, notes into the mesh, answers
//! to whoever asked.

mod api;
mod app;
mod connect;
mod fanout;
mod frames;
mod notices;
mod tallies;
mod tap;

pub use api::{Refused, Rules, Signed, Verified, authenticate};
pub use app::{Options, mount};
pub use fanout::Pusher;
