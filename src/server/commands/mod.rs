//! The commands of the program beside the server itself: what an operator or a newcomer types.
//!
//! ```text
//! line      which commands there are, and which one was asked for
//! context   what every command may know: the program's name, flags, variables
//! ending    how a command ends: exit codes, and what is said
//! reach     where a running server is, and with which app: out of its own configuration
//! dial      a connection to it, in clear or over TLS
//! ...       one file for each command
//! ```
//!
//! None of them runs a shard. Invariant: what a command prints as its answer goes to the standard
//! output, everything else to the standard error, so that an answer can be piped.

mod apps;
mod check;
mod context;
mod dial;
mod documents;
mod ending;
mod health;
mod line;
mod listen;
mod listener;
mod reach;
mod rest;
mod running;
mod shell;
mod sign;
mod signature;
mod terminal;
mod trigger;
mod version;

pub(super) use check::check;
pub(super) use context::Context;
pub(super) use ending::Failure;
pub(super) use line::{Asked, Own, Refused, parse};
pub(super) use terminal::{complain, say, written};
