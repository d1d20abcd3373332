//! A running server, for every thread.

use super::payload::{Payload, Prepared};
use super::snapshot::{Pending, Snapshot};
use super::table::Ledger;
use crate::control::{CallError, Calls, Ended, webhook};
use crate::crossing::{Call, ToControl};
use crate::id::{ClientId, ShardId};
use crate::limits::CLOSE_REASON_MAX;
use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};

/// A running server, as any thread and any runtime sees it. Cheap to clone; dropping it leaves the
/// server running.
///
/// `Server::builder()...start()` gives one to the thread that started the server, and
/// `Endpoint::server` gives one to handlers. What it does is done by a shard, which has a bounded
/// queue for such calls: a call is taken as a whole, or the caller is told why not. Calls of one
/// handle and its clones are done in the order in which they were made.
#[derive(Clone)]
pub struct ServerHandle {
    shared: Arc<Shared>,
    /// The shard that does what this handle asks for.
    entry: ShardId,
}

/// What a handle is made of.
pub(crate) struct Parts {
    /// Where the server listens.
    pub(crate) address: SocketAddr,
    /// To the shards.
    pub(crate) calls: Calls,
    /// To the control thread.
    pub(crate) reports: flume::Sender<ToControl>,
    /// How the server ended.
    pub(crate) ended: Ended,
    /// What becomes of webhooks.
    pub(crate) webhooks: webhook::Counts,
    /// What whoever started the server keeps with it.
    pub(crate) about: Box<dyn Any + Send + Sync>,
    /// The thread on which all shards take turns, if they run in memory: it waits for nothing of
    /// theirs.
    pub(crate) home: Option<ThreadId>,
}

struct Shared {
    parts: Parts,
    /// Patterns and the routes they lead to: by the first shard whose routes are mounted.
    routes: OnceLock<Patterns>,
    ledger: Arc<Ledger>,
}

type Patterns = Box<[(Box<str>, u16)]>;

