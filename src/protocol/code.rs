//! The one table of codes that a client may be closed with or told.
//!
//! What clients do with each class decides which code is used where: 4000 to 4099 never come
//! back, 4100 to 4199 come back after a pause, 4200 to 4299 at once and without growing pause.
//! 4300 and above are told in an error frame only: as a close code pusher-js would give up.

/// A code with a fixed meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// 1000: an ordinary end.
    Normal,
    /// 1001: the other side went away.
    GoingAway,
    /// 1002: the peer broke RFC 6455.
    ProtocolError,
    /// 1003: a binary message on a text-only endpoint.
    UnsupportedData,
    /// 1007: text that is not UTF-8.
    InvalidText,
    /// 1008: too many refused frames.
    PolicyViolation,
    /// 1009: a frame or message above the limit.
    TooBig,
    /// 1011: a handler failed.
    InternalError,
    /// 4000: the app is served over TLS only.
    TlsOnly,
    /// 4001: no app has this key.
    UnknownApp,
    /// 4003: the app is switched off.
    AppDisabled,
    /// 4004: the app has all the connections it may have.
    OverQuota,
    /// 4006: `protocol` is not a number.
    InvalidVersion,
    /// 4007: a protocol version below 4.
    UnsupportedVersion,
    /// 4009: not authorised.
    Unauthorized,
    /// 4100: over capacity; come back after a pause.
    OverCapacity,
    /// 4200: come back at once, another listener is ready.
    ReconnectNow,
    /// 4201: no answer to a ping.
    PongTimeout,
    /// 4301: a client event was refused (told in a frame only).
    ClientEventRefused,
    /// 4302: a watchlist is too long (told in a frame only).
    WatchlistTooLong,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 20] = [
        Self::Normal,
        Self::GoingAway,
        Self::ProtocolError,
        Self::UnsupportedData,
        Self::InvalidText,
        Self::PolicyViolation,
        Self::TooBig,
        Self::InternalError,
        Self::TlsOnly,
        Self::UnknownApp,
        Self::AppDisabled,
        Self::OverQuota,
        Self::InvalidVersion,
        Self::UnsupportedVersion,
        Self::Unauthorized,
        Self::OverCapacity,
        Self::ReconnectNow,
        Self::PongTimeout,
        Self::ClientEventRefused,
        Self::WatchlistTooLong,
    ];

    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::UnsupportedData => 1003,
            Self::InvalidText => 1007,
            Self::PolicyViolation => 1008,
            Self::TooBig => 1009,
            Self::InternalError => 1011,
            Self::TlsOnly => 4000,
            Self::UnknownApp => 4001,
            Self::AppDisabled => 4003,
            Self::OverQuota => 4004,
            Self::InvalidVersion => 4006,
            Self::UnsupportedVersion => 4007,
            Self::Unauthorized => 4009,
            Self::OverCapacity => 4100,
            Self::ReconnectNow => 4200,
            Self::PongTimeout => 4201,
            Self::ClientEventRefused => 4301,
            Self::WatchlistTooLong => 4302,
        }
    }

    /// What a person reads in the close frame or the error frame.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Normal => "",
            Self::GoingAway => "Going away",
            Self::ProtocolError => "WebSocket protocol error",
            Self::UnsupportedData => "Only text messages are accepted here",
            Self::InvalidText => "Text is not UTF-8",
            Self::PolicyViolation => "Too many refused messages",
            Self::TooBig => "Message too big",
            Self::InternalError => "Internal error",
            Self::TlsOnly => "The app takes clients over TLS only: connect with wss://",
            Self::UnknownApp => {
                "App key not in this cluster. Did you forget to specify the cluster?"
            }
            Self::AppDisabled => "The app is not enabled",
            Self::OverQuota => "The app has reached its connection quota",
            Self::InvalidVersion => "The protocol version is not a number",
            Self::UnsupportedVersion => "The protocol version is not supported",
            Self::Unauthorized => "The connection is unauthorized",
            Self::OverCapacity => "Over capacity",
            Self::ReconnectNow => "Please reconnect immediately",
            Self::PongTimeout => "Pong reply not received in time",
            Self::ClientEventRefused => "The client event was refused",
            Self::WatchlistTooLong => "The watchlist has more than 100 users; the rest is ignored",
        }
    }

    /// Whether the Pusher error frame goes in front of a close with this code.
    ///
    /// Application codes do; RFC 6455 codes speak to the WebSocket library alone.
    #[must_use]
    pub fn has_error_frame(self) -> bool {
        self.number() >= 4000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CLOSE_REASON_MAX;

    #[test]
    fn every_reason_fits_a_close_frame_and_no_close_makes_clients_give_up_by_accident() {
        for code in Code::ALL {
            assert!(code.message().len() <= CLOSE_REASON_MAX, "{code:?}");
            assert!(
                ![1012, 1013].contains(&code.number()),
                "W20: pusher-js turns {code:?} to 1002"
            );
        }
    }
}
