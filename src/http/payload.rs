//! Request bodies read as what their `Content-Type` says: HTML forms and JSON.
//!
//! Not here: how bytes become a body ([`body`](super::body)), and multipart forms.
//!
//! Invariants:
//! - A body is read as a form or as JSON only when the request says so: a page of another site can
//!   send JSON as `text/plain` without asking, and must not be heard.
//! - Nothing is guessed: a body that breaks the rules of its type is refused as a whole, and each
//!   refusal has a status.
//! - Reading a form allocates only what has to be decoded, however many fields it has.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr_iter;
use serde::Deserialize;

use super::query::{self, Plus};
use super::response::Response;

/// Most characters of an error's text in a response; JSON errors can quote what was sent.
const SHOWN_CHARS: usize = 200;

/// Why a body could not be read.
#[derive(Debug)]
pub enum PayloadError {
    /// The request names another media type, or none: 415.
    ContentType {
        /// The media type that would have been read.
        wanted: &'static str,
    },
    /// A `%` in a form is not followed by two hexadecimal digits: 400.
    Percent {
        /// Its place in the body, in bytes from 0.
        at: usize,
    },
    /// A form is not UTF-8, as sent or once decoded: 400.
    NotUtf8,
    /// The body is not JSON, or not the JSON that was expected: 400.
    Json(serde_json::Error),
}

impl PayloadError {
    /// The status to answer with: 415 for another media type, otherwise 400.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::ContentType { .. } => 415,
            Self::Percent { .. } | Self::NotUtf8 | Self::Json(_) => 400,
        }
    }

    /// The answer: the status, and what is wrong as one line of text.
    #[must_use]
    pub fn response(&self) -> Response {
        let mut text: String = self.to_string().chars().take(SHOWN_CHARS).collect();
        text.push('\n');
        Response::text(self.status(), text)
    }
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContentType { wanted } => write!(f, "the body must be of type {wanted}"),
            Self::Percent { at } => {
                write!(
                    f,
                    "the form has a % without two hexadecimal digits at byte {at}"
                )
            }
            Self::NotUtf8 => f.write_str("the form is not UTF-8"),
            Self::Json(error) => write!(f, "the body is not the JSON that is expected: {error}"),
        }
    }
}

impl std::error::Error for PayloadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            _ => None,
        }
    }
}

/// The media type of a `Content-Type` field as sent, without its parameters. `None` when the field
/// is not text or names no type.
pub fn media_type(field: &[u8]) -> Option<&str> {
    let essence = field.split(|byte| *byte == b';').next()?;
    let essence = std::str::from_utf8(essence).ok()?.trim_matches([' ', '\t']);
    (!essence.is_empty()).then_some(essence)
}

/// Reads a form (`application/x-www-form-urlencoded`): its names and values, decoded, in the order
/// sent. A `+` is a space, fields without `=` have an empty value.
///
/// The whole body is checked before the first pair is given.
///
/// # Errors
/// [`PayloadError::ContentType`], [`PayloadError::Percent`] and [`PayloadError::NotUtf8`].
pub fn form<'b>(
    media_type: Option<&str>,
    body: &'b [u8],
) -> Result<impl Iterator<Item = (Cow<'b, str>, Cow<'b, str>)> + use<'b>, PayloadError> {
    let wanted = "application/x-www-form-urlencoded";
    if !media_type.is_some_and(|sent| sent.eq_ignore_ascii_case(wanted)) {
        return Err(PayloadError::ContentType { wanted });
    }
    let digit = |at: usize| body.get(at).is_some_and(u8::is_ascii_hexdigit);
    if let Some(at) = memchr_iter(b'%', body).find(|at| !digit(at + 1) || !digit(at + 2)) {
        return Err(PayloadError::Percent { at });
    }
    let text = std::str::from_utf8(body).map_err(|_| PayloadError::NotUtf8)?;
    let is_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok();
    let mut pairs = query::parse(text, Plus::Space);
    if !pairs.all(|(name, value)| is_text(&name) && is_text(&value)) {
        return Err(PayloadError::NotUtf8);
    }
    Ok(query::parse_text(text))
}

/// Reads JSON (`application/json`, or any type that ends in `+json`). What is read may borrow from
/// the body.
///
/// # Errors
/// [`PayloadError::ContentType`] and [`PayloadError::Json`].
pub fn json<'b, T: Deserialize<'b>>(
    media_type: Option<&str>,
    body: &'b [u8],
) -> Result<T, PayloadError> {
    let wanted = "application/json";
    if !media_type.is_some_and(is_json) {
        return Err(PayloadError::ContentType { wanted });
    }
    serde_json::from_slice(body).map_err(PayloadError::Json)
}

