//! Cookies: those of a request read, those of a response written (RFC 6265).
//!
//! Not here: what a cookie means, signing or encrypting one, and dates; a cookie's life is told in
//! seconds (`Max-Age`), as there is no clock on this floor.
//!
//! Invariants:
//! - Reading is tolerant: a piece that is no cookie is passed over, those beside it count.
//! - Writing is strict: no [`Cookie`] holds a byte that could end its field or begin another
//!   attribute, so that what a peer sent cannot add `Domain` or `HttpOnly` of its own.
//! - What is written comes back the same: values are neither encoded nor unquoted on either way.

use std::fmt;

use super::head::is_token;

/// Most bytes of a name and its value together; browsers drop a longer cookie without a word.
pub const MAX_COOKIE_BYTES: usize = 4096;

/// Most bytes of a path or a domain; browsers pass over a longer attribute.
pub const MAX_COOKIE_ATTRIBUTE_BYTES: usize = 1024;

/// Why a cookie was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieRefused {
    /// The name is not a token (RFC 9110, section 5.6.2).
    Name,
    /// The value holds a control character, a space, `"`, `,`, `;`, `\` or something outside ASCII.
    /// One pair of quotes around all of it is allowed.
    Value,
    /// Name and value together are longer than [`MAX_COOKIE_BYTES`].
    TooLong,
    /// The path does not begin with `/`, holds `;`, a control character or something outside ASCII,
    /// or is longer than [`MAX_COOKIE_ATTRIBUTE_BYTES`].
    Path,
    /// The domain is not made of labels of letters, digits and `-` with dots between them, or is
    /// longer than [`MAX_COOKIE_ATTRIBUTE_BYTES`].
    Domain,
}

impl fmt::Display for CookieRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a cookie's name must be a token",
            Self::Value => {
                "a cookie's value must be printable ASCII without spaces, quotes, commas, \
                 semicolons and backslashes"
            }
            Self::TooLong => "a cookie's name and value have at most 4096 bytes",
            Self::Path => {
                "a cookie's path must begin with a slash and be printable ASCII without \
                 semicolons, at most 1024 bytes"
            }
            Self::Domain => "a cookie's domain must be a host name, at most 1024 bytes",
        })
    }
}

impl std::error::Error for CookieRefused {}

/// With which requests from other sites a cookie is sent along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// With none.
    Strict,
    /// With those that open a page of ours.
    Lax,
    /// With all. Browsers take such a cookie only when it is secure, so it is sent as secure.
    None,
}

/// A cookie to be set with [`Response::with_cookie`](super::Response::with_cookie).
///
/// ```
/// use shardcast::http::{Cookie, Response, SameSite};
///
/// let cookie = Cookie::new("session", "31d4d96e407aad42")?
///     .with_path("/")?
///     .with_max_age_s(3600)
///     .with_http_only()
///     .with_same_site(SameSite::Lax);
/// let response = Response::empty(204).with_cookie(cookie);
/// let wanted = "session=31d4d96e407aad42; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax";
/// assert_eq!(response.headers().next(), Some(("Set-Cookie", wanted)));
/// # Ok::<(), shardcast::http::CookieRefused>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    name: String,
    value: String,
    path: Option<String>,
    domain: Option<String>,
    max_age_s: Option<u64>,
    secure: bool,
    http_only: bool,
    same_site: Option<SameSite>,
}

