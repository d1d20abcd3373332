//! The rows of one table that have their home on one shard.

use super::ledger::Ledger;
use super::shared::TableError;
use crate::id::ClientId;
use hashbrown::{HashMap, HashTable};
use siphasher::sip::SipHasher13;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Rows by their key. A row stays in its slot as long as it lives, so that who walks over the slots
/// in pieces meets each row that is there all the time once.
pub(super) struct Store<K, V> {
    table: u16,
    hash_key: [u64; 2],
    limit: Cell<usize>,
    ledger: Arc<Ledger>,
    rows: RefCell<Slots<K, V>>,
}

struct Slots<K, V> {
    slots: Vec<Option<Row<K, V>>>,
    free: Vec<u32>,
    by_key: HashTable<u32>,
    by_owner: HashMap<ClientId, SmallVec<[u32; 2]>>,
}

struct Row<K, V> {
    key: K,
    value: V,
    owner: Option<ClientId>,
}

/// What becomes of a row's owner.
#[derive(Clone, Copy)]
pub(super) enum Owner {
    /// It stays; a new row has none.
    Same,
    /// From here on it is this one, or none.
    Is(Option<ClientId>),
}

/// Some rows, and the slot to go on from.
pub(super) type Piece<K, V> = (Vec<(K, V)>, Option<u32>);

pub(super) fn hash_of<K: Hash>(key: [u64; 2], of: &K) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(key[0], key[1]);
    of.hash(&mut hasher);
    hasher.finish()
}

impl<K: Hash + Eq + Clone, V: Clone> Store<K, V> {
    pub(super) fn new(table: u16, hash_key: [u64; 2], limit: usize, ledger: Arc<Ledger>) -> Self {
        let rows = Slots {
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashTable::new(),
            by_owner: HashMap::new(),
        };
        Self {
            table,
            hash_key,
            limit: Cell::new(limit),
            ledger,
            rows: RefCell::new(rows),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.get()
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.set(limit);
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        let rows = self.rows.borrow();
        let slot = rows.find(hash_of(self.hash_key, key), key)?;
        Some(rows.row(slot).value.clone())
    }

    /// Puts a row in; gives the one before it.
    pub(super) fn set(&self, key: K, value: V, owner: Owner) -> Result<Option<V>, TableError> {
        let hash = hash_of(self.hash_key, &key);
        let mut rows = self.rows.borrow_mut();
        if let Some(slot) = rows.find(hash, &key) {
            if let Owner::Is(owner) = owner {
                rows.bind(slot, owner);
            }
            let before = std::mem::replace(&mut rows.row_mut(slot).value, value);
            return Ok(Some(before));
        }
        if !self.ledger.take(self.table, self.limit.get()) {
            return Err(TableError::Full);
        }
        let slot = rows.insert(hash, key, value, |row| hash_of(self.hash_key, &row.key));
        if let Owner::Is(owner) = owner {
            rows.bind(slot, owner);
        }
        Ok(None)
    }

    /// Puts a row in, or gives the one that is there.
    pub(super) fn insert_new(
        &self,
        key: K,
        value: V,
        owner: Owner,
    ) -> Result<Option<V>, TableError> {
        match self.get(&key) {
            Some(there) => Ok(Some(there)),
            None => self.set(key, value, owner),
        }
    }

    /// Makes a new row of what is there. Whatever panics leaves the row as it was.
    pub(super) fn update(
        &self,
        key: K,
        change: impl FnOnce(Option<V>) -> Option<V>,
    ) -> Result<Option<V>, TableError> {
        match change(self.get(&key)) {
            Some(row) => {
                self.set(key, row.clone(), Owner::Same)?;
                Ok(Some(row))
            }
            None => {
                self.delete(&key);
                Ok(None)
            }
        }
    }

    /// Takes a row out.
    pub(super) fn delete(&self, key: &K) -> Option<V> {
        let mut rows = self.rows.borrow_mut();
        let slot = rows.find(hash_of(self.hash_key, key), key)?;
        rows.bind(slot, None);
        let row = rows.remove(hash_of(self.hash_key, key), slot);
        drop(rows);
        self.ledger.give(self.table, 1);
        Some(row.value)
    }

    /// Takes out what is bound to a client.
    pub(super) fn forget(&self, client: ClientId) {
        let mut rows = self.rows.borrow_mut();
        let Some(slots) = rows.by_owner.remove(&client) else {
            return;
        };
        let mut gone = Vec::with_capacity(slots.len());
        for slot in slots {
            let hash = hash_of(self.hash_key, &rows.row(slot).key);
            gone.push(rows.remove(hash, slot));
        }
        drop(rows);
        self.ledger.give(self.table, gone.len());
    }

    pub(super) fn len(&self) -> usize {
        self.rows.borrow().by_key.len()
    }

    /// At most `max` rows, from a slot on.
    pub(super) fn piece(&self, from: u32, max: usize) -> Piece<K, V> {
        let rows = self.rows.borrow();
        let mut piece = Vec::with_capacity(max.min(rows.by_key.len()));
        let start = (from as usize).min(rows.slots.len());
        for (at, slot) in rows.slots.iter().enumerate().skip(start) {
            if let Some(row) = slot {
                if piece.len() == max {
                    return (piece, Some(at as u32));
                }
                piece.push((row.key.clone(), row.value.clone()));
            }
        }
        (piece, None)
    }
}

impl<K: Eq, V> Slots<K, V> {
    fn find(&self, hash: u64, key: &K) -> Option<u32> {
        let same = |slot: &u32| self.row(*slot).key == *key;
        self.by_key.find(hash, same).copied()
    }

