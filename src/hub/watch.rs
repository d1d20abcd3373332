//! Watchlists (section 7.3) on the watcher's shard: which users are watched here, by whom, and
//! what their homes said of them last.
//!
//! A home is asked once for all watchers of a shard, and answers like it tells of changes: with the
//! user's state at that instant. Notes keep their order, so what was said last is what is true for
//! every watcher here, and a list that is told is made of that.

use super::channel_table::{ChannelName, ChannelTable, Named};
use super::effect::Effect;
use super::note::{LocalRef, Note, Status, Watch, home_of};
use super::state::Hub;
use super::tell::tell;
use crate::id::ClientId;
use crate::limits::WATCHLIST_MAX;
use crate::protocol::Code;
use crate::protocol::event;
use crate::protocol::user::{channel_of, user_of};
use crate::ws::Frame;
use indexmap::IndexSet;

/// A watched user's place in this shard's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchedSlot(u32);

/// A user that somebody on this shard watches.
#[derive(Debug)]
pub struct WatchedUser {
    /// The user's own channel.
    name: ChannelName,
    /// What the home said last; `None` until it has answered.
    online: Option<bool>,
    watchers: IndexSet<ClientId>,
}

impl Named for WatchedUser {
    fn name(&self) -> &ChannelName {
        &self.name
    }
}

impl WatchedUser {
    fn id(&self) -> &str {
        user_of(&self.name.name).expect("made from an id")
    }
}

/// The users that are watched here.
pub type WatchTable = ChannelTable<WatchedUser>;

impl Hub {
    /// Begins to watch the first hundred of these users, each once (U12). They are told of when
    /// the state of all is known (U11).
    pub(super) fn watch_all(
        &mut self,
        client: ClientId,
        ids: &[Box<str>],
        effects: &mut Vec<Effect>,
    ) {
        let app = self.sessions.get(client).expect("it signs in").app;
        let (mut watched, mut unknown) = (Vec::new(), 0);
        for id in ids {
            let name = self.channel_name(app, &channel_of(id));
            let known = self.watched.find(app, name.hash, name.name.as_bytes());
            if known.is_some_and(|slot| self.watched.get(slot).watchers.contains(&client)) {
                continue;
            }
            if watched.len() == WATCHLIST_MAX {
                let code = Code::WatchlistTooLong;
                tell(client, Some(code), code.message(), None, effects);
                break;
            }
            let slot = known.unwrap_or_else(|| self.watch(name, effects));
            let user = self.watched.get_mut(slot);
            user.watchers.insert(client);
            unknown += u32::from(user.online.is_none());
            watched.push(WatchedSlot(slot));
        }
        let session = self.sessions.get_mut(client).expect("looked up above");
        let user = session.user.as_mut().expect("it signs in");
        (user.watched, user.unknown) = (watched, unknown);
        if unknown == 0 {
            self.tell_all(client, effects);
        }
    }

    fn watch(&mut self, name: ChannelName, effects: &mut Vec<Effect>) -> u32 {
        let (to, channel) = (home_of(name.hash, self.options.shards), name.clone());
        let slot = self.watched.insert(WatchedUser {
            name,
            online: None,
            watchers: IndexSet::new(),
        });
        let generation = self.watched.generation(slot);
        let local = LocalRef { slot, generation };
        let note = Note::Watch(Box::new(Watch { channel, local }));
        effects.push(Effect::Post { to, note });
        slot
    }

    /// The client watches these users no longer. Their homes are not told before
    /// [`Hub::forget_unwatched`], so that whoever signs in again with the list it had makes no
    /// work for any home (U3).
    pub(super) fn look_away(&mut self, client: ClientId, watched: &[WatchedSlot]) {
        for &WatchedSlot(slot) in watched {
            self.watched.get_mut(slot).watchers.swap_remove(&client);
        }
    }

    /// Frees those of these users whom nobody here watches any more.
    pub(super) fn forget_unwatched(&mut self, watched: &[WatchedSlot], effects: &mut Vec<Effect>) {
        for &WatchedSlot(slot) in watched {
            if self.watched.get(slot).watchers.is_empty() {
                let name = self.watched.remove(slot).name;
                let to = home_of(name.hash, self.options.shards);
                let note = Note::Unwatch(Box::new(name));
                effects.push(Effect::Post { to, note });
            }
        }
    }

