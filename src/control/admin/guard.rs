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
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::time::Instant;

/// The name of the cookie.
const COOKIE: &str = "shardcast_admin";

/// How often the log tells of wrong tokens.
const TELL_MS: u64 = 10_000;

/// What logins are checked with.
pub(super) struct Guard {
    /// Cookies are signed with it; they end with the process.
    key: [u8; 32],
    began: Instant,
    failures: RefCell<Window<IpAddr>>,
    wrong: Cell<u64>,
    /// How many of them were told in the log, and when it told of some last.
    told: Cell<(u64, Option<u64>)>,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            key: rand::random(),
            began: Instant::now(),
            failures: RefCell::new(Window::new(60_000)),
            wrong: Cell::new(0),
            told: Cell::new((0, None)),
        }
    }

    /// How many wrong tokens there were.
    pub(super) fn wrong(&self) -> u64 {
        self.wrong.get()
    }

    /// Counts a wrong token and logs it, but not every one; says whether its address has sent more
    /// in this minute than it may.
    fn is_past_budget(&self, peer: IpAddr) -> bool {
        let (now_ms, wrong) = (self.now_ms(), self.wrong.get() + 1);
        self.wrong.set(wrong);
        let (told, last_ms) = self.told.get();
        if last_ms.is_none_or(|last_ms| now_ms >= last_ms + TELL_MS) {
            self.told.set((wrong, Some(now_ms)));
            let since = wrong - told;
            tracing::warn!(%peer, since, "wrong tokens at the admin port, the last from here");
        }
        let mut failures = self.failures.borrow_mut();
        failures.count(peer.to_canonical(), now_ms) > LOGIN_FAILURES_PER_MINUTE
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

/// What a request has shown for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// The right one, or there is none to show.
    Right,
    /// Another.
    Wrong,
    /// None.
    None,
}

fn shown(head: &Head<'_>, desk: &Desk) -> Shown {
    let Some(token) = &desk.plan.token else {
        return Shown::Right;
    };
    let Some(value) = head.header("authorization") else {
        return Shown::None;
    };
    let given = value
        .split_at_checked(7)
        .and_then(|(scheme, token)| scheme.eq_ignore_ascii_case(b"bearer ").then_some(token));
    match given.is_some_and(|given| is_token(given, token.expose())) {
        true => Shown::Right,
        false => Shown::Wrong,
    }
}

/// What is answered to a request that shows no token where there is one, or a wrong one.
pub(super) fn refusal(head: &Head<'_>, peer: IpAddr, desk: &Desk) -> Option<Response> {
    let shown = shown(head, desk);
    if shown == Shown::Right {
        return None;
    }
    if shown == Shown::Wrong && desk.dashboard.guard.is_past_budget(peer) {
        return Some(too_many());
    }
    let response = Response::text(401, "The token of the admin port is needed\n");
    Some(response.with_header("WWW-Authenticate", "Bearer realm=\"admin\""))
}

fn too_many() -> Response {
    let reason = "Too many wrong tokens from this address: try again in a minute";
    error(429, reason).with_number("Retry-After", 60)
}

/// Digests are compared, so that the time tells nothing of the token.
fn is_token(given: &[u8], token: &str) -> bool {
    Sha256::digest(given) == Sha256::digest(token.as_bytes())
}

/// What is answered to a request that may not use the dashboard.
pub(super) fn no_entry(head: &Head<'_>, peer: IpAddr, desk: &Desk) -> Option<Response> {
    let shown = shown(head, desk);
    if shown == Shown::Right {
        return None;
    }
    let fields = head.headers();
    let fields = fields.filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let mut cookies = fields.flat_map(|(_, value)| cookie::parse(value));
    if cookies.any(|(name, value)| name == COOKIE && desk.dashboard.guard.knows(value)) {
        return None;
    }
    Some(
        match shown == Shown::Wrong && desk.dashboard.guard.is_past_budget(peer) {
            true => too_many(),
            false => error(401, "Log in first"),
        },
    )
}

/// Without a token: whether somebody on this machine asks, and under a name that leads nowhere
/// else.
///
/// # Errors
/// The answer to others.
pub(super) fn is_here(head: &Head<'_>, peer: IpAddr, desk: &Desk) -> Result<(), Box<Response>> {
    if desk.plan.token.is_some() {
        return Ok(());
    }
    let host = head.host().and_then(|host| str::from_utf8(host).ok());
    if !(peer.to_canonical().is_loopback() && is_loopback(host.unwrap_or_default())) {
        return Err(refused(
            "Without a token, only under localhost or 127.0.0.1",
        ));
    }
    if head.headers().any(|(name, _)| is_of_proxy(name)) {
        return Err(refused(
            "A proxy has passed this on: the admin port needs an admin_token behind one",
        ));
    }
    Ok(())
}

/// What only proxies add to a request.
fn is_of_proxy(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(&*name, "forwarded" | "via" | "x-real-ip") || name.starts_with("x-forwarded-")
}

/// Whether a page of another origin is behind a request, as far as a browser tells.
///
/// # Errors
/// The answer to one.
pub(super) fn same_origin(head: &Head<'_>, peer: IpAddr, desk: &Desk) -> Result<(), Box<Response>> {
    let host = head.host().and_then(|host| str::from_utf8(host).ok());
    let host = host.unwrap_or_default();
    is_here(head, peer, desk)?;
    let text = |name| {
        head.header(name)
            .and_then(|value| str::from_utf8(value).ok())
    };
    let site = text("sec-fetch-site").unwrap_or("same-origin");
    let is_ours = matches!(site, "same-origin" | "none");
    if matches!(head.method, "GET" | "HEAD") {
        // A link may lead to the page, but no other page reads, or keeps open, what is behind it.
        return match is_ours || !head.path.starts_with("/dashboard/api/") {
            true => Ok(()),
            false => Err(refused("This is for pages of the dashboard")),
        };
    }
    let from_elsewhere = head.header("origin").is_some_and(|origin| {
        let origin = str::from_utf8(origin).unwrap_or_default();
        origin
            .split_once("://")
            .is_none_or(|(_, place)| !place.eq_ignore_ascii_case(host))
    });
    if from_elsewhere || !is_ours {
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
    if guard.is_past_budget(peer) {
        return too_many();
    }
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
