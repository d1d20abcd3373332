//! Events of one endpoint on their way into one body (K6).

use crate::hub::Notice;
use crate::protocol::webhook::{BODY_FRAME, Event};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Events of one body (K6).
pub(super) const EVENTS_MAX: usize = 100;

/// Bytes of one body (K6). An event that is larger has a body of its own.
pub(super) const BYTES_MAX: usize = 256 << 10;

/// Written events that become one body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Each as JSON.
    pub(super) events: Vec<Vec<u8>>,
    /// Whose order is to be kept: a hash of each channel's name, or of who else it is about.
    pub(super) about: Vec<u64>,
    bytes: usize,
    due_ms: u64,
}

impl Batch {
    /// Takes an event; appends to `full` what is complete by that. Without a window each event is.
    pub(super) fn add(
        &mut self,
        notice: &Notice,
        now_ms: u64,
        window_ms: Option<u64>,
        full: &mut Vec<Batch>,
    ) {
        let mut event = Vec::with_capacity(notice.event.size());
        notice.event.write(&mut event);
        if self.bytes + event.len() + 1 > BYTES_MAX {
            full.extend(self.finish());
        }
        if self.events.is_empty() {
            self.bytes = BODY_FRAME;
            self.due_ms = now_ms + window_ms.unwrap_or_default();
        }
        self.bytes += event.len() + 1;
        self.events.push(event);
        let about = about(&notice.event);
        if !self.about.contains(&about) {
            self.about.push(about);
        }
        if window_ms.is_none() || self.events.len() >= EVENTS_MAX || self.bytes >= BYTES_MAX {
            full.extend(self.finish());
        }
    }

    /// When its window is over.
    pub(super) fn due_ms(&self) -> Option<u64> {
        (!self.events.is_empty()).then_some(self.due_ms)
    }

    /// What has been gathered.
    pub(super) fn finish(&mut self) -> Option<Batch> {
        let batch = std::mem::take(self);
        (!batch.events.is_empty()).then_some(batch)
    }
}

/// What an event's order is kept among (K9): its channel, or its connection.
fn about(event: &Event) -> u64 {
    use crate::protocol::webhook::What;
    let mut hasher = DefaultHasher::new();
    match &event.what {
        What::ConnectionOpened(socket_id) => socket_id.hash(&mut hasher),
        What::ConnectionClosed(closed) => closed.socket_id.hash(&mut hasher),
        _ => event.channel.hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AppSlot, SocketId};
    use crate::protocol::webhook::{ClientEvent, What, body};

    fn notice(channel: &str, what: What) -> Notice {
        Notice {
            app: AppSlot(0),
            event: Event::of(channel, what),
        }
    }

    fn socket() -> SocketId {
        let parsed = SocketId::parse("1.1").expect("it has the form of one");
        parsed.expect("its numbers are in range")
    }

    fn large(bytes: usize) -> Notice {
        let event = ClientEvent {
            event: "client-a".into(),
            data: "x".repeat(bytes).into(),
            socket_id: socket(),
            user_id: None,
        };
        notice("private-a", What::ClientEvent(Box::new(event)))
    }

    fn added(batch: &mut Batch, notice: &Notice, now_ms: u64) -> Vec<usize> {
        let mut full = Vec::new();
        batch.add(notice, now_ms, Some(50), &mut full);
        full.iter().map(|full| full.events.len()).collect()
    }

    #[test]
    fn without_a_window_each_event_has_its_body() {
        // K6
        let (mut batch, mut full) = (Batch::default(), Vec::new());
        for channel in ["a", "b"] {
            batch.add(&notice(channel, What::CacheMiss), 0, None, &mut full);
        }
        assert_eq!(full.len(), 2);
        assert_eq!(
            full[1].events,
            [br#"{"name":"cache_miss","channel":"b"}"#.to_vec()]
        );
        assert_eq!(batch.due_ms(), None);
    }

    #[test]
    fn the_window_begins_with_its_first_event() {
        let mut batch = Batch::default();
        let none: [usize; 0] = [];
        assert_eq!(added(&mut batch, &notice("a", What::CacheMiss), 10), none);
        assert_eq!(added(&mut batch, &notice("a", What::CacheMiss), 40), none);
        assert_eq!(batch.due_ms(), Some(60));
        let finished = batch.finish().unwrap();
        assert_eq!((finished.events.len(), finished.about.len()), (2, 1));
        assert_eq!((batch.due_ms(), batch.finish()), (None, None));
        added(&mut batch, &notice("a", What::CacheMiss), 100);
        assert_eq!(batch.due_ms(), Some(150));
    }

    #[test]
    fn a_body_has_a_hundred_events_at_most() {
        let mut batch = Batch::default();
        for number in 1..=EVENTS_MAX {
            let full = added(&mut batch, &notice("a", What::CacheMiss), 0);
            assert_eq!(full.is_empty(), number < EVENTS_MAX, "{number}");
        }
        assert_eq!(batch.due_ms(), None);
    }

    #[test]
    fn a_body_has_a_quarter_of_a_mebibyte_at_most() {
        let mut full = Vec::new();
        let mut batch = Batch::default();
        for _ in 0..60 {
            batch.add(&large(10_000), 0, Some(50), &mut full);
        }
        full.extend(batch.finish());
        assert_eq!(full.iter().map(|full| full.events.len()).sum::<usize>(), 60);
        for full in &full {
            assert!(body(u64::MAX, &full.events).len() <= BYTES_MAX);
        }
        // As few bodies as that allows: 26 events of some 10,090 bytes fit into one.
        assert_eq!(full.len(), 3);
    }

    #[test]
    fn an_event_past_the_limit_goes_alone() {
        let mut batch = Batch::default();
        assert_eq!(added(&mut batch, &large(10), 0), [0usize; 0]);
        assert_eq!(added(&mut batch, &large(BYTES_MAX), 0), [1, 1]);
        assert_eq!(batch.due_ms(), None);
    }

    #[test]
    fn connections_have_an_order_of_their_own() {
        let opened = notice("", What::ConnectionOpened(socket()));
        let other = notice("", What::CacheMiss);
        assert_ne!(about(&opened.event), about(&other.event));
    }
}
