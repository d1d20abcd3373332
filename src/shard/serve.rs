//! One connection: requests until one of them becomes a WebSocket, then that, then the end.

use super::run::Shard;
use super::stream;
use super::visitors::not_let_in;
use crate::conn::Stage;
use crate::crossing::pulse::Doing;
use crate::handler::{Body, BodyStream, Boxed, Found, Request, Serve, Upgraded};
use crate::http::proxied::{NotProxied, proxy_header};
use crate::http::{self, BodyDecoder, BodyError, BodyKind, Head, HeadScan, Response};
use crate::id::ClientId;
use crate::limits::WRITE_JOIN_MAX;
use crate::metrics::Count;
use crate::net::{self, Reader, Stream, look_around};
use crate::ws::Frame;
use futures_lite::FutureExt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;

/// Serves an accepted socket to its end, in a task of its own. Whatever panics in it ends it and
/// nothing else.
///
/// The task lives as long as its connection, so it holds next to nothing itself: what happens
/// before the WebSocket, in it and after it are boxes that follow each other.
///
/// `None` when the table of connections is full.
pub(super) fn spawn(shard: Rc<Shard>, stream: Stream) -> Option<ClientId> {
    let (reader, peer) = shard.sockets.insert(stream)?;
    let client = reader.client();
    let requests = Requests {
        expects_header: shard.visitors.expects_header(peer),
        shard: Rc::clone(&shard),
        reader,
        peer,
    };
    let requests = Box::pin(named(requests));
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
    net::spawn(task);
    Some(client)
}

/// Whatever requests run is for their client.
async fn named(requests: Requests) -> Option<Boxed<'static, ()>> {
    let shard = Rc::clone(&requests.shard);
    let client = requests.reader.client();
    let mut run = pin!(requests.run());
    poll_fn(|cx| {
        shard.sockets.pulse().begin(Doing::NOTHING, Some(client));
        run.as_mut().poll(cx)
    })
    .await
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
    shard.leave(client);
}

/// Reads and drops what the peer still sends, until it ends or its time is up: closing a socket
/// with unread bytes would reset it, and the peer would lose our last words.
async fn linger(reader: &Reader) {
    while let Ok(Some(buffer)) = reader.read().await {
        let more_waits = buffer.is_full();
        drop(buffer);
        if more_waits {
            Box::pin(look_around()).await;
        }
    }
}

/// The requests of one connection.
struct Requests {
    shard: Rc<Shard>,
    reader: Reader,
    peer: Option<SocketAddr>,
    /// A proxy has yet to say for whom it asks.
    expects_header: bool,
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
    async fn run(mut self) -> Option<Boxed<'static, ()>> {
        let shard = Rc::clone(&self.shard);
        let sockets = &shard.sockets;
        let client = self.reader.client();
        if self.reader.is_tls() && !self.agree().await {
            return None;
        }
        let mut kept = Vec::new();
        let mut waits = true;
        loop {
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
            if self.expects_header {
                bytes = Box::pin(self.introduced(bytes)).await?;
            }
            loop {
                while !self.expects_header
                    && HeadScan::new(&self.shard.http_limits()).complete(bytes)
                {
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
                Box::pin(look_around()).await; // one busy backend does not keep the shard to itself
            }
            // A head that has begun before keeps its deadline, however it drips in (R06), and so
            // does one that a proxy has announced.
            waits = served && kept.is_empty();
            match served {
                true if waits => sockets.enter(client, Stage::KeepAlive),
                true => sockets.enter(client, Stage::Head),
                false => {}
            }
        }
    }

    /// Agrees on keys; says whether it came to that.
    async fn agree(&self) -> bool {
        let (sockets, client) = (&self.shard.sockets, self.reader.client());
        match Box::pin(self.reader.agree()).await {
            Ok(()) => sockets.enter(client, Stage::Head),
            Err(error) => {
                tracing::debug!(?client, peer = ?self.peer, %error, "no TLS with a client");
                sockets.end(client);
                return false;
            }
        }
        true
    }

