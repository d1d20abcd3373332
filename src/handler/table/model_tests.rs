//! Random operations over some homes in memory, against one map.
#![cfg(test)]

use super::ledger::Ledger;
use super::shared::{SharedTable, TableError};
use super::tables::{Parts, Tables};
use crate::crossing::ToShard;
use crate::handler::task::fake::Fake;
use crate::id::{ClientId, ShardId};
use crate::mesh::{SharedPort, mesh};
use crate::net::Tasks;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type Set = Result<Option<u32>, TableError>;
type Open = Rc<RefCell<HashSet<ClientId>>>;

struct Shard {
    mesh: Rc<SharedPort>,
    tables: Rc<Tables>,
    table: SharedTable<u8, u32>,
    open: Open,
}

struct World {
    shards: Vec<Shard>,
    ledger: Arc<Ledger>,
    /// Passes at each step: operations that wait for room look again.
    time: Rc<Fake>,
    clients: u32,
}

impl World {
    fn new(shards: u16, limit: usize) -> Self {
        let ledger: Arc<Ledger> = Arc::default();
        let time: Rc<Fake> = Rc::default();
        let shard = |port: crate::mesh::Port| {
            let mesh = Rc::new(port.share(Rc::default()));
            let open = Open::default();
            let known = Rc::clone(&open);
            let tables = Rc::new(Tables::new(Parts {
                mesh: Rc::clone(&mesh),
                tasks: Rc::clone(&time) as Rc<dyn Tasks>,
                ledger: Arc::clone(&ledger),
                hash_key: [1, 2],
                is_open: Box::new(move |client| known.borrow().contains(&client)),
                pulse: Arc::default(),
            }));
            let table = tables.table("rows").with_limit(limit);
            tables.agree().unwrap();
            Shard {
                mesh,
                tables,
                table,
                open,
            }
        };
        let shards = mesh(shards, 4).into_iter().map(shard).collect();
        Self {
            shards,
            ledger,
            time,
            clients: 0,
        }
    }

    /// Lets one shard take what has come in.
    fn step(&self, shard: usize) -> bool {
        self.shards.iter().for_each(|shard| shard.mesh.end_turn());
        self.time.pass(Duration::from_millis(1));
        let Shard { mesh, tables, .. } = &self.shards[shard];
        let mut inbox = Vec::new();
        let _ = mesh.poll_receive(&mut Context::from_waker(Waker::noop()), 1, &mut inbox);
        let any = !inbox.is_empty();
        for (_, message) in inbox {
            match message {
                ToShard::Table(note) => tables.receive(note),
                other => panic!("{other:?} is not sent here"),
            }
        }
        any
    }

    fn settle(&self) {
        while (0..self.shards.len()).any(|shard| self.step(shard)) {}
    }

    fn wait<T>(&self, op: impl Future<Output = T>) -> T {
        let mut op = pin!(op);
        loop {
            if let Some(output) = poll(op.as_mut()) {
                return output;
            }
            self.settle();
        }
    }

    fn join(&mut self, shard: u16) -> ClientId {
        self.clients += 1;
        let client = ClientId::new(ShardId(shard), 0, self.clients);
        let open = &self.shards[usize::from(shard)].open;
        open.borrow_mut().insert(client);
        client
    }

    fn leave(&self, client: ClientId) {
        let shard = &self.shards[client.shard().index()];
        shard.open.borrow_mut().remove(&client);
        shard.tables.forget(client);
    }

    fn rows(&self) -> HashMap<u8, u32> {
        let rows = self.wait(self.shards[0].table.rows());
        let count = rows.len();
        let by_key: HashMap<_, _> = rows.into_iter().collect();
        assert_eq!(by_key.len(), count, "each once");
        assert_eq!(
            self.ledger.rows(0),
            count,
            "each has its place, and only it"
        );
        by_key
    }
}

