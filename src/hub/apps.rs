//! The apps as one shard sees them: the values of [`App`] with the keyed signer made once.

use crate::app::{App, WebhookKind, WebhookKinds};
use crate::id::AppSlot;
use crate::protocol::auth::Signer;
use hashbrown::HashMap;

/// One app, ready for use.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Credentials and limits.
    pub app: App,
    /// Signs and verifies with the app's secret.
    pub signer: Signer,
    /// Whether anybody wants to know who is online.
    pub tracks_users: bool,
    /// What its webhooks are told of.
    pub webhooks: WebhookKinds,
}

impl Tenant {
    /// Makes the app ready.
    #[must_use]
    pub fn new(app: App) -> Self {
        let webhooks = WebhookKinds::of(&app.webhooks);
        Self {
            signer: Signer::new(app.secret.expose()),
            tracks_users: app.watchlist || webhooks.contains(WebhookKind::UserOnline),
            webhooks,
            app,
        }
    }

    /// What is left of an app that is served no more: it has nobody's trust and no webhooks.
    fn ended(&self) -> Self {
        let app = App {
            enabled: false,
            ..App::new(&*self.app.id, &*self.app.key, "")
        };
        Self::following(app, self)
    }

    /// The same app with other settings. Whoever was told that users are tracked counts on it: it
    /// is not taken back while the server runs.
    fn following(app: App, last: &Self) -> Self {
        let mut next = Self::new(app);
        next.tracks_users |= last.tracks_users;
        next
    }
}

/// All apps; slots are the same on every shard because all are built from the same list, and
/// changed by the same lists in the same order.
///
/// An app keeps its slot for as long as it is served. The slot of one that is served no more is
/// given to no other, for what is on its way may still name it.
#[derive(Clone, Debug, Default)]
pub struct AppTable {
    tenants: Vec<Tenant>,
    by_id: HashMap<String, AppSlot>,
    by_key: HashMap<String, AppSlot>,
    /// How often the list was changed.
    generation: u64,
}

impl AppTable {
    /// Builds the table. Ids and keys are unique: the configuration sees to it.
    ///
    /// # Panics
    /// When two apps share an id or a key.
    #[must_use]
    pub fn new(apps: impl IntoIterator<Item = App>) -> Self {
        let mut table = Self::default();
        for app in apps {
            let slot = AppSlot(u32::try_from(table.tenants.len()).expect("fewer than 2^32 apps"));
            let id = table.by_id.insert(app.id.clone(), slot);
            let key = table.by_key.insert(app.key.clone(), slot);
            assert!(id.is_none() && key.is_none(), "app ids and keys are unique");
            table.tenants.push(Tenant::new(app));
        }
        table
    }

    /// Makes room for the apps of a new list that have no slot yet: they are known by their slots
    /// from here on, and by nothing else.
    ///
    /// # Panics
    /// When the new ones do not have the next slots in their order.
    pub fn learn(&mut self, apps: &[(AppSlot, App)]) {
        for (slot, app) in apps {
            if slot.index() >= self.tenants.len() {
                assert_eq!(slot.index(), self.tenants.len(), "slots are given in order");
                self.tenants.push(Tenant::new(app.clone()));
            }
        }
    }

    /// Serves a new list of apps, all of which were learned, and no others.
    ///
    /// # Panics
    /// When one of them was not learned, or two share an id or a key.
    pub fn switch(&mut self, apps: &[(AppSlot, App)]) {
        let served: Vec<AppSlot> = self.by_id.drain().map(|(_, slot)| slot).collect();
        self.by_key.clear();
        self.generation += 1;
        for (slot, app) in apps {
            let id = self.by_id.insert(app.id.clone(), *slot);
            let key = self.by_key.insert(app.key.clone(), *slot);
            assert!(id.is_none() && key.is_none(), "app ids and keys are unique");
            let tenant = &mut self.tenants[slot.index()];
            *tenant = Tenant::following(app.clone(), tenant);
        }
        for slot in served {
            let tenant = &mut self.tenants[slot.index()];
            if self.by_id.get(&tenant.app.id) != Some(&slot) {
                *tenant = tenant.ended();
            }
        }
    }

    /// The app of a slot that this table gave out.
    ///
    /// # Panics
    /// When the slot is not of this table.
    #[must_use]
    pub fn get(&self, slot: AppSlot) -> &Tenant {
        &self.tenants[slot.index()]
    }

    /// Finds an app by the id that backends use.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<AppSlot> {
        self.by_id.get(id).copied()
    }

    /// Finds an app by the key that clients use.
    #[must_use]
    pub fn by_key(&self, key: &str) -> Option<AppSlot> {
        self.by_key.get(key).copied()
    }

    /// The slots of the apps that are served, in their order.
    #[must_use]
    pub fn served(&self) -> Vec<AppSlot> {
        let mut slots: Vec<AppSlot> = self.by_id.values().copied().collect();
        slots.sort_unstable_by_key(|slot| slot.index());
        slots
    }

    /// Another number whenever the list of apps may be another one.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How many apps are served.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Webhook;

    #[test]
    fn users_are_tracked_where_somebody_wants_to_know() {
        let tracks = |change: &dyn Fn(&mut App)| {
            let mut app = App::new("1", "key", "secret");
            change(&mut app);
            Tenant::new(app).tracks_users
        };
        let told_of = |kind| {
            let hook = Webhook::new("http://127.0.0.1/");
            let events = vec![kind];
            vec![Webhook { events, ..hook }]
        };
        assert!(!tracks(&|_| {}));
        assert!(!tracks(
            &|app| app.webhooks = vec![Webhook::new("http://127.0.0.1/")]
        ));
        assert!(!tracks(
            &|app| app.webhooks = told_of(WebhookKind::MemberAdded)
        ));
        assert!(tracks(
            &|app| app.webhooks = told_of(WebhookKind::UserOnline)
        ));
        assert!(tracks(
            &|app| app.webhooks = told_of(WebhookKind::UserOffline)
        ));
        assert!(tracks(&|app| app.watchlist = true));
    }
}
