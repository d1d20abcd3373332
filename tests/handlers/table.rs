//! Rows that all shards share, and rows of one shard's own clients.

use crate::support::server::{TestServer, config};
use crate::support::websocket::Ws;
use crate::support::wire::{PATIENCE, on_shard};
use flume::{Receiver, Sender, bounded};
use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Message, Request, Result, Router, Rows,
    SharedTable,
};
use shardcast::id::{ClientId, ShardId};
use shardcast::limits::TABLE_PIECE;
use shardcast::server::Server;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

const LIMIT: usize = 1000;

// Several pieces of each home.
const _: () = assert!(LIMIT > 3 * TABLE_PIECE);

/// Obeys the first word of each message.
struct Desk {
    endpoint: Endpoint,
    names: SharedTable<String, String>,
    counters: SharedTable<u32, u64>,
    /// How often a client of this shard has said something: rows may hold what is not `Send`.
    said: Rows<Rc<Cell<u32>>>,
    came: Sender<ClientId>,
    closed: Sender<String>,
    others: Receiver<ClientId>,
}

impl Desk {
    fn mount(router: &mut Router, shared: &Shared) {
        let names: SharedTable<String, String> = router.table("names").with_limit(LIMIT);
        let again: SharedTable<String, String> = router.table("names"); // the same one
        let counters = router.table("counters");
        drop(names);
        router.mount("/desk", |endpoint| Self {
            said: Rows::new(&endpoint),
            endpoint,
            names: again,
            counters,
            came: shared.came.0.clone(),
            closed: shared.closed.0.clone(),
            others: shared.others.1.clone(),
        });
    }

    async fn obey(&self, client: &Client<()>, word: &str, rest: &str) -> Result<String> {
        let (key, row) = rest.split_once(' ').unwrap_or((rest, ""));
        let (key, row) = (key.to_owned(), row.to_owned());
        Ok(match word {
            "set" => format!("{:?}", self.names.set(key, row).await),
            "own" => format!("{:?}", self.names.set_for(client.id(), key, row).await),
            "give" => {
                let other = self.others.recv_timeout(PATIENCE)?;
                format!("{:?}", self.names.set_for(other, key, row).await)
            }
            "get" => format!("{:?}", self.names.get(&key).await),
            "delete" => format!("{:?}", self.names.delete(&key).await),
            "count" => self.names.count().await.to_string(),
            "append" => {
                let change = move |before: Option<String>| Some(before.unwrap_or_default() + &row);
                format!("{:?}", self.names.update(key, change).await)
            }
            "drop" => format!("{:?}", self.names.update(key, |_| None).await),
            "panic" => format!("{:?}", self.names.update(key, |_| panic!("odd")).await),
            "fill" => {
                for n in 0..key.parse()? {
                    self.names.set(format!("fill {n}"), String::new()).await?;
                }
                "filled".into()
            }
            "rows" => {
                let mut rows = self.names.rows().await;
                rows.sort();
                rows.dedup();
                format!("{} {:?}", rows.len(), rows[0])
            }
            "add" => {
                for n in 0..100 {
                    let add = |count: Option<u64>| Some(count.unwrap_or(0) + 1);
                    self.counters.update(n % 5, add).await?;
                }
                "added".into()
            }
            "sum" => {
                let mut sum = 0;
                self.counters.for_each(|_, count| sum += count).await;
                sum.to_string()
            }
            "said" => {
                let mut all: Vec<u32> = Vec::new();
                self.said.for_each(|_, said| all.push(said.get()));
                all.sort_unstable();
                format!("{all:?}")
            }
            "unsay" => format!("{:?}", self.said.remove(client.id())),
            "far" => {
                let far = ClientId::new(ShardId(1 - self.endpoint.shard().0), 0, 0);
                self.said.set(far, Rc::default()).is_err().to_string()
            }
            other => panic!("{other} is not known"),
        })
    }
}

impl Handler for Desk {
    type Session = ();

    async fn on_start(&self, endpoint: &Endpoint) -> Result {
        // Both shards ask each other before either accepts.
        for n in 0..20 {
            let key = format!("shard {} {n}", endpoint.shard().0);
            self.names.set(key.clone(), String::new()).await?;
            assert!(self.names.delete(&key).await.is_some());
        }
        Ok(())
    }

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        let before = self.said.set(client.id(), Rc::default());
        assert!(before.is_ok_and(|before| before.is_none()));
        Ok(self.came.try_send(client.id())?)
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        let text = message.as_text().ok_or("text is wanted")?.to_owned();
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        self.said.with(client.id(), |said| said.set(said.get() + 1));
        let answer = self.obey(client, word, rest).await?;
        Ok(client.send_text(&answer)?)
    }

    async fn on_close(&self, id: ClientId, (): (), _: Close) {
        // Its rows are still there; new ones are not taken any more.
        let said = self.said.get(id).map(|said| said.get());
        let late = self.names.set_for(id, "late".into(), String::new()).await;
        let refused = self.said.set(id, Rc::default()).is_err();
        let line = format!("{said:?} {late:?} {refused}");
        self.closed.try_send(line).expect("the log has room");
    }
}

