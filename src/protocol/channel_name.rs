//! Channel names: which are legal, and what kind of channel a name asks for.
//!
//! The kind is decided by the prefix at the start of the name, case-sensitive, first match
//! wins; nothing else about a channel is stored anywhere.

use crate::limits::USER_ID_MAX;

/// What a channel's name says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelKind {
    access: Access,
    cache: bool,
    encrypted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Public,
    Private,
    Presence,
    User,
}

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// No character at all.
    Empty,
    /// Longer than the limit that was asked for.
    TooLong,
    /// A character outside `[A-Za-z0-9_\-=@,.;]`, or `#` in front of anything but a user.
    Character,
}

/// What the name of a user's own channel begins with (U7).
pub const USER_PREFIX: &str = "#server-to-user-";

impl ChannelKind {
    /// Checks `name` (at most `max` characters) and says what it is. A user's own channel is as
    /// long as the user's id makes it: whoever may sign in can be reached (U7).
    ///
    /// # Errors
    /// [`NameError`] for names that no Pusher server accepts.
    pub fn of(name: &str, max: usize) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        let user = name.strip_prefix(USER_PREFIX);
        let too_long = match user {
            Some(user) => user.len() > USER_ID_MAX,
            None => name.len() > max,
        };
        if too_long {
            return Err(NameError::TooLong);
        }
        let plain = |access| Self {
            access,
            cache: false,
            encrypted: false,
        };
        if let Some(user) = user {
            return if is_legal(user) {
                Ok(plain(Access::User))
            } else {
                Err(NameError::Character)
            };
        }
        if !is_legal(name) {
            return Err(NameError::Character);
        }
        let kind = if let Some(rest) = name.strip_prefix("private-") {
            let (encrypted, rest) = match rest.strip_prefix("encrypted-") {
                Some(rest) => (true, rest),
                None => (false, rest),
            };
            Self {
                access: Access::Private,
                cache: rest.starts_with("cache-"),
                encrypted,
            }
        } else if let Some(rest) = name.strip_prefix("presence-") {
            let cache = rest.starts_with("cache-");
            Self {
                access: Access::Presence,
                cache,
                encrypted: false,
            }
        } else {
            Self {
                access: Access::Public,
                cache: name.starts_with("cache-"),
                encrypted: false,
            }
        };
        Ok(kind)
    }

    /// Anyone may subscribe.
    #[must_use]
    pub fn is_public(self) -> bool {
        self.access == Access::Public
    }

    /// A subscription must be signed (private and presence).
    #[must_use]
    pub fn needs_auth(self) -> bool {
        matches!(self.access, Access::Private | Access::Presence)
    }

    /// Members are known to each other.
    #[must_use]
    pub fn is_presence(self) -> bool {
        self.access == Access::Presence
    }

    /// `#server-to-user-ID`: reserved for the connections of that user.
    #[must_use]
    pub fn is_user(self) -> bool {
        self.access == Access::User
    }

    /// The last event is kept for those who come later.
    #[must_use]
    pub fn is_cache(self) -> bool {
        self.cache
    }

    /// Same, of a name that is known to be legal: what every publish asks.
    #[must_use]
    pub fn is_cache_name(name: &str) -> bool {
        const PREFIXES: [&str; 4] = [
            "cache-",
            "private-cache-",
            "private-encrypted-cache-",
            "presence-cache-",
        ];
        PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Payloads are encrypted end to end; the server relays them untouched (rule E1).
    #[must_use]
    pub fn is_encrypted(self) -> bool {
        self.encrypted
    }

    /// Clients may send `client-` events here when their app allows it.
    #[must_use]
    pub fn takes_client_events(self) -> bool {
        self.needs_auth()
    }
}

/// Whether there is at least one character, and none that names may not have.
pub(super) fn is_legal(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'_' | b'-' | b'=' | b'@' | b',' | b'.' | b';')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_name_of_the_vectors() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap();
        let names = vectors["channel_names"]["names"].as_array().unwrap();
        assert_eq!(names.len(), 37);
        for entry in names {
            let name = entry["name"].as_str().unwrap();
            let kind = ChannelKind::of(name, 200);
            let may = entry["client_may_subscribe"].as_bool().unwrap();
            let Ok(kind) = kind else {
                assert!(!may, "{name:?} should be legal: {entry}");
                continue;
            };
            if kind.is_user() {
                continue;
            }
            assert!(may, "{name:?} should be refused: {entry}");
            let expected = |key: &str| entry[key].as_bool().unwrap();
            assert_eq!(kind.needs_auth(), expected("auth"), "{name}");
            assert_eq!(kind.is_presence(), expected("presence"), "{name}");
            assert_eq!(kind.is_cache(), expected("cache"), "{name}");
            assert_eq!(ChannelKind::is_cache_name(name), kind.is_cache(), "{name}");
            assert_eq!(kind.is_encrypted(), expected("encrypted"), "{name}");
        }
    }

    #[test]
    fn the_length_limit_is_inclusive() {
        assert!(ChannelKind::of(&"a".repeat(200), 200).is_ok());
        assert_eq!(
            ChannelKind::of(&"a".repeat(201), 200),
            Err(NameError::TooLong)
        );
        assert_eq!(ChannelKind::of("", 200), Err(NameError::Empty));
    }

    #[test]
    fn a_users_own_channel_is_limited_by_the_id_and_not_by_the_name() {
        // U7: an app that allows short names only still reaches whoever has signed in.
        let own = |chars| format!("{USER_PREFIX}{}", "a".repeat(chars));
        for max in [1, 200] {
            assert!(ChannelKind::of(&own(USER_ID_MAX), max).is_ok(), "{max}");
            let longer = ChannelKind::of(&own(USER_ID_MAX + 1), max);
            assert_eq!(longer, Err(NameError::TooLong), "{max}");
        }
    }

    #[test]
    fn hash_names_are_users_or_nothing() {
        assert!(ChannelKind::of("#server-to-user-7", 200).unwrap().is_user());
        assert_eq!(
            ChannelKind::of("#server-to-user-", 200),
            Err(NameError::Character)
        );
        assert_eq!(ChannelKind::of("#foo", 200), Err(NameError::Character));
    }
}
