//! Work that has no place on a shard: tokio's libraries, and what blocks.

use super::endpoint::Endpoint;
use crate::control::Work;
use std::future::Future;

impl Endpoint {
    /// Runs a future on the server's tokio runtime: a database client, an HTTP client, anything
    /// that needs tokio's reactor. It begins at once; awaiting what is returned waits for its
    /// output without stopping the shard. Dropping that cancels the future.
    ///
    /// The future has to be `Send`, and what tokio makes has to be made inside of it: give an
    /// `async move` block, not `tokio::time::sleep(..)` itself.
    ///
    /// The runtime has one thread, which also sends webhooks and watches over the shards. What
    /// blocks or computes for long there holds all of that back: give it to
    /// [`Endpoint::blocking`].
    ///
    /// # Errors
    /// Awaited, it fails with [`WorkError`](super::WorkError): when the future panics, when
    /// [`SHARD_WORK_MAX`](crate::limits::SHARD_WORK_MAX) futures and closures of this shard are
    /// not over yet, or when the server is ending.
    pub fn on_tokio<F>(&self, future: F) -> Work<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.local().worker.future(future)
    }

    /// Runs a closure on a thread that may be stopped: file systems, password hashes, drivers that
    /// block. It is queued at once, runs to its end whether its result is awaited or not, and
    /// [`BLOCKING_THREADS_MAX`](crate::limits::BLOCKING_THREADS_MAX) of them run at a time. The
    /// server's end does not wait for it.
    ///
    /// # Errors
    /// As [`Endpoint::on_tokio`].
    pub fn blocking<T: Send + 'static>(
        &self,
        closure: impl FnOnce() -> T + Send + 'static,
    ) -> Work<T> {
        self.local().worker.closure(closure)
    }
}
