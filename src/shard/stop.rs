//! The end of a shard: clients are told, what was sent still leaves, then everything closes.

use super::run::Shard;
use crate::net::pause_ms;
use crate::protocol::Code;

/// How long clients get to end their connections before they are ended for them.
const GRACE_MS: u64 = 5_000;

/// How long handlers get to hear of the ends of those that did not.
const LAST_MS: u64 = 1_000;

/// Turns in which a shard takes what others have sent last.
const LAST_TURNS: usize = 3;

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
    end_turn(shard);
}

/// Ends: no shard has a connection any more. What others have sent last is taken, and what follows
/// from it is told.
pub(super) async fn end(shard: &Shard) {
    for _ in 0..LAST_TURNS {
        pause_ms(1).await; // the pump takes what has come
        end_turn(shard);
    }
}

/// Ends the turn at once: the task that does so otherwise may not run any more.
fn end_turn(shard: &Shard) {
    if let Some(pusher) = &shard.pusher {
        pusher.end_turn();
    }
    shard.mesh.end_turn();
}
