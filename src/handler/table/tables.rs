//! A shard's part in all tables: homes of rows, and the clients that rows are bound to.

use super::ledger::{Entry, Ledger};
use super::shared::SharedTable;
use super::store::{Home, Store};
use crate::crossing::pulse::{Callback, Doing, Pulse};
use crate::crossing::{TableAnswer, TableNote, TableOp, ToShard};
use crate::error::panic_text;
use crate::handler::tickets::Tickets;
use crate::hub::home_of;
use crate::id::{ClientId, ShardId, Ticket};
use crate::limits::{TABLE_ROWS, TABLES_MAX};
use crate::mesh::SharedPort;
use crate::net::Tasks;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::any::{Any, TypeId, type_name};
use std::cell::RefCell;
use std::fmt;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long an operation waits at a time while its home cannot keep up.
const PRESSED_PAUSE: Duration = Duration::from_millis(1);

/// What a shard runs while it touches rows: types of users are compared, copied and dropped.
const AT_HOME: Doing = Doing::new(Callback::Table, 0);

/// What a shard's tables are made with.
pub(crate) struct Parts {
    pub(crate) mesh: Rc<SharedPort>,
    pub(crate) tasks: Rc<dyn Tasks>,
    /// Of the whole server.
    pub(crate) ledger: Arc<Ledger>,
    /// The same on every shard: it decides where a row's home is.
    pub(crate) hash_key: [u64; 2],
    /// Whether a client of this shard is an open WebSocket.
    pub(crate) is_open: Box<dyn Fn(ClientId) -> bool>,
    /// Of this shard.
    pub(crate) pulse: Arc<Pulse>,
}

/// The tables of one shard.
pub(crate) struct Tables {
    parts: Parts,
    shard: ShardId,
    shards: u16,
    list: RefCell<Vec<Registered>>,
    tickets: Rc<Tickets<TableAnswer>>,
    /// The homes of rows that are bound to clients of this shard.
    bound: RefCell<HashMap<ClientId, SmallVec<[ShardId; 4]>>>,
}

struct Registered {
    name: Box<str>,
    types: TypeId,
    type_names: &'static str,
    home: Rc<dyn Home>,
    store: Rc<dyn Any>,
}

impl Tables {
    pub(crate) fn new(parts: Parts) -> Self {
        let (shard, shards) = (parts.mesh.shard(), parts.mesh.shards());
        Self {
            parts,
            shard,
            shards,
            list: RefCell::default(),
            tickets: Rc::default(),
            bound: RefCell::default(),
        }
    }

    /// The table of a name; it is made when there is none.
    pub(crate) fn table<K, V>(self: &Rc<Self>, name: &str) -> SharedTable<K, V>
    where
        K: Hash + Eq + Clone + Send + 'static,
        V: Clone + Send + 'static,
    {
        let mut list = self.list.borrow_mut();
        let (types, type_names) = (TypeId::of::<(K, V)>(), type_name::<(K, V)>());
        let known = list.iter().position(|table| *table.name == *name);
        let number = known.unwrap_or(list.len());
        if known.is_none() {
            assert!(
                number < TABLES_MAX,
                "a server has at most {TABLES_MAX} tables: {name:?} is one too many"
            );
            let Parts {
                ledger, hash_key, ..
            } = &self.parts;
            let store: Rc<Store<K, V>> = Rc::new(Store::new(
                number as u16,
                *hash_key,
                TABLE_ROWS,
                Arc::clone(ledger),
            ));
            list.push(Registered {
                name: name.into(),
                types,
                type_names,
                home: Rc::clone(&store) as Rc<dyn Home>,
                store,
            });
        }
        let table = &list[number];
        let store = Rc::downcast(Rc::clone(&table.store)).unwrap_or_else(|_| {
            let known = table.type_names;
            panic!("the table {name:?} holds {known} elsewhere and {type_names} here")
        });
        SharedTable::new(Rc::clone(self), store, number as u16)
    }

    /// All tables are there: this shard has those that the others have.
    pub(crate) fn agree(&self) -> Result<(), String> {
        let list = self.list.borrow();
        let entry = |table: &Registered| Entry {
            name: table.name.clone(),
            types: table.types,
            type_names: table.type_names,
            limit: table.home.limit(),
        };
        self.parts.ledger.agree(list.iter().map(entry).collect())
    }

