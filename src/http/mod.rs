//! HTTP/1.1 as bytes in, values out: request heads, chunked bodies, responses, query strings,
//! cookies, forms and JSON bodies.
//!
//! Not a server: no sockets, no clock, no routing, no signatures. The caller owns every buffer and
//! decides when to read, when to time out and when to close.
//!
//! Invariants:
//! - A message whose end could be read in two ways is refused, never guessed at. After any error
//!   of [`parse`] or [`ChunkedDecoder::decode`] the only safe next step is: answer with the
//!   error's `status()`, then close. Bytes behind the fault must not be read as a request.
//! - Reading a head allocates nothing, and no size told by the peer is ever used to reserve memory.
//! - Every limit of [`Limits`] is inclusive: at the limit is accepted, one past it is refused.
//!
//! One request, as the connection loop drives it:
//!
//! ```text
//! scan = HeadScan::new(&limits)               // once for each request
//! while !scan.complete(&buf) { read }         // first look: a pipelined head may be there
//! (head, length) = parse(&buf, &limits)?      // once; never Ok(None) after complete() == true
//! if head.expect_continue { write(continue_100()) }
//! match head.body { None => .., Length(n) => take n bytes, Chunked => ChunkedDecoder::decode }
//! response.encode(head.keep_alive, head.method == "HEAD", &mut out)
//! if !response.keeps_alive(head.keep_alive) { flush; close }
//! ```

pub mod accept;
pub mod body;
pub mod conditional;
pub mod cookie;
pub mod date;
pub mod events;
mod framing;
pub mod head;
pub mod health;
mod incoming;
pub mod media;
pub mod origin;
pub mod payload;
pub mod proxied;
pub mod query;
pub mod response;
pub mod stream;
mod write_error;

pub use body::{BodyError, ChunkedDecoder, Piece, Progress};
pub use cookie::{Cookie, CookieRefused, SameSite};
pub use events::{Event, EventError, Events};
pub use framing::BodyKind;
pub(crate) use head::is_name;
pub use head::{Head, HeadError, HeadScan, Limits, MAX_HEAD_BYTES, MAX_HEADERS, parse};
pub use incoming::BodyDecoder;
pub(crate) use origin::host_and_port;
pub use payload::PayloadError;
pub use response::{HeaderRefused, IntoBody, Response, continue_100, reason_phrase};
pub(crate) use stream::Stream;
pub use stream::{
    BodyFilter, BodySent, BodySink, BodyWriter, ClientGone, StreamResult, WriteError,
};
