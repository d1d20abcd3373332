//! TLS without a socket: what a server shows to its clients, read from PEM, chosen by the name they
//! ask for, and replaced while connections go on.

mod pair;
mod store;
mod validity;

pub use pair::{Pair, PairError};
pub use store::{Store, TlsUnusable};
pub use validity::Validity;
