//! Who is told what: the endpoints of an app's webhooks (section 9).

use std::fmt;

/// What a webhook may tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookKind {
    /// A channel has its first subscriber.
    ChannelOccupied,
    /// A channel has lost its last one.
    ChannelVacated,
    /// A user has come into a presence channel.
    MemberAdded,
    /// A user's last connection has left a presence channel.
    MemberRemoved,
    /// A client event was accepted.
    ClientEvent,
    /// Somebody subscribed to a cache channel that has no event.
    CacheMiss,
    /// The number of a channel's subscribers changed.
    SubscriptionCount,
    /// A user has signed in for the first time. Own, opt-in.
    UserOnline,
    /// A user's last signed-in connection is gone. Own, opt-in.
    UserOffline,
    /// A connection was opened. Own, opt-in.
    ConnectionOpened,
    /// A connection has ended. Own, opt-in.
    ConnectionClosed,
}

impl WebhookKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::ChannelOccupied,
        Self::ChannelVacated,
        Self::MemberAdded,
        Self::MemberRemoved,
        Self::ClientEvent,
        Self::CacheMiss,
        Self::SubscriptionCount,
        Self::UserOnline,
        Self::UserOffline,
        Self::ConnectionOpened,
        Self::ConnectionClosed,
    ];

    /// The name it has in a body and in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChannelOccupied => "channel_occupied",
            Self::ChannelVacated => "channel_vacated",
            Self::MemberAdded => "member_added",
            Self::MemberRemoved => "member_removed",
            Self::ClientEvent => "client_event",
            Self::CacheMiss => "cache_miss",
            Self::SubscriptionCount => "subscription_count",
            Self::UserOnline => "user_online",
            Self::UserOffline => "user_offline",
            Self::ConnectionOpened => "connection_opened",
            Self::ConnectionClosed => "connection_closed",
        }
    }

    /// What takes it back.
    #[must_use]
    pub const fn opposite(self) -> Option<Self> {
        Some(match self {
            Self::ChannelOccupied => Self::ChannelVacated,
            Self::ChannelVacated => Self::ChannelOccupied,
            Self::MemberAdded => Self::MemberRemoved,
            Self::MemberRemoved => Self::MemberAdded,
            Self::UserOnline => Self::UserOffline,
            Self::UserOffline => Self::UserOnline,
            _ => return None,
        })
    }

    /// Whether pusher.com does not know it: an endpoint gets it only when it asks by name.
    #[must_use]
    pub const fn is_own(self) -> bool {
        matches!(
            self,
            Self::UserOnline | Self::UserOffline | Self::ConnectionOpened | Self::ConnectionClosed
        )
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookKinds(u16);

const _: () = assert!(WebhookKind::ALL.len() <= 16);

impl WebhookKinds {
    /// What has to be known so that these endpoints can be told what they want: with an edge its
    /// opposite too, since the two together are not worth telling (K5).
    #[must_use]
    pub fn of(webhooks: &[Webhook]) -> Self {
        let wanted = |kind| webhooks.iter().any(|webhook| webhook.wants(kind, None));
        let told = WebhookKind::ALL
            .into_iter()
            .filter(|kind| wanted(*kind) || kind.opposite().is_some_and(wanted));
        Self(told.fold(0, |bits, kind| bits | 1 << kind as u16))
    }

    /// Whether it is in the set.
    #[must_use]
    pub const fn contains(self, kind: WebhookKind) -> bool {
        self.0 & 1 << kind as u16 != 0
    }
}

/// One endpoint that is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where to, `http` or `https`. What follows the host may be secret, so it is not printed.
    pub url: String,
    /// Of what; empty is everything that pusher.com tells of.
    pub events: Vec<WebhookKind>,
    /// Only of channels whose names begin so.
    pub channel_prefix: Option<String>,
    /// Only of channels whose names end so.
    pub channel_suffix: Option<String>,
    /// Sent with each request. Values may be secret, so they are not printed.
    pub headers: Vec<(String, String)>,
    /// Whether the endpoint may stand in a private network or on this machine. An operator who
    /// writes its address into a file may want that; a tenant who does must not have it.
    pub trusted: bool,
}