fn poll<F: Future + ?Sized>(op: Pin<&mut F>) -> Option<F::Output> {
    match op.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// One map that does what the tables should.
#[derive(Default)]
struct Model {
    rows: HashMap<u8, (u32, Option<ClientId>)>,
    limit: usize,
}

impl Model {
    fn set(
        &mut self,
        key: u8,
        row: u32,
        owner: Option<ClientId>,
    ) -> Result<Option<u32>, TableError> {
        if self.rows.len() == self.limit && !self.rows.contains_key(&key) {
            return Err(TableError::Full);
        }
        Ok(self.rows.insert(key, (row, owner)).map(|(row, _)| row))
    }

    fn update(&mut self, key: u8) -> Result<Option<u32>, TableError> {
        let (before, owner) = match self.rows.get(&key) {
            Some((row, owner)) => (Some(*row), *owner),
            None => (None, None),
        };
        match changed(before) {
            Some(row) => self.set(key, row, owner).map(|_| Some(row)),
            None => {
                self.rows.remove(&key);
                Ok(None)
            }
        }
    }
}

fn changed(row: Option<u32>) -> Option<u32> {
    match row {
        Some(row) if row % 3 == 0 => None,
        Some(row) => Some(row + 1),
        None => Some(1),
    }
}

#[test]
fn operations_one_after_the_other_do_what_one_map_does() {
    for seed in 0..12 {
        let mut random = StdRng::seed_from_u64(seed);
        let shards = random.random_range(1..4);
        let limit = random.random_range(1..40);
        let mut world = World::new(shards, limit);
        let mut model = Model {
            limit,
            ..Model::default()
        };
        let mut clients: Vec<ClientId> = Vec::new();
        let mut full = 0;
        for _ in 0..600 {
            let at = random.random_range(0..shards);
            let (key, row) = (random.random_range(0..50), random.random_range(0..1000));
            let table = world.shards[usize::from(at)].table.clone();
            match random.random_range(0..10) {
                0 => clients.push(world.join(at)),
                1 if !clients.is_empty() => {
                    let gone = clients.swap_remove(random.random_range(0..clients.len()));
                    world.leave(gone);
                    world.settle();
                    model.rows.retain(|_, (_, owner)| *owner != Some(gone));
                    let late = world.wait(table.set_for(gone, key, row));
                    assert_eq!(late, Err(TableError::Gone));
                }
                2 | 3 => {
                    let set = world.wait(table.set(key, row));
                    full += usize::from(set.is_err());
                    assert_eq!(set, model.set(key, row, None));
                }
                4..=6 if !clients.is_empty() => {
                    let client = clients[random.random_range(0..clients.len())];
                    let set = world.wait(table.set_for(client, key, row));
                    assert_eq!(set, model.set(key, row, Some(client)));
                }
                7 => assert_eq!(world.wait(table.update(key, changed)), model.update(key)),
                8 => {
                    let taken = model.rows.remove(&key).map(|(row, _)| row);
                    assert_eq!(world.wait(table.delete(&key)), taken);
                }
                _ => {
                    let row = model.rows.get(&key).map(|(row, _)| *row);
                    assert_eq!(world.wait(table.get(&key)), row);
                    assert_eq!(world.wait(table.count()), model.rows.len());
                }
            }
        }
        let rows = model.rows.iter().map(|(key, (row, _))| (*key, *row));
        assert_eq!(world.rows(), rows.collect(), "seed {seed}");
        assert!(limit > 25 || full > 0, "seed {seed} has met its limit");
    }
}

#[test]
fn no_row_outlives_its_client_however_the_two_cross() {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut world = World::new(3, 1000);
        let clients: Vec<ClientId> = (0..6).map(|n| world.join(n % 3)).collect();
        let mut ops: Vec<Pin<Box<dyn Future<Output = Set>>>> = Vec::new();
        let mut left = HashSet::new();
        for _ in 0..120 {
            let client = random.random_range(0..clients.len());
            match random.random_range(0..8) {
                // The value of a row says whom it was set for.
                0..3 => {
                    let table = world.shards[random.random_range(0..3)].table.clone();
                    let key = random.random_range(0..20);
                    ops.push(Box::pin(async move {
                        table.set_for(clients_id(client), key, client as u32).await
                    }));
                }
                3 if client > 0 && left.insert(client) => world.leave(clients[client]),
                _ => {
                    world.step(random.random_range(0..3));
                }
            }
            ops.retain_mut(|op| poll(op.as_mut()).is_none());
        }
        while !ops.is_empty() {
            world.settle();
            ops.retain_mut(|op| poll(op.as_mut()).is_none());
        }
        world.settle();
        for owner in world.rows().values() {
            assert!(
                !left.contains(&(*owner as usize)),
                "seed {seed}: {owner} has left"
            );
        }
        for (number, client) in clients.iter().enumerate() {
            if !left.contains(&number) {
                world.leave(*client);
            }
        }
        world.settle();
        assert_eq!(world.rows(), HashMap::new(), "seed {seed}");
    }
}

