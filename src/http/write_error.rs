//! Why bytes of a body do not get to their client.

use std::fmt;

/// The client is gone: nothing more can be sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientGone;

/// Why a body could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The client is gone.
    Gone,
    /// It is longer than was told; nothing of what was too much has been sent.
    TooLong,
    /// It has ended before the length that was told.
    TooShort,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the client is gone",
            Self::TooLong => "the body is longer than was told",
            Self::TooShort => "the body is shorter than was told",
        })
    }
}

impl std::error::Error for WriteError {}

impl From<ClientGone> for WriteError {
    fn from(_: ClientGone) -> Self {
        Self::Gone
    }
}
