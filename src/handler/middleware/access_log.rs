//! One line for each request.

use super::{Id, Middleware, Next};
use crate::handler::Request;
use crate::http::Response;
use std::net::SocketAddr;

/// Writes an event for each request and handshake that is answered, at level INFO with the target
/// `shardcast::access`, so that a filter such as `shardcast::access=info` finds them alone.
///
/// Its fields: `method`, `path` (as sent, without the query, which may hold tokens), `status`,
/// `bytes` of the body, `micros` until the answer was
/// made, `peer`, and `id` when a [`RequestId`](super::RequestId) stands before it. No other field
/// and no body is written.
///
/// An answer whose body is made while it is sent is written at the end of that, with the bytes that
/// were sent, behind compression and all; one that broke off says `broke_off=true`. With other
/// answers `bytes` are those that this layer has seen: none for HEAD.
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
        let (method, path) = (request.method(), request.path());
        let (clock, peer) = (request.clock(), request.peer());
        let id = request.extensions().get::<Id>().cloned();
        let start = clock.since_start();
        let response = next.run(request).await;
        let micros = clock.since_start().saturating_sub(start).as_micros() as u64;
        let line = Line {
            status: response.status(),
            micros,
            peer,
            id,
        };
        let is_head = method == "HEAD";
        if !response.is_streamed() || is_head {
            let bytes = response.body_length().filter(|_| !is_head);
            line.write(method, path, bytes.unwrap_or(0), false);
            return response;
        }
        let (method, path) = (method.to_owned(), path.to_owned());
        response.on_sent(move |sent| line.write(&method, &path, sent.bytes, !sent.is_complete))
    }
}

/// What is known of an answer before its body is sent.
struct Line {
    status: u16,
    micros: u64,
    peer: Option<SocketAddr>,
    id: Option<Id>,
}

impl Line {
    fn write(&self, method: &str, path: &str, bytes: u64, broke_off: bool) {
        // In no span: that of `RequestId` would say its name once more, and spans of others say
        // what is not promised here.
        tracing::info!(
            target: "shardcast::access",
            parent: None,
            method,
            path,
            status = self.status,
            bytes,
            micros = self.micros,
            peer = self.peer.map(tracing::field::display),
            id = self.id.as_ref().map(tracing::field::display),
            broke_off = broke_off.then_some(true),
        );
    }
}
