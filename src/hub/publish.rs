//! Events on their way to a channel's home: encoded once, where they came in.

use super::channel_table::ChannelName;
use super::effect::Effect;
use super::note::{Note, Publish, Stamp, home_of};
use super::state::Hub;
use crate::id::{AppSlot, ShardId, SocketId};
use crate::protocol::ChannelKind;
use crate::protocol::event::{self, EventPlaces};
use crate::ws::frame::TextEncoder;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::num::NonZeroU32;

/// An event for one channel.
#[derive(Clone, Copy, Debug)]
pub struct Relay<'a> {
    /// The app.
    pub app: AppSlot,
    /// The channel's legal name.
    pub channel: &'a str,
    /// The event's name.
    pub event: &'a str,
    /// What subscribers get, byte for byte (S12).
    pub data: &'a str,
    /// Who sent it, for client events in presence channels (W4).
    pub user_id: Option<&'a str>,
    /// The connection that does not get it (S13).
    pub except: Option<SocketId>,
}

/// The hash of a channel, keyed so that nobody outside can choose names that collide.
#[inline]
#[must_use]
pub fn hash_of(key: [u64; 2], app: AppSlot, name: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(key[0], key[1]);
    hasher.write_u32(app.0);
    hasher.write(name.as_bytes());
    hasher.finish()
}

impl Relay<'_> {
    /// Encodes the event for its channel's home; `hash` is the channel's. No cache channel keeps it
    /// (CE1).
    pub(super) fn note(self, hash: u64, stamp: Stamp, encoder: &mut TextEncoder) -> Note {
        let (publish, _) = self.encode(hash, encoder);
        Note::Publish(Publish { stamp, ..publish })
    }

    /// Same, and where in the frame the data begins.
    fn encode(self, hash: u64, encoder: &mut TextEncoder) -> (Publish, u32) {
        let Relay {
            app,
            channel,
            event,
            data,
            user_id,
            except,
        } = self;
        let mut places = EventPlaces {
            data_at: 0,
            name_at: 0,
        };
        let mut payload_len = 0;
        let frame = encoder.encode(|out| {
            places = event::channel_event(event, data, channel, user_id, out);
            payload_len = out.len();
        });
        let header_len = frame.len() - payload_len;
        let publish = Publish {
            app,
            hash,
            name_at: (header_len + places.name_at) as u32,
            name_len: channel.len() as u32,
            frame,
            except,
            kept_data_at: None,
            stamp: None,
        };
        (publish, (header_len + places.data_at) as u32)
    }
}

impl Hub {
    /// The home of a channel.
    #[must_use]
    pub fn home_of(&self, app: AppSlot, channel: &str) -> ShardId {
        home_of(self.hash(app, channel), self.options.shards)
    }

    /// A channel with its hash, to ask its home about.
    #[must_use]
    pub fn channel_name(&self, app: AppSlot, channel: &str) -> ChannelName {
        ChannelName {
            app,
            hash: self.hash(app, channel),
            name: channel.into(),
        }
    }

    /// Sends a backend's event to its channel's home, which keeps it for a cache channel. One
    /// allocation, whatever the size of the crowd.
    pub fn publish(&mut self, relay: Relay<'_>, effects: &mut Vec<Effect>) {
        let hash = self.hash(relay.app, relay.channel);
        let (mut publish, data_at) = relay.encode(hash, &mut self.encoder);
        publish.stamp = self.stamp.take();
        if ChannelKind::is_cache_name(relay.channel) {
            publish.kept_data_at = NonZeroU32::new(data_at); // C1
        }
        let note = Note::Publish(publish);
        let to = home_of(hash, self.options.shards);
        effects.push(Effect::Post { to, note });
    }

    #[inline]
    pub(super) fn hash(&self, app: AppSlot, name: &str) -> u64 {
        hash_of(self.options.hash_key, app, name)
    }
}
