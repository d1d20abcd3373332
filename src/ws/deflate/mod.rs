//! Messages compressed one by one: permessage-deflate (RFC 7692).
//!
//! Neither side carries its window from one message to the next: the server always answers with
//! `server_no_context_takeover` and always demands `client_no_context_takeover`. An idle
//! connection then holds nothing for it, and a broadcast is compressed once for all who get it.

mod deflater;
mod inflater;
mod offer;
mod settings;

pub use deflater::{Deflaters, Profile};
pub use inflater::{InflateError, Inflater};
pub use offer::{Agreed, BadOffer, agree};
pub use settings::{Deflate, DeflateError};

/// What stands at the end of each compressed message, and is left out on the wire (RFC 7692,
/// section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
