//! A handler for these tests: it does what its clients say, breaks where their query says so, and
//! writes down what happens to it for the test to read, on the same thread.

use futures_lite::future::pending;
use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Message, Request, Result, Router,
};
use shardcast::http::Response;
use shardcast::id::ClientId;
use shardcast::testing::{Shards, Testing};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

/// What handlers and the test share: not `Send`, as nothing here has to be.
#[derive(Clone, Default)]
pub struct Shared {
    pub log: Rc<RefCell<Vec<String>>>,
    /// Who has opened, in that order.
    pub ids: Rc<RefCell<Vec<ClientId>>>,
    /// Where every shard's handler breaks.
    pub fault: Rc<Cell<&'static str>>,
}

impl Shared {
    pub fn note(&self, line: String) {
        self.log.borrow_mut().push(line);
    }

    /// What was written down since the last time.
    pub fn take(&self) -> Vec<String> {
        self.log.take()
    }

    /// Breaks at a place by panic or by error, if it is the place.
    fn may_break(&self, at: &str, faults: &str) -> Result {
        for fault in faults.split('&').chain([self.fault.get()]) {
            assert!(fault.strip_prefix("panic-") != Some(at), "broken in {at}");
            if fault.strip_prefix("fail-") == Some(at) {
                return Err(format!("failed in {at}").into());
            }
        }
        Ok(())
    }
}

pub struct Room {
    pub endpoint: Endpoint,
    pub shared: Shared,
}

impl Room {
    pub fn new(endpoint: Endpoint, shared: &Shared) -> Self {
        let shared = shared.clone();
        Self { endpoint, shared }
    }
}

/// A room at `/room/{name}`.
pub fn routes(shared: &Shared) -> impl Fn(&mut Router) + use<> {
    let shared = shared.clone();
    move |router| {
        router.mount("/room/{name}", |endpoint| Room::new(endpoint, &shared));
    }
}

/// Two shards with a room.
pub fn room() -> (Shards, Shared) {
    let shared = Shared::default();
    let shards = Testing::new(routes(&shared)).start();
    assert_eq!(shared.take(), ["start 0", "start 1"]);
    (shards, shared)
}

/// What a panic says.
pub fn panic_of<T>(broken: impl FnOnce() -> T) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(broken)) else {
        panic!("it should have panicked");
    };
    let text = |panic: &(dyn Any + Send)| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
    };
    text(&*panic).expect("a panic with a text")
}

/// A name, and where it breaks.
pub struct Session {
    name: String,
    faults: String,
}

impl Handler for Room {
    type Session = Session;

    async fn on_start(&self, endpoint: &Endpoint) -> Result {
        self.shared.note(format!("start {}", endpoint.shard()));
        self.shared.may_break("start", "")
    }

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<Session>> {
        let name = request.param("name").unwrap_or_default().to_owned();
        let faults = request.query().to_owned();
        self.shared.may_break("handshake", &faults)?;
        if name == "nobody" {
            let refusal = Response::text(403, "nobody is not let in\n");
            return Ok(Handshake::reject(refusal.with_header("X-Why", "a name")));
        }
        let chosen = request.subprotocols().find(|name| *name == "chat.2");
        let cookie = request.cookie("id").unwrap_or("none").to_owned();
        let accepted = Handshake::accept(Session { name, faults });
        let accepted = accepted.try_header("X-Cookie", cookie)?;
        Ok(match chosen {
            Some(chosen) => accepted.with_subprotocol(chosen),
            None => accepted,
        })
    }

    async fn on_open(&self, client: &mut Client<Session>) -> Result {
        let session = client.session();
        self.shared.note(format!("open {}", session.name));
        self.shared.ids.borrow_mut().push(client.id());
        self.shared.may_break("open", &session.faults)
    }

    async fn on_message(&self, client: &mut Client<Session>, message: Message<'_>) -> Result {
        let Some(text) = message.as_text() else {
            client.send_binary(message.as_bytes())?;
            return Ok(());
        };
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "echo" => client.send_text(rest)?,
            "all" => self.endpoint.broadcast(rest),
            "others" => self.endpoint.broadcast_except(rest, &[client.id()]),
            "peer" => client.send_text(&client.peer().ok_or("no peer")?.to_string())?,
            "shard" => client.send_text(&self.endpoint.shard().to_string())?,
            "close" => client.close(4000, rest),
            "count" => client.send_text(&self.endpoint.count().await.to_string())?,
            "big" => client.send_binary(&vec![7; rest.parse()?])?,
            "try" => {
                let sent = client.send_binary(&vec![7; rest.parse()?]);
                let name = &client.session().name;
                self.shared.note(format!("try {name} {sent:?}"));
            }
            "nap" => {
                self.endpoint
                    .sleep(Duration::from_millis(rest.parse()?))
                    .await;
                client.send_text("awake")?;
            }
            "every" => {
                let (endpoint, id) = (self.endpoint.clone(), client.id());
                let mut interval = endpoint.interval(Duration::from_millis(rest.parse()?));
                let ticks = async move {
                    while endpoint.send(id, "tick").is_ok() {
                        interval.tick().await;
                    }
                };
                self.endpoint.spawn(ticks).detach();
            }
            "tokio" => {
                let work = self.endpoint.on_tokio(async {
                    tokio::task::yield_now().await;
                    "from tokio"
                });
                client.send_text(work.await?)?;
            }
            "blocking" => {
                let work = self.endpoint.blocking(|| thread::current().id());
                assert_ne!(work.await?, thread::current().id());
                client.send_text("from a thread")?;
            }
            "for-ever" => {
                let work = self.endpoint.on_tokio(pending::<()>());
                self.endpoint.spawn(work).detach();
            }
            "hang" => pending().await,
            "stop" => self.endpoint.server().stop(),
            "fail-message" | "panic-message" => self.shared.may_break("message", word)?,
            other => client.send_text(&format!("{other} is not known"))?,
        }
        Ok(())
    }

    async fn on_error(&self, client: &mut Client<Session>, error: &dyn std::error::Error) {
        let session = client.session();
        self.shared.note(format!("error {} {error}", session.name));
        let _ = self.shared.may_break("error", &session.faults);
    }

    async fn on_close(&self, _: ClientId, session: Session, close: Close) {
        let who = if close.by_peer { "peer" } else { "us" };
        self.shared
            .note(format!("close {} {} by {who}", session.name, close.code));
        let _ = self.shared.may_break("close", &session.faults);
    }

    async fn on_request(&self, endpoint: &Endpoint, request: Request<'_>) -> Response {
        self.shared
            .may_break("request", request.query())
            .expect("nothing fails here");
        match request.query() {
            "hang" => pending().await,
            "nap" => endpoint.sleep(Duration::from_secs(5)).await,
            _ => {}
        }
        let agent = request.header("x-agent").unwrap_or_default();
        let agent = String::from_utf8_lossy(agent);
        let host = request.header("host").unwrap_or_default();
        let host = String::from_utf8_lossy(host);
        let body = String::from_utf8_lossy(request.body());
        endpoint.broadcast(&*body);
        let said = format!(
            "{} {} {agent} {host} {body}",
            request.method(),
            request.path()
        );
        Response::text(200, said)
    }

    async fn on_stop(&self, endpoint: &Endpoint) {
        self.shared.note(format!("stop {}", endpoint.shard()));
        endpoint.broadcast("farewell");
        if self.shared.fault.get() == "hang-stop" {
            pending::<()>().await;
        }
        let _ = self.shared.may_break("stop", "");
    }

    fn message_max(&self) -> usize {
        100_000
    }
}
