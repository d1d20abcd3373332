//! Messages and bodies of which a part is here and held until the rest comes: how much that is, and
//! for how long.

use super::sockets::Sockets;
use crate::id::ClientId;
use crate::limits::{HELD_BYTES_MIN, STREAMED_BODY_RATE_MIN};
use crate::metrics::Count;
use hashbrown::HashMap;

/// What is held of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    bytes: usize,
    since_ms: u64,
}

/// What is held of the clients of a shard.
#[derive(Debug, Default)]
pub(super) struct Unfinished(HashMap<ClientId, Held>);

impl Unfinished {
    fn set(&mut self, client: ClientId, bytes: usize, now_ms: impl FnOnce() -> u64) {
        if bytes < HELD_BYTES_MIN {
            if !self.0.is_empty() {
                self.0.remove(&client);
            }
            return;
        }
        let held = self.0.entry(client).or_insert_with(|| Held {
            bytes: 0,
            since_ms: now_ms(),
        });
        held.bytes = bytes;
    }

    pub(super) fn forget(&mut self, client: ClientId) {
        self.set(client, 0, || 0);
    }

    /// Bytes held of this client.
    pub(super) fn of(&self, client: ClientId) -> usize {
        self.0.get(&client).map_or(0, |held| held.bytes)
    }

    fn late(&self, now_ms: u64, grace_ms: u64) -> Vec<ClientId> {
        let late = |held: &Held| is_too_slow(held.bytes as u64, now_ms - held.since_ms, grace_ms);
        let all = self.0.iter();
        all.filter(|(_, held)| late(held))
            .map(|(client, _)| *client)
            .collect()
    }
}

/// Whether so many bytes have taken too long to arrive: there are `grace_ms`, and a second for each
/// so many bytes.
pub(crate) fn is_too_slow(received: u64, waited_ms: u64, grace_ms: u64) -> bool {
    let earned_ms = received.saturating_mul(1000) / STREAMED_BODY_RATE_MIN;
    waited_ms > grace_ms.saturating_add(earned_ms)
}

impl Sockets {
    /// So many bytes of this client are held until the rest of a message or body arrives. Few are
    /// not counted, for they end nearly every read of a busy client.
    pub(crate) fn holds(&self, client: ClientId, bytes: usize) {
        let now_ms = || self.clock().now_ms();
        self.unfinished.borrow_mut().set(client, bytes, now_ms);
    }

    /// Closes the WebSockets of which a message takes too long to arrive, but for those that are
    /// read at a pace: they take their time for that reason. Bodies have a deadline of their own.
    pub fn end_unfinished(&self) {
        let now_ms = self.clock().now_ms();
        let late = self.unfinished.borrow().late(now_ms, self.body_ms());
        for client in late {
            if self.is_open(client) && !self.is_paced(client) {
                self.counters().one(Count::MessageLate);
                self.close_abuser(client, "The message took too long");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ShardId;

    fn client(slot: u32) -> ClientId {
        ClientId::new(ShardId(0), 0, slot)
    }

    #[test]
    fn its_time_begins_with_the_first_part() {
        let mut held = Unfinished::default();
        held.set(client(1), HELD_BYTES_MIN, || 10);
        held.set(client(1), 2 * HELD_BYTES_MIN, || 5_000);
        assert_eq!(held.of(client(1)), 2 * HELD_BYTES_MIN);
        let earned_ms = 2 * HELD_BYTES_MIN as u64 * 1000 / STREAMED_BODY_RATE_MIN;
        assert_eq!(held.late(10 + 1_000 + earned_ms, 1_000), []);
        assert_eq!(held.late(11 + 1_000 + earned_ms, 1_000), [client(1)]);
    }

    #[test]
    fn what_was_finished_is_forgotten_and_little_is_not_counted() {
        let mut held = Unfinished::default();
        held.set(client(1), HELD_BYTES_MIN - 1, || 0);
        assert_eq!((held.of(client(1)), held.0.len()), (0, 0));
        held.set(client(1), HELD_BYTES_MIN, || 0);
        held.set(client(2), HELD_BYTES_MIN, || 0);
        held.set(client(1), 0, || 0);
        assert_eq!(held.late(u64::MAX, 0), [client(2)]);
        held.forget(client(2));
        // The next one has its own time.
        held.set(client(2), HELD_BYTES_MIN, || 90_000);
        assert_eq!(held.late(91_000, 1_000), []);
        held.forget(client(2));
        assert!(held.0.is_empty());
    }
}
