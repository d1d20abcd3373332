//! The channels this shard is home of: the one place that orders a channel's events, knows its
//! members, and knows which shards listen.

use super::apps::AppTable;
use super::ask::{ChannelState, Cursor, Listed};
use super::channel_table::{ChannelName, ChannelTable, Named};
use super::count::{Telling, Told};
use super::effect::Effect;
use super::note::{Admission, CountNote, Deliver, HomeRef, Join, Joined, LocalRef, Note, Part};
use super::note::{Publish, Stamp, Welcome};
use super::notice::notice;
use super::presence::{Arrival, Members, Presence};
use crate::app::{WebhookKind, WebhookKinds};
use crate::id::{AppSlot, ShardId, SocketId};
use crate::protocol::ChannelKind;
use crate::protocol::event::{self, SubscriptionRefusal};
use crate::protocol::member::Member;
use crate::protocol::user::user_of;
use crate::protocol::webhook::{Event, What};
use crate::ws::frame::TextEncoder;
use smallvec::SmallVec;
use std::sync::Arc;

/// The table of channels at their home.
#[derive(Debug, Default)]
pub struct Home {
    channels: ChannelTable<HomeChannel>,
    /// Counts the channels that ever were.
    births: u64,
    /// Channels by app, without users' own.
    of_app: Vec<u32>,
}

/// Places of the table that one piece of a list is made of: some tenths of a millisecond.
const LISTED_AT_ONCE: u32 = 1024;

/// What a count may have to be followed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Subscribers of the channel in this slot may have to be told their number.
    Changed(u32),
    /// Nobody listens to this channel any more.
    Freed(ChannelName),
}

/// On what terms a shard or a subscription is let in.
#[derive(Debug)]
pub struct Terms {
    /// Distinct users that a presence channel may have.
    pub members_max: usize,
    /// What the app's webhooks are told of.
    pub webhooks: WebhookKinds,
    /// Whether the channel's subscribers are told how many they are.
    pub is_counted: bool,
    /// The event that a cache channel begins with.
    pub cached: Option<Arc<[u8]>>,
}

#[derive(Debug)]
struct HomeChannel {
    name: ChannelName,
    interests: SmallVec<[Interest; 2]>,
    members: Option<Members>,
    /// Where subscribers are told how many they are: what they were told.
    told: Option<Box<Told>>,
    /// Which channel of all that ever were.
    born: u64,
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
    /// Lets a shard, and perhaps one of its subscriptions, in. The shard is told what it needs
    /// before anything that happens later. Returns the channel's slot, and whether the subscription
    /// was let in.
    pub fn join(
        &mut self,
        from: ShardId,
        join: Join,
        terms: Terms,
        encoder: &mut TextEncoder,
        effects: &mut Vec<Effect>,
    ) -> (u32, bool) {
        let home = self.find(&join.channel);
        let home = home.unwrap_or_else(|| self.insert(join.channel, join.kind, terms.is_counted));
        let at_home = self.channels.get_mut(home);
        let (was_occupied, webhooks) = (at_home.is_occupied(), terms.webhooks);
        at_home.listen(Interest {
            shard: from,
            local: join.local,
            count: join.count,
        });
        let users = at_home.users();
        let member = join.member;
        let asker = join.asker.map(|asker| {
            let admission = at_home.admit(asker, member, terms, encoder, effects);
            (asker, admission)
        });
        let admitted = asker
            .as_ref()
            .is_none_or(|(_, admission)| admission.is_ok());
        if !was_occupied && at_home.is_occupied() {
            let kind = WebhookKind::ChannelOccupied;
            at_home.notice(webhooks, kind, effects, || What::ChannelOccupied);
        }
        if at_home.users() > users {
            at_home.notice_newest(webhooks, effects);
        }
        let joined = Joined {
            local: join.local,
            home: self.home_ref(home),
            asker,
        };
        effects.push(Effect::Post {
            to: from,
            note: Note::Joined(Box::new(joined)),
        });
        (home, admitted)
    }

    /// The own channels of users of these apps that somebody is in.
    pub fn users_here(&self, is_meant: impl Fn(AppSlot) -> bool) -> Vec<ChannelName> {
        let channels = (0..self.channels.slots()).filter_map(|at| self.channels.get_live(at));
        let names = channels.map(Named::name);
        let users = names.filter(|name| is_meant(name.app) && user_of(&name.name).is_some());
        users.cloned().collect()
    }

