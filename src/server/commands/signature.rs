//! What a backend signs: tokens for channels and users (sections 4.1, 4.2), requests (4.3).
//!
//! Pure: the time is a parameter.

use crate::app::App;
use crate::http::query::{self, Plus};
use crate::protocol::auth::Signer;
use md5::{Digest, Md5};

/// The token that lets a connection into a channel; `data` is the member of a presence channel.
pub(super) fn channel(app: &App, socket_id: &str, channel: &str, data: Option<&str>) -> String {
    let (separator, data) = match data {
        Some(data) => (":", data),
        None => ("", ""),
    };
    token(app, &[socket_id, ":", channel, separator, data])
}

/// The token that lets a connection sign in as the user of `data`.
pub(super) fn user(app: &App, socket_id: &str, data: &str) -> String {
    token(app, &[socket_id, "::user::", data])
}

fn token(app: &App, parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    let signature = Signer::new(app.secret.expose()).sign(&parts);
    format!("{}:{signature}", app.key)
}

/// Percent-encodes whatever might mean something in a path or a query.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A request with its proof.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The query with the proof in it, as it goes out.
    pub(super) query: String,
    /// The text that was signed.
    pub(super) text: String,
}

/// Signs a request. `path` is percent-encoded as it goes out, without the server's prefix; `query`
/// too.
pub(super) fn request(
    app: &App,
    method: &str,
    (path, query): (&str, &str),
    body: &[u8],
    now_s: u64,
) -> Request {
    let join = if query.is_empty() { "" } else { "&" };
    let mut query = format!(
        "{query}{join}auth_key={}&auth_timestamp={now_s}&auth_version=1.0",
        encode(&app.key)
    );
    if !body.is_empty() {
        query += &format!("&body_md5={}", hex::encode(Md5::digest(body)));
    }
    let mut sorted = Vec::new();
    query::canonical(&query, Plus::Literal, &mut sorted);
    let sorted = String::from_utf8_lossy(&sorted);
    let text = format!("{method}\n{path}\n{sorted}");
    let signature = Signer::new(app.secret.expose()).sign(&[text.as_bytes()]);
    query += &format!("&auth_signature={signature}");
    Request { query, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../tests/vectors.json")).unwrap()
    }

    fn app(vectors: &Value, of: &Value) -> App {
        let app = &vectors["apps"][of["app"].as_str().unwrap()];
        let text = |key: &str| app[key].as_str().unwrap().to_owned();
        App::new(text("id"), text("key"), text("secret"))
    }

    fn list<'a>(vectors: &'a Value, name: &str) -> &'a Vec<Value> {
        let list = vectors[name].as_array().unwrap();
        assert!(!list.is_empty());
        list
    }

    // A1, A3
    #[test]
    fn channels_are_signed_as_the_sdks_sign_them() {
        let vectors = vectors();
        for vector in list(&vectors, "channel_auth") {
            let text = |key: &str| vector[key].as_str();
            let (socket_id, name) = (text("socket_id").unwrap(), text("channel").unwrap());
            let token = channel(
                &app(&vectors, vector),
                socket_id,
                name,
                text("channel_data"),
            );
            assert_eq!(Some(&token[..]), text("auth"), "{}", vector["id"]);
        }
    }

    #[test]
    fn users_are_signed_as_the_sdks_sign_them() {
        let vectors = vectors();
        for vector in list(&vectors, "user_auth") {
            let text = |key: &str| vector[key].as_str().unwrap();
            let token = user(&app(&vectors, vector), text("socket_id"), text("user_data"));
            assert_eq!(token, text("auth"), "{}", vector["id"]);
        }
    }

    // A5, A7
    #[test]
    fn requests_are_signed_as_the_sdks_sign_them() {
        let vectors = vectors();
        let mut compared = 0;
        for vector in list(&vectors, "rest") {
            let text = |key: &str| vector[key].as_str().unwrap_or("");
            let pairs = vector["params"].as_array().unwrap().iter();
            let text_of = |value: &Value| encode(value.as_str().unwrap());
            let pairs = pairs.map(|pair| format!("{}={}", text_of(&pair[0]), text_of(&pair[1])));
            let query = pairs.collect::<Vec<_>>().join("&");
            // Two SDKs have ways of their own, which need not be ours: one signs the body of
            // requests that have none (A9), one signs another query than it sends (A11).
            let has_own_way = text("body").is_empty() && !vector["body_md5"].is_null();
            if has_own_way || vector["id"] == "php-array-info" {
                continue;
            }
            let signed = request(
                &app(&vectors, vector),
                text("method"),
                (text("path"), &query),
                text("body").as_bytes(),
                vector["auth_timestamp"].as_u64().unwrap(),
            );
            assert_eq!(signed.text, text("string_to_sign"), "{}", vector["id"]);
            let proof = format!("auth_signature={}", text("auth_signature"));
            assert!(signed.query.ends_with(&proof), "{}", vector["id"]);
            compared += 1;
        }
        assert!(compared > 5);
    }
}
