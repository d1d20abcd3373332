//! Which callback comes when, and what each is given.

use crate::chat::{Chat, ChatServer, ask, expect_alive, expect_close_frame};
use crate::support::http::{Http, request};
use crate::support::server::{NOW, TestServer, app, config};
use crate::support::websocket::{
    BINARY, CLOSE, FIN, Incoming, Ws, close_payload, frame, handshake, refused, text,
};
use flume::bounded;
use shardcast::handler::{Endpoint, Handler, Handshake, Message, Request, Result, Router};
use shardcast::server::{Server, ServerError};

#[test]
fn a_life_from_handshake_to_close() {
    let chat = ChatServer::start();
    let (mut ws, _) = chat.open("/chat/ann?x=1");
    assert_eq!(ask(&mut ws, "echo hello"), "hello");
    ws.send(frame(FIN | BINARY, [0, 255]));
    assert_eq!(ws.next(), Incoming::Binary(vec![0, 255]));
    assert_eq!(ask(&mut ws, "count"), "3"); // the session is kept
    ws.close();
    chat.expect_lines(
        "ann",
        &[
            "handshake x=1",
            "open",
            "message echo hello",
            "done echo",
            "binary [0, 255]",
            "message count",
            "done count",
            "close 1000 by peer",
        ],
    );
}

#[test]
fn a_close_says_who_began_it_and_how() {
    let chat = ChatServer::start();
    // The peer, with a code, without one, and without a word.
    let mut ws = chat.client("coded");
    ws.send(frame(FIN | CLOSE, close_payload(4242, "mine")));
    assert_eq!(expect_close_frame(&mut ws, 4242), "");
    ws.wire.expect_end();
    let mut ws = chat.client("empty");
    ws.send(frame(FIN | CLOSE, ""));
    assert_eq!(ws.next(), Incoming::Close(None));
    ws.wire.expect_end();
    drop(chat.client("broken"));
    // The handler; the server, because the peer broke the protocol; the server at its end.
    let mut ws = chat.client("handler");
    assert_eq!(ask(&mut ws, "close bye"), "last");
    assert_eq!(ws.expect_close(3333), "bye");
    let mut ws = chat.client("fault");
    ws.send(frame(FIN | 3, "x"));
    ws.expect_close(1002);
    let mut ws = chat.client("big");
    ws.send_text("x".repeat(4097)); // message_max
    ws.expect_close(1009);
    let mut closed: Vec<String> = std::iter::repeat_with(|| chat.next())
        .filter(|line| line.starts_with("close "))
        .take(6)
        .collect();
    closed.sort();
    assert_eq!(
        closed,
        [
            "close big 1009 by us",
            "close broken 1006 by peer",
            "close coded 4242 by peer",
            "close empty 1005 by peer",
            "close fault 1002 by us",
            "close handler 3333 by us",
        ]
    );
}

#[test]
fn messages_come_one_after_the_other_and_hold_back_nobody_else() {
    let chat = ChatServer::start();
    let mut ann = chat.client_on(0, "ann");
    let mut ben = chat.client_on(0, "ben");
    ann.send(
        [
            text("wait"),
            text("echo after"),
            text("yield"),
            text("count"),
        ]
        .concat(),
    );
    for _ in 0..3 {
        expect_alive(&mut ben); // the same shard, while ann's callback waits
    }
    chat.shared.release.0.send(()).unwrap();
    for answer in ["waited", "after", "yielded", "4"] {
        assert_eq!(ann.expect_text(), answer);
    }
    ann.close();
    chat.expect_lines(
        "ann",
        &[
            "message wait",
            "done wait",
            "message echo after",
            "done echo",
            "message yield",
            "done yield",
            "message count",
            "done count",
            "close 1000 by peer",
        ],
    );
}

#[test]
fn a_hundred_messages_keep_their_order() {
    let chat = ChatServer::start();
    let mut ws = chat.client("ann");
    let all: Vec<u8> = (0..100).flat_map(|n| text(format!("echo {n}"))).collect();
    ws.send(all);
    for n in 0..100 {
        assert_eq!(ws.expect_text(), n.to_string());
    }
}

#[test]
fn a_handshake_may_be_rejected_with_any_answer() {
    let chat = ChatServer::start();
    let mut http = Http::connect(chat.server.address());
    let response = http.send(handshake("/chat/ann?reject"));
    assert_eq!((response.status, response.text()), (403, "not you\n"));
    assert_eq!(response.header("x-why"), Some("because"));
    chat.expect_lines("ann", &["handshake reject"]);
    // Nothing else is ever asked on such a connection, so it is not kept for 75 seconds.
    assert!(response.closes());
    http.wire.expect_end();
}

