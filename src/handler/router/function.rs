//! Functions that answer requests, behind a box: erased once for each request.

use super::into_response::IntoResponse;
use crate::handler::body::BodyWish;
use crate::handler::mount::Boxed;
use crate::handler::request::Request;
use crate::handler::running::Sign;
use crate::http::Response;
use futures_lite::FutureExt;
use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;

/// A function route of any type.
pub(crate) trait Function {
    /// Answers; a panic is answered with 500.
    fn call<'a>(&'a self, request: Request<'a>) -> Boxed<'a, Response>;

    /// How it wants bodies; a cell, since that is said after it was mounted.
    fn wishes(&self) -> &Cell<BodyWish>;
}

struct Erased<F, R> {
    function: F,
    wishes: Cell<BodyWish>,
    sign: Sign,
    answer: PhantomData<fn() -> R>,
}

/// Puts a function behind a box.
pub(super) fn erase<F, R>(function: F, sign: Sign) -> Rc<dyn Function>
where
    F: AsyncFn(Request<'_>) -> R + 'static,
    R: IntoResponse + 'static,
{
    Rc::new(Erased {
        function,
        wishes: Cell::default(),
        sign,
        answer: PhantomData,
    })
}

impl<F, R> Function for Erased<F, R>
where
    F: AsyncFn(Request<'_>) -> R + 'static,
    R: IntoResponse + 'static,
{
    fn call<'a>(&'a self, request: Request<'a>) -> Boxed<'a, Response> {
        Box::pin(async move {
            let path = request.path();
            let call = pin!(async { (self.function)(request).await.into_response() });
            or_500(self.sign.over(call), || {
                tracing::error!(path, "the function of a route panicked")
            })
            .await
        })
    }

    fn wishes(&self) -> &Cell<BodyWish> {
        &self.wishes
    }
}

/// The answer, or 500 when its making panics; that is told.
pub(in crate::handler) async fn or_500(
    answer: impl Future<Output = Response>,
    tell: impl FnOnce(),
) -> Response {
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tell();
            internal_error()
        }
    }
}

/// The answer to whatever made one of ours fail.
pub(in crate::handler) fn internal_error() -> Response {
    Response::text(500, "Internal error\n").with_close()
}
