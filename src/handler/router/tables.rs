//! Tables that handlers of all shards share: made where routes are.

use super::routing::Router;
use crate::handler::table::SharedTable;
use std::hash::Hash;

impl Router {
    /// The table of this name, shared by all shards; made here when there is none yet. Each shard
    /// has to make the same tables.
    ///
    /// # Panics
    /// When the table holds other types, and past
    /// [`TABLES_MAX`](crate::limits::TABLES_MAX) tables. When another shard has other tables, or
    /// other limits, the server does not start.
    pub fn table<K, V>(&mut self, name: &str) -> SharedTable<K, V>
    where
        K: Hash + Eq + Clone + Send + 'static,
        V: Clone + Send + 'static,
    {
        self.local.tables.table(name)
    }
}
