//! New apps and new limits while the hub runs.
//!
//! All shards first [learn](Hub::learn) the apps that are new, so that each knows every slot before
//! any other shard names it in a note; then all [switch](Hub::switch). Between the two some serve
//! the old list and some the new one, which is no worse than the order in which packets arrive.

use super::effect::Effect;
use super::note::Note;
use super::options::Limits;
use super::state::Hub;
use crate::app::App;
use crate::id::{AppSlot, ClientId};
use std::collections::BTreeMap;
use std::rc::Rc;

impl Hub {
    /// The first step: nothing is served that was not served before.
    ///
    /// # Panics
    /// As [`AppTable::learn`](super::AppTable::learn).
    pub fn learn(&mut self, apps: &[(AppSlot, App)]) {
        Rc::make_mut(&mut self.apps).learn(apps);
    }

    /// The second step: serves these apps with these limits. Returns the connections of apps that
    /// are served no more, which whoever calls this is to close.
    ///
    /// # Panics
    /// As [`AppTable::switch`](super::AppTable::switch).
    pub fn switch(
        &mut self,
        apps: &[(AppSlot, App)],
        limits: Limits,
        effects: &mut Vec<Effect>,
    ) -> Vec<ClientId> {
        let untracked = |(slot, _): &&(AppSlot, App)| !self.apps.get(*slot).tracks_users;
        let untracked: Vec<AppSlot> = apps.iter().filter(untracked).map(|(s, _)| *s).collect();
        Rc::make_mut(&mut self.apps).switch(apps);
        self.options.set(limits);
        self.cache.set_bytes(limits.cache_bytes);
        self.hold_all(effects);
        self.track_users(&untracked, effects);
        let is_ended = |app| !self.apps.get(app).app.enabled;
        let ended = self.sessions.iter().filter(|it| is_ended(it.app));
        ended.map(|session| session.client).collect()
    }

    /// Connections that came while their app had no limit count for the one it has now.
    fn hold_all(&mut self, effects: &mut Vec<Effect>) {
        let mut held: BTreeMap<u32, u32> = BTreeMap::new();
        for session in self.sessions.iter_mut() {
            if !session.counted && self.apps.get(session.app).app.max_connections.is_some() {
                session.counted = true;
                *held.entry(session.app.0).or_default() += 1;
            }
        }
        for (app, count) in held {
            self.hold(AppSlot(app), count, effects);
        }
    }

    /// Counts a connection whose app was given a limit after it was let in without a place; says
    /// whether that is so.
    pub(super) fn hold_late(&self, app: AppSlot, effects: &mut Vec<Effect>) -> bool {
        let is_late = self.needs_place(app);
        if is_late {
            self.hold(app, 1, effects);
        }
        is_late
    }

    fn hold(&self, app: AppSlot, count: u32, effects: &mut Vec<Effect>) {
        effects.push(Effect::Post {
            to: self.app_home(app),
            note: Note::Hold(app, count),
        });
    }

    /// Where somebody wants to know only now who is online, those who are come now.
    fn track_users(&mut self, untracked: &[AppSlot], effects: &mut Vec<Effect>) {
        let is_tracked = |app: &&AppSlot| self.apps.get(**app).tracks_users;
        let mut new: Vec<AppSlot> = untracked.iter().filter(is_tracked).copied().collect();
        if new.is_empty() {
            return; // nearly always: the channels are not walked for nothing
        }
        new.sort_unstable_by_key(|app| app.0);
        let is_new = |app: AppSlot| new.binary_search_by_key(&app.0, |it| it.0).is_ok();
        for channel in self.home.users_here(is_new) {
            self.user_came(&channel, effects);
        }
    }
}
