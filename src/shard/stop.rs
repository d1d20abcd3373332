//! The end of a shard: clients are told, what was sent still leaves, then everything closes.

use super::run::Shard;
use crate::crossing::ToShard;
use crate::crossing::fresh::SPREAD_MS_MAX;
use crate::handler::{Boxed, Mount};
use crate::id::{ClientId, ShardId};
use crate::net::pause_ms;
use futures_lite::FutureExt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll};

/// How often clients are closed while the closes are spread.
const WAVE_MS: u64 = 10;

/// How long clients get to end their connections before they are ended for them.
const GRACE_MS: u64 = 5_000;

/// How long handlers get to hear of the ends of those that did not.
const LAST_MS: u64 = 1_000;

/// Turns in which a shard takes what others have sent last.
const LAST_TURNS: usize = 3;

/// How often it is looked whether handlers are done.
const FAREWELL_MS: u64 = 1;

/// Stops: on_stop, then a close for every WebSocket, in waves, then a deadline.
pub(super) async fn stop(shard: &Shard) {
    shard.stopping.set(true);
    if let Some(pusher) = &shard.pusher {
        pusher.set_stopping();
    }
    shard.sockets.tell_stopping();
    tell_handlers(shard).await;
    shard.sockets.end_idle_requests();
    close_in_waves(shard).await;
    let deadline = shard.sockets.clock().now_ms() + GRACE_MS;
    while !shard.sockets.is_empty() && shard.sockets.clock().now_ms() < deadline {
        // Again each time: a handshake that was under way opens its WebSocket only now.
        close_all(shard, &shard.sockets.clients(None));
        pause_ms(WAVE_MS).await;
    }
    shard.sockets.shutdown_all();
    // Their tasks see the end now, and tell their handlers.
    let deadline = shard.sockets.clock().now_ms() + LAST_MS;
    while !shard.sockets.is_empty() && shard.sockets.clock().now_ms() < deadline {
        pause_ms(10).await;
    }
    end_turn(shard);
}

/// Runs every handler's on_stop, all at once, and waits until those of all shards are done or
/// their time is up: what one of them sends to a client of another shard still arrives there
/// before the close.
async fn tell_handlers(shard: &Shard) {
    let deadline = shard.sockets.clock().now_ms() + shard.live.get().drain.stop_wait_ms;
    let mut farewells = Farewells::new(shard.router.mounts());
    let all = poll_fn(|cx| farewells.poll(cx));
    let late = async {
        while shard.sockets.clock().now_ms() < deadline {
            pause_ms(FAREWELL_MS).await;
        }
    };
    all.or(late).await;
    farewells.give_up(shard.live.get().drain.stop_wait_ms);
    let own = shard.mesh.shard();
    let others = shard.mesh.shards() - 1;
    for other in (0..=others).map(ShardId).filter(|it| *it != own) {
        shard.mesh.send(other, ToShard::Farewell);
    }
    while shard.farewells.get() < others && shard.sockets.clock().now_ms() < deadline {
        pause_ms(FAREWELL_MS).await;
    }
}

/// Handlers that run their on_stop.
struct Farewells {
    mounts: Vec<Rc<dyn Mount>>,
    running: Vec<Option<Boxed<'static, ()>>>,
}

