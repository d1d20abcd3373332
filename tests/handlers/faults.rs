//! Errors and panics in callbacks: they end one connection and nothing else (R31).

use crate::chat::{ChatServer, expect_alive, expect_close_frame};
use crate::support::http::Http;
use crate::support::server::{TestServer, app, config};
use crate::support::websocket::{Incoming, Ws, handshake, refused, text};
use crate::support::wire::PATIENCE;
use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Message, Request, Result, Router,
};
use shardcast::http::Response;
use shardcast::id::ClientId;
use shardcast::server::Server;
use std::future::ready;

/// A client of `/chat/NAME?FAULT` on shard 0, its greeting not read.
fn faulty(chat: &ChatServer, name: &str, fault: &str) -> Ws {
    Ws::open(chat.server.address(), &format!("/chat/{name}?{fault}"))
}

/// Reads what the handler still says in `on_error`, then the close.
fn expect_sorry_and_1011(ws: &mut Ws) {
    assert_eq!(ws.expect_text(), "sorry");
    assert_eq!(ws.expect_close(1011), "Internal error");
}

#[test]
fn a_panic_in_on_message_ends_that_client_alone() {
    let chat = ChatServer::start();
    let mut healthy = [chat.client_on(0, "a"), chat.client_on(1, "b")];
    for shard in 0..2 {
        for what in ["panic boom", "panic-late boom", "fail boom"] {
            let mut ws = chat.client_on(shard, "bad");
            // What lies behind it in the same write is not looked at any more.
            ws.send([text(what), text("echo x")].concat());
            expect_sorry_and_1011(&mut ws);
            let first = format!("message {what}");
            let then: &[&str] = match what {
                "fail boom" => &["done fail", "error boom"],
                _ => &["error the handler panicked: boom"],
            };
            chat.expect_lines("bad", &[&first]);
            chat.expect_lines("bad", then);
            chat.expect_lines("bad", &["close 1011 by us"]);
            healthy.iter_mut().for_each(expect_alive);
        }
    }
}

#[test]
fn a_fault_in_on_open_closes_at_once_and_is_matched_by_a_close() {
    let chat = ChatServer::start();
    let mut healthy = [chat.client_on(0, "a"), chat.client_on(1, "b")];
    for (fault, error) in [
        (
            "panic-open",
            "error the handler panicked: broken in panic-open",
        ),
        ("fail-open", "error no"),
    ] {
        let mut ws = faulty(&chat, "bad", fault);
        assert!(ws.expect_text().starts_with("shard "));
        expect_sorry_and_1011(&mut ws);
        let handshake = format!("handshake {fault}");
        chat.expect_lines("bad", &[&handshake, "open", error, "close 1011 by us"]);
        healthy.iter_mut().for_each(expect_alive);
    }
}

#[test]
fn a_panic_in_on_error_changes_nothing_for_the_client() {
    let chat = ChatServer::start();
    let mut ws = faulty(&chat, "bad", "panic-error");
    ws.expect_text();
    ws.send_text("fail once");
    assert_eq!(ws.expect_close(1011), "Internal error");
    chat.expect_lines(
        "bad",
        &[
            "handshake panic-error",
            "open",
            "message fail once",
            "done fail",
            "error once",
            "close 1011 by us",
        ],
    );
    expect_alive(&mut chat.client("good"));
}

#[test]
fn a_panic_at_the_close_is_nobody_elses() {
    let chat = ChatServer::start();
    let mut healthy = [chat.client_on(0, "a"), chat.client_on(1, "b")];
    for fault in ["panic-close", "break-drop"] {
        for _ in 0..4 {
            let mut ws = faulty(&chat, "bad", fault);
            ws.expect_text();
            ws.close();
            let handshake = format!("handshake {fault}");
            chat.expect_lines("bad", &[&handshake, "open", "close 1000 by peer"]);
            healthy.iter_mut().for_each(expect_alive);
        }
    }
}

#[test]
fn a_fault_in_on_handshake_is_answered_500() {
    let chat = ChatServer::start();
    let mut healthy = [chat.client_on(0, "a"), chat.client_on(1, "b")];
    for fault in ["panic-handshake", "fail-handshake"] {
        let request = handshake(&format!("/chat/bad?{fault}"));
        let response = refused(chat.server.address(), &request);
        assert_eq!((response.status, response.closes()), (500, true), "{fault}");
        chat.expect_lines("bad", &[&format!("handshake {fault}")]); // and no open, no close
        healthy.iter_mut().for_each(expect_alive);
    }
    let mut ws = faulty(&chat, "bad", "fine");
    ws.expect_text();
    ws.close();
    chat.expect_lines("bad", &["handshake fine", "open", "close 1000 by peer"]);
}

#[test]
fn a_panic_in_on_request_is_answered_500() {
    let chat = ChatServer::start();
    let mut healthy = [chat.client_on(0, "a"), chat.client_on(1, "b")];
    for _ in 0..4 {
        let mut http = Http::connect(chat.server.address());
        assert_eq!(http.ask("GET", "/chat/x?fine", b"").status, 200);
        let response = http.ask("GET", "/chat/x?panic", b"");
        assert_eq!((response.status, response.closes()), (500, true));
        assert!(!response.text().contains("broken"), "{}", response.text());
        http.wire.expect_end();
        healthy.iter_mut().for_each(expect_alive);
    }
}

