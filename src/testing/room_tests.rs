//! What waiting for room costs the shard of a client that does not read.
#![cfg(test)]

use super::{Client as Ws, Shards, Testing};
use crate::handler::{
    Client, Endpoint, Handler, Handshake, Message, Request, Result, Router, SendError,
};
use crate::id::ClientId;
use crate::server::config::Config;
use futures_lite::future::or;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const ASKS: usize = 1_000;

type Asked = std::result::Result<(), SendError>;

/// Lets the test have its clients' ids, and each shard's endpoint.
struct Open {
    endpoint: Endpoint,
    ids: Rc<RefCell<Vec<ClientId>>>,
}

impl Handler for Open {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        assert_eq!(client.id().shard(), self.endpoint.shard());
        self.ids.borrow_mut().push(client.id());
        Ok(())
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Err("nobody says anything here".into())
    }
}

/// A client of shard 0 that does not read and whose outbox is full, and the endpoint of shard 1.
struct Stalled {
    shards: Shards,
    slow: Ws,
    id: ClientId,
    other: Endpoint,
    /// Tasks of all shards before it stalled.
    idle: usize,
}

impl Stalled {
    fn start() -> Self {
        let (endpoints, ids) = (Rc::new(RefCell::new(Vec::new())), Rc::default());
        let (all, opened) = (Rc::clone(&endpoints), Rc::clone(&ids));
        let shards = Testing::new(move |router: &mut Router| {
            router.mount("/", |endpoint| {
                all.borrow_mut().push(endpoint.clone());
                let ids = Rc::clone(&opened);
                Open { endpoint, ids }
            });
        });
        let config = Config {
            outbox_bytes: 64 * 1024,
            ..Config::default()
        };
        let shards = shards.config(config).start();
        let mut slow = shards.on(0).connect("/");
        slow.stop_reading();
        shards.run();
        let idle = shards.world.tasks();
        let (id, endpoints) = (ids.borrow()[0], endpoints.borrow());
        while endpoints[0].send(id, &[0; 8_000]).is_ok() {
            shards.run();
        }
        Self {
            shards,
            slow,
            id,
            other: endpoints[1].clone(),
            idle,
        }
    }

    async fn ask(endpoint: Endpoint, id: ClientId, drained: bool) -> Asked {
        match drained {
            true => endpoint.drained(id).await,
            false => endpoint.ready(id).await,
        }
    }

    /// Asks from shard 1 and gives up after a millisecond.
    fn ask_in_vain(&self, drained: bool) {
        let asked = Self::ask(self.other.clone(), self.id, drained);
        let asked = async { Some(asked.await) };
        let time = async {
            self.other.sleep(Duration::from_millis(1)).await;
            None
        };
        assert_eq!(self.shards.wait_for(or(asked, time)), None);
    }

    /// Tasks of all shards, and questions that shard 0 has not answered.
    fn load(&self) -> (usize, usize) {
        self.shards.run();
        let world = &self.shards.world;
        (world.tasks(), world.asked_for_room(0))
    }
}

#[test]
fn questions_that_are_given_up_do_not_add_up() {
    let mut stalled = Stalled::start();
    let (before, none) = stalled.load();
    assert_eq!(none, 0);
    for (drained, waiters) in [(false, 1), (true, 2)] {
        for _ in 0..ASKS {
            stalled.ask_in_vain(drained);
        }
        assert_eq!(stalled.load(), (before + waiters, 0));
    }
    // The waiters serve whoever asks next, and end with the wait.
    let asking = [false, true].map(|drained| {
        let asked = Stalled::ask(stalled.other.clone(), stalled.id, drained);
        stalled.other.spawn(asked)
    });
    assert_eq!(stalled.load(), (before + 4, 2));
    stalled.slow.read_again();
    for asked in asking {
        assert_eq!(stalled.shards.wait_for(asked), Ok(Ok(())));
    }
    assert_eq!(stalled.load(), (stalled.idle, 0));
    stalled.shards.stop();
}

#[test]
fn all_who_wait_at_a_time_share_a_waiter_and_are_answered() {
    let mut stalled = Stalled::start();
    let (before, _) = stalled.load();
    let asking = |_| {
        let asked = Stalled::ask(stalled.other.clone(), stalled.id, true);
        stalled.other.spawn(asked)
    };
    let mut asking: Vec<_> = (0..ASKS).map(asking).collect();
    assert_eq!(stalled.load(), (before + ASKS + 1, ASKS));
    drop(asking.split_off(ASKS / 2));
    assert_eq!(stalled.load(), (before + ASKS / 2 + 1, ASKS / 2));
    stalled.slow.read_again();
    for asked in asking {
        assert_eq!(stalled.shards.wait_for(asked), Ok(Ok(())));
    }
    assert_eq!(stalled.load(), (stalled.idle, 0));
    stalled.shards.stop();
}

#[test]
fn a_client_that_goes_takes_its_waiters_along() {
    let stalled = Stalled::start();
    stalled.ask_in_vain(false);
    let asked = Stalled::ask(stalled.other.clone(), stalled.id, true);
    let asked = stalled.other.spawn(asked);
    assert_eq!(stalled.load().1, 1);
    let Stalled {
        shards,
        slow,
        id,
        other,
        ..
    } = stalled;
    slow.vanish();
    assert_eq!(shards.wait_for(asked), Ok(Err(SendError::Gone)));
    let before = shards.world.tasks();
    let again = shards.wait_for(Stalled::ask(other, id, false));
    assert_eq!(again, Err(SendError::Gone));
    assert_eq!(shards.world.tasks(), before);
    assert_eq!(shards.world.asked_for_room(0), 0);
    shards.stop();
}
