//! The server from other threads and from tokio, by its handle.

use crate::support::server::{TestServer, config};
use crate::support::websocket::{Incoming, Ws};
use crate::support::wire::{PATIENCE, on_shard};
use flume::{Receiver, Sender, bounded};
use shardcast::handler::{
    CallError, Client, Endpoint, Handler, Handshake, Message, Request, Result,
};
use shardcast::id::{ClientId, ShardId};
use shardcast::limits::{CALL_BYTES_MAX, CALLS_MAX};
use shardcast::server::{Builder, Server, ServerError, ServerHandle};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Tells the test who has come, and does what needs a handler.
struct Desk {
    endpoint: Endpoint,
    shared: Shared,
}

#[derive(Clone)]
struct Shared {
    came: (Sender<ClientId>, Receiver<ClientId>),
    stopped: (Sender<()>, Receiver<()>),
    go_on: (Sender<()>, Receiver<()>),
    handles: (Sender<ServerHandle>, Receiver<ServerHandle>),
}

impl Handler for Desk {
    type Session = ();

    async fn on_start(&self, endpoint: &Endpoint) -> Result {
        Ok(self.shared.handles.0.try_send(endpoint.server())?)
    }

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        Ok(self.shared.came.0.try_send(client.id())?)
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        let server = self.endpoint.server();
        match message.as_text() {
            Some("stop the thread") => {
                self.shared.stopped.0.try_send(())?;
                self.shared.go_on.1.recv_timeout(PATIENCE)?;
            }
            Some("snapshot") => {
                let all = server.snapshot().await?.clients("/desk");
                client.send_text(&format!("{all:?}"))?;
            }
            Some("wait for a snapshot") => drop(server.snapshot().wait()),
            Some("wait for the end") => server.wait()?,
            Some("broadcast") => server.broadcast("/desk", "to all")?,
            _ => client.send_text("alive")?,
        }
        Ok(())
    }
}

/// The desk at two patterns, and another one at a third.
fn start() -> (TestServer, ServerHandle, Shared) {
    let shared = Shared {
        came: bounded(1000),
        stopped: bounded(1),
        go_on: bounded(1),
        handles: bounded(10),
    };
    let inner = shared.clone();
    let builder = builder().routes(move |router| {
        let desk = |endpoint| Desk {
            endpoint,
            shared: inner.clone(),
        };
        router.mount_at(&["/desk", "/desk/{id}"], desk);
        router.mount("/other", desk);
    });
    let handle = builder.start().expect("the server starts");
    (TestServer::of(handle.clone()), handle, shared)
}

fn builder() -> Builder {
    Server::builder().config(config([]))
}

impl Shared {
    /// A client of a target on a certain shard.
    fn client_on(&self, handle: &ServerHandle, target: &str, shard: u16) -> (Ws, ClientId) {
        on_shard(|| {
            let ws = Ws::open(handle.local_addr(), target);
            let id = self.came.1.recv_timeout(PATIENCE).expect("it is let in");
            (id.shard() == ShardId(shard)).then_some((ws, id))
        })
    }

    fn clients(&self, handle: &ServerHandle, target: &str) -> [(Ws, ClientId); 2] {
        [0, 1].map(|shard| self.client_on(handle, target, shard))
    }
}

fn expect_alive(ws: &mut Ws) {
    ws.send_text("alive?");
    assert_eq!(ws.expect_text(), "alive");
}

