//! What the schemes of `Authorization` have in common (RFC 9110, section 11).

use crate::http::Response;

/// The credentials of a field that names this scheme.
pub(super) fn credentials<'f>(field: &'f [u8], scheme: &str) -> Option<&'f str> {
    let (name, rest) = std::str::from_utf8(field).ok()?.split_once(' ')?;
    let rest = rest.trim_matches(' ');
    (name.eq_ignore_ascii_case(scheme) && !rest.is_empty()).then_some(rest)
}

/// A realm between quotation marks.
pub(super) fn quoted(realm: &str) -> String {
    let is_plain = !realm.contains(['"', '\\']) && !realm.contains(char::is_control);
    assert!(is_plain, "a realm is plain text: {realm:?}");
    format!("\"{realm}\"")
}

/// The answer to who has not proved who it is.
pub(super) fn unauthorized(challenge: String) -> Response {
    let response = Response::text(401, "Unauthorized\n");
    let response = response.try_header("WWW-Authenticate", challenge);
    response.expect("realms are plain text")
}
