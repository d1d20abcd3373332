//! The time that a message has to arrive in, and what does not count towards it.

use crate::support::server::{TestServer, config};
use crate::support::websocket::{CONTINUE, FIN, Incoming, PING, PONG, TEXT, Ws, frame};
use crate::support::wire::PATIENCE;
use flume::{Receiver, Sender, bounded};
use futures_lite::future::poll_once;
use shardcast::handler::{
    Client, Endpoint, Handler, Handshake, Incoming as Parts, Message, Pace, Request, Result, Router,
};
use shardcast::limits::HELD_BYTES_MIN;
use shardcast::server::Server;
use shardcast::server::config::Config;
use std::time::Instant;

/// Answers a message with its length, when it may.
struct Slow {
    begun: Sender<()>,
    leave: Receiver<()>,
    streams: bool,
    pace: Option<Pace>,
}

impl Handler for Slow {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        self.begun.try_send(())?;
        self.leave.recv_async().await?;
        Ok(client.send_text(&message.as_bytes().len().to_string())?)
    }

    fn streams(&self) -> bool {
        self.streams
    }

    fn pace(&self) -> Option<Pace> {
        self.pace
    }
}

/// Gives up gathering a message whose rest is not here yet, and takes it when it may.
struct Patient {
    begun: Sender<()>,
    leave: Receiver<()>,
}

impl Handler for Patient {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        unreachable!("messages are streams here")
    }

    async fn on_stream(&self, client: &mut Client<()>, incoming: &mut Parts<'_>) -> Result {
        assert!(
            poll_once(incoming.gather()).await.is_none(),
            "not all of it is here"
        );
        self.begun.try_send(())?;
        self.leave.recv_async().await?;
        incoming.gather().await?;
        Ok(client.send_text(&incoming.received().to_string())?)
    }

    fn streams(&self) -> bool {
        true
    }
}

struct Served {
    server: TestServer,
    begun: Receiver<()>,
    leave: Sender<()>,
}

/// A message has a tenth of a second, and one for each 500 bytes.
fn serve() -> Served {
    let (starts, begun) = bounded(100);
    let (leave, leaves) = bounded(100);
    let routes = move |router: &mut Router| {
        let slow = |streams, pace| Slow {
            begun: starts.clone(),
            leave: leaves.clone(),
            streams,
            pace,
        };
        let (begun, leave) = (starts.clone(), leaves.clone());
        router.mount("/given-up", |_: Endpoint| Patient { begun, leave });
        router.mount("/whole", |_: Endpoint| slow(false, None));
        router.mount("/gathered", |_: Endpoint| slow(true, None));
        router.mount("/paced", |_: Endpoint| slow(false, Some(Pace::UNBOUND)));
    };
    let config = Config {
        body_timeout_ms: 100,
        ..config([])
    };
    Served {
        server: TestServer::build(Server::builder().config(config).routes(routes)),
        begun,
        leave,
    }
}

impl Served {
    /// A client of which the first part of a message is held.
    fn begin(&self, path: &str, bytes: usize) -> Ws {
        let mut ws = Ws::open(self.server.address(), path);
        ws.send(frame(TEXT, "x".repeat(bytes)));
        ws.send(frame(FIN | PING, "held"));
        assert!(matches!(ws.next(), Incoming::Pong(_)), "it was read");
        ws
    }

    /// Goes on with pongs until it is closed.
    fn expect_ended(&self, mut ws: Ws) {
        let start = Instant::now();
        while !ws.wire.hears_within(20) {
            assert!(start.elapsed() < PATIENCE, "it may drip for ever");
            ws.wire.send_while_open(&frame(FIN | PONG, b""));
        }
        ws.expect_close(1008);
    }
}

#[test]
fn a_message_that_takes_too_long_is_ended_wherever_it_is_gathered() {
    let served = serve();
    for path in ["/whole", "/gathered"] {
        served.expect_ended(served.begin(path, HELD_BYTES_MIN));
    }
}

#[test]
fn a_message_that_arrived_has_no_deadline() {
    let served = serve();
    for path in ["/whole", "/gathered"] {
        let mut ws = served.begin(path, HELD_BYTES_MIN);
        ws.send(frame(FIN | CONTINUE, "y"));
        served.begun.recv_timeout(PATIENCE).unwrap();
        // Meanwhile one is ended that began later and had longer.
        served.expect_ended(served.begin(path, HELD_BYTES_MIN + 500));
        served.leave.send(()).unwrap();
        assert_eq!(ws.expect_text(), (HELD_BYTES_MIN + 1).to_string());
        ws.close();
    }
}

#[test]
fn a_message_that_nobody_gathers_any_more_has_no_deadline() {
    let served = serve();
    let mut ws = Ws::open(served.server.address(), "/given-up");
    ws.send(frame(TEXT, "x".repeat(HELD_BYTES_MIN)));
    served.begun.recv_timeout(PATIENCE).unwrap();
    served.expect_ended(served.begin("/whole", HELD_BYTES_MIN + 500));
    served.leave.send(()).unwrap();
    ws.send(frame(FIN | CONTINUE, "y"));
    assert_eq!(ws.expect_text(), (HELD_BYTES_MIN + 1).to_string());
    ws.close();
}

#[test]
fn who_is_held_to_a_pace_takes_its_time() {
    let served = serve();
    let mut ws = served.begin("/paced", HELD_BYTES_MIN);
    served.expect_ended(served.begin("/whole", HELD_BYTES_MIN + 500));
    served.leave.send(()).unwrap();
    ws.send(frame(FIN | CONTINUE, "y"));
    assert_eq!(ws.expect_text(), (HELD_BYTES_MIN + 1).to_string());
    ws.close();
}
