//! A new configuration for a shard that serves.

use super::run::Shard;
use crate::crossing::fresh::{Fresh, Step};
use crate::id::ClientId;
use crate::net;
use crate::protocol::Code;
use std::rc::Rc;
use std::time::Duration;

/// Clients closed before the other tasks of the shard get their turn.
const BATCH: usize = 64;

/// Does one step of a reload.
pub(super) fn reload(shard: &Rc<Shard>, fresh: &Fresh, step: Step) {
    if step == Step::Learn {
        if let Some(pusher) = &shard.pusher {
            pusher.learn(fresh);
        }
        return;
    }
    shard.live.set(fresh.live);
    let live = &fresh.live;
    (shard.flush_delay).set(Duration::from_micros(live.flush_delay_us));
    let sockets = &shard.sockets;
    sockets.set_limits(live.outbox_bytes, live.timing, live.control_frames);
    let Some(pusher) = &shard.pusher else { return };
    let ended = pusher.switch(fresh);
    if !ended.is_empty() {
        net::spawn(close_ended(Rc::clone(shard), ended));
    }
}

/// Closes the clients of apps that are served no more; there may be very many of them.
async fn close_ended(shard: Rc<Shard>, clients: Vec<ClientId>) {
    for batch in clients.chunks(BATCH) {
        for client in batch {
            shard.sockets.close_with(*client, Code::AppDisabled);
        }
        net::look_around().await;
    }
}
