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
    /// Counts log-outs: one ends all logins, for all were given the same token.
    generation: Cell<u64>,
}

/// Why a request may use the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// It needs no login: it shows the token, or there is none.
    Open,
    /// By a cookie, which is good until then, in seconds since the start, or until a log-out.
    Login { until_s: u64, generation: u64 },
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            key: rand::random(),
            began: Instant::now(),
            failures: RefCell::new(Window::new(60_000)),
            wrong: Cell::new(0),
            told: Cell::new((0, None)),
            generation: Cell::new(0),
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

    fn now_s(&self) -> u64 {
        self.now_ms() / 1000
    }

    /// A cookie that is good for a while.
    fn cookie(&self, now_s: u64) -> Cookie {
        let until_s = now_s + LOGIN_S;
        let seal = hex::encode(self.seal(until_s).finalize().into_bytes());
        session_cookie(format!("{until_s}.{seal}"), LOGIN_S)
    }

    /// The login of a cookie that is one of ours, and still good.
    fn login(&self, value: &str, now_s: u64) -> Option<Entry> {
        let (until_s, seal) = value.split_once('.')?;
        let (until_s, seal) = (until_s.parse().ok()?, hex::decode(seal).ok()?);
        self.seal(until_s).verify_slice(&seal).ok()?;
        let generation = self.generation.get();
        let entry = Entry::Login {
            until_s,
            generation,
        };
        self.holds_at(entry, now_s).then_some(entry)
    }

    /// Whether who came in so may still be there.
    pub(super) fn holds(&self, entry: Entry) -> bool {
        self.holds_at(entry, self.now_s())
    }

    fn holds_at(&self, entry: Entry, now_s: u64) -> bool {
        match entry {
            Entry::Open => true,
            Entry::Login {
                until_s,
                generation,
            } => now_s < until_s && generation == self.generation.get(),
        }
    }

    /// Ends all logins.
    fn end_logins(&self) {
        self.generation.set(self.generation.get() + 1);
    }

    fn seal(&self, until_s: u64) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.key);
        let mut mac = mac.expect("a key may have any length");
        mac.update(&until_s.to_be_bytes());
        mac.update(&self.generation.get().to_be_bytes());
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

/// Whether a request shows the token or a login, where there is a token.
pub(super) fn is_known(head: &Head<'_>, desk: &Desk) -> bool {
    let has_token = desk.plan.token.is_some();
    has_token && (shown(head, desk) == Shown::Right || login_of(head, desk).is_some())
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

/// Why the request may use the dashboard.
///
/// # Errors
/// The answer to one that may not.
pub(super) fn entry(head: &Head<'_>, peer: IpAddr, desk: &Desk) -> Result<Entry, Box<Response>> {
    let shown = shown(head, desk);
    if shown == Shown::Right {
        return Ok(Entry::Open);
    }
    login_of(head, desk).ok_or_else(|| {
        let is_flood = shown == Shown::Wrong && desk.dashboard.guard.is_past_budget(peer);
        Box::new(match is_flood {
            true => too_many(),
            false => error(401, "Log in first"),
        })
    })
}

/// The login by a cookie of the request.
fn login_of(head: &Head<'_>, desk: &Desk) -> Option<Entry> {
    let fields = head.headers();
    let fields = fields.filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let mut cookies = fields.flat_map(|(_, value)| cookie::parse(value));
    let guard = &desk.dashboard.guard;
    cookies.find_map(|(name, value)| match name == COOKIE {
        true => guard.login(value, guard.now_s()),
        false => None,
    })
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
        return Response::json(200, "{}").with_cookie(guard.cookie(guard.now_s()));
    }
    if guard.is_past_budget(peer) {
        return too_many();
    }
    error(401, "This is not the token")
}

/// Ends all logins, and the pages that came in by them; forgets the cookie.
pub(super) fn log_out(head: &Head<'_>, desk: &Desk) -> Response {
    if login_of(head, desk).is_some() {
        desk.dashboard.guard.end_logins();
        desk.dashboard.end_pages();
    }
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
        let knows = |value: &str| guard.login(value, 0).is_some();
        let cookie = guard.cookie(0);
        assert!(knows(cookie.value()));
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
            assert!(!knows(value), "{value}");
        }
        let other = Guard::new();
        assert!(
            other.login(cookie.value(), 0).is_none(),
            "of another process"
        );
    }

    #[test]
    fn a_login_holds_as_long_as_the_limit_says() {
        let guard = Guard::new();
        let cookie = guard.cookie(5);
        let entry = guard.login(cookie.value(), 5 + LOGIN_S - 1).unwrap();
        assert!(guard.holds_at(entry, 5 + LOGIN_S - 1));
        assert_eq!(guard.login(cookie.value(), 5 + LOGIN_S), None);
        assert!(!guard.holds_at(entry, 5 + LOGIN_S));
        assert!(guard.holds_at(Entry::Open, u64::MAX));
    }

    #[test]
    fn who_logs_out_ends_all_logins_of_before() {
        let guard = Guard::new();
        let cookie = guard.cookie(0);
        let entry = guard.login(cookie.value(), 0).unwrap();
        guard.end_logins();
        assert!(!guard.holds_at(entry, 0));
        assert_eq!(guard.login(cookie.value(), 0), None);
        let again = guard.cookie(0);
        assert!(guard.login(again.value(), 0).is_some());
        assert!(guard.holds_at(Entry::Open, 0));
    }
}
