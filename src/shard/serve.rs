//! One connection: requests until one of them becomes a WebSocket, then that, then the end.

use super::run::Shard;
use crate::conn::Stage;
use crate::handler::{Boxed, Found, Request, Serve, Upgraded};
use crate::http::{self, BodyKind, ChunkedDecoder, Head, HeadScan, Response};
use crate::id::ClientId;
use crate::limits::WRITE_JOIN_MAX;
use crate::net::Reader;
use crate::ws::Frame;
use futures_lite::FutureExt;
use futures_lite::future::yield_now;
use glommio::net::TcpStream;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

/// Serves an accepted socket to its end, in a task of its own. Whatever panics in it ends it and
/// nothing else.
///
/// The task lives as long as its connection, so it holds next to nothing itself: what happens
/// before the WebSocket, in it and after it are boxes that follow each other.
pub(super) fn spawn(shard: Rc<Shard>, stream: TcpStream) {
    let Some((reader, peer)) = shard.sockets.insert(stream) else {
        return;
    };
    let client = reader.client();
    let requests = Requests {
        shard: Rc::clone(&shard),
        reader,
        peer,
    };
    let requests = Box::pin(requests.run());
    let task = async move {
        match AssertUnwindSafe(requests).catch_unwind().await {
            Ok(Some(socket)) => {
                if AssertUnwindSafe(socket).catch_unwind().await.is_err() {
                    tracing::error!(?client, "a connection's task panicked");
                }
            }
            Ok(None) => {}
            Err(_) => {
                tracing::error!(?client, "a request's task panicked");
                shard.sockets.abort(client);
            }
        }
        Box::pin(finish(&shard, client)).await;
    };
    glommio::spawn_local(task).detach();
}

/// Lets what was said last arrive, and lets go of the connection.
async fn finish(shard: &Shard, client: ClientId) {
    shard.sockets.drained(client).await;
    if shard.sockets.is_closing(client)
        && let Some(reader) = shard.sockets.reader(client)
    {
        linger(&reader).await;
    }
    shard.sockets.remove(client);
}

/// Reads and drops what the peer still sends, until it ends or its time is up: closing a socket
/// with unread bytes would reset it, and the peer would lose our last words.
async fn linger(reader: &Reader) {
    while let Ok(Some(buffer)) = reader.read().await {
        let more_waits = buffer.is_full();
        drop(buffer);
        if more_waits {
            yield_now().await;
        }
    }
}

/// The requests of one connection.
struct Requests {
    shard: Rc<Shard>,
    reader: Reader,
    peer: Option<SocketAddr>,
}

/// What follows a request.
enum Next {
    /// Another request.
    Request,
    /// Nothing: the connection ends once the answer has left.
    End,
    /// A WebSocket.
    Socket(Serve),
}

