//! Connections of the admin port: one request each, one answer, the end; or an answer that goes on
//! for as long as somebody reads it.

use super::answer::answer;
use super::dashboard::{self, Dashboard, Page};
use super::health::Health;
use super::plan::{Desk, Plan};
use crate::http::{BodyDecoder, BodyKind, Head, HeadScan, Limits, Response, continue_100, parse};
use crate::limits::{ADMIN_BODY_MAX, ADMIN_CONNECTIONS_MAX, ADMIN_TIMEOUT_MS};
use std::io;
use std::net::IpAddr;
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
pub(super) type Stream = tokio::net::TcpStream;

/// A request of the admin port.
pub(super) struct Asked<'a> {
    pub(super) head: Head<'a>,
    pub(super) body: &'a [u8],
    /// Who asks.
    pub(super) peer: IpAddr,
}

/// What is said to it.
pub(super) enum Answer {
    /// All of it at once.
    Whole(Response),
    /// More and more, to a page of the dashboard.
    Page(Box<Page>),
}

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
        dashboard: Dashboard::new(),
    });
    spawn_local(dashboard::sample(Rc::clone(&desk)));
    spawn_local(dashboard::follow(Rc::clone(&desk)));
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
            Ok((stream, peer)) => {
                let desk = Rc::clone(&desk);
                spawn_local(async move {
                    let page = in_time(serve(stream, peer.ip(), &desk)).await;
                    drop(place);
                    if let Some((stream, page)) = page {
                        page.keep(stream).await;
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the admin port cannot accept; trying again shortly");
                pause(PAUSE).await;
            }
        }
    }
}

/// A connection whose answer goes on.
type Kept = Option<(Stream, Box<Page>)>;

/// Gives up what takes too long: whoever asks is no client, and asks again.
async fn in_time(serve: impl Future<Output = io::Result<Kept>>) -> Kept {
    tokio::select! {
        ended = serve => ended.unwrap_or_else(|error| {
            tracing::debug!(%error, "a connection of the admin port broke");
            None
        }),
        () = pause(Duration::from_millis(ADMIN_TIMEOUT_MS)) => {
            tracing::debug!("a connection of the admin port took too long");
            None
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

async fn serve(mut stream: Stream, peer: IpAddr, desk: &Desk) -> io::Result<Kept> {
    let limits = Limits::default();
    let mut scan = HeadScan::new(&limits);
    let mut bytes = Vec::new();
    while !scan.complete(&bytes) {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    let (answer, head_only) = match parse(&bytes, &limits) {
        Ok(Some((head, length))) => {
            let head_only = head.method == "HEAD";
            match read_body(&mut stream, &head, &bytes[length..]).await? {
                Ok(body) => {
                    let body = &body;
                    (answer(&Asked { head, body, peer }, desk).await, head_only)
                }
                Err(response) => (Answer::Whole(response), head_only),
            }
        }
        Ok(None) => (Answer::Whole(Response::text(400, "Bad request\n")), false),
        Err(error) => {
            let reason = format!("{}\n", error.reason());
            (Answer::Whole(Response::text(error.status(), reason)), false)
        }
    };
    match answer {
        Answer::Page(page) => Ok(Some((stream, page))),
        Answer::Whole(response) => {
            finish(stream, &response.with_close(), head_only).await?;
            Ok(None)
        }
    }
}

/// The last of a connection.
async fn finish(mut stream: Stream, response: &Response, head_only: bool) -> io::Result<()> {
    let mut out = Vec::new();
    response.encode(false, head_only, &mut out);
    stream.write_all(&out).await?;
    stream.shutdown().await?;
    // Until the peer ends too, for unread bytes would turn the end into a reset.
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// The body of a request, the beginning of which has come with its head.
async fn read_body(
    stream: &mut Stream,
    head: &Head<'_>,
    begun: &[u8],
) -> io::Result<Result<Vec<u8>, Response>> {
    if head.body == BodyKind::None {
        return Ok(Ok(Vec::new()));
    }
    let mut decoder = match BodyDecoder::new(head.body, ADMIN_BODY_MAX) {
        Ok(decoder) => decoder,
        Err(error) => return Ok(Err(error.response())),
    };
    if head.expect_continue {
        stream.write_all(continue_100()).await?;
    }
    let (mut body, mut input) = (Vec::new(), begun.to_vec());
    loop {
        let piece = match decoder.piece(&input) {
            Ok(piece) => piece,
            Err(error) => return Ok(Err(error.response())),
        };
        body.extend_from_slice(&input[piece.data]);
        input.drain(..piece.consumed);
        if piece.done {
            return Ok(Ok(body));
        }
        if input.is_empty() && stream.read_buf(&mut input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
