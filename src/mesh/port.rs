//! One shard's ends of all rings.

use super::bell::Bell;
use crate::conn::Turn;
use crate::crossing::ToShard;
use crate::id::ShardId;
use rtrb::{Consumer, Producer, PushError, RingBuffer};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// A shard's place in the mesh. Made on one thread, then moved to the shard's own.
pub struct Port {
    shard: ShardId,
    slots: usize,
    bells: Arc<[Bell]>,
    outgoing: Vec<Outgoing>,
    incoming: Vec<Incoming>,
}

struct Outgoing {
    ring: Producer<ToShard>,
    overflow: VecDeque<ToShard>,
    /// Set by us when the ring was full, cleared by the receiver when it made room.
    starved: Arc<AtomicBool>,
    /// Something was put into the ring since the bell rang last.
    unrung: bool,
}

struct Incoming {
    ring: Consumer<ToShard>,
    starved: Arc<AtomicBool>,
}

/// Makes the ports of `shards` shards, with rings of `slots` messages.
///
/// # Panics
/// When `shards` or `slots` is zero.
#[must_use]
pub fn mesh(shards: u16, slots: usize) -> Vec<Port> {
    assert!(
        shards > 0 && slots > 0,
        "a mesh has shards, and its rings have room"
    );
    let bells: Arc<[Bell]> = (0..shards).map(|_| Bell::default()).collect();
    let mut ports: Vec<Port> = (0..shards)
        .map(|shard| Port {
            shard: ShardId(shard),
            slots,
            bells: Arc::clone(&bells),
            outgoing: Vec::new(),
            incoming: Vec::new(),
        })
        .collect();
    for from in 0..ports.len() {
        for to in 0..ports.len() {
            // A shard's notes to itself never get here, so its own ring is as small as can be.
            let (producer, consumer) = RingBuffer::new(if from == to { 1 } else { slots });
            let starved = Arc::new(AtomicBool::new(false));
            ports[from].outgoing.push(Outgoing {
                ring: producer,
                overflow: VecDeque::new(),
                starved: Arc::clone(&starved),
                unrung: false,
            });
            ports[to].incoming.push(Incoming {
                ring: consumer,
                starved,
            });
        }
    }
    ports
}

/// A port in use, shared by the tasks of its shard.
pub struct SharedPort {
    port: RefCell<Port>,
    turn: Rc<Turn>,
}

impl Port {
    /// The shard this port belongs to.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.outgoing.len() as u16
    }

    /// Shares the port among the tasks of its shard.
    #[must_use]
    pub fn share(self, turn: Rc<Turn>) -> SharedPort {
        SharedPort {
            port: RefCell::new(self),
            turn,
        }
    }

    fn send(&mut self, to: ShardId, message: ToShard) {
        let out = &mut self.outgoing[to.index()];
        out.unrung = true;
        // Behind what already waits, so that order is kept.
        let message = match out.overflow.is_empty() {
            true => match out.ring.push(message) {
                Ok(()) => return,
                Err(PushError::Full(message)) => message,
            },
            false => message,
        };
        out.overflow.push_back(message);
    }

    /// Moves overflows into rings that have room, and says whether publishers shall hold back.
    fn refill(&mut self) {
        let mut waiting = 0;
        for out in &mut self.outgoing {
            while let Some(message) = out.overflow.pop_front() {
                if let Err(PushError::Full(message)) = out.ring.push(message) {
                    out.overflow.push_front(message);
                    // Set before the second look: either we see the room, or the receiver
                    // sees the flag.
                    if !out.starved.swap(true, Ordering::SeqCst) {
                        continue;
                    }
                    break;
                }
                out.unrung = true;
            }
            waiting = waiting.max(out.overflow.len());
        }
        self.bells[self.shard.index()].press(waiting >= self.slots);
    }

    fn ring_bells(&mut self) {
        for (out, bell) in self.outgoing.iter_mut().zip(self.bells.iter()) {
            if std::mem::take(&mut out.unrung) {
                bell.ring();
            }
        }
    }

    fn drain(&mut self, limit: usize, into: &mut Vec<(ShardId, ToShard)>) {
        for (from, incoming) in self.incoming.iter_mut().enumerate() {
            let mut taken = 0;
            while taken < limit
                && let Ok(message) = incoming.ring.pop()
            {
                into.push((ShardId(from as u16), message));
                taken += 1;
            }
            if taken > 0 && incoming.starved.swap(false, Ordering::SeqCst) {
                self.bells[from].ring();
            }
        }
    }
}

