//! Handlers in memory: what the `testing` module promises to those who write tests with it.
//!
//! No sockets and no time here, but in `transcript`, which holds a scenario in memory against the
//! same one on sockets.

mod support;

#[path = "testing/calls.rs"]
mod calls;
#[path = "testing/faults.rs"]
mod faults;
#[path = "testing/order.rs"]
mod order;
#[path = "testing/room.rs"]
mod room;
#[path = "testing/shared.rs"]
mod shared;
#[path = "testing/stop.rs"]
mod stop;
#[path = "testing/time.rs"]
mod time;
#[path = "testing/transcript.rs"]
mod transcript;
#[path = "testing/web.rs"]
mod web;
