//! The Pusher protocol as text and values: names, codes, signatures, commands, events.
//!
//! Nothing here knows a connection, a channel's subscribers or the time; rule ids in comments
//! (`S4`, `W17`) are those of docs/protocol.md.

pub mod auth;
pub mod channel_name;
pub mod code;
pub mod command;
pub mod event;
pub mod json;
pub mod member;
pub mod publish;
pub mod user;
pub mod webhook;

pub use channel_name::{ChannelKind, NameError};
pub use code::Code;
pub use command::{Command, Parser};
