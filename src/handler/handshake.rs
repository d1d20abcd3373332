//! How a handshake ends: accepted, with what the answer carries, or refused.

use crate::http::{Cookie, HeaderRefused, Response};
use std::borrow::Cow;

/// What [`Handler::on_handshake`](super::Handler::on_handshake) decided.
#[derive(Debug)]
pub struct Handshake<S> {
    outcome: Outcome<S>,
    subprotocol: Option<String>,
}

#[derive(Debug)]
enum Outcome<S> {
    /// The response is the answer 101 without the fields of the upgrade itself.
    Accepted(S, Response),
    Rejected(Response),
}

impl<S> Handshake<S> {
    /// The upgrade goes through; the session is handed on to the other callbacks.
    #[must_use]
    pub fn accept(session: S) -> Self {
        Self {
            outcome: Outcome::Accepted(session, Response::switching()),
            subprotocol: None,
        }
    }

    /// It does not; the response is the answer: a status, fields and a body like any other.
    #[must_use]
    pub fn reject(response: Response) -> Self {
        Self {
            outcome: Outcome::Rejected(response),
            subprotocol: None,
        }
    }

    /// Chooses one of the subprotocols that the client offered (RFC 6455, section 1.9); see
    /// [`Request::subprotocols`](super::Request::subprotocols). One that was not offered fails the
    /// handshake with 500: a client has to break such a connection off. Nothing on a refusal.
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Sets a cookie, on an accepted handshake as on a refusal.
    #[must_use]
    pub fn with_cookie(self, cookie: Cookie) -> Self {
        self.map(|response| response.with_cookie(cookie))
    }

    /// Adds a field that is written down in the program.
    ///
    /// # Panics
    /// When [`Handshake::try_header`] would refuse it.
    #[must_use]
    pub fn with_header(self, name: &'static str, value: &'static str) -> Self {
        self.try_header(name, value)
            .unwrap_or_else(|refused| panic!("{name}: {refused}"))
    }

    /// Adds a field whose name or value was made at run time.
    ///
    /// # Errors
    /// [`HeaderRefused`]: those of the upgrade are written by the server alone.
    pub fn try_header(
        self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Result<Self, HeaderRefused> {
        let Self {
            outcome,
            subprotocol,
        } = self;
        let name = name.into();
        let is_ours = name.eq_ignore_ascii_case("upgrade")
            || name
                .get(..14)
                .is_some_and(|start| start.eq_ignore_ascii_case("sec-websocket-"));
        let outcome = match outcome {
            Outcome::Accepted(..) if is_ours => return Err(HeaderRefused::Reserved),
            Outcome::Accepted(session, response) => {
                Outcome::Accepted(session, response.try_header(name, value)?)
            }
            Outcome::Rejected(response) => Outcome::Rejected(response.try_header(name, value)?),
        };
        Ok(Self {
            outcome,
            subprotocol,
        })
    }

    fn map(self, change: impl FnOnce(Response) -> Response) -> Self {
        let outcome = match self.outcome {
            Outcome::Accepted(session, response) => Outcome::Accepted(session, change(response)),
            Outcome::Rejected(response) => Outcome::Rejected(change(response)),
        };
        Self { outcome, ..self }
    }

    /// The answer, and the session unless it is a refusal. `offered` are the client's subprotocols.
    pub(super) fn finish<'a>(
        self,
        mut offered: impl Iterator<Item = &'a str>,
    ) -> Result<(Option<S>, Response), NotOffered> {
        let (session, response) = match self.outcome {
            Outcome::Accepted(session, response) => (session, response),
            Outcome::Rejected(response) => return Ok((None, response)),
        };
        let Some(name) = self.subprotocol else {
            return Ok((Some(session), response));
        };
        if !offered.any(|offer| offer == name) {
            return Err(NotOffered(name));
        }
        let response = response
            .try_header("Sec-WebSocket-Protocol", name)
            .expect("what was offered is a token");
        Ok((Some(session), response))
    }
}

/// The handler chose a subprotocol that the client does not speak.
#[derive(Debug)]
pub(super) struct NotOffered(pub(super) String);

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(handshake: Handshake<u8>) -> Result<(Option<u8>, Response), NotOffered> {
        handshake.finish(["chat.v1", "chat.v2"].into_iter())
    }

    #[test]
    fn an_accepted_handshake_carries_fields_cookies_and_the_chosen_protocol() {
        let handshake = Handshake::accept(7)
            .with_subprotocol("chat.v2")
            .with_header("X-A", "b")
            .with_cookie(Cookie::new("id", "1").unwrap());
        let (session, response) = finish(handshake).unwrap();
        assert_eq!((session, response.status()), (Some(7), 101));
        let fields: Vec<_> = response.headers().collect();
        let wanted = [
            ("X-A", "b"),
            ("Set-Cookie", "id=1"),
            ("Sec-WebSocket-Protocol", "chat.v2"),
        ];
        assert_eq!(fields, wanted);
    }

    #[test]
    fn a_protocol_that_was_not_offered_is_never_sent() {
        let refusal = finish(Handshake::accept(7).with_subprotocol("chat"));
        assert_eq!(refusal.unwrap_err().0, "chat");
    }

    #[test]
    fn the_fields_of_the_upgrade_are_the_servers() {
        for name in [
            "Upgrade",
            "sec-websocket-accept",
            "Sec-WebSocket-Extensions",
        ] {
            let refused = Handshake::accept(7).try_header(name, "x");
            assert_eq!(refused.unwrap_err(), HeaderRefused::Reserved, "{name}");
            let rejected = Handshake::<u8>::reject(Response::empty(426));
            assert!(rejected.try_header(name, "x").is_ok(), "{name}");
        }
        let split = Handshake::accept(7).try_header("X-A", "b\r\nX-B: c");
        assert_eq!(split.unwrap_err(), HeaderRefused::Value);
    }

    #[test]
    fn a_refusal_keeps_its_answer() {
        let handshake = Handshake::reject(Response::text(403, "no")).with_subprotocol("any");
        let (session, response) = finish(handshake.with_header("X-A", "b")).unwrap();
        assert_eq!((session, response.status()), (None, 403));
        assert_eq!(response.body(), b"no");
        assert_eq!(response.headers().next(), Some(("X-A", "b")));
    }
}
