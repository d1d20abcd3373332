//! Signatures of an app's own backend: channel tokens and REST requests.

use super::server::NOW;
use md5::{Digest, Md5};
use shardcast::app::App;
use shardcast::protocol::auth::Signer;
use std::time::{SystemTime, UNIX_EPOCH};

/// One app's credentials.
#[derive(Clone, Debug)]
pub struct Keys {
    pub id: String,
    pub key: String,
    signer: Signer,
    /// Tells when a request is signed.
    clock: fn() -> u64,
}

impl Keys {
    /// Those of an app.
    pub fn of(app: &App) -> Self {
        Self::new(&app.id, &app.key, app.secret.expose())
    }

    /// Those that were written down.
    pub fn new(id: &str, key: &str, secret: &str) -> Self {
        let (id, key) = (id.to_owned(), key.to_owned());
        let signer = Signer::new(secret);
        let clock = || NOW;
        Self {
            id,
            key,
            signer,
            clock,
        }
    }

    /// Those, for a server that asks the machine what time it is.
    pub fn of_today(self) -> Self {
        self.by_clock(today)
    }

    /// Those, by another clock.
    pub fn by_clock(mut self, clock: fn() -> u64) -> Self {
        self.clock = clock;
        self
    }

    /// The token that lets a connection into a channel (section 4.1).
    pub fn token(&self, socket_id: &str, channel: &str, channel_data: Option<&str>) -> String {
        let text = match channel_data {
            Some(data) => format!("{socket_id}:{channel}:{data}"),
            None => format!("{socket_id}:{channel}"),
        };
        format!("{}:{}", self.key, self.signer.sign(&[text.as_bytes()]))
    }

    /// The token that lets a connection sign in as a user (section 4.2).
    pub fn user_token(&self, socket_id: &str, user_data: &str) -> String {
        let text = format!("{socket_id}::user::{user_data}");
        format!("{}:{}", self.key, self.signer.sign(&[text.as_bytes()]))
    }

    /// A request's path with its signed query (section 4.3), made at [`NOW`] unless these are
    /// [of today](Self::of_today).
    pub fn target(
        &self,
        method: &str,
        path: &str,
        parameters: &[(&str, &str)],
        body: &[u8],
    ) -> String {
        self.target_at((self.clock)(), method, path, parameters, body)
    }

    /// Same, made at that time.
    pub fn target_at(
        &self,
        now: u64,
        method: &str,
        path: &str,
        parameters: &[(&str, &str)],
        body: &[u8],
    ) -> String {
        let mut pairs: Vec<(String, String)> = parameters
            .iter()
            .map(|(name, value)| (name.to_lowercase(), (*value).to_owned()))
            .collect();
        pairs.push(("auth_key".into(), self.key.clone()));
        pairs.push(("auth_timestamp".into(), now.to_string()));
        pairs.push(("auth_version".into(), "1.0".into()));
        if !body.is_empty() {
            pairs.push(("body_md5".into(), hex::encode(Md5::digest(body))));
        }
        pairs.sort();
        let joined = |encode: fn(&str) -> String| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| format!("{name}={}", encode(value)));
            pairs.collect::<Vec<_>>().join("&")
        };
        let text = format!("{method}\n{path}\n{}", joined(str::to_owned));
        let signature = self.signer.sign(&[text.as_bytes()]);
        format!("{path}?{}&auth_signature={signature}", joined(encoded))
    }
}

/// What time it is, in seconds since 1970.
pub fn today() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is after 1970").as_secs()
}

/// Percent-encodes everything that is not a letter or digit.
fn encoded(value: &str) -> String {
    let byte = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    value.bytes().map(byte).collect()
}
