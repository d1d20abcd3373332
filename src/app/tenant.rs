//! The app itself: credentials, switches, limits.

use super::webhook::Webhook;
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
    /// Whether clients have to connect over TLS; others are closed with 4000 (H7), and pusher-js
    /// comes back over TLS by itself. Backends may do as they like. Default `false`.
    pub tls_only: bool,
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
    /// What a client is told when `max_connections` are taken (Q4). Default 4004.
    pub quota_close: QuotaClose,
    /// Hosts a browser's page may come from, each with `*` for any run of characters. Default
    /// empty: every origin, and none at all, is welcome.
    pub allowed_origins: Vec<String>,
    /// Most events in one second from backends, over all shards; an event for several channels
    /// counts for each. Default `None`: no limit.
    pub backend_events_per_second: Option<u32>,
    /// Most reading requests in one second from backends, over all shards. Default `None`.
    pub read_requests_per_second: Option<u32>,
    /// Most characters in a channel's name, prefix included. Default 200.
    pub channel_name_chars: usize,
    /// Most characters, not bytes, in an event's name. Default 200.
    pub event_name_chars: usize,
    /// Most channels of one publish request. Default 100.
    pub channels_per_event: usize,
    /// Most events of one batch. Default 10.
    pub batch_events: usize,
    /// Seconds a cache channel's last event is kept (C4). Default 1800.
    pub cache_ttl_s: u32,
    /// Whether subscribers are told how many they are (section 3.7). Default `false`.
    pub subscription_count: bool,
    /// Whether a second subscribe to the same channel is an error, as on pusher.com (Q7). Default
    /// `false`: it succeeds again.
    pub strict_subscribe: bool,
    /// Which frames tell a client that a subscription failed (section 3.2). Default both.
    pub subscription_errors: SubscriptionErrors,
    /// Whether a connection must sign in or join a private or presence channel in time
    /// (section 7.4). Default `false`.
    pub user_authentication: bool,
    /// Whether users are told who of their watchlist is online (section 7.3). Default `false`.
    pub watchlist: bool,
    /// Whether terminating a user also ends connections that are a presence member of that id
    /// without having signed in (Q20). Default `false`.
    pub terminate_presence_members: bool,
    /// Who is told what happens (section 9). Default nobody.
    pub webhooks: Vec<Webhook>,
}

/// How a connection past the app's quota is refused (Q4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QuotaClose {
    /// 4004: clients stay away, as on pusher.com.
    #[default]
    OverQuota,
    /// 4100: clients come back when there may be room, as with soketi.
    OverCapacity,
}

/// How a client is told that a subscription failed (section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubscriptionErrors {
    /// `pusher:subscription_error`, then `pusher:error`: every official client sees one of them.
    #[default]
    Both,
    /// `pusher:subscription_error` alone, as soketi sends it.
    SubscriptionError,
    /// `pusher:error` alone, as pusher.com sends it.
    Error,
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
            tls_only: false,
            client_events: false,
            max_connections: None,
            activity_timeout_s: 120,
            client_events_per_second: Some(10),
            event_data_bytes: 10_240,
            presence_members: 100,
            presence_member_bytes: 2048,
            allow_client_events_on_public: false,
            quota_close: QuotaClose::default(),
            allowed_origins: Vec::new(),
            backend_events_per_second: None,
            read_requests_per_second: None,
            channel_name_chars: 200,
            event_name_chars: 200,
            channels_per_event: 100,
            batch_events: 10,
            cache_ttl_s: 1800,
            subscription_count: false,
            strict_subscribe: false,
            subscription_errors: SubscriptionErrors::default(),
            user_authentication: false,
            watchlist: false,
            terminate_presence_members: false,
            webhooks: Vec::new(),
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
