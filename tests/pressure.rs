//! F33: a shard that stands still. Others go on; what they cannot hand over they refuse, and what
//! they accepted arrives once it moves again.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use serde_json::json;
use shardcast::app::App;
use shardcast::handler::{Client, Endpoint, Handler, Handshake, Message, Request, Result, Router};
use shardcast::http::Response;
use shardcast::id::ClientId;
use shardcast::server::Server;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use support::http::{Http, request};
use support::rest::Rest;
use support::server::{TestServer, app, config};
use support::sign::Keys;
use support::websocket::{BINARY, FIN, Ws, frame};

/// Stops its shard's thread on any message, until the test lets it go. Tells its shard on GET.
struct Gate {
    endpoint: Endpoint,
    barrier: Arc<Barrier>,
}

impl Handler for Gate {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        if message.as_text() == Some("shard?") {
            client.send_text(&self.endpoint.shard().to_string())?;
            return Ok(());
        }
        self.barrier.wait(); // it stands still from here ...
        self.barrier.wait(); // ... to here
        Ok(())
    }

    async fn on_request(&self, _: &Endpoint, _: Request<'_>) -> Response {
        Response::text(200, self.endpoint.shard().to_string())
    }
}

const SLOTS: usize = 16;

fn unlimited() -> App {
    let mut app = app();
    app.client_events_per_second = None;
    app
}

/// A server with short rings, and what stops a shard of it.
fn gated() -> (TestServer, Arc<Barrier>) {
    gated_beside(|_| {})
}

/// Same, with more routes.
fn gated_beside(
    routes: impl Fn(&mut Router) + Send + Sync + 'static,
) -> (TestServer, Arc<Barrier>) {
    let barrier = Arc::new(Barrier::new(2));
    let shared = Arc::clone(&barrier);
    let mut config = config([unlimited()]);
    config.mesh_slots = SLOTS;
    let builder = Server::builder()
        .config(config)
        .wall_clock(|| support::server::NOW)
        .routes(move |router| {
            let barrier = Arc::clone(&shared);
            router.mount("/gate", |endpoint| Gate { endpoint, barrier });
            routes(router);
        });
    (TestServer::build(builder), barrier)
}

/// Makes shard 1 stand still; it goes on at the barrier's next wait.
fn stop_shard_one(server: &TestServer, barrier: &Barrier) -> Ws {
    loop {
        let mut ws = Ws::open(server.address(), "/gate");
        ws.send_text("shard?");
        if ws.expect_text() == "1" {
            ws.send_text("stop");
            barrier.wait();
            return ws;
        }
    }
}

/// A backend whose connection was accepted by shard 0.
fn backend_on_zero(server: &TestServer) -> Rest {
    let http = Http::connect_on(server.address(), "/gate", |it| it.text() == "0");
    let keys = Keys::of(&unlimited());
    Rest { keys, http }
}

#[test]
fn client_events_are_refused_while_the_other_shard_stands_still() {
    const EVENTS: usize = 400;
    let (server, barrier) = gated();
    let keys = Keys::of(&unlimited());
    let (mut sender, mut listener) = (server.client_on(0), server.client_on(1));
    sender.subscribe_signed(&keys, "private-room");
    listener.subscribe_signed(&keys, "private-room");
    let _gate = stop_shard_one(&server, &barrier);
    for number in 0..EVENTS {
        sender.trigger("private-room", "client-e", &json!(number.to_string()));
    }
    let refused = sender.count_refused();
    assert!(refused > 0, "rings of {SLOTS} took {EVENTS} events");
    barrier.wait();
    listener.expect_rising("client-e", EVENTS - refused);
}

