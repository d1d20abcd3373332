//! Who on this shard listens to what: (app, channel) to subscribers.
//!
//! A channel is here while it has subscribers, subscriptions under way, or joins that its home
//! has not answered. Removing a subscriber is constant in time: the last of the list takes its
//! place, and the subscription that pointed there is told by the caller.

use super::channel_table::{ChannelName, ChannelTable, Named};
use super::note::{HomeRef, LocalRef};
use crate::id::{AppSlot, ClientId};
use crate::protocol::ChannelKind;

/// A channel's place in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelSlot(pub u32);

/// One local subscriber: the connection, and which of its subscriptions this is.
#[derive(Clone, Copy, Debug)]
pub struct Subscriber {
    /// The connection.
    pub client: ClientId,
    /// Place in its list of subscriptions.
    pub subscription: u32,
}

// Held for every channel that a connection listens to.
const _: () = assert!(size_of::<Subscriber>() <= 16);

/// A channel as this shard sees it.
#[derive(Debug)]
pub struct Channel {
    /// App, name and hash.
    pub name: ChannelName,
    /// What the name says.
    pub kind: ChannelKind,
    /// Where it is at its home, once the home has answered.
    pub home: Option<HomeRef>,
    /// Everybody who gets its events.
    pub subscribers: Vec<Subscriber>,
    /// Subscriptions that wait for the home.
    pub waiting: Vec<ClientId>,
    /// Joins the home has not answered yet.
    pub joins_open: u32,
    /// The count the home was told last.
    pub reported: u32,
    /// Whether it is in the list of changed channels.
    pub changed: bool,
    /// Whether somebody came whom the home has not been told of: with another who went, the count
    /// is the same and has to be told all the same.
    pub newcomer: bool,
}

impl Channel {
    /// What the home is told: subscribers, those under way included.
    #[must_use]
    pub fn count(&self) -> u32 {
        (self.subscribers.len() + self.waiting.len()) as u32
    }
}

impl Named for Channel {
    fn name(&self) -> &ChannelName {
        &self.name
    }
}

/// The table of channels and their subscribers.
#[derive(Debug, Default)]
pub struct Index {
    channels: ChannelTable<Channel>,
    changed: Vec<u32>,
}

impl Index {
    /// Finds a channel by name.
    #[inline]
    #[must_use]
    pub fn find(&self, app: AppSlot, hash: u64, name: &str) -> Option<ChannelSlot> {
        self.channels
            .find(app, hash, name.as_bytes())
            .map(ChannelSlot)
    }

    /// Makes a channel that is not in the table yet.
    pub fn insert(&mut self, name: ChannelName, kind: ChannelKind) -> ChannelSlot {
        ChannelSlot(self.channels.insert(Channel {
            name,
            kind,
            home: None,
            subscribers: Vec::new(),
            waiting: Vec::new(),
            joins_open: 0,
            reported: 0,
            changed: false,
            newcomer: false,
        }))
    }

    /// Frees a channel; references to it become stale.
    pub fn remove(&mut self, channel: ChannelSlot) {
        drop(self.channels.remove(channel.0));
    }

    /// The channel of a live slot.
    ///
    /// # Panics
    /// When the channel was removed.
    #[must_use]
    pub fn get(&self, channel: ChannelSlot) -> &Channel {
        self.channels.get(channel.0)
    }

    /// Same, to change it.
    ///
    /// # Panics
    /// When the channel was removed.
    pub fn get_mut(&mut self, channel: ChannelSlot) -> &mut Channel {
        self.channels.get_mut(channel.0)
    }

    /// The app of a channel, unless it is gone.
    #[must_use]
    pub fn app(&self, channel: ChannelSlot) -> Option<AppSlot> {
        Some(self.channels.get_live(channel.0)?.name.app)
    }

    /// The subscribers of a channel; nobody when it is gone.
    #[must_use]
    pub fn subscribers(&self, channel: ChannelSlot) -> &[Subscriber] {
        self.channels
            .get_live(channel.0)
            .map_or(&[], |channel| &channel.subscribers)
    }

    /// What another shard may use to name this channel.
    #[must_use]
    pub fn local_ref(&self, channel: ChannelSlot) -> LocalRef {
        LocalRef {
            slot: channel.0,
            generation: self.channels.generation(channel.0),
        }
    }

    /// The channel behind such a reference, unless it is stale.
    #[must_use]
    pub fn resolve(&self, local: LocalRef) -> Option<ChannelSlot> {
        self.channels
            .resolve(local.slot, local.generation)
            .map(ChannelSlot)
    }

    /// Takes a subscriber out of its place. When another took the place, it is returned, so
    /// that its subscription can be told where it is now.
    pub fn remove_subscriber(&mut self, channel: ChannelSlot, at: u32) -> Option<Subscriber> {
        let subscribers = &mut self.get_mut(channel).subscribers;
        subscribers.swap_remove(at as usize);
        subscribers.get(at as usize).copied()
    }

    /// Remembers that the channel's count is to be told to its home at the turn's end.
    pub fn mark_changed(&mut self, channel: ChannelSlot) {
        let entry = self.get_mut(channel);
        if !entry.changed {
            entry.changed = true;
            self.changed.push(channel.0);
        }
    }

    /// The next channel whose count changed, unmarked.
    pub fn next_changed(&mut self) -> Option<ChannelSlot> {
        let channel = ChannelSlot(self.changed.pop()?);
        self.get_mut(channel).changed = false;
        Some(channel)
    }

    /// Whether counts wait for the turn's end.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// How many channels are here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channels.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ShardId;

    fn name(text: &str) -> ChannelName {
        ChannelName {
            app: AppSlot(0),
            hash: 7,
            name: text.into(),
        }
    }

    fn kind() -> ChannelKind {
        ChannelKind::of("x", 200).unwrap()
    }

    #[test]
    fn the_last_subscriber_takes_a_freed_place() {
        let mut index = Index::default();
        let a = index.insert(name("a"), kind());
        for slot in 0..3 {
            let client = ClientId::new(ShardId(0), 0, slot);
            index.get_mut(a).subscribers.push(Subscriber {
                client,
                subscription: slot,
            });
        }
        assert_eq!(index.remove_subscriber(a, 0).unwrap().subscription, 2);
        assert!(index.remove_subscriber(a, 1).is_none());
        assert_eq!(index.subscribers(a).len(), 1);
    }
}
