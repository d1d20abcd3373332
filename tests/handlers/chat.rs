//! A handler that writes down what happens to it and obeys the first word of each message.

use crate::support::pusher::QUERY;
use crate::support::server::{NOW, TestServer, config};
use crate::support::websocket::{Incoming, Ws};
use crate::support::wire::{PATIENCE, on_shard};
use flume::{Receiver, Sender, bounded};
use futures_lite::future::yield_now;
use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Message, Request, Result, Router,
};
use shardcast::http::Response;
use shardcast::id::ClientId;
use shardcast::server::Server;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::thread;

/// What all shards and the test share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// What happened, in its order.
    pub log: Sender<String>,
    /// Ids that clients have offered for others to use.
    pub offered: (Sender<ClientId>, Receiver<ClientId>),
    /// Lets a client that waits go on.
    pub release: (Sender<()>, Receiver<()>),
}

/// The handler of one shard.
pub struct Chat {
    endpoint: Endpoint,
    shared: Shared,
    /// Every session of the shard: handlers may share what is not for other threads.
    opened: RefCell<Vec<Rc<Cell<u32>>>>,
}

/// What belongs to one client: not `Send`, as nothing here has to be.
pub struct Session {
    name: String,
    messages: Rc<Cell<u32>>,
    faults: String,
    breaks_when_dropped: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        assert!(!self.breaks_when_dropped, "broken when dropped");
    }
}

impl Session {
    fn may_break(&self, at: &str) {
        assert!(!self.faults.contains(at), "broken in {at}");
    }
}

impl Chat {
    /// One shard's handler.
    pub fn new(endpoint: Endpoint, shared: Shared) -> Self {
        let opened = RefCell::default();
        Self {
            endpoint,
            shared,
            opened,
        }
    }

    fn note(&self, text: String) {
        self.shared.log.try_send(text).expect("the log has room");
    }

    /// Does what the first word of a message says; the rest is its argument.
    async fn obey(&self, client: &mut Client<Session>, word: &str, rest: &str) -> Result {
        match word {
            "echo" => client.send_text(rest)?,
            "count" => client.send_text(&client.session().messages.get().to_string())?,
            "broadcast" => self.endpoint.broadcast(rest),
            "bytes" => self.endpoint.broadcast(rest.as_bytes()),
            "others" => {
                let mut except = vec![client.id()];
                except.extend(self.shared.offered.1.try_iter());
                self.endpoint.broadcast_except(rest, &except);
            }
            "roll" => {
                let (count, clients) = (self.endpoint.count().await, self.endpoint.clients().await);
                assert_eq!(count, clients.len());
                self.endpoint
                    .multicast(&clients, &self.endpoint.prepare(rest));
                client.send_text(&count.to_string())?;
            }
            "offered" => {
                let clients: Vec<_> = self.shared.offered.1.try_iter().collect();
                let message = self.endpoint.prepare(rest.as_bytes());
                self.endpoint.multicast(&clients, &message);
                client.send_text("sent")?;
            }
            "here" => {
                let here = self.endpoint.local_clients();
                let prepared = self.endpoint.prepare(rest);
                let took = self.endpoint.multicast_local(here, &prepared);
                client.send_text(&took.to_string())?;
            }
            "offer" => self.shared.offered.0.try_send(client.id())?,
            "send" => {
                let to = self.shared.offered.1.try_recv()?;
                let sent = self.endpoint.send(to, rest);
                client.send_text(&format!("{sent:?}"))?;
            }
            "kick" => {
                let whom = self.shared.offered.1.try_recv()?;
                self.endpoint.close(whom, 4999, rest);
                client.send_text("kicked")?;
            }
            "close" => {
                client.send_text("last")?;
                client.close(3333, rest);
                assert!(client.send_text("too late").is_err());
            }
            "wait" => {
                self.shared.release.1.recv_async().await?;
                client.send_text("waited")?;
            }
            "yield" => {
                yield_now().await;
                client.send_text("yielded")?;
            }
            "fail" => return Err(rest.into()),
            "panic" => panic!("{rest}"),
            "panic-late" => {
                yield_now().await;
                panic!("{rest}")
            }
            other => panic!("{other} is not known"),
        }
        Ok(())
    }
}

