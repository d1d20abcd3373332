//! What comes in, and how it ends.

/// A whole message, valid during the callback. It may be changed in place.
#[derive(Debug)]
pub enum Message<'a> {
    /// Valid UTF-8.
    Text(&'a mut [u8]),
    /// Any bytes.
    Binary(&'a mut [u8]),
}

impl Message<'_> {
    /// The text of a text message.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            // Checked when the message was read; a handler may have changed it since.
            Message::Text(bytes) => std::str::from_utf8(bytes).ok(),
            Message::Binary(_) => None,
        }
    }

    /// The bytes of either kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Message::Text(bytes) | Message::Binary(bytes) => bytes,
        }
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code of the close frame that came first, ours or the peer's; 1005 when it had none,
    /// 1006 when the connection ended without one: it broke (`by_peer`), or the client answered no
    /// ping and was given up (not `by_peer`).
    pub code: u16,
    /// Whether the peer closed, or broke off, before we did.
    pub by_peer: bool,
    /// Why, in the peer's words; empty when it gave none, and when we closed.
    pub reason: String,
}

impl Close {
    /// The connection broke without a close frame.
    pub(super) const BROKEN: Self = Self {
        code: 1006,
        by_peer: true,
        reason: String::new(),
    };
}