struct Shared {
    came: (Sender<ClientId>, Receiver<ClientId>),
    closed: (Sender<String>, Receiver<String>),
    others: (Sender<ClientId>, Receiver<ClientId>),
}

fn start() -> (TestServer, std::sync::Arc<Shared>) {
    let shared = std::sync::Arc::new(Shared {
        came: bounded(1000),
        closed: bounded(1000),
        others: bounded(10),
    });
    let inner = std::sync::Arc::clone(&shared);
    let routes = move |router: &mut Router| Desk::mount(router, &inner);
    let builder = Server::builder().config(config([])).routes(routes);
    (TestServer::build(builder), shared)
}

fn client_on(server: &TestServer, shared: &Shared, shard: u16) -> (Ws, ClientId) {
    on_shard(|| {
        let ws = Ws::open(server.address(), "/desk");
        let id = shared.came.1.recv_timeout(PATIENCE).expect("it is let in");
        (id.shard() == ShardId(shard)).then_some((ws, id))
    })
}

#[track_caller]
fn expect(ws: &mut Ws, what: &str, answer: &str) {
    ws.send_text(what);
    assert_eq!(ws.expect_text(), answer, "{what}");
}

/// Asks until the answer is this one: what goes by itself goes soon.
#[track_caller]
fn expect_soon(ws: &mut Ws, what: &str, answer: &str) {
    let came = (0..2000).any(|_| {
        ws.send_text(what);
        ws.expect_text() == answer
    });
    assert!(came, "{what}");
}

#[test]
fn a_row_is_the_same_on_every_shard() {
    let (server, shared) = start();
    let [(mut a, _), (mut b, _)] = [0, 1].map(|shard| client_on(&server, &shared, shard));
    for key in 0..8 {
        expect(&mut a, &format!("set k{key} one"), "Ok(None)");
        expect(&mut b, &format!("get k{key}"), "Some(\"one\")");
        expect(&mut b, &format!("set k{key} two"), "Ok(Some(\"one\"))");
        expect(&mut a, &format!("append k{key} !"), "Ok(Some(\"two!\"))");
        expect(&mut b, &format!("get k{key}"), "Some(\"two!\")");
    }
    expect(&mut a, "count", "8");
    expect(&mut b, "rows", "8 (\"k0\", \"two!\")");
    for key in 0..4 {
        expect(&mut a, &format!("delete k{key}"), "Some(\"two!\")");
        expect(&mut b, &format!("delete k{key}"), "None");
    }
    for key in 4..8 {
        expect(&mut b, &format!("drop k{key}"), "Ok(None)");
        expect(&mut a, &format!("get k{key}"), "None");
    }
    expect(&mut b, "count", "0");
}

#[test]
fn updates_of_many_clients_lose_nothing() {
    let (server, shared) = start();
    let mut clients: Vec<_> = (0..6)
        .map(|n| client_on(&server, &shared, n % 2).0)
        .collect();
    for ws in &mut clients {
        ws.send_text("add");
    }
    for ws in &mut clients {
        assert_eq!(ws.expect_text(), "added");
    }
    expect(&mut clients[0], "sum", "600");
    expect(&mut clients[1], "sum", "600");
}

#[test]
fn rows_of_a_client_vanish_with_it_unless_they_are_others_by_then() {
    let (server, shared) = start();
    let (mut stays, other) = client_on(&server, &shared, 0);
    for shard in 0..2 {
        let (mut goes, _) = client_on(&server, &shared, shard);
        for key in 0..8 {
            expect(&mut goes, &format!("own mine{key} x"), "Ok(None)");
            expect(&mut goes, &format!("own taken{key} x"), "Ok(None)");
            expect(&mut goes, &format!("own free{key} x"), "Ok(None)");
            expect(
                &mut goes,
                &format!("append mine{key} y"),
                "Ok(Some(\"xy\"))",
            );
            shared.others.0.try_send(other).expect("nobody is offered");
            expect(&mut goes, &format!("give taken{key} z"), "Ok(Some(\"x\"))");
            expect(&mut stays, &format!("set free{key} z"), "Ok(Some(\"x\"))");
        }
        expect(&mut stays, "count", "24");
        goes.close();
        expect_soon(&mut stays, "count", "16");
        for key in 0..8 {
            expect(&mut stays, &format!("get mine{key}"), "None");
            expect(&mut stays, &format!("get taken{key}"), "Some(\"z\")");
            expect(&mut stays, &format!("delete taken{key}"), "Some(\"z\")");
            expect(&mut stays, &format!("delete free{key}"), "Some(\"z\")");
        }
        expect(&mut stays, "count", "0");
    }
}

