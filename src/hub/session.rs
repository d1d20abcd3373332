//! One connection's machine: its app, its socket id, its subscriptions, its rates.

use super::index::ChannelSlot;
use super::quota::Bucket;
use super::user::SignedIn;
use crate::id::{AppSlot, ClientId, SocketId};
use smallvec::SmallVec;

/// What the hub knows of one connection.
#[derive(Debug)]
pub struct Session {
    /// Whose session it is; tells a later tenant of the slot apart.
    pub client: ClientId,
    /// The app it connected to.
    pub app: AppSlot,
    /// The id it was given.
    pub socket_id: SocketId,
    /// Whether it holds a counted place of its app.
    pub counted: bool,
    /// Whether it has signed in, or been let into a private or presence channel (section 7.4).
    pub is_authorized: bool,
    /// Who has signed in.
    pub user: Option<Box<SignedIn>>,
    /// Whether it is told of a failed subscription a third time (section 3.2).
    pub internal_errors: bool,
    /// What it is subscribed to or waits for.
    pub subscriptions: SmallVec<[Subscription; 1]>,
    /// Counts its subscriptions, so that two to one channel are told apart.
    pub epoch: u32,
    /// Rate of its client events (CE5).
    pub client_events: Bucket,
    /// Rate of errors it is told (section 2.7).
    pub errors: Bucket,
}

// Held for every connection (docs/memory.md).
const _: () = assert!(size_of::<Session>() <= 120);

/// One subscription of a connection.
#[derive(Debug)]
pub struct Subscription {
    /// The channel.
    pub channel: ChannelSlot,
    /// Waiting, or where in the channel's list of subscribers it stands.
    pub state: State,
    /// Which subscription of the connection this is.
    pub epoch: u32,
    /// The user it stands for in a presence channel.
    pub user_id: Option<Box<str>>,
}

// Held for every channel that a connection listens to.
const _: () = assert!(size_of::<Subscription>() <= 32);

/// How far a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The home has not answered. So many answers are owed when it does: a client that asks
    /// twice is told twice (S1).
    Waiting {
        /// Answers to send.
        owed: u32,
    },
    /// Events come in.
    Active {
        /// Place in the channel's list of subscribers.
        position: u32,
    },
}

impl Session {
    /// The subscription to a channel, by place.
    #[must_use]
    pub fn find(&self, channel: ChannelSlot) -> Option<usize> {
        self.subscriptions
            .iter()
            .position(|subscription| subscription.channel == channel)
    }
}

/// The sessions of a shard, by the connection's slot.
#[derive(Debug, Default)]
pub struct Sessions {
    slots: Vec<Option<Box<Session>>>,
    live: usize,
    /// Sessions by app.
    of_app: Vec<u32>,
}

impl Sessions {
    /// Adds a session.
    ///
    /// # Panics
    /// When the slot is taken.
    pub fn insert(&mut self, session: Session) {
        let slot = session.client.slot() as usize;
        *self.of_app_mut(session.app) += 1;
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        let old = self.slots[slot].replace(Box::new(session));
        assert!(
            old.is_none(),
            "a connection's slot is used by one session at a time"
        );
        self.live += 1;
    }

    /// The client's session, unless it is gone.
    #[must_use]
    pub fn get(&self, client: ClientId) -> Option<&Session> {
        let session = self.slots.get(client.slot() as usize)?.as_deref()?;
        (session.client == client).then_some(session)
    }

    /// Same, to change it.
    pub fn get_mut(&mut self, client: ClientId) -> Option<&mut Session> {
        let session = self.slots.get_mut(client.slot() as usize)?.as_deref_mut()?;
        (session.client == client).then_some(session)
    }

    /// Takes the session out.
    pub fn remove(&mut self, client: ClientId) -> Option<Box<Session>> {
        let app = self.get(client)?.app;
        *self.of_app_mut(app) -= 1;
        self.live -= 1;
        self.slots[client.slot() as usize].take()
    }

    /// Every session.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().flatten().map(|session| &**session)
    }

    /// Same, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.slots
            .iter_mut()
            .flatten()
            .map(|session| &mut **session)
    }

    /// How many sessions an app has.
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

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live
    }
}
