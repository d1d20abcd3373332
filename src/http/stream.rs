//! Response bodies that are made while they are sent.
//!
//! Not here: sockets and waiting. What is written goes to a [`BodySink`], which floors above
//! implement.
//!
//! Invariant: a client takes a body for complete only when its producer came to a good end. The
//! last chunk, or the last byte of a length that was told, is sent by `BodyWriter::finish` and
//! by a producer that has written it all; whatever else happens, the floor above breaks the
//! connection off.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

pub use super::write_error::{ClientGone, WriteError};

use super::response::{Body, Response};
use futures_lite::future::yield_now;

/// How a producer of a body ends: any error breaks the connection off.
pub type StreamResult = Result<(), Box<dyn std::error::Error>>;

/// A future that stays on its shard.
pub(crate) type Pending<T> = Pin<Box<dyn Future<Output = T>>>;

/// Bytes of a body that are framed and handed on at once; longer writes are cut into such pieces.
const PIECE: usize = 64 * 1024;

/// Where the bytes of a body go.
pub trait BodySink {
    /// Takes bytes to be sent as they are.
    ///
    /// # Errors
    /// When the client is gone.
    fn push(&self, bytes: &[u8]) -> Result<(), ClientGone>;

    /// Ready when so little waits to be sent that there is room for more.
    ///
    /// # Errors
    /// When the client is gone.
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), ClientGone>>;

    /// Ready when the server stops.
    fn poll_stopping(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Lets so many milliseconds pass.
    fn pause(&self, ms: u64) -> Pending<()>;

    /// Milliseconds since some moment; never goes back.
    fn now_ms(&self) -> u64;
}

/// Changes a body on its way out: compresses it, say.
pub trait BodyFilter {
    /// Takes what was written and appends to `out` what is to be sent now, which may be nothing.
    fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>);

    /// Appends to `out` what is still held back of what was written: the reader is to have it now
    /// ([`BodyWriter::flush`]). Nothing, unless it is written otherwise.
    fn flush(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// The body has ended: appends what is left to `out`.
    fn finish(&mut self, out: &mut Vec<u8>);
}

/// How the client finds the end of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// The chunked coding.
    Chunked,
    /// So many bytes are still to come.
    Length(u64),
    /// The end of the connection, for a client of HTTP/1.0.
    Close,
}

/// Writes one body, piece by piece, while it is sent.
pub struct BodyWriter {
    out: Rc<Out>,
}

struct Out {
    sink: Rc<dyn BodySink>,
    framing: Cell<Framing>,
    filter: RefCell<Option<Box<dyn BodyFilter>>>,
    written: Cell<u64>,
    /// When something was written last.
    written_ms: Cell<u64>,
    /// Bytes that were filtered since others had their turn.
    worked: Cell<usize>,
    tell: RefCell<Tell>,
}

/// What became of a body; see [`Response::on_sent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodySent {
    /// Bytes of the body that were handed to the connection, behind all filters and without what
    /// frames them.
    pub bytes: u64,
    /// Whether it came to its end. Otherwise it broke off, or was not sent at all: for HEAD, say.
    pub is_complete: bool,
}

/// Tells it when it is dropped, so that every way to the end is told.
struct Tell {
    sent: BodySent,
    to: Option<Box<dyn FnOnce(BodySent)>>,
}

impl Tell {
    const NOBODY: Self = Self {
        sent: BodySent {
            bytes: 0,
            is_complete: false,
        },
        to: None,
    };
}

impl Drop for Tell {
    fn drop(&mut self) {
        if let Some(to) = self.to.take() {
            to(self.sent);
        }
    }
}

