//! Signatures: channel subscriptions (section 4.1), sign-ins (4.2) and REST requests (4.3).
//!
//! A [`Signer`] holds the app's keyed HMAC state, so that a check costs the hashing of the text
//! and no more. Digests are compared in constant time; the text that was signed is always the
//! text that arrived, never a re-serialisation.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Checks and makes signatures with one app's secret.
#[derive(Clone)]
pub struct Signer {
    keyed: Hmac<Sha256>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(..)")
    }
}

impl Signer {
    /// The key is the secret's UTF-8 bytes.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        let keyed = Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        Self { keyed }
    }

    /// Whether `hex` is the digest of the parts in a row. Upper-case digits are refused, as
    /// every server SDK sends lower-case ones.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], hex: &str) -> bool {
        let mut digest = [0u8; 32];
        let lower = !hex.bytes().any(|byte| byte.is_ascii_uppercase());
        if !lower || hex::decode_to_slice(hex, &mut digest).is_err() {
            return false;
        }
        self.mac(parts).verify_slice(&digest).is_ok()
    }

    /// The digest of the parts in a row, as 64 lower-case hex digits.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> String {
        hex::encode(self.mac(parts).finalize().into_bytes())
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

/// Whether `auth` (`KEY:SIGNATURE`) lets the connection `socket_id` into `channel`.
///
/// `channel_data` is part of the signed text whenever it was sent, on private channels too
/// (rule A3), and the key must be the app's (A2).
#[must_use]
pub fn channel_is_signed(
    signer: &Signer,
    key: &str,
    auth: &str,
    socket_id: &str,
    channel: &str,
    channel_data: Option<&str>,
) -> bool {
    let Some(signature) = signature_of(auth, key) else {
        return false;
    };
    let (separator, data) = match channel_data {
        Some(data) => (":", data),
        None => ("", ""),
    };
    let parts = [socket_id, ":", channel, separator, data].map(str::as_bytes);
    signer.verify(&parts, signature)
}

/// Whether `auth` (`KEY:SIGNATURE`) lets the connection `socket_id` sign in as the user of
/// `user_data`.
#[must_use]
pub fn user_is_signed(
    signer: &Signer,
    key: &str,
    auth: &str,
    socket_id: &str,
    user_data: &str,
) -> bool {
    let parts = [socket_id, "::user::", user_data].map(str::as_bytes);
    signature_of(auth, key).is_some_and(|signature| signer.verify(&parts, signature))
}

/// The signature, if the key in front of it is the app's (A2).
fn signature_of<'a>(auth: &'a str, key: &str) -> Option<&'a str> {
    let (auth_key, signature) = auth.split_once(':')?;
    (auth_key == key).then_some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap()
    }

    fn accepts(entry: &Value, app: &Value) -> bool {
        let signer = Signer::new(app["secret"].as_str().unwrap());
        channel_is_signed(
            &signer,
            app["key"].as_str().unwrap(),
            entry["auth"].as_str().unwrap(),
            entry["socket_id"].as_str().unwrap(),
            entry["channel"].as_str().unwrap(),
            entry["channel_data"].as_str(),
        )
    }

    #[test]
    fn every_channel_signature_of_the_vectors() {
        let vectors = vectors();
        let entries = vectors["channel_auth"].as_array().unwrap();
        assert_eq!(entries.len(), 17);
        for entry in entries {
            let app = &vectors["apps"][entry["app"].as_str().unwrap()];
            assert!(accepts(entry, app), "{entry}");
            let signer = Signer::new(app["secret"].as_str().unwrap());
            let text = entry["string_to_sign"].as_str().unwrap();
            assert_eq!(
                signer.sign(&[text.as_bytes()]),
                entry["signature"].as_str().unwrap()
            );
        }
        let negative = vectors["channel_auth_negative"].as_array().unwrap();
        assert_eq!(negative.len(), 10);
        for entry in negative {
            let app = &vectors["apps"][entry["app"].as_str().unwrap()];
            assert!(!accepts(entry, app), "{entry}");
        }
    }

    #[test]
    fn every_user_signature_of_the_vectors() {
        // Section 4.2. The last three are signed well and are no users.
        let vectors = vectors();
        let accepts = |entry: &Value| {
            let app = &vectors["apps"][entry["app"].as_str().unwrap()];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let signer = Signer::new(&text(&app["secret"]));
            let (key, auth) = (text(&app["key"]), text(&entry["auth"]));
            let (socket_id, user_data) = (text(&entry["socket_id"]), text(&entry["user_data"]));
            user_is_signed(&signer, &key, &auth, &socket_id, &user_data)
        };
        let entries = vectors["user_auth"].as_array().unwrap();
        assert_eq!(entries.len(), 5);
        assert!(entries.iter().all(accepts));
        let negative = vectors["user_auth_negative"].as_array().unwrap();
        let accepted: Vec<&str> = negative
            .iter()
            .filter(|entry| accepts(entry))
            .map(|entry| entry["id"].as_str().unwrap())
            .collect();
        assert_eq!(negative.len(), 6);
        assert_eq!(accepted, ["no-id", "numeric-id", "empty-id"]);
    }

    #[test]
    fn malformed_digests_are_refused() {
        let signer = Signer::new("s");
        let good = signer.sign(&[b"a"]);
        assert!(signer.verify(&[b"a"], &good));
        assert!(!signer.verify(&[b"a"], &good.to_uppercase()));
        assert!(!signer.verify(&[b"a"], &good[..63]));
        assert!(!signer.verify(&[b"a"], &format!("{good}0")));
        assert!(!signer.verify(&[b"a"], ""));
        assert!(!signer.verify(&[b"a"], &"ü".repeat(32)));
    }

    #[test]
    fn a_signer_prints_nothing_secret() {
        assert_eq!(format!("{:?}", Signer::new("canary")), "Signer(..)");
    }

    // R20
    #[test]
    fn every_digit_of_a_signature_counts() {
        let signer = Signer::new("secret");
        let good = signer.sign(&[b"a"]);
        for at in 0..good.len() {
            let other = if &good[at..=at] == "0" { "1" } else { "0" };
            let mut wrong = good.clone();
            wrong.replace_range(at..=at, other);
            assert!(!signer.verify(&[b"a"], &wrong), "digit {at}");
            assert!(!signer.verify(&[b"a"], &good[..at]), "{at} digits");
        }
        assert!(signer.verify(&[b"a"], &good));
    }

    /// Of time, no test can tell a comparison that stops at the first difference: it would be a
    /// nanosecond in a microsecond. So this looks at the code: it is `hmac` that compares, which
    /// promises constant time, and nothing beside it looks at what the digits say.
    // R20
    #[test]
    fn signatures_are_compared_by_what_promises_constant_time() {
        let (code, _) = include_str!("auth.rs").split_once("#[cfg(test)]").unwrap();
        let (_, from) = code.split_once("    pub fn verify(").unwrap();
        let (verify, others) = from.split_once("\n    }\n").unwrap();
        assert!(verify.ends_with("self.mac(parts).verify_slice(&digest).is_ok()"));
        for early in ["==", "!=", "eq(", "cmp(", "starts_with", "position"] {
            assert!(!verify.contains(early), "{early} in{verify}");
        }
        // All that is signed goes through it, and a signature is made only to be sent.
        assert_eq!(others.matches("signer.verify(").count(), 2);
        assert_eq!(others.matches(".mac(").count(), 1);
        assert_eq!(others.matches(".sign(").count(), 0);
    }
}
