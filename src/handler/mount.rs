//! A handler behind a box: erased once for each connection or request, never for each message.

use super::callbacks::{Handler, Handshake};
use super::client::Client;
use super::endpoint::Endpoint;
use super::life::Life;
use super::request::Request;
use crate::http::Response;
use crate::net::Reader;
use futures_lite::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;

/// A future that stays on its shard.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What serves one accepted WebSocket from open to close. `early` is what the client sent
/// right behind its handshake.
pub(crate) type Serve = Box<dyn FnOnce(Reader, Box<[u8]>) -> Boxed<'static, ()>>;

/// A mounted handler of any type.
pub(crate) trait Mount {
    fn start(&self) -> Boxed<'_, Result<(), String>>;
    fn handshake<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Serve, Response>>;
    fn request<'a>(&'a self, request: Request<'a>) -> Boxed<'a, Response>;
    fn stop(&self) -> Boxed<'_, ()>;
}

pub(super) struct Mounted<H> {
    handler: Rc<H>,
    endpoint: Endpoint,
    route: u16,
}

impl<H> Mounted<H> {
    pub(super) fn new(handler: H, endpoint: Endpoint, route: u16) -> Self {
        Self {
            handler: Rc::new(handler),
            endpoint,
            route,
        }
    }
}

impl<H: Handler> Mount for Mounted<H> {
    fn start(&self) -> Boxed<'_, Result<(), String>> {
        Box::pin(async {
            self.handler
                .on_start()
                .await
                .map_err(|error| error.to_string())
        })
    }

    fn handshake<'a>(&'a self, request: &'a Request<'a>) -> Boxed<'a, Result<Serve, Response>> {
        Box::pin(async move {
            let outcome = AssertUnwindSafe(self.handler.on_handshake(request))
                .catch_unwind()
                .await;
            let session = match outcome {
                Ok(Ok(Handshake::Accept(session))) => session,
                Ok(Ok(Handshake::Reject(response))) => return Err(response),
                Ok(Err(error)) => {
                    tracing::error!(%error, "on_handshake failed");
                    return Err(internal_error());
                }
                Err(_) => {
                    tracing::error!("on_handshake panicked");
                    return Err(internal_error());
                }
            };
            let handler = Rc::clone(&self.handler);
            let (endpoint, route, peer) = (self.endpoint.clone(), self.route, request.peer());
            let serve: Serve = Box::new(move |reader: Reader, early: Box<[u8]>| {
                let client = Client::new(reader.client(), peer, endpoint, session);
                let life = Life::new(handler, client, reader, route);
                life.run(early)
            });
            Ok(serve)
        })
    }

    fn request<'a>(&'a self, request: Request<'a>) -> Boxed<'a, Response> {
        Box::pin(async move {
            let outcome = AssertUnwindSafe(self.handler.on_request(request))
                .catch_unwind()
                .await;
            outcome.unwrap_or_else(|_| {
                tracing::error!("on_request panicked");
                internal_error()
            })
        })
    }

    fn stop(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            if AssertUnwindSafe(self.handler.on_stop())
                .catch_unwind()
                .await
                .is_err()
            {
                tracing::error!("on_stop panicked");
            }
        })
    }
}

fn internal_error() -> Response {
    Response::text(500, "Internal error\n").with_close()
}
