//! What the shards have to agree on about their tables, and how many rows there are.

use crate::limits::TABLES_MAX;
use std::any::TypeId;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One of a server, for all of its shards.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// Of each table, over all homes.
    rows: [AtomicUsize; TABLES_MAX],
    /// As the first shard has them.
    agreed: OnceLock<Vec<Entry>>,
}

/// A table as one shard has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Box<str>,
    pub(super) types: TypeId,
    pub(super) type_names: &'static str,
    pub(super) limit: usize,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            rows: [const { AtomicUsize::new(0) }; TABLES_MAX],
            agreed: OnceLock::new(),
        }
    }
}

impl Ledger {
    /// Takes the place of one more row, unless there are as many as may be.
    pub(super) fn take(&self, table: u16, limit: usize) -> bool {
        let rows = &self.rows[usize::from(table)];
        let more = |rows| (rows < limit).then_some(rows + 1);
        rows.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    /// Gives places back.
    pub(super) fn give(&self, table: u16, count: usize) {
        self.rows[usize::from(table)].fetch_sub(count, Ordering::Relaxed);
    }

    /// A shard has all of its tables: they are those of the others.
    pub(super) fn agree(&self, here: Vec<Entry>) -> Result<(), String> {
        let agreed = self.agreed.get_or_init(|| here.clone());
        if *agreed == here {
            return Ok(());
        }
        let told = |entries: &[Entry]| {
            let told = entries.iter().map(|entry| {
                let Entry {
                    name,
                    type_names,
                    limit,
                    ..
                } = entry;
                format!("{name:?} of {type_names} with {limit} rows")
            });
            match told.collect::<Vec<_>>().join(", ") {
                told if told.is_empty() => "none".to_owned(),
                told => told,
            }
        };
        Err(format!(
            "each shard must have the same tables in the same order: {} here, {} on another",
            told(&here),
            told(agreed)
        ))
    }

    #[cfg(test)]
    pub(super) fn rows(&self, table: u16) -> usize {
        self.rows[usize::from(table)].load(Ordering::Relaxed)
    }
}
