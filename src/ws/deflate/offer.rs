//! Offers of permessage-deflate in a handshake, and the answer to the first that can be taken
//! (RFC 6455, section 9.1; RFC 7692, sections 5 and 7.1).

use super::Deflate;
use super::settings::{WINDOW_BITS_MAX, WINDOW_BITS_MIN};
use std::fmt;

/// An offer that was accepted. Displayed, it is the value of the answer's
/// `Sec-WebSocket-Extensions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The window of the server's messages.
    pub window_bits: u8,
    /// Whether the answer names that window.
    named: bool,
}

impl fmt::Display for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permessage-deflate; server_no_context_takeover; client_no_context_takeover")?;
        if self.named {
            write!(f, "; server_max_window_bits={}", self.window_bits)?;
        }
        Ok(())
    }
}

/// A `Sec-WebSocket-Extensions` that is no list of extensions: the handshake fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadOffer;

/// Takes the first offer that `ours` can serve. `fields` are the values of all
/// `Sec-WebSocket-Extensions` of a request, which count as one list. `None`: there is no such
/// offer, and the connection goes uncompressed.
///
/// # Errors
/// [`BadOffer`] when a field does not follow the grammar.
pub fn agree<'a>(
    fields: impl Iterator<Item = &'a [u8]>,
    ours: &Deflate,
) -> Result<Option<Agreed>, BadOffer> {
    let mut agreed = None;
    for field in fields {
        let mut list = List { rest: field };
        while let Some(name) = list.extension()? {
            let mut offer = Offer::new(ours.window_bits);
            while let Some((name, value)) = list.parameter()? {
                offer.take(name, value.as_ref().map(Value::as_bytes));
            }
            // The rest is read too: what is no list fails as a whole.
            if name == b"permessage-deflate" && agreed.is_none() {
                agreed = offer.accepted();
            }
        }
    }
    Ok(agreed)
}

/// One offer, while its parameters come in.
struct Offer {
    seen: [bool; 4],
    is_sound: bool,
    window_bits: u8,
    /// The client has named a largest window, so the answer must name one too.
    asked: bool,
}

impl Offer {
    fn new(window_bits: u8) -> Self {
        Self {
            seen: [false; 4],
            is_sound: true,
            window_bits,
            asked: false,
        }
    }

    /// A parameter that is unknown, comes twice or has no value that it may have makes this offer
    /// one to be declined (RFC 7692, section 7.1).
    fn take(&mut self, name: &[u8], value: Option<&[u8]>) {
        let (at, is_sound) = match name {
            b"server_no_context_takeover" => (0, value.is_none()),
            b"client_no_context_takeover" => (1, value.is_none()),
            b"server_max_window_bits" => {
                let bits = value.and_then(window_bits);
                self.asked = true;
                self.window_bits = bits.unwrap_or_default().min(self.window_bits);
                (2, bits.is_some())
            }
            // A hint: whatever window the client deflates with can be inflated.
            b"client_max_window_bits" => (3, value.is_none_or(|bits| window_bits(bits).is_some())),
            _ => {
                self.is_sound = false;
                return;
            }
        };
        self.is_sound &= is_sound && !self.seen[at];
        self.seen[at] = true;
    }

    fn accepted(&self) -> Option<Agreed> {
        let agreed = Agreed {
            window_bits: self.window_bits,
            named: self.asked || self.window_bits < WINDOW_BITS_MAX,
        };
        (self.is_sound && self.window_bits >= WINDOW_BITS_MIN).then_some(agreed)
    }
}

/// A decimal from 8 to 15 without leading zeros (RFC 7692, sections 7.1.2.1 and 7.1.2.2).
fn window_bits(value: &[u8]) -> Option<u8> {
    match *value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// A list of extensions, read from its front.
struct List<'a> {
    rest: &'a [u8],
}

