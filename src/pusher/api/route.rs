//! Which endpoint a path means, and what every request has to pass first (section 8.2).

use super::auth::authenticate;
use crate::handler::Request;
use crate::http::Response;
use crate::http::query;
use crate::id::AppSlot;
use crate::protocol::json::quote;
use crate::pusher::Pusher;
use std::borrow::Cow;

/// An endpoint of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint<'a> {
    Events,
    BatchEvents,
    Channels,
    Channel(Cow<'a, str>),
    Users(Cow<'a, str>),
}

impl Endpoint<'_> {
    fn method(&self) -> &'static str {
        match self {
            Self::Events | Self::BatchEvents => "POST",
            Self::Channels | Self::Channel(_) | Self::Users(_) => "GET",
        }
    }
}

/// App id and endpoint of `/apps/ID/...`; names may be percent-encoded.
fn endpoint(path: &str) -> Option<(Cow<'_, str>, Endpoint<'_>)> {
    let mut segments = path.strip_prefix("/apps/")?.split('/');
    let app = query::decode_path(segments.next()?)?;
    let name = |raw| query::decode_path(raw).filter(|name| !name.is_empty());
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
        ("channels", Some(channel), None, _) => Endpoint::Channel(name(channel)?),
        ("channels", Some(channel), Some("users"), None) => Endpoint::Users(name(channel)?),
        _ => return None,
    };
    Some((app, endpoint))
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

impl Pusher {
    /// Answers a request to the API or to `/`.
    pub(in crate::pusher) async fn answer(&self, mut request: Request<'_>) -> Response {
        let path = request.path();
        if path == "/" {
            return self.front_page(request.method());
        }
        let Some((app_id, endpoint)) = endpoint(path) else {
            return not_found();
        };
        let method = match request.method() {
            "HEAD" if endpoint.method() == "GET" => "GET",
            method => method,
        };
        if method != endpoint.method() {
            return error(405, "Method not allowed").with_header("Allow", endpoint.method());
        }
        let app = match self.authenticated(&app_id, &request) {
            Ok(app) => app,
            Err(response) => return *response,
        };
        let query = request.query();
        match endpoint {
            Endpoint::Events => self.post_event(app, request.body_mut()).await,
            Endpoint::BatchEvents => self.post_batch(app, request.body_mut()).await,
            Endpoint::Channels => self.get_channels(app, query).await,
            Endpoint::Channel(name) => self.get_channel(app, &name, query).await,
            Endpoint::Users(name) => self.get_users(app, &name).await,
        }
    }

    fn authenticated(&self, id: &str, request: &Request<'_>) -> Result<AppSlot, Box<Response>> {
        let hub = self.hub.borrow();
        let app = hub
            .apps()
            .by_id(id)
            .ok_or_else(|| error(404, "Unknown app"))?;
        let tenant = hub.apps().get(app);
        let now_s = self.endpoint.clock().wall_s();
        let (path, query, body) = (request.path(), request.query(), request.body());
        authenticate(tenant, request.method(), path, query, body, now_s)
            .map_err(|refused| Box::new(error(401, &refused.to_string())))?;
        if !tenant.app.enabled {
            return Err(Box::new(error(403, "The app is not enabled")));
        }
        Ok(app)
    }
}

/// The value of a query parameter, its name compared without case.
pub(super) fn parameter<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    let mut pairs = query::parse(query, query::Plus::Space);
    let (_, value) = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))?;
    Some(match value {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    })
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
        ] {
            assert_eq!(endpoint(path), Some(("1".into(), expected)), "{path}");
        }
        for path in [
            "/apps/1",
            "/apps/1/",
            "/apps/1/nope",
            "/apps/1/events/x",
            "/apps/1/channels/",
            "/apps/1/channels/x/y",
            "/apps/1/channels/x/users/y",
            "/apps/1/channels/%ff",
            "/x",
        ] {
            assert_eq!(endpoint(path), None, "{path}");
        }
    }

    #[test]
    fn parameters_are_found_whatever_their_case() {
        let query = "a=1&Info=user%5Fcount&info=x&filter_by_prefix=presence-";
        assert_eq!(parameter(query, "info").as_deref(), Some("user_count"));
        assert_eq!(
            parameter(query, "filter_by_prefix").as_deref(),
            Some("presence-")
        );
        assert_eq!(parameter(query, "nope"), None);
    }
}
