//! A table as handlers see it.

use super::store::{Owner, Piece, Store, hash_of};
use super::tables::Tables;
use crate::crossing::{TableAnswer, TableOp};
use crate::id::{ClientId, ShardId};
use crate::limits::TABLE_PIECE;
use std::any::Any;
use std::fmt;
use std::hash::Hash;
use std::rc::Rc;

/// A table that all shards share: rows of `V` by keys of `K`, each row at its home, one shard.
///
/// Made by [`Router::table`](super::super::Router::table) on every shard; a clone is the same
/// table. What is done to a row is done at its home, one operation after the other and each as a
/// whole: no lock, and no callback of another client in between. Two operations that are awaited
/// one after the other are done in that order; between several that wait at once there is none.
///
/// Dropping an operation's future before it is ready does not take it back once it is on its way.
pub struct SharedTable<K, V> {
    tables: Rc<Tables>,
    store: Rc<Store<K, V>>,
    number: u16,
}

impl<K, V> Clone for SharedTable<K, V> {
    fn clone(&self) -> Self {
        Self {
            tables: Rc::clone(&self.tables),
            store: Rc::clone(&self.store),
            number: self.number,
        }
    }
}

/// Why a row was not put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// The table holds as many rows as it may.
    Full,
    /// The client that the row was to be bound to is closing or gone.
    Gone,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the table is full",
            Self::Gone => "the client is gone",
        })
    }
}

impl std::error::Error for TableError {}

impl<K, V> SharedTable<K, V>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Send + 'static,
{
    pub(super) fn new(tables: Rc<Tables>, store: Rc<Store<K, V>>, number: u16) -> Self {
        Self {
            tables,
            store,
            number,
        }
    }

    /// Sets how many rows there may be over all shards, where the table is made; without it
    /// [`TABLE_ROWS`](crate::limits::TABLE_ROWS). How large a row is, is up to you.
    #[must_use]
    pub fn with_limit(self, rows: usize) -> Self {
        self.store.set_limit(rows.min(u32::MAX as usize));
        self
    }

    fn home(&self, key: &K) -> ShardId {
        self.tables.home(hash_of(self.tables.hash_key(), key))
    }