impl<'a> List<'a> {
    /// The next extension's name; `None` at the end of the list.
    fn extension(&mut self) -> Result<Option<&'a [u8]>, BadOffer> {
        // Empty elements count for nothing (RFC 9110, section 5.6.1).
        while self.skip(b',') {}
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.token().map(Some)
    }

    /// The next parameter of the extension; `None` behind its last.
    fn parameter(&mut self) -> Result<Option<Parameter<'a>>, BadOffer> {
        if !self.skip(b';') {
            self.blanks();
            return match self.rest {
                [] | [b',', ..] => Ok(None),
                _ => Err(BadOffer),
            };
        }
        let name = self.token()?;
        let value = match self.skip(b'=') {
            true => Some(self.value()?),
            false => None,
        };
        Ok(Some((name, value)))
    }

    fn value(&mut self) -> Result<Value<'a>, BadOffer> {
        self.blanks();
        let [b'"', rest @ ..] = self.rest else {
            return self.token().map(Value::Plain);
        };
        let mut bytes = Vec::new();
        let mut rest = rest;
        loop {
            rest = match *rest {
                [b'"', ref behind @ ..] => {
                    self.rest = behind;
                    break;
                }
                [b'\\', byte, ref behind @ ..] | [byte, ref behind @ ..] if is_token(byte) => {
                    bytes.push(byte);
                    behind
                }
                // What is quoted has to be a token too (RFC 6455, section 9.1).
                _ => return Err(BadOffer),
            };
        }
        match bytes.is_empty() {
            true => Err(BadOffer),
            false => Ok(Value::Quoted(bytes)),
        }
    }

    fn token(&mut self) -> Result<&'a [u8], BadOffer> {
        self.blanks();
        let end = self.rest.iter().position(|byte| !is_token(*byte));
        let (token, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        match token.is_empty() {
            true => Err(BadOffer),
            false => Ok(token),
        }
    }

    fn skip(&mut self, mark: u8) -> bool {
        self.blanks();
        let found = self.rest.first() == Some(&mark);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}

/// A parameter: its name, and its value if it has one.
type Parameter<'a> = (&'a [u8], Option<Value<'a>>);

/// A parameter's value.
enum Value<'a> {
    Plain(&'a [u8]),
    Quoted(Vec<u8>),
}

