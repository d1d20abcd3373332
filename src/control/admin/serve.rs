//! Connections of the admin port: one request each, one answer, the end; or an answer that goes on
//! for as long as somebody reads it.

use super::answer;
use super::dashboard::{self, Dashboard, Page};
use super::guard;
use super::health::Health;
use super::lobby::{Lobby, Seat};
use super::plan::{Desk, Plan};
use crate::http::{BodyDecoder, BodyKind, Head, HeadScan, Limits, Response, continue_100, parse};
use crate::limits::{ADMIN_BODY_MAX, ADMIN_CONNECTIONS_MAX, ADMIN_HEAD_MS, ADMIN_TIMEOUT_MS};
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

/// What connections wait in, and for.
struct Hall {
    lobby: Rc<Lobby>,
    /// To be answered, unless they only ask how the server is.
    places: Semaphore,
}

/// Accepts whoever comes: who then says nothing is bounded by the lobby, and keeps nobody out.
async fn accept(listener: Listener, desk: Rc<Desk>) {
    let hall = Rc::new(Hall {
        lobby: Rc::default(),
        places: Semaphore::new(ADMIN_CONNECTIONS_MAX),
    });
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (desk, hall) = (Rc::clone(&desk), Rc::clone(&hall));
                let seat = hall.lobby.seat(peer.ip());
                spawn_local(async move {
                    let page = Box::pin(attend(stream, peer.ip(), seat, &desk, &hall)).await;
                    let page = page.unwrap_or_else(|error| {
                        tracing::debug!(%error, "a connection of the admin port broke");
                        None
                    });
                    if let Some((stream, page)) = page {
                        page.keep(stream).await;
                    }
                });
                // What has come of the last one is read before the next may take its place.
                tokio::task::yield_now().await;
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
async fn in_time<T>(ms: u64, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::select! {
        ended = step => ended,
        () = pause(Duration::from_millis(ms)) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// From the first byte of a connection to its last, or to where its answer goes on.
async fn attend(
    mut stream: Stream,
    peer: IpAddr,
    seat: Seat,
    desk: &Desk,
    hall: &Hall,
) -> io::Result<Kept> {
    let limits = Limits::default();
    let head = in_time(ADMIN_HEAD_MS, read_head(&mut stream, &limits));
    let Some(Some(bytes)) = seat.hold(head).await.transpose()? else {
        return Ok(None);
    };
    match parse(&bytes, &limits) {
        Ok(Some((head, length))) if !answer::is_health(head.path) => {
            let begun = &bytes[length..];
            let answered = async {
                // Who keeps its body back keeps nobody else from a place.
                let body = seat.hold(read_body(&mut stream, &head, begun)).await;
                let Some(body) = body.transpose()? else {
                    return Ok(None); // it had to go
                };
                // Nor does a crowd of strangers drive out who may ask.
                let seat = (!guard::is_known(&head, desk)).then_some(seat);
                let place = match &seat {
                    Some(seat) => seat.hold(hall.places.acquire()).await,
                    None => Some(hall.places.acquire().await),
                };
                drop(seat);
                match place {
                    Some(place) => serve(stream, peer, (head, body), desk).await.map(|it| {
                        drop(place);
                        Some(it)
                    }),
                    None => Ok(None), // it had to go
                }
            };
            match Box::pin(in_time(ADMIN_TIMEOUT_MS, answered)).await? {
                Some(Served::Page(stream, page)) => return Ok(Some((stream, page))),
                Some(Served::Whole(stream)) => end(stream, hall.lobby.seat(peer)).await?,
                None => {}
            }
        }
        health_or_wrong => {
            let (response, head_only) = match health_or_wrong {
                Ok(Some((head, _))) => {
                    let head_only = head.method == "HEAD";
                    (answer::health(&head, desk), head_only)
                }
                Ok(None) => (Response::text(400, "Bad request\n"), false),
                Err(error) => {
                    let reason = format!("{}\n", error.reason());
                    (Response::text(error.status(), reason), false)
                }
            };
            // It fits into the socket.
            in_time(ADMIN_HEAD_MS, write(&mut stream, response, head_only)).await?;
            end(stream, seat).await?;
        }
    }
    Ok(None)
}

/// What has come of a request.
enum Served {
    /// All was said.
    Whole(Stream),
    /// There is more to say.
    Page(Stream, Box<Page>),
}

#[expect(
    clippy::disallowed_methods,
    reason = "the control thread has a reactor"
)]
pub(super) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The head of a request, and what has come with it; nothing if none comes.
async fn read_head(stream: &mut Stream, limits: &Limits) -> io::Result<Option<Vec<u8>>> {
    let mut scan = HeadScan::new(limits);
    let mut bytes = Vec::new();
    while !scan.complete(&bytes) {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

/// Answers a request, or what is wrong with its body.
async fn serve(
    mut stream: Stream,
    peer: IpAddr,
    (head, body): (Head<'_>, Result<Vec<u8>, Response>),
    desk: &Desk,
) -> io::Result<Served> {
    let head_only = head.method == "HEAD";
    let answer = match body {
        Ok(body) => {
            let body = &body;
            answer::answer(&Asked { head, body, peer }, desk).await
        }
        Err(response) => Answer::Whole(response),
    };
    match answer {
        Answer::Page(page) => Ok(Served::Page(stream, page)),
        Answer::Whole(response) => {
            write(&mut stream, response, head_only).await?;
            Ok(Served::Whole(stream))
        }
    }
}

/// The last that is said on a connection.
async fn write(stream: &mut Stream, response: Response, head_only: bool) -> io::Result<()> {
    let mut out = Vec::new();
    response.with_close().encode(false, head_only, &mut out);
    stream.write_all(&out).await?;
    stream.shutdown().await
}

/// Waits until the peer ends too, for unread bytes would turn the end into a reset.
async fn end(mut stream: Stream, seat: Seat) -> io::Result<()> {
    let rest = async {
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        Ok(())
    };
    seat.hold(in_time(ADMIN_HEAD_MS, rest))
        .await
        .unwrap_or(Ok(()))
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