#[test]
fn requests_reach_the_handler_with_every_part() {
    let chat = ChatServer::start();
    let mut http = Http::connect(chat.server.address());
    let sent = request("PUT", "/chat/a%20b?q=1&r", &["X-Agent: test"], b"body");
    let wanted = "PUT Some(\"a%20b\") /chat/a%20b q=1&r test ydob";
    for _ in 0..2 {
        let response = http.send(&sent);
        assert_eq!((response.status, response.text()), (200, wanted));
    }
    for path in [
        "/chat",
        "/chat/",
        "/chat/a/b",
        "/",
        "/app/app-key",
        "/apps/1001/channels",
    ] {
        assert_eq!(http.ask("GET", path, b"").status, 404, "{path}");
        let upgrade = refused(chat.server.address(), &handshake(path));
        assert_eq!(upgrade.status, 404, "{path}");
    }
}

/// Implements only what has to be.
struct Least;

impl Handler for Least {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(
        &self,
        client: &mut shardcast::handler::Client<()>,
        message: Message<'_>,
    ) -> Result {
        assert_eq!(
            client.peer().map(|peer| peer.ip().is_loopback()),
            Some(true)
        );
        Ok(client.send_text(message.as_text().unwrap_or_default())?)
    }
}

#[test]
fn a_handler_needs_two_callbacks_and_stands_beside_the_pusher_server() {
    let routes = |router: &mut Router| {
        router.mount("/least", |_| Least);
        router.mount("/apps/1001/channels", |_| Least); // whoever mounts our path means it
    };
    let builder = Server::builder().config(config([app()])).routes(routes);
    let server = TestServer::build(builder.wall_clock(|| NOW));
    let mut ws = Ws::open(server.address(), "/least");
    ws.send_text("hello");
    assert_eq!(ws.expect_text(), "hello");
    ws.send_text("x".repeat(65_536)); // message_max by default
    assert_eq!(ws.expect_text().len(), 65_536);
    let mut http = Http::connect(server.address());
    for path in ["/least", "/apps/1001/channels"] {
        let response = http.ask("GET", path, b"");
        assert_eq!(response.status, 426, "{path}");
        assert_eq!(response.header("upgrade"), Some("websocket"));
    }
    server.client().expect_quiet();
    server.rest().trigger("news", "e", "d");
    ws.send_text("x".repeat(65_537));
    ws.expect_close(1009);
}

#[test]
fn stopping_calls_on_stop_once_which_may_still_send() {
    let chat = ChatServer::start();
    let mut clients = [chat.client_on(0, "ann"), chat.client_on(1, "ben")];
    chat.server.stop();
    for ws in &mut clients {
        assert_eq!(ws.expect_text(), "goodbye");
        ws.expect_close(4100); // and nothing of a protocol that is not the handler's
    }
    let mut lines: Vec<String> = std::iter::repeat_with(|| chat.next())
        .filter(|line| !line.contains("nobody"))
        .take(6)
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "close ann 4100 by us",
            "close ben 4100 by us",
            "stop 0",
            "stop 0",
            "stop 1",
            "stop 1",
        ]
    );
}

#[test]
fn an_on_start_that_refuses_stops_the_start() {
    struct Refuses(bool);
    impl Handler for Refuses {
        type Session = ();
        async fn on_start(&self, _: &Endpoint) -> Result {
            assert!(!self.0, "broken in start");
            Err("the database is away".into())
        }
        async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
            Ok(Handshake::accept(()))
        }
        async fn on_message(
            &self,
            _: &mut shardcast::handler::Client<()>,
            _: Message<'_>,
        ) -> Result {
            Ok(())
        }
    }
    for (panics, words) in [(false, "the database is away"), (true, "panicked")] {
        let builder = Server::builder().config(config([])).routes(move |router| {
            // A healthy one on the same shard changes nothing.
            let (log, _noted) = bounded(100);
            let shared = crate::chat::Shared {
                log,
                offered: bounded(1),
                release: bounded(1),
            };
            router.mount("/refuses", move |_| Refuses(panics));
            router.mount("/chat/{name}", |endpoint| Chat::new(endpoint, shared));
        });
        let error = builder.start().unwrap_err();
        assert!(matches!(error, ServerError::Shard(_)), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.exit_code(), 70);
    }
}
