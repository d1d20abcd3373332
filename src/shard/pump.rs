//! The tasks that keep a shard going: notes in, turns ended, deadlines looked at.

use super::run::Shard;
use crate::crossing::admission::Level;
use crate::crossing::{Roll, ToShard};
use crate::http::Response;
use crate::id::ShardId;
use crate::metrics::{Count, Time};
use crate::net::{look_around, pause, pause_ms};
use crate::timer::wheel::TICK_MS;
use crate::ws::Frame;
use futures_lite::future::yield_now;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

/// Messages taken from one ring before the other tasks of the shard get their turn, and from all of
/// them before its sockets do.
const BATCH: usize = 256;

/// Takes what other shards send.
pub(super) async fn pump(shard: Rc<Shard>) {
    let mut inbox = Vec::new();
    let mut taken = 0;
    loop {
        poll_fn(|cx| shard.mesh.poll_receive(cx, BATCH, &mut inbox)).await;
        taken += inbox.len();
        for (from, message) in inbox.drain(..) {
            receive(&shard, from, message);
        }
        if taken < BATCH {
            yield_now().await;
        } else {
            // Shards that send all the time do not keep this one from its sockets.
            taken = 0;
            look_around().await;
        }
    }
}

fn receive(shard: &Shard, from: ShardId, message: ToShard) {
    let sockets = &shard.sockets;
    match message {
        ToShard::Hub(note) => match &shard.pusher {
            Some(pusher) => pusher.receive(from, note),
            None => tracing::error!(?note, "a note for a hub that is not mounted"),
        },
        ToShard::Send { client, frame } => {
            // Gone or full is the receiver's own business: the sender was told so.
            let _ = sockets.push(client, Frame::shared(frame));
        }
        ToShard::Broadcast {
            route,
            frame,
            except,
        } => {
            sockets.push_route(route, &except, &Frame::shared(frame));
        }
        ToShard::Multicast { clients, frame } => {
            sockets.push_all(clients.iter().copied(), &Frame::shared(frame));
        }
        ToShard::AskRoll {
            ticket,
            route,
            count_only,
        } => {
            let roll = match count_only {
                true => Roll::Count(sockets.count(route)),
                false => Roll::Clients(sockets.clients(Some(route)).into()),
            };
            shard.mesh.send(from, ToShard::Roll { ticket, roll });
        }
        ToShard::AskVitals { ticket, client } => {
            let roll = Roll::Vitals(sockets.vitals(client).map(Box::new));
            shard.mesh.send(from, ToShard::Roll { ticket, roll });
        }
        ToShard::AskRoom {
            ticket,
            client,
            empty,
        } => {
            let (here, about) = ((sockets, &shard.mesh), (client, empty));
            shard.rooms.ask(here, about, (from, ticket));
        }
        ToShard::GiveUpRoom {
            ticket,
            client,
            empty,
        } => shard.rooms.give_up(client, empty, (from, ticket)),
        ToShard::Table(note) => shard.local.tables.receive(note),
        ToShard::Roll { ticket, roll } => shard.rolls.answer(ticket, roll),
        ToShard::Close {
            client,
            code,
            reason,
        } => {
            sockets.close(client, code, &reason);
        }
        ToShard::Address(note) => shard.hear_address(from, note),
        ToShard::Probe { sent_us } => {
            let took_us = sockets.clock().stamp_us().wrapping_sub(sent_us);
            sockets.counters().time(Time::Hop, took_us.into());
        }
        ToShard::Farewell => shard.farewells.set(shard.farewells.get() + 1),
        ToShard::Stop | ToShard::End | ToShard::Reload { .. } => {
            tracing::error!("only the control thread stops a shard or changes its configuration");
        }
    }
}

/// Ends each turn in which something was left to do.
pub(super) async fn end_turns(shard: Rc<Shard>) {
    loop {
        poll_fn(|cx| shard.turn.poll(cx)).await;
        while end_turn(&shard) {
            look_around().await;
        }
    }
}

/// Ends a turn as far as its time allows; says whether more is to be written at once.
fn end_turn(shard: &Shard) -> bool {
    if let Some(pusher) = &shard.pusher {
        pusher.end_turn();
    }
    // Other shards write to their sockets while this one writes to its own.
    shard.mesh.end_turn();
    if shard.flush_delay.get().is_zero() {
        return flush(shard);
    }
    shard.flush.request();
    false
}

/// Writes as far as the time of a turn allows; says whether more is to be written.
fn flush(shard: &Shard) -> bool {
    let has_more = shard.sockets.flush();
    if let Some(pusher) = shard.pusher.as_ref().filter(|_| !has_more) {
        pusher.note_written();
    }
    has_more
}

/// Writes what has gathered, where that is not to be done at once.
pub(super) async fn flush_late(shard: Rc<Shard>) {
    loop {
        poll_fn(|cx| shard.flush.poll(cx)).await;
        pause(shard.flush_delay.get()).await;
        shard.flush.settle(); // whoever has asked in the meantime is served with this
        while flush(&shard) {
            look_around().await;
        }
    }
}

/// Looks at the deadlines that have come up.
pub(super) async fn tick(shard: Rc<Shard>) {
    let clock = shard.sockets.clock();
    let mut ticks = 0;
    loop {
        shard.sockets.pulse().beat();
        if let Some(pusher) = &shard.pusher {
            pusher.tick();
        }
        if shard.sockets.admission().memory() == Level::Hard {
            let closed = shard.sockets.close_fattest();
            if closed > 0 {
                tracing::warn!(closed, "memory is past the hard mark");
            }
        }
        shard.sockets.end_unfinished();
        probe(&shard, &mut ticks);
        let due_ms = clock.now_ms() + TICK_MS + 1; // a begun millisecond is not late
        let due = clock.since_start() + Duration::from_millis(TICK_MS);
        pause_ms(TICK_MS).await;
        let late = clock.since_start().saturating_sub(due);
        let lag_us = late.as_micros() as u64;
        shard.sockets.counters().time(Time::Lag, lag_us);
        let late_ms = clock.now_ms().saturating_sub(due_ms);
        shard.sockets.counters().add(Count::LateMs, late_ms);
        for (client, overdue) in shard.sockets.expire(request_timeout) {
            tracing::debug!(?client, ?overdue, "deadline passed");
        }
    }
}

/// Once a second, a message to one of the other shards, each in its turn: how long it takes is
/// counted there.
fn probe(shard: &Shard, ticks: &mut u64) {
    const EVERY: u64 = 1_000 / TICK_MS;
    let others = u64::from(shard.mesh.shards()) - 1;
    *ticks += 1;
    if others == 0 || !ticks.is_multiple_of(EVERY) || shard.stopping.get() {
        return;
    }
    let step = 1 + (*ticks / EVERY) % others;
    let to = (u64::from(shard.mesh.shard().0) + step) % (others + 1);
    let sent_us = shard.sockets.clock().stamp_us();
    shard
        .mesh
        .send(ShardId(to as u16), ToShard::Probe { sent_us });
}

/// The answer to a request that did not arrive in time.
fn request_timeout() -> Frame {
    let mut out = Vec::new();
    Response::text(408, "Request timeout\n")
        .with_close()
        .encode(false, false, &mut out);
    Frame::raw(&out)
}
