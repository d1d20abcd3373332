//! The task that does what server handles ask for.

use super::run::Shard;
use crate::control::CallQueue;
use crate::crossing::{Call, HubMeasured, OfApps};
use crate::net::look_around;
use std::convert::Infallible;
use std::rc::Rc;

/// Calls done before the other tasks of the shard get their turn.
const BATCH: usize = 64;

/// Takes calls as long as the shard lives. While other shards do not keep up they stay in their
/// queue, which is bounded: then callers are told that it is full.
pub(super) async fn take_calls(shard: Rc<Shard>, calls: CallQueue) -> Infallible {
    let routes = shard.router.mounts().len();
    loop {
        let mut next = Some(calls.next().await);
        let mut left = BATCH;
        while let Some(call) = next {
            take_call(&shard, call, routes);
            left -= 1;
            next = if left == 0 { None } else { calls.try_next() };
        }
        look_around().await;
        shard.local.relieved().await;
    }
}

fn take_call(shard: &Shard, call: Call, routes: usize) {
    match (call, &shard.pusher) {
        (Call::Inquire(inquiry), Some(pusher)) => pusher.inquire(inquiry),
        (Call::Follow(follow), Some(pusher)) => pusher.follow(follow),
        (call, pusher) => {
            let pusher = pusher.as_ref();
            let hub = |of: &OfApps| match pusher {
                Some(pusher) => pusher.measured(of),
                None => HubMeasured::default(),
            };
            shard.local.serve(call, routes, hub);
        }
    }
}
