//! What is answered to whoever asks how the server is, whichever port it asks.

use super::response::Response;

/// What a connection is told that is not let in, for the server is full.
pub const FULL: &str = "The server takes no more connections\n";
/// What one is told whose address has as many as it may.
pub const ADDRESS_FULL: &str = "Too many connections from this address\n";

/// Whether all is well, in words; 503 when not.
#[must_use]
pub fn plain(is_good: bool) -> Response {
    match is_good {
        true => Response::text(200, "OK\n"),
        false => Response::text(503, "Not now\n").with_header("Retry-After", "1"),
    }
}

/// Same, in Reverb's words.
#[must_use]
pub fn up(is_good: bool) -> Response {
    match is_good {
        true => Response::json(200, "{\"health\":\"OK\"}"),
        false => Response::json(503, "{\"health\":\"DRAINING\"}").with_header("Retry-After", "1"),
    }
}
