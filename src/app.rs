//! An app: one tenant of the server, with its credentials and its limits.
//!
//! Floor 0, plain values. It is not where apps are looked up, counted or read from a file.
//! Invariant: a secret cannot be printed by accident, because [`AppSecret`] has no `Display` and
//! its `Debug` says only that there is one.

use std::fmt;

/// One app: what a client names in `/app/{key}` and a backend in `/apps/{id}`.
///
/// Limits are per app, so that one tenant's needs do not loosen another's. The documented defaults
/// are those of [`App::new`].
#[derive(Clone, Debug)]
pub struct App {
    /// The name backends use in `/apps/{id}`. Unique; printable ASCII fit for a URL path. The
    /// Python SDK takes only digits.
    pub id: String,
    /// The public name clients use in `/app/{key}`, and the first half of every `auth` token.
    /// Unique; printable ASCII fit for a URL path, without `:`.
    pub key: String,
    /// What channel tokens and REST requests are signed with.
    pub secret: AppSecret,
    /// Whether the app accepts anybody. Default `true`; when `false`, clients get 4003 and backends
    /// 403.
    pub enabled: bool,
    /// Whether clients may trigger `client-` events. Default `false`.
    pub client_events: bool,
    /// Most connections at the same time, over all shards. Default `None`: unlimited.
    pub max_connections: Option<u32>,
    /// Seconds of silence after which a client should ping, as told to it in
    /// `pusher:connection_established`. Default 120; at least 1, since pusher-js never connects
    /// when told 0.
    pub activity_timeout_s: u32,
    /// Most client events in one second from one connection. Default `Some(10)`; `None` is no
    /// limit.
    pub client_events_per_second: Option<u32>,
    /// Most bytes in one event's data, from a backend or a client. Default 10240.
    pub event_data_bytes: usize,
    /// Most distinct users in one presence channel. Default 100.
    pub presence_members: usize,
    /// Most bytes in one presence member's `user_info`. Default 2048.
    pub presence_member_bytes: usize,
    /// Whether `client-` events are relayed on public channels too, as soketi and Reverb do.
    /// Default `false`, as on pusher.com.
    pub allow_client_events_on_public: bool,
}

impl App {
    /// An app with these credentials and the default of everything else.
    ///
    /// The credentials are taken as they are; the configuration checks what comes from an operator.
    pub fn new(id: impl Into<String>, key: impl Into<String>, secret: impl Into<AppSecret>) -> App {
        App {
            id: id.into(),
            key: key.into(),
            secret: secret.into(),
            enabled: true,
            client_events: false,
            max_connections: None,
            activity_timeout_s: 120,
            client_events_per_second: Some(10),
            event_data_bytes: 10_240,
            presence_members: 100,
            presence_member_bytes: 2048,
            allow_client_events_on_public: false,
        }
    }
}

/// A signing key that does not let itself be printed.
#[derive(Clone)]
pub struct AppSecret(String);

impl AppSecret {
    /// The secret itself, for signing. Whoever calls this keeps it out of logs, errors and metrics.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for AppSecret {
    fn from(secret: String) -> AppSecret {
        AppSecret(secret)
    }
}

impl From<&str> for AppSecret {
    fn from(secret: &str) -> AppSecret {
        AppSecret(secret.to_owned())
    }
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // F29
    #[test]
    fn debug_output_hides_the_secret() {
        let app = App::new("1", "key", "canary-7f3a");
        let printed = format!("{app:?} {app:#?} {:?}", app.secret);
        assert!(!printed.contains("canary"), "{printed}");
        assert!(printed.contains("hidden"), "{printed}");
        assert_eq!(app.secret.expose(), "canary-7f3a");
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let app = App::new("1", "key", "secret");
        assert!(app.enabled && !app.client_events && !app.allow_client_events_on_public);
        assert_eq!(app.max_connections, None);
        assert_eq!(app.activity_timeout_s, 120);
        assert_eq!(app.client_events_per_second, Some(10));
        assert_eq!(app.event_data_bytes, 10_240);
        assert_eq!(
            (app.presence_members, app.presence_member_bytes),
            (100, 2048)
        );
    }
}