impl Handler for Chat {
    type Session = Session;

    async fn on_start(&self, _: &Endpoint) -> Result {
        self.note(format!("start {}", self.endpoint.shard()));
        Ok(())
    }

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<Session>> {
        let name = request.param("name").expect("the route has it").to_owned();
        self.note(format!("handshake {name} {}", request.query()));
        match request.query() {
            "reject" => {
                let response = Response::text(403, "not you\n").with_header("X-Why", "because");
                return Ok(Handshake::reject(response));
            }
            "fail-handshake" => return Err("no".into()),
            "panic-handshake" => panic!("broken in handshake"),
            _ => {}
        }
        let messages = Rc::new(Cell::new(0));
        self.opened.borrow_mut().push(Rc::clone(&messages));
        Ok(Handshake::accept(Session {
            name,
            messages,
            faults: request.query().to_owned(),
            breaks_when_dropped: request.query() == "break-drop",
        }))
    }

    async fn on_open(&self, client: &mut Client<Session>) -> Result {
        let session = client.session();
        self.note(format!("open {}", session.name));
        client.send_text(&format!("shard {}", self.endpoint.shard()))?;
        session.may_break("panic-open");
        match session.faults.contains("fail-open") {
            true => Err("no".into()),
            false => Ok(()),
        }
    }

    async fn on_message(&self, client: &mut Client<Session>, message: Message<'_>) -> Result {
        let session = client.session_mut();
        if let Some(name) = message
            .as_text()
            .and_then(|text| text.strip_prefix("name "))
        {
            session.name = name.to_owned();
            client.send_text("named")?;
            return Ok(());
        }
        session.messages.set(session.messages.get() + 1);
        let name = session.name.clone();
        let Some(text) = message.as_text() else {
            self.note(format!("binary {name} {:?}", message.as_bytes()));
            client.send_binary(message.as_bytes())?;
            return Ok(());
        };
        self.note(format!("message {name} {text}"));
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let outcome = self.obey(client, word, rest).await;
        self.note(format!("done {name} {word}"));
        outcome
    }

    async fn on_error(&self, client: &mut Client<Session>, error: &dyn std::error::Error) {
        self.note(format!("error {} {error}", client.session().name));
        client.session().may_break("panic-error");
        let _ = client.send_text("sorry"); // it may be gone
    }

    async fn on_close(&self, id: ClientId, session: Session, close: Close) {
        let who = if close.by_peer { "peer" } else { "us" };
        self.note(format!("close {} {} by {who}", session.name, close.code));
        assert!(self.endpoint.send(id, "still there?").is_err());
        session.may_break("panic-close");
    }

    async fn on_request(&self, _: &Endpoint, mut request: Request<'_>) -> Response {
        assert_ne!(request.query(), "panic", "broken in request");
        request.body_mut().reverse();
        let body = String::from_utf8_lossy(request.body());
        let agent = request.header("x-agent").unwrap_or_default();
        let agent = String::from_utf8_lossy(agent);
        let (method, name) = (request.method(), request.param("name"));
        let (path, query) = (request.path(), request.query());
        Response::text(
            200,
            format!("{method} {name:?} {path} {query} {agent} {body}"),
        )
    }

    async fn on_stop(&self, _: &Endpoint) {
        self.note(format!("stop {}", self.endpoint.shard()));
        for client in self.endpoint.local_clients() {
            let _ = self.endpoint.send(client, "goodbye");
        }
        self.opened.borrow_mut().clear();
    }

    fn message_max(&self) -> usize {
        4096
    }
}

/// A server with `Chat` on `/chat/{name}` and on `/other/{name}`, and what the two share.
pub struct ChatServer {
    pub server: TestServer,
    pub shared: Shared,
    log: Receiver<String>,
    seen: RefCell<Vec<String>>,
}

