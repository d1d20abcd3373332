//! One endpoint of one app: its filter, its batch, its queue, its requests.

use super::Options;
use super::batch::Batch;
use super::counts::{Count, Counts, Throttle};
use super::queue::{FLYING_MAX, Limits, Next, Parcel, Queue};
use super::send::{Failure, Route};
use super::target::Target;
use crate::app::{App, AppSecret, Webhook};
use crate::hub::Notice;
use crate::protocol::auth::Signer;
use crate::protocol::webhook::body;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, Semaphore};
use tokio_rustls::TlsConnector;

/// Headers that an endpoint's own may not replace: what the body is, who signed it, and what
/// frames the message. All that begin with `x-pusher-` are among them.
const RESERVED_HEADERS: [&str; 6] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
];

/// Sent unless an endpoint's own headers say otherwise.
const USER_AGENT: &str = concat!("shardcast/", env!("CARGO_PKG_VERSION"));

/// One endpoint.
pub(super) struct Endpoint {
    webhook: Webhook,
    /// Of the app, as they were when it was made.
    credentials: (String, AppSecret),
    signer: Signer,
    route: Route,
    options: Options,
    start: Instant,
    counts: Counts,
    batch: RefCell<Batch>,
    queue: RefCell<Queue>,
    /// Rung when the queue has something new to decide.
    pub(super) bell: Notify,
    failures: RefCell<Throttle>,
    losses: RefCell<Throttle>,
    jitter: Cell<u32>,
    /// The time of its last body.
    last_ms: Cell<u64>,
    /// It is told nothing new, and ends when nothing waits any more.
    retired: Cell<bool>,
}

/// What all endpoints share.
pub(super) struct Shared<'a> {
    pub(super) options: &'a Options,
    pub(super) tls: Option<&'a TlsConnector>,
    pub(super) counts: &'a Counts,
    pub(super) start: Instant,
}

/// What requests to an endpoint say, but for the signature.
///
/// # Errors
/// Which header is not one, or is not the endpoint's to set; never its value.
pub(super) fn headers(app: &App, webhook: &Webhook, target: &Target) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_static(USER_AGENT));
    for (name, value) in &webhook.headers {
        let (name, value) = own_header(name, value)?;
        headers.insert(name, value);
    }
    let key =
        HeaderValue::from_str(&app.key).map_err(|_| "the app's key is not fit for a header")?;
    let host = HeaderValue::from_str(&target.authority).map_err(|_| "its host is not one")?;
    headers.insert("content-type", HeaderValue::from_static("application/json")); // K1
    headers.insert("x-pusher-key", key);
    headers.insert("host", host);
    headers.insert("connection", HeaderValue::from_static("close"));
    Ok(headers)
}

/// Whether an endpoint may set this header.
///
/// # Errors
/// Why not; never the value.
pub fn own_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let key =
        HeaderName::try_from(name).map_err(|_| format!("{name:?} is not the name of a header"))?;
    if RESERVED_HEADERS.contains(&key.as_str()) || key.as_str().starts_with("x-pusher-") {
        return Err(format!("the header {name:?} is set by the server itself"));
    }
    let value = HeaderValue::from_str(value)
        .map_err(|_| format!("the value of the header {name:?} is not fit for one"))?;
    Ok((key, value))
}

impl Endpoint {
    pub(super) fn new(
        app: &App,
        webhook: &Webhook,
        target: Target,
        headers: HeaderMap,
        shared: &Shared<'_>,
    ) -> Self {
        let options = shared.options.clone();
        Self {
            signer: Signer::new(app.secret.expose()), // K8
            route: Route {
                tls: shared.tls.filter(|_| target.tls).cloned(),
                target,
                trusted: webhook.trusted,
                headers,
                timeout: Duration::from_millis(options.timeout_ms),
                lookups: Arc::new(Semaphore::new(FLYING_MAX)),
            },
            webhook: webhook.clone(),
            credentials: (app.key.clone(), app.secret.clone()),
            start: shared.start,
            counts: shared.counts.clone(),
            batch: RefCell::default(),
            queue: RefCell::new(Queue::new(Limits {
                bytes: options.queue_bytes,
                retry_ms: options.retry_ms,
                give_up_ms: options.give_up_ms,
            })),
            options,
            bell: Notify::new(),
            failures: RefCell::default(),
            losses: RefCell::default(),
            jitter: Cell::new(rand::random()),
            last_ms: Cell::new(0),
            retired: Cell::new(false),
        }
    }

