//! The request head: from bytes to a borrowed [`Head`], in one pass and without allocation.
//!
//! Not here: bodies (only how their end is found), routing, percent decoding, the WebSocket
//! handshake beyond "is it asked for". Tokens and fields are cut by `httparse`; this file adds what
//! that crate leaves to its user: limits, CRLF only, target forms, and message framing.
//!
//! Invariants:
//! - A [`Head`] has exactly one reading of where its request ends (RFC 9112, section 6.3): at most
//!   one of `Content-Length` and `Transfer-Encoding`, each at most once, each in its plainest form.
//! - Once [`HeadScan::complete`] is true, [`parse`] does not ask for more, so a head that drips in
//!   byte by byte costs one scan and one parse.
//! - Nothing behind the head takes part in reading it.

use std::fmt;
use std::mem::MaybeUninit;

use httparse::Status;
use memchr::{memchr, memchr_iter};

use super::framing::{BodyKind, Framing, is_host};

/// Most header fields that any [`Limits`] can allow; their places are kept on the stack.
pub const MAX_HEADERS: usize = 64;

/// Longest head that any [`Limits`] can allow, in bytes; places inside a head are 16-bit.
pub const MAX_HEAD_BYTES: usize = u16::MAX as usize;

/// Bounds on one request. Each is inclusive: at the limit is accepted, one past it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest head in bytes, from the first byte to the blank line included; more is 431.
    /// Values above [`MAX_HEAD_BYTES`] act as that.
    pub head_bytes: usize,
    /// Most header fields; more is 431. Values above [`MAX_HEADERS`] act as that.
    pub headers: usize,
    /// Longest request target as received, in bytes; more is 414.
    pub target_bytes: usize,
    /// Longest body after the chunked coding is undone, in bytes; more is 413.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_bytes: 8192,
            headers: 64,
            target_bytes: 4096,
            body_bytes: 1 << 20,
        }
    }
}

/// Why a head was refused. The connection has to be closed after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// The request line is not `method SP target SP version`.
    RequestLine,
    /// The target is neither a path nor an `http`, `https`, `ws` or `wss` URL, or has a fragment.
    TargetForm,
    /// A field name, the colon after it or a field value is malformed, or a field is folded.
    Field,
    /// A line does not end with CR LF.
    LineEnd,
    /// `Host` is missing (HTTP/1.1), repeated, or not a host.
    Host,
    /// `Content-Length` is repeated or not a plain decimal number.
    ContentLength,
    /// `Content-Length` and `Transfer-Encoding` are both given.
    BothLengths,
    /// `Transfer-Encoding` in an HTTP/1.0 request, where it has no meaning.
    CodingInOldVersion,
    /// `Content-Length` is above the limit.
    BodyTooLarge,
    /// The target is above the limit.
    TargetTooLong,
    /// `Expect` asks for something other than `100-continue`.
    Expectation,
    /// The head is above the limit.
    HeadTooLarge,
    /// There are more fields than allowed.
    TooManyHeaders,
    /// `Transfer-Encoding` is anything but one `chunked`.
    TransferCoding,
    /// An HTTP version other than 1.0 and 1.1.
    Version,
}

impl HeadError {
    /// The HTTP status to answer with.
    pub fn status(self) -> u16 {
        match self {
            Self::RequestLine | Self::TargetForm | Self::Field | Self::LineEnd => 400,
            Self::Host | Self::ContentLength | Self::BothLengths | Self::CodingInOldVersion => 400,
            Self::BodyTooLarge => 413,
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            Self::TransferCoding => 501,
            Self::Version => 505,
        }
    }

