//! What pages of other origins may do (the CORS protocol of the Fetch standard).

use super::vary::vary;
use super::{Middleware, Next};
use crate::handler::Request;
use crate::http::{Response, host_and_port, is_name, origin};
use std::borrow::Cow;

/// Lets pages of other origins read answers, and answers their preflights.
///
/// Nothing is allowed until it is said: origins with [`Cors::with_origins`] or
/// [`Cors::with_any_origin`]; methods other than GET, HEAD and POST, and fields other than the few
/// that every page may send, each with its own option. A preflight (OPTIONS with `Origin` and
/// `Access-Control-Request-Method`) is answered here, with 204 or 403; other requests go through
/// whatever their origin, for it is the browser that withholds their answers. WebSockets know no
/// CORS: see [`Origins`](super::Origins).
///
/// As a rule it is layered before what refuses, so that a page can read a 401 or a 429.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    any_origin: bool,
    origins: Vec<String>,
    methods: Vec<&'static str>,
    headers: Vec<&'static str>,
    exposed: Vec<&'static str>,
    credentials: bool,
    max_age_s: Option<u32>,
}

impl Cors {
    /// Allows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows pages of these origins; the patterns are those of [`Origins`](super::Origins).
    #[must_use]
    pub fn with_origins(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.origins.extend(patterns.into_iter().map(Into::into));
        self.checked()
    }

    /// Allows pages of any origin, without credentials.
    ///
    /// # Panics
    /// When credentials are allowed.
    #[must_use]
    pub fn with_any_origin(mut self) -> Self {
        self.any_origin = true;
        self.checked()
    }

    /// Allows these methods, beside GET, HEAD and POST.
    ///
    /// # Panics
    /// When one is no token.
    #[must_use]
    pub fn with_methods(mut self, methods: impl IntoIterator<Item = &'static str>) -> Self {
        self.methods.extend(methods);
        self.checked()
    }

    /// Allows pages to send these fields.
    ///
    /// # Panics
    /// When one is no token.
    #[must_use]
    pub fn with_headers(mut self, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.headers.extend(names);
        self.checked()
    }

    /// Lets pages read these fields of answers.
    ///
    /// # Panics
    /// When one is no token.
    #[must_use]
    pub fn with_exposed(mut self, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.exposed.extend(names);
        self.checked()
    }

    /// Lets browsers send cookies and other credentials along.
    ///
    /// # Panics
    /// When any origin is allowed, by option or by a pattern that takes every host, such as `*` or
    /// `https://*`: every page could then act as its visitor.
    #[must_use]
    pub fn with_credentials(mut self) -> Self {
        self.credentials = true;
        self.checked()
    }

    /// For how many seconds a browser may remember the answer to a preflight; it has a limit of its
    /// own, and five seconds are the rule when nothing is said.
    #[must_use]
    pub fn with_max_age_s(mut self, seconds: u32) -> Self {
        self.max_age_s = Some(seconds);
        self
    }

    fn checked(self) -> Self {
        let any = self.any_origin || self.origins.iter().any(|pattern| takes_any_host(pattern));
        assert!(
            !(any && self.credentials),
            "credentials are for listed origins only"
        );
        let lists = [&self.methods, &self.headers, &self.exposed];
        for name in lists.into_iter().flatten() {
            assert!(is_name(name), "not a token: {name:?}");
        }
        self
    }

