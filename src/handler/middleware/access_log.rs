//! One line for each request.

use super::{Id, Middleware, Next};
use crate::handler::Request;
use crate::http::Response;

/// Writes an event for each request and handshake that is answered, at level INFO with the target
/// `shardcast::access`, so that a filter such as `shardcast::access=info` finds them alone.
///
/// Its fields: `method`, `path` (as sent, without the query, which may hold tokens), `status`,
/// `bytes` of the body (0 of one that is made while it is sent), `micros` until the answer was
/// made, `peer`, and `id` when a [`RequestId`](super::RequestId) stands before it. No other field
/// and no body is written.
///
/// An accepted handshake is written when it is accepted, with status 101.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccessLog;

impl AccessLog {
    /// Writes everything.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Middleware for AccessLog {
    async fn around(&self, request: Request<'_>, next: Next<'_>) -> Response {
        let (method, path, peer) = (request.method(), request.path(), request.peer());
        let (clock, id) = (request.clock(), request.extensions().get::<Id>().cloned());
        let start = clock.since_start();
        let response = next.run(request).await;
        let micros = clock.since_start().saturating_sub(start).as_micros() as u64;
        tracing::info!(
            target: "shardcast::access",
            method,
            path,
            status = response.status(),
            bytes = response.body().len(),
            micros,
            peer = peer.map(tracing::field::display),
            id = id.map(tracing::field::display),
        );
        response
    }
}