thread_local! {
    /// Whether this thread is one of a server's own.
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// From here on this thread serves: it must not be stopped.
pub(crate) fn mark_own_thread() {
    OWN.set(true);
}

impl ServerHandle {
    pub(crate) fn new(parts: Parts) -> Self {
        let shared = Shared {
            parts,
            routes: OnceLock::new(),
            ledger: Arc::default(),
        };
        Self {
            shared: Arc::new(shared),
            entry: ShardId(0),
        }
    }

    /// The same server, asked by way of another shard.
    pub(crate) fn by_way_of(&self, entry: ShardId) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            entry,
        }
    }

    /// A shard has mounted its routes: all must have the same.
    pub(crate) fn set_routes(&self, routes: Vec<(Box<str>, u16)>) -> Result<(), String> {
        let known = self.shared.routes.get_or_init(|| routes.clone().into());
        match **known == *routes {
            true => Ok(()),
            false => Err(format!(
                "each shard must mount the same routes in the same order: {routes:?} here, \
                 {known:?} on another"
            )),
        }
    }

    /// What the shards agree on about their tables.
    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.shared.ledger
    }

    /// What whoever started the server keeps with it.
    pub(crate) fn about(&self) -> &(dyn Any + Send + Sync) {
        &*self.shared.parts.about
    }

    /// # Panics
    /// On a server's own threads, and on that of shards in memory which have not ended.
    #[track_caller]
    pub(crate) fn assert_may_wait(&self) {
        assert!(
            !OWN.get(),
            "this would stop a thread of the server: await it instead"
        );
        let is_home = self.shared.parts.home == Some(thread::current().id());
        assert!(
            !is_home || self.ending().is_over(),
            "this would wait for ever for shards that run on the same thread: give what is waited \
             for to `Shards::wait_for`, or call `Shards::stop` first"
        );
    }

    /// How the server ended.
    pub(crate) fn ending(&self) -> &Ended {
        &self.shared.parts.ended
    }

    /// Where it listens, with the port it really got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.parts.address
    }

    /// Where it is counted what becomes of webhooks; it can be read after the server's end too.
    #[must_use]
    pub fn webhooks(&self) -> webhook::Counts {
        self.shared.parts.webhooks.clone()
    }

    /// Asks the server to stop: handlers are told, clients are closed. Returns at once; asking
    /// again changes nothing.
    pub fn stop(&self) {
        // Full or gone: it was asked before, or it has ended.
        let _ = self.shared.parts.reports.try_send(ToControl::Stop);
    }

    /// Sends a message to every client of the handler that is mounted at `pattern`, on all shards.
    /// The pattern is the one it was mounted with, such as `/room/{id}`; a handler with several
    /// goes by each. Encoded once. A client whose outbox is full is closed.
    ///
    /// # Errors
    /// [`CallError`]: then nobody gets it. One that was taken while the server is told to stop may
    /// find no client any more.
    pub fn broadcast<'a>(
        &self,
        pattern: &str,
        payload: impl Into<Payload<'a>>,
    ) -> Result<(), CallError> {
        let route = self.route(pattern)?;
        let frame = Prepared::new(payload).bytes();
        self.leave(Call::Broadcast { route, frame })
    }

    /// Sends a message to one client, wherever it is connected. Whether it is still there shows
    /// only at its shard, which drops the message if not; if its outbox is full, it is closed.
    ///
    /// # Errors
    /// [`CallError`]: then it does not get it.
    pub fn send<'a>(
        &self,
        client: ClientId,
        payload: impl Into<Payload<'a>>,
    ) -> Result<(), CallError> {
        self.known(client)?;
        let frame = Prepared::new(payload).bytes();
        self.leave(Call::Send { client, frame })
    }

    /// Closes one client, wherever it is connected; of the reason at most 123 bytes are sent. What
    /// was sent to it before through this handle still arrives.
    ///
    /// # Errors
    /// [`CallError`]: then it is not closed.
    pub fn close(&self, client: ClientId, code: u16, reason: &str) -> Result<(), CallError> {
        self.known(client)?;
        let end = reason.floor_char_boundary(CLOSE_REASON_MAX);
        let reason = reason[..end].into();
        self.leave(Call::Close {
            client,
            code,
            reason,
        })
    }

    /// Asks every shard what it holds.
    pub fn snapshot(&self) -> Pending<Snapshot> {
        let calls = &self.shared.parts.calls;
        let (answer, answers) = flume::bounded(usize::from(calls.shards()));
        let asked = (0..calls.shards())
            .try_for_each(|shard| calls.leave(ShardId(shard), Call::Count(answer.clone())));
        let (this, shards) = (self.clone(), calls.shards());
        Pending::new(self.clone(), async move {
            asked?;
            drop(answer);
            let mut found = Vec::with_capacity(shards.into());
            for _ in 0..shards {
                let answer = async { answers.recv_async().await.map_err(|_| CallError::Ended) };
                let ended = async {
                    this.ending().over().await;
                    Err(CallError::Ended)
                };
                found.push(futures_lite::future::or(answer, ended).await?);
            }
            Ok(Snapshot::new(this.routes(), found))
        })
    }

    fn leave(&self, call: Call) -> Result<(), CallError> {
        self.shared.parts.calls.leave(self.entry, call)
    }

    fn routes(&self) -> &[(Box<str>, u16)] {
        self.shared.routes.get().map_or(&[], |routes| routes)
    }

    /// The first pattern of each handler, by the number of its route.
    pub(super) fn route_names(&self) -> Vec<Box<str>> {
        let routes = self.routes();
        let first = |number| routes.iter().find(|(_, route)| *route == number);
        (0..)
            .map_while(first)
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn route(&self, pattern: &str) -> Result<u16, CallError> {
        let found = self.routes().iter().find(|(known, _)| **known == *pattern);
        let (_, route) = found.ok_or_else(|| CallError::NoRoute(pattern.to_owned()))?;
        Ok(*route)
    }

    fn known(&self, client: ClientId) -> Result<(), CallError> {
        match client.shard().0 < self.shared.parts.calls.shards() {
            true => Ok(()),
            false => Err(CallError::NoClient),
        }
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle")
            .field("address", &self.local_addr())
            .finish_non_exhaustive()
    }
}