impl Requests {
    /// Serves requests until one of them becomes a WebSocket, which is returned, or the last.
    async fn run(self) -> Option<Boxed<'static, ()>> {
        let sockets = &self.shard.sockets;
        let client = self.reader.client();
        let mut kept = Vec::new();
        loop {
            let waits = kept.is_empty();
            let mut buffer = self.reader.read_behind(&mut kept).await.ok()??;
            if sockets.is_closing(client) {
                return None;
            }
            if waits {
                sockets.enter(client, Stage::Head);
            }
            let mut bytes = buffer.filled_mut();
            let mut behind;
            let mut served = false;
            loop {
                while HeadScan::new(&self.shard.http).complete(bytes) {
                    served = true;
                    let (next, used) = self.one(bytes, &mut kept).await;
                    bytes = &mut bytes[used..];
                    match next {
                        // A backend that does not read its answers is not asked for more.
                        Next::Request if sockets.backlog(client) > WRITE_JOIN_MAX => {
                            sockets.drained(client).await;
                        }
                        Next::Request => {}
                        Next::End => {
                            sockets.end(client);
                            return None;
                        }
                        Next::Socket(serve) => return Some(serve(self.reader, (*bytes).into())),
                    }
                }
                if kept.is_empty() {
                    break;
                }
                // A body's last read brought more than the body, perhaps whole requests.
                behind = std::mem::take(&mut kept);
                bytes = &mut behind;
            }
            kept.extend_from_slice(bytes);
            let more_waits = buffer.is_full();
            drop(buffer);
            if more_waits {
                yield_now().await; // one busy backend does not keep the shard to itself
            }
            if kept.is_empty() {
                sockets.enter(client, Stage::KeepAlive);
            } else if served {
                // A head that has begun before keeps its deadline, however it drips in (R06).
                sockets.enter(client, Stage::Head);
            }
        }
    }

    /// Serves the request at the start of `bytes`; says how many of them it used. What a body's
    /// last read brought beyond the body goes to `kept`.
    async fn one(&self, bytes: &mut [u8], kept: &mut Vec<u8>) -> (Next, usize) {
        let head_len = memchr::memmem::find(bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
        let (head_bytes, rest) = bytes.split_at_mut(head_len);
        let head = match http::parse(head_bytes, &self.shard.http) {
            Ok(Some((head, _))) => head,
            Ok(None) => return (self.refuse(400, "Bad request"), head_len),
            Err(error) => return (self.refuse(error.status(), error.reason()), head_len),
        };
        if head.upgrade_websocket {
            return (self.answer(&head, &mut []).await, head_len);
        }
        match head.body {
            BodyKind::None => (self.answer(&head, &mut []).await, head_len),
            BodyKind::Length(length) if length <= rest.len() as u64 => {
                let length = length as usize;
                (
                    self.answer(&head, &mut rest[..length]).await,
                    head_len + length,
                )
            }
            BodyKind::Length(_) | BodyKind::Chunked => {
                let used = head_len + rest.len();
                match self.collect(&head, rest, kept).await {
                    Ok(Some(mut body)) => (self.answer(&head, &mut body).await, used),
                    Ok(None) => (Next::End, used),
                    Err((status, reason)) => (self.refuse(status, reason), used),
                }
            }
        }
    }

    /// Reads the rest of a body; `None` when the peer ended or its time was up.
    async fn collect(
        &self,
        head: &Head<'_>,
        start: &[u8],
        kept: &mut Vec<u8>,
    ) -> Result<Option<Vec<u8>>, (u16, &'static str)> {
        let (sockets, client) = (&self.shard.sockets, self.reader.client());
        sockets.enter(client, Stage::Body);
        if head.expect_continue {
            // If it is gone, the read below ends.
            let _ = sockets.answer(client, Frame::raw(http::continue_100()));
        }
        let mut body = Collected::new(head.body, &self.shard.http);
        let used = body.add(start)?;
        kept.extend_from_slice(&start[used..]);
        while !body.done {
            let Ok(Some(buffer)) = self.reader.read().await else {
                return Ok(None);
            };
            if sockets.is_closing(client) {
                return Ok(None);
            }
            let used = body.add(buffer.filled())?;
            kept.extend_from_slice(&buffer.filled()[used..]);
        }
        Ok(Some(body.bytes))
    }

    /// A request or a handshake, by whatever is mounted there.
    async fn answer(&self, head: &Head<'_>, body: &mut [u8]) -> Next {
        let (sockets, client) = (&self.shard.sockets, self.reader.client());
        sockets.enter(client, Stage::Busy);
        let upgraded = Upgraded::default();
        let response = match self.shard.router.find(head.path) {
            Some(Found { pattern, mount }) => {
                let request = Request::new(head, body, pattern, self.peer);
                mount.answer(request, &upgraded).await
            }
            None => Response::text(404, "Not found\n"), // H6
        };
        let serve = upgraded.take().filter(|_| response.status() == 101);
        // Nobody asks for a page where a WebSocket was refused: the connection is not kept.
        let is_page = !head.upgrade_websocket;
        let keep_alive = head.keep_alive && is_page && !self.shard.stopping.get();
        match (self.respond(&response, keep_alive, head.method), serve) {
            // If it is gone, the WebSocket's first read says so.
            (_, Some(serve)) => Next::Socket(serve),
            (next, None) => next,
        }
    }

    fn respond(&self, response: &Response, keep_alive: bool, method: &str) -> Next {
        let mut out = Vec::new();
        response.encode(keep_alive, method == "HEAD", &mut out);
        let keeps_alive = response.keeps_alive(keep_alive);
        let pushed = self
            .shard
            .sockets
            .answer(self.reader.client(), Frame::raw(&out));
        if keeps_alive && pushed.is_ok() {
            Next::Request
        } else {
            Next::End
        }
    }

    fn refuse(&self, status: u16, reason: &'static str) -> Next {
        let response = Response::text(status, format!("{reason}\n")).with_close();
        self.respond(&response, false, "GET")
    }
}

/// A body on its way in.
struct Collected {
    bytes: Vec<u8>,
    done: bool,
    kind: Kind,
}

enum Kind {
    Length(usize),
    Chunked(ChunkedDecoder),
}

impl Collected {
    fn new(kind: BodyKind, limits: &http::Limits) -> Self {
        let kind = match kind {
            BodyKind::Chunked => Kind::Chunked(ChunkedDecoder::new(limits)),
            BodyKind::Length(length) => Kind::Length(length as usize), // bounded by the limits
            BodyKind::None => Kind::Length(0),
        };
        Self {
            bytes: Vec::new(),
            done: false,
            kind,
        }
    }

    /// Takes what belongs to the body; says how much that was.
    fn add(&mut self, input: &[u8]) -> Result<usize, (u16, &'static str)> {
        match &mut self.kind {
            Kind::Length(length) => {
                let count = input.len().min(*length - self.bytes.len());
                self.bytes.extend_from_slice(&input[..count]);
                self.done = self.bytes.len() == *length;
                Ok(count)
            }
            Kind::Chunked(decoder) => {
                let progress = decoder
                    .decode(input, &mut self.bytes)
                    .map_err(|error| (error.status(), error.reason()))?;
                self.done = progress.done;
                Ok(progress.consumed)
            }
        }
    }
}