#[test]
fn a_broadcast_of_any_thread_reaches_all_clients_of_its_pattern() {
    let (_server, handle, shared) = start();
    let mut clients = shared.clients(&handle, "/desk/7");
    let mut strangers = shared.clients(&handle, "/other");
    let by_start = handle.clone();
    let by_handlers = [(); 4].map(|()| shared.handles.1.try_recv().expect("of each on_start"));
    let said = thread::spawn(move || {
        by_start.broadcast("/desk", "text")?;
        by_start.broadcast("/desk/{id}", b"bytes")?;
        for handle in by_handlers {
            assert_eq!(handle.local_addr(), by_start.local_addr());
            handle.broadcast("/desk", "from a handler")?;
        }
        Ok::<_, CallError>(())
    });
    said.join().unwrap().expect("all is taken");
    for (ws, _) in &mut clients {
        let mut came: Vec<_> = (0..6).map(|_| ws.next()).collect();
        // Handles that go by way of another shard have an order of their own.
        came.retain(|message| *message != Incoming::Text("from a handler".into()));
        let ordered = [
            Incoming::Text("text".into()),
            Incoming::Binary(b"bytes".into()),
        ];
        assert_eq!(came, ordered);
        expect_alive(ws);
    }
    strangers.iter_mut().for_each(|(ws, _)| expect_alive(ws));
    clients[1].0.send_text("broadcast");
    for (ws, _) in &mut clients {
        assert_eq!(ws.expect_text(), "to all");
    }
    let unknown = handle.broadcast("/desk/7", "x").unwrap_err();
    assert_eq!(unknown.to_string(), "no handler is mounted at \"/desk/7\"");
}

#[test]
fn one_client_is_reached_and_closed_from_any_thread_in_order() {
    let (_server, handle, shared) = start();
    for shard in 0..2 {
        let (mut ws, client) = shared.client_on(&handle, "/desk", shard);
        let handle = handle.clone();
        let said = thread::spawn(move || {
            for n in 0..100 {
                handle.send(client, &n.to_string())?;
                handle.broadcast("/desk", &format!("all {n}"))?;
            }
            handle.close(client, 4123, &"\u{2603}".repeat(42))?;
            handle.send(client, "after")
        });
        said.join().unwrap().expect("all is taken");
        for n in 0..100 {
            assert_eq!(ws.expect_text(), n.to_string());
            assert_eq!(ws.expect_text(), format!("all {n}"));
        }
        assert_eq!(ws.expect_close(4123), "\u{2603}".repeat(41), "123 bytes");
    }
    let nobody = ClientId::new(ShardId(2), 0, 0);
    assert_eq!(handle.send(nobody, "x"), Err(CallError::NoClient));
    assert_eq!(handle.close(nobody, 4000, ""), Err(CallError::NoClient));
}

#[test]
fn a_shard_that_does_not_get_round_to_calls_loses_none_that_it_took() {
    let (_server, handle, shared) = start();
    let (mut ws, client) = shared.client_on(&handle, "/desk", 0);
    let (mut far, _) = shared.client_on(&handle, "/desk", 1);
    ws.send_text("stop the thread");
    shared.stopped.1.recv_timeout(PATIENCE).expect("it stops");
    let too_big = handle.send(client, &vec![0; CALL_BYTES_MAX + 1]);
    assert_eq!(too_big, Err(CallError::TooBig));
    for n in 1..CALLS_MAX {
        assert_eq!(handle.send(client, &n.to_string()), Ok(()));
    }
    assert_eq!(handle.broadcast("/desk", "the last that fits"), Ok(()));
    assert_eq!(handle.send(client, "too many"), Err(CallError::Full));
    assert_eq!(handle.broadcast("/desk", "too many"), Err(CallError::Full));
    assert_eq!(handle.close(client, 4000, ""), Err(CallError::Full));
    assert_eq!(handle.snapshot().wait(), Err(CallError::Full));
    shared.go_on.0.send(()).expect("it waits");
    for n in 1..CALLS_MAX {
        assert_eq!(ws.expect_text(), n.to_string());
    }
    for ws in [&mut ws, &mut far] {
        assert_eq!(ws.expect_text(), "the last that fits");
        expect_alive(ws);
    }
    assert_eq!(handle.send(client, "room again"), Ok(()));
    assert_eq!(ws.expect_text(), "room again");
}