    fn insert(&mut self, name: ChannelName, kind: ChannelKind, is_counted: bool) -> u32 {
        self.births += 1;
        if !is_own(&name) {
            *self.of_app_mut(name.app) += 1;
        }
        self.channels.insert(HomeChannel {
            name,
            interests: SmallVec::new(),
            members: kind.is_presence().then(Members::default),
            told: is_counted.then(Box::default),
            born: self.births,
        })
    }

    /// Takes a presence connection out; the rest is told when it was the user's last (P2).
    pub fn part(
        &mut self,
        part: &Part,
        webhooks: WebhookKinds,
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
            channel.notice(webhooks, WebhookKind::MemberRemoved, effects, || {
                What::MemberRemoved(part.user_id.clone())
            });
            channel.notice_vacated(webhooks, effects);
        }
    }

    /// Notes how many subscribers a shard has; frees a channel that nobody listens to. Returns what
    /// others may have to be told of.
    pub fn count(&mut self, from: ShardId, note: CountNote) -> Option<Counted> {
        let slot = self.resolve(note.home)?;
        let channel = self.channels.get_mut(slot);
        let at = channel
            .interests
            .iter()
            .position(|interest| interest.shard == from)?;
        if note.count > 0 {
            channel.interests[at].count = note.count;
            return channel.told.is_some().then_some(Counted::Changed(slot));
        }
        channel.interests.swap_remove(at);
        if channel.interests.is_empty() {
            let name = self.channels.remove(slot).name;
            if !is_own(&name) {
                *self.of_app_mut(name.app) -= 1;
            }
            return Some(Counted::Freed(name));
        }
        channel.told.is_some().then_some(Counted::Changed(slot))
    }

    /// The shards that listen to a channel.
    pub fn listeners(&self, channel: &ChannelName) -> impl Iterator<Item = ShardId> {
        let channel = self.find(channel).map(|slot| self.channels.get(slot));
        let interests = channel.into_iter().flat_map(|channel| &channel.interests);
        interests.map(|interest| interest.shard)
    }

    /// Whether the subscribers of a channel are to be told their number, if they ever are.
    pub fn look(&mut self, slot: u32, came: bool, now_ms: u64, wait_ms: u64) -> Option<Telling> {
        let channel = self.channels.get_mut(slot);
        let mut told = channel.told.take()?;
        let telling = told.look(channel.subscriptions(), came, now_ms, wait_ms);
        channel.told = Some(told);
        Some(telling)
    }

    /// A deadline of a channel's count has come; its slot, if it is still there.
    pub fn wake(&mut self, home: HomeRef) -> Option<u32> {
        let slot = self.resolve(home)?;
        self.channels.get_mut(slot).told.as_mut()?.wake();
        Some(slot)
    }

    /// Tells all subscribers, and the app's webhooks, how many they are.
    pub fn deliver_count(
        &self,
        slot: u32,
        apps: &AppTable,
        encoder: &mut TextEncoder,
        effects: &mut Vec<Effect>,
    ) {
        let channel = self.channels.get(slot);
        let (name, count) = (&channel.name.name, channel.subscriptions());
        let frame = encoder.encode(|out| event::subscription_count(name, count, out));
        channel.deliver(&frame, None, effects);
        let webhooks = apps.get(channel.name.app).webhooks;
        channel.notice(webhooks, WebhookKind::SubscriptionCount, effects, || {
            What::SubscriptionCount(count)
        });
    }

    /// Sends an event to each shard that listens, and to no other.
    pub fn publish(&mut self, publish: &Publish, effects: &mut Vec<Effect>) {
        let start = publish.name_at as usize;
        let name = &publish.frame[start..start + publish.name_len as usize];
        if let Some(slot) = self.channels.find(publish.app, publish.hash, name) {
            let channel = self.channels.get(slot);
            channel.deliver_stamped(&publish.frame, publish.except, publish.stamp, effects);
        }
    }

    /// The counts of one channel.
    #[must_use]
    pub fn state_of(&self, channel: &ChannelName) -> ChannelState {
        let slot = self.find(channel);
        slot.map(|slot| self.channels.get(slot).state())
            .unwrap_or_default()
    }

    /// The users of one presence channel, with their infos or without.
    #[must_use]
    pub fn users_of(&self, channel: &ChannelName, with_info: bool) -> Vec<Member> {
        let slot = self.find(channel);
        let members = slot.and_then(|slot| self.channels.get(slot).members.as_ref());
        let users = members.map(|members| {
            members.iter().map(|member| Member {
                user_id: member.user_id.clone(),
                user_info: member.user_info.clone().filter(|_| with_info),
            })
        });
        users.map(Iterator::collect).unwrap_or_default()
    }

    /// A piece of the list of an app's occupied channels whose names begin with `prefix`, and where
    /// the next piece begins (R15). Users' own channels are not in it (R16).
    #[must_use]
    pub fn list(&self, app: AppSlot, prefix: &str, from: Cursor) -> (Vec<Listed>, Option<Cursor>) {
        let before = from.before.unwrap_or(self.births + 1);
        let slots = self.channels.slots();
        let end = from.slot.saturating_add(LISTED_AT_ONCE).min(slots);
        let listed = (from.slot..end)
            .filter_map(|slot| self.channels.get_live(slot))
            .filter(|channel| channel.born < before && channel.is_listed(app, prefix))
            .map(|channel| Listed {
                name: channel.name.name.clone(),
                state: channel.state(),
            })
            .collect();
        let next = Cursor {
            slot: end,
            before: Some(before),
        };
        (listed, (end < slots).then_some(next))
    }

    /// How many channels of an app are here, without users' own.
    #[must_use]
    pub fn count_of(&self, app: AppSlot) -> u32 {
        self.of_app.get(app.index()).copied().unwrap_or_default()
    }

    fn of_app_mut(&mut self, app: AppSlot) -> &mut u32 {
        if self.of_app.len() <= app.index() {
            self.of_app.resize(app.index() + 1, 0);
        }
        &mut self.of_app[app.index()]
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

    fn resolve(&self, home: HomeRef) -> Option<u32> {
        self.channels.resolve(home.slot, home.generation)
    }

    /// What names a channel of this table.
    #[must_use]
    pub fn home_ref(&self, slot: u32) -> HomeRef {
        HomeRef {
            slot,
            generation: self.channels.generation(slot),
        }
    }
}