impl ChatServer {
    /// Two shards, no apps.
    pub fn start() -> Self {
        let (log, noted) = bounded(10_000);
        let shared = Shared {
            log,
            offered: bounded(100),
            release: bounded(100),
        };
        let inner = shared.clone();
        let routes = move |router: &mut Router| {
            for path in ["/chat/{name}", "/other/{name}"] {
                router.mount(path, |endpoint| Chat::new(endpoint, inner.clone()));
            }
        };
        let builder = Server::builder().config(config([])).routes(routes);
        let server = TestServer::build(builder.wall_clock(|| NOW));
        let this = Self {
            server,
            shared,
            log: noted,
            seen: RefCell::default(),
        };
        let mut started: Vec<String> = (0..4).map(|_| this.next()).collect();
        started.sort();
        assert_eq!(started, ["start 0", "start 0", "start 1", "start 1"]);
        this
    }

    /// A client of `/chat/NAME` on any shard.
    pub fn client(&self, name: &str) -> Ws {
        self.open(&format!("/chat/{name}{QUERY}")).0
    }

    /// A client of `/chat` on a certain shard. It gets its name there, so that nothing is written
    /// down about it before.
    pub fn client_on(&self, shard: u16, name: &str) -> Ws {
        let mut ws = on_shard(|| {
            let (ws, on) = self.open("/chat/nobody");
            (on == shard).then_some(ws)
        });
        assert_eq!(ask(&mut ws, &format!("name {name}")), "named");
        ws
    }

    /// Opens a target; tells the shard.
    pub fn open(&self, target: &str) -> (Ws, u16) {
        let mut ws = Ws::open(self.server.address(), target);
        let greeting = ws.expect_text();
        let shard = greeting.strip_prefix("shard ").expect("the greeting");
        (ws, shard.parse().expect("shards are numbers"))
    }

    /// What was written down next.
    pub fn next(&self) -> String {
        let line = self.log.recv_timeout(PATIENCE).expect("something happens");
        self.seen.borrow_mut().push(line.clone());
        line
    }

    /// What was written down next about somebody; what is about others is passed over.
    pub fn next_of(&self, name: &str) -> String {
        loop {
            let line = self.next();
            if line.split(' ').nth(1) == Some(name) {
                return line;
            }
        }
    }

    /// Sees these lines about somebody, in this order and with none between.
    #[track_caller]
    pub fn expect_lines(&self, name: &str, lines: &[&str]) {
        for wanted in lines {
            let (word, rest) = wanted.split_once(' ').unwrap_or((wanted, ""));
            let wanted = format!("{word} {name} {rest}");
            assert_eq!(self.next_of(name).trim_end(), wanted.trim_end());
        }
    }
}

impl Drop for ChatServer {
    /// Holds the handler's promises against everything that was written down.
    fn drop(&mut self) {
        self.server.end();
        if thread::panicking() {
            return;
        }
        let mut lines = self.seen.take();
        lines.extend(self.log.drain());
        let count = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
        assert_eq!(count("open "), count("close "), "{lines:?}");
        assert!(count("error ") <= count("close "), "{lines:?}");
        assert_eq!(count("stop "), 4, "one for each route on each shard");
        let stopped = lines.iter().rposition(|line| line.starts_with("stop "));
        let after = &lines[stopped.expect("counted") + 1..];
        let only_closes = after.iter().all(|line| line.starts_with("close "));
        assert!(only_closes, "{after:?}");
    }
}

/// Asks for something and reads the one text that answers it.
pub fn ask(ws: &mut Ws, what: &str) -> String {
    ws.send_text(what);
    ws.expect_text()
}

/// Sees that a client is served.
pub fn expect_alive(ws: &mut Ws) {
    assert_eq!(ask(ws, "echo alive"), "alive");
}

/// Reads the close frame that is next; the connection stays open on our side.
pub fn expect_close_frame(ws: &mut Ws, code: u16) -> String {
    match ws.next() {
        Incoming::Close(Some((got, reason))) if got == code => reason,
        other => panic!("{other:?} came where close {code} should"),
    }
}