    /// One line for the person at the other end; never holds anything the peer sent.
    pub fn reason(self) -> &'static str {
        match self {
            Self::RequestLine => "Malformed request line",
            Self::TargetForm => "Unsupported form of request target",
            Self::Field => "Malformed header field",
            Self::LineEnd => "Lines must end with CR LF",
            Self::Host => "Exactly one valid Host header is required",
            Self::ContentLength => "Invalid Content-Length",
            Self::BothLengths => "Content-Length and Transfer-Encoding exclude each other",
            Self::CodingInOldVersion => "Transfer-Encoding is not part of HTTP/1.0",
            Self::BodyTooLarge => "Request body too large",
            Self::TargetTooLong => "Request target too long",
            Self::Expectation => "Unknown expectation",
            Self::HeadTooLarge => "Request head too large",
            Self::TooManyHeaders => "Too many header fields",
            Self::TransferCoding => "Only the chunked transfer coding is supported",
            Self::Version => "Only HTTP/1.0 and HTTP/1.1 are supported",
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for HeadError {}

/// Where one field lies in the head. Eight bytes instead of the 32 of two slices, so that a
/// [`Head`] with room for every field stays cheap to move.
#[derive(Clone, Copy, Debug, Default)]
struct Field {
    name: u16,
    name_len: u16,
    value: u16,
    value_len: u16,
}

/// One request head, borrowed from the buffer it was read from.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    /// The method as received; methods are case-sensitive and unknown ones are let through.
    pub method: &'a str,
    /// The path as received: not decoded, without the query, never empty. Starts with `/`.
    pub path: &'a str,
    /// What follows the first `?` of the target as received, `""` when there is none.
    pub query: &'a str,
    /// 1 for HTTP/1.1 and 0 for HTTP/1.0.
    pub minor: u8,
    /// Whether the peer wants the connection kept after the answer: the default of 1.1, and on
    /// request in 1.0. `Connection: close` wins over everything.
    pub keep_alive: bool,
    /// How the end of the body is found.
    pub body: BodyKind,
    /// Whether the peer may wait for `100 Continue` before it sends the body. Never true without a
    /// body, nor in HTTP/1.0, where the expectation has to be ignored (RFC 9110, section 10.1.1).
    pub expect_continue: bool,
    /// Whether this asks for a WebSocket: `Connection` has `upgrade` and `Upgrade` has
    /// `websocket`. Never true in HTTP/1.0, nor when a body follows: its bytes would then be read
    /// as frames. Method and `Sec-WebSocket-*` are the handshake's to check.
    pub upgrade_websocket: bool,
    head: &'a [u8],
    fields: [Field; MAX_HEADERS],
    field_count: u8,
}

impl<'a> Head<'a> {
    /// The value of the first field of this name, compared without case; surrounding blanks are
    /// trimmed, bytes are otherwise as received.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        let name = name.as_bytes();
        self.fields()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All fields in the order received, names in the case received.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.fields().map(|(name, value)| {
            (
                std::str::from_utf8(name).expect("field names are ASCII tokens"),
                value,
            )
        })
    }

    /// The host that is asked for: the authority of a target in absolute form, before which the
    /// field counts nothing (RFC 9112, section 3.2.2), otherwise the field `Host`.
    pub fn host(&self) -> Option<&'a [u8]> {
        let head = self.head;
        let line = head.strip_prefix(b"\r\n").unwrap_or(head);
        let target = line.get(self.method.len() + 1..).unwrap_or_default();
        if target.first() == Some(&b'/') {
            return self.header("host");
        }
        let start = memchr::memmem::find(target, b"://")? + 3;
        let authority = &target[start..];
        let end = authority.iter().position(|b| b"/? ".contains(b))?;
        Some(&authority[..end])
    }

    /// The fields with their names as bytes, which is all that comparing needs.
    fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let head = self.head;
        self.fields[..usize::from(self.field_count)]
            .iter()
            .map(move |f| {
                let part = |at: u16, len: u16| &head[usize::from(at)..][..usize::from(len)];
                (part(f.name, f.name_len), part(f.value, f.value_len))
            })
    }
}

/// Remembers how far a growing buffer was searched for the end of the head.
///
/// [`parse`] starts at the first byte each time; called after every read of a head that drips in,
/// it would cost the square of the head's length. This looks at each byte once instead. Use a new
/// one for each request, and whenever bytes were taken from the front of the buffer.
#[derive(Clone, Copy, Debug)]
pub struct HeadScan {
    scanned: u32,
    head_bytes: u32,
}

impl HeadScan {
    /// A scan that has seen nothing yet.
    pub fn new(limits: &Limits) -> Self {
        HeadScan {
            scanned: 0,
            head_bytes: limits.head_bytes.min(MAX_HEAD_BYTES) as u32,
        }
    }

    /// Whether it is time to call [`parse`] with `buf`, which holds all bytes since the request
    /// began.
    ///
    /// True when the blank line is there, when a line ends without CR, or when the buffer reached
    /// the limit; after that `parse` does not return `Ok(None)` for this buffer.
    pub fn complete(&mut self, buf: &[u8]) -> bool {
        let from = self.scanned as usize;
        for offset in memchr_iter(b'\n', buf.get(from..).unwrap_or_default()) {
            let at = from + offset;
            let lone = at == 0 || buf[at - 1] != b'\r';
            // The line before ended two bytes ago, so this line is empty. The one empty line that
            // may lead a request ends at 1 and is not taken for the end of it.
            if lone || (at >= 2 && buf[at - 2] == b'\n') {
                return true;
            }
        }
        self.scanned = buf.len().min(MAX_HEAD_BYTES) as u32;
        buf.len() >= self.head_bytes as usize
    }
}

