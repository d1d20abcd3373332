//! What a shard counts of each app.

use super::fanout::Pusher;
use crate::crossing::{AppMeasured, HubMeasured, OfApps};
use crate::id::AppSlot;
use std::cell::RefCell;

/// Of one app, since the shard's start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Connections that were opened.
    pub(super) opened: u64,
    /// Of those, the ones that have ended.
    pub(super) ended: u64,
    /// Messages of clients, and their bytes.
    pub(super) read: Amount,
    /// Frames for clients, and their bytes.
    pub(super) sent: Amount,
    /// Signed requests, and the bytes of their bodies.
    pub(super) calls: Amount,
    /// Bytes of the bodies of the answers, as far as they were made before they were sent.
    pub(super) answer_bytes: u64,
}

/// A number of things that have bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Amount {
    count: u64,
    bytes: u64,
}

impl Amount {
    /// So many more, of so many bytes each.
    pub(super) fn add(&mut self, count: usize, bytes_each: usize) {
        self.count += count as u64;
        self.bytes += (count * bytes_each) as u64;
    }
}

/// Of all apps, by their slot.
#[derive(Debug, Default)]
pub(super) struct Tallies(RefCell<Vec<Tally>>);

impl Tallies {
    /// Counts something of an app.
    pub(super) fn count(&self, app: AppSlot, count: impl FnOnce(&mut Tally)) {
        let mut tallies = self.0.borrow_mut();
        if tallies.len() <= app.index() {
            tallies.resize(app.index() + 1, Tally::default());
        }
        count(&mut tallies[app.index()]);
    }
}

impl Pusher {
    /// What this shard has counted of apps that it serves.
    #[must_use]
    pub fn measured(&self, of: &OfApps) -> HubMeasured {
        let hub = self.hub.borrow();
        let slots = match of {
            OfApps::All => hub.apps().served(),
            OfApps::Of(ids) => ids.iter().filter_map(|id| hub.apps().by_id(id)).collect(),
        };
        let apps = slots.into_iter().map(|app| {
            let mut tally = Tally::default();
            self.tallies.count(app, |it| tally = *it);
            AppMeasured {
                id: hub.apps().get(app).app.id.as_str().into(),
                connected: hub.connected(app),
                opened: tally.opened,
                ended: tally.ended,
                messages_read: tally.read.count,
                bytes_read: tally.read.bytes,
                messages_sent: tally.sent.count,
                bytes_sent: tally.sent.bytes,
                calls: tally.calls.count,
                call_bytes: tally.calls.bytes,
                answer_bytes: tally.answer_bytes,
                channels: hub.channels_of(app),
            }
        });
        HubMeasured {
            apps: apps.collect(),
            generation: hub.apps().generation(),
            cache_bytes: hub.cached_bytes(),
        }
    }
}
