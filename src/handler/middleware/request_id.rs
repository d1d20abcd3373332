//! A name for each request, by which it is found again in logs.

use super::{Middleware, Next};
use crate::handler::Request;
use crate::http::Response;
use std::fmt;
use std::rc::Rc;
use tracing::Instrument;

/// Names each request and handshake: by the `X-Request-Id` that came with it, when that is sound,
/// or by a new one. The name goes back in the answer, stands in the request's extensions as an
/// [`Id`] and in the log span `request` around everything behind this layer.
///
/// Sound is what has 1 to 128 letters, digits, `-`, `_`, `.` and nothing else.
#[derive(Clone, Debug)]
pub struct RequestId {
    takes_sent: bool,
}

/// Most characters of an id that is taken from a request.
const SENT_MAX: usize = 128;

const NAME: &str = "X-Request-Id";

/// The name of a request; see [`RequestId`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Id(Rc<str>);

impl Id {
    /// As it goes back in the answer.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestId {
    /// Takes sound names from requests, and makes the others.
    #[must_use]
    pub fn new() -> Self {
        Self { takes_sent: true }
    }

    /// Whether names are taken from requests at all: not where strangers could use one again.
    #[must_use]
    pub fn take_sent(mut self, take: bool) -> Self {
        self.takes_sent = take;
        self
    }

    fn id(&self, sent: Option<&[u8]>) -> Id {
        let sent = sent.filter(|_| self.takes_sent).and_then(sound);
        Id(match sent {
            Some(sent) => sent.into(),
            None => hex::encode(rand::random::<[u8; 16]>()).into(),
        })
    }
}

fn sound(sent: &[u8]) -> Option<&str> {
    let is_sound = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let fits = (1..=SENT_MAX).contains(&sent.len()) && sent.iter().all(is_sound);
    std::str::from_utf8(sent).ok().filter(|_| fits)
}

impl Middleware for RequestId {
    async fn around(&self, mut request: Request<'_>, next: Next<'_>) -> Response {
        let id = self.id(request.header(NAME));
        request.extensions_mut().insert(id.clone());
        let span = tracing::info_span!("request", %id);
        let response = next.run(request).instrument(span).await;
        let response = response.without_header(NAME);
        let response = response.try_header(NAME, id.as_str().to_owned());
        response.expect("ids are letters and digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_names_are_taken_and_others_made() {
        let ids = RequestId::new();
        let long = "a".repeat(SENT_MAX);
        for sent in ["a", "A-1_b.c", &long] {
            assert_eq!(ids.id(Some(sent.as_bytes())).as_str(), sent);
            let other = ids.clone().take_sent(false).id(Some(sent.as_bytes()));
            assert_ne!(other.as_str(), sent);
        }
        let too_long = "a".repeat(SENT_MAX + 1);
        let unsound = ["", "a b", "a\"", "é", "a,b", &too_long].map(|sent| Some(sent.as_bytes()));
        for sent in unsound.into_iter().chain([None, Some(&b"\xff"[..])]) {
            let id = ids.id(sent);
            assert!(id.as_str().len() == 32 && id.0.bytes().all(|b| b.is_ascii_hexdigit()));
            assert_ne!(ids.id(sent), id);
        }
    }
}
