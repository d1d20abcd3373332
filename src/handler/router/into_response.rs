//! What a function route may return.

use super::function::internal_error;
use crate::handler::callbacks::Error;
use crate::http::{BodyError, PayloadError, Response};
use serde::Serialize;
use std::borrow::Cow;

/// What can be the answer to a request. Functions of routes return one.
pub trait IntoResponse {
    /// Makes the answer.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

/// 204: done, and nothing to say.
impl IntoResponse for () {
    fn into_response(self) -> Response {
        Response::empty(204)
    }
}

/// 200 and plain text.
impl IntoResponse for &'static str {
    fn into_response(self) -> Response {
        Response::text(200, self)
    }
}

/// 200 and plain text.
impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::text(200, self)
    }
}

/// 200 and plain text.
impl IntoResponse for Cow<'static, str> {
    fn into_response(self) -> Response {
        match self {
            Cow::Borrowed(text) => text.into_response(),
            Cow::Owned(text) => text.into_response(),
        }
    }
}

/// 200 and bytes of the type `application/octet-stream`.
impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        Response::new(200, "application/octet-stream", self)
    }
}

/// 200 and a value as JSON. One that cannot be written as JSON is 500, and in the log why.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        Response::json_of(&self.0).unwrap_or_else(|error| {
            tracing::error!(%error, "the answer of a route cannot be written as JSON");
            internal_error()
        })
    }
}

/// The same with this status. Panics when it is outside 200..=599.
impl<R: IntoResponse> IntoResponse for (u16, R) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

/// `None` is 404.
impl<R: IntoResponse> IntoResponse for Option<R> {
    fn into_response(self) -> Response {
        self.map_or_else(not_found, R::into_response)
    }
}

/// Either is an answer.
impl<R: IntoResponse, E: IntoResponse> IntoResponse for Result<R, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(answer) => answer.into_response(),
            Err(refusal) => refusal.into_response(),
        }
    }
}

/// 415 or 400, and what is wrong with the body.
impl IntoResponse for PayloadError {
    fn into_response(self) -> Response {
        self.response()
    }
}

/// 400, 408, 413 or 431, and what is wrong with the body.
impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        self.response()
    }
}

/// 500, and the error in the log; the peer is not told what it was. A [`PayloadError`] and a
/// [`BodyError`] are the peer's own and answered as such.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Some(error) = self.downcast_ref::<PayloadError>() {
            return error.response();
        }
        if let Some(error) = self.downcast_ref::<BodyError>() {
            return error.response();
        }
        tracing::error!(error = %self, "the function of a route failed");
        internal_error()
    }
}

/// The answer where nothing is mounted.
pub(super) fn not_found() -> Response {
    Response::text(404, "Not found\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answer: impl IntoResponse) -> (u16, String) {
        let response = answer.into_response();
        let body = std::str::from_utf8(response.body()).unwrap();
        (response.status(), body.to_owned())
    }

    #[test]
    fn values_are_answers() {
        assert_eq!(said(()), (204, String::new()));
        assert_eq!(said("a"), (200, "a".into()));
        assert_eq!(said(format!("{}", 1)), (200, "1".into()));
        assert_eq!(said(Cow::Borrowed("c")), (200, "c".into()));
        assert_eq!(said(b"b".to_vec()), (200, "b".into()));
        assert_eq!(said(Json([1, 2])), (200, "[1,2]".into()));
        assert_eq!(said((201, Json("a"))), (201, "\"a\"".into()));
        let no_json = std::collections::BTreeMap::from([([1], 1)]);
        assert_eq!(said(Json(no_json)).0, 500);
        assert_eq!(said((201, "made")), (201, "made".into()));
        assert_eq!(said(Some("a")), (200, "a".into()));
        assert_eq!(said(None::<String>), (404, "Not found\n".into()));
        assert_eq!(said(Ok::<_, ()>("fine")), (200, "fine".into()));
        assert_eq!(said(Err::<(), _>((403, "no"))), (403, "no".into()));
        assert_eq!(said(Response::text(418, "tea")), (418, "tea".into()));
    }

    #[test]
    fn errors_tell_the_peer_only_what_is_its_own() {
        let ours: Result<(), Error> = Err("the database said: secret".into());
        assert_eq!(said(ours), (500, "Internal error\n".into()));
        let wanted = "application/json";
        let theirs = || PayloadError::ContentType { wanted };
        assert_eq!(said(theirs()).0, 415);
        let theirs: Result<(), Error> = Err(theirs().into());
        assert_eq!(said(theirs).0, 415);
        assert_eq!(said(Err::<(), _>(BodyError::TooLarge)).0, 413);
        let theirs: Result<(), Error> = Err(BodyError::TimedOut.into());
        assert_eq!(said(theirs).0, 408);
    }
}
