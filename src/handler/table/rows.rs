//! Rows of one shard's own clients.

use crate::handler::endpoint::Endpoint;
use crate::id::ClientId;
use crate::net::Sockets;
use hashbrown::HashMap;
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};

/// A row of `R` for each client of this shard that is given one. Rows may hold `Rc`; a clone is the
/// same table. A row is taken away when its client is gone, after its `on_close`.
///
/// What only the callbacks of one client need is better kept in its session; rows are there for who
/// looks up other clients.
pub struct Rows<R> {
    inner: Rc<Inner<R>>,
}

struct Inner<R> {
    sockets: Rc<Sockets>,
    rows: RefCell<HashMap<ClientId, R>>,
}

impl<R> Clone for Rows<R> {
    fn clone(&self) -> Self {
        Self {
            inner: Rc::clone(&self.inner),
        }
    }
}

impl<R: 'static> Rows<R> {
    /// An empty table for clients of the shard that the endpoint belongs to, whatever route they
    /// are of.
    #[must_use]
    pub fn new(endpoint: &Endpoint) -> Self {
        let local = endpoint.local();
        let inner = Rc::new(Inner {
            sockets: Rc::clone(&local.sockets),
            rows: RefCell::default(),
        });
        let forgets: Rc<dyn Forget> = Rc::clone(&inner) as Rc<dyn Forget>;
        local.forgets.add(Rc::downgrade(&forgets));
        Self { inner }
    }

    /// Gives a client a row; gives back the one before.
    ///
    /// # Errors
    /// The row, when the client is not an open WebSocket of this shard.
    ///
    /// # Panics
    /// As all methods of this type, inside of [`Rows::with`] and [`Rows::for_each`].
    pub fn set(&self, client: ClientId, row: R) -> Result<Option<R>, R> {
        match self.inner.sockets.is_open(client) {
            true => Ok(self.inner.rows.borrow_mut().insert(client, row)),
            false => Err(row),
        }
    }

    /// A copy of a client's row.
    #[must_use]
    pub fn get(&self, client: ClientId) -> Option<R>
    where
        R: Clone,
    {
        self.inner.rows.borrow().get(&client).cloned()
    }

    /// Shows a client's row, to read or change it.
    pub fn with<T>(&self, client: ClientId, show: impl FnOnce(&mut R) -> T) -> Option<T> {
        self.inner.rows.borrow_mut().get_mut(&client).map(show)
    }

    /// Takes a client's row away.
    #[must_use = "to drop the row, say so"]
    pub fn remove(&self, client: ClientId) -> Option<R> {
        self.inner.rows.borrow_mut().remove(&client)
    }

    /// Shows every row, in no order.
    pub fn for_each(&self, mut show: impl FnMut(ClientId, &mut R)) {
        let mut rows = self.inner.rows.borrow_mut();
        rows.iter_mut().for_each(|(client, row)| show(*client, row));
    }

    /// Who has a row, in no order.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientId> {
        self.inner.rows.borrow().keys().copied().collect()
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.rows.borrow().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<R> fmt::Debug for Rows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

/// What has to hear that a client is gone.
trait Forget {
    fn forget(&self, client: ClientId);
}

impl<R> Forget for Inner<R> {
    fn forget(&self, client: ClientId) {
        let row = self.rows.borrow_mut().remove(&client);
        drop(row); // when nothing is borrowed any more
    }
}

/// The tables by client of one shard.
#[derive(Default)]
pub(crate) struct Forgets(RefCell<Vec<Weak<dyn Forget>>>);

impl Forgets {
    fn add(&self, table: Weak<dyn Forget>) {
        let mut tables = self.0.borrow_mut();
        tables.retain(|table| table.strong_count() > 0);
        tables.push(table);
    }

    /// A client is gone.
    pub(crate) fn forget(&self, client: ClientId) {
        let count = self.0.borrow().len();
        for at in 0..count {
            let table = self.0.borrow().get(at).and_then(Weak::upgrade);
            let Some(table) = table else { continue };
            if catch_unwind(AssertUnwindSafe(|| table.forget(client))).is_err() {
                tracing::error!(?client, "a client's row panicked as it was dropped");
            }
        }
    }
}

impl fmt::Debug for Forgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forgets").finish_non_exhaustive()
    }
}