    /// The names of the tables, and how many rows have their home here.
    pub(crate) fn counts(&self) -> Vec<(Box<str>, usize)> {
        let list = self.list.borrow();
        let count = |table: &Registered| (table.name.clone(), table.home.len());
        list.iter().map(count).collect()
    }

    pub(super) fn shard(&self) -> ShardId {
        self.shard
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.shards).map(ShardId)
    }

    pub(super) fn home(&self, hash: u64) -> ShardId {
        home_of(hash, self.shards)
    }

    pub(super) fn hash_key(&self) -> [u64; 2] {
        self.parts.hash_key
    }

    /// Has an operation done at a home; with a client, its rows are to be bound to it.
    pub(super) async fn ask(
        &self,
        table: u16,
        home: ShardId,
        client: Option<ClientId>,
        op: TableOp,
    ) -> TableAnswer {
        let first = client.map_or(home, ClientId::shard);
        while first != self.shard && !self.parts.mesh.has_room(first) {
            self.parts.tasks.sleep(PRESSED_PAUSE).await;
        }
        let pending = self.tickets.open();
        let (asker, ticket) = (self.shard, pending.ticket());
        let task = Asked {
            table,
            op,
            asker,
            ticket,
        };
        match client {
            Some(client) => self.post(first, task.bind(client, home)),
            None => self.post(home, task.at_home()),
        }
        pending.answer().await
    }

    fn post(&self, to: ShardId, note: TableNote) {
        match to == self.shard {
            true => self.receive(note),
            false => self.parts.mesh.send(to, ToShard::Table(note)),
        }
    }

    /// Does what another shard, or this one, wants done here.
    pub(crate) fn receive(&self, note: TableNote) {
        match note {
            TableNote::Do {
                table,
                op,
                asker,
                ticket,
            } => {
                let answer = self.perform(table, op);
                self.post(asker, TableNote::Answer { ticket, answer });
            }
            TableNote::Bind {
                client,
                home,
                table,
                op,
                asker,
                ticket,
            } => {
                if !(self.parts.is_open)(client) {
                    let answer = TableAnswer::NoClient;
                    return self.post(asker, TableNote::Answer { ticket, answer });
                }
                let mut bound = self.bound.borrow_mut();
                let homes = bound.entry(client).or_default();
                if !homes.contains(&home) {
                    homes.push(home);
                }
                drop(bound);
                let task = Asked {
                    table,
                    op,
                    asker,
                    ticket,
                };
                self.post(home, task.at_home());
            }
            TableNote::Answer { ticket, answer } => self.tickets.answer(ticket, answer),
            TableNote::Forget(client) => {
                // What is dropped with a row may do anything, but not here.
                let homes: Vec<_> = self.homes();
                for home in homes {
                    let forget = || self.parts.pulse.during(AT_HOME, || home.forget(client));
                    if catch_unwind(AssertUnwindSafe(forget)).is_err() {
                        tracing::error!("a row of a table panicked as it was dropped");
                    }
                }
            }
        }
    }

    fn homes(&self) -> Vec<Rc<dyn Home>> {
        let list = self.list.borrow();
        list.iter().map(|table| Rc::clone(&table.home)).collect()
    }

    fn perform(&self, table: u16, op: TableOp) -> TableAnswer {
        let store = Rc::clone(&self.list.borrow()[usize::from(table)].store);
        let perform = || self.parts.pulse.during(AT_HOME, || (op.0)(&*store));
        match catch_unwind(AssertUnwindSafe(perform)) {
            Ok(answer) => TableAnswer::Done(answer),
            Err(panic) => TableAnswer::Panicked(panic_text(&*panic)),
        }
    }

    /// A client of this shard is gone, and so are its rows.
    pub(crate) fn forget(&self, client: ClientId) {
        let homes = self.bound.borrow_mut().remove(&client);
        for home in homes.into_iter().flatten() {
            self.post(home, TableNote::Forget(client));
        }
    }
}

/// An operation and who waits for its answer.
struct Asked {
    table: u16,
    op: TableOp,
    asker: ShardId,
    ticket: Ticket,
}

impl Asked {
    fn at_home(self) -> TableNote {
        let Self {
            table,
            op,
            asker,
            ticket,
        } = self;
        TableNote::Do {
            table,
            op,
            asker,
            ticket,
        }
    }

    fn bind(self, client: ClientId, home: ShardId) -> TableNote {
        let Self {
            table,
            op,
            asker,
            ticket,
        } = self;
        TableNote::Bind {
            client,
            home,
            table,
            op,
            asker,
            ticket,
        }
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.counts()).finish()
    }
}