/// Reads one request head from the front of `buf`: the head and its length in bytes, or
/// `Ok(None)` when more bytes are needed.
///
/// Call it once for each request, when [`HeadScan::complete`] says so. One empty line (CR LF)
/// before the request line is skipped and counted into the length (RFC 9112, section 2.2).
///
/// # Errors
/// Any [`HeadError`]. When several faults meet, the one that comes first in the bytes is told
/// before those that need the whole head. Some faults are told before the head is complete.
pub fn parse<'a>(buf: &'a [u8], limits: &Limits) -> Result<Option<(Head<'a>, usize)>, HeadError> {
    let room = limits.head_bytes.min(MAX_HEAD_BYTES);
    let seen = &buf[..buf.len().min(room)];
    let start = if seen.starts_with(b"\r\n") { 2 } else { 0 };
    match seen.get(start) {
        // httparse would skip any number of empty lines, lone LF among them.
        Some(b'\n') => return Err(HeadError::LineEnd),
        Some(b'\r') if seen.len() > 1 => return Err(HeadError::RequestLine),
        _ => {}
    }
    let line = &seen[start..];
    let mut slots = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let slots = &mut slots[..limits.headers.min(MAX_HEADERS)];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(line, slots) {
        Ok(Status::Complete(length)) => {
            let length = start + length;
            finish(&seen[..length], &request, limits).map(|head| Some((head, length)))
        }
        Ok(Status::Partial) if target_so_far(line) > limits.target_bytes => {
            Err(HeadError::TargetTooLong)
        }
        Ok(Status::Partial) if has_lone_lf(seen) => Err(HeadError::LineEnd),
        Ok(Status::Partial) if seen.len() == room => Err(HeadError::HeadTooLarge),
        Ok(Status::Partial) => Ok(None),
        Err(error) => match lone_lf(seen) {
            // How much of it came with one read does not change what is told of a bad head.
            Some(at) if at + 1 < seen.len() => parse(&seen[..=at], limits),
            _ if target_so_far(line) > limits.target_bytes => Err(HeadError::TargetTooLong),
            _ => Err(refusal(error, line)),
        },
    }
}

/// Turns what httparse cut into a [`Head`]; `head` is exactly the bytes of the head.
fn finish<'a>(
    head: &'a [u8],
    request: &httparse::Request<'_, 'a>,
    limits: &Limits,
) -> Result<Head<'a>, HeadError> {
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(HeadError::RequestLine);
    };
    if target.len() > limits.target_bytes {
        return Err(HeadError::TargetTooLong);
    }
    if has_lone_lf(head) {
        return Err(HeadError::LineEnd);
    }
    let (path, query) = split_target(target).ok_or(HeadError::TargetForm)?;
    let mut framing = Framing::default();
    let mut fields = [Field::default(); MAX_HEADERS];
    for (field, header) in fields.iter_mut().zip(request.headers.iter()) {
        framing.note(header.name, header.value)?;
        // Both slices lie inside `head`, whose length fits 16 bits (MAX_HEAD_BYTES).
        let place = |bytes: &[u8]| (bytes.as_ptr().addr() - head.as_ptr().addr()) as u16;
        *field = Field {
            name: place(header.name.as_bytes()),
            name_len: header.name.len() as u16,
            value: place(header.value),
            value_len: header.value.len() as u16,
        };
    }
    let body = framing.body(minor, limits)?;
    let bodiless = body == BodyKind::None;
    Ok(Head {
        method,
        path,
        query,
        minor,
        keep_alive: !framing.close && (minor == 1 || framing.keep_alive),
        body,
        expect_continue: framing.expect_continue && minor == 1 && !bodiless,
        upgrade_websocket: framing.connection_upgrade
            && framing.upgrade_websocket
            && minor == 1
            && bodiless,
        head,
        fields,
        field_count: request.headers.len() as u8,
    })
}

/// Path and query of a target in origin form (`/path?query`) or absolute form
/// (`http://host/path?query`); `None` for the other two forms and for anything with a fragment.
///
/// The authority of the absolute form is checked here; [`Head::host`] gives it.
fn split_target(target: &str) -> Option<(&str, &str)> {
    if memchr(b'#', target.as_bytes()).is_some() {
        return None;
    }
    let local = if target.starts_with('/') {
        target
    } else {
        let (scheme, rest) = target.split_once("://")?;
        let known = ["http", "https", "ws", "wss"]
            .iter()
            .any(|s| scheme.eq_ignore_ascii_case(s));
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, local) = rest.split_at(end);
        if !known || authority.is_empty() || !is_host(authority.as_bytes()) {
            return None;
        }
        local
    };
    let (path, query) = match memchr(b'?', local.as_bytes()) {
        Some(at) => (&local[..at], &local[at + 1..]),
        None => (local, ""),
    };
    Some((if path.is_empty() { "/" } else { path }, query))
}

/// Whether a byte may stand in a field value: anything but control characters, tab allowed.
pub(super) fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether a text is a token: a field's name, a method, a subprotocol.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token)
}

/// Whether a byte may stand in a token, such as a field name (RFC 9110, section 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether any LF comes without a CR before it; the first byte is not an LF. Without a branch for
/// each byte, so that the compiler can look at many at once.
fn has_lone_lf(bytes: &[u8]) -> bool {
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    pairs.fold(false, |lone, (a, b)| lone | ((*b == b'\n') & (*a != b'\r')))
}

