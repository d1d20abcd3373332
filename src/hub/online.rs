//! Who is online (section 7.3), at the home of the user's own channel: the edges, and the shards
//! that are told of them.
//!
//! A user is here while it has connections, while it may still come back from a short absence, and
//! while somebody watches it; and only for apps in which somebody wants to know
//! ([`Tenant::tracks_users`](super::Tenant)).

use super::channel_table::{ChannelName, ChannelTable, Named};
use super::deadlines::Deadline;
use super::effect::Effect;
use super::note::{LocalRef, Note, Status, Watch};
use super::state::Hub;
use crate::id::ShardId;
use smallvec::SmallVec;

/// A user as its home knows it.
#[derive(Debug)]
pub struct HomeUser {
    /// The user's own channel.
    name: ChannelName,
    /// Whether some shard has connections of it.
    is_here: bool,
    /// What watchers were told: a user that is gone stays online for a while (U11).
    online: bool,
    /// Counts its departures, so that only the deadline of the last one counts.
    departures: u32,
    watchers: SmallVec<[Watcher; 2]>,
}

/// A shard that is told.
#[derive(Clone, Copy, Debug)]
struct Watcher {
    shard: ShardId,
    local: LocalRef,
}

impl Named for HomeUser {
    fn name(&self) -> &ChannelName {
        &self.name
    }
}

/// The users this shard is home of.
pub type OnlineTable = ChannelTable<HomeUser>;

impl Hub {
    /// A shard has connections of a user.
    pub(super) fn user_came(&mut self, channel: &ChannelName, effects: &mut Vec<Effect>) {
        if !self.apps.get(channel.app).tracks_users {
            return;
        }
        let slot = self.user_at_home(channel);
        if !std::mem::replace(&mut self.online.get_mut(slot).is_here, true) {
            self.notice_user(channel, true, effects);
        }
        let user = self.online.get_mut(slot);
        if !std::mem::replace(&mut user.online, true) {
            self.user_changed(slot, effects);
        }
    }

    /// No shard has connections of a user any more.
    pub(super) fn user_left(&mut self, channel: &ChannelName, effects: &mut Vec<Effect>) {
        if !self.apps.get(channel.app).tracks_users {
            return;
        }
        self.notice_user(channel, false, effects);
        let slot = self.user_at_home(channel);
        let user = self.online.get_mut(slot);
        user.is_here = false;
        user.departures = user.departures.wrapping_add(1);
        let offline = Deadline::UserOffline {
            slot,
            generation: self.online.generation(slot),
            departure: self.online.get(slot).departures,
        };
        let at_ms = self.now_ms + self.options.flap_ms;
        self.deadlines.set(at_ms, offline);
    }

    /// A user has been away for long enough, unless it came back.
    pub(super) fn user_stayed_away(
        &mut self,
        (slot, generation): (u32, u32),
        departure: u32,
        effects: &mut Vec<Effect>,
    ) {
        let Some(slot) = self.online.resolve(slot, generation) else {
            return;
        };
        let user = self.online.get_mut(slot);
        if user.is_here || user.departures != departure {
            return;
        }
        user.online = false;
        self.user_changed(slot, effects);
        self.forget_user(slot);
    }

    /// The one place where a user goes online or offline for those who watch it: at once when it
    /// comes, `flap_ms` after it has gone. Webhooks are told by the control thread, which waits as
    /// long.
    fn user_changed(&mut self, slot: u32, effects: &mut Vec<Effect>) {
        let user = self.online.get(slot);
        for watcher in &user.watchers {
            effects.push(watcher.status(user.online));
        }
    }

    /// A shard wants to know whether a user is online, now and from now on.
    pub(super) fn watch_user(&mut self, from: ShardId, watch: &Watch, effects: &mut Vec<Effect>) {
        let slot = self.user_at_home(&watch.channel);
        let user = self.online.get_mut(slot);
        let watcher = Watcher {
            shard: from,
            local: watch.local,
        };
        user.watchers.push(watcher);
        effects.push(watcher.status(user.online));
    }

    /// A shard does not want to know any more.
    pub(super) fn unwatch_user(&mut self, from: ShardId, channel: &ChannelName) {
        let name = channel.name.as_bytes();
        if let Some(slot) = self.online.find(channel.app, channel.hash, name) {
            let user = self.online.get_mut(slot);
            user.watchers.retain(|watcher| watcher.shard != from);
            self.forget_user(slot);
        }
    }

    fn user_at_home(&mut self, channel: &ChannelName) -> u32 {
        let name = channel.name.as_bytes();
        let known = self.online.find(channel.app, channel.hash, name);
        known.unwrap_or_else(|| {
            self.online.insert(HomeUser {
                name: channel.clone(),
                is_here: false,
                online: false,
                departures: 0,
                watchers: SmallVec::new(),
            })
        })
    }

    /// Frees a user that nobody has to remember.
    fn forget_user(&mut self, slot: u32) {
        let user = self.online.get(slot);
        if !user.is_here && !user.online && user.watchers.is_empty() {
            self.online.remove(slot);
        }
    }
}

impl Watcher {
    fn status(self, online: bool) -> Effect {
        let local = self.local;
        Effect::Post {
            to: self.shard,
            note: Note::Status(Status { local, online }),
        }
    }
}
