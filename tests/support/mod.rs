//! What the surface tests share: a real server in this process, and a client that knows no more
//! than sockets and bytes.
//!
//! Nothing here reads the server's own state. Every wait is a read with a time limit, so that a
//! test fails instead of hanging; nothing waits for a time to pass.

#![allow(
    dead_code,
    reason = "each test program uses its own part of this module"
)]

pub mod deflate;
pub mod http;
pub mod machine;
pub mod metrics;
pub mod pusher;
pub mod rest;
pub mod server;
pub mod sign;
pub mod vectors;
pub mod websocket;
pub mod wire;
