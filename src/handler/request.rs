//! A request as a handler sees it: borrowed from the buffer it arrived in.

use super::body::Body;
use super::extensions::Extensions;
use crate::http::{BodyError, BodyKind, Head, PayloadError, cookie, is_name, payload, query};
use crate::net::Clock;
use crate::ws::handshake::Upgrade;
use serde::Deserialize;
use std::borrow::Cow;
use std::net::SocketAddr;

/// An HTTP request: its body whole, or still arriving for middleware and for a handler that
/// [wants it so](super::Handler::streams_requests).
#[derive(Debug)]
pub struct Request<'a> {
    head: &'a Head<'a>,
    body: Body<'a>,
    pattern: &'a str,
    peer: Option<SocketAddr>,
    is_tls: bool,
    clock: &'a Clock,
    /// The methods that the router says may be used.
    allow: &'a str,
    extensions: Extensions,
}

impl<'a> Request<'a> {
    pub(crate) fn new(
        head: &'a Head<'a>,
        body: Body<'a>,
        pattern: &'a str,
        (peer, is_tls): (Option<SocketAddr>, bool),
        clock: &'a Clock,
    ) -> Self {
        Self {
            head,
            body,
            pattern,
            peer,
            is_tls,
            clock,
            allow: "",
            extensions: Extensions::default(),
        }
    }

    pub(super) fn set_allow(&mut self, allow: &'a str) {
        self.allow = allow;
    }

    pub(super) fn allow(&self) -> &'a str {
        self.allow
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