/// Whether it is the own channel of a user: no other name may begin so.
fn is_own(channel: &ChannelName) -> bool {
    channel.name.as_bytes().first() == Some(&b'#')
}

impl HomeChannel {
    /// Lets one subscription in: as a member where there are members (P1 to P3, P8), and with what
    /// it begins with.
    fn admit(
        &mut self,
        asker: Presence,
        member: Option<Member>,
        terms: Terms,
        encoder: &mut TextEncoder,
        effects: &mut Vec<Effect>,
    ) -> Admission {
        let cached = terms.cached;
        let Some(member) = member else {
            let snapshot = None;
            return Ok(Welcome { snapshot, cached });
        };
        let members = self.members.get_or_insert_default();
        match members.join(asker, member, terms.members_max) {
            Arrival::New => {
                let member = members.newest().expect("just added");
                let name = &self.name.name;
                let frame = encoder.encode(|out| event::member_added(name, member, out));
                self.deliver(&frame, None, effects);
            }
            Arrival::Again => {}
            Arrival::Full => return Err(SubscriptionRefusal::ChannelFull),
        }
        let snapshot = Some(self.snapshot(encoder));
        Ok(Welcome { snapshot, cached })
    }

    fn is_listed(&self, app: AppSlot, prefix: &str) -> bool {
        let name = &self.name.name;
        self.name.app == app
            && name.starts_with(prefix)
            && user_of(name).is_none()
            && self.subscriptions() > 0
    }

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
        webhooks: WebhookKinds,
        kind: WebhookKind,
        effects: &mut Vec<Effect>,
        what: impl FnOnce() -> What,
    ) {
        if webhooks.contains(kind) && user_of(&self.name.name).is_none() {
            let event = || Event::of(&self.name.name, what());
            notice(webhooks, self.name.app, kind, effects, event);
        }
    }

    fn notice_newest(&self, webhooks: WebhookKinds, effects: &mut Vec<Effect>) {
        let newest = self.members.as_ref().and_then(Members::newest);
        if let Some(member) = newest {
            let what = || What::MemberAdded(member.user_id.clone());
            self.notice(webhooks, WebhookKind::MemberAdded, effects, what);
        }
    }

    fn notice_vacated(&self, webhooks: WebhookKinds, effects: &mut Vec<Effect>) {
        if !self.is_occupied() {
            let kind = WebhookKind::ChannelVacated;
            self.notice(webhooks, kind, effects, || What::ChannelVacated);
        }
    }

    fn deliver(&self, frame: &Arc<[u8]>, except: Option<SocketId>, effects: &mut Vec<Effect>) {
        self.deliver_stamped(frame, except, None, effects);
    }

    fn deliver_stamped(
        &self,
        frame: &Arc<[u8]>,
        except: Option<SocketId>,
        stamp: Stamp,
        effects: &mut Vec<Effect>,
    ) {
        for interest in &self.interests {
            let note = Deliver {
                local: interest.local,
                frame: Arc::clone(frame),
                except,
                stamp,
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

    fn users(&self) -> u32 {
        self.members
            .as_ref()
            .map_or(0, |members| members.len() as u32)
    }

    fn subscriptions(&self) -> u32 {
        self.interests.iter().map(|interest| interest.count).sum()
    }

    fn state(&self) -> ChannelState {
        ChannelState {
            subscriptions: self.subscriptions(),
            users: self.users(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const APP: AppSlot = AppSlot(0);
    const SHARD: ShardId = ShardId(0);

    /// Somebody comes to a channel; gives the channel at its home.
    fn occupy(home: &mut Home, app: AppSlot, name: &str) -> HomeRef {
        let join = Join {
            channel: ChannelName {
                app,
                hash: 7,
                name: name.into(),
            },
            kind: ChannelKind::of(name, 200).unwrap(),
            local: LocalRef {
                slot: 0,
                generation: 0,
            },
            count: 1,
            asker: None,
            member: None,
            again: false,
        };
        let terms = Terms {
            members_max: 1,
            webhooks: WebhookKinds::default(),
            is_counted: false,
            cached: None,
        };
        let mut encoder = TextEncoder::default();
        let (slot, _) = home.join(SHARD, join, terms, &mut encoder, &mut Vec::new());
        home.home_ref(slot)
    }

    fn vacate(home: &mut Home, channel: HomeRef) {
        let count = CountNote {
            home: channel,
            count: 0,
        };
        let freed = home.count(SHARD, count);
        assert!(matches!(freed, Some(Counted::Freed(_))), "{freed:?}");
    }

    /// All pieces of a list, with something going on between them.
    fn list(home: &mut Home, mut between: impl FnMut(&mut Home)) -> BTreeMap<String, u32> {
        let mut seen = BTreeMap::new();
        let mut next = Some(Cursor::default());
        while let Some(from) = next {
            let (listed, rest) = home.list(APP, "c-", from);
            assert!(listed.len() <= LISTED_AT_ONCE as usize);
            for Listed { name, .. } in listed {
                *seen.entry(name.into_string()).or_insert(0) += 1;
            }
            next = rest;
            between(home);
        }
        seen
    }

    #[test]
    fn a_list_in_pieces_has_what_stays_and_nothing_twice() {
        // R15
        let mut home = Home::default();
        let count = 3 * LISTED_AT_ONCE + 1;
        let mut channels: Vec<HomeRef> = (0..count)
            .map(|n| occupy(&mut home, APP, &format!("c-{n}")))
            .collect();
        occupy(&mut home, AppSlot(1), "c-0");
        occupy(&mut home, APP, "other");
        occupy(&mut home, APP, "#server-to-user-1"); // R16
        assert_eq!(home.list(APP, "#", Cursor::default()).0, []);
        let mut pieces = 0;
        let seen = list(&mut home, |home| {
            pieces += 1;
            // The seventh goes and comes again, each time to the place of one that went first.
            vacate(home, channels[7]);
            vacate(home, channels[(count - pieces) as usize]);
            channels[7] = occupy(home, APP, "c-7");
            occupy(home, APP, &format!("c-new-{pieces}"));
        });
        assert_eq!(pieces, 4);
        assert!(seen.values().all(|times| *times == 1));
        for n in (0..count - pieces).filter(|n| *n != 7) {
            assert!(seen.contains_key(&format!("c-{n}")), "{n} stayed");
        }
        assert!(!seen.keys().any(|name| name.starts_with("c-new")));
    }

    #[test]
    fn an_empty_list_is_one_piece() {
        let mut home = Home::default();
        assert_eq!(home.list(APP, "", Cursor::default()), (Vec::new(), None));
        let channel = occupy(&mut home, APP, "c-1");
        vacate(&mut home, channel);
        assert_eq!(home.list(APP, "", Cursor::default()), (Vec::new(), None));
    }
}