impl Value<'_> {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Quoted(bytes) => bytes,
        }
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    fn answer(fields: &[&str], ours: &Deflate) -> Result<Option<String>, BadOffer> {
        let fields = fields.iter().map(|field| field.as_bytes());
        agree(fields, ours).map(|agreed| agreed.map(|agreed| agreed.to_string()))
    }

    fn answer_of(field: &str) -> Result<Option<String>, BadOffer> {
        answer(&[field], &Deflate::default())
    }

    fn with_bits(bits: u8) -> String {
        format!("{BARE}; server_max_window_bits={bits}")
    }

    // RFC 7692, sections 5.1 and 7.1
    #[test]
    fn offers_that_are_taken() {
        for field in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate;client_max_window_bits=15",
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate ; client_max_window_bits = \"10\"",
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "\tpermessage-deflate\t",
            "x-other; a=b; c, permessage-deflate",
            "permessage-deflate, permessage-deflate; server_max_window_bits=10",
            ", ,permessage-deflate,",
        ] {
            assert_eq!(answer_of(field), Ok(Some(BARE.to_owned())), "{field}");
        }
    }

    // RFC 7692, section 7.1.2.1: an answer to it names the same window or a smaller one.
    #[test]
    fn the_window_is_the_smaller_one_of_both() {
        let offer = |bits| format!("permessage-deflate; server_max_window_bits={bits}");
        for bits in 9..=15 {
            assert_eq!(answer_of(&offer(bits)), Ok(Some(with_bits(bits))), "{bits}");
        }
        let quoted = "permessage-deflate; server_max_window_bits=\"1\\0\"";
        assert_eq!(answer_of(quoted), Ok(Some(with_bits(10))));
        let ours = Deflate {
            window_bits: 11,
            ..Deflate::default()
        };
        for (field, bits) in [
            (offer(15), 11),
            (offer(11), 11),
            (offer(9), 9),
            // It may be named though the client did not ask.
            ("permessage-deflate".to_owned(), 11),
        ] {
            let answer = answer(&[&field], &ours);
            assert_eq!(answer, Ok(Some(with_bits(bits))), "{field}");
        }
    }

    // RFC 7692, section 7.1: such an offer is declined, and the next one is looked at.
    #[test]
    fn offers_that_are_declined() {
        for parameters in [
            "unknown",
            "unknown=1",
            "Server_no_context_takeover",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "server_no_context_takeover; server_no_context_takeover",
            "client_no_context_takeover; client_no_context_takeover",
            "client_max_window_bits; client_max_window_bits=10",
            "server_max_window_bits=10; server_max_window_bits=10",
            "server_max_window_bits",
            "server_max_window_bits=8", // allowed, but zlib cannot deflate so
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=010",
            "server_max_window_bits=1",
            "server_max_window_bits=100",
            "server_max_window_bits=ten",
            "server_max_window_bits=-9",
            "client_max_window_bits=7",
            "client_max_window_bits=16",
            "client_max_window_bits=08",
        ] {
            let field = format!("permessage-deflate; {parameters}");
            assert_eq!(answer_of(&field), Ok(None), "{field}");
            let next = format!("{field}, permessage-deflate; server_max_window_bits=12");
            assert_eq!(answer_of(&next), Ok(Some(with_bits(12))), "{next}");
        }
        for field in [
            "",
            "  ",
            ",",
            "x-webkit-deflate-frame",
            "Permessage-Deflate",
        ] {
            assert_eq!(answer_of(field), Ok(None), "{field}");
        }
    }

    // RFC 6455, section 9.1
    #[test]
    fn several_fields_are_one_list() {
        let ours = Deflate::default();
        let fields = ["x-other", "permessage-deflate; bad", "permessage-deflate"];
        assert_eq!(answer(&fields, &ours), Ok(Some(BARE.to_owned())));
        assert_eq!(answer(&[], &ours), Ok(None));
    }

    // RFC 6455, section 9.1
    #[test]
    fn what_is_no_list_fails() {
        for field in [
            ";",
            "permessage-deflate;",
            "permessage-deflate; =1",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=\"10",
            "permessage-deflate; server_max_window_bits=\"\"",
            "permessage-deflate; server_max_window_bits=\"1 0\"",
            "permessage-deflate; server_max_window_bits=\"10\\",
            "permessage-deflate; server_max_window_bits=\"1,0\"",
            "permessage-deflate; server_max_window_bits=10 11",
            "permessage-deflate permessage-deflate",
            "permessage-deflate, \"quoted\"",
            "permessage-deflate; a=b=c",
            "permessage-deflate/1",
            "perm\u{e9}ssage-deflate",
        ] {
            assert_eq!(answer_of(field), Err(BadOffer), "{field}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_have_an_answer(field: Vec<u8>) {
            let _ = agree([&*field].into_iter(), &Deflate::default());
        }

        #[test]
        fn any_list_of_words_has_an_answer_that_can_be_kept(
            words in proptest::collection::vec(
                proptest::sample::select(vec![
                    "permessage-deflate", "; ", ", ", "=", "server_max_window_bits", "9", "15",
                    "8", "\"", "client_max_window_bits", "server_no_context_takeover", " ",
                ]),
                0..20,
            )
        ) {
            let field = words.concat();
            let agreed = agree([field.as_bytes()].into_iter(), &Deflate::default());
            if let Ok(Some(agreed)) = agreed {
                proptest::prop_assert!((9..=15).contains(&agreed.window_bits));
            }
        }
    }
}