impl Cookie {
    /// A cookie that the browser keeps until it is closed, for the host and the directory of the
    /// request that it answers.
    ///
    /// A value that may hold anything has to be encoded first, as hexadecimal text for example.
    ///
    /// # Errors
    /// [`CookieRefused::Name`], [`CookieRefused::Value`] and [`CookieRefused::TooLong`].
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Result<Self, CookieRefused> {
        let (name, value) = (name.into(), value.into());
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(CookieRefused::Name);
        }
        if !is_cookie_value(&value) {
            return Err(CookieRefused::Value);
        }
        if name.len() + value.len() > MAX_COOKIE_BYTES {
            return Err(CookieRefused::TooLong);
        }
        Ok(Self {
            name,
            value,
            path: None,
            domain: None,
            max_age_s: None,
            secure: false,
            http_only: false,
            same_site: None,
        })
    }

    /// Sends the cookie with requests below this path only.
    ///
    /// # Errors
    /// [`CookieRefused::Path`].
    pub fn with_path(mut self, path: impl Into<String>) -> Result<Self, CookieRefused> {
        let path = path.into();
        let printable = path
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b';');
        // Spaces at the end would be cut off, and the path would be another one.
        let whole = path.starts_with('/') && !path.ends_with(' ');
        if !printable || !whole || path.len() > MAX_COOKIE_ATTRIBUTE_BYTES {
            return Err(CookieRefused::Path);
        }
        self.path = Some(path);
        Ok(self)
    }

    /// Sends the cookie to this host and all below it, instead of to the answering host only.
    /// Browsers refuse it when the answering host is not among them. A dot in front says nothing.
    ///
    /// # Errors
    /// [`CookieRefused::Domain`].
    pub fn with_domain(mut self, domain: impl Into<String>) -> Result<Self, CookieRefused> {
        let domain = domain.into();
        let label = |label: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !label.is_empty() && label.bytes().all(allowed)
        };
        let labels = domain.strip_prefix('.').unwrap_or(&domain);
        if !labels.split('.').all(label) || domain.len() > MAX_COOKIE_ATTRIBUTE_BYTES {
            return Err(CookieRefused::Domain);
        }
        self.domain = Some(domain);
        Ok(self)
    }

    /// Lets the browser keep the cookie for so many seconds. 0 takes away a cookie that is there,
    /// when path and domain are those it was set with.
    #[must_use]
    pub fn with_max_age_s(mut self, seconds: u64) -> Self {
        self.max_age_s = Some(seconds);
        self
    }

    /// Sends the cookie over TLS only.
    #[must_use]
    pub fn with_secure(mut self) -> Self {
        self.secure = true;
        self
    }

    /// Keeps the cookie from the page's scripts.
    #[must_use]
    pub fn with_http_only(mut self) -> Self {
        self.http_only = true;
        self
    }

    /// Tells with which requests from other sites the cookie is sent along.
    #[must_use]
    pub fn with_same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = Some(same_site);
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value as it is sent.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// The value of the `Set-Cookie` field.
impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)?;
        if let Some(path) = &self.path {
            write!(f, "; Path={path}")?;
        }
        if let Some(domain) = &self.domain {
            write!(f, "; Domain={domain}")?;
        }
        if let Some(seconds) = self.max_age_s {
            write!(f, "; Max-Age={seconds}")?;
        }
        if self.secure || self.same_site == Some(SameSite::None) {
            f.write_str("; Secure")?;
        }
        if self.http_only {
            f.write_str("; HttpOnly")?;
        }
        match self.same_site {
            Some(SameSite::Strict) => f.write_str("; SameSite=Strict"),
            Some(SameSite::Lax) => f.write_str("; SameSite=Lax"),
            Some(SameSite::None) => f.write_str("; SameSite=None"),
            None => Ok(()),
        }
    }
}

