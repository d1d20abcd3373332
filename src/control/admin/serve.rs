//! Connections of the admin port: one request each, one answer, the end.

use super::answer::answer;
use super::{Desk, Health, Plan};
use crate::http::{Head, HeadScan, Limits, Response, parse};
use crate::limits::{ADMIN_CONNECTIONS_MAX, ADMIN_TIMEOUT_MS};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;

#[expect(
    clippy::disallowed_types,
    reason = "the control thread has a reactor, and these are no clients"
)]
type Stream = tokio::net::TcpStream;

#[expect(
    clippy::disallowed_types,
    reason = "the control thread has a reactor, and these are no clients"
)]
type Listener = tokio::net::TcpListener;

/// How long to wait after a failed accept.
const PAUSE: Duration = Duration::from_millis(100);

/// Starts to answer, in tasks of this thread.
///
/// # Errors
/// When the listener cannot be watched.
pub(in crate::control) fn start(plan: Plan, health: Arc<Health>) -> io::Result<()> {
    let listener = Listener::from_std(plan.listener.0.try_clone()?)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let desk = Rc::new(Desk {
        plan,
        health,
        started_s: now.map_or(0.0, |since| since.as_secs_f64()),
    });
    spawn_local(accept(listener, desk));
    Ok(())
}

/// Accepts as many at a time as the limit says; the rest wait in the backlog.
async fn accept(listener: Listener, desk: Rc<Desk>) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = Rc::clone(&desk);
                spawn_local(async move {
                    let _place = place;
                    in_time(serve(stream, &desk)).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the admin port cannot accept; trying again shortly");
                pause(PAUSE).await;
            }
        }
    }
}

/// Gives up what takes too long: whoever asks is no client, and asks again.
async fn in_time(serve: impl Future<Output = io::Result<()>>) {
    tokio::select! {
        ended = serve => if let Err(error) = ended {
            tracing::debug!(%error, "a connection of the admin port broke");
        },
        () = pause(Duration::from_millis(ADMIN_TIMEOUT_MS)) => {
            tracing::debug!("a connection of the admin port took too long");
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the control thread has a reactor"
)]
pub(super) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

async fn serve(mut stream: Stream, desk: &Desk) -> io::Result<()> {
    let limits = Limits::default();
    let mut scan = HeadScan::new(&limits);
    let mut bytes = Vec::new();
    while !scan.complete(&bytes) {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    let (response, head_only) = match parse(&bytes, &limits) {
        Ok(Some((head, _))) => (answer(&head, desk).await, is_head(&head)),
        Ok(None) => (Response::text(400, "Bad request\n"), false),
        Err(error) => (
            Response::text(error.status(), format!("{}\n", error.reason())),
            false,
        ),
    };
    let mut out = Vec::new();
    response.with_close().encode(false, head_only, &mut out);
    stream.write_all(&out).await?;
    stream.shutdown().await?;
    // Until the peer ends too, for unread bytes would turn the end into a reset.
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

fn is_head(head: &Head<'_>) -> bool {
    head.method == "HEAD"
}