impl BodyWriter {
    /// Sends these bytes as the next part of the body. Waits first while much of what was written
    /// before has not left yet: a client that reads slowly slows its producer down, and a body of
    /// any length costs the same memory. Dropped while it waits, it may have sent a part.
    ///
    /// # Errors
    /// [`WriteError::Gone`] and [`WriteError::TooLong`].
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), WriteError> {
        for piece in bytes.as_ref().chunks(PIECE) {
            self.ready().await?;
            self.put(piece)?;
        }
        Ok(())
    }

    /// Waits until a write would not have to wait.
    ///
    /// # Errors
    /// [`WriteError::Gone`].
    pub async fn ready(&self) -> Result<(), WriteError> {
        if self.out.worked.get() >= PIECE {
            // What compresses well never fills the way out: others would wait all the time.
            self.out.worked.set(0);
            yield_now().await;
        }
        poll_fn(|cx| self.out.sink.poll_ready(cx)).await?;
        Ok(())
    }

    /// Sends what a filter, such as one that compresses, holds back of what was written: for a body
    /// that goes on after a while, and is to be read until there. Costs some bytes each time.
    ///
    /// # Errors
    /// [`WriteError::Gone`].
    pub async fn flush(&mut self) -> Result<(), WriteError> {
        self.ready().await?;
        self.flush_now()
    }

    /// Same, at once.
    pub(super) fn flush_now(&self) -> Result<(), WriteError> {
        let mut rest = Vec::new();
        if let Some(filter) = &mut *self.out.filter.borrow_mut() {
            filter.flush(&mut rest);
        }
        self.frame(&rest)
    }

    /// Ends when the server stops, or when this answer is over: time to come to an end. A body that
    /// goes on is cut off with the last connections, seconds later. May be kept and awaited beside
    /// whatever is written.
    pub fn stopping(&self) -> impl Future<Output = ()> + use<> {
        let sink = Rc::clone(&self.out.sink);
        poll_fn(move |cx| sink.poll_stopping(cx))
    }

    /// Lets so many milliseconds pass.
    pub(super) fn pause(&self, ms: u64) -> Pending<()> {
        self.out.sink.pause(ms)
    }

    /// For how many milliseconds nothing was written.
    pub(super) fn still_ms(&self) -> u64 {
        let now_ms = self.out.sink.now_ms();
        now_ms.saturating_sub(self.out.written_ms.get())
    }

    /// Bytes that were written so far, before any filter.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.out.written.get()
    }

    /// Another handle on the same body.
    pub(super) fn share(&self) -> Self {
        let out = Rc::clone(&self.out);
        Self { out }
    }

    /// Sends these bytes at once, as one piece.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<(), WriteError> {
        self.out.written.set(self.written() + bytes.len() as u64);
        self.out.written_ms.set(self.out.sink.now_ms());
        let mut filter = self.out.filter.borrow_mut();
        let Some(filter) = &mut *filter else {
            return self.frame(bytes);
        };
        self.out.worked.set(self.out.worked.get() + bytes.len());
        let mut filtered = Vec::new();
        filter.write(bytes, &mut filtered);
        self.frame(&filtered)
    }

    fn frame(&self, bytes: &[u8]) -> Result<(), WriteError> {
        if bytes.is_empty() {
            return Ok(()); // an empty chunk would be the last
        }
        let sink = &self.out.sink;
        match self.out.framing.get() {
            Framing::Length(left) => {
                let left = left.checked_sub(bytes.len() as u64);
                let left = left.ok_or(WriteError::TooLong)?;
                sink.push(bytes)?;
                self.out.framing.set(Framing::Length(left));
            }
            Framing::Chunked => {
                let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
                chunk.reserve_exact(bytes.len() + 2);
                chunk.extend_from_slice(bytes);
                chunk.extend_from_slice(b"\r\n");
                sink.push(&chunk)?;
            }
            Framing::Close => sink.push(bytes)?,
        }
        self.out.tell.borrow_mut().sent.bytes += bytes.len() as u64;
        Ok(())
    }

    /// The producer came to a good end.
    fn finish(&self) -> Result<(), WriteError> {
        if let Some(mut filter) = self.out.filter.borrow_mut().take() {
            let mut rest = Vec::new();
            filter.finish(&mut rest);
            self.frame(&rest)?;
        }
        match self.out.framing.get() {
            Framing::Chunked => self.out.sink.push(b"0\r\n\r\n")?,
            Framing::Length(0) | Framing::Close => {}
            Framing::Length(_) => return Err(WriteError::TooShort),
        }
        self.out.tell.borrow_mut().sent.is_complete = true;
        Ok(())
    }
}

impl fmt::Debug for BodyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyWriter")
            .field("framing", &self.out.framing.get())
            .field("written", &self.written())
            .finish_non_exhaustive()
    }
}

/// A body that is not made yet.
pub(crate) struct Stream {
    framing: Framing,
    filter: Option<Box<dyn BodyFilter>>,
    tell: Tell,
    produce: Box<dyn FnOnce(BodyWriter) -> Pending<StreamResult>>,
}

impl Stream {
    fn new(
        framing: Framing,
        produce: impl AsyncFnOnce(&mut BodyWriter) -> StreamResult + 'static,
    ) -> Self {
        Self {
            framing,
            filter: None,
            tell: Tell::NOBODY,
            produce: Box::new(|mut body| Box::pin(async move { produce(&mut body).await })),
        }
    }

