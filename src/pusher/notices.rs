//! What this shard's webhooks are to be told of, on its way to the control thread.
//!
//! Notices are gathered through a turn and handed over in one batch at its end. When the control
//! thread does not keep up they wait here, up to a bound; past it new ones are dropped and
//! counted. Nothing waits for anybody (section 9).

use crate::crossing::Notices;
use crate::hub::Notice;
use crate::limits::NOTICE_BATCH_BYTES;
use std::cell::{Cell, RefCell};

/// The shard's end of the way.
#[derive(Debug)]
pub(super) struct Outlet {
    to: flume::Sender<Notices>,
    waiting: RefCell<Vec<Notice>>,
    bytes: Cell<usize>,
    dropped: Cell<u64>,
}

impl Outlet {
    pub(super) fn new(to: flume::Sender<Notices>) -> Self {
        Self {
            to,
            waiting: RefCell::default(),
            bytes: Cell::new(0),
            dropped: Cell::new(0),
        }
    }

    /// Takes a notice, unless too many wait.
    pub(super) fn add(&self, notice: Notice) {
        let bytes = self.bytes.get() + notice.event.size();
        if bytes > NOTICE_BATCH_BYTES {
            self.dropped.set(self.dropped.get() + 1);
            return;
        }
        self.bytes.set(bytes);
        self.waiting.borrow_mut().push(notice);
    }

    /// Hands over what waits, if there is room for it.
    pub(super) fn hand_over(&self) {
        let dropped = self.dropped.get();
        if dropped == 0 && self.waiting.borrow().is_empty() {
            return;
        }
        let notices = Notices {
            notices: self.waiting.take(),
            dropped,
        };
        match self.to.try_send(notices) {
            Ok(()) => {
                self.bytes.set(0);
                self.dropped.set(0);
            }
            // It is tried again at the end of the next turn, and some times a second anyhow.
            Err(flume::TrySendError::Full(back)) => *self.waiting.borrow_mut() = back.notices,
            // Nobody takes notices any more: the process is ending.
            Err(flume::TrySendError::Disconnected(_)) => self.bytes.set(0),
        }
    }

    /// Whether something waits to be handed over.
    pub(super) fn has_work(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AppSlot;
    use crate::protocol::webhook::{Event, What};

    fn notice(channel: &str) -> Notice {
        Notice {
            app: AppSlot(0),
            event: Event::of(channel, What::ChannelOccupied),
        }
    }

    fn channels(notices: &Notices) -> Vec<&str> {
        let channels = notices.notices.iter().map(|notice| &*notice.event.channel);
        channels.collect()
    }

    #[test]
    fn a_turns_notices_go_in_one_batch() {
        let (to, from) = flume::bounded(1);
        let outlet = Outlet::new(to);
        outlet.hand_over();
        assert!(from.is_empty() && !outlet.has_work());
        outlet.add(notice("a"));
        outlet.add(notice("b"));
        assert!(outlet.has_work());
        outlet.hand_over();
        assert!(!outlet.has_work());
        assert_eq!(channels(&from.recv().unwrap()), ["a", "b"]);
    }

    #[test]
    fn with_a_full_queue_notices_wait_in_order() {
        let (to, from) = flume::bounded(1);
        let outlet = Outlet::new(to);
        for name in ["a", "b", "c"] {
            outlet.add(notice(name));
            outlet.hand_over(); // only the first has room
        }
        assert_eq!(channels(&from.recv().unwrap()), ["a"]);
        outlet.hand_over();
        let second = from.recv().unwrap();
        assert_eq!((channels(&second), second.dropped), (vec!["b", "c"], 0));
    }

    #[test]
    fn past_the_bound_new_notices_are_dropped_and_counted() {
        let (to, from) = flume::bounded(1);
        let outlet = Outlet::new(to);
        outlet.add(notice("first"));
        outlet.hand_over();
        let name = "x".repeat(1000);
        let room = NOTICE_BATCH_BYTES / notice(&name).event.size();
        for _ in 0..room {
            outlet.add(notice(&name));
            outlet.hand_over();
        }
        assert_eq!(outlet.dropped.get(), 0);
        outlet.add(notice(&name));
        outlet.add(notice(&name));
        assert_eq!(outlet.dropped.get(), 2);
        assert_eq!(from.recv().unwrap().dropped, 0);
        outlet.hand_over();
        let second = from.recv().unwrap();
        assert_eq!((second.notices.len(), second.dropped), (room, 2));
        outlet.add(notice("room again"));
        outlet.hand_over();
        let third = from.recv().unwrap();
        assert_eq!((channels(&third), third.dropped), (vec!["room again"], 0));
    }

    #[test]
    fn nothing_is_kept_for_a_control_thread_that_is_gone() {
        let (to, from) = flume::bounded(1);
        drop(from);
        let outlet = Outlet::new(to);
        outlet.add(notice("a"));
        outlet.hand_over();
        assert!(!outlet.has_work() && outlet.bytes.get() == 0);
    }
}
