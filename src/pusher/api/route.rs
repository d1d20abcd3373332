//! Which endpoint a path means, and what every request has to pass first (section 8.2).

use super::auth::{Refused, Rules, Signed, Verified, authenticate};
use crate::conn::Origin;
use crate::handler::Request;
use crate::http::Response;
use crate::http::query::{self, Plus};
use crate::hub::{Bucket, Rated};
use crate::id::AppSlot;
use crate::limits::FAILED_SIGNATURES_PER_SECOND;
use crate::metrics::Count;
use crate::protocol::json::quote;
use crate::pusher::Pusher;
use std::borrow::Cow;

/// An endpoint of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint<'a> {
    Events,
    BatchEvents,
    /// The oldest way to publish (section 8.9).
    ChannelEvents(Cow<'a, str>),
    Channels,
    Channel(Cow<'a, str>),
    Users(Cow<'a, str>),
    Terminate(Cow<'a, str>),
    Connections,
}

impl Endpoint<'_> {
    fn method(&self) -> &'static str {
        match self {
            Self::Events | Self::BatchEvents | Self::ChannelEvents(_) | Self::Terminate(_) => {
                "POST"
            }
            Self::Channels | Self::Channel(_) | Self::Users(_) | Self::Connections => "GET",
        }
    }
}

/// App id and endpoint of `/apps/ID/...`; names may be percent-encoded. Without an id the app is
/// that of `auth_key`: the official Python SDK leaves it out of one path (section 8.8).
fn endpoint(path: &str) -> Option<(Option<Cow<'_, str>>, Endpoint<'_>)> {
    let name = |raw| query::decode_path(raw).filter(|name| !name.is_empty());
    if let Some(rest) = path.strip_prefix("/users/") {
        let user = rest.strip_suffix("/terminate_connections")?;
        let user = Some(user).filter(|user| !user.contains('/'))?;
        return Some((None, Endpoint::Terminate(name(user)?)));
    }
    let mut segments = path.strip_prefix("/apps/")?.split('/');
    let app = query::decode_path(segments.next()?)?;
    let rest = (
        segments.next()?,
        segments.next(),
        segments.next(),
        segments.next(),
    );
    let endpoint = match rest {
        ("events", None, ..) => Endpoint::Events,
        ("batch_events", None, ..) => Endpoint::BatchEvents,
        ("channels", None, ..) => Endpoint::Channels,
        ("connections", None, ..) => Endpoint::Connections,
        ("channels", Some(channel), None, _) => Endpoint::Channel(name(channel)?),
        ("channels", Some(channel), Some("events"), None) => {
            Endpoint::ChannelEvents(name(channel)?)
        }
        ("channels", Some(channel), Some("users"), None) => Endpoint::Users(name(channel)?),
        ("users", Some(user), Some("terminate_connections"), None) => {
            Endpoint::Terminate(name(user)?)
        }
        _ => return None,
    };
    Some((Some(app), endpoint))
}

/// An answer in JSON with the one shape that all errors have (R4).
pub(super) fn error(status: u16, message: &str) -> Response {
    let mut body = Vec::with_capacity(message.len() + 16);
    body.extend_from_slice(b"{\"error\":");
    quote(message, &mut body);
    body.push(b'}');
    Response::json(status, body)
}

/// The answer to a path that means nothing.
pub(in crate::pusher) fn not_found() -> Response {
    error(404, "Not found")
}

/// The answer while a home has more to do than it can: nothing of the request was published.
pub(super) fn busy() -> Response {
    error(503, "The server is busy").with_header("Retry-After", "1")
}

/// Who sent a request, and how that was proved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub(super) app: AppSlot,
    pub(super) verified: Verified,
    /// Whether it is whoever runs the server, whom rates do not concern.
    pub(super) is_operator: bool,
}

impl Pusher {
    /// Answers a request to the API or to `/`.
    pub(in crate::pusher) async fn answer(&self, mut request: Request<'_>) -> Response {
        let (nested_in, path) = behind_segments(request.path(), self.nested_in);
        if path == "/" {
            return self.front_page(request.method(), nested_in);
        }
        if let Some(response) = self.health(request.method(), path) {
            return response;
        }
        let inner = path.strip_prefix(&*self.options.path_prefix);
        let Some((app_id, endpoint)) = inner.and_then(endpoint) else {
            return not_found();
        };
        let method = match request.method() {
            "HEAD" if endpoint.method() == "GET" => "GET",
            method => method,
        };
        if method != endpoint.method() {
            return error(405, "Method not allowed").with_header("Allow", endpoint.method());
        }
        let caller = match self.believed(app_id.as_deref(), &mut request).await {
            Ok(caller) => caller,
            Err(response) => return *response,
        };
        let taken = request.body().len();
        let response = self.called(&caller, &endpoint, &mut request).await;
        self.tallies.count(caller.app, |tally| {
            tally.calls.add(1, taken);
            tally.answer_bytes += response.body().len() as u64;
        });
        response
    }

