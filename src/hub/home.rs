//! The channels this shard is home of: the one place that orders a channel's events, knows its
//! members, and knows which shards listen.

use super::ask::{ChannelState, Listed};
use super::effect::Effect;
use super::note::{
    ChannelName, CountNote, Deliver, HomeRef, Join, Joined, LocalRef, Note, Part, Publish,
};
use super::presence::{Arrival, Members};
use crate::id::{AppSlot, ShardId};
use crate::protocol::event::{self, SubscriptionRefusal};
use crate::ws::frame::TextEncoder;
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::sync::Arc;

/// The table of channels at their home.
#[derive(Debug, Default)]
pub struct Home {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_name: HashTable<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    channel: Option<Box<HomeChannel>>,
}

#[derive(Debug)]
struct HomeChannel {
    name: ChannelName,
    interests: SmallVec<[Interest; 2]>,
    members: Option<Members>,
}

/// One shard that listens.
#[derive(Clone, Copy, Debug)]
struct Interest {
    shard: ShardId,
    local: LocalRef,
    count: u32,
}

impl Home {
    /// Lets a shard, and for presence channels a member, in. The shard is told what it needs
    /// before anything that happens later.
    pub fn join(
        &mut self,
        from: ShardId,
        join: Join,
        members_max: usize,
        encoder: &mut TextEncoder,
        effects: &mut Vec<Effect>,
    ) {
        let Join {
            channel,
            kind,
            local,
            count,
            member,
        } = join;
        let home = self.find(channel.app, channel.hash, &channel.name);
        let home = home.unwrap_or_else(|| self.insert(channel, kind.is_presence()));
        let at_home = self.live_mut(home);
        at_home.listen(Interest {
            shard: from,
            local,
            count,
        });
        let presence = member.map(|(presence, member)| {
            let members = at_home.members.get_or_insert_default();
            match members.join(presence, member, members_max) {
                Arrival::New => {
                    let member = members.newest().expect("just added");
                    let name = &at_home.name.name;
                    let frame = encoder.encode(|out| event::member_added(name, member, out));
                    at_home.deliver(&frame, None, effects);
                }
                Arrival::Again => {}
                Arrival::Full => return (presence, Err(SubscriptionRefusal::ChannelFull)),
            }
            (presence, Ok(at_home.snapshot(encoder)))
        });
        let joined = Joined {
            local,
            home: self.home_ref(home),
            presence,
        };
        effects.push(Effect::Post {
            to: from,
            note: Note::Joined(Box::new(joined)),
        });
    }

    /// Takes a presence connection out; the rest is told when it was the user's last (P2).
    pub fn part(&mut self, part: &Part, encoder: &mut TextEncoder, effects: &mut Vec<Effect>) {
        let ChannelName {
            app,
            hash,
            ref name,
        } = part.channel;
        let Some(slot) = self.find(app, hash, name) else {
            return;
        };
        let channel = self.live_mut(slot);
        let Some(members) = &mut channel.members else {
            return;
        };
        if members.part(part.presence, &part.user_id) {
            let name = &channel.name.name;
            let frame = encoder.encode(|out| event::member_removed(name, &part.user_id, out));
            channel.deliver(&frame, None, effects);
        }
    }

    /// Notes how many subscribers a shard has; frees a channel that nobody listens to.
    pub fn count(&mut self, from: ShardId, note: CountNote) {
        let Some(slot) = self.resolve(note.home) else {
            return;
        };
        let channel = self.live_mut(slot);
        let at = channel
            .interests
            .iter()
            .position(|interest| interest.shard == from);
        let Some(at) = at else { return };
        if note.count > 0 {
            channel.interests[at].count = note.count;
            return;
        }
        channel.interests.swap_remove(at);
        if channel.interests.is_empty() {
            self.remove(slot);
        }
    }

    /// Sends an event to each shard that listens, and to no other.
    pub fn publish(&mut self, publish: &Publish, effects: &mut Vec<Effect>) {
        let start = publish.name_at as usize;
        let name = &publish.frame[start..start + publish.name_len as usize];
        let found = self.by_name.find(publish.hash, |slot| {
            let channel = &self.live(*slot).name;
            channel.app == publish.app && channel.name.as_bytes() == name
        });
        if let Some(slot) = found {
            self.live(*slot)
                .deliver(&publish.frame, publish.except, effects);
        }
    }

