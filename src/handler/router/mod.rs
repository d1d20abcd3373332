//! Paths to handlers and functions.
//!
//! A pattern is a path whose segments may be `{name}` (any one segment that is not empty) and whose
//! last may be `*` (whatever follows, nothing included). Which route is meant does not depend on
//! the order of mounting: segment by segment, what is written out goes before `{name}`, and
//! `{name}` before `*`. Only then the method is looked at.
//!
//! Not here: what a handler does ([`Handler`](super::Handler)) and what stands before it
//! ([`Middleware`](super::Middleware)).
//!
//! Invariants:
//! - Finding allocates nothing, and its cost grows with the segments of the path and the logarithm
//!   of the routes, not with their number.
//! - Two routes that mean the same requests are found out at the start, never at a request.

mod entry;
mod finding;
mod function;
mod host;
mod into_response;
mod pattern;
mod placed;
mod routing;
mod scope;
mod tables;
mod tree;

pub use into_response::{IntoResponse, Json};
pub use placed::Placed;
pub use routing::Router;

pub(crate) use entry::Found;
pub(super) use entry::{End, may_use};
pub(super) use function::{internal_error, or_500};
