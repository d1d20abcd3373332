//! The end of a server: what handlers may still do, for how long, and what comes after it.

use crate::support::http::Http;
use crate::support::server::{TestServer, config};
use crate::support::websocket::{Ws, handshake};
use crate::support::wire::PATIENCE;
use flume::{Receiver, Sender, bounded};
use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Message, Request, Result, Router,
};
use shardcast::http::Response;
use shardcast::id::ClientId;
use shardcast::server::Server;
use shardcast::server::config::Config;
use std::future::pending;
use std::time::{Duration, Instant};

/// What a handler does when the server stops.
#[derive(Clone, Debug)]
enum Stop {
    /// Nothing.
    AtOnce,
    /// Says so, waits for a word, broadcasts.
    Waits(Receiver<()>),
    /// Gives the word that another one waits for.
    Gives(Sender<()>),
    /// Never comes back.
    Never,
}

struct Leaver {
    endpoint: Endpoint,
    stop: Stop,
    log: Sender<String>,
    /// Whether its clients are served until each is closed.
    serves: bool,
}

impl Handler for Leaver {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        Ok(client.send_text(&self.endpoint.shard().to_string())?)
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        self.log.send("message".into())?;
        Ok(client.send_text(message.as_text().unwrap_or_default())?)
    }

    async fn on_close(&self, _: ClientId, (): (), close: Close) {
        let _ = self.log.send(format!("close {}", close.code));
    }

    async fn on_request(&self, endpoint: &Endpoint, _: Request<'_>) -> Response {
        Response::text(200, endpoint.shard().to_string())
    }

    async fn on_stop(&self, endpoint: &Endpoint) {
        match &self.stop {
            Stop::AtOnce => {}
            Stop::Waits(word) => {
                let _ = word.recv_async().await;
                endpoint.broadcast("bye");
            }
            Stop::Gives(word) => drop(word.send(())),
            Stop::Never => pending().await,
        }
        let _ = self.log.send(format!("stopped {}", endpoint.shard()));
    }

    fn serves_while_stopping(&self) -> bool {
        self.serves
    }
}

/// A server with these handlers, each given with its path; `stop` is for shard 0, and handlers of
/// other shards stop at once.
fn serve(
    config: Config,
    handlers: Vec<(&'static str, Stop, bool)>,
) -> (TestServer, Receiver<String>) {
    let (log, noted) = bounded(100);
    let routes = move |router: &mut Router| {
        for (path, stop, serves) in handlers.clone() {
            let log = log.clone();
            router.mount(path, move |endpoint| Leaver {
                stop: match endpoint.shard().0 {
                    0 => stop,
                    _ => Stop::AtOnce,
                },
                endpoint,
                log,
                serves,
            });
        }
    };
    let builder = Server::builder().config(config).routes(routes);
    (TestServer::build(builder), noted)
}

/// A client on a certain shard.
fn client_on(server: &TestServer, path: &str, shard: &str) -> Ws {
    Ws::open_on(server.address(), path, shard)
}

/// A connection for requests on a certain shard.
fn http_on(server: &TestServer, path: &str, shard: &str) -> Http {
    Http::connect_on(server.address(), path, |it| it.text() == shard)
}

fn next(noted: &Receiver<String>) -> String {
    noted.recv_timeout(PATIENCE).expect("something happens")
}

/// Reads over what clients that were not wanted have left in the log.
fn next_but_broken(noted: &Receiver<String>) -> String {
    loop {
        match next(noted) {
            line if line == "close 1006" => {}
            line => return line,
        }
    }
}

#[test]
fn after_on_stop_of_a_shard_nothing_but_closes_comes_and_all_shards_wait_for_each_other() {
    let (word, heard) = bounded(1);
    let (server, noted) = serve(config([]), vec![("/bye", Stop::Waits(heard), false)]);
    let mut near = client_on(&server, "/bye", "0");
    let mut far = client_on(&server, "/bye", "1");
    let mut http = http_on(&server, "/bye", "1");
    server.stop();
    assert_eq!(next_but_broken(&noted), "stopped 1");
    // Shard 0 is not done: its clients are served still.
    near.send_text("served");
    assert_eq!(near.expect_text(), "served");
    assert_eq!(next_but_broken(&noted), "message");
    // Shard 1 is done: nobody opens there any more, and messages are dropped.
    far.send_text("not served");
    let answer = http.send(handshake("/bye"));
    assert_eq!((answer.status, answer.closes()), (503, true));
    // It still waits for shard 0, whose last words reach its clients before their close.
    word.send(()).expect("it is waited for");
    for ws in [&mut far, &mut near] {
        assert_eq!(ws.expect_text(), "bye");
        ws.expect_close(4100);
    }
    assert_eq!(next_but_broken(&noted), "stopped 0");
    for _ in 0..2 {
        assert_eq!(next_but_broken(&noted), "close 4100");
    }
    server.wait().expect("it was asked to");
    assert_eq!(noted.try_recv().ok(), None);
}

#[test]
fn handlers_of_a_shard_stop_at_the_same_time() {
    let (word, heard) = bounded(1);
    let handlers = vec![
        ("/first", Stop::Waits(heard), false),
        ("/second", Stop::Gives(word), false),
    ];
    let (server, noted) = serve(config([]), handlers);
    let mut ws = client_on(&server, "/first", "0");
    server.stop();
    assert_eq!(ws.expect_text(), "bye"); // the first got its word from the second
    ws.expect_close(4100);
    server.wait().expect("it was asked to");
    assert_eq!(
        noted
            .drain()
            .filter(|line| line.starts_with("stopped"))
            .count(),
        4
    );
}

#[test]
fn who_is_served_while_stopping_is_served_until_its_close() {
    let config = Config {
        drain_spread_ms: Some(1_000),
        ..config([])
    };
    for (serves, answers) in [(true, 1), (false, 0)] {
        let handlers = vec![("/a", Stop::AtOnce, serves)];
        let (server, noted) = serve(config.clone(), handlers);
        let mut ws = client_on(&server, "/a", "0");
        server.stop();
        while next(&noted) != "stopped 0" {}
        ws.send_text("still there?");
        if serves {
            assert_eq!(ws.expect_text(), "still there?");
        }
        ws.expect_close(4100);
        server.wait().expect("it was asked to");
        assert_eq!(
            noted.drain().filter(|line| line == "message").count(),
            answers
        );
    }
}

#[test]
fn an_on_stop_that_does_not_return_is_named_and_left_behind() {
    let warnings = crate::log::warnings();
    let config = Config {
        stop_wait_ms: 50,
        ..config([])
    };
    let (server, noted) = serve(config, vec![("/stuck/{id}", Stop::Never, false)]);
    let mut ws = client_on(&server, "/stuck/1", "0");
    let begun = Instant::now();
    server.stop();
    ws.expect_close(4100);
    assert!(
        begun.elapsed() >= Duration::from_millis(50),
        "it has its time"
    );
    server.wait().expect("a handler does not decide that");
    assert!(
        begun.elapsed() < Duration::from_millis(4_000),
        "and no more"
    );
    let stopped: Vec<_> = noted
        .drain()
        .filter(|line| line.starts_with("stop"))
        .collect();
    assert_eq!(stopped, ["stopped 1"], "shard 0 never said so");
    let named = |line: &String| line.contains("on_stop") && line.contains("/stuck/{id}");
    assert!(warnings.drain().any(|line| named(&line)));
}
