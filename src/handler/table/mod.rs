//! Tables of handlers: rows by any key that all shards share, and rows by client on one shard.
//!
//! A key's hash names its home, a shard, which alone holds the row: what it does to it is done in
//! order and as a whole, without a lock. A row may be bound to a client. Then the shard of the
//! client lets every operation that binds through to the home while the client is open, and tells
//! the home when it is not: on one lane, so that no row can come in behind the end of its client.

mod ledger;
mod model_tests;
mod rows;
mod shared;
mod store;
mod tables;

pub use rows::Rows;
pub use shared::{SharedTable, TableError};

pub(crate) use ledger::Ledger;
pub(crate) use rows::Forgets;
pub(crate) use tables::{Parts as TablesParts, Tables};