    /// Does something at a home. Whatever panics there panics here.
    async fn at<T: Send + 'static>(
        &self,
        home: ShardId,
        op: impl FnOnce(&Store<K, V>) -> T + Send + 'static,
    ) -> T {
        if home == self.tables.shard() {
            return op(&self.store);
        }
        let answer = self.tables.ask(self.number, home, None, erased(op)).await;
        opened(answer).expect("only rows of clients are refused")
    }

    /// The row of a key.
    pub async fn get(&self, key: &K) -> Option<V> {
        let (home, key) = (self.home(key), key.clone());
        self.at(home, move |store| store.get(&key)).await
    }

    /// Puts a row in and gives the one before it. The new row is bound to no client, also when the
    /// one before it was.
    ///
    /// # Errors
    /// [`TableError::Full`]; the row of a key that is there can be replaced all the same.
    pub async fn set(&self, key: K, row: V) -> Result<Option<V>, TableError> {
        let home = self.home(&key);
        self.at(home, move |store| store.set(key, row, Owner::Is(None)))
            .await
    }

    /// Same, and binds the row to a client: it vanishes when the client does, after its `on_close`.
    /// If meanwhile it was set for another client, or for none, it stays.
    ///
    /// # Errors
    /// [`TableError::Full`], and [`TableError::Gone`] when the client is not an open WebSocket any
    /// more: then nothing is put in.
    pub async fn set_for(&self, client: ClientId, key: K, row: V) -> Result<Option<V>, TableError> {
        let bound = Owner::Is(Some(client));
        let op = move |store: &Store<K, V>, key| store.set(key, row, bound);
        self.at_for(client, key, op).await
    }

    /// Puts a row in unless the key has one: then that row is given, and nothing is changed. Of
    /// several that ask at the same time one gets the key.
    ///
    /// # Errors
    /// [`TableError::Full`].
    pub async fn insert(&self, key: K, row: V) -> Result<Option<V>, TableError> {
        let home = self.home(&key);
        self.at(home, move |store| {
            store.insert_new(key, row, Owner::Is(None))
        })
        .await
    }

    /// Same, and binds the row to a client, as [`SharedTable::set_for`] does.
    ///
    /// # Errors
    /// As there.
    pub async fn insert_for(
        &self,
        client: ClientId,
        key: K,
        row: V,
    ) -> Result<Option<V>, TableError> {
        let bound = Owner::Is(Some(client));
        let op = move |store: &Store<K, V>, key| store.insert_new(key, row, bound);
        self.at_for(client, key, op).await
    }

    /// Does something with a row at its home, unless the client is gone.
    async fn at_for<T: Send + 'static>(
        &self,
        client: ClientId,
        key: K,
        op: impl FnOnce(&Store<K, V>, K) -> Result<T, TableError> + Send + 'static,
    ) -> Result<T, TableError> {
        if !self.tables.shards().any(|shard| shard == client.shard()) {
            return Err(TableError::Gone);
        }
        let home = self.home(&key);
        let op = erased(move |store: &Store<K, V>| op(store, key));
        let answer = self.tables.ask(self.number, home, Some(client), op).await;
        opened(answer).unwrap_or(Err(TableError::Gone))
    }

    /// Makes a new row of the one that is there, if any, in one step: nothing else is done to the
    /// row in between. `None` takes it out. Gives the new row, which is bound to the client that
    /// the one before was.
    ///
    /// # Errors
    /// [`TableError::Full`] when the row is a new one.
    ///
    /// # Panics
    /// When `change` does, which runs on the shard that is the row's home: the row is as it was.
    pub async fn update(
        &self,
        key: K,
        change: impl FnOnce(Option<V>) -> Option<V> + Send + 'static,
    ) -> Result<Option<V>, TableError> {
        let home = self.home(&key);
        self.at(home, move |store| store.update(key, change)).await
    }

    /// Takes a row out, and gives it.
    pub async fn delete(&self, key: &K) -> Option<V> {
        let (home, key) = (self.home(key), key.clone());
        self.at(home, move |store| store.delete(&key)).await
    }

    /// How many rows there are on all shards. Each shard counts at its own moment.
    pub async fn count(&self) -> usize {
        let mut count = 0;
        for home in self.tables.shards() {
            count += self.at(home, |store| store.len()).await;
        }
        count
    }

    /// Shows every row, in no order. They come from their homes in pieces of
    /// [`TABLE_PIECE`], so the table may change meanwhile: a row that
    /// is there all the time is shown once, as it was when its piece was made; one that comes or
    /// goes may be shown or not; one that goes and comes back, twice.
    pub async fn for_each(&self, mut show: impl FnMut(&K, &V)) {
        for home in self.tables.shards() {
            let mut next = Some(0);
            while let Some(from) = next {
                let piece = self.at(home, move |store| store.piece(from, TABLE_PIECE));
                let (rows, after): Piece<K, V> = piece.await;
                rows.iter().for_each(|(key, row)| show(key, row));
                next = after;
            }
        }
    }

    /// Every row; see [`SharedTable::for_each`], which needs less memory.
    pub async fn rows(&self) -> Vec<(K, V)> {
        let mut rows = Vec::new();
        self.for_each(|key, row| rows.push((key.clone(), row.clone())))
            .await;
        rows
    }
}

fn erased<K: 'static, V: 'static, T: Send + 'static>(
    op: impl FnOnce(&Store<K, V>) -> T + Send + 'static,
) -> TableOp {
    TableOp(Box::new(move |store: &dyn Any| {
        let store = store.downcast_ref();
        Box::new(op(store.expect("the shards agree on the types of a table")))
    }))
}

/// What came back; `None` when the client is gone.
fn opened<T: 'static>(answer: TableAnswer) -> Option<T> {
    match answer {
        TableAnswer::Done(answer) => {
            let answer = answer.downcast();
            Some(*answer.expect("an operation answers with its own type"))
        }
        TableAnswer::NoClient => None,
        TableAnswer::Panicked(text) => panic!("at the home of a row: {text}"),
    }
}

impl<K, V> fmt::Debug for SharedTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedTable")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