impl Farewells {
    fn new(mounts: Vec<Rc<dyn Mount>>) -> Self {
        let stop = |mount: &Rc<dyn Mount>| {
            let mount = Rc::clone(mount);
            let stop: Boxed<'static, ()> = Box::pin(async move { mount.stop().await });
            Some(stop)
        };
        let running = mounts.iter().map(stop).collect();
        Self { mounts, running }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for running in &mut self.running {
            if let Some(stop) = running
                && stop.as_mut().poll(cx).is_ready()
            {
                *running = None;
            }
        }
        match self.running.iter().all(Option::is_none) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Drops what is not done; from here on there is only on_close for all of them.
    fn give_up(self, waited_ms: u64) {
        for (mount, running) in self.mounts.iter().zip(self.running) {
            if running.is_some() {
                let route = mount.pattern();
                tracing::warn!(
                    route,
                    waited_ms,
                    "on_stop takes too long: it is not waited for"
                );
                // What it holds may do anything as it is dropped.
                if catch_unwind(AssertUnwindSafe(|| drop(running))).is_err() {
                    tracing::error!(route, "on_stop panicked as it was dropped");
                }
            }
            mount.stopped();
        }
    }
}

/// Closes everybody who is here, evenly over the time there is: clients that come back at once or
/// after the same pause do not all come back together. Who waits for its turn is served meanwhile.
async fn close_in_waves(shard: &Shard) {
    let clients = shard.sockets.clients(None);
    let count = clients.len() as u64;
    let over_ms = shard
        .live
        .get()
        .drain
        .spread_ms
        .unwrap_or(count.min(SPREAD_MS_MAX));
    let start_ms = shard.sockets.clock().now_ms();
    let (mut closed, mut gaps) = (0, shard.seed);
    while closed < clients.len() {
        let passed_ms = shard.sockets.clock().now_ms() - start_ms;
        let due = due(count, over_ms, passed_ms) as usize;
        close_all(shard, &clients[closed..due]);
        closed = due;
        if closed < clients.len() {
            pause_ms(gap_ms(&mut gaps)).await;
        }
    }
}

/// The next pause between two waves, from a half to one and a half of [`WAVE_MS`]: shards, and
/// servers that are stopped together, do not close in step.
fn gap_ms(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    WAVE_MS / 2 + (*state >> 33) % (WAVE_MS + 1)
}

/// How many of `count` are closed when so much of the time has passed.
fn due(count: u64, over_ms: u64, passed_ms: u64) -> u64 {
    if passed_ms >= over_ms {
        return count;
    }
    count * passed_ms / over_ms
}

fn close_all(shard: &Shard, clients: &[ClientId]) {
    for client in clients {
        shard
            .sockets
            .close_with(*client, shard.live.get().drain.code);
    }
}

/// Ends: no shard has a connection any more. What others have sent last is taken, and what follows
/// from it is told. Then handlers' own tasks are cancelled.
pub(super) async fn end(shard: &Shard) {
    for _ in 0..LAST_TURNS {
        pause_ms(1).await; // the pump takes what has come
        end_turn(shard);
    }
    // When everybody goes at once there is more to tell than fits between two threads.
    let deadline = shard.sockets.clock().now_ms() + LAST_MS;
    let has_notices = || shard.pusher.as_ref().is_some_and(|it| it.has_notices());
    while has_notices() && shard.sockets.clock().now_ms() < deadline {
        pause_ms(1).await;
        end_turn(shard);
    }
    shard.local.spawned.end();
}

/// Ends the turn at once: the task that does so otherwise may not run any more.
fn end_turn(shard: &Shard) {
    if let Some(pusher) = &shard.pusher {
        pusher.end_turn();
    }
    shard.mesh.end_turn();
}

#[cfg(test)]
mod tests {
    use super::{WAVE_MS, due, gap_ms};

    #[test]
    fn closes_are_even_and_all_are_made_by_the_end() {
        // W22
        assert_eq!(due(10_000, 3_000, 0), 0);
        assert_eq!(due(10_000, 3_000, 10), 33);
        assert_eq!(due(10_000, 3_000, 1_500), 5_000);
        assert_eq!(due(10_000, 3_000, 2_999), 9_996);
        assert_eq!(due(10_000, 3_000, 3_000), 10_000);
        assert_eq!(
            due(10_000, 0, 0),
            10_000,
            "a spread of nothing is all at once"
        );
        assert_eq!(due(0, 0, 0), 0);
    }

    #[test]
    fn gaps_differ_and_are_no_longer_than_said() {
        let of = |mut seed: u64| -> Vec<u64> { (0..1000).map(|_| gap_ms(&mut seed)).collect() };
        let gaps = of(7);
        assert_eq!(gaps.iter().min(), Some(&(WAVE_MS / 2)));
        assert_eq!(gaps.iter().max(), Some(&(WAVE_MS * 3 / 2)));
        let mean = gaps.iter().sum::<u64>() / 1000;
        assert!(mean.abs_diff(WAVE_MS) <= 1, "{mean}");
        assert_ne!(gaps, of(8));
    }
}