fn is_json(media_type: &str) -> bool {
    let media_type = media_type.to_ascii_lowercase();
    media_type == "application/json" || media_type.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order<'a> {
        what: &'a str,
        count: u8,
    }

    #[test]
    fn media_types_are_taken_from_their_field() {
        let table: &[(&[u8], Option<&str>)] = &[
            (b"text/html", Some("text/html")),
            (b"Text/HTML;charset=utf-8", Some("Text/HTML")),
            (b" text/html ; charset=\"a;b\"", Some("text/html")),
            (b"", None),
            (b" ; charset=utf-8", None),
            (b"text/\xff", None),
            (b"text/html;\xff", Some("text/html")),
        ];
        for (field, wanted) in table {
            assert_eq!(media_type(field), *wanted, "{field:?}");
        }
    }

    #[test]
    fn forms_are_read() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("&&", &[]),
            ("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
            ("a", &[("a", "")]),
            ("=", &[("", "")]),
            ("full+name=Ann+O%27Hara", &[("full name", "Ann O'Hara")]),
            ("a=1%2B1%3D2%26", &[("a", "1+1=2&")]),
            ("%E2%98%83=ü", &[("☃", "ü")]),
            ("a=%2541%00", &[("a", "%41\0")]),
        ];
        for (body, wanted) in table {
            let pairs = form(Some(FORM), body.as_bytes()).expect(body);
            let pairs: Vec<_> = pairs.collect();
            let wanted = wanted.iter().map(|(k, v)| ((*k).into(), (*v).into()));
            assert_eq!(pairs, wanted.collect::<Vec<_>>(), "{body:?}");
        }
    }

    fn refused<T>(outcome: Result<T, PayloadError>) -> (u16, String) {
        let error = outcome.err().expect("it is refused");
        assert_eq!(error.response().status(), error.status());
        (error.status(), error.to_string())
    }

    #[test]
    fn broken_forms_are_refused() {
        let table: &[(&[u8], &str)] = &[
            (b"%", "at byte 0"),
            (b"a=100%&b=1", "at byte 5"),
            (b"a=%41%4", "at byte 5"),
            (b"a=%zz", "at byte 2"),
            (b"a=%4\xff", "at byte 2"),
            (b"a=\xff", "not UTF-8"),
            (b"\xc3\x28=1", "not UTF-8"),
            (b"a=1&b=%FF", "not UTF-8"),
            (b"%C3=1", "not UTF-8"),
            (b"a=%ED%A0%80", "not UTF-8"),
        ];
        for (body, wanted) in table {
            let (status, text) = refused(form(Some(FORM), body));
            assert!(status == 400 && text.ends_with(wanted), "{body:?}: {text}");
        }
    }

    #[test]
    fn other_media_types_are_refused() {
        let order = br#"{"what":"tea","count":2}"#;
        for sent in [FORM, "Application/X-WWW-Form-URLEncoded"] {
            assert!(form(Some(sent), b"a=1").is_ok());
            assert_eq!(refused(json::<Order<'_>>(Some(sent), order)).0, 415);
        }
        for sent in [
            "application/json",
            "APPLICATION/JSON",
            "application/ld+JSON",
        ] {
            assert!(json::<Order<'_>>(Some(sent), order).is_ok());
            assert_eq!(refused(form(Some(sent), b"a=1")).0, 415);
        }
        for sent in [
            None,
            Some("text/plain"),
            Some("multipart/form-data"),
            Some("json"),
        ] {
            let (status, text) = refused(form(sent, b"a=1"));
            assert_eq!(status, 415, "{sent:?}");
            assert_eq!(text, format!("the body must be of type {FORM}"));
            let (status, text) = refused(json::<Order<'_>>(sent, order));
            assert_eq!(status, 415, "{sent:?}");
            assert_eq!(text, "the body must be of type application/json");
        }
    }

    #[test]
    fn json_is_read_or_refused() {
        let read = |body| json::<Order<'_>>(Some("application/json"), body);
        let order = read(b" {\"count\":2,\"what\":\"tea\"}\n").unwrap();
        assert_eq!(
            order,
            Order {
                what: "tea",
                count: 2
            }
        );
        for body in [
            &b""[..],
            b"{",
            b"null",
            b"{\"what\":\"tea\",\"count\":2}x",
            b"{\"what\":\"tea\"}",
            b"{\"what\":\"tea\",\"count\":256}",
            b"{\"what\":\"tea\",\"count\":2,\"more\":1}",
            b"{\"what\":\"\xff\",\"count\":2}",
        ] {
            let (status, text) = refused(read(body));
            assert!(status == 400 && text.contains("line 1 column"), "{text}");
        }
        let deep = [b'['; 100_000];
        let deep = json::<serde_json::Value>(Some("application/json"), &deep);
        assert_eq!(refused(deep).0, 400);
    }

    #[test]
    fn a_long_error_is_cut_in_the_response() {
        let body = format!("{{\"{}\":1}}", "ü".repeat(10_000));
        let error = json::<Order<'_>>(Some("application/json"), body.as_bytes()).unwrap_err();
        assert!(error.to_string().len() > 10_000);
        let response = error.response();
        let text = std::str::from_utf8(response.body()).unwrap();
        assert!(text.starts_with("the body is not the JSON that is expected: unknown field"));
        assert_eq!(text.chars().count(), SHOWN_CHARS + 1);
        assert!(text.ends_with("ü\n"));
    }
}
