//! The trait, and how layers call each other.

use crate::handler::mount::{Boxed, Upgraded};
use crate::handler::request::Request;
use crate::handler::router::{End, or_500};
use crate::handler::running::Sign;
use crate::http::Response;
use std::fmt;
use std::pin::pin;
use std::rc::Rc;

/// Stands around the routes that are mounted behind it
/// ([`Router::layer`](crate::handler::Router::layer)), on one shard.
///
/// A WebSocket handshake ([`Request::is_handshake`]) passes like any other request: when it is
/// accepted its answer has the status 101, to which fields may be added. Whoever answers otherwise
/// refuses it: the session that the handler has made is dropped then, without `on_open` or
/// `on_close`. Nobody but the handler can accept one.
///
/// It runs when the head of the request is there, before its body: who is refused need not send
/// one, and one that was not read and is long, or of unknown length, ends the connection. A
/// middleware that has to see the body reads it ([`Request::read_body`]); [`Request::body`] is
/// empty before, even for a short body that came in with the head.
///
/// A panic is answered with 500 and ends nothing else; layers around see that answer.
///
/// ```
/// use shardcast::handler::{Middleware, Next, Request};
/// use shardcast::http::Response;
///
/// /// Lets in who knows the word.
/// struct Password(&'static str);
///
/// impl Middleware for Password {
///     async fn around(&self, request: Request<'_>, next: Next<'_>) -> Response {
///         if request.query_param("word").as_deref() != Some(self.0) {
///             return Response::text(403, "What is the word?\n");
///         }
///         next.run(request).await.with_header("X-Welcome", "yes")
///     }
/// }
/// ```
pub trait Middleware: 'static {
    /// Answers a request: by itself, or with what `next` answers, changed or not. What it finds out
    /// about the request it may hand on in [`Request::extensions_mut`].
    async fn around(&self, request: Request<'_>, next: Next<'_>) -> Response;
}

/// A middleware of any type: erased once for each request.
pub(in crate::handler) trait Around {
    fn around<'a>(&'a self, request: Request<'a>, next: Next<'a>) -> Boxed<'a, Response>;
}

/// One layer.
pub(in crate::handler) type Layer = Rc<dyn Around>;

/// Some layers, the outermost first.
pub(in crate::handler) type Layers = Rc<[Layer]>;

/// Puts a middleware behind a box.
pub(in crate::handler) fn erase(middleware: impl Middleware, sign: Sign) -> Layer {
    Rc::new(Erased(middleware, sign))
}

struct Erased<M>(M, Sign);

impl<M: Middleware> Around for Erased<M> {
    fn around<'a>(&'a self, request: Request<'a>, next: Next<'a>) -> Boxed<'a, Response> {
        Box::pin(async move {
            let path = request.path();
            let answer = pin!(async { self.0.around(request, next).await });
            or_500(self.1.over(answer), || {
                tracing::error!(path, "a middleware panicked")
            })
            .await
        })
    }
}

/// What stands behind a middleware: the layers within it, and at last the route.
pub struct Next<'a> {
    layers: &'a [Layer],
    end: End<'a>,
    upgraded: &'a Upgraded,
}

impl<'a> Next<'a> {
    pub(in crate::handler) fn new(
        layers: &'a [Layer],
        end: End<'a>,
        upgraded: &'a Upgraded,
    ) -> Self {
        Self {
            layers,
            end,
            upgraded,
        }
    }

    /// The answer of what stands behind.
    pub async fn run(self, request: Request<'_>) -> Response {
        match self.layers.split_first() {
            Some((layer, layers)) => layer.around(request, Next { layers, ..self }).await,
            None => self.end.answer(request, self.upgraded).await,
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next")
            .field("layers", &self.layers.len())
            .finish_non_exhaustive()
    }
}
