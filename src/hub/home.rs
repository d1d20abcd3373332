//! The channels this shard is home of: the one place that orders a channel's events, knows its
//! members, and knows which shards listen.

use super::apps::Tenant;
use super::ask::{Answer, ChannelState, Listed, Question};
use super::channel_table::{ChannelName, ChannelTable, Named};
use super::effect::Effect;
use super::note::{CountNote, Deliver, HomeRef, Join, Joined, LocalRef, Note, Part, Publish};
use super::notice::notice;
use super::presence::{Arrival, Members};
use crate::app::{WebhookKind, WebhookKinds};
use crate::id::{AppSlot, ShardId, SocketId};
use crate::protocol::event::{self, SubscriptionRefusal};
use crate::protocol::user::user_of;
use crate::protocol::webhook::{Event, What};
use crate::ws::frame::TextEncoder;
use smallvec::SmallVec;
use std::sync::Arc;

/// The table of channels at their home.
#[derive(Debug, Default)]
pub struct Home {
    channels: ChannelTable<HomeChannel>,
}

#[derive(Debug)]
struct HomeChannel {
    name: ChannelName,
    interests: SmallVec<[Interest; 2]>,
    members: Option<Members>,
}

impl Named for HomeChannel {
    fn name(&self) -> &ChannelName {
        &self.name
    }
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
        tenant: &Tenant,
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
        let home = self.find(&channel);
        let home = home.unwrap_or_else(|| {
            let members = kind.is_presence().then(Members::default);
            self.channels.insert(HomeChannel {
                name: channel,
                interests: SmallVec::new(),
                members,
            })
        });
        let at_home = self.channels.get_mut(home);
        let was_occupied = at_home.is_occupied();
        let mut is_new = false;
        at_home.listen(Interest {
            shard: from,
            local,
            count,
        });
        let presence = member.map(|(presence, member)| {
            let members = at_home.members.get_or_insert_default();
            match members.join(presence, member, tenant.app.presence_members) {
                Arrival::New => {
                    let member = members.newest().expect("just added");
                    is_new = true;
                    let name = &at_home.name.name;
                    let frame = encoder.encode(|out| event::member_added(name, member, out));
                    at_home.deliver(&frame, None, effects);
                }
                Arrival::Again => {}
                Arrival::Full => return (presence, Err(SubscriptionRefusal::ChannelFull)),
            }
            (presence, Ok(at_home.snapshot(encoder)))
        });
        if !was_occupied && at_home.is_occupied() {
            let kind = WebhookKind::ChannelOccupied;
            at_home.notice(tenant.told, kind, effects, || What::ChannelOccupied);
        }
        if is_new {
            at_home.notice_newest(tenant.told, effects);
        }
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
    pub fn part(
        &mut self,
        part: &Part,
        told: WebhookKinds,
        encoder: &mut TextEncoder,
        effects: &mut Vec<Effect>,
    ) {
        let Some(slot) = self.find(&part.channel) else {
            return;
        };
        let channel = self.channels.get_mut(slot);
        let Some(members) = &mut channel.members else {
            return;
        };
        if members.part(part.presence, &part.user_id) {
            let name = &channel.name.name;
            let frame = encoder.encode(|out| event::member_removed(name, &part.user_id, out));
            channel.deliver(&frame, None, effects);
            channel.notice(told, WebhookKind::MemberRemoved, effects, || {
                What::MemberRemoved(part.user_id.clone())
            });
            channel.notice_vacated(told, effects);
        }
    }

    /// Notes how many subscribers a shard has; frees a channel that nobody listens to, and returns
    /// its name.
    pub fn count(&mut self, from: ShardId, note: CountNote) -> Option<ChannelName> {
        let HomeRef { slot, generation } = note.home;
        let slot = self.channels.resolve(slot, generation)?;
        let channel = self.channels.get_mut(slot);
        let at = channel
            .interests
            .iter()
            .position(|interest| interest.shard == from)?;
        if note.count > 0 {
            channel.interests[at].count = note.count;
            return None;
        }
        channel.interests.swap_remove(at);
        let is_last = channel.interests.is_empty();
        is_last.then(|| self.channels.remove(slot).name)
    }