impl SharedPort {
    /// The shard this port belongs to.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.port.borrow().shard
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.port.borrow().shards()
    }

    /// Hands a message to another shard. Never waits, never drops.
    pub fn send(&self, to: ShardId, message: ToShard) {
        self.port.borrow_mut().send(to, message);
        self.turn.request();
    }

    /// Whether publishers may add to what `to` has to do.
    #[must_use]
    pub fn has_room(&self, to: ShardId) -> bool {
        let port = self.port.borrow();
        let out = &port.outgoing[to.index()];
        out.overflow.len() < port.slots && !port.bells[to.index()].is_pressed()
    }

    /// Whether this shard has more to send to others than they take: who makes it send more
    /// shall wait.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        let port = self.port.borrow();
        port.bells[port.shard.index()].is_pressed()
    }

    /// Messages for other shards that these have not taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let port = self.port.borrow();
        let waits = |out: &Outgoing| {
            let taken = out.ring.buffer().capacity() - out.ring.slots();
            taken + out.overflow.len()
        };
        port.outgoing.iter().map(waits).sum()
    }

    /// Ends a turn: what was sent is made visible and its receivers are woken, once each.
    pub fn end_turn(&self) {
        let mut port = self.port.borrow_mut();
        port.refill();
        port.ring_bells();
    }

    /// Takes what has come in, at most `limit` from each shard; pending when there is nothing.
    /// Also woken when a full ring has room again, to move the overflow.
    pub fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        limit: usize,
        into: &mut Vec<(ShardId, ToShard)>,
    ) -> Poll<()> {
        let mut port = self.port.borrow_mut();
        port.drain(limit, into);
        if into.is_empty() {
            let port = &mut *port;
            port.bells[port.shard.index()].listen(cx.waker());
            port.drain(limit, into); // what came between the first look and the bell
        }
        if port.outgoing.iter().any(|out| !out.overflow.is_empty()) {
            self.turn.request();
        }
        if into.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Note;
    use crate::id::AppSlot;
    use std::task::Waker;

    fn message(number: u32) -> ToShard {
        ToShard::Hub(Note::Release(AppSlot(0), number))
    }

    fn number(message: &ToShard) -> u32 {
        match message {
            ToShard::Hub(Note::Release(_, number)) => *number,
            other => panic!("not sent by these tests: {other:?}"),
        }
    }

    fn pair(slots: usize) -> (SharedPort, SharedPort) {
        let mut ports = mesh(2, slots)
            .into_iter()
            .map(|port| port.share(Rc::default()));
        (ports.next().unwrap(), ports.next().unwrap())
    }

    fn receive(port: &SharedPort) -> Vec<u32> {
        let mut into = Vec::new();
        let _ = port.poll_receive(&mut Context::from_waker(Waker::noop()), 1000, &mut into);
        into.iter().map(|(_, message)| number(message)).collect()
    }

    #[test]
    fn nothing_is_lost_or_reordered_when_a_ring_is_full() {
        for slots in [1, 2, 3, 7] {
            let (a, b) = pair(slots);
            let mut seen = Vec::new();
            for round in 0..10 {
                for number in 0..10 {
                    a.send(ShardId(1), message(round * 10 + number));
                }
                a.end_turn();
                seen.extend(receive(&b));
            }
            for _ in 0..100 {
                a.end_turn();
                seen.extend(receive(&b));
            }
            assert_eq!(seen, (0..100).collect::<Vec<_>>(), "{slots} slots");
        }
    }

    #[test]
    fn a_full_ring_holds_publishers_back_everywhere_until_it_is_empty_again() {
        // F33
        let (a, b) = pair(4);
        for number in 0..7 {
            a.send(ShardId(1), message(number));
        }
        a.end_turn();
        assert!(
            a.has_room(ShardId(1)),
            "three wait: fewer than a ring's worth"
        );
        a.send(ShardId(1), message(7));
        a.end_turn();
        assert!(!a.has_room(ShardId(1)));
        assert!(
            !b.has_room(ShardId(0)),
            "what goes to a may have to go on to b"
        );
        assert_eq!(receive(&b), [0, 1, 2, 3]);
        a.end_turn();
        assert!(a.has_room(ShardId(1)) && b.has_room(ShardId(0)));
        assert_eq!(receive(&b), [4, 5, 6, 7]);
    }

    #[test]
    fn the_sender_is_woken_when_its_ring_has_room() {
        struct Count(std::sync::atomic::AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (a, b) = pair(1);
        let count = Arc::new(Count(0.into()));
        let waker = Waker::from(Arc::clone(&count));
        let mut nothing = Vec::new();
        let waits = a.poll_receive(&mut Context::from_waker(&waker), 10, &mut nothing);
        assert!(waits.is_pending());
        a.send(ShardId(1), message(0));
        a.send(ShardId(1), message(1));
        a.end_turn();
        assert_eq!(receive(&b), [0]);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        a.end_turn();
        assert_eq!(receive(&b), [1]);
    }

    #[test]
    fn two_threads_agree_on_everything() {
        let mut ports = mesh(2, 8).into_iter();
        let (a, b) = (ports.next().unwrap(), ports.next().unwrap());
        const COUNT: u32 = 20_000;
        let sender = std::thread::spawn(move || {
            let a = a.share(Rc::default());
            for number in 0..COUNT {
                a.send(ShardId(1), message(number));
                a.end_turn();
                let _ = receive(&a);
            }
            while a.port.borrow().outgoing[1].overflow.front().is_some() {
                a.end_turn();
                std::thread::yield_now();
            }
        });
        let b = b.share(Rc::default());
        let mut seen = Vec::new();
        while seen.len() < COUNT as usize {
            seen.extend(receive(&b));
        }
        sender.join().unwrap();
        assert_eq!(seen, (0..COUNT).collect::<Vec<_>>());
    }
}
