//! Events on their way to a channel's home: encoded once, where they came in.

use super::channel_table::ChannelName;
use super::effect::Effect;
use super::note::{Note, Publish, home_of};
use super::state::Hub;
use crate::id::{AppSlot, ShardId, SocketId};
use crate::protocol::event;
use crate::ws::frame::TextEncoder;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

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
    /// Encodes the event for its channel's home; `hash` is the channel's.
    pub(super) fn note(self, hash: u64, encoder: &mut TextEncoder) -> Note {
        let Relay {
            app,
            channel,
            event,
            data,
            user_id,
            except,
        } = self;
        let (mut name_at, mut payload_len) = (0, 0);
        let frame = encoder.encode(|out| {
            name_at = event::channel_event(event, data, channel, user_id, out);
            payload_len = out.len();
        });
        Note::Publish(Publish {
            app,
            hash,
            name_at: (frame.len() - payload_len + name_at) as u32,
            name_len: channel.len() as u32,
            frame,
            except,
        })
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

    /// Sends an event to its channel's home. One allocation, whatever the size of the crowd.
    pub fn publish(&mut self, relay: Relay<'_>, effects: &mut Vec<Effect>) {
        let hash = self.hash(relay.app, relay.channel);
        let note = relay.note(hash, &mut self.encoder);
        let to = home_of(hash, self.options.shards);
        effects.push(Effect::Post { to, note });
    }

    #[inline]
    pub(super) fn hash(&self, app: AppSlot, name: &str) -> u64 {
        hash_of(self.options.hash_key, app, name)
    }
}