#[test]
fn a_snapshot_counts_the_clients_of_each_shard_and_handler() {
    let (_server, handle, shared) = start();
    let mut clients = shared.clients(&handle, "/desk");
    let _more = shared.clients(&handle, "/desk/7");
    let _others = shared.clients(&handle, "/other");
    let snapshot = handle.snapshot().wait().expect("it runs");
    // Those that were opened on the way to the wanted shard may not have gone yet.
    for shard in &snapshot.shards {
        let patterns: Vec<_> = shard
            .clients
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(patterns, ["/desk", "/other"]);
        let (desk, other) = (shard.clients[0].1, shard.clients[1].1);
        assert!(desk >= 2 && other >= 1, "{snapshot:?}");
        assert!(shard.connections >= desk + other, "{snapshot:?}");
    }
    assert_eq!(snapshot.shards.len(), 2);
    assert!(snapshot.clients("/desk").is_some_and(|count| count >= 4));
    assert_eq!(snapshot.clients("/desk"), snapshot.clients("/desk/{id}"));
    assert_eq!(snapshot.clients("/nowhere"), None);
    // In a handler, and in tokio code, it is awaited.
    clients[1].0.send_text("snapshot");
    assert!(clients[1].0.expect_text().starts_with("Some("));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let awaited = runtime.block_on(async { handle.snapshot().await });
    assert_eq!(awaited.expect("it runs").shards.len(), 2);
}

#[test]
fn a_handler_that_waits_where_it_should_await_is_closed_and_stops_nobody() {
    let (_server, handle, shared) = start();
    for what in ["wait for a snapshot", "wait for the end"] {
        let (mut ws, _) = shared.client_on(&handle, "/desk", 0);
        let (mut beside, _) = shared.client_on(&handle, "/desk", 0);
        ws.send_text(what);
        ws.expect_close(1011);
        expect_alive(&mut beside);
    }
}

#[test]
fn everybody_who_waits_hears_of_the_end_and_nobody_is_called_after_it() {
    let (mut server, handle, shared) = start();
    let (mut ws, client) = shared.client_on(&handle, "/desk", 1);
    let waiters = [(); 3].map(|()| {
        let handle = handle.clone();
        thread::spawn(move || handle.wait())
    });
    let later = handle.clone();
    let awaiting = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(later.ended())
    });
    let stopping = handle.clone();
    thread::spawn(move || (stopping.stop(), stopping.stop()))
        .join()
        .unwrap();
    assert!(matches!(ws.next(), Incoming::Close(Some(_))));
    drop(ws);
    for waiter in waiters {
        waiter.join().unwrap().expect("it was asked to stop");
    }
    awaiting.join().unwrap().expect("it was asked to stop");
    handle.clone().wait().expect("also later");
    assert_eq!(handle.broadcast("/desk", "x"), Err(CallError::Ended));
    assert_eq!(handle.send(client, "x"), Err(CallError::Ended));
    assert_eq!(handle.close(client, 4000, ""), Err(CallError::Ended));
    assert_eq!(handle.snapshot().wait(), Err(CallError::Ended));
    server.end();
}

#[test]
fn routes_that_differ_between_shards_are_refused_at_start() {
    let turn = AtomicUsize::new(0);
    let builder = builder().routes(move |router| {
        let pattern = ["/a", "/b"][turn.fetch_add(1, Ordering::SeqCst) % 2];
        let shared = Shared {
            came: bounded(1),
            stopped: bounded(1),
            go_on: bounded(1),
            handles: bounded(1),
        };
        router.mount(pattern, |endpoint| Desk { endpoint, shared });
    });
    let error = builder.start().expect_err("they cannot work together");
    let text = error.to_string();
    assert!(matches!(error, ServerError::Shard(_)), "{text}");
    assert!(
        text.contains("each shard must mount the same routes"),
        "{text}"
    );
    assert!(text.contains("\"/a\"") && text.contains("\"/b\""), "{text}");
}

#[test]
fn routes_that_make_no_sense_are_named_at_start() {
    let builder = builder().routes(|_| panic!("this route is odd"));
    let error = builder.start().expect_err("it cannot start");
    assert!(
        error.to_string().ends_with("panicked: this route is odd"),
        "{error}"
    );
}