#[test]
fn a_client_that_is_gone_gets_no_row_from_any_shard() {
    let (server, shared) = start();
    let mut stay = [0, 1].map(|shard| client_on(&server, &shared, shard).0);
    for shard in 0..2 {
        while shared.closed.1.try_recv().is_ok() {}
        let (goes, gone) = client_on(&server, &shared, shard);
        goes.close();
        // In on_close already.
        let mut told = shared.closed.1.iter();
        let told = told.next().expect("everybody who closes is told of");
        assert_eq!(told, "Some(0) Err(Gone) true");
        for ws in &mut stay {
            for id in [gone, ClientId::new(ShardId(9), 0, 0)] {
                shared.others.0.try_send(id).expect("nobody is offered");
                expect(ws, "give late x", "Err(Gone)");
            }
            expect(ws, "get late", "None");
        }
    }
}

#[test]
fn a_table_holds_as_many_rows_as_its_limit_and_shows_them_all() {
    let (server, shared) = start();
    let [(mut a, _), (mut b, _)] = [0, 1].map(|shard| client_on(&server, &shared, shard));
    expect(&mut a, &format!("fill {LIMIT}"), "filled");
    expect(&mut b, "set more x", "Err(Full)");
    expect(&mut b, "own more x", "Err(Full)");
    expect(&mut a, "append more x", "Err(Full)");
    expect(&mut b, "append fill0 x", "Err(Full)");
    expect(&mut b, "rows", &format!("{LIMIT} (\"fill 0\", \"\")"));
    let snapshot = server.handle().snapshot().wait().expect("it runs");
    let of_shards = snapshot.shards.iter().map(|shard| shard.rows[0].1);
    let of_shards: Vec<usize> = of_shards.collect();
    assert_eq!(of_shards.iter().sum::<usize>(), LIMIT);
    assert!(
        of_shards.iter().all(|rows| *rows > LIMIT / 3),
        "{of_shards:?}"
    );
    expect(&mut a, "own more x", "Err(Full)");
}

#[test]
fn a_change_that_panics_closes_its_client_and_leaves_the_row() {
    let (server, shared) = start();
    let [(mut a, _), (mut b, _)] = [0, 1].map(|shard| client_on(&server, &shared, shard));
    for key in 0..4 {
        expect(&mut a, &format!("set k{key} one"), "Ok(None)");
        let (mut c, _) = client_on(&server, &shared, 0);
        c.send_text(format!("panic k{key}"));
        c.expect_close(1011);
        expect(&mut b, &format!("get k{key}"), "Some(\"one\")");
    }
}

#[test]
fn rows_of_one_shard_go_with_their_clients() {
    let (server, shared) = start();
    let (mut a, _) = client_on(&server, &shared, 0);
    expect_soon(&mut a, "far", "true");
    let (mut b, _) = client_on(&server, &shared, 0);
    // Those that were opened on the way have gone, or are about to.
    let both = (0..2000).any(|_| {
        b.send_text("said");
        b.expect_text().split(',').count() == 2
    });
    assert!(both);
    b.send_text("unsay");
    assert!(b.expect_text().starts_with("Some(Cell"));
    expect(&mut b, "unsay", "None");
    b.close();
    let one = (0..2000).any(|_| {
        a.send_text("said");
        a.expect_text().split(',').count() == 1
    });
    assert!(one);
}

#[test]
fn tables_that_differ_between_shards_are_refused_at_start() {
    let first = AtomicBool::new(true);
    let builder = Server::builder().config(config([])).routes(move |router| {
        if first.swap(false, Ordering::SeqCst) {
            let _: SharedTable<u8, u8> = router.table("lonely");
        }
    });
    let error = builder.start().expect_err("they cannot work together");
    let text = error.to_string();
    assert!(
        text.contains("each shard must have the same tables"),
        "{text}"
    );
    assert!(text.contains("\"lonely\" of (u8, u8)"), "{text}");
    let builder = Server::builder().config(config([])).routes(|router| {
        let _: SharedTable<u8, u8> = router.table("twice");
        let _: SharedTable<u8, u16> = router.table("twice");
    });
    let error = builder.start().expect_err("one name has one kind of rows");
    assert!(
        error
            .to_string()
            .contains("holds (u8, u8) elsewhere and (u8, u16) here"),
        "{error}"
    );
}
