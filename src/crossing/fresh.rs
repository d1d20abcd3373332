//! What a reload brings to a shard: the apps to serve from now on, and the limits that may change
//! while it runs. A shard starts with the same.

use crate::app::App;
use crate::conn::Timing;
use crate::http;
use crate::hub;
use crate::id::AppSlot;
use crate::protocol::Code;
use crate::ws::deflate::Deflate;

/// A whole new configuration for shards, made and checked before any of them sees it.
#[derive(Debug)]
pub struct Fresh {
    /// The apps and their slots, the same on every shard. One that is not in it is served no more.
    pub apps: Vec<(AppSlot, App)>,
    /// The limits.
    pub live: Live,
}

/// What may change while a shard runs. Times are in milliseconds, sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Live {
    /// Bytes that may wait for one connection.
    pub outbox_bytes: usize,
    /// How long each stage of a connection's life may last.
    pub timing: Timing,
    /// Limits of requests.
    pub http: http::Limits,
    /// Limits of the hub.
    pub hub: hub::Limits,
    /// Limits of the Pusher application.
    pub pusher: PusherLimits,
    /// How the shard ends.
    pub drain: Drain,
    /// Pings of one client in a second, if they are bounded.
    pub control_frames: Option<u32>,
    /// Connections it accepts in a second; the rest wait in the backlog.
    pub accept_per_second: Option<u32>,
    /// Microseconds for which it gathers what is to be written; 0 writes at the end of each turn.
    pub flush_delay_us: u64,
}

/// What the Pusher application may have changed while it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PusherLimits {
    /// Bytes of the largest message a client may send; of a client, as it was when it came.
    pub message_bytes: usize,
    /// Milliseconds of silence past an app's activity timeout before a client is pinged (W15).
    pub activity_grace_ms: u64,
    /// Largest difference between a request's time stamp and the clock, in seconds (A10); 0 looks
    /// at no clock.
    pub rest_clock_s: u64,
    /// Whether a signed request is served only once.
    pub replay_guard: bool,
    /// Requests of one address in a minute that cannot be believed, before they are told no reason
    /// any more; `None` is no limit.
    pub auth_failures: Option<u32>,
    /// How messages are compressed for clients that offer it, if they are.
    pub deflate: Option<Deflate>,
}

/// How a stop ends the WebSockets of a shard (W22).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drain {
    /// Milliseconds over which the closes are spread; if none are given, one for each client of
    /// the shard, and [`SPREAD_MS_MAX`] at most.
    pub spread_ms: Option<u64>,
    /// What clients are told.
    pub code: Code,
    /// Milliseconds that handlers get for their `on_stop`.
    pub stop_wait_ms: u64,
}

/// Longest time over which closes are spread when nobody says for how long.
pub const SPREAD_MS_MAX: u64 = 3_000;

/// One of the two steps in which all shards take over a [`Fresh`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Know the slots of new apps, and serve as before.
    Learn,
    /// Serve the new list by the new limits.
    Switch,
}
