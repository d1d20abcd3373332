//! What a server holds at a moment, and the waiting for it.

use super::server_handle::ServerHandle;
use crate::control::CallError;
use crate::crossing::Census;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

/// An answer of the server that is on its way. Wait for it with [`Pending::wait`] on a thread of
/// your own, or await it: it needs no runtime.
#[must_use = "the answer comes to who waits for it"]
pub struct Pending<T> {
    server: ServerHandle,
    answer: Answer<T>,
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, CallError>> + Send>>;

impl<T> Pending<T> {
    pub(super) fn new(
        server: ServerHandle,
        answer: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Self {
        Self {
            server,
            answer: Box::pin(answer),
        }
    }

    /// Stops this thread until the answer has come.
    ///
    /// # Errors
    /// [`CallError`]: too many calls wait for one of the shards, or the server has ended.
    ///
    /// # Panics
    /// On a thread of the server, that is in handlers and in futures that run on its tokio
    /// runtime: await it there. In a test in memory, on the thread of the test: there
    /// `testing::Shards::wait_for` waits for it.
    pub fn wait(self) -> Result<T, CallError> {
        self.server.assert_may_wait();
        #[expect(
            clippy::disallowed_methods,
            reason = "this is no thread of the server: that was looked at"
        )]
        futures_lite::future::block_on(self.answer)
    }
}

impl<T> IntoFuture for Pending<T> {
    type Output = Result<T, CallError>;
    type IntoFuture = Answer<T>;

    fn into_future(self) -> Answer<T> {
        self.answer
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// What a server holds. Each shard counts at its own moment, so a client that moves about
/// meanwhile may be counted twice or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Of each shard, in their order.
    pub shards: Vec<ShardSnapshot>,
    routes: Vec<(Box<str>, u16)>,
}

/// What one shard holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardSnapshot {
    /// Its connections, whatever they speak: open and closing WebSockets, and requests.
    pub connections: usize,
    /// Its open WebSockets by the handler that serves them, under the first pattern that the
    /// handler was mounted with, in the order of mounting.
    pub clients: Vec<(String, usize)>,
    /// Bytes that wait to be written to its connections.
    pub waiting_bytes: usize,
    /// Tasks that its handlers have spawned and that have not ended.
    pub tasks: usize,
    /// Rows of the shared tables that have their home on it, by the table's name.
    pub rows: Vec<(Box<str>, usize)>,
    by_route: Vec<usize>,
}

impl Snapshot {
    pub(super) fn new(routes: &[(Box<str>, u16)], mut found: Vec<Census>) -> Self {
        found.sort_by_key(|census| census.shard);
        let first_name = |route: usize| {
            let mut names = routes.iter().filter(|(_, of)| usize::from(*of) == route);
            names.next().map(|(pattern, _)| pattern.to_string())
        };
        let shard = |census: Census| ShardSnapshot {
            connections: census.connections,
            clients: (census.clients.iter().enumerate())
                .filter_map(|(route, count)| Some((first_name(route)?, *count)))
                .collect(),
            waiting_bytes: census.waiting_bytes,
            tasks: census.tasks,
            rows: census.rows,
            by_route: census.clients,
        };
        Self {
            shards: found.into_iter().map(shard).collect(),
            routes: routes.to_vec(),
        }
    }

    /// Connections of all shards, whatever they speak.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shards.iter().map(|shard| shard.connections).sum()
    }

    /// Open WebSockets of the handler at this pattern, on all shards; `None` when none is mounted
    /// there.
    #[must_use]
    pub fn clients(&self, pattern: &str) -> Option<usize> {
        let (_, route) = self.routes.iter().find(|(known, _)| **known == *pattern)?;
        let of_shard = |shard: &ShardSnapshot| shard.by_route.get(usize::from(*route)).copied();
        Some(self.shards.iter().filter_map(of_shard).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_counted_under_each_of_its_patterns() {
        let routes: [(Box<str>, u16); 3] =
            [("/a".into(), 0), ("/b/{id}".into(), 1), ("/b".into(), 1)];
        let census = |shard, clients: [usize; 2]| Census {
            shard,
            connections: 10,
            clients: clients.into(),
            ..Census::default()
        };
        let snapshot = Snapshot::new(&routes, vec![census(1, [1, 2]), census(0, [3, 4])]);
        assert_eq!(snapshot.connections(), 20);
        assert_eq!(snapshot.clients("/a"), Some(4));
        assert_eq!(snapshot.clients("/b/{id}"), Some(6));
        assert_eq!(snapshot.clients("/b"), Some(6));
        assert_eq!(snapshot.clients("/c"), None);
        let of_shards = [[("/a", 3), ("/b/{id}", 4)], [("/a", 1), ("/b/{id}", 2)]];
        for (shard, clients) in snapshot.shards.iter().zip(of_shards) {
            let clients = clients.map(|(pattern, count)| (pattern.to_owned(), count));
            assert_eq!(shard.clients, clients);
        }
    }
}
