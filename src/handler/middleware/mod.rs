//! What stands around handlers and function routes: a handshake and a request pass it alike.
//!
//! The middleware of this module is written with what a library user has; whoever needs another
//! implements [`Middleware`] in the same way.

mod access_log;
mod basic_auth;
mod bearer_auth;
mod chain;
mod compression;
mod cors;
mod origins;
mod rate_limit;
mod request_id;
mod scheme;
mod vary;

pub use access_log::AccessLog;
pub use basic_auth::{BasicAuth, BasicUser};
pub use bearer_auth::BearerAuth;
pub use chain::{Middleware, Next};
pub use compression::Compression;
pub use cors::Cors;
pub use origins::Origins;
pub use rate_limit::RateLimit;
pub use request_id::{Id, RequestId};

pub(super) use chain::{Layer, Layers, erase};
