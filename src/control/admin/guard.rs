//! Who may see and do what on the admin port.
//!
//! With a token: who shows it, as `Authorization: Bearer` or, in a browser, by the cookie that it
//! was exchanged for. Without one: who is on this machine, for the port listens on loopback only
//! then. Pages of other origins are neither, even in a browser on this machine: a name that leads
//! here by DNS is not answered, and what changes something has to come from a page of ours.

use super::plan::Desk;
use crate::http::{Cookie, Head, Response, SameSite, cookie, host_and_port};
use crate::limits::window::Window;
use crate::limits::{LOGIN_FAILURES_PER_MINUTE, LOGIN_S};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::net::IpAddr;
use std::time::Instant;

/// The name of the cookie.
const COOKIE: &str = "shardcast_admin";

/// What logins are checked with.
pub(super) struct Guard {
    /// Cookies are signed with it; they end with the process.
    key: [u8; 32],
    began: Instant,
    failures: RefCell<Window<IpAddr>>,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            key: rand::random(),
            began: Instant::now(),
            failures: RefCell::new(Window::new(60_000)),
        }
    }

    /// Time since the start, in milliseconds.
    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// A cookie that is good for a while.
    fn cookie(&self) -> Cookie {
        let until_s = self.now_ms() / 1000 + LOGIN_S;
        let seal = hex::encode(self.seal(until_s).finalize().into_bytes());
        session_cookie(format!("{until_s}.{seal}"), LOGIN_S)
    }

    /// Whether a cookie is one of ours, and still good.
    fn knows(&self, value: &str) -> bool {
        let Some((until_s, seal)) = value.split_once('.') else {
            return false;
        };
        let (Ok(until_s), Ok(seal)) = (until_s.parse(), hex::decode(seal)) else {
            return false;
        };
        let is_ours = self.seal(until_s).verify_slice(&seal).is_ok();
        is_ours && self.now_ms() / 1000 < until_s
    }

    fn seal(&self, until_s: u64) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.key);
        let mut mac = mac.expect("a key may have any length");
        mac.update(&until_s.to_be_bytes());
        mac
    }
}

/// A cookie for the pages of the dashboard, and for no script.
fn session_cookie(value: String, max_age_s: u64) -> Cookie {
    let cookie = Cookie::new(COOKIE, value).and_then(|cookie| cookie.with_path("/dashboard"));
    cookie
        .expect("digits, a dot and a path make a cookie")
        .with_max_age_s(max_age_s)
        .with_http_only()
        .with_same_site(SameSite::Strict)
}

/// Whether the request has the token, where there is one.
pub(super) fn has_token(head: &Head<'_>, desk: &Desk) -> bool {
    let Some(token) = &desk.plan.token else {
        return true;
    };
    let given = head.header("authorization").and_then(|value| {
        let (scheme, token) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
    });
    given.is_some_and(|given| is_token(given, token.expose()))
}

/// Digests are compared, so that the time tells nothing of the token.
fn is_token(given: &[u8], token: &str) -> bool {
    Sha256::digest(given) == Sha256::digest(token.as_bytes())
}

/// Whether the request may use the dashboard.
pub(super) fn has_entry(head: &Head<'_>, desk: &Desk) -> bool {
    if has_token(head, desk) {
        return true;
    }
    let fields = head.headers();
    let fields = fields.filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let mut cookies = fields.flat_map(|(_, value)| cookie::parse(value));
    cookies.any(|(name, value)| name == COOKIE && desk.dashboard.guard.knows(value))
}

/// Whether a page of another origin is behind a request, as far as a browser tells.
///
/// # Errors
/// The answer to one.
pub(super) fn same_origin(head: &Head<'_>, peer: IpAddr, desk: &Desk) -> Result<(), Box<Response>> {
    let host = head.host().and_then(|host| str::from_utf8(host).ok());
    let host = host.unwrap_or_default();
    if desk.plan.token.is_none() && !(peer.to_canonical().is_loopback() && is_loopback(host)) {
        return Err(refused(
            "Without a token, only under localhost or 127.0.0.1",
        ));
    }
    if matches!(head.method, "GET" | "HEAD") {
        return Ok(());
    }
    let text = |name| {
        head.header(name)
            .and_then(|value| str::from_utf8(value).ok())
    };
    let from_elsewhere = head.header("origin").is_some_and(|origin| {
        let origin = str::from_utf8(origin).unwrap_or_default();
        origin
            .split_once("://")
            .is_none_or(|(_, place)| !place.eq_ignore_ascii_case(host))
    });
    let site = text("sec-fetch-site").unwrap_or("same-origin");
    if from_elsewhere || !matches!(site, "same-origin" | "none") {
        return Err(refused("This is for pages of the dashboard"));
    }
    // No form of any page can send this.
    let kind = text("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(Box::new(error(415, "The body has to be application/json"))),
    }
}

/// A host that no DNS can make lead elsewhere.
fn is_loopback(host: &str) -> bool {
    let (name, _) = host_and_port(host);
    let literal = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = literal.unwrap_or(name).parse::<IpAddr>();
    match address {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

fn refused(reason: &str) -> Box<Response> {
    Box::new(error(403, reason))
}

/// An answer of the dashboard in JSON.
pub(super) fn error(status: u16, reason: &str) -> Response {
    let body = serde_json::json!({ "error": reason });
    Response::json(status, body.to_string().into_bytes())
}

/// Exchanges the token for a cookie.
pub(super) fn log_in(given: &str, peer: IpAddr, desk: &Desk) -> Response {
    let Some(token) = &desk.plan.token else {
        return Response::json(200, "{}");
    };
    let guard = &desk.dashboard.guard;
    if is_token(given.as_bytes(), token.expose()) {
        return Response::json(200, "{}").with_cookie(guard.cookie());
    }
    let mut failures = guard.failures.borrow_mut();
    if failures.count(peer.to_canonical(), guard.now_ms()) > LOGIN_FAILURES_PER_MINUTE {
        return error(
            429,
            "Too many wrong tokens from this address: try again in a minute",
        )
        .with_number("Retry-After", 60);
    }
    tracing::warn!(%peer, "a wrong token at the dashboard");
    error(401, "This is not the token")
}

/// Forgets the cookie.
pub(super) fn log_out() -> Response {
    Response::json(200, "{}").with_cookie(session_cookie("0.0".into(), 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_loopback() {
        for host in [
            "localhost",
            "LOCALHOST:9601",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]:9601",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "[::2]",
            "127.0.0.1.nip.io",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn cookies_are_ours_and_end() {
        let guard = Guard::new();
        let cookie = guard.cookie();
        assert!(guard.knows(cookie.value()));
        let (until_s, seal) = cookie.value().split_once('.').unwrap();
        let longer = until_s.parse::<u64>().unwrap() + 1;
        for value in [
            "",
            ".",
            "x.y",
            until_s,
            &format!("{longer}.{seal}"),
            &format!("{until_s}."),
        ] {
            assert!(!guard.knows(value), "{value}");
        }
        assert!(!Guard::new().knows(cookie.value()), "of another process");
        let over = hex::encode(guard.seal(0).finalize().into_bytes());
        assert!(!guard.knows(&format!("0.{over}")), "its time is over");
    }
}