    /// The parameters of the query in the order sent, decoded: `+` is a space, a parameter without
    /// `=` has an empty value. A `%` that encodes nothing stands for itself, and bytes that are not
    /// UTF-8 become U+FFFD.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        query::parse_text(self.head.query)
    }

    /// The value of the first parameter of a name in the query, decoded as by
    /// [`Request::query_pairs`]. Names are told apart by their case.
    #[must_use]
    pub fn query_param(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut pairs = self.query_pairs();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The cookies in the order sent, their values as sent; what is no cookie is passed over.
    pub fn cookies(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let fields = self.head.headers();
        let cookies = fields.filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        cookies.flat_map(|(_, field)| cookie::parse(field))
    }

    /// The value of the first cookie of a name. Names are told apart by their case.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        let mut cookies = self.cookies();
        cookies
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// The media type of the body as sent, without parameters such as `charset`. To be compared
    /// with `eq_ignore_ascii_case`.
    #[must_use]
    pub fn content_type(&self) -> Option<&'a str> {
        payload::media_type(self.header("content-type")?)
    }

    /// Whether it asks for a WebSocket: it is answered by `on_handshake` then.
    #[must_use]
    pub fn is_handshake(&self) -> bool {
        self.head.upgrade_websocket
    }

    /// What the upgrade's own fields say.
    pub(super) fn upgrade(&self) -> Upgrade<'a> {
        Upgrade {
            key: self.head.header("sec-websocket-key"),
            version: self.head.header("sec-websocket-version"),
        }
    }

    /// The subprotocols a handshake offers (RFC 6455, section 1.9), the most wanted first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let fields = self.head.headers();
        let offers = fields.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"));
        let lists = offers.filter_map(|(_, list)| std::str::from_utf8(list).ok());
        let names = lists.flat_map(|list| list.split(',')).map(str::trim);
        names.filter(|name| is_name(name))
    }

    /// What a handshake offers beside WebSocket itself (RFC 6455, section 9.1): fields that count
    /// as one list.
    pub(super) fn extension_offers(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let name = "sec-websocket-extensions";
        let fields = self.head.headers();
        let wanted = fields.filter(move |(field, _)| field.eq_ignore_ascii_case(name));
        wanted.map(|(_, value)| value)
    }

    /// The first header of a name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.head.header(name)
    }

    /// The id of the last event that a client of server-sent events has seen, when it comes back
    /// after a break ([`Event::with_id`](crate::http::Event::with_id)).
    #[must_use]
    pub fn last_event_id(&self) -> Option<&'a str> {
        let id = std::str::from_utf8(self.header("last-event-id")?).ok()?;
        (!id.is_empty()).then_some(id)
    }

    /// The host that is asked for, as sent: the authority of a target in absolute form, otherwise
    /// the field `Host`; it may have a port.
    #[must_use]
    pub fn host(&self) -> Option<&'a [u8]> {
        self.head.host()
    }

    /// The pattern of the route that the request leads to, with what it is nested in; empty when
    /// no route fits. Unlike paths there are few of them, which makes it a good label.
    #[must_use]
    pub fn pattern(&self) -> &'a str {
        self.pattern
    }

    /// What the `*` of the route stands for, still percent-encoded: what follows the slash before
    /// it. `None` when the route has none.
    #[must_use]
    pub fn rest(&self) -> Option<&'a str> {
        let before = self.pattern.strip_suffix('*')?;
        let slashes = before.bytes().filter(|byte| *byte == b'/').count();
        self.head.path.splitn(slashes + 1, '/').nth(slashes)
    }

    /// What middleware has handed on with the request.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Same, to hand on more.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// The clock of the shard.
    #[must_use]
    pub fn clock(&self) -> &'a Clock {
        self.clock
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

    /// As [`Request::param`], decoded; `None` also when that is not UTF-8. A `+` is itself, and a
    /// `%` that encodes nothing stands for itself.
    ///
    /// What is decoded can hold anything, `/` and `..` included: it is not safe as part of a path.
    #[must_use]
    pub fn param_decoded(&self, name: &str) -> Option<Cow<'a, str>> {
        query::decode_path(self.param(name)?)
    }

    /// Where it came from.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Whether it came over TLS that ends here. Behind a proxy that speaks TLS in this server's
    /// place it did not.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The body; empty as long as it was not read. Handlers and function routes that take bodies
    /// whole have it from the start, middleware and whoever takes them while they arrive after
    /// [`Request::read_body`].
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body.bytes()
    }

    /// The body, to be parsed in place; see [`Request::body`].
    pub fn body_mut(&mut self) -> &mut [u8] {
        self.body.bytes_mut()
    }

    /// Reads the whole body, unless that was done before: [`Request::body`] has it then, here and
    /// for everyone the request is handed on to.
    ///
    /// Middleware runs before the body is read, so that who is refused need not send it. One that
    /// has to see it, to check a signature say, calls this; the limit is that of the route. What
    /// was taken by [`Request::chunk`] before is not part of what is read. Dropped while it waits,
    /// it goes on with the next call.
    ///
    /// # Errors
    /// As [`Request::chunk`]; the whole body has the time that elsewhere one chunk has.
    pub async fn read_body(&mut self) -> Result<&mut [u8], BodyError> {
        self.body.read().await
    }

    /// Whether the body, or a part of it, has not come in with the head.
    pub(crate) fn body_is_arriving(&self) -> bool {
        self.body.is_arriving()
    }

    /// What is known to be wrong with the body before it is read.
    pub(super) fn body_error(&self) -> Option<BodyError> {
        self.body.error()
    }

    /// Waits for the next bytes of the body; `None` at its end. A body that was read whole is one
    /// chunk. What middleware takes in this way does not reach what stands behind it.
    ///
    /// Nothing is read from the socket before it is asked for, and a chunk is never longer than one
    /// read (16 KiB): a handler that takes its time holds back its client, and a body of any length
    /// costs the same memory. Whoever waits for leave to send its body (`Expect: 100-continue`)
    /// gets it with the first call.
    ///
    /// # Errors
    /// Any [`BodyError`], and the same one again on every later call: the body is malformed or
    /// longer than its limit, the client ended early, nothing came for as long as a whole body
    /// may take (`body_timeout_ms`), or it came too slowly: beyond that time, each second of
    /// waiting takes [500 bytes](crate::limits::STREAMED_BODY_RATE_MIN).
    /// What was given before is then a part of a body that does not exist. The error has
    /// a [response](BodyError::response) to answer with; the connection is closed after the answer,
    /// whatever it is.
    pub async fn chunk(&mut self) -> Result<Option<&[u8]>, BodyError> {
        self.body.chunk().await
    }

    /// Bytes of the body that have been given as chunks so far; all of them for a body that was
    /// read whole.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.body.received()
    }

    /// Bytes of the whole body, where the client has said so: not for a chunked one.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        match self.head.body {
            BodyKind::None => Some(0),
            BodyKind::Length(length) => Some(length),
            BodyKind::Chunked => None,
        }
    }

    /// The fields of the HTML form that the body is (`application/x-www-form-urlencoded`), decoded,
    /// in the order sent. The whole body is checked before the first is given.
    ///
    /// # Errors
    /// When the request names another type, or the body is not a form in UTF-8. The error has a
    /// [response](PayloadError::response) to answer with: 415 or 400.
    pub fn form(&self) -> Result<impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)>, PayloadError> {
        payload::form(self.content_type(), self.body())
    }

    /// The body read as JSON (`application/json`, or a type that ends in `+json`). What is read may
    /// borrow from the body.
    ///
    /// # Errors
    /// When the request names another type, or the body is not JSON or not of this shape. The error
    /// has a [response](PayloadError::response) to answer with: 415 or 400.
    pub fn json<'b, T: Deserialize<'b>>(&'b self) -> Result<T, PayloadError> {
        payload::json(self.content_type(), self.body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Limits, parse};
    use futures_lite::future::block_on;

    /// What `look` sees of a request with this target, these fields and this body.
    fn with<T>(target: &str, fields: &str, body: &str, look: impl FnOnce(&Request<'_>) -> T) -> T {
        let text = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let parsed = parse(text.as_bytes(), &Limits::default()).unwrap();
        let (head, _) = parsed.unwrap();
        let mut body = body.as_bytes().to_vec();
        let clock = Clock::system();
        let body = Body::in_hand(&mut body);
        let mut request = Request::new(&head, body, "/room/{id}", (None, false), &clock);
        assert!(request.body().is_empty(), "it was not asked for");
        #[expect(
            clippy::disallowed_methods,
            reason = "there is no shard, and nothing to wait for"
        )]
        let read = block_on(request.read_body());
        read.expect("it is in hand");
        look(&request)
    }

    #[test]
    fn parameters_of_the_query() {
        let table = [
            ("/", None),
            ("/?b=1", None),
            ("/?A=1", None),
            ("/?a", Some("")),
            ("/?b=2&a=1&a=2", Some("1")),
            ("/?%61=x+y%2Bz", Some("x y+z")),
            ("/?a=%C3%BC", Some("ü")),
            ("/?a=100%", Some("100%")),
            ("/?a=%FF", Some("\u{fffd}")),
        ];
        for (target, wanted) in table {
            with(target, "", "", |request| {
                assert_eq!(request.query_param("a").as_deref(), wanted, "{target}");
            });
        }
        let pairs = with("/?a=1&b&a=%20", "", "", |request| {
            let pairs = request.query_pairs();
            pairs.map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>()
        });
        assert_eq!(pairs, ["a=1", "b=", "a= "]);
    }

    #[test]
    fn parameters_of_the_path() {
        let table = [
            ("/room/7", Some("7")),
            ("/room/a%2Fb+c", Some("a/b+c")),
            ("/room/%C3%BC", Some("ü")),
            ("/room/50%", Some("50%")),
            ("/room/%FF", None),
            ("/room/%C3", None),
        ];
        for (target, wanted) in table {
            with(target, "", "", |request| {
                assert_eq!(request.param_decoded("id").as_deref(), wanted, "{target}");
                assert_eq!(request.param("id"), target.strip_prefix("/room/"));
                assert_eq!(request.param_decoded("other"), None);
            });
        }
    }

    #[test]
    fn cookies_of_all_fields() {
        let table = [
            ("", None, 0),
            ("Cookie:\r\n", None, 0),
            ("Cookie: b=1\r\n", None, 1),
            ("Cookie: A=1; nothing; =x\r\n", None, 1),
            ("cookie: a=1; a=2\r\n", Some("1"), 2),
            (
                "COOKIE: b=1\r\nX: a=0\r\nCookie: a=2; c=3\r\n",
                Some("2"),
                3,
            ),
            ("Set-Cookie: a=1\r\n", None, 0),
        ];
        for (fields, wanted, count) in table {
            with("/", fields, "", |request| {
                assert_eq!(request.cookie("a"), wanted, "{fields:?}");
                assert_eq!(request.cookies().count(), count, "{fields:?}");
            });
        }
    }

    #[test]
    fn bodies_are_read_by_their_type() {
        let form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
        let json = "content-type: application/json;charset=utf-8\r\n";
        let read_form = |request: &Request<'_>| {
            let pairs = request.form().map_err(|error| error.status())?;
            Ok(pairs.map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>())
        };
        let read_json = |request: &Request<'_>| {
            let read = request.json::<(&str, u8)>();
            read.map(|(a, b)| format!("{a}{b}"))
                .map_err(|error| error.status())
        };
        let wanted = vec!["a=x y".to_owned(), "b=".to_owned()];
        assert_eq!(with("/", form, "a=x+y&b", read_form), Ok(wanted));
        assert_eq!(with("/", form, "a=%", read_form), Err(400));
        assert_eq!(with("/", json, "a=1", read_form), Err(415));
        assert_eq!(with("/", "", "a=1", read_form), Err(415));
        assert_eq!(with("/", json, r#"["a",1]"#, read_json), Ok("a1".into()));
        assert_eq!(with("/", json, r#"["a",-1]"#, read_json), Err(400));
        assert_eq!(with("/", form, r#"["a",1]"#, read_json), Err(415));
        assert_eq!(with("/", "", r#"["a",1]"#, read_json), Err(415));
        let sent = with("/", json, "", |request| {
            request.content_type().map(str::to_owned)
        });
        assert_eq!(sent.as_deref(), Some("application/json"));
    }
}