/// The id that [`World::join`] gave to this client of six.
fn clients_id(number: usize) -> ClientId {
    ClientId::new(ShardId(number as u16 % 3), 0, number as u32 + 1)
}

#[test]
fn a_full_table_takes_rows_again_when_one_has_gone() {
    let mut world = World::new(3, 10);
    let client = world.join(1);
    let table = world.shards[2].table.clone();
    for key in 0..10 {
        assert_eq!(world.wait(table.set_for(client, key, 0)), Ok(None));
    }
    assert_eq!(world.wait(table.set(10, 0)), Err(TableError::Full));
    assert_eq!(
        world.wait(table.set_for(client, 10, 0)),
        Err(TableError::Full)
    );
    assert_eq!(
        world.wait(table.update(10, |_| Some(1))),
        Err(TableError::Full)
    );
    assert_eq!(world.wait(table.set(9, 1)), Ok(Some(0)), "it is there");
    world.leave(client);
    world.settle();
    assert_eq!(
        world.rows(),
        HashMap::from([(9, 1)]),
        "set for nobody since"
    );
    for key in 0..9 {
        assert_eq!(world.wait(table.set(key, 2)), Ok(None));
    }
    assert_eq!(world.wait(table.set(10, 0)), Err(TableError::Full));
    assert_eq!(world.wait(table.delete(&9)), Some(1));
    assert_eq!(world.wait(table.set(10, 0)), Ok(None));
}

#[test]
fn a_walk_in_pieces_shows_what_is_there_all_the_time_once() {
    let world = World::new(1, usize::MAX);
    let tables = &world.shards[0].tables;
    let table: SharedTable<u32, u32> = tables.table("more");
    for key in 0..2000 {
        assert_eq!(world.wait(table.set(key, key)), Ok(None));
    }
    let mut seen = HashMap::new();
    world.wait(table.for_each(|key, row| {
        *seen.entry(*key).or_insert(0) += 1;
        assert_eq!(key, row);
        // What is done meanwhile: of each ten rows one goes, and one that is new comes.
        if key % 10 == 0 && *key < 2000 {
            assert!(world.wait(table.delete(&(key + 1))).is_some());
            let _ = world.wait(table.set(key + 10_001, key + 10_001));
        }
    }));
    for key in (0..2000).filter(|key| key % 10 != 1) {
        assert_eq!(seen.get(&key), Some(&1), "{key}");
    }
    assert!(seen.values().all(|count| *count == 1));
}

#[test]
fn what_panics_at_a_home_panics_at_the_asker_and_leaves_the_row() {
    let world = World::new(2, 100);
    for key in 0..20 {
        let table = &world.shards[0].table;
        assert_eq!(world.wait(table.set(key, 7)), Ok(None));
        let update = table.update(key, |_| panic!("odd change"));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.wait(update)));
        let panic = crate::error::panic_text(&*outcome.unwrap_err());
        assert!(panic.ends_with("odd change"), "{panic}");
        assert_eq!(world.wait(table.get(&key)), Some(7));
    }
}

#[test]
#[should_panic(expected = "the table \"rows\" holds (u8, u32) elsewhere and (u8, u64) here")]
fn one_name_has_one_kind_of_rows() {
    let world = World::new(1, 1);
    let _: SharedTable<u8, u64> = world.shards[0].tables.table("rows");
}

#[test]
fn shards_that_have_other_tables_are_told() {
    let world = World::new(2, 5);
    let _: SharedTable<u8, u8> = world.shards[1].tables.table("one more");
    let error = world.shards[1].tables.agree().unwrap_err();
    assert!(error.contains("\"one more\" of (u8, u8)"), "{error}");
    let _ = world.shards[0].table.clone().with_limit(6);
    let error = world.shards[0].tables.agree().unwrap_err();
    assert!(
        error.contains("6 rows here") && error.contains("5 rows on another"),
        "{error}"
    );
}

#[test]
#[should_panic(expected = "at most 64 tables: \"t64\" is one too many")]
fn there_are_as_many_tables_as_the_limit_says() {
    let world = World::new(1, 1);
    for number in 1..=crate::limits::TABLES_MAX {
        let _: SharedTable<u8, u8> = world.shards[0].tables.table(&format!("t{number}"));
    }
}