    async fn called(
        &self,
        caller: &Caller,
        endpoint: &Endpoint<'_>,
        request: &mut Request<'_>,
    ) -> Response {
        let query = request.query();
        match endpoint {
            Endpoint::Events => self.post_event(caller, query, request.body_mut()).await,
            Endpoint::BatchEvents => self.post_batch(caller, request.body_mut()).await,
            Endpoint::ChannelEvents(name) => {
                self.post_channel_event(caller, name, query, request.body())
                    .await
            }
            Endpoint::Terminate(user) => match self.pass(caller, None).await {
                Ok(_) => {
                    let body = request.body_mut();
                    self.post_terminate(caller.app, user, body).await
                }
                Err(response) => *response,
            },
            _ => self.rated(caller, endpoint, query).await,
        }
    }

    /// What publishes nothing: one request is one, whatever it asks.
    async fn rated(&self, caller: &Caller, endpoint: &Endpoint<'_>, query: &str) -> Response {
        let rated = (endpoint.method() == "GET").then_some((Rated::Reads, 1));
        let leave = match self.pass(caller, rated).await {
            Ok(leave) => leave,
            Err(response) => return *response,
        };
        let (app, plus) = (caller.app, caller.verified.plus);
        let response = match endpoint {
            Endpoint::Channels => self.get_channels(app, query, plus).await,
            Endpoint::Channel(name) => self.get_channel(app, name, query, plus).await,
            Endpoint::Users(name) => self.get_users(app, name, query, plus).await,
            Endpoint::Connections => self.get_connections(app).await,
            Endpoint::Events
            | Endpoint::BatchEvents
            | Endpoint::ChannelEvents(_)
            | Endpoint::Terminate(_) => unreachable!("they have been answered above"),
        };
        leave.note(response)
    }

    /// Who sent the request, with its body read. Of who cannot prove it, no body is waited for and
    /// held; and who could has to once more when it is here, for the clock went on meanwhile, and
    /// the app may be another one.
    async fn believed(
        &self,
        id: Option<&str>,
        request: &mut Request<'_>,
    ) -> Result<Caller, Box<Response>> {
        if request.body_is_arriving() {
            self.authenticated(id, request, None)?;
        }
        let read = request.read_body().await;
        read.map_err(|error| Box::new(error.response()))?;
        self.authenticated(id, request, Some(request.body()))
    }

    fn authenticated(
        &self,
        id: Option<&str>,
        request: &Request<'_>,
        body: Option<&[u8]>,
    ) -> Result<Caller, Box<Response>> {
        let hub = self.hub.borrow();
        let app = match id {
            Some(id) => hub
                .apps()
                .by_id(id)
                .ok_or_else(|| error(404, "Unknown app"))?,
            None => {
                let key = parameter(request.query(), "auth_key", Plus::Literal);
                let key = key.ok_or(Refused::NoKey).map_err(refused)?;
                let app = hub.apps().by_key(&key);
                app.ok_or(Refused::UnknownKey).map_err(refused)?
            }
        };
        let tenant = hub.apps().get(app);
        let signed = Signed {
            method: request.method(),
            path: request.path(),
            query: request.query(),
            body,
        };
        let (nested_in, path) = behind_segments(request.path(), self.nested_in);
        let inner = path.strip_prefix(&*self.options.path_prefix);
        let ours = inner.map_or(path.len(), str::len);
        let rules = Rules {
            now_s: self.endpoint.clock().wall_s(),
            window_s: self.limits.get().rest_clock_s,
            prefix: &request.path()[..nested_in.len() + path.len() - ours],
        };
        let verified = authenticate(tenant, signed, rules)
            .map_err(|refused| Box::new(self.unbelieved(app, request, &refused.to_string())))?;
        if !tenant.app.enabled {
            return Err(Box::new(error(403, "The app is not enabled")));
        }
        Ok(Caller {
            app,
            verified,
            is_operator: false,
        })
    }

    /// The answer to who could not prove who sent it. A flood of them is told less, and has to
    /// connect anew each time; what is signed well is never held up by it.
    fn unbelieved(&self, app: AppSlot, request: &Request<'_>, reason: &str) -> Response {
        let now_ms = self.endpoint.clock().now_ms();
        if let (Some(most), Some(peer)) = (self.limits.get().auth_failures, request.peer()) {
            let mut strangers = self.strangers.borrow_mut();
            if strangers.count(Origin::from(peer.ip()), now_ms) > most {
                self.endpoint.counters().one(Count::AuthFlood);
                return too_many();
            }
        }
        let mut failures = self.failures.borrow_mut();
        if failures.len() <= app.index() {
            failures.resize(app.index() + 1, Bucket::default());
        }
        if failures[app.index()].take(now_ms, FAILED_SIGNATURES_PER_SECOND) {
            return error(401, reason);
        }
        too_many()
    }
}

