//! WebSocket (RFC 6455) as bytes and values: the opening handshake, frames out, messages in.
//!
//! Knows no socket. Inbound bytes are unmasked and parsed where they lie; outbound frames are
//! encoded once and shared by all who get them.

pub mod codec;
pub mod deflate;
pub mod frame;
pub mod handshake;
mod lent;
pub mod utf8;

pub use codec::{Decoder, Received};
pub use frame::Frame;
pub use lent::Frames;
