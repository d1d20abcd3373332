//! The trait, and its promises.

use super::client::Client;
use super::endpoint::Endpoint;
use super::handshake::Handshake;
use super::incoming::Incoming;
use super::message::{Close, Message};
use super::request::Request;
use super::router::may_use;
use crate::conn::Pace;
use crate::http::Response;
use crate::id::ClientId;
use crate::ws::deflate::Deflate;
use std::fmt;
use std::time::Duration;

/// Whatever went wrong in a callback.
pub type Error = Box<dyn std::error::Error>;

/// What callbacks return.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// A callback panicked; this is what [`Handler::on_error`] is given then.
#[derive(Debug)]
pub struct HandlerPanic(pub(super) String);

impl fmt::Display for HandlerPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the handler panicked: {}", self.0)
    }
}

impl std::error::Error for HandlerPanic {}

/// Serves the WebSocket connections and requests of one route, on one shard.
///
/// # Promises
/// - The callbacks of one client never overlap, and messages come in the order in which they
///   were sent. The next message is not read before the callback returns: a handler that takes
///   its time holds back this client and no other.
/// - After a handshake that accepted, `on_open` is called once, and after it `on_close` once,
///   whatever happens in between.
/// - An `Err` or a panic leads to `on_error`, then to a close with 1011, then to `on_close`.
///   Nothing else on the shard is touched.
/// - All of that holds for a callback that panics when it is called as for one that panics in its
///   future.
/// - When the server stops, `on_stop` is called once and may still send. Messages are taken until
///   it returns; after it no other callback of a client begins but `on_close`. One that is under
///   way runs to its end.
///
/// # Threads
/// A handler is made on its shard and stays there, so it may hold `Rc` and `Cell`:
///
/// ```
/// # use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result, Router};
/// # use std::{cell::Cell, rc::Rc};
/// struct Counter(Rc<Cell<u64>>);
/// # impl Handler for Counter {
/// #     type Session = ();
/// #     async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
/// #         Ok(Handshake::accept(()))
/// #     }
/// #     async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
/// #         Ok(self.0.set(self.0.get() + 1))
/// #     }
/// # }
///
/// fn routes(router: &mut Router) {
///     let counter = Counter(Rc::default());
///     router.mount("/count", |_| counter);
/// }
/// # let builder = shardcast::server::Server::builder();
/// builder.routes(routes);
/// ```
///
/// One that is made elsewhere, for all shards, does not compile:
///
/// ```compile_fail,E0277
/// # use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result, Router};
/// # use std::{cell::Cell, rc::Rc};
/// struct Counter(Rc<Cell<u64>>);
/// # impl Handler for Counter {
/// #     type Session = ();
/// #     async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
/// #         Ok(Handshake::accept(()))
/// #     }
/// #     async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
/// #         Ok(self.0.set(self.0.get() + 1))
/// #     }
/// # }
///
/// let counter = Rc::default();
/// # let builder = shardcast::server::Server::builder();
/// builder.routes(move |router: &mut Router| {
///     router.mount("/count", |_| Counter(Rc::clone(&counter)));
/// });
/// ```
#[expect(
    async_fn_in_trait,
    reason = "handlers stay on their shard: a Send bound would forbid the Rc and Cell that make \
              them fast, and callbacks are called statically, so no boxed future is wanted"
)]
pub trait Handler: 'static {
    /// What belongs to one client, from its handshake to its close.
    type Session: 'static;

    /// The shard is about to accept connections. The endpoint reaches this handler's clients; it
    /// may be kept.
    ///
    /// # Errors
    /// Any error stops the server's start.
    async fn on_start(&self, endpoint: &Endpoint) -> Result {
        let _ = endpoint;
        Ok(())
    }

    /// A client wants to upgrade. The request is a sound RFC 6455 handshake.
    ///
    /// # Errors
    /// Any error is answered with 500.
    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<Self::Session>>;

    /// The connection is open.
    ///
    /// # Errors
    /// See the promises.
    async fn on_open(&self, client: &mut Client<Self::Session>) -> Result {
        let _ = client;
        Ok(())
    }

    /// A whole message came in.
    ///
    /// # Errors
    /// See the promises.
    async fn on_message(&self, client: &mut Client<Self::Session>, message: Message<'_>) -> Result;

    /// A message comes in, for handlers whose [`Handler::streams`] is true: called instead of
    /// `on_message`, when the first of it is here. What is not asked for when this returns is read
    /// and dropped. Unless it is overridden, it gathers the message and calls `on_message`.
    ///
    /// When the message does not arrive whole, [`Incoming::chunk`] says so. That is no fault of
    /// this callback: what it returns then leads to no `on_error`, and `on_close` is next.
    ///
    /// # Errors
    /// See the promises.
    async fn on_stream(
        &self,
        client: &mut Client<Self::Session>,
        incoming: &mut Incoming<'_>,
    ) -> Result {
        let mut whole = incoming.gather().await?;
        let message = incoming.kind().message(&mut whole);
        self.on_message(client, message).await
    }

    /// A callback of this client failed; it is closed with 1011 next.
    async fn on_error(&self, client: &mut Client<Self::Session>, error: &dyn std::error::Error) {
        let _ = (client, error);
    }

    /// The connection is gone. Nothing can be sent to it any more.
    async fn on_close(&self, client: ClientId, session: Self::Session, close: Close) {
        let _ = (client, session, close);
    }

    /// A request that is no WebSocket handshake, and that no function route at the same pattern
    /// takes. Unless this is written, a GET is told to upgrade (426), and other methods are
    /// answered as by the router: OPTIONS with 204, the rest with 405.
    async fn on_request(&self, endpoint: &Endpoint, request: Request<'_>) -> Response {
        let _ = endpoint;
        match request.method() {
            "GET" | "HEAD" => Response::text(426, "This is a WebSocket endpoint.\n")
                .with_header("Upgrade", "websocket"),
            "OPTIONS" => may_use(204, request.allow()),
            _ => may_use(405, request.allow()),
        }
    }

    /// The server stops; clients are still there, and what is sent to them now arrives before their
    /// close, whatever shard they are on. All handlers of a shard are told at once, and get
    /// `stop_wait_ms` for it; then the future is dropped.
    async fn on_stop(&self, endpoint: &Endpoint) {
        let _ = endpoint;
    }

    /// Whether `on_request` is called as soon as a request's head is there, and takes the body
    /// while it arrives ([`Request::chunk`]). Otherwise it is called with the whole body.
    fn streams_requests(&self) -> bool {
        false
    }

    /// Bytes of the largest body of a request, instead of the configuration's limit for all. More
    /// is answered with 413: before a byte of it is read where the request tells its length,
    /// otherwise as soon as it is too much.
    fn body_max(&self) -> Option<u64> {
        None
    }

    /// Whether clients are served until each of them is closed: at a stop closes are spread over a
    /// time, and without this what a client sends after `on_stop` is read and dropped.
    fn serves_while_stopping(&self) -> bool {
        false
    }

    /// Whether only text is spoken here: a binary message is not given to a callback, its client is
    /// closed with 1003.
    fn text_only(&self) -> bool {
        false
    }

    /// After how much silence of a client it is pinged, counted in milliseconds; `None` is never.
    /// Asked once for each connection, which may have another time by
    /// [`Client::set_idle_timeout`].
    ///
    /// Whatever a client sends is a sign of life, and every WebSocket library answers a ping by
    /// itself. When nothing comes for `pong_wait_ms` of the configuration either, the client is
    /// gone without a word: its machine, or the way to it. Then the connection ends, and
    /// `on_close` is told 1006, not by the peer. Silence is not counted while nothing is read: when
    /// a callback of this client waits for something else, or its [`Handler::pace`] holds it back.
    fn idle_timeout(&self) -> Option<Duration> {
        Some(Duration::from_secs(120))
    }

    /// How fast a client may send. What is more is not refused: its socket is not read until its
    /// time comes, and what it sends waits at its own end. Whether it is `None` is always the
    /// same; the rest is asked once for each connection.
    ///
    /// One read (16 KiB) is always looked at as a whole, in messages and in streams, and makes up
    /// for it afterwards.
    fn pace(&self) -> Option<Pace> {
        None
    }

    /// Whether messages are taken while they arrive, by `on_stream`. Asked once for each
    /// connection.
    fn streams(&self) -> bool {
        false
    }

    /// Whether it is counted what each client reads and sends, for
    /// [`Endpoint::info`](super::Endpoint::info), which holds memory for each. Always the same.
    fn keeps_info(&self) -> bool {
        true
    }

    /// Bytes of the largest message a client may send, whole or streamed; more is closed with
    /// 1009. Asked once for each connection. For compressed messages it bounds what was sent and
    /// what it inflates to. One that is taken whole and takes longer to arrive than
    /// `body_timeout_ms`, and a second more for each 500 bytes, is closed with 1008, unless the
    /// client is held to a [`pace`](Self::pace).
    fn message_max(&self) -> usize {
        64 * 1024
    }

    /// How messages are compressed for clients that can take that (permessage-deflate, RFC 7692).
    /// `None`, unless overridden: nothing is compressed in either direction. Not asked where
    /// [`Handler::streams`] is true: such messages go uncompressed.
    ///
    /// Asked at each handshake; values out of range stop the server's start. A broadcast is
    /// compressed once on each shard, whatever the number of its receivers, and nothing is kept
    /// for a connection that is idle.
    ///
    /// Compression shows in a message's length how much of it repeats itself: do not put a secret
    /// and text that an attacker chooses into one message.
    fn deflate(&self) -> Option<Deflate> {
        None
    }
}