fn too_many() -> Response {
    let reason = "Too many requests that are not signed as they should be";
    error(429, reason)
        .with_header("Retry-After", "1")
        .with_close()
}

/// Divides a path behind its first `count` segments.
fn behind_segments(path: &str, count: usize) -> (&str, &str) {
    if count == 0 {
        return ("", path);
    }
    let mut slashes = memchr::memchr_iter(b'/', path.as_bytes());
    path.split_at(slashes.nth(count).unwrap_or(path.len()))
}

fn refused(refused: Refused) -> Box<Response> {
    Box::new(error(401, &refused.to_string()))
}

/// The value of a query parameter, its name compared without case. A list in PHP's spelling
/// (`name[0]=a&name[1]=b`, A11) becomes one with commas. `plus` is how its signer reads a `+` (A5).
pub(super) fn parameter<'q>(query: &'q str, name: &str, plus: Plus) -> Option<Cow<'q, str>> {
    let mut pairs = query::parse(query, plus);
    let named = |(key, _): &(Cow<'_, [u8]>, _)| key.eq_ignore_ascii_case(name.as_bytes());
    if let Some((_, value)) = pairs.find(named) {
        return Some(text(value));
    }
    let pairs = query::parse(query, plus);
    let items = pairs.filter(|(key, _)| is_item_of(key, name.as_bytes()));
    let items: Vec<Cow<'q, str>> = items.map(|(_, value)| text(value)).collect();
    (!items.is_empty()).then(|| Cow::Owned(items.join(",")))
}

/// Whether a parameter is `name[]` or `name[N]`.
pub(super) fn is_item_of(key: &[u8], name: &[u8]) -> bool {
    let Some((start, index)) = key.split_at_checked(name.len()) else {
        return false;
    };
    let index = index
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"));
    start.eq_ignore_ascii_case(name) && index.is_some_and(|n| n.iter().all(u8::is_ascii_digit))
}

fn text(value: Cow<'_, [u8]>) -> Cow<'_, str> {
    match value {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_endpoints() {
        let channel = |name| Endpoint::Channel(Cow::Borrowed(name));
        for (path, expected) in [
            ("/apps/1/events", Endpoint::Events),
            ("/apps/1/batch_events", Endpoint::BatchEvents),
            ("/apps/1/channels", Endpoint::Channels),
            ("/apps/1/channels/presence-a", channel("presence-a")),
            (
                "/apps/1/channels/presence-a%3Db%40c",
                channel("presence-a=b@c"),
            ),
            ("/apps/1/channels/x/users", Endpoint::Users("x".into())),
            (
                "/apps/1/channels/x/events",
                Endpoint::ChannelEvents("x".into()),
            ),
            (
                "/apps/1/users/a%40b/terminate_connections",
                Endpoint::Terminate("a@b".into()),
            ),
            ("/apps/1/connections", Endpoint::Connections),
        ] {
            assert_eq!(endpoint(path), Some((Some("1".into()), expected)), "{path}");
        }
        assert_eq!(
            endpoint("/users/a%2Fb/terminate_connections"),
            Some((None, Endpoint::Terminate("a/b".into())))
        );
        for path in [
            "/apps/1",
            "/apps/1/",
            "/apps/1/nope",
            "/apps/1/events/x",
            "/apps/1/connections/x",
            "/apps/1/channels/",
            "/apps/1/channels/x/y",
            "/apps/1/channels/x/users/y",
            "/apps/1/channels/%ff",
            "/apps/1/users",
            "/apps/1/users/a",
            "/apps/1/users//terminate_connections",
            "/apps/1/users/a/terminate_connections/x",
            "/users//terminate_connections",
            "/users/a/b/terminate_connections",
            "/x",
        ] {
            assert_eq!(endpoint(path), None, "{path}");
        }
    }

    #[test]
    fn parameters_are_found_whatever_their_case() {
        let read = |query, name| parameter(query, name, Plus::Literal);
        let query = "a=1&Info=user%5Fcount&info=x&filter_by_prefix=presence-";
        assert_eq!(read(query, "info").as_deref(), Some("user_count"));
        assert_eq!(
            read(query, "filter_by_prefix").as_deref(),
            Some("presence-")
        );
        assert_eq!(read(query, "nope"), None);
        let array = "info%5B0%5D=user_count&info[1]=subscription_count&info[x]=no&inf[0]=no";
        let joined = "user_count,subscription_count";
        assert_eq!(read(array, "info").as_deref(), Some(joined)); // A11
    }
}
