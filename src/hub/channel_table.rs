//! Channels by name: a slab whose slots are found by app and name, and whose stale references are
//! recognised by their generation. Both sides of the hub keep their channels in one.

use crate::id::AppSlot;
use hashbrown::HashTable;

/// A channel as its app and name, with the hash that decides its home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelName {
    /// The app it belongs to.
    pub app: AppSlot,
    /// Keyed hash of app and name, the same on all shards.
    pub hash: u64,
    /// The full name.
    pub name: Box<str>,
}

/// Something that is a channel.
pub trait Named {
    /// Which one.
    fn name(&self) -> &ChannelName;
}

/// The slab.
#[derive(Debug)]
pub struct ChannelTable<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    by_name: HashTable<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    channel: Option<Box<T>>,
}

impl<T> Default for ChannelTable<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_name: HashTable::new(),
        }
    }
}

impl<T: Named> ChannelTable<T> {
    /// Finds a channel by name.
    #[inline]
    #[must_use]
    pub fn find(&self, app: AppSlot, hash: u64, name: &[u8]) -> Option<u32> {
        let same = |slot: &u32| {
            let known = self.get(*slot).name();
            known.app == app && known.name.as_bytes() == name
        };
        self.by_name.find(hash, same).copied()
    }

    /// Adds a channel that is not in the table yet.
    pub fn insert(&mut self, channel: T) -> u32 {
        let hash = channel.name().hash;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                channel: None,
            });
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize].channel = Some(Box::new(channel));
        let slots = &self.slots;
        self.by_name
            .insert_unique(hash, slot, |slot| live(slots, *slot).name().hash);
        slot
    }

    /// Takes a channel out; references to it become stale.
    ///
    /// # Panics
    /// When it was freed before.
    pub fn remove(&mut self, slot: u32) -> Box<T> {
        let entry = &mut self.slots[slot as usize];
        entry.generation = entry.generation.wrapping_add(1);
        let gone = entry
            .channel
            .take()
            .expect("a live channel is removed once");
        let found = self
            .by_name
            .find_entry(gone.name().hash, |other| *other == slot);
        found.expect("live channels are found by name").remove();
        self.free.push(slot);
        self.release_memory();
        gone
    }

    /// The channel of a live slot.
    ///
    /// # Panics
    /// When the channel was removed.
    #[must_use]
    pub fn get(&self, slot: u32) -> &T {
        live(&self.slots, slot)
    }

    /// Same, to change it.
    ///
    /// # Panics
    /// When the channel was removed.
    pub fn get_mut(&mut self, slot: u32) -> &mut T {
        self.slots[slot as usize]
            .channel
            .as_mut()
            .expect("slots of live channels only")
    }

    /// The channel of a slot, unless nobody is there.
    #[must_use]
    pub fn get_live(&self, slot: u32) -> Option<&T> {
        self.slots.get(slot as usize)?.channel.as_deref()
    }

    /// Which channel of its slot this is.
    #[must_use]
    pub fn generation(&self, slot: u32) -> u32 {
        self.slots[slot as usize].generation
    }

    /// The slot, if the channel of that generation still lives there.
    #[must_use]
    pub fn resolve(&self, slot: u32, generation: u32) -> Option<u32> {
        let entry = self.slots.get(slot as usize)?;
        (entry.generation == generation && entry.channel.is_some()).then_some(slot)
    }

    /// One past the highest slot that was ever in use.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    /// How many channels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// A table that was huge once gives its index back when it is empty. Generations stay.
    fn release_memory(&mut self) {
        const KEPT: usize = 1024;
        if self.by_name.is_empty() && self.by_name.capacity() > KEPT {
            self.by_name = HashTable::new();
        }
    }
}

fn live<T>(slots: &[Slot<T>], slot: u32) -> &T {
    slots[slot as usize]
        .channel
        .as_ref()
        .expect("slots of live channels only")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Plain(ChannelName);

    impl Named for Plain {
        fn name(&self) -> &ChannelName {
            &self.0
        }
    }

    /// One hash for all: the table must tell names apart by themselves.
    fn named(text: &str) -> Plain {
        Plain(ChannelName {
            app: AppSlot(0),
            hash: 7,
            name: text.into(),
        })
    }

    #[test]
    fn names_with_one_hash_are_kept_apart() {
        let mut table = ChannelTable::default();
        let (a, b) = (table.insert(named("a")), table.insert(named("b")));
        assert_eq!(table.find(AppSlot(0), 7, b"a"), Some(a));
        assert_eq!(table.find(AppSlot(0), 7, b"b"), Some(b));
        assert_eq!(table.find(AppSlot(1), 7, b"a"), None);
        table.remove(a);
        assert_eq!(table.find(AppSlot(0), 7, b"a"), None);
        assert_eq!(table.find(AppSlot(0), 7, b"b"), Some(b));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn references_to_a_removed_channel_are_stale() {
        let mut table = ChannelTable::default();
        let a = table.insert(named("a"));
        let generation = table.generation(a);
        assert_eq!(table.resolve(a, generation), Some(a));
        table.remove(a);
        assert!(table.get_live(a).is_none());
        assert_eq!(table.insert(named("a")), a);
        assert_eq!(table.resolve(a, generation), None);
        assert!(table.get_live(99).is_none() && table.resolve(99, 0).is_none());
    }
}