/// Where the first LF without a CR before it stands, at which [`HeadScan`] stops.
fn lone_lf(bytes: &[u8]) -> Option<usize> {
    memchr_iter(b'\n', bytes).find(|&at| at == 0 || bytes[at - 1] != b'\r')
}

/// Length of the request target in a request line that may be incomplete or malformed.
fn target_so_far(line: &[u8]) -> usize {
    let is_part = |b: &u8| *b > b' ' && *b != 0x7f;
    let method = line.iter().take_while(|b| is_part(b)).count();
    line.iter()
        .skip(method + 1)
        .take_while(|b| is_part(b))
        .count()
}

/// Which of our errors an httparse error is.
fn refusal(error: httparse::Error, line: &[u8]) -> HeadError {
    match error {
        httparse::Error::TooManyHeaders => HeadError::TooManyHeaders,
        httparse::Error::HeaderName | httparse::Error::HeaderValue => HeadError::Field,
        httparse::Error::Version => {
            // A blank inside the target also ends up here: then no version stands in third place.
            let third = line.splitn(3, |b| *b == b' ').nth(2).unwrap_or_default();
            let named = third.strip_prefix(b"HTTP/").and_then(|v| v.first());
            if named.is_some_and(u8::is_ascii_digit) {
                HeadError::Version
            } else {
                HeadError::RequestLine
            }
        }
        _ => HeadError::RequestLine,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Heads that are fine, with the path, the query and the body they must give.
    const GOOD: &[(&str, &str, &str, BodyKind)] = &[
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "/", "", BodyKind::None),
        (
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "/",
            "",
            BodyKind::None,
        ),
        ("GET / HTTP/1.0\r\n\r\n", "/", "", BodyKind::None),
        (
            "GET /a?b=c&d HTTP/1.1\r\nHost:\r\n\r\n",
            "/a",
            "b=c&d",
            BodyKind::None,
        ),
        (
            "GET /a? HTTP/1.1\r\nhost: a:80\r\n\r\n",
            "/a",
            "",
            BodyKind::None,
        ),
        (
            "GET /a?b?c HTTP/1.1\r\nHost: [::1]:6001\r\n\r\n",
            "/a",
            "b?c",
            BodyKind::None,
        ),
        (
            "GET /%zz/%41 HTTP/1.1\r\nHost: a\r\n\r\n",
            "/%zz/%41",
            "",
            BodyKind::None,
        ),
        (
            "GET /c/a=b@c;d,e.f HTTP/1.1\r\nHost: a\r\n\r\n",
            "/c/a=b@c;d,e.f",
            "",
            BodyKind::None,
        ),
        (
            "GET /☃ HTTP/1.1\r\nHost: a\r\n\r\n",
            "/☃",
            "",
            BodyKind::None,
        ),
        (
            "GET http://h.example/p?q HTTP/1.1\r\nHost: a\r\n\r\n",
            "/p",
            "q",
            BodyKind::None,
        ),
        (
            "GET HTTPS://h:1 HTTP/1.1\r\nHost: a\r\n\r\n",
            "/",
            "",
            BodyKind::None,
        ),
        (
            "GET ws://h?q=/x HTTP/1.1\r\nHost: a\r\n\r\n",
            "/",
            "q=/x",
            BodyKind::None,
        ),
        (
            "GET //x HTTP/1.1\r\nHost: a\r\n\r\n",
            "//x",
            "",
            BodyKind::None,
        ),
        (
            "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n",
            "/",
            "",
            BodyKind::None,
        ),
        // R2: PHP sends this with GET.
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "/",
            "",
            BodyKind::None,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
            "/",
            "",
            BodyKind::None,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
            "/",
            "",
            BodyKind::Length(5),
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\t 0005 \t\r\n\r\n",
            "/",
            "",
            BodyKind::Length(5),
        ),
        (
            "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n",
            "/",
            "",
            BodyKind::Length(5),
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "/",
            "",
            BodyKind::Chunked,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:CHUNKED\r\n\r\n",
            "/",
            "",
            BodyKind::Chunked,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX: \u{e9}\t~ \r\nY:\r\nX-Z:z\r\n\r\n",
            "/",
            "",
            BodyKind::None,
        ),
    ];

    /// F09: heads that are refused, with the status.
    const BAD: &[(&[u8], u16)] = &[
        // Request line.
        (b"\n", 400),
        (b"\r\r\n", 400),
        (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
        (b"GET / FTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/x.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        // Version.
        (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/2\r\nHost: a\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        // Target forms.
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        // Line ends.
        (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400),
        // Fields.
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\tfolded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX(: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX\x00: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x0bb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n", 400),
        // Host.
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\n\r\n", 400),
    ];

    /// F09: minor version and fields that make a head refused, with the status.
    const BAD_FRAMING: &[(u8, &[u8], u16)] = &[
        // Content-Length.
        (1, b"Content-Length: +5", 400),
        (1, b"Content-Length: -5", 400),
        (1, b"Content-Length: 5, 5", 400),
        (1, b"Content-Length:  5 6", 400),
        (1, b"Content-Length: 0x5", 400),
        (1, b"Content-Length: 5a", 400),
        (1, b"Content-Length: 5.0", 400),
        (1, b"Content-Length: \"5\"", 400),
        (1, b"Content-Length: \xd9\xa5", 400),
        (1, b"Content-Length:", 400),
        (1, b"Content-Length: 18446744073709551616", 400),
        (1, b"Content-Length: 99999999999999999999999", 400),
        (1, b"Content-Length: 5\r\nContent-Length: 5", 400),
        (1, b"Content-Length: 5\r\nContent-Length: 6", 400),
        (1, b"Content-Length: 0\r\ncontent-length: 6", 400),
        (1, b"Content-Length: 18446744073709551615", 413),
        (1, b"Content-Length: 1048577", 413),
        (1, b"Content-Length: 1048577\r\nExpect: 100-continue", 413),
        // Both lengths, either order, whatever their values.
        (1, b"Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        (1, b"Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
        (1, b"Transfer-Encoding: chunked\r\nContent-Length: 0", 400),
        (1, b"Transfer-Encoding: x\r\nContent-Length: 5", 400),
        (0, b"Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
        // Transfer-Encoding.
        (0, b"Transfer-Encoding: chunked", 400),
        (0, b"Transfer-Encoding: gzip", 400),
        (1, b"Transfer-Encoding: gzip", 501),
        (1, b"Transfer-Encoding: gzip, chunked", 501),
        (1, b"Transfer-Encoding: chunked, chunked", 501),
        (1, b"Transfer-Encoding: chunked, identity", 501),
        (1, b"Transfer-Encoding: identity", 501),
        (1, b"Transfer-Encoding: chunked;q=1", 501),
        (1, b"Transfer-Encoding: xchunked", 501),
        (1, b"Transfer-Encoding: \"chunked\"", 501),
        (1, b"Transfer-Encoding: ,chunked", 501),
        (1, b"Transfer-Encoding:", 501),
        (
            1,
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            501,
        ),
        (
            1,
            b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
            501,
        ),
        (1, b"Transfer-Encoding: \x0bchunked", 400),
        (1, b"Transfer-Encoding : chunked", 400),
        (1, b"Transfer-Encoding:\r\n chunked", 400),
        // Expect.
        (1, b"Content-Length: 5\r\nExpect: 200-ok", 417),
        (1, b"Content-Length: 5\r\nExpect:", 417),
        (1, b"Expect: 100-continue, x", 417),
        (1, b"Expect: x\r\nExpect: 100-continue", 417),
    ];

    /// Every field the loop over connections cares about, on one head.
    fn head_of(text: &str) -> Head<'_> {
        let (head, length) = parse(text.as_bytes(), &Limits::default()).unwrap().unwrap();
        assert_eq!(length, text.len());
        head
    }

    fn get_with(fields: &str, minor: u8) -> String {
        format!("GET / HTTP/1.{minor}\r\nHost: a\r\n{fields}\r\n")
    }

    #[test]
    fn good_heads() {
        for (text, path, query, body) in GOOD {
            let head = head_of(text);
            assert_eq!(
                (head.path, head.query, head.body),
                (*path, *query, *body),
                "{text:?}"
            );
            assert_eq!(head.minor, u8::from(text.contains("HTTP/1.1")), "{text:?}");
            assert!(!head.upgrade_websocket && !head.expect_continue, "{text:?}");
        }
    }

    /// Both tables of bad heads, as bytes.
    fn bad() -> impl Iterator<Item = (Vec<u8>, u16)> {
        let framing = BAD_FRAMING.iter().map(|(minor, fields, status)| {
            let line = format!("POST / HTTP/1.{minor}\r\nHost: a\r\n");
            ([line.as_bytes(), fields, b"\r\n\r\n"].concat(), *status)
        });
        BAD.iter()
            .map(|(bytes, status)| (bytes.to_vec(), *status))
            .chain(framing)
    }

    #[test]
    fn bad_heads() {
        for (bytes, status) in bad() {
            let shown = bytes.escape_ascii();
            match parse(&bytes, &Limits::default()) {
                Err(error) => assert_eq!(error.status(), status, "{shown}: {error}"),
                Ok(outcome) => panic!("{shown} gave {outcome:?}"),
            }
        }
    }

    // F06, F09
    #[test]
    fn every_prefix_of_a_good_head_needs_more() {
        let limits = Limits::default();
        for (text, ..) in GOOD {
            let bytes = text.as_bytes();
            let mut scan = HeadScan::new(&limits);
            for end in 0..bytes.len() {
                assert!(
                    matches!(parse(&bytes[..end], &limits), Ok(None)),
                    "{text:?} at {end}"
                );
                assert!(!scan.complete(&bytes[..end]), "{text:?} at {end}");
            }
            assert!(scan.complete(bytes), "{text:?}");
            let followed = [bytes, b"GET / HTTP/1.1\n\0"].concat();
            assert!(HeadScan::new(&limits).complete(&followed));
            let (_, length) = parse(&followed, &limits).unwrap().unwrap();
            assert_eq!(length, bytes.len(), "{text:?}");
        }
    }

    // F09
    #[test]
    fn a_bad_head_has_one_status_however_it_is_cut() {
        let limits = Limits::default();
        for (bytes, status) in bad() {
            let mut scan = HeadScan::new(&limits);
            for end in 0..=bytes.len() {
                let outcome = parse(&bytes[..end], &limits);
                let complete = scan.complete(&bytes[..end]);
                match outcome {
                    Ok(None) => assert!(!complete, "{} at {end}", bytes.escape_ascii()),
                    Ok(Some(_)) => panic!("{} at {end}", bytes.escape_ascii()),
                    Err(error) => {
                        assert_eq!(error.status(), status, "{} at {end}", bytes.escape_ascii())
                    }
                }
            }
        }
    }

    #[test]
    fn fields_are_found_by_name_without_case() {
        let text = "POST /p?q HTTP/1.1\r\nhOsT:a\r\nX-A:  one\t \r\nx-a: two\r\nX-B:\r\n\r\n";
        let head = head_of(text);
        assert_eq!((head.method, head.minor), ("POST", 1));
        assert_eq!(head.header("x-A"), Some(&b"one"[..]));
        assert_eq!(head.header("X-B"), Some(&b""[..]));
        assert_eq!(head.header("X-"), None);
        assert_eq!(head.header(""), None);
        let all: Vec<_> = head.headers().collect();
        let wanted: [(&str, &[u8]); 4] = [
            ("hOsT", b"a"),
            ("X-A", b"one"),
            ("x-a", b"two"),
            ("X-B", b""),
        ];
        assert_eq!(all, wanted);
        // An empty line in front moves every place.
        let moved = format!("\r\n{text}");
        assert_eq!(head_of(&moved).headers().collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn keep_alive_follows_version_and_connection() {
        let table = [
            ("", 1, true),
            ("", 0, false),
            ("Connection: keep-alive\r\n", 1, true),
            ("Connection: Keep-Alive\r\n", 0, true),
            ("Connection: close\r\n", 1, false),
            ("CONNECTION: x , CLOSE\r\n", 1, false),
            ("Connection: keep-alive, close\r\n", 0, false),
            ("Connection: keep-alive\r\nConnection: close\r\n", 1, false),
            ("Connection: closed\r\n", 1, true),
            ("Connection:\r\n", 1, true),
            ("Keep-Alive: 300\r\n", 0, false),
        ];
        for (fields, minor, wanted) in table {
            assert_eq!(
                head_of(&get_with(fields, minor)).keep_alive,
                wanted,
                "{fields:?} {minor}"
            );
        }
    }

    #[test]
    fn websocket_needs_both_fields_and_no_body() {
        let table = [
            ("Connection: Upgrade\r\nUpgrade: websocket\r\n", 1, true),
            (
                "upgrade: WebSocket\r\nconnection: keep-alive, UPGRADE\r\n",
                1,
                true,
            ),
            (
                "Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: h2c,websocket\r\n",
                1,
                true,
            ),
            ("Connection: Upgrade\r\nUpgrade: websocket\r\n", 0, false),
            ("Connection: Upgrade\r\n", 1, false),
            ("Upgrade: websocket\r\n", 1, false),
            ("Connection: Upgrade\r\nUpgrade: websocket2\r\n", 1, false),
            ("Connection: Upgrades\r\nUpgrade: websocket\r\n", 1, false),
            (
                "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n",
                1,
                true,
            ),
            (
                "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n",
                1,
                false,
            ),
            (
                "Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n",
                1,
                false,
            ),
        ];
        for (fields, minor, wanted) in table {
            let text = get_with(fields, minor);
            assert_eq!(
                head_of(&text).upgrade_websocket,
                wanted,
                "{fields:?} {minor}"
            );
        }
    }

    // R1
    #[test]
    fn expect_continue_needs_a_body_and_version_1_1() {
        let table = [
            ("Content-Length: 5\r\nExpect: 100-continue\r\n", 1, true),
            (
                "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n",
                1,
                true,
            ),
            ("Content-Length: 5\r\nExpect: 100-continue\r\n", 0, false),
            ("Expect: 100-continue\r\n", 1, false),
            ("Content-Length: 5\r\n", 1, false),
        ];
        for (fields, minor, wanted) in table {
            let text = get_with(fields, minor);
            assert_eq!(head_of(&text).expect_continue, wanted, "{fields:?} {minor}");
        }
    }

    // F09
    #[test]
    fn head_bytes_at_the_limit_and_one_past() {
        for limit in [64usize, 8192, MAX_HEAD_BYTES, MAX_HEAD_BYTES + 1000] {
            let limits = Limits {
                head_bytes: limit,
                ..Limits::default()
            };
            let cap = limit.min(MAX_HEAD_BYTES);
            for (length, fits) in [(cap, true), (cap + 1, false)] {
                let frame = get_with("X: \r\n", 1).len();
                let text = get_with(&format!("X: {}\r\n", "x".repeat(length - frame)), 1);
                assert_eq!(text.len(), length);
                let outcome = parse(text.as_bytes(), &limits);
                if fits {
                    let (head, taken) = outcome.unwrap().unwrap();
                    assert_eq!(taken, length);
                    assert_eq!(head.header("x").unwrap().len(), length - frame);
                } else {
                    assert_eq!(outcome.unwrap_err(), HeadError::HeadTooLarge);
                    // It is known as soon as the limit is reached without an end.
                    let full = &text.as_bytes()[..cap];
                    assert!(HeadScan::new(&limits).complete(full));
                    assert!(!HeadScan::new(&limits).complete(&full[..cap - 1]));
                    assert_eq!(parse(full, &limits).unwrap_err(), HeadError::HeadTooLarge);
                    assert!(parse(&full[..cap - 1], &limits).unwrap().is_none());
                }
            }
        }
    }

    // F09
    #[test]
    fn headers_at_the_limit_and_one_past() {
        for limit in [1usize, 10, 64, 1000] {
            let limits = Limits {
                headers: limit,
                ..Limits::default()
            };
            let cap = limit.min(MAX_HEADERS);
            let with = |n: usize| get_with(&"X: y\r\n".repeat(n - 1), 1);
            let text = with(cap);
            let (head, _) = parse(text.as_bytes(), &limits).unwrap().unwrap();
            assert_eq!(head.headers().count(), cap);
            let outcome = parse(with(cap + 1).as_bytes(), &limits).map(|_| ());
            assert_eq!(outcome, Err(HeadError::TooManyHeaders));
        }
    }

    // F09
    #[test]
    fn target_bytes_at_the_limit_and_one_past() {
        for limit in [1usize, 100, 4096] {
            let limits = Limits {
                target_bytes: limit,
                ..Limits::default()
            };
            let with = |n: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(n - 1));
            let text = with(limit);
            assert_eq!(
                parse(text.as_bytes(), &limits)
                    .unwrap()
                    .unwrap()
                    .0
                    .path
                    .len(),
                limit
            );
            let text = with(limit + 1);
            assert_eq!(
                parse(text.as_bytes(), &limits).unwrap_err(),
                HeadError::TargetTooLong
            );
            // It is known as soon as the target is seen to pass the limit.
            let known = "GET /".len() + limit;
            let early = parse(&text.as_bytes()[..known], &limits);
            assert_eq!(early.unwrap_err(), HeadError::TargetTooLong);
            assert!(
                parse(&text.as_bytes()[..known - 1], &limits)
                    .unwrap()
                    .is_none()
            );
        }
        // A target beyond the limit of the whole head is still a target too long.
        let text = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(8192));
        let limits = Limits::default();
        assert_eq!(
            parse(text.as_bytes(), &limits).unwrap_err(),
            HeadError::TargetTooLong
        );
    }

    #[test]
    fn body_bytes_at_the_limit_and_one_past() {
        for limit in [0usize, 1, 1 << 20] {
            let limits = Limits {
                body_bytes: limit,
                ..Limits::default()
            };
            let with = |n: usize| format!("POST / HTTP/1.0\r\nContent-Length: {n}\r\n\r\n");
            let text = with(limit);
            let (head, _) = parse(text.as_bytes(), &limits).unwrap().unwrap();
            let wanted = if limit == 0 {
                BodyKind::None
            } else {
                BodyKind::Length(limit as u64)
            };
            assert_eq!(head.body, wanted);
            let outcome = parse(with(limit + 1).as_bytes(), &limits).map(|_| ());
            assert_eq!(outcome, Err(HeadError::BodyTooLarge));
        }
    }

    #[test]
    fn a_limit_of_nothing_refuses_and_does_not_wait() {
        let limits = Limits {
            head_bytes: 0,
            headers: 0,
            target_bytes: 0,
            body_bytes: 0,
        };
        assert!(HeadScan::new(&limits).complete(b""));
        assert_eq!(parse(b"", &limits).unwrap_err(), HeadError::HeadTooLarge);
    }

    // F06
    #[test]
    fn a_scan_looks_at_each_byte_once() {
        let limits = Limits::default();
        let text = get_with("X: y\r\n", 1);
        let mut scan = HeadScan::new(&limits);
        assert!(!scan.complete(&text.as_bytes()[..text.len() - 1]));
        // What was scanned is not looked at again: a fault put there now goes unseen.
        let mut altered = text[..text.len() - 1].to_owned().into_bytes();
        altered[3] = b'\n';
        assert!(!scan.complete(&altered));
        assert!(HeadScan::new(&limits).complete(&altered));
        assert!(scan.complete(text.as_bytes()));
    }

    // F09: a peer that sends LF alone is answered at once, not at the deadline.
    #[test]
    fn a_scan_stops_at_a_lone_lf() {
        for text in [
            "\n",
            "\r\n\n",
            "GET / HTTP/1.1\n",
            "GET / HTTP/1.1\r\nHost: a\n",
        ] {
            let mut scan = HeadScan::new(&Limits::default());
            assert!(
                !scan.complete(&text.as_bytes()[..text.len() - 1]),
                "{text:?}"
            );
            assert!(scan.complete(text.as_bytes()), "{text:?}");
        }
    }

    // F09. Found by fuzzing: what came behind the bad line with the same read was judged before it.
    #[test]
    fn what_came_with_the_same_read_does_not_change_the_refusal() {
        let limits = Limits {
            headers: 1,
            target_bytes: 8,
            ..Limits::default()
        };
        for (refused, behind, error) in [
            ("G\n", "777777777\r\n\r\n", HeadError::RequestLine),
            (
                "GET / HTTP/1.1\r\nA: b\n",
                "C: d\r\n\r\n",
                HeadError::LineEnd,
            ),
            ("GET / HTTP/1.1\n", "A\r\n\r\n", HeadError::LineEnd),
            ("GET /23456789\n", "A\r\n\r\n", HeadError::TargetTooLong),
        ] {
            let mut scan = HeadScan::new(&limits);
            assert!(scan.complete(refused.as_bytes()), "{refused:?}");
            let text = format!("{refused}{behind}");
            for bytes in [refused, &text] {
                assert_eq!(parse(bytes.as_bytes(), &limits).unwrap_err(), error);
            }
        }
    }

    /// Pieces that, put together at random, come close to heads.
    fn noise() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just(&b"\r\n"[..]),
            2 => Just(&b"GET / HTTP/1.1\r\nHost: a\r\n"[..]),
            1 => prop::sample::select(vec![
                &b"\n"[..], b"\r", b"\0", b" ", b"\t", b":", b"#", b"?", b"*", b"\xff", b"GET ",
                b"/ ", b"HTTP/1.1", b"HTTP/1.0\r\n", b"HTTP/2", b"http://a/", b"Host: a\r\n",
                b"Content-Length: 5\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n",
                b"Transfer-Encoding: ", b"X: y\r\n", b"Expect: ", b"100-continue", b"0", b"9",
                b"Connection: upgrade\r\n", b"Upgrade: websocket\r\n", b"xxxxxxxxxxxxxxxx",
            ]),
        ];
        prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
    }

    fn limits() -> impl Strategy<Value = Limits> {
        (0usize..120, 0usize..6, 0usize..30).prop_map(|(head_bytes, headers, target_bytes)| {
            Limits {
                head_bytes,
                headers,
                target_bytes,
                body_bytes: 50,
            }
        })
    }

    /// Checks on all prefixes of any bytes: scan and parse agree on when there is an outcome; an
    /// outcome stays; and nothing behind the head takes part in it, nor in why it is refused.
    fn outcomes_agree(bytes: &[u8], limits: &Limits) -> Result<(), TestCaseError> {
        let mut scan = HeadScan::new(limits);
        let mut found: Option<usize> = None;
        let mut refused = false;
        let mut why = None;
        for end in 0..=bytes.len() {
            let complete = scan.complete(&bytes[..end]);
            let outcome = parse(&bytes[..end], limits);
            if complete && let Err(error) = &outcome {
                prop_assert_eq!(why.get_or_insert(*error), error);
            }
            match outcome {
                Ok(None) => prop_assert!(!complete && found.is_none() && !refused),
                Ok(Some((head, length))) => {
                    prop_assert!(complete && !refused);
                    prop_assert!(length <= end && length <= limits.head_bytes);
                    prop_assert_eq!(*found.get_or_insert(length), length);
                    prop_assert!(head.path.len() + head.query.len() <= limits.target_bytes);
                    prop_assert!(head.headers().count() <= limits.headers);
                    let lengths = head.header("content-length").is_some();
                    let codings = head.header("transfer-encoding").is_some();
                    prop_assert!(!(lengths && codings));
                    prop_assert_eq!(head.body == BodyKind::Chunked, codings);
                }
                Err(_) => {
                    prop_assert!(found.is_none());
                    refused = true;
                }
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn noise_has_one_outcome(bytes in noise()) {
            outcomes_agree(&bytes, &Limits::default())?;
        }

        #[test]
        fn noise_has_one_outcome_under_tight_limits(bytes in noise(), limits in limits()) {
            outcomes_agree(&bytes, &limits)?;
        }

        #[test]
        fn a_good_head_with_a_byte_changed_has_one_outcome(
            which in 0..GOOD.len(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut bytes = GOOD[which].0.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            outcomes_agree(&bytes, &Limits::default())?;
        }

        #[test]
        fn any_bytes_have_one_outcome(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            outcomes_agree(&bytes, &Limits::default())?;
        }
    }
}
