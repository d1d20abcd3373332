//! The last event of each cache channel, at its home (section 3.6): kept for its time whether or
//! not anybody listens, and no more of them than fit.
//!
//! Events with one time to live are in a list in the order of writing, which is the order in which
//! they run out; an event that is written anew goes to the list's end. So the event to drop, for
//! its age or for want of room, is always the first of some list, and there are as many lists as
//! there are different times to live among the apps.

use super::channel_table::{ChannelName, ChannelTable, Named};
use super::note::Publish;
use crate::protocol::event;
use std::ops::Range;
use std::sync::Arc;

/// Events that one [`Cache::sweep`] drops at most, so that no tick takes long.
const SWEPT: usize = 1024;

/// What an event takes beside its frame and its channel's name, roughly: the entry itself, its
/// place in the table, and what the allocator adds.
const ENTRY_BYTES: usize = size_of::<Cached>() + 64;

const NOBODY: u32 = u32::MAX;

/// The cached events of a shard.
#[derive(Debug)]
pub struct Cache {
    events: ChannelTable<Cached>,
    lists: Vec<List>,
    bytes: usize,
    bytes_max: usize,
    /// Counts what was written, to know which of two events is the older.
    writes: u64,
}

#[derive(Debug)]
struct Cached {
    channel: ChannelName,
    frame: Arc<[u8]>,
    data: Range<u32>,
    written_ms: u64,
    write: u64,
    list: u32,
    older: u32,
    newer: u32,
}

#[derive(Debug)]
struct List {
    ttl_ms: u64,
    oldest: u32,
    newest: u32,
}

/// A cached event, for backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedEvent {
    frame: Arc<[u8]>,
    data: Range<u32>,
    /// Seconds it will be kept, a part of one counted as a whole.
    pub ttl_s: u64,
}

impl CachedEvent {
    /// The data as a JSON string without its quotes: as it stands in the frame.
    #[must_use]
    pub fn escaped(&self) -> &[u8] {
        &self.frame[self.data.start as usize..self.data.end as usize]
    }
}

impl Named for Cached {
    fn name(&self) -> &ChannelName {
        &self.channel
    }
}

impl Cached {
    /// An entry that waits for its event, in no list.
    fn of(channel: ChannelName) -> Self {
        Self {
            channel,
            frame: Arc::from([]),
            data: 0..0,
            written_ms: 0,
            write: 0,
            list: 0,
            older: NOBODY,
            newer: NOBODY,
        }
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.frame.len() + self.channel.name.len()
    }
}

