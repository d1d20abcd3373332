//! Handlers that block their shard: the watchdog names them, and ends the server in the end.

#![allow(
    clippy::disallowed_types,
    reason = "tests of one program run on threads of their own"
)]

use crate::log::warnings;
use crate::support::http::Http;
use crate::support::server::{TestServer, config};
use crate::support::websocket::Ws;
use crate::support::wire::{PATIENCE, on_shard};
use flume::{Receiver, Sender, bounded};
use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Message, Middleware, Next, Request, Result, Router,
};
use shardcast::http::Response;
use shardcast::id::ClientId;
use shardcast::server::config::Config;
use shardcast::server::{Server, ServerError};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

/// A thread that was stopped, and what lets it go.
struct Stopped {
    thread: Thread,
    released: Arc<AtomicBool>,
}

impl Stopped {
    fn release(&self) {
        self.released.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Stops this thread until the test lets it go.
fn stop_thread(to: &Sender<Stopped>) {
    let released = Arc::new(AtomicBool::new(false));
    let stopped = Stopped {
        thread: thread::current(),
        released: Arc::clone(&released),
    };
    to.try_send(stopped).expect("the test waits for it");
    while !released.load(Ordering::Acquire) {
        thread::park();
    }
}

/// Blocks its shard where it is told to.
struct Blocks {
    endpoint: Endpoint,
    stopped: Sender<Stopped>,
}

impl Handler for Blocks {
    type Session = String;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<String>> {
        if request.query() == "handshake" {
            stop_thread(&self.stopped);
        }
        Ok(Handshake::accept(request.query().to_owned()))
    }

    async fn on_open(&self, client: &mut Client<String>) -> Result {
        if client.session() == "open" {
            stop_thread(&self.stopped);
        }
        Ok(client.send_text(&format!("{:?}", client.id()))?)
    }

    async fn on_message(&self, client: &mut Client<String>, message: Message<'_>) -> Result {
        match message.as_text() {
            Some("block") => stop_thread(&self.stopped),
            Some("late") => {
                futures_lite::future::yield_now().await;
                stop_thread(&self.stopped);
            }
            Some("fail") => return Err("no".into()),
            Some("task") => {
                let stopped = self.stopped.clone();
                self.endpoint
                    .spawn(async move { stop_thread(&stopped) })
                    .detach();
            }
            _ => client.send_text("alive")?,
        }
        Ok(())
    }

    async fn on_error(&self, _: &mut Client<String>, _: &dyn std::error::Error) {
        stop_thread(&self.stopped);
    }

    async fn on_close(&self, _: ClientId, session: String, _: Close) {
        if session == "close" {
            stop_thread(&self.stopped);
        }
    }

    async fn on_request(&self, _: &Endpoint, _: Request<'_>) -> Response {
        stop_thread(&self.stopped);
        Response::text(200, "done\n")
    }
}

/// Blocks before what is behind it.
struct Gate(Sender<Stopped>);

impl Middleware for Gate {
    async fn around(&self, request: Request<'_>, next: Next<'_>) -> Response {
        if request.query() == "gate" {
            stop_thread(&self.0);
        }
        next.run(request).await
    }
}

fn routes(router: &mut Router, to: &Sender<Stopped>) {
    router.layer(Gate(to.clone()));
    router.mount("/other", |endpoint| Blocks {
        endpoint,
        stopped: to.clone(),
    });
    router.mount("/blocks/{id}", |endpoint| Blocks {
        endpoint,
        stopped: to.clone(),
    });
    let stopped = to.clone();
    router.post("/push", async move |_: Request<'_>| {
        stop_thread(&stopped);
        "done\n"
    });
}

fn start(warn_ms: u64, end_ms: u64) -> (TestServer, Receiver<Stopped>) {
    let (to, stopped) = bounded(10);
    let config = Config {
        watchdog_warn_ms: warn_ms,
        watchdog_end_ms: end_ms,
        ..config([])
    };
    let builder = Server::builder().config(config);
    let server = TestServer::build(builder.routes(move |router| routes(router, &to)));
    (server, stopped)
}

/// A client of a certain shard, and its name in the log.
fn client_on(server: &TestServer, shard: u16, target: &str) -> (Ws, String) {
    let on = format!("client {shard}/");
    on_shard(|| {
        let mut ws = Ws::open(server.address(), target);
        let id = ws.expect_text();
        id.starts_with(&on).then_some((ws, id))
    })
}

/// The next line with all of these in it.
#[track_caller]
fn expect_line(log: &Receiver<String>, wanted: &[&str]) -> String {
    let mut seen = Vec::new();
    while let Ok(line) = log.recv_timeout(PATIENCE) {
        if wanted.iter().all(|wanted| line.contains(wanted)) {
            return line;
        }
        seen.push(line);
    }
    panic!("no line with {wanted:?} among {seen:#?}")
}

#[track_caller]
fn next(stopped: &Receiver<Stopped>) -> Stopped {
    stopped.recv_timeout(PATIENCE).expect("a thread is stopped")
}

/// The log does not tell servers apart: whoever reads of shards that are named runs alone.
static NAMED: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    NAMED.lock().unwrap_or_else(PoisonError::into_inner)
}

