//! What the fields of one request say together: where the body ends and what becomes of the
//! connection.
//!
//! Not here: cutting the head into fields, and reading the body.
//!
//! Invariant: a request has one reading of where it ends (RFC 9112, section 6.3). At most one of
//! `Content-Length` and `Transfer-Encoding` is let through, at most once, in its plainest form;
//! anything that a proxy in front of us could have read in another way is refused.

use super::head::{HeadError, Limits};

/// How the end of the request's body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// No body byte follows the head. `Content-Length: 0` is told as this too.
    None,
    /// Exactly this many bytes follow: at least 1, at most [`Limits::body_bytes`].
    Length(u64),
    /// The chunked coding follows; see [`ChunkedDecoder`](super::ChunkedDecoder).
    Chunked,
}

/// What the fields say about where the request ends and what becomes of the connection.
#[derive(Default)]
pub(super) struct Framing {
    hosts: u32,
    content_length: Option<u64>,
    /// Whether `Transfer-Encoding` is there, and if so whether it is exactly one `chunked`.
    coding: Option<bool>,
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) connection_upgrade: bool,
    pub(super) upgrade_websocket: bool,
    pub(super) expect_continue: bool,
    expect_unknown: bool,
}

impl Framing {
    /// Takes note of one field. Names are told apart by length first: most fields of most requests
    /// are none of these and cost one comparison.
    pub(super) fn note(&mut self, name: &str, value: &[u8]) -> Result<(), HeadError> {
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => {
                self.hosts += 1;
                if !is_host(value) {
                    return Err(HeadError::Host);
                }
            }
            6 if name.eq_ignore_ascii_case("expect") => {
                let known = value.eq_ignore_ascii_case(b"100-continue");
                self.expect_continue |= known;
                self.expect_unknown |= !known;
            }
            7 if name.eq_ignore_ascii_case("upgrade") => {
                self.upgrade_websocket |= tokens(value).any(|t| is(t, "websocket"));
            }
            10 if name.eq_ignore_ascii_case("connection") => {
                for token in tokens(value) {
                    self.close |= is(token, "close");
                    self.keep_alive |= is(token, "keep-alive");
                    self.connection_upgrade |= is(token, "upgrade");
                }
            }
            14 if name.eq_ignore_ascii_case("content-length") => {
                // Repeated is refused even when equal: a peer in front of us may have counted
                // differently, and no client needs it.
                if self.content_length.is_some() {
                    return Err(HeadError::ContentLength);
                }
                self.content_length = Some(decimal(value).ok_or(HeadError::ContentLength)?);
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                let chunked = value.eq_ignore_ascii_case(b"chunked");
                self.coding = Some(chunked && self.coding.is_none());
            }
            _ => {}
        }
        Ok(())
    }

    /// The body's framing, after the checks that need the whole head. Ambiguous lengths come first.
    pub(super) fn body(&self, minor: u8, limits: &Limits) -> Result<BodyKind, HeadError> {
        if self.coding.is_some() && self.content_length.is_some() {
            return Err(HeadError::BothLengths);
        }
        if self.coding.is_some() && minor == 0 {
            return Err(HeadError::CodingInOldVersion);
        }
        if self.coding == Some(false) {
            return Err(HeadError::TransferCoding);
        }
        if self.hosts > 1 || (self.hosts == 0 && minor == 1) {
            return Err(HeadError::Host);
        }
        let body = match self.content_length {
            Some(length) if length > limits.body_bytes as u64 => {
                return Err(HeadError::BodyTooLarge);
            }
            Some(length) if length > 0 => BodyKind::Length(length),
            _ if self.coding.is_some() => BodyKind::Chunked,
            _ => BodyKind::None,
        };
        if self.expect_unknown {
            return Err(HeadError::Expectation);
        }
        Ok(body)
    }
}

/// Whether the bytes can be `host [":" port]`. Empty is one (RFC 9112, section 3.2); user
/// information, blanks, path characters and bytes outside ASCII are not.
pub(super) fn is_host(value: &[u8]) -> bool {
    value
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(b))
}

/// The elements of a comma-separated list, without the blanks around them.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|b| *b == b',').map(<[u8]>::trim_ascii)
}

/// Whether a token is this name, whatever its case.
fn is(token: &[u8], name: &str) -> bool {
    token.eq_ignore_ascii_case(name.as_bytes())
}

/// A plain decimal number: digits only, at least one, below 2^64.
fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |sum, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}
