//! Is this request signed by the app's backend? (sections 4.3 and 8.2, checks 4 to 8)

use crate::http::query::{self, Plus};
use crate::hub::Tenant;
use md5::{Digest, Md5};
use std::borrow::Cow;

/// Why a request is not believed; all of them answer 401.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// `auth_key` is missing.
    NoKey,
    /// `auth_key` is not this app's.
    UnknownKey,
    /// `auth_version` is missing.
    NoVersion,
    /// `auth_version` is not 1.0.
    Version,
    /// `auth_timestamp` is missing or no number.
    NoTimestamp,
    /// `auth_timestamp` is too far away from the clock (A10).
    Expired {
        /// What was sent.
        sent: u64,
        /// What the clock says.
        now: u64,
        /// How far it may be away.
        window: u64,
    },
    /// There is a body and no `body_md5`.
    NoBodyMd5,
    /// `body_md5` is another body's (A9).
    BodyMd5,
    /// `auth_signature` is missing.
    NoSignature,
    /// `auth_signature` is not that of the text.
    Signature {
        /// The text that should have been signed; it holds no secret.
        text: String,
    },
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoKey => f.write_str("Missing parameter: auth_key"),
            Self::UnknownKey => f.write_str("Unknown auth_key"),
            Self::NoVersion => f.write_str("Version required"),
            Self::Version => f.write_str("Version not supported"),
            Self::NoTimestamp => f.write_str("Timestamp required"),
            Self::Expired { sent, now, window } => write!(
                f,
                "Timestamp expired: Given timestamp ({sent}) not within {window}s of server time \
                 ({now})"
            ),
            Self::NoBodyMd5 => f.write_str("body_md5 required"),
            Self::BodyMd5 => f.write_str("Invalid body_md5"),
            Self::NoSignature => f.write_str("Missing parameter: auth_signature"),
            Self::Signature { text } => write!(
                f,
                "Invalid signature: you should have sent HmacSHA256Hex({text:?}, your_secret_key)"
            ),
        }
    }
}

/// What was signed, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, still percent-encoded.
    pub path: &'a str,
    /// The query, still percent-encoded.
    pub query: &'a str,
    /// The body, not parsed yet: parsing changes it. `None` while it is still to come: nothing is
    /// said of it then.
    pub body: Option<&'a [u8]>,
}

/// What the server asks of a signature.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Seconds since 1970.
    pub now_s: u64,
    /// Largest difference between a request's time stamp and the clock, in seconds (A10); 0 looks
    /// at no clock (Q23).
    pub window_s: u64,
    /// What stands in front of `/apps`. SDKs that know of a prefix sign the path without it.
    pub prefix: &'a str,
}

/// A request that is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How its signer reads a `+` in the query.
    pub plus: Plus,
    /// The first half of its signature.
    pub signature: u128,
    /// The second that it was signed in.
    pub signed_s: u64,
}

/// The parameters that carry the proof.
#[derive(Default)]
struct Proof<'a> {
    key: Option<Cow<'a, [u8]>>,
    version: Option<Cow<'a, [u8]>>,
    timestamp: Option<Cow<'a, [u8]>>,
    body_md5: Option<Cow<'a, [u8]>>,
    signature: Option<Cow<'a, [u8]>>,
}

/// Checks that the app's backend signed this request, and not too long ago.
///
/// # Errors
/// [`Refused`], in the order of section 8.2.
pub fn authenticate(
    tenant: &Tenant,
    request: Signed<'_>,
    rules: Rules<'_>,
) -> Result<Verified, Refused> {
    let Signed {
        method,
        path,
        query,
        body,
    } = request;
    let proof = Proof::read(query);
    let key = proof.key.ok_or(Refused::NoKey)?;
    if *key != *tenant.app.key.as_bytes() {
        return Err(Refused::UnknownKey);
    }
    if *proof.version.ok_or(Refused::NoVersion)? != *b"1.0" {
        return Err(Refused::Version);
    }
    let signed_s = check_clock(proof.timestamp.as_deref(), rules)?;
    if let Some(body) = body {
        check_digest(proof.body_md5.as_deref(), body)?;
    }
    let signature = proof.signature.ok_or(Refused::NoSignature)?;
    let signature = std::str::from_utf8(&signature).unwrap_or_default();
    let mut text = Vec::with_capacity(method.len() + path.len() + query.len() + 2);
    if let Some(plus) = signed_form(tenant, request, rules.prefix, signature, &mut text) {
        let mut half = [0; 16];
        hex::decode_to_slice(&signature[..32], &mut half).expect("64 digits were verified");
        return Ok(Verified {
            plus,
            signature: u128::from_be_bytes(half),
            signed_s,
        });
    }
    write_text(method, path, &mut text);
    query::canonical(query, Plus::Literal, &mut text);
    Err(Refused::Signature {
        text: String::from_utf8_lossy(&text).into_owned(),
    })
}