    fn row(&self, slot: u32) -> &Row<K, V> {
        let row = self.slots[slot as usize].as_ref();
        row.expect("the indices name slots in use")
    }

    fn row_mut(&mut self, slot: u32) -> &mut Row<K, V> {
        let row = self.slots[slot as usize].as_mut();
        row.expect("the indices name slots in use")
    }

    fn insert(&mut self, hash: u64, key: K, value: V, rehash: impl Fn(&Row<K, V>) -> u64) -> u32 {
        let row = Row {
            key,
            value,
            owner: None,
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1 // the limit on rows is far below
        });
        self.slots[slot as usize] = Some(row);
        let slots = &self.slots;
        self.by_key.insert_unique(hash, slot, |slot| {
            let row = slots[*slot as usize].as_ref();
            rehash(row.expect("the indices name slots in use"))
        });
        slot
    }

    /// Binds a row to a client, or to none; it leaves the one that it was bound to.
    fn bind(&mut self, slot: u32, owner: Option<ClientId>) {
        let before = std::mem::replace(&mut self.row_mut(slot).owner, owner);
        if before == owner {
            return;
        }
        if let Some(before) = before
            && let Some(slots) = self.by_owner.get_mut(&before)
        {
            slots.retain(|of| *of != slot);
            if slots.is_empty() {
                self.by_owner.remove(&before);
            }
        }
        if let Some(owner) = owner {
            self.by_owner.entry(owner).or_default().push(slot);
        }
    }

    /// Takes out a row that no client's list names any more.
    fn remove(&mut self, hash: u64, slot: u32) -> Row<K, V> {
        if let Ok(entry) = self.by_key.find_entry(hash, |known| *known == slot) {
            entry.remove();
        }
        let row = self.slots[slot as usize].take();
        if self.by_key.is_empty() {
            // A crowd that has gone leaves no memory behind.
            (self.slots, self.free) = (Vec::new(), Vec::new());
            self.by_key.shrink_to(0, |_| 0);
        } else {
            self.free.push(slot);
        }
        row.expect("the indices name slots in use")
    }
}

/// A store of any types.
pub(super) trait Home {
    fn forget(&self, client: ClientId);
    fn limit(&self) -> usize;
    fn len(&self) -> usize;
}

impl<K: Hash + Eq + Clone, V: Clone> Home for Store<K, V> {
    fn forget(&self, client: ClientId) {
        Self::forget(self, client);
    }

    fn limit(&self) -> usize {
        Self::limit(self)
    }

    fn len(&self) -> usize {
        Self::len(self)
    }
}