    /// The shards that listen to a channel.
    pub fn listeners(&self, channel: &ChannelName) -> impl Iterator<Item = ShardId> {
        let channel = self.find(channel).map(|slot| self.channels.get(slot));
        let interests = channel.into_iter().flat_map(|channel| &channel.interests);
        interests.map(|interest| interest.shard)
    }

    /// Sends an event to each shard that listens, and to no other.
    pub fn publish(&mut self, publish: &Publish, effects: &mut Vec<Effect>) {
        let start = publish.name_at as usize;
        let name = &publish.frame[start..start + publish.name_len as usize];
        if let Some(slot) = self.channels.find(publish.app, publish.hash, name) {
            let channel = self.channels.get(slot);
            channel.deliver(&publish.frame, publish.except, effects);
        }
    }

    /// The counts of one channel.
    #[must_use]
    fn state_of(&self, channel: &ChannelName) -> ChannelState {
        let slot = self.find(channel);
        slot.map(|slot| self.channels.get(slot).state())
            .unwrap_or_default()
    }

    /// The user ids of one presence channel.
    #[must_use]
    fn users_of(&self, channel: &ChannelName) -> Vec<Box<str>> {
        let slot = self.find(channel);
        let members = slot.and_then(|slot| self.channels.get(slot).members.as_ref());
        let ids = members.map(|members| members.iter().map(|member| member.user_id.clone()));
        ids.map(Iterator::collect).unwrap_or_default()
    }

    /// The occupied channels of an app whose names begin with `prefix`, without users' own (U9).
    #[must_use]
    fn list(&self, app: AppSlot, prefix: &str) -> Vec<Listed> {
        self.channels
            .iter()
            .filter(|channel| channel.name.app == app && channel.name.name.starts_with(prefix))
            .filter(|channel| user_of(&channel.name.name).is_none())
            .map(|channel| (channel.state(), &channel.name.name))
            .filter(|(state, _)| state.subscriptions > 0)
            .map(|(state, name)| Listed {
                name: name.clone(),
                state,
            })
            .collect()
    }

    /// Answers from this table alone.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Answer {
        match question {
            Question::Channel(channel) => Answer::Channel(self.state_of(channel)),
            Question::Users(channel) => Answer::Users(self.users_of(channel)),
            Question::Ordered | Question::Terminate(_) => Answer::Ordered,
            Question::Channels { app, prefix } => Answer::Channels(self.list(*app, prefix)),
        }
    }

    /// How many channels are here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    fn find(&self, channel: &ChannelName) -> Option<u32> {
        self.channels
            .find(channel.app, channel.hash, channel.name.as_bytes())
    }

    fn home_ref(&self, slot: u32) -> HomeRef {
        HomeRef {
            slot,
            generation: self.channels.generation(slot),
        }
    }
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

    /// Whether somebody is subscribed. A presence channel is known to its home before its first
    /// member is let in, and others wait for nothing.
    fn is_occupied(&self) -> bool {
        match &self.members {
            Some(members) => members.len() > 0,
            None => !self.interests.is_empty(),
        }
    }

    /// Notes down what webhooks are told of this channel: nothing, if it is a user's own.
    fn notice(
        &self,
        told: WebhookKinds,
        kind: WebhookKind,
        effects: &mut Vec<Effect>,
        what: impl FnOnce() -> What,
    ) {
        if user_of(&self.name.name).is_none() {
            let event = || Event::of(&self.name.name, what());
            notice(told, self.name.app, kind, effects, event);
        }
    }

    fn notice_newest(&self, told: WebhookKinds, effects: &mut Vec<Effect>) {
        let newest = self.members.as_ref().and_then(Members::newest);
        if let Some(member) = newest {
            let what = || What::MemberAdded(member.user_id.clone());
            self.notice(told, WebhookKind::MemberAdded, effects, what);
        }
    }

    fn notice_vacated(&self, told: WebhookKinds, effects: &mut Vec<Effect>) {
        if !self.is_occupied() {
            let kind = WebhookKind::ChannelVacated;
            self.notice(told, kind, effects, || What::ChannelVacated);
        }
    }

    fn deliver(&self, frame: &Arc<[u8]>, except: Option<SocketId>, effects: &mut Vec<Effect>) {
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