    /// Whether it is what would be made for this webhook.
    pub(super) fn is_for(&self, app: &App, webhook: &Webhook) -> bool {
        let (key, secret) = &self.credentials;
        *key == app.key && secret.expose() == app.secret.expose() && self.webhook == *webhook
    }

    /// Sends its batch and what waits, and then ends.
    pub(super) fn retire(&self, now_ms: u64) {
        self.due(u64::MAX, now_ms);
        self.retired.set(true);
        self.bell.notify_one();
    }

    /// Drops what waits; what is under way ends by itself.
    pub(super) fn give_up(&self, now_ms: u64) {
        let lost = self.queue.borrow_mut().clear();
        self.lost(Count::GivenUp, lost, now_ms);
        self.bell.notify_one();
    }

    /// Takes an event if it is one of those the endpoint asked for (K7).
    pub(super) fn take(&self, notice: &Notice, now_ms: u64) {
        let event = &notice.event;
        if !self.webhook.wants(event.kind(), event.filtered_by()) {
            return;
        }
        let mut full = Vec::new();
        let window_ms = self.options.batch_ms;
        self.batch
            .borrow_mut()
            .add(notice, now_ms, window_ms, &mut full);
        full.into_iter().for_each(|batch| self.post(batch, now_ms));
    }

    /// When its batch is to be sent.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.batch.borrow().due_ms()
    }

    /// Sends its batch, if that is due by then.
    pub(super) fn due(&self, until_ms: u64, now_ms: u64) {
        if self.due_ms().is_some_and(|due_ms| due_ms <= until_ms) {
            let batch = self.batch.borrow_mut().finish();
            batch.into_iter().for_each(|batch| self.post(batch, now_ms));
        }
    }

    /// Whether nothing waits or is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.due_ms().is_none() && self.queue.borrow().is_empty()
    }

    /// Counts what is left as dropped; says how many events that is.
    pub(super) fn abandon(&self) -> u64 {
        let left = self.queue.borrow().events();
        self.counts.add(Count::Stopped, left);
        left
    }

    /// Makes the body: from here on its bytes stay as they are (K3).
    fn post(&self, batch: Batch, now_ms: u64) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let since_ms = since_1970.map_or(0, |since| since.as_millis() as u64);
        let time_ms = stamp(self.last_ms.get(), since_ms); // K2
        self.last_ms.set(time_ms);
        let bytes = body(time_ms, &batch.events);
        let parcel = Parcel {
            signature: self.signer.sign(&[&bytes]),
            bytes: bytes.into(),
            events: batch.events.len() as u64,
            about: batch.about,
        };
        self.counts.add(Count::Queued, parcel.events);
        let lost = self.queue.borrow_mut().push(parcel, now_ms);
        self.lost(Count::QueueFull, lost, now_ms);
        self.bell.notify_one();
    }

    /// Sends what there is to send, for as long as it is not retired; `settled` is rung whenever a
    /// request has ended.
    pub(super) async fn run(self: Rc<Self>, settled: Rc<Notify>) {
        loop {
            let now_ms = self.now_ms();
            let expired = self.queue.borrow_mut().expire(now_ms);
            self.lost(Count::GivenUp, expired, now_ms);
            let next = self.queue.borrow_mut().next(now_ms);
            match next {
                Next::Send(number, parcel) => {
                    let (endpoint, settled) = (Rc::clone(&self), Rc::clone(&settled));
                    tokio::task::spawn_local(async move {
                        let outcome = endpoint.route.send(&parcel).await;
                        endpoint.settle(number, &parcel, outcome);
                        settled.notify_one();
                    });
                }
                Next::At(at_ms) => {
                    tokio::select! {
                        () = self.bell.notified() => {}
                        () = sleep_until(self.start, at_ms) => {}
                    }
                }
                Next::Idle if self.retired.get() && self.is_idle() => return,
                Next::Idle => self.bell.notified().await,
            }
        }
    }

    fn settle(&self, number: u64, parcel: &Parcel, outcome: Result<(), Failure>) {
        let now_ms = self.now_ms();
        let to = self.route.target.shown();
        match outcome {
            Ok(()) => {
                tracing::debug!(to, events = parcel.events, "a webhook was taken");
                self.queue.borrow_mut().taken(number);
                self.counts.add(Count::Delivered, parcel.events);
            }
            Err(failure) => {
                self.counts.add(Count::Failed, 1);
                if let Some(failed) = self.failures.borrow_mut().add(1, now_ms) {
                    tracing::warn!(to, failed, %failure, "a webhook failed");
                }
                let jitter = self.jitter.replace(rand::random());
                let lost = self.queue.borrow_mut().failed(number, now_ms, jitter);
                self.lost(Count::GivenUp, lost, now_ms);
            }
        }
        self.bell.notify_one();
    }

    fn lost(&self, count: Count, events: u64, now_ms: u64) {
        self.counts.add(count, events);
        if let Some(events) = self.losses.borrow_mut().add(events, now_ms) {
            let to = self.route.target.shown();
            tracing::warn!(
                to,
                events,
                "webhook events were dropped: the endpoint does not keep up"
            );
        }
    }

    fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }
}