    /// A watched user's home says whether it is online: for the first time, or because that has
    /// changed.
    pub(super) fn status(&mut self, status: Status, effects: &mut Vec<Effect>) {
        let Status { local, online } = status;
        let Some(slot) = self.watched.resolve(local.slot, local.generation) else {
            return;
        };
        let user = self.watched.get_mut(slot);
        let is_answer = user.online.replace(online).is_none();
        let user = self.watched.get(slot);
        let mut complete: Vec<ClientId> = Vec::new();
        let mut frame = None;
        for &client in &user.watchers {
            let session = self.sessions.get_mut(client).expect("watchers are open");
            let watcher = session.user.as_mut().expect("watchers are signed in");
            if is_answer {
                watcher.unknown -= 1;
                if watcher.unknown == 0 {
                    complete.push(client);
                }
            } else if watcher.unknown == 0 {
                let frame = frame.get_or_insert_with(|| change(user.id(), online));
                let frame = frame.clone();
                effects.push(Effect::Send { client, frame });
            }
        }
        for client in complete {
            self.tell_all(client, effects);
        }
    }

    /// The first frame: the state of everybody on the list.
    fn tell_all(&self, client: ClientId, effects: &mut Vec<Effect>) {
        let user = self.sessions.get(client).and_then(|it| it.user.as_ref());
        let watched = &user.expect("looked up by the caller").watched;
        if watched.is_empty() {
            return;
        }
        let users = || watched.iter().map(|slot| self.watched.get(slot.0));
        let of = |state| {
            let those = users().filter(move |user| user.online == Some(state));
            those.map(WatchedUser::id)
        };
        let mut text = Vec::new();
        event::watchlist_events(of(true), of(false), &mut text);
        let frame = Frame::text(&text);
        effects.push(Effect::Send { client, frame });
    }
}

/// A later frame: one change.
fn change(id: &str, online: bool) -> Frame {
    let of = |state| std::iter::once(id).filter(move |_| state == online);
    let mut text = Vec::new();
    event::watchlist_events(of(true), of(false), &mut text);
    Frame::text(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::hub::{AppTable, Options};
    use crate::id::{AppSlot, ShardId, SocketId};
    use crate::protocol::Command;
    use crate::protocol::command::SignIn;
    use std::rc::Rc;

    /// Signs in with this watchlist; how many users the homes are to watch more and less.
    fn sign_in(hub: &mut Hub, client: ClientId, watchlist: &[String]) -> (usize, usize) {
        let socket_id = hub.socket_id(client).unwrap().to_string();
        let user_data = serde_json::json!({"id": "me", "watchlist": watchlist}).to_string();
        let text = format!("{socket_id}::user::{user_data}");
        let signature = hub.apps().get(AppSlot(0)).signer.sign(&[text.as_bytes()]);
        let auth = format!("key:{signature}");
        let command = Command::SignIn(SignIn {
            auth: Some(&auth),
            user_data: Some(&user_data),
        });
        let mut effects = Vec::new();
        hub.command(client, Ok(command), 0, |_| true, &mut effects);
        let count = |wanted: fn(&Note) -> bool| {
            let posted = effects
                .iter()
                .filter(|effect| matches!(effect, Effect::Post { note, .. } if wanted(note)));
            posted.count()
        };
        let more = count(|note| matches!(note, Note::Watch(_)));
        (more, count(|note| matches!(note, Note::Unwatch(_))))
    }

    #[test]
    fn homes_are_told_only_of_what_a_new_list_changes() {
        // U3: or a client that signs in again and again would have the homes do all the work.
        let mut app = App::new("1", "key", "secret");
        app.watchlist = true;
        let apps = Rc::new(AppTable::new([app]));
        let mut hub = Hub::new(Options::new(ShardId(0), 2, [1, 2]), apps);
        let client = ClientId::new(ShardId(0), 0, 0);
        let socket_id = SocketId::new(ShardId(0), 1, 2);
        hub.open(client, AppSlot(0), socket_id, false, &mut Vec::new());
        let mut list: Vec<String> = (0..WATCHLIST_MAX).map(|n| format!("u-{n}")).collect();
        assert_eq!(sign_in(&mut hub, client, &list), (WATCHLIST_MAX, 0));
        list.reverse();
        assert_eq!(sign_in(&mut hub, client, &list), (0, 0));
        list[0] = "somebody-new".into();
        assert_eq!(sign_in(&mut hub, client, &list), (1, 1));
        assert_eq!(sign_in(&mut hub, client, &[]), (0, WATCHLIST_MAX));
        assert_eq!(hub.user_sizes(), [0, 0]);
    }
}
