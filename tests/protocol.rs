//! The Pusher protocol on the wire, as a client sees it: greeting, refusals, frames, subscriptions.
//!
//! A real server and raw sockets; rule ids are those of the protocol reference (`W7`, `Q5`). Not
//! here: presence, client events and the REST API, which have programs of their own.

mod support;

#[path = "protocol/choices.rs"]
mod choices;
#[path = "protocol/compression.rs"]
mod compression;
#[path = "protocol/frames.rs"]
mod frames;
#[path = "protocol/handshake.rs"]
mod handshake;
#[path = "protocol/subscribe.rs"]
mod subscribe;
#[path = "protocol/unreadable.rs"]
mod unreadable;