#[test]
fn a_panic_in_on_stop_does_not_keep_the_server_from_stopping() {
    struct Breaks;
    impl Handler for Breaks {
        type Session = ();
        async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
            Ok(Handshake::accept(()))
        }
        async fn on_message(&self, client: &mut Client<()>, _: Message<'_>) -> Result {
            Ok(client.send_text("here")?)
        }
        async fn on_stop(&self, _: &Endpoint) {
            panic!("broken in stop");
        }
    }
    let routes = |router: &mut Router| router.mount("/breaks", |_| Breaks);
    let builder = Server::builder().config(config([app()])).routes(routes);
    let server = TestServer::build(builder);
    let mut pusher = server.client();
    let mut ws = Ws::open(server.address(), "/breaks");
    ws.send_text("");
    assert_eq!(ws.expect_text(), "here");
    server.stop();
    ws.expect_close(4100);
    pusher.expect_closed(4100); // Pusher's own clients are told in its own way
    server.wait().expect("a handler does not decide that");
}

#[test]
fn many_faults_at_once_leave_the_shards_whole() {
    let chat = ChatServer::start();
    let mut bad: Vec<Ws> = (0..40).map(|_| faulty(&chat, "bad", "")).collect();
    for ws in &mut bad {
        ws.expect_text();
        ws.send_text("panic all at once");
    }
    for ws in &mut bad {
        assert_eq!(ws.expect_text(), "sorry");
        expect_close_frame(ws, 1011);
    }
    drop(bad); // none of them answers the close
    let closed = std::iter::repeat_with(|| chat.next_of("bad"))
        .filter(|line| line.starts_with("close bad"))
        .take(40);
    assert!(
        closed
            .into_iter()
            .all(|line| line == "close bad 1011 by us")
    );
    for shard in 0..2 {
        let mut ws = chat.client_on(shard, "good");
        expect_alive(&mut ws);
        assert!(matches!(end_of(ws), Incoming::End));
    }
}

fn end_of(mut ws: Ws) -> Incoming {
    ws.wire.end_sending();
    ws.next()
}

/// Panics in callbacks before they have returned a future: a callback need not be an `async fn`.
struct Abrupt(flume::Sender<String>);

impl Abrupt {
    fn may_break(&self, fault: &str, at: &str) {
        self.0.send(at.to_owned()).expect("the log has room");
        assert_ne!(fault, at, "broken");
    }
}

impl Handler for Abrupt {
    type Session = String;

    fn on_handshake(
        &self,
        request: &Request<'_>,
    ) -> impl Future<Output = Result<Handshake<String>>> {
        self.may_break(request.query(), "handshake");
        ready(Ok(Handshake::accept(request.query().to_owned())))
    }

    fn on_open(&self, client: &mut Client<String>) -> impl Future<Output = Result> {
        self.may_break(client.session(), "open");
        ready(Ok(()))
    }

    fn on_message(
        &self,
        client: &mut Client<String>,
        _: Message<'_>,
    ) -> impl Future<Output = Result> {
        self.may_break(client.session(), "message");
        ready(Err("no".into()))
    }

    fn on_error(
        &self,
        client: &mut Client<String>,
        _: &dyn std::error::Error,
    ) -> impl Future<Output = ()> {
        self.may_break(client.session(), "error");
        ready(())
    }

    fn on_close(&self, _: ClientId, fault: String, close: Close) -> impl Future<Output = ()> {
        assert_eq!((close.code, close.by_peer), (1011, false));
        self.may_break(&fault, "close");
        ready(())
    }

    fn on_request(&self, _: &Endpoint, request: Request<'_>) -> impl Future<Output = Response> {
        self.may_break(request.query(), "request");
        ready(Response::empty(204))
    }

    fn on_stop(&self, _: &Endpoint) -> impl Future<Output = ()> {
        self.may_break("stop", "stop");
        ready(())
    }
}

#[test]
fn a_callback_that_panics_when_it_is_called_is_like_any_other() {
    let (log, noted) = flume::bounded(100);
    let routes = move |router: &mut Router| {
        router.mount("/abrupt", |_| Abrupt(log.clone()));
    };
    let builder = Server::builder().config(config([])).routes(routes);
    let server = TestServer::build(builder);
    let next = || noted.recv_timeout(PATIENCE).expect("something happens");
    let mut healthy = Ws::open(server.address(), "/abrupt?none");
    assert_eq!([next(), next()], ["handshake", "open"]);
    let refusal = refused(server.address(), &handshake("/abrupt?handshake"));
    assert_eq!((refusal.status, next()), (500, "handshake".into()));
    for (fault, lines) in [
        ("open", &["handshake", "open", "error", "close"][..]),
        (
            "message",
            &["handshake", "open", "message", "error", "close"],
        ),
        ("error", &["handshake", "open", "message", "error", "close"]),
        ("close", &["handshake", "open", "message", "error", "close"]),
    ] {
        let mut ws = Ws::open(server.address(), &format!("/abrupt?{fault}"));
        if fault != "open" {
            ws.send_text("x");
        }
        assert_eq!(ws.expect_close(1011), "Internal error", "{fault}");
        for line in lines {
            assert_eq!(next(), *line, "{fault}");
        }
    }
    let mut http = Http::connect(server.address());
    assert_eq!(http.ask("GET", "/abrupt?fine", b"").status, 204);
    assert_eq!(http.ask("GET", "/abrupt?request", b"").status, 500);
    healthy.send_text("x");
    healthy.expect_close(1011);
    server.stop();
    server.wait().expect("a handler does not decide that");
    assert_eq!(noted.drain().filter(|line| line == "stop").count(), 2);
}
