//! The end of a shard: clients are told, what was sent still leaves, then everything closes.

use super::run::Shard;
use crate::net::pause_ms;
use crate::protocol::Code;

/// How long clients get to end their connections before they are ended for them.
const GRACE_MS: u64 = 5_000;

/// How long handlers get to hear of the ends of those that did not.
const LAST_MS: u64 = 1_000;

/// Stops: on_stop, then a close for every WebSocket, then a deadline.
///
/// No successor is known, so clients are told to come back after a pause (W22): 4200 would make
/// them try at once, and find nobody.
pub(super) async fn stop(shard: &Shard) {
    shard.stopping.set(true);
    for mount in shard.router.mounts() {
        mount.stop().await;
    }
    let deadline = shard.sockets.clock().now_ms() + GRACE_MS;
    shard.sockets.end_idle_requests();
    while !shard.sockets.is_empty() && shard.sockets.clock().now_ms() < deadline {
        // Again each time: a handshake that was under way opens its WebSocket only now.
        for client in shard.sockets.clients(None) {
            shard.sockets.close_with(client, Code::OverCapacity);
        }
        pause_ms(10).await;
    }
    shard.sockets.shutdown_all();
    // Their tasks see the end now, and tell their handlers.
    let deadline = shard.sockets.clock().now_ms() + LAST_MS;
    while !shard.sockets.is_empty() && shard.sockets.clock().now_ms() < deadline {
        pause_ms(10).await;
    }
}
