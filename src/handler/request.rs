//! A request as a handler sees it: borrowed from the buffer it arrived in.

use crate::http::Head;
use std::net::SocketAddr;

/// An HTTP request, its body whole.
#[derive(Debug)]
pub struct Request<'a> {
    head: &'a Head<'a>,
    body: &'a mut [u8],
    pattern: &'a str,
    peer: Option<SocketAddr>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(
        head: &'a Head<'a>,
        body: &'a mut [u8],
        pattern: &'a str,
        peer: Option<SocketAddr>,
    ) -> Self {
        Self {
            head,
            body,
            pattern,
            peer,
        }
    }

    /// `GET`, `POST`, ...
    #[must_use]
    pub fn method(&self) -> &'a str {
        self.head.method
    }

    /// The path as it was sent, still percent-encoded, without the query.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.head.path
    }

    /// The query as it was sent, empty when there is none.
    #[must_use]
    pub fn query(&self) -> &'a str {
        self.head.query
    }

    /// The first header of a name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.head.header(name)
    }

    /// The segment of the path that stands where the route has `{name}`, still percent-encoded.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&'a str> {
        let wanted = |segment: &&str| {
            segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
                == Some(name)
        };
        let at = self
            .pattern
            .split('/')
            .position(|segment| wanted(&segment))?;
        self.head.path.split('/').nth(at)
    }

    /// Where it came from.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body
    }

    /// The body, to be parsed in place.
    pub fn body_mut(&mut self) -> &mut [u8] {
        self.body
    }
}