impl Cache {
    /// Bytes of all events in it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// An empty cache of so many bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            events: ChannelTable::default(),
            lists: Vec::new(),
            bytes: 0,
            bytes_max,
            writes: 0,
        }
    }

    /// Keeps so many bytes from now on. What is too much goes as it is swept.
    pub fn set_bytes(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// Keeps an event in place of the channel's last (C5). When there is no room, the oldest go; an
    /// event for which there is none at all is not kept, and neither is the one before it.
    pub fn store(&mut self, publish: &Publish, data_at: u32, ttl_ms: u64, now_ms: u64) {
        let name_at = publish.name_at as usize;
        let name = &publish.frame[name_at..name_at + publish.name_len as usize];
        let known = self.events.find(publish.app, publish.hash, name);
        if let Some(slot) = known {
            self.unlink(slot);
        }
        let bytes = ENTRY_BYTES + publish.frame.len() + name.len();
        if bytes > self.bytes_max {
            if let Some(slot) = known {
                self.events.remove(slot);
            }
            return;
        }
        let slot = known.unwrap_or_else(|| {
            let name = str::from_utf8(name).expect("legal names are ASCII");
            let channel = ChannelName {
                app: publish.app,
                hash: publish.hash,
                name: name.into(),
            };
            self.events.insert(Cached::of(channel))
        });
        let list = self.list(ttl_ms);
        self.writes += 1;
        let event = self.events.get_mut(slot);
        event.frame = Arc::clone(&publish.frame);
        event.data = data_at..event::data_end(name_at) as u32;
        (event.written_ms, event.write, event.list) = (now_ms, self.writes, list);
        self.link(slot);
        while self.bytes > self.bytes_max {
            let oldest = self.oldest().expect("what takes bytes is in a list");
            self.drop_event(oldest);
        }
    }

    /// The frame of a channel's last event, unless its time is over.
    #[must_use]
    pub fn frame(&self, channel: &ChannelName, now_ms: u64) -> Option<Arc<[u8]>> {
        let event = self.get(channel, now_ms)?;
        Some(Arc::clone(&event.frame))
    }

    /// Data and remaining time of the same (section 8.6).
    #[must_use]
    pub fn data(&self, channel: &ChannelName, now_ms: u64) -> Option<CachedEvent> {
        let event = self.get(channel, now_ms)?;
        let left_ms = self.ends_ms(event) - now_ms;
        Some(CachedEvent {
            frame: Arc::clone(&event.frame),
            data: event.data.clone(),
            ttl_s: left_ms.div_ceil(1000),
        })
    }

    /// Drops events whose time is over, a bounded number of them.
    pub fn sweep(&mut self, now_ms: u64) {
        let mut left = SWEPT;
        for list in 0..self.lists.len() {
            while let Some(event) = self.events.get_live(self.lists[list].oldest)
                && self.ends_ms(event) <= now_ms
                && left > 0
            {
                self.drop_event(self.lists[list].oldest);
                left -= 1;
            }
        }
        while self.bytes > self.bytes_max && left > 0 {
            let oldest = self.oldest().expect("what takes bytes is in a list");
            self.drop_event(oldest);
            left -= 1;
        }
    }

    /// How many events are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    fn get(&self, channel: &ChannelName, now_ms: u64) -> Option<&Cached> {
        let slot = self
            .events
            .find(channel.app, channel.hash, channel.name.as_bytes())?;
        let event = self.events.get(slot);
        (now_ms < self.ends_ms(event)).then_some(event)
    }

    fn ends_ms(&self, event: &Cached) -> u64 {
        event.written_ms + self.lists[event.list as usize].ttl_ms
    }

    /// The list of a time to live.
    fn list(&mut self, ttl_ms: u64) -> u32 {
        let known = self.lists.iter().position(|list| list.ttl_ms == ttl_ms);
        known.unwrap_or_else(|| {
            self.lists.push(List {
                ttl_ms,
                oldest: NOBODY,
                newest: NOBODY,
            });
            self.lists.len() - 1
        }) as u32
    }

    /// The event that was written first of all.
    fn oldest(&self) -> Option<u32> {
        let heads = self.lists.iter().map(|list| list.oldest);
        heads
            .filter(|slot| *slot != NOBODY)
            .min_by_key(|slot| self.events.get(*slot).write)
    }

    /// Puts an event at the end of its list.
    fn link(&mut self, slot: u32) {
        let event = self.events.get(slot);
        self.bytes += event.bytes();
        let list = &mut self.lists[event.list as usize];
        let before = std::mem::replace(&mut list.newest, slot);
        if before == NOBODY {
            list.oldest = slot;
        } else {
            self.events.get_mut(before).newer = slot;
        }
        let event = self.events.get_mut(slot);
        (event.older, event.newer) = (before, NOBODY);
    }

    /// Takes an event out of its list.
    fn unlink(&mut self, slot: u32) {
        let event = self.events.get(slot);
        self.bytes -= event.bytes();
        let (list, older, newer) = (event.list as usize, event.older, event.newer);
        if older == NOBODY {
            self.lists[list].oldest = newer;
        } else {
            self.events.get_mut(older).newer = newer;
        }
        if newer == NOBODY {
            self.lists[list].newest = older;
        } else {
            self.events.get_mut(newer).older = older;
        }
    }

    fn drop_event(&mut self, slot: u32) {
        self.unlink(slot);
        self.events.remove(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::note::Note;
    use crate::hub::publish::Relay;
    use crate::hub::{Effect, Hub, Options};
    use crate::id::{AppSlot, ShardId};
    use std::rc::Rc;

    const HOUR_MS: u64 = 3_600_000;

    /// A publish as it comes to a home, with the channel it is for.
    fn publish(app: u32, channel: &str, data: &str) -> (Publish, ChannelName) {
        let apps = Rc::new(crate::hub::AppTable::default());
        let mut hub = Hub::new(Options::new(ShardId(0), 1, [1, 2]), apps);
        let mut effects = Vec::new();
        let app = AppSlot(app);
        let relay = Relay {
            app,
            channel,
            event: "a \"name\"",
            data,
            user_id: None,
            except: None,
        };
        hub.publish(relay, &mut effects);
        match effects.pop() {
            Some(Effect::Post {
                note: Note::Publish(publish),
                ..
            }) => (publish, hub.channel_name(app, channel)),
            other => panic!("a publish is a note: {other:?}"),
        }
    }

    fn store(cache: &mut Cache, channel: &str, data: &str, ttl_ms: u64, now_ms: u64) -> usize {
        let (publish, name) = publish(0, channel, data);
        let data_at = publish.kept_data_at.expect("a cache channel keeps it");
        cache.store(&publish, data_at.get(), ttl_ms, now_ms);
        ENTRY_BYTES + publish.frame.len() + name.name.len()
    }

    fn kept(cache: &Cache, channel: &str, now_ms: u64) -> Option<(String, u64)> {
        let (_, name) = publish(0, channel, "");
        let data = cache.data(&name, now_ms)?;
        assert!(cache.frame(&name, now_ms).is_some());
        let text = format!("\"{}\"", str::from_utf8(data.escaped()).unwrap());
        Some((serde_json::from_str(&text).unwrap(), data.ttl_s))
    }

    #[test]
    fn only_cache_channels_keep_their_events() {
        // C1; section 3.1
        for (channel, keeps) in [
            ("cache-a", true),
            ("private-cache-a", true),
            ("private-encrypted-cache-a", true),
            ("presence-cache-a", true),
            ("cache", false),
            ("xcache-a", false),
            ("private-cacheable", false),
            ("presence-a", false),
            ("private-presence-cache-a", false),
        ] {
            let (publish, _) = publish(0, channel, "x");
            assert_eq!(publish.kept_data_at.is_some(), keeps, "{channel}");
        }
    }

    #[test]
    fn the_last_event_is_kept_byte_for_byte() {
        // C5, S12
        let mut cache = Cache::new(1 << 20);
        assert_eq!(kept(&cache, "cache-a", 0), None);
        for data in ["first", "", "{\"a\":\"\\\\ \\u0001\u{1}ü☃\"}", "last"] {
            store(&mut cache, "cache-a", data, HOUR_MS, 5);
            let (text, ttl_s) = kept(&cache, "cache-a", 5).unwrap();
            assert_eq!((text.as_str(), ttl_s, cache.len()), (data, 3600, 1));
        }
        // Another app's channel of the same name is another channel.
        let (_, other) = publish(1, "cache-a", "");
        assert_eq!(cache.frame(&other, 5), None);
    }

    #[test]
    fn an_event_is_served_until_its_time_is_over_and_not_at_it() {
        // C4: counted from the write
        let mut cache = Cache::new(1 << 20);
        store(&mut cache, "cache-a", "1", 2_000, 1_000);
        for (now_ms, ttl_s) in [(1_000, 2), (1_001, 2), (2_000, 1), (2_999, 1)] {
            assert_eq!(kept(&cache, "cache-a", now_ms), Some(("1".into(), ttl_s)));
        }
        assert_eq!(kept(&cache, "cache-a", 3_000), None);
        assert_eq!(cache.len(), 1, "not swept yet, and not served");
        store(&mut cache, "cache-a", "2", 2_000, 2_500);
        assert_eq!(kept(&cache, "cache-a", 4_499), Some(("2".into(), 1)));
        cache.sweep(4_499);
        assert_eq!(cache.len(), 1);
        cache.sweep(4_500);
        assert_eq!((cache.len(), cache.bytes), (0, 0));
    }

    #[test]
    fn a_sweep_drops_what_is_over_of_every_list_and_so_much_at_a_time() {
        let mut cache = Cache::new(64 << 20);
        for number in 0..SWEPT + 10 {
            store(&mut cache, &format!("cache-{number}"), "x", 1_000, 0);
        }
        store(&mut cache, "cache-long", "x", HOUR_MS, 0);
        store(&mut cache, "cache-short", "x", 10, 0);
        cache.sweep(1_000);
        assert_eq!(cache.len(), 12);
        cache.sweep(1_000);
        assert_eq!(cache.len(), 1);
        assert!(kept(&cache, "cache-long", 1_000).is_some());
    }

    #[test]
    fn the_oldest_written_goes_when_there_is_no_room() {
        let names = ["cache-a", "cache-b", "cache-c"];
        let mut cache = Cache::new(1 << 20);
        let one = store(&mut cache, "cache-x", "x", HOUR_MS, 0);
        let mut cache = Cache::new(3 * one);
        // Two lists: the order of writing counts over both.
        for (name, ttl_ms) in names.into_iter().zip([HOUR_MS, 2 * HOUR_MS, HOUR_MS]) {
            store(&mut cache, name, "x", ttl_ms, 0);
        }
        assert_eq!((cache.len(), cache.bytes), (3, 3 * one), "at the bound");
        store(&mut cache, "cache-a", "y", HOUR_MS, 0); // no longer the oldest
        assert_eq!((cache.len(), cache.bytes), (3, 3 * one));
        store(&mut cache, "cache-d", "x", HOUR_MS, 0); // one past it
        let left = ["cache-a", "cache-b", "cache-c", "cache-d"]
            .map(|name| kept(&cache, name, 1).is_some());
        assert_eq!(left, [true, false, true, true]);
        store(&mut cache, "cache-e", "xx", HOUR_MS, 0); // one byte more takes two places
        assert_eq!((cache.len(), cache.bytes), (2, 2 * one + 1));
    }

    #[test]
    fn an_event_larger_than_the_bound_is_not_kept_nor_the_one_before_it() {
        let mut cache = Cache::new(1 << 20);
        let one = store(&mut cache, "cache-x", "x", HOUR_MS, 0);
        let mut cache = Cache::new(one);
        store(&mut cache, "cache-a", "x", HOUR_MS, 0);
        assert!(kept(&cache, "cache-a", 0).is_some(), "exactly fits");
        store(&mut cache, "cache-b", "xx", HOUR_MS, 0);
        assert!(kept(&cache, "cache-a", 0).is_some(), "nothing had to go");
        store(&mut cache, "cache-a", "xx", HOUR_MS, 0);
        assert_eq!((cache.len(), cache.bytes), (0, 0), "the last one is gone");
        let mut none = Cache::new(0);
        store(&mut none, "cache-a", "x", HOUR_MS, 0);
        assert_eq!(none.len(), 0);
    }
}