impl<'a> Proof<'a> {
    /// The first of each name counts; names are compared without case, as they are signed.
    fn read(query: &'a str) -> Self {
        let mut proof = Self::default();
        for (key, value) in query::parse(query, Plus::Literal) {
            let known = [
                ("auth_key", &mut proof.key),
                ("auth_version", &mut proof.version),
                ("auth_timestamp", &mut proof.timestamp),
                ("body_md5", &mut proof.body_md5),
                ("auth_signature", &mut proof.signature),
            ];
            let place = known
                .into_iter()
                .find(|(name, _)| key.eq_ignore_ascii_case(name.as_bytes()));
            if let Some((_, place)) = place {
                place.get_or_insert(value);
            }
        }
        proof
    }
}

fn check_clock(timestamp: Option<&[u8]>, rules: Rules<'_>) -> Result<u64, Refused> {
    let (now, window) = (rules.now_s, rules.window_s);
    let sent = timestamp
        .filter(|digits| digits.iter().all(u8::is_ascii_digit))
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok())
        .ok_or(Refused::NoTimestamp)?;
    if window > 0 && now.abs_diff(sent) > window {
        return Err(Refused::Expired { sent, now, window });
    }
    Ok(sent)
}

fn check_digest(body_md5: Option<&[u8]>, body: &[u8]) -> Result<(), Refused> {
    let Some(sent) = body_md5 else {
        return if body.is_empty() {
            Ok(())
        } else {
            Err(Refused::NoBodyMd5)
        };
    };
    let mut digest = [0; 16];
    match hex::decode_to_slice(sent, &mut digest) {
        Ok(()) if *Md5::digest(body) == digest => Ok(()),
        _ => Err(Refused::BodyMd5),
    }
}

/// Tries the forms that SDKs are known to sign: the path as sent and decoded (A6), with and without
/// the server's prefix, `+` as itself and as a space (A5), arrays as they are and joined (A11). The
/// first fits nearly always.
fn signed_form(
    tenant: &Tenant,
    request: Signed<'_>,
    prefix: &str,
    signature: &str,
    text: &mut Vec<u8>,
) -> Option<Plus> {
    let Signed {
        method,
        path,
        query,
        ..
    } = request;
    let decoded = query::decode_path(path).filter(|decoded| **decoded != *path);
    let whole = std::iter::once(path).chain(decoded.as_deref());
    let bare = whole.clone().filter_map(|path| path.strip_prefix(prefix));
    for path in whole.chain(bare.filter(|_| !prefix.is_empty())) {
        for plus in [Plus::Literal, Plus::Space] {
            write_text(method, path, text);
            query::canonical(query, plus, text);
            if tenant.signer.verify(&[text], signature) {
                return Some(plus);
            }
            write_text(method, path, text);
            if query::canonical_joined(query, plus, text)
                && tenant.signer.verify(&[text], signature)
            {
                return Some(plus);
            }
            if !query.contains('+') {
                break;
            }
        }
    }
    None
}