    /// The length that is told.
    pub(super) fn length(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::Close => None,
        }
    }

    /// Whether the client takes the end of the connection for that of the body, so that only a
    /// reset tells it that the body broke off.
    pub(crate) fn ends_with_connection(&self) -> bool {
        self.framing == Framing::Close
    }

    /// The client speaks HTTP/1.0, which has no chunks; says whether the connection has to close.
    pub(super) fn without_chunks(&mut self) -> bool {
        if self.framing == Framing::Chunked {
            self.framing = Framing::Close;
        }
        self.framing == Framing::Close
    }

    /// What is written goes through the filter; how long that will be, nobody can tell.
    pub(super) fn set_filter(&mut self, filter: Box<dyn BodyFilter>) {
        debug_assert!(self.filter.is_none(), "one filter for a body");
        if let Framing::Length(_) = self.framing {
            self.framing = Framing::Chunked;
        }
        self.filter = Some(filter);
    }

    /// What becomes of it is told to this one too.
    fn tell(&mut self, to: impl FnOnce(BodySent) + 'static) {
        let before = self.tell.to.take();
        self.tell.to = Some(Box::new(move |sent| {
            if let Some(before) = before {
                before(sent);
            }
            to(sent);
        }));
    }

    /// Makes the body.
    pub(crate) async fn send(self, sink: Rc<dyn BodySink>) -> StreamResult {
        let out = Rc::new(Out {
            written_ms: Cell::new(sink.now_ms()),
            sink,
            framing: Cell::new(self.framing),
            filter: RefCell::new(self.filter),
            written: Cell::new(0),
            worked: Cell::new(0),
            tell: RefCell::new(self.tell),
        });
        let body = BodyWriter { out };
        (self.produce)(body.share()).await?;
        Ok(body.finish()?)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("framing", &self.framing)
            .finish_non_exhaustive()
    }
}

impl Response {
    /// A response whose body is made while it is sent: `produce` writes it, and may wait for
    /// whatever it likes in between. It stays on its shard and may hold `Rc`s.
    ///
    /// The length is not known before the end, so the body is sent in the chunked coding; to a
    /// client of HTTP/1.0 up to the end of the connection. For HEAD, and with 204 or 304, `produce`
    /// is not called.
    ///
    /// An error or a panic in `produce` breaks the connection off, so that no client takes the
    /// part that was sent for the whole. When the client is gone, a write fails; a producer that
    /// waits for something else then is dropped. When the server stops, producers are told
    /// ([`BodyWriter::stopping`]) and cut off with the last connections.
    ///
    /// ```
    /// use shardcast::http::Response;
    ///
    /// let response = Response::stream("text/csv", async |body| {
    ///     for row in 0..1_000_000 {
    ///         body.write(format!("{row},{}\r\n", row * row)).await?;
    ///     }
    ///     Ok(())
    /// });
    /// assert!(response.is_streamed());
    /// ```
    ///
    /// # Panics
    /// As [`Response::new`].
    pub fn stream(
        content_type: &'static str,
        produce: impl AsyncFnOnce(&mut BodyWriter) -> StreamResult + 'static,
    ) -> Self {
        Self::new(200, content_type, "").streamed(Stream::new(Framing::Chunked, produce))
    }

    /// Same, of a length that is known before: the client is told. To write more is an error, and
    /// to end with less breaks the connection off.
    ///
    /// # Panics
    /// As [`Response::new`].
    pub fn stream_sized(
        content_type: &'static str,
        length: u64,
        produce: impl AsyncFnOnce(&mut BodyWriter) -> StreamResult + 'static,
    ) -> Self {
        let framing = Framing::Length(length);
        Self::new(200, content_type, "").streamed(Stream::new(framing, produce))
    }

    fn streamed(mut self, stream: Stream) -> Self {
        self.body = Body::Stream(stream);
        self
    }

    /// Whether the body is made while it is sent.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        matches!(self.body, Body::Stream(_))
    }

    /// Sends the body through a filter. One that is there whole goes through it at once; one that
    /// is streamed while it is written, and its length is not told any more.
    #[must_use]
    pub fn with_filter(mut self, mut filter: impl BodyFilter + 'static) -> Self {
        match &mut self.body {
            Body::Stream(stream) => stream.set_filter(Box::new(filter)),
            Body::Whole(bytes) => {
                let mut out = Vec::new();
                filter.write(bytes, &mut out);
                filter.finish(&mut out);
                self.body = Body::Whole(out.into());
            }
        }
        self
    }

    /// Calls `tell` when the body has been handed to the connection, or broke off: for one that is
    /// streamed at its end, which may be hours away, and for one that is there whole at once. A
    /// panic in it ends the connection.
    #[must_use]
    pub fn on_sent(mut self, tell: impl FnOnce(BodySent) + 'static) -> Self {
        match &mut self.body {
            Body::Stream(stream) => stream.tell(tell),
            Body::Whole(bytes) => tell(BodySent {
                bytes: bytes.len() as u64,
                is_complete: true,
            }),
        }
        self
    }

    /// Bytes of the body, where they are known before it is made.
    #[must_use]
    pub fn body_length(&self) -> Option<u64> {
        match &self.body {
            Body::Stream(stream) => stream.length(),
            Body::Whole(bytes) => Some(bytes.len() as u64),
        }
    }

    /// Takes the body that is still to be made; `None` when there is none, or none is sent.
    pub(crate) fn take_stream(&mut self) -> Option<Stream> {
        match std::mem::replace(&mut self.body, Body::Whole(b"".into())) {
            Body::Stream(stream) => Some(stream).filter(|_| !self.is_bodiless()),
            Body::Whole(_) => None,
        }
    }

    /// The client speaks HTTP/1.0.
    pub(crate) fn without_chunks(&mut self) {
        if let Body::Stream(stream) = &mut self.body {
            self.close |= stream.without_chunks();
        }
    }
}
