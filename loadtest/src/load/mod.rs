//! Loads: what is said on the connections, and what must come back. A scenario runs one or several.

pub mod client;
pub mod fan_out;
pub mod findings;
pub mod pairs;
pub mod presence;
pub mod publish;
pub mod publishers;
pub mod rounds;
pub mod traffic;
pub mod visitors;

pub use findings::Findings;
pub use traffic::{Load, Member};