impl Webhook {
    /// An endpoint that is told everything pusher.com tells of, and is not trusted.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            events: Vec::new(),
            channel_prefix: None,
            channel_suffix: None,
            headers: Vec::new(),
            trusted: false,
        }
    }

    /// Whether this endpoint is told of such an event; `channel` is absent where there is none.
    #[must_use]
    pub fn wants(&self, kind: WebhookKind, channel: Option<&str>) -> bool {
        let listed = if self.events.is_empty() {
            !kind.is_own()
        } else {
            self.events.contains(&kind)
        };
        let prefix = self.channel_prefix.as_deref().unwrap_or_default();
        let suffix = self.channel_suffix.as_deref().unwrap_or_default();
        listed && channel.is_none_or(|name| name.starts_with(prefix) && name.ends_with(suffix))
    }
}

/// Scheme, host and port of a URL: what follows may be a token.
fn origin(url: &str) -> &str {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_at = if scheme.is_empty() {
        0
    } else {
        scheme.len() + 3
    };
    &url[..host_at + host.len()]
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Webhook")
            .field("url", &origin(&self.url))
            .field("events", &self.events)
            .field("channel_prefix", &self.channel_prefix)
            .field("channel_suffix", &self.channel_suffix)
            .field("headers", &names)
            .field("trusted", &self.trusted)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_told_what_it_asked_for() {
        // K7
        let all = Webhook::new("http://127.0.0.1/hook");
        assert!(all.wants(WebhookKind::ChannelOccupied, Some("a")));
        assert!(!all.wants(WebhookKind::UserOnline, None));
        let some = Webhook {
            events: vec![WebhookKind::MemberAdded, WebhookKind::UserOnline],
            channel_prefix: Some("presence-".into()),
            channel_suffix: Some("-eu".into()),
            ..all
        };
        assert!(some.wants(WebhookKind::MemberAdded, Some("presence-a-eu")));
        assert!(!some.wants(WebhookKind::MemberAdded, Some("presence-a-us")));
        assert!(!some.wants(WebhookKind::MemberAdded, Some("x-presence-a-eu")));
        assert!(!some.wants(WebhookKind::MemberRemoved, Some("presence-a-eu")));
        assert!(some.wants(WebhookKind::UserOnline, None));
    }

    #[test]
    fn a_set_holds_what_anybody_wants() {
        let default = Webhook::new("http://127.0.0.1/");
        let own = Webhook {
            events: vec![WebhookKind::ConnectionClosed],
            channel_prefix: Some("nobody-".into()),
            ..default.clone()
        };
        for kind in WebhookKind::ALL {
            assert!(!WebhookKinds::of(&[]).contains(kind));
            let told = WebhookKinds::of(std::slice::from_ref(&default));
            assert_eq!(told.contains(kind), !kind.is_own());
            let told = WebhookKinds::of(std::slice::from_ref(&own));
            assert_eq!(told.contains(kind), kind == WebhookKind::ConnectionClosed);
        }
        for kind in WebhookKind::ALL {
            let only = Webhook {
                events: vec![kind],
                ..default.clone()
            };
            let told = WebhookKinds::of(std::slice::from_ref(&only));
            for other in WebhookKind::ALL {
                let needed = other == kind || other.opposite() == Some(kind); // K5
                assert_eq!(told.contains(other), needed, "{kind:?} {other:?}");
            }
        }
        let both = WebhookKinds::of(&[default, own]);
        assert!(both.contains(WebhookKind::CacheMiss));
        assert!(both.contains(WebhookKind::ConnectionClosed));
        assert!(!both.contains(WebhookKind::UserOnline));
    }

    #[test]
    fn values_of_headers_are_not_printed() {
        let mut hook = Webhook::new("http://127.0.0.1/");
        hook.headers.push(("X-Token".into(), "canary".into()));
        let printed = format!("{hook:?}");
        assert!(printed.contains("X-Token") && !printed.contains("canary"));
    }

    #[test]
    fn names_are_distinct() {
        for (i, kind) in WebhookKind::ALL.iter().enumerate() {
            for other in &WebhookKind::ALL[i + 1..] {
                assert_ne!(kind.name(), other.name());
            }
        }
    }
}