const STUCK: &str = "ERROR shardcast::control::thread: a shard does not turn";
const AGAIN: &str = "WARN shardcast::control::thread: a shard turns again";

#[test]
fn a_blocked_shard_is_named_with_what_it_runs_and_the_other_serves() {
    let _alone = alone();
    let log = warnings();
    let (server, stopped) = start(500, 0);
    let (mut other, _) = client_on(&server, 1, "/blocks/x");
    for word in ["block", "late"] {
        let (mut ws, id) = client_on(&server, 0, "/blocks/watched");
        ws.send_text(word);
        let blocked = next(&stopped);
        let client = format!("client=\"{id}\"");
        let route = "route=\"/blocks/{id}\"";
        let line = [STUCK, "shard=0", route, "callback=\"on_message\"", &client];
        expect_line(&log, &line);
        other.send_text("?");
        assert_eq!(other.expect_text(), "alive");
        blocked.release();
        expect_line(&log, &[AGAIN, "shard=0", "stuck_ms="]);
        ws.send_text("?");
        assert_eq!(ws.expect_text(), "alive");
    }
}

#[test]
fn each_callback_is_named_by_its_own_name() {
    let _alone = alone();
    let log = warnings();
    let (server, stopped) = start(500, 0);
    let expect = |callback: &str, route: &str, client: &str| {
        let blocked = next(&stopped);
        let (route, callback) = (
            format!("route=\"{route}\""),
            format!("callback=\"{callback}"),
        );
        expect_line(&log, &[STUCK, &route, &callback, client]);
        blocked.release();
        expect_line(&log, &[AGAIN]);
    };
    let whoever = "client=\"client ";
    let open = |query: &str| {
        let mut wire = crate::support::wire::Wire::connect(server.address());
        wire.send(crate::support::websocket::handshake(&format!(
            "/other?{query}"
        )));
        Http { wire }
    };
    let mut http = open("handshake");
    expect("on_handshake", "/other", whoever);
    Ws::accepted(http).expect_text();
    http = open("open");
    expect("on_open", "/other", whoever);
    let mut ws = Ws::accepted(http);
    let id = ws.expect_text();
    ws.send_text("fail");
    expect("on_error", "/other", &id);
    let mut ws = Ws::open(server.address(), "/other?close");
    let id = ws.expect_text();
    drop(ws); // its close frame would not be answered before on_close returns
    expect("on_close", "/other", &id);
    let mut ws = Ws::open(server.address(), "/other");
    ws.expect_text();
    ws.send_text("task");
    expect("a spawned task", "/other", "client=\"not known\"");
    let ask = |method: &str, target: &str| {
        let mut wire = crate::support::wire::Wire::connect(server.address());
        wire.send(crate::support::http::request(method, target, &[], b""));
        Http { wire }
    };
    let asked = ask("GET", "/other");
    expect("on_request", "/other", whoever);
    drop(asked);
    let asked = ask("POST", "/push");
    expect("the function for POST", "/push", whoever);
    drop(asked);
    let asked = ask("GET", "/nothing?gate");
    expect("the middleware ", "/*", whoever);
    drop(asked);
}

#[test]
fn a_shard_that_stays_blocked_ends_the_server() {
    let log = warnings();
    let (server, stopped) = start(0, 600);
    let (mut other, _) = client_on(&server, 1, "/blocks/x");
    let (mut ws, id) = client_on(&server, 0, "/blocks/ended");
    let address = server.address();
    ws.send_text("block");
    let blocked = next(&stopped);
    let error = server.wait().expect_err("a shard is lost");
    assert_eq!(error.exit_code(), 70);
    let ServerError::Shard(text) = &error else {
        panic!("{error:?}");
    };
    assert!(
        text.starts_with("shard 0 is lost: it has not turned for "),
        "{text}"
    );
    let runs = format!("it runs on_message at /blocks/{{id}} for {id}");
    assert!(text.ends_with(&runs), "{text}");
    // Nobody gets in to a shard that serves nobody, and the other one says goodbye.
    assert!(TcpStream::connect(address).is_err());
    other.expect_close(4100);
    blocked.release();
    let named = |line: &String| line.contains(STUCK) && line.contains("/blocks/ended");
    assert!(!log.drain().any(|line| named(&line)), "that was off");
}
