//! A handler behind a box: erased once for each connection or request, never for each message.

use super::body::BodyWish;
use super::callbacks::{Error, Handler};
use super::client::Client;
use super::endpoint::Endpoint;
use super::handshake::{Handshake, NotOffered};
use super::life::Life;
use super::request::Request;
use super::router::{internal_error, or_500};
use crate::crossing::pulse::Callback;
use crate::http::Response;
use crate::net::Reader;
use crate::ws::deflate::{self, Agreed, BadOffer, Deflate};
use crate::ws::handshake::{self, HandshakeError};
use futures_lite::FutureExt;
use std::cell::RefCell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::Rc;

/// A future that stays on its shard.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What serves one accepted WebSocket from open to close. `early` is what the client sent
/// right behind its handshake.
pub(crate) type Serve = Box<dyn FnOnce(Reader, Box<[u8]>) -> Boxed<'static, ()>>;

/// Where an accepted handshake leaves what serves the WebSocket, beside its answer 101. Whoever
/// stands between may still answer otherwise: then this is dropped.
#[derive(Default)]
pub(crate) struct Upgraded(RefCell<Option<Serve>>);

impl Upgraded {
    fn put(&self, serve: Serve) {
        *self.0.borrow_mut() = Some(serve);
    }

    /// What serves the WebSocket, if one was accepted.
    pub(crate) fn take(&self) -> Option<Serve> {
        self.0.borrow_mut().take()
    }
}

/// A mounted handler of any type.
pub(crate) trait Mount {
    /// Before the shard accepts.
    fn start(&self) -> Boxed<'_, Result<(), String>>;

    /// How it wants the bodies of its requests.
    fn wishes(&self) -> BodyWish;

    /// A request or a handshake; the answer to an accepted one is a 101.
    fn answer<'a>(&'a self, request: Request<'a>, upgraded: &'a Upgraded) -> Boxed<'a, Response>;

    /// The server stops. Once this has ended, messages do not reach the handler any more.
    fn stop(&self) -> Boxed<'_, ()>;

    /// Same, if that was not waited for to the end.
    fn stopped(&self);

    /// Where it is mounted, to be told to people: the first pattern.
    fn pattern(&self) -> &str;
}

pub(super) struct Mounted<H> {
    handler: Rc<H>,
    endpoint: Endpoint,
    route: u16,
    pattern: Box<str>,
}

impl<H: Handler> Mounted<H> {
    pub(super) fn new(handler: H, endpoint: Endpoint, route: u16, pattern: &str) -> Self {
        Self {
            handler: Rc::new(handler),
            endpoint,
            route,
            pattern: pattern.into(),
        }
    }

    /// Judges the upgrade itself, then asks the handler.
    async fn upgrade(&self, request: &Request<'_>, upgraded: &Upgraded) -> Response {
        if request.method() != "GET" {
            return Response::text(405, "A handshake is a GET request\n")
                .with_header("Allow", "GET")
                .with_close();
        }
        let accept = match handshake::accept(request.upgrade()) {
            Ok(accept) => accept,
            Err(HandshakeError::Key) => {
                return Response::text(400, "Bad Sec-WebSocket-Key\n").with_close();
            }
            Err(HandshakeError::Version) => {
                return Response::text(426, "WebSocket version 13 is spoken here\n")
                    .with_header("Sec-WebSocket-Version", "13")
                    .with_close();
            }
        };
        if self.endpoint.is_stopped() {
            return stopping();
        }
        let Ok(agreed) = self.deflate(request) else {
            return Response::text(400, "Bad Sec-WebSocket-Extensions\n").with_close();
        };
        let Some(handshake) = self.asked(request).await else {
            return internal_error();
        };
        match handshake.finish(request.subprotocols()) {
            Ok((None, refusal)) => refusal,
            Ok((Some(session), response)) => {
                upgraded.put(self.serve(request, session, agreed.map(|(_, ours)| ours)));
                let response = response.with_accept(accept);
                match agreed {
                    Some((agreed, _)) => response
                        .try_header("Sec-WebSocket-Extensions", agreed.to_string())
                        .expect("it is made of words and a number"),
                    None => response,
                }
            }
            Err(NotOffered(name)) => {
                tracing::error!(
                    name,
                    "on_handshake chose a subprotocol that was not offered"
                );
                internal_error()
            }
        }
    }