/// The time of a body, which no other of the endpoint has: by it receivers know a body that comes
/// again, and two events may be the same to the letter (K3). It runs ahead by a second at most,
/// however many bodies there are.
fn stamp(last_ms: u64, now_ms: u64) -> u64 {
    const AHEAD_MS: u64 = 1000;
    now_ms.max(last_ms + 1).min(now_ms + AHEAD_MS)
}

/// Waits until so many milliseconds after `start`.
#[expect(
    clippy::disallowed_methods,
    reason = "the control thread has a reactor"
)]
pub(super) async fn sleep_until(start: Instant, at_ms: u64) {
    let at = start + Duration::from_millis(at_ms);
    tokio::time::sleep_until(at.into()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(own: &[(&str, &str)]) -> Result<HeaderMap, String> {
        let mut webhook = Webhook::new("https://a.example:8443/hook");
        let own = own
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        webhook.headers = own.collect();
        let target = Target::parse(&webhook.url).unwrap();
        headers(&App::new("1", "key", "secret"), &webhook, &target)
    }

    #[test]
    fn headers_say_what_the_protocol_wants() {
        // K1
        let headers = made(&[("X-Own", "1"), ("Authorization", "Bearer x")]).unwrap();
        for (name, value) in [
            ("content-type", "application/json"),
            ("x-pusher-key", "key"),
            ("host", "a.example:8443"),
            ("user-agent", USER_AGENT),
            ("x-own", "1"),
            ("authorization", "Bearer x"),
        ] {
            assert_eq!(headers.get_all(name).iter().count(), 1, "{name}");
            assert_eq!(headers[name], value);
        }
        let own_agent = made(&[("User-Agent", "mine")]).unwrap();
        assert_eq!(own_agent["user-agent"], "mine");
    }

    #[test]
    fn bodies_of_one_millisecond_have_times_of_their_own() {
        // K3
        assert_eq!(stamp(0, 5000), 5000);
        assert_eq!(stamp(5000, 5000), 5001);
        assert_eq!(stamp(5001, 5000), 5002);
        assert_eq!(stamp(5001, 5003), 5003);
        assert_eq!(stamp(6000, 5000), 6000, "a second ahead, and no more");
        assert_eq!(stamp(90_000, 5000), 6000, "the clock was set back");
    }

    #[test]
    fn what_the_server_says_cannot_be_replaced() {
        for name in RESERVED_HEADERS.into_iter().chain([
            "X-Pusher-Signature",
            "X-PUSHER-KEY",
            "Content-Type",
        ]) {
            let reason = made(&[(name, "canary")]).expect_err(name);
            assert!(
                reason.contains(name) && !reason.contains("canary"),
                "{reason}"
            );
        }
        for (name, value) in [
            ("a b", "canary"),
            ("", "canary"),
            ("X-A", "canary\r\nX-B: 1"),
        ] {
            let reason = made(&[(name, value)]).expect_err(name);
            assert!(!reason.contains("canary"), "{reason}");
        }
    }
}