    /// The counts of one channel.
    #[must_use]
    pub fn state_of(&self, channel: &ChannelName) -> ChannelState {
        let slot = self.find(channel.app, channel.hash, &channel.name);
        slot.map(|slot| self.live(slot).state()).unwrap_or_default()
    }

    /// The user ids of one presence channel.
    #[must_use]
    pub fn users_of(&self, channel: &ChannelName) -> Vec<Box<str>> {
        let slot = self.find(channel.app, channel.hash, &channel.name);
        let members = slot.and_then(|slot| self.live(slot).members.as_ref());
        let ids = members.map(|members| members.iter().map(|member| member.user_id.clone()));
        ids.map(Iterator::collect).unwrap_or_default()
    }

    /// The occupied channels of an app whose names begin with `prefix`.
    #[must_use]
    pub fn list(&self, app: AppSlot, prefix: &str) -> Vec<Listed> {
        let channels = self.by_name.iter().map(|slot| self.live(*slot));
        channels
            .filter(|channel| channel.name.app == app && channel.name.name.starts_with(prefix))
            .map(|channel| (channel.state(), &channel.name.name))
            .filter(|(state, _)| state.subscriptions > 0)
            .map(|(state, name)| Listed {
                name: name.clone(),
                state,
            })
            .collect()
    }

    /// How many channels are here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    fn find(&self, app: AppSlot, hash: u64, name: &str) -> Option<u32> {
        let same = |slot: &u32| {
            let channel = &self.live(*slot).name;
            channel.app == app && *channel.name == *name
        };
        self.by_name.find(hash, same).copied()
    }

    fn insert(&mut self, name: ChannelName, is_presence: bool) -> u32 {
        let hash = name.hash;
        let members = is_presence.then(Members::default);
        let channel = Box::new(HomeChannel {
            name,
            interests: SmallVec::new(),
            members,
        });
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                channel: None,
            });
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize].channel = Some(channel);
        let slots = &self.slots;
        self.by_name
            .insert_unique(hash, slot, |slot| live(slots, *slot).name.hash);
        slot
    }

    fn remove(&mut self, slot: u32) {
        let entry = &mut self.slots[slot as usize];
        entry.generation = entry.generation.wrapping_add(1);
        let gone = entry
            .channel
            .take()
            .expect("a live channel is removed once");
        if let Ok(entry) = self
            .by_name
            .find_entry(gone.name.hash, |other| *other == slot)
        {
            entry.remove();
        }
        self.free.push(slot);
    }

    fn home_ref(&self, slot: u32) -> HomeRef {
        HomeRef {
            slot,
            generation: self.slots[slot as usize].generation,
        }
    }

    fn resolve(&self, home: HomeRef) -> Option<u32> {
        let slot = self.slots.get(home.slot as usize)?;
        (slot.generation == home.generation && slot.channel.is_some()).then_some(home.slot)
    }

    fn live(&self, slot: u32) -> &HomeChannel {
        live(&self.slots, slot)
    }

    fn live_mut(&mut self, slot: u32) -> &mut HomeChannel {
        let channel = self.slots[slot as usize].channel.as_mut();
        channel.expect("slots of live channels only")
    }
}

fn live(slots: &[Slot], slot: u32) -> &HomeChannel {
    slots[slot as usize]
        .channel
        .as_ref()
        .expect("slots of live channels only")
}

impl HomeChannel {
    fn listen(&mut self, interest: Interest) {
        match self
            .interests
            .iter_mut()
            .find(|known| known.shard == interest.shard)
        {
            Some(known) => *known = interest,
            None => self.interests.push(interest),
        }
    }

    fn deliver(
        &self,
        frame: &Arc<[u8]>,
        except: Option<crate::id::SocketId>,
        effects: &mut Vec<Effect>,
    ) {
        for interest in &self.interests {
            let note = Deliver {
                local: interest.local,
                frame: Arc::clone(frame),
                except,
            };
            effects.push(Effect::Post {
                to: interest.shard,
                note: Note::Deliver(note),
            });
        }
    }

    fn snapshot(&self, encoder: &mut TextEncoder) -> Arc<[u8]> {
        encoder.encode(|out| match &self.members {
            Some(members) => event::presence_succeeded(&self.name.name, members.iter(), out),
            None => event::subscription_succeeded(&self.name.name, out),
        })
    }

    fn state(&self) -> ChannelState {
        ChannelState {
            subscriptions: self.interests.iter().map(|interest| interest.count).sum(),
            users: self
                .members
                .as_ref()
                .map_or(0, |members| members.len() as u32),
        }
    }
}