    /// What to answer a page of this origin that asks whether it may read.
    fn allowed(&self, origin: &[u8]) -> Option<Cow<'static, str>> {
        if self.any_origin {
            return Some(Cow::Borrowed("*"));
        }
        if self.origins.is_empty() || !origin::is_allowed(&self.origins, Some(origin)) {
            return None;
        }
        let origin = std::str::from_utf8(origin).ok()?;
        Some(Cow::Owned(origin.to_owned()))
    }

    /// Adds what every answer to a page has.
    fn mark(&self, response: Response, allowed: Option<Cow<'static, str>>) -> Response {
        // An answer that is the same for all is kept once by caches.
        let response = match self.any_origin {
            true => response,
            false => vary(response, "Origin"),
        };
        let Some(allowed) = allowed else {
            return response;
        };
        let response = put(response, "Access-Control-Allow-Origin", allowed);
        match self.credentials {
            true => response.with_header("Access-Control-Allow-Credentials", "true"),
            false => response,
        }
    }

    fn preflight(&self, allowed: Option<Cow<'static, str>>) -> Response {
        let response = match &allowed {
            Some(_) => Response::empty(204),
            None => Response::text(403, "This origin is not allowed\n"),
        };
        let is_allowed = allowed.is_some();
        let mut response = self.mark(response, allowed);
        if !is_allowed {
            return response;
        }
        for (name, list) in [
            ("Access-Control-Allow-Methods", &self.methods),
            ("Access-Control-Allow-Headers", &self.headers),
        ] {
            if !list.is_empty() {
                response = put(response, name, list.join(", ").into());
            }
        }
        match self.max_age_s {
            Some(age) => response.with_number("Access-Control-Max-Age", age.into()),
            None => response,
        }
    }
}

/// Whether pages of every host have an origin that fits.
fn takes_any_host(pattern: &str) -> bool {
    let (_, place) = pattern.split_once("://").unwrap_or(("", pattern));
    let (host, _) = host_and_port(place);
    !host.is_empty() && host.bytes().all(|byte| b"*.".contains(&byte))
}

fn put(response: Response, name: &'static str, value: Cow<'static, str>) -> Response {
    let response = response.try_header(name, value);
    response.expect("tokens and fields that were received hold no control character")
}

impl Middleware for Cors {
    async fn around(&self, request: Request<'_>, next: Next<'_>) -> Response {
        if request.is_handshake() {
            return next.run(request).await;
        }
        let origin = request.header("origin");
        let allowed = origin.map(|origin| self.allowed(origin));
        let asks = request.header("access-control-request-method").is_some();
        if let Some(allowed) = &allowed
            && asks
            && request.method() == "OPTIONS"
        {
            return self.preflight(allowed.clone());
        }
        let response = self.mark(next.run(request).await, allowed.flatten());
        if self.exposed.is_empty() || origin.is_none() {
            return response;
        }
        let exposed = self.exposed.join(", ");
        put(response, "Access-Control-Expose-Headers", exposed.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn origins_are_named_back_or_nobody_is() {
        let allowed = |cors: &Cors, origin: &str| cors.allowed(origin.as_bytes());
        let listed = Cors::new().with_origins(["https://*.example.com"]);
        let a = "https://a.example.com";
        assert_eq!(allowed(&listed, a).as_deref(), Some(a));
        for origin in ["http://a.example.com", "null", "", "*"] {
            assert_eq!(allowed(&listed, origin), None, "{origin}");
        }
        assert_eq!(allowed(&Cors::new(), a), None);
        let any = Cors::new().with_any_origin();
        assert_eq!(allowed(&any, "null").as_deref(), Some("*"));
    }

    #[test]
    fn what_no_browser_would_take_is_not_built() {
        let any = || Cors::new().with_credentials().with_any_origin();
        assert!(catch_unwind(any).is_err());
        let star = || Cors::new().with_origins(["*"]).with_credentials();
        assert!(catch_unwind(star).is_err());
        for pattern in [
            "*",
            "**",
            "*.*",
            "*:*",
            "*:443",
            "https://*",
            "https://*:*",
            "*://*",
        ] {
            let any = || Cors::new().with_credentials().with_origins([pattern]);
            assert!(catch_unwind(any).is_err(), "{pattern}");
        }
        for pattern in ["a.com", "*.a.com", "*://a.com", "http://localhost:*", "a*"] {
            let listed = || Cors::new().with_origins([pattern]).with_credentials();
            assert!(catch_unwind(listed).is_ok(), "{pattern}");
        }
        assert!(catch_unwind(|| Cors::new().with_methods(["A B"])).is_err());
        assert!(catch_unwind(|| Cors::new().with_headers([""])).is_err());
        assert!(catch_unwind(|| Cors::new().with_exposed(["a\r\nb"])).is_err());
    }
}
