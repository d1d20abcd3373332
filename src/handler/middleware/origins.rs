//! Which pages may open a WebSocket.

use super::{Middleware, Next};
use crate::handler::Request;
use crate::http::{Response, origin};

/// Lets in pages of listed origins only, and answers others with 403.
///
/// Browsers let any page open a WebSocket to any server, with the user's cookies, and say in
/// `Origin` which page it is; who answers for the cookies has to look. This guards handshakes, and
/// other requests by option; for the latter [`Cors`](super::Cors) is as a rule what is wanted.
///
/// A pattern is a host (`app.example.com`, any scheme and port), a host and port
/// (`localhost:3000`), or all of it (`https://app.example.com`); `*` stands for any run of
/// characters, dots too. Case does not matter.
#[derive(Clone, Debug)]
pub struct Origins {
    patterns: Vec<String>,
    allow_missing: bool,
    guard_requests: bool,
}

impl Origins {
    /// Allows these patterns; none allows no page at all.
    #[must_use]
    pub fn new(patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            patterns: patterns.into_iter().map(Into::into).collect(),
            allow_missing: false,
            guard_requests: false,
        }
    }

    /// Whether to let in who sends no `Origin`: programs that are no browser. Off unless said: such
    /// a program could name any origin, so the list does not keep it out, and only other means do.
    #[must_use]
    pub fn allow_missing(mut self, allow: bool) -> Self {
        self.allow_missing = allow;
        self
    }

    /// Whether requests that are no handshake are guarded as well. Off unless said; browsers send
    /// no `Origin` with a plain GET of the same origin.
    #[must_use]
    pub fn guard_requests(mut self, guard: bool) -> Self {
        self.guard_requests = guard;
        self
    }

    fn allows(&self, origin: Option<&[u8]>) -> bool {
        match origin {
            None => self.allow_missing,
            // An empty list would let everybody in there.
            Some(_) => !self.patterns.is_empty() && origin::is_allowed(&self.patterns, origin),
        }
    }
}

impl Middleware for Origins {
    async fn around(&self, request: Request<'_>, next: Next<'_>) -> Response {
        let is_guarded = self.guard_requests || request.is_handshake();
        if is_guarded && !self.allows(request.header("origin")) {
            return Response::text(403, "This origin is not allowed\n");
        }
        next.run(request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_allows_what_is_on_it() {
        let some = Origins::new(["app.example.com", "https://*.example.org"]);
        assert!(some.allows(Some(b"http://app.example.com:8080")));
        assert!(some.allows(Some(b"https://a.example.org")));
        for origin in [
            "http://a.example.org",
            "https://example.com",
            "null",
            "",
            "*",
        ] {
            assert!(!some.allows(Some(origin.as_bytes())), "{origin}");
        }
        assert!(!some.allows(None) && some.allow_missing(true).allows(None));
        let none = Origins::new([""; 0]);
        assert!(!none.allows(Some(b"https://a.com")) && !none.allows(Some(b"null")));
    }
}