    /// Reads what a proxy says of its client; gives what follows it. `None` when the connection is
    /// not to be served.
    async fn introduced<'b>(&mut self, bytes: &'b mut [u8]) -> Option<&'b mut [u8]> {
        let client = self.reader.client();
        let why = match proxy_header(bytes) {
            Ok(None) => return Some(bytes),
            Ok(Some((length, source))) => {
                self.expects_header = false;
                self.peer = source.or(self.peer);
                let visitors = &self.shard.visitors;
                let may = match source.filter(|it| !visitors.is_trusted(it.ip())) {
                    Some(source) => self.shard.admit(client, source.ip()).await,
                    None => true, // the next proxy, whose clients are told by its requests
                };
                if may {
                    return Some(&mut bytes[length..]);
                }
                Count::RefusedAddress
            }
            Err(NotProxied) => Count::RefusedProxy,
        };
        self.shard.sockets.counters().one(why);
        match why {
            Count::RefusedProxy => self.refuse(400, "A PROXY header is missing"),
            _ => self.push(&not_let_in(why), false, false),
        };
        self.shard.sockets.end(client);
        None
    }

    /// Serves the request at the start of `bytes`; says how many of them it used. What a body's
    /// last read brought beyond the body goes to `kept`.
    async fn one(&self, bytes: &mut [u8], kept: &mut Vec<u8>) -> (Next, usize) {
        let head_len = memchr::memmem::find(bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
        let (head_bytes, rest) = bytes.split_at_mut(head_len);
        // How long a body may be is its route's to say.
        let limits = http::Limits {
            body_bytes: usize::MAX,
            ..self.shard.http_limits()
        };
        let head = match http::parse(head_bytes, &limits) {
            Ok(Some((head, _))) => head,
            Ok(None) => return (self.refuse(400, "Bad request"), head_len),
            Err(error) => return (self.refuse(error.status(), error.reason()), head_len),
        };
        let found = self.shard.router.find(&head);
        let wishes = found.wishes();
        let max = wishes
            .max
            .unwrap_or(self.shard.http_limits().body_bytes as u64);
        match head.body {
            BodyKind::None => (self.whole(&head, found, &mut []).await, head_len),
            BodyKind::Length(length) if length <= max && length <= rest.len() as u64 => {
                let length = length as usize;
                let body = &mut rest[..length];
                (self.whole(&head, found, body).await, head_len + length)
            }
            kind => {
                let decoder = BodyDecoder::new(kind, max);
                let (next, used) = Box::pin(self.arriving(&head, found, decoder, rest, kept)).await;
                (next, head_len + used)
            }
        }
    }

    /// A request whose body is read when it is asked for; `early` is what came in with the head.
    /// Says how much of that it used.
    async fn arriving(
        &self,
        head: &Head<'_>,
        found: Found<'_>,
        decoder: Result<BodyDecoder, BodyError>,
        early: &[u8],
        kept: &mut Vec<u8>,
    ) -> (Next, usize) {
        let (sockets, client) = (&self.shard.sockets, self.reader.client());
        let Some(reader) = sockets.reader(client) else {
            return (Next::End, early.len());
        };
        sockets.enter(client, Stage::Busy);
        let mut stream = BodyStream::new(reader, decoder, head.expect_continue);
        let body = Body::arriving(&mut stream, early);
        let from = (self.seen_from(head), self.reader.is_tls());
        let request = Request::new(head, body, found.pattern, from, sockets.clock());
        // A handshake has no body.
        let response = self.answered(found, request, &Upgraded::default()).await;
        sockets.holds(client, 0); // of a body that nobody read to its end
        let may_go_on = stream.may_go_on(early);
        let next = self.respond(response, head, may_go_on).await;
        if !matches!(next, Next::Request) || !stream.skip(early).await {
            return (Next::End, early.len());
        }
        let (used, behind) = stream.behind();
        kept.extend_from_slice(behind);
        (Next::Request, used)
    }

    /// A request whose body is here, or a handshake, by whatever is mounted there.
    async fn whole(&self, head: &Head<'_>, found: Found<'_>, body: &mut [u8]) -> Next {
        self.shard.sockets.enter(self.reader.client(), Stage::Busy);
        let upgraded = Upgraded::default();
        let clock = self.shard.sockets.clock();
        let body = Body::in_hand(body);
        let peer = self.seen_from(head);
        if let Some(from) = peer
            && peer != self.peer
            && head.upgrade_websocket
            && !Box::pin(self.shard.admit(self.reader.client(), from.ip())).await
        {
            self.shard.sockets.counters().one(Count::RefusedAddress);
            return self.push(&not_let_in(Count::RefusedAddress), false, false);
        }
        let from = (peer, self.reader.is_tls());
        let request = Request::new(head, body, found.pattern, from, clock);
        let response = self.answered(found, request, &upgraded).await;
        let serve = upgraded.take().filter(|_| response.status() == 101);
        // Nobody asks for a page where a WebSocket was refused: the connection is not kept.
        let is_page = !head.upgrade_websocket;
        let next = self.respond(response, head, is_page).await;
        // If it is gone, the WebSocket's first read says so.
        serve.map_or(next, Next::Socket)
    }

    /// Where the request comes from, as far as proxies that are trusted say so.
    fn seen_from(&self, head: &Head<'_>) -> Option<SocketAddr> {
        let peer = self.peer?;
        Some(self.shard.visitors.seen_from(peer, head))
    }

    /// The answer, once other shards keep up with what it made handlers send to them.
    async fn answered(
        &self,
        found: Found<'_>,
        request: Request<'_>,
        upgraded: &Upgraded,
    ) -> Response {
        let local = &self.shard.local;
        let crossed = local.crossed();
        let response = found.answer(request, upgraded).await;
        if local.presses(crossed) {
            Box::pin(local.relieved()).await;
        }
        response
    }

    /// Sends the answer; another request may follow if both sides want that and `may_go_on`.
    async fn respond(&self, mut response: Response, head: &Head<'_>, may_go_on: bool) -> Next {
        let keep_alive = head.keep_alive && may_go_on && !self.shard.stopping.get();
        if head.minor == 0 {
            response.without_chunks();
        }
        let head_only = head.method == "HEAD";
        let next = self.push(&response, keep_alive, head_only);
        match response.take_stream() {
            Some(stream) if !head_only => {
                let sent = Box::pin(stream::send(
                    &self.shard.sockets,
                    self.reader.client(),
                    stream,
                ));
                if sent.await { next } else { Next::End }
            }
            _ => next,
        }
    }

    fn push(&self, response: &Response, keep_alive: bool, head_only: bool) -> Next {
        let mut out = Vec::new();
        response.encode(keep_alive, head_only, &mut out);
        self.shard.sockets.counters().answered(response.status());
        let keeps_alive = response.keeps_alive(keep_alive);
        let client = self.reader.client();
        let pushed = self.shard.sockets.answer(client, Frame::raw(&out));
        match keeps_alive && pushed.is_ok() {
            true => Next::Request,
            false => Next::End,
        }
    }

    fn refuse(&self, status: u16, reason: &'static str) -> Next {
        let response = Response::text(status, format!("{reason}\n")).with_close();
        self.push(&response, false, false)
    }
}