fn write_text(method: &str, path: &str, text: &mut Vec<u8>) {
    text.clear();
    text.extend_from_slice(method.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(path.as_bytes());
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../tests/vectors.json")).unwrap()
    }

    fn tenant(app: &Value) -> Tenant {
        let text = |key: &str| app[key].as_str().unwrap();
        Tenant::new(App::new(text("id"), text("key"), text("secret")))
    }

    fn check(
        vectors: &Value,
        entry: &Value,
        app: &str,
        target: &str,
        now: u64,
    ) -> Result<(), Refused> {
        let tenant = tenant(&vectors["apps"][app]);
        let (path, query) = target.split_once('?').unwrap();
        let body = entry["body"].as_str().unwrap_or_default().as_bytes();
        let method = entry["method"].as_str().unwrap();
        let request = Signed {
            method,
            path,
            query,
            body: Some(body),
        };
        let whole = authenticate(&tenant, request, rules(now)).map(drop);
        // Who is believed with the body is believed before it came.
        let early = Signed {
            body: None,
            ..request
        };
        let early = authenticate(&tenant, early, rules(now)).map(drop);
        let of_body = matches!(whole, Err(Refused::NoBodyMd5 | Refused::BodyMd5));
        assert_eq!(early.is_ok(), whole.is_ok() || of_body, "{target}");
        whole
    }

    fn rules(now_s: u64) -> Rules<'static> {
        Rules {
            now_s,
            window_s: 600,
            prefix: "",
        }
    }

    #[test]
    fn every_signed_request_of_the_vectors() {
        let vectors = vectors();
        let entries = vectors["rest"].as_array().unwrap();
        assert_eq!(entries.len(), 15);
        for entry in entries {
            let now = entry["server_time"].as_u64().unwrap_or(1_353_088_184);
            for target in entry["targets"].as_array().unwrap() {
                let app = entry["app"].as_str().unwrap();
                let got = check(&vectors, entry, app, target.as_str().unwrap(), now);
                assert_eq!(got, Ok(()), "{}: {target}", entry["id"]);
            }
        }
    }

    #[test]
    fn every_unsigned_request_of_the_vectors() {
        let vectors = vectors();
        let entries = vectors["rest_negative"].as_array().unwrap();
        assert_eq!(entries.len(), 11);
        for entry in entries {
            let now = entry["server_time"].as_u64().unwrap();
            let target = entry["targets"][0].as_str().unwrap();
            // Whose app it is stands in the path.
            let id = target.split('/').nth(2).unwrap();
            let apps = vectors["apps"].as_object().unwrap();
            let (app, _) = apps.iter().find(|(_, app)| app["id"] == id).unwrap();
            assert!(
                check(&vectors, entry, app, target, now).is_err(),
                "{}",
                entry["id"]
            );
        }
    }

    #[test]
    fn the_window_is_600_seconds_in_either_direction() {
        // A10; rest_boundary leaves 600 itself open: we accept it.
        let vectors = vectors();
        let boundary = &vectors["rest_boundary"];
        let entry = vectors["rest"].as_array().unwrap();
        let entry = entry
            .iter()
            .find(|entry| entry["id"] == boundary["base"])
            .unwrap();
        let target = entry["targets"][0].as_str().unwrap();
        let signed = entry["auth_timestamp"].as_u64().unwrap();
        assert_eq!(boundary["server_time"].as_u64().unwrap(), signed + 600);
        for (now, fine) in [
            (signed - 601, false),
            (signed - 600, true),
            (signed + 599, true),
            (signed + 600, true),
            (signed + 601, false),
        ] {
            let got = check(&vectors, entry, "docs", target, now);
            assert_eq!(got.is_ok(), fine, "{now}: {got:?}");
        }
    }

    #[test]
    fn the_window_is_what_the_rules_say() {
        // Q23: wider, narrower, off
        for (window_s, sent, fine) in [
            (1, 999, true),
            (1, 998, false),
            (86_400, 1000 + 86_400, true),
            (86_400, 1000 + 86_401, false),
            (0, 0, true),
            (0, u64::MAX, true),
        ] {
            let rules = Rules {
                window_s,
                ..rules(1000)
            };
            let sent = sent.to_string();
            let got = check_clock(Some(sent.as_bytes()), rules);
            assert_eq!(got.is_ok(), fine, "{window_s}: {sent}");
        }
        let off = Rules {
            window_s: 0,
            ..rules(1000)
        };
        assert_eq!(check_clock(None, off), Err(Refused::NoTimestamp));
        assert_eq!(check_clock(Some(b"x"), off), Err(Refused::NoTimestamp));
    }

    #[test]
    fn a_path_is_signed_with_the_prefix_or_without() {
        let tenant = Tenant::new(App::new("1", "key", "secret"));
        let unsigned = "auth_key=key&auth_timestamp=100&auth_version=1.0";
        let verify = |signed: &str, sent: &str| {
            let text = format!("GET\n{signed}\n{unsigned}");
            let signature = tenant.signer.sign(&[text.as_bytes()]);
            let query = format!("{unsigned}&auth_signature={signature}");
            let request = Signed {
                method: "GET",
                path: sent,
                query: &query,
                body: Some(b""),
            };
            let rules = Rules {
                prefix: "/ws",
                ..rules(100)
            };
            authenticate(&tenant, request, rules).is_ok()
        };
        for signed in ["/ws/apps/1/channels/a=b", "/apps/1/channels/a=b"] {
            assert!(verify(signed, "/ws/apps/1/channels/a=b"), "{signed}");
            assert!(verify(signed, "/ws/apps/1/channels/a%3Db"), "{signed}");
        }
        assert!(!verify("/channels/a=b", "/ws/apps/1/channels/a=b"));
        assert!(!verify("/ws/apps/1/channels", "/apps/1/channels"));
    }

    #[test]
    fn md5_of_the_vectors() {
        for entry in vectors()["md5"].as_array().unwrap() {
            let body = entry["body"].as_str().unwrap().as_bytes();
            let md5 = entry["md5"].as_str().unwrap().as_bytes();
            assert_eq!(check_digest(Some(md5), body), Ok(()), "{entry}");
            assert_eq!(check_digest(Some(md5), b"other"), Err(Refused::BodyMd5));
        }
        assert_eq!(check_digest(None, b""), Ok(()));
        assert_eq!(check_digest(None, b"x"), Err(Refused::NoBodyMd5));
        assert_eq!(check_digest(Some(b"nope"), b""), Err(Refused::BodyMd5));
    }

    #[test]
    fn the_answer_tells_what_to_sign_and_nothing_secret() {
        let app = App::new("1", "key", "canary");
        let tenant = Tenant::new(app);
        let query = "auth_key=key&auth_timestamp=100&auth_version=1.0&auth_signature=00";
        let request = Signed {
            method: "GET",
            path: "/apps/1/channels",
            query,
            body: Some(b""),
        };
        let refused = authenticate(&tenant, request, rules(100)).unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains(r"GET\n/apps/1/channels\nauth_key=key&auth_timestamp=100"),
            "{text}"
        );
        assert!(!text.contains("canary"));
    }
}
