//! The engine: one thread, one poll, any number of connections of any kind.
//!
//! It knows sockets, time and readiness, and nothing of what is said: that is for the loads.

pub mod check;
pub mod clock;
pub mod schedule;
pub mod sockets;
pub mod source;
pub mod timing;
pub mod turn;

pub use clock::Clock;
pub use sockets::{Ended, SocketNo, Sockets};
pub use turn::Engine;
