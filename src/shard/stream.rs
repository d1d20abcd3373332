//! Answers that are made while they are sent.

use crate::crossing::pulse::{Callback, Doing};
use crate::http::Stream;
use crate::id::ClientId;
use crate::net::{Outflow, Sockets};
use futures_lite::FutureExt;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

/// What a shard runs while a body is made.
const MAKES_BODY: Doing = Doing::new(Callback::Body, 0);

/// Makes and sends a body whose head was sent; says whether it is complete. If it is not, the
/// connection has to end now, and its end tells the client so.
pub(super) async fn send(sockets: &Rc<Sockets>, client: ClientId, stream: Stream) -> bool {
    let ends_with_connection = stream.ends_with_connection();
    let outflow = Rc::new(Outflow::new(
        Rc::clone(sockets),
        client,
        ends_with_connection,
    ));
    let mut making = pin!(AssertUnwindSafe(stream.send(Rc::clone(&outflow) as _)).catch_unwind());
    let made = poll_fn(|cx| {
        // Whoever waits for room is told before it is asked.
        let is_gone = outflow.poll_gone(cx).is_ready();
        let polled = sockets
            .pulse()
            .during(MAKES_BODY, || making.as_mut().poll(cx));
        match polled {
            Poll::Ready(made) => Poll::Ready(Some(made)),
            // It had its chance to see a write fail.
            Poll::Pending if is_gone || outflow.poll_gone(cx).is_ready() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    match made {
        Some(Ok(Ok(()))) => return true,
        Some(Ok(Err(error))) => tracing::warn!(?client, %error, "a streamed answer broke off"),
        Some(Err(_)) => tracing::error!(?client, "the producer of a streamed answer panicked"),
        None => tracing::debug!(?client, "the client of a streamed answer is gone"),
    }
    if ends_with_connection {
        sockets.abort(client);
    }
    false
}
