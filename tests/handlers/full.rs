//! Clients that read more slowly than they are sent to.

use crate::support::server::{TestServer, config};
use crate::support::websocket::Ws;
use crate::support::wire::PATIENCE;
use flume::{Receiver, Sender, bounded};
use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Message, Request, Result, Router, SendError,
};
use shardcast::id::ClientId;
use shardcast::server::Server;
use shardcast::server::config::Config;

const OUTBOX: usize = 64 * 1024;

/// Payload of the one binary message that fills an outbox.
const FILLS: usize = OUTBOX - 4;

struct Sends {
    endpoint: Endpoint,
    ids: (Sender<ClientId>, Receiver<ClientId>),
    log: Sender<String>,
}

impl Handler for Sends {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        Ok(client.send_text(&self.endpoint.shard().to_string())?)
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        let all = vec![7; FILLS + 1];
        match message.as_text().unwrap_or_default() {
            "past" => assert_eq!(client.send_binary(&all), Err(SendError::Full)),
            "at" => {
                // Nothing leaves before this callback returns.
                assert_eq!(client.send_binary(&all[1..]), Ok(()));
                assert_eq!(client.send_text(""), Err(SendError::Full));
                let (id, endpoint) = (client.id(), &self.endpoint);
                assert_eq!(endpoint.send(id, "x"), Err(SendError::Full));
                endpoint.ready(id).await?;
                client.send_text("ready")?;
            }
            "offer" => {
                self.ids.0.try_send(client.id())?;
                client.send_text("offered")?;
            }
            "broadcast-at" => {
                self.endpoint.broadcast(&all[1..]);
                self.log.try_send("broadcast".into())?;
            }
            "broadcast-past" => self.endpoint.broadcast(&all),
            "multicast-past" => {
                let clients: Vec<_> = self.ids.1.try_iter().collect();
                self.endpoint
                    .multicast(&clients, &self.endpoint.prepare(&all));
            }
            "send-past" => {
                let sent = self.endpoint.send(self.ids.1.try_recv()?, &all);
                client.send_text(&format!("{sent:?}"))?;
            }
            other => client.send_text(other)?,
        }
        Ok(())
    }

    async fn on_error(&self, _: &mut Client<()>, error: &dyn std::error::Error) {
        let _ = self.log.try_send(format!("error {error}"));
    }

    async fn on_close(&self, _: ClientId, (): (), close: Close) {
        let _ = self.log.try_send(format!("close {}", close.code));
    }
}

fn start() -> (TestServer, Receiver<String>) {
    let (log, noted) = bounded(1_000);
    let ids = bounded(100);
    let routes = move |router: &mut Router| {
        router.mount("/send", |endpoint| Sends {
            endpoint,
            ids: ids.clone(),
            log: log.clone(),
        });
    };
    let config = Config {
        outbox_bytes: OUTBOX,
        ..config([])
    };
    let server = TestServer::build(Server::builder().config(config).routes(routes));
    (server, noted)
}

fn open_on(server: &TestServer, shard: &str) -> Ws {
    Ws::open_on(server.address(), "/send", shard)
}

#[track_caller]
fn ask(ws: &mut Ws, what: &str) -> String {
    ws.send_text(what);
    ws.expect_text()
}

/// The next line that is not about connections which were not wanted.
fn next(noted: &Receiver<String>) -> String {
    loop {
        match noted.recv_timeout(PATIENCE).expect("something happens") {
            line if line == "close 1006" => {}
            line => return line,
        }
    }
}

#[test]
fn a_send_to_a_full_client_says_so_and_leaves_it_alone() {
    let (server, noted) = start();
    for shard in ["0", "1"] {
        let mut ws = open_on(&server, shard);
        ws.send_text("past");
        assert_eq!(
            ask(&mut ws, "alive"),
            "alive",
            "nothing came, nothing happened"
        );
        for _ in 0..3 {
            ws.send_text("at");
            assert_eq!(ws.expect_binary(), [7; FILLS]);
            assert_eq!(ws.expect_text(), "ready");
        }
        ws.close();
        assert_eq!(next(&noted), "close 1000");
    }
}

#[test]
fn what_goes_to_many_closes_those_who_are_full() {
    let (server, noted) = start();
    for how in ["broadcast-past", "multicast-past"] {
        let mut clients = [open_on(&server, "0"), open_on(&server, "1")];
        for ws in &mut clients {
            assert_eq!(ask(ws, "offer"), "offered");
        }
        clients[0].send_text("broadcast-at");
        assert_eq!(next(&noted), "broadcast");
        for ws in &mut clients {
            assert_eq!(ws.expect_binary(), [7; FILLS]);
        }
        clients[0].send_text(how);
        for ws in &mut clients {
            assert_eq!(
                ws.expect_close(1013),
                "The client reads too slowly",
                "{how}"
            );
            assert_eq!(next(&noted), "close 1013");
        }
    }
}

#[test]
fn what_comes_from_another_shard_closes_who_is_full() {
    let (server, noted) = start();
    for (to, from) in [("0", "1"), ("1", "0")] {
        let mut sender = open_on(&server, from);
        let mut full = open_on(&server, to);
        assert_eq!(ask(&mut full, "offer"), "offered");
        assert_eq!(
            ask(&mut sender, "send-past"),
            "Ok(())",
            "it is known only there"
        );
        assert_eq!(full.expect_close(1013), "The client reads too slowly");
        assert_eq!(next(&noted), "close 1013");
        // On the sender's own shard it is told, and nobody is closed.
        let mut near = open_on(&server, from);
        assert_eq!(ask(&mut near, "offer"), "offered");
        assert_eq!(ask(&mut sender, "send-past"), "Err(Full)");
        assert_eq!(ask(&mut near, "alive"), "alive");
    }
}

/// Sends itself more than fits before it was told that it is connected.
struct Greedy;

impl Handler for Greedy {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        let endpoint = client.endpoint();
        let all = endpoint.prepare(&[7; OUTBOX][..]);
        endpoint.multicast(&[client.id()], &all);
        Ok(())
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(())
    }
}

#[test]
fn who_is_full_before_the_handshakes_answer_has_left_gets_it_all_the_same() {
    let config = Config {
        outbox_bytes: OUTBOX,
        ..config([])
    };
    let routes = |router: &mut Router| {
        router.mount("/greedy", |_| Greedy);
    };
    let server = TestServer::build(Server::builder().config(config).routes(routes));
    let mut ws = Ws::open(server.address(), "/greedy");
    assert_eq!(ws.expect_close(1013), "The client reads too slowly");
}