    /// What the handler says of a handshake, unless it fails.
    async fn asked(&self, request: &Request<'_>) -> Option<Handshake<H::Session>> {
        let asked = async { self.handler.on_handshake(request).await };
        let asked = pin!(AssertUnwindSafe(asked).catch_unwind());
        match self.endpoint.over(Callback::Handshake, asked).await {
            Ok(Ok(handshake)) => Some(handshake),
            Ok(Err(error)) => {
                tracing::error!(%error, "on_handshake failed");
                None
            }
            Err(_) => {
                tracing::error!("on_handshake panicked");
                None
            }
        }
    }

    /// What is agreed on about compression, and the settings that follow from it.
    fn deflate(&self, request: &Request<'_>) -> Result<Option<(Agreed, Deflate)>, BadOffer> {
        if self.handler.streams() {
            return Ok(None); // a compressed message is only known when it is whole
        }
        let Some(ours) = self.handler.deflate() else {
            return Ok(None);
        };
        if let Err(error) = ours.check() {
            tracing::error!(%error, "a handler's deflate: its client goes uncompressed");
            return Ok(None);
        }
        let agreed = deflate::agree(request.extension_offers(), &ours)?;
        Ok(agreed.map(|agreed| {
            let window_bits = agreed.window_bits;
            (
                agreed,
                Deflate {
                    window_bits,
                    ..ours
                },
            )
        }))
    }

    fn serve(&self, request: &Request<'_>, session: H::Session, deflate: Option<Deflate>) -> Serve {
        let handler = Rc::clone(&self.handler);
        let (endpoint, route, peer) = (self.endpoint.clone(), self.route, request.peer());
        let path = self.handler.keeps_info().then(|| request.path().into());
        Box::new(move |reader: Reader, early: Box<[u8]>| {
            let client = Client::new(reader.client(), peer, endpoint, session);
            let life = Life::new(handler, client, reader, route, deflate);
            life.run(early, path)
        })
    }
}

impl<H: Handler> Mount for Mounted<H> {
    fn start(&self) -> Boxed<'_, Result<(), String>> {
        Box::pin(async {
            if let Some(deflate) = self.handler.deflate() {
                deflate.check().map_err(|error| error.to_string())?;
            }
            let started = async { self.handler.on_start(&self.endpoint).await };
            let started = self.endpoint.over(Callback::Start, pin!(started)).await;
            started.map_err(|error: Error| error.to_string())
        })
    }

    fn wishes(&self) -> BodyWish {
        BodyWish {
            streamed: self.handler.streams_requests(),
            max: self.handler.body_max(),
        }
    }

    fn answer<'a>(&'a self, request: Request<'a>, upgraded: &'a Upgraded) -> Boxed<'a, Response> {
        Box::pin(async move {
            if request.is_handshake() {
                return self.upgrade(&request, upgraded).await;
            }
            let answer = async { self.handler.on_request(&self.endpoint, request).await };
            let answer = pin!(answer);
            let answer = self.endpoint.over(Callback::Request, answer);
            or_500(answer, || tracing::error!("on_request panicked")).await
        })
    }

    fn stop(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            let told = async { self.handler.on_stop(&self.endpoint).await };
            let told = pin!(AssertUnwindSafe(told).catch_unwind());
            if self.endpoint.over(Callback::Stop, told).await.is_err() {
                tracing::error!("on_stop panicked");
            }
            self.stopped();
        })
    }

    fn stopped(&self) {
        if !self.handler.serves_while_stopping() {
            self.endpoint.stop();
        }
    }

    fn pattern(&self) -> &str {
        &self.pattern
    }
}

/// The handler was told of the stop already: nobody opens any more.
fn stopping() -> Response {
    Response::text(503, "The server stops\n").with_close()
}