#[test]
fn publishes_are_answered_503_while_the_other_shard_stands_still() {
    const CHANNELS: usize = 12;
    const EVENTS: usize = 200;
    let (server, barrier) = gated();
    let mut listener = server.client_on(1);
    let names: Vec<String> = (0..CHANNELS).map(|number| format!("c{number}")).collect();
    for name in &names {
        listener.subscribe(name);
    }
    let mut backends: Vec<Rest> = names.iter().map(|_| backend_on_zero(&server)).collect();
    let _gate = stop_shard_one(&server, &barrier);
    let accepted: Vec<usize> = thread::scope(|scope| {
        let (first, is_refused) = std::sync::mpsc::sync_channel(CHANNELS);
        let threads: Vec<_> = backends
            .iter_mut()
            .zip(&names)
            .map(|(rest, name)| {
                let first = first.clone();
                scope.spawn(move || {
                    // Those whose channel's home stands still get no answer before it moves.
                    for number in 0..EVENTS {
                        let body =
                            json!({"name": "e", "channel": name, "data": number.to_string()});
                        let response = rest.post("events", &body);
                        if response.status == 503 {
                            assert_eq!(response.header("retry-after"), Some("1"));
                            first.send(()).unwrap();
                            return number;
                        }
                        assert_eq!(response.status, 200, "{}", response.text());
                    }
                    EVENTS
                })
            })
            .collect();
        is_refused.recv().unwrap();
        barrier.wait();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    // Nothing that was accepted is lost, and nothing that was refused was sent.
    let mut seen = vec![0; CHANNELS];
    for _ in 0..accepted.iter().sum() {
        let event = listener.expect("e");
        let channel: usize = event.channel()[1..].parse().unwrap();
        assert_eq!(event.text(), seen[channel].to_string());
        seen[channel] += 1;
    }
    assert_eq!(seen, accepted);
    listener.expect_quiet();
}

/// Broadcasts a number for each binary message and each POST; tells its shard.
struct Shout {
    endpoint: Endpoint,
    taken: Arc<AtomicUsize>,
}

impl Shout {
    fn shout(&self, except: &[ClientId]) {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        self.endpoint.broadcast_except(&*taken.to_string(), except);
    }
}

impl Handler for Shout {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        Ok(client.send_text(&self.endpoint.shard().to_string())?)
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        match message.as_text() {
            Some(text) => client.send_text(text)?,
            None => self.shout(&[client.id()]),
        }
        Ok(())
    }

    async fn on_request(&self, _: &Endpoint, request: Request<'_>) -> Response {
        if request.method() == "POST" {
            self.shout(&[]);
        }
        Response::text(200, self.endpoint.shard().to_string())
    }
}

#[test]
fn who_shouts_waits_while_the_other_shard_stands_still_and_nobody_else_does() {
    const SHOUTS: usize = 1_000;
    let taken: Arc<AtomicUsize> = Arc::default();
    let counted = Arc::clone(&taken);
    let (server, barrier) = gated_beside(move |router| {
        let taken = Arc::clone(&counted);
        router.mount("/shout", |endpoint| Shout { endpoint, taken });
    });
    let shouter_on = |shard| Ws::open_on(server.address(), "/shout", shard);
    let (mut shouter, mut other, mut listener) =
        (shouter_on("0"), shouter_on("0"), shouter_on("1"));
    let mut poster = Http::connect_on(server.address(), "/shout", |it| it.text() == "0");
    let _gate = stop_shard_one(&server, &barrier);
    let shouting = thread::spawn(move || {
        for _ in 0..SHOUTS {
            shouter.send(frame(FIN | BINARY, [7; 300])); // a read takes some fifty of them
        }
        shouter
    });
    let mut turns = |count: usize| {
        for _ in 0..count {
            other.send_text("a turn");
            while other.expect_text() != "a turn" {}
        }
    };
    while taken.load(Ordering::Relaxed) < SLOTS {
        turns(1);
    }
    turns(SHOUTS);
    let shouted = taken.load(Ordering::Relaxed);
    assert!(shouted < SHOUTS / 2, "{shouted}");
    poster.wire.send(request("POST", "/shout", &[], b""));
    while taken.load(Ordering::Relaxed) == shouted {
        turns(1);
    }
    turns(SHOUTS);
    assert_eq!(taken.load(Ordering::Relaxed), shouted + 1, "the POST alone");
    assert!(!poster.wire.hears_within(1), "its answer waits as well");
    barrier.wait();
    for number in 0..=SHOUTS {
        assert_eq!(listener.expect_text(), number.to_string());
    }
    assert_eq!(poster.response().text(), "0");
    shouting.join().unwrap();
}