/// Takes the value of a `Cookie` field apart: names and values as sent, in the order sent.
///
/// A piece without `=`, without a name, or that is not UTF-8 is passed over. Quotes around a value
/// belong to it. A name may come several times: the first was set for the longest path, but nothing
/// tells by whom.
pub fn parse(field: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    field.split(|byte| *byte == b';').filter_map(|piece| {
        let (name, value) = std::str::from_utf8(piece).ok()?.split_once('=')?;
        let (name, value) = (trim(name), trim(value));
        (!name.is_empty()).then_some((name, value))
    })
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// `cookie-value` of RFC 6265, section 4.1.1.
fn is_cookie_value(value: &str) -> bool {
    let unquoted = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let mut octets = unquoted.unwrap_or(value).bytes();
    octets.all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(field: &str) -> Vec<(&str, &str)> {
        parse(field.as_bytes()).collect()
    }

    #[test]
    fn cookies_are_read() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            (";", &[]),
            ("a=1", &[("a", "1")]),
            ("a=1; b=2", &[("a", "1"), ("b", "2")]),
            ("a=1;b=2;", &[("a", "1"), ("b", "2")]),
            ("\t a =\t1 ;; b= 2 ", &[("a", "1"), ("b", "2")]),
            ("a=", &[("a", "")]),
            ("a=b=c==", &[("a", "b=c==")]),
            ("a=\"x\"", &[("a", "\"x\"")]),
            ("a=x y,z", &[("a", "x y,z")]),
            ("a=%20+", &[("a", "%20+")]),
            ("A=1; a=2; a=3", &[("A", "1"), ("a", "2"), ("a", "3")]),
            ("a=ü", &[("a", "ü")]),
            // What is no cookie takes none with it.
            ("alone; a=1", &[("a", "1")]),
            ("=nameless; a=1", &[("a", "1")]),
            (" =; a=1; =", &[("a", "1")]),
        ];
        for (field, wanted) in table {
            assert_eq!(read(field), *wanted, "{field:?}");
        }
        let broken = b"x=\xff; a=1; \xc3=2; b=2";
        assert_eq!(parse(broken).collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
    }

    #[test]
    fn names_and_values_are_checked() {
        for (name, value) in [
            ("a", ""),
            ("a", "1"),
            ("a", "\"quoted\""),
            ("a", "\"\""),
            ("__Host-id", "a=b&c/d+e==!#~"),
            ("!#$%&'*+-.^_`|~", "x"),
        ] {
            let cookie = Cookie::new(name, value).unwrap();
            assert_eq!((cookie.name(), cookie.value()), (name, value));
        }
        for name in [
            "", " ", "a b", "a=b", "a;b", "a,b", "ä", "a\r\nX", "\"a\"", "a\0", "(a)",
        ] {
            assert_eq!(Cookie::new(name, "1"), Err(CookieRefused::Name), "{name:?}");
        }
        for value in [
            " ",
            "a b",
            "a,b",
            "a;b",
            "a\\b",
            "a\"b",
            "\"",
            "\"a",
            "a\"",
            "\"a b\"",
            "\"a\"b\"",
            "ü",
            "a\r\nSet-Cookie: b=1",
            "a\n",
            "\t",
            "\0",
            "\u{7f}",
        ] {
            assert_eq!(
                Cookie::new("a", value),
                Err(CookieRefused::Value),
                "{value:?}"
            );
        }
    }

    #[test]
    fn attributes_are_checked() {
        let cookie = || Cookie::new("a", "1").unwrap();
        for path in ["/", "/a/b", "/a b", "/%20=,\"", "//"] {
            let sent = cookie().with_path(path).unwrap().to_string();
            assert_eq!(sent, format!("a=1; Path={path}"));
        }
        for path in [
            "",
            "a",
            "/a;b",
            "/; Domain=x",
            "/a\r\nX: y",
            "/\0",
            "/ü",
            "/\u{7f}",
            "/ ",
        ] {
            assert_eq!(
                cookie().with_path(path),
                Err(CookieRefused::Path),
                "{path:?}"
            );
        }
        for domain in [
            "localhost",
            "example.com",
            ".example.com",
            "127.0.0.1",
            "xn--4ca.de",
        ] {
            let sent = cookie().with_domain(domain).unwrap().to_string();
            assert_eq!(sent, format!("a=1; Domain={domain}"));
        }
        for domain in [
            "", ".", "..a", "a..b", "a.", "a b", "a;b", "a:80", "a/b", "ä.de", "a\r\nb", "[::1]",
        ] {
            let refused = cookie().with_domain(domain);
            assert_eq!(refused, Err(CookieRefused::Domain), "{domain:?}");
        }
    }

    #[test]
    fn lengths_at_the_limit_and_one_past() {
        let name = "n".repeat(96);
        let value = "v".repeat(MAX_COOKIE_BYTES - 96);
        assert!(Cookie::new(name.as_str(), value.as_str()).is_ok());
        assert_eq!(Cookie::new(name, value + "v"), Err(CookieRefused::TooLong));
        let cookie = Cookie::new("a", "1").unwrap();
        let most = "/".repeat(MAX_COOKIE_ATTRIBUTE_BYTES);
        assert!(cookie.clone().with_path(most.as_str()).is_ok());
        let refused = cookie.clone().with_path(most + "/");
        assert_eq!(refused, Err(CookieRefused::Path));
        let most = "d".repeat(MAX_COOKIE_ATTRIBUTE_BYTES);
        assert!(cookie.clone().with_domain(most.as_str()).is_ok());
        assert_eq!(cookie.with_domain(most + "d"), Err(CookieRefused::Domain));
    }

    #[test]
    fn cookies_are_written() {
        let cookie = || Cookie::new("a", "1").unwrap();
        let all = cookie()
            .with_same_site(SameSite::Strict)
            .with_http_only()
            .with_secure()
            .with_max_age_s(60)
            .with_domain("a.example")
            .and_then(|cookie| cookie.with_path("/x"));
        let table = [
            (cookie(), "a=1"),
            (
                all.unwrap(),
                "a=1; Path=/x; Domain=a.example; Max-Age=60; Secure; HttpOnly; SameSite=Strict",
            ),
            (cookie().with_max_age_s(0), "a=1; Max-Age=0"),
            (cookie().with_secure(), "a=1; Secure"),
            (cookie().with_http_only(), "a=1; HttpOnly"),
            (cookie().with_same_site(SameSite::Lax), "a=1; SameSite=Lax"),
            (
                cookie().with_same_site(SameSite::None),
                "a=1; Secure; SameSite=None",
            ),
        ];
        for (cookie, wanted) in table {
            assert_eq!(cookie.to_string(), wanted);
        }
    }

    proptest! {
        #[test]
        fn any_field_is_read(field in prop::collection::vec(any::<u8>(), 0..60)) {
            for (name, value) in parse(&field) {
                prop_assert!(!name.is_empty() && !name.contains(['=', ';']));
                prop_assert!(!value.contains(';'));
            }
        }

        #[test]
        fn what_is_written_comes_back(
            pairs in prop::collection::vec(("[!-~]{1,6}", "[ -~]{0,6}|\"[!-~]{0,4}\""), 0..5),
        ) {
            let made = pairs.into_iter().filter_map(|(n, v)| Cookie::new(n, v).ok());
            let made: Vec<_> = made.collect();
            let field: Vec<_> = made.iter().map(Cookie::to_string).collect();
            let field = field.join("; ");
            let wanted: Vec<_> = made.iter().map(|c| (c.name(), c.value())).collect();
            prop_assert_eq!(read(&field), wanted);
        }
    }
}
