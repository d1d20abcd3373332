//! What is known of clients, and when there is room for more.

use crate::support::server::{NOW, TestServer, config};
use crate::support::websocket::{
    BINARY, CLOSE, CONTINUE, FIN, Incoming, PING, TEXT, Ws, close_payload, frame,
};
use crate::support::wire::PATIENCE;
use flume::{Receiver, Sender, bounded};
use futures_lite::future::{or, yield_now};
use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Message, Request, Result, Router, SendError,
    Vitals,
};
use shardcast::id::{ClientId, ShardId};
use shardcast::server::Server;
use shardcast::server::config::Config;

const OUTBOX: usize = 64 * 1024;

/// What clients of one shard ask about those of another.
struct Asker {
    endpoint: Endpoint,
    shared: Shared,
    keeps: bool,
}

#[derive(Clone)]
struct Shared {
    ids: (Sender<ClientId>, Receiver<ClientId>),
    found: (Sender<Option<Vitals>>, Receiver<Option<Vitals>>),
    log: (Sender<String>, Receiver<String>),
}

impl Asker {
    fn note(&self, text: impl Into<String>) {
        self.shared
            .log
            .0
            .try_send(text.into())
            .expect("the log has room");
    }
}

impl Handler for Asker {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        Ok(client.send_text(&self.endpoint.shard().to_string())?)
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        let about = || self.shared.ids.1.try_recv().expect("one was offered");
        match message.as_text() {
            Some("offer") => self.shared.ids.0.try_send(client.id())?,
            Some("info") => {
                let vitals = self.endpoint.info(about()).await;
                self.shared.found.0.try_send(vitals)?;
            }
            Some("self") => {
                let vitals = self.endpoint.local_info(client.id());
                self.shared.found.0.try_send(vitals)?;
            }
            Some("fill") => {
                // Ours and not read: until no more fits, and once more.
                while client.send_binary(&[0; 8_000]).is_ok() {}
                assert_eq!(client.send_binary(&[0; 8_000]), Err(SendError::Full));
                self.note("filled");
            }
            Some("ready") => {
                let about = about();
                self.note(format!("ready {:?}", self.endpoint.ready(about).await));
            }
            Some("give up") => {
                let about = about();
                for _ in 0..1_000 {
                    let asked = async { Some(self.endpoint.ready(about).await) };
                    let given_up = async {
                        yield_now().await; // asked by then
                        None
                    };
                    assert_eq!(or(asked, given_up).await, None);
                }
                self.note("given up");
            }
            Some("drained") => {
                let about = about();
                self.note(format!("drained {:?}", self.endpoint.drained(about).await));
            }
            _ => client.send_text("alive")?,
        }
        Ok(())
    }

    async fn on_close(&self, id: ClientId, (): (), close: Close) {
        let code = self
            .endpoint
            .local_info(id)
            .and_then(|vitals| vitals.close_code);
        self.note(format!("close {} {code:?} {}", close.code, close.reason));
    }

    fn keeps_info(&self) -> bool {
        self.keeps
    }
}

struct Askers {
    server: TestServer,
    shared: Shared,
}

impl Askers {
    fn start() -> Self {
        let shared = Shared {
            ids: bounded(100),
            found: bounded(100),
            log: bounded(1_000),
        };
        let inner = shared.clone();
        let routes = move |router: &mut Router| {
            for (path, keeps) in [("/ask/{id}", true), ("/less/{id}", false)] {
                router.mount(path, |endpoint| Asker {
                    endpoint,
                    shared: inner.clone(),
                    keeps,
                });
            }
        };
        let config = Config {
            outbox_bytes: OUTBOX,
            ..config([])
        };
        let builder = Server::builder().config(config).routes(routes);
        let server = TestServer::build(builder.wall_clock(|| NOW));
        Self { server, shared }
    }

    fn open_on(&self, shard: &str, path: &str) -> Ws {
        Ws::open_on(self.server.address(), path, shard)
    }

    /// What one client is told about another.
    fn told(&self, from: &mut Ws, about: &mut Ws) -> Option<Vitals> {
        let id = self.id_of(about);
        self.ask(from, id)
    }

    fn ask(&self, from: &mut Ws, about: ClientId) -> Option<Vitals> {
        self.name(about);
        from.send_text("info");
        let found = self.shared.found.1.recv_timeout(PATIENCE);
        found.expect("it is answered")
    }

    /// Names who is asked about next.
    fn name(&self, about: ClientId) {
        self.shared.ids.0.try_send(about).expect("there is room");
    }

    fn id_of(&self, ws: &mut Ws) -> ClientId {
        ws.send_text("offer");
        ws.send_text("alive?");
        assert_eq!(ws.expect_text(), "alive");
        self.shared.ids.1.try_recv().expect("it was offered")
    }

    /// Lets a client that does not read be sent to until its outbox is full and stays it.
    fn fill(&self, slow: &mut Ws, id: ClientId, asker: &mut Ws) {
        loop {
            slow.send_text("fill");
            assert_eq!(self.next(), "filled");
            // By the time of the answer its shard has written what the socket takes.
            let vitals = self.ask(asker, id).expect("it is there");
            if vitals.bytes_waiting >= OUTBOX / 2 {
                return;
            }
        }
    }

    fn next(&self) -> String {
        loop {
            match self
                .shared
                .log
                .1
                .recv_timeout(PATIENCE)
                .expect("something happens")
            {
                line if line.starts_with("close 1006") => {} // tries that were not wanted
                line => return line,
            }
        }
    }
}

#[test]
fn everything_is_counted_and_told_to_every_shard() {
    let askers = Askers::start();
    for (of, from) in [("0", "0"), ("0", "1"), ("1", "0")] {
        let mut ws = askers.open_on(of, "/ask/a%20b?query");
        let mut asker = askers.open_on(from, "/ask/x");
        let local = ws.wire.stream().local_addr().expect("it has one");
        let fresh = askers.told(&mut asker, &mut ws).expect("it is there");
        // "offer" and "alive?" came in; the shard's number and "alive" went out.
        let (read, sent) = (6 + 5 + 6 + 6, 2 + 1 + 2 + 5);
        assert_eq!((fresh.bytes_read, fresh.bytes_sent), (read, sent));
        assert_eq!((fresh.frames_read, fresh.messages_read), (2, 2));
        assert_eq!((fresh.frames_sent, fresh.messages_sent), (2, 2));
        assert_eq!((fresh.bytes_waiting, fresh.close_code), (0, None));
        assert_eq!((fresh.peer, &*fresh.path), (Some(local), "/ask/a%20b"));
        assert!(fresh.connected_ms >= NOW * 1000 && fresh.connected_ms < NOW * 1000 + 60_000);
        for time in [
            fresh.last_read_ms,
            fresh.last_sent_ms,
            fresh.last_data_read_ms,
            fresh.last_data_sent_ms,
        ] {
            assert!(time.expect("there was some") >= fresh.connected_ms);
        }
        // A ping and its answer are frames, and no data.
        ws.send(frame(FIN | PING, "x"));
        assert_eq!(ws.next(), Incoming::Pong(b"x".to_vec()));
        ws.send(
            [
                frame(TEXT, "he"),
                frame(CONTINUE, "l"),
                frame(FIN | CONTINUE, "lo"),
            ]
            .concat(),
        );
        assert_eq!(ws.expect_text(), "alive");
        let later = askers.told(&mut asker, &mut ws).expect("it is there");
        assert_eq!(later.bytes_read, read + 7 + 3 * 6 + 5 + read);
        assert_eq!(later.bytes_sent, sent + 3 + 7 + 7);
        assert_eq!(
            (later.frames_read, later.messages_read),
            (2 + 1 + 3 + 2, 2 + 1 + 2)
        );
        assert_eq!(
            (later.frames_sent, later.messages_sent),
            (2 + 1 + 1 + 1, 2 + 1 + 1)
        );
        assert_eq!(later.connected_ms, fresh.connected_ms);
        assert!(later.last_data_read_ms >= fresh.last_data_read_ms);
    }
}

#[test]
fn the_message_that_is_handled_is_counted() {
    let askers = Askers::start();
    let mut ws = askers.open_on("0", "/ask/x");
    for count in 1..=3 {
        ws.send_text("self");
        let found = askers.shared.found.1.recv_timeout(PATIENCE);
        let vitals = found.expect("it is answered").expect("it is there");
        assert_eq!((vitals.messages_read, vitals.frames_read), (count, count));
        assert_eq!(vitals.bytes_read, count * 10);
    }
}

#[test]
fn nothing_is_known_of_those_who_are_gone_or_not_counted() {
    let askers = Askers::start();
    for shard in ["0", "1"] {
        let mut asker = askers.open_on("0", "/ask/x");
        let mut less = askers.open_on(shard, "/less/x");
        assert_eq!(askers.told(&mut asker, &mut less), None);
        let mut gone = askers.open_on(shard, "/ask/y");
        let id = askers.id_of(&mut gone);
        gone.send(frame(FIN | CLOSE, close_payload(4321, "so long")));
        // As long as its close is handled something is known.
        assert_eq!(askers.next(), "close 4321 Some(4321) so long");
        gone.expect_close(4321);
        // Its task ends a moment later.
        assert!((0..1_000).any(|_| askers.ask(&mut asker, id).is_none()));
        let nowhere = ClientId::new(ShardId(200), 0, 0);
        assert_eq!(askers.ask(&mut asker, nowhere), None);
    }
}

#[test]
fn who_waits_for_room_is_told_when_there_is_some() {
    let askers = Askers::start();
    for (of, from) in [("0", "0"), ("0", "1")] {
        for what in ["ready", "drained"] {
            let mut asker = askers.open_on(from, "/ask/x");
            let mut slow = askers.open_on(of, "/ask/y");
            // There is room: it is told at once.
            let id = askers.id_of(&mut slow);
            askers.name(id);
            asker.send_text(what);
            assert_eq!(askers.next(), format!("{what} Ok(())"));
            askers.fill(&mut slow, id, &mut asker);
            askers.name(id);
            asker.send_text(what);
            asker.send(frame(FIN | BINARY, "")); // behind the wait
            assert!(!asker.wire.hears_within(50), "it has to wait");
            let mut read = 0;
            while !asker.wire.hears_within(1) {
                read += slow.wire.take(1_000).len();
            }
            assert!(read > 0);
            assert_eq!(askers.next(), format!("{what} Ok(())"));
            assert_eq!(asker.expect_text(), "alive");
        }
    }
}

#[test]
fn waiting_for_room_ends_with_the_client() {
    let askers = Askers::start();
    for (of, from) in [("0", "0"), ("0", "1")] {
        for what in ["ready", "drained"] {
            let mut asker = askers.open_on(from, "/ask/x");
            let mut slow = askers.open_on(of, "/ask/y");
            let id = askers.id_of(&mut slow);
            askers.fill(&mut slow, id, &mut asker);
            askers.name(id);
            asker.send_text(what);
            drop(slow);
            assert_eq!(askers.next(), format!("{what} Err(Gone)"));
            // And of one who is gone already, or was never there.
            for gone in [id, ClientId::new(ShardId(200), 0, 0)] {
                askers.name(gone);
                asker.send_text(what);
                assert_eq!(askers.next(), format!("{what} Err(Gone)"));
            }
        }
    }
}

#[test]
fn who_gives_up_waiting_for_room_can_wait_again() {
    let askers = Askers::start();
    let mut asker = askers.open_on("1", "/ask/x");
    let mut slow = askers.open_on("0", "/ask/y");
    let id = askers.id_of(&mut slow);
    askers.fill(&mut slow, id, &mut asker);
    askers.name(id);
    asker.send_text("give up");
    assert_eq!(askers.next(), "given up");
    askers.name(id);
    asker.send_text("ready");
    asker.send(frame(FIN | BINARY, "")); // behind the wait
    assert!(!asker.wire.hears_within(50), "it has to wait");
    let mut read = 0;
    while !asker.wire.hears_within(1) {
        read += slow.wire.take(1_000).len();
    }
    assert!(read > 0);
    assert_eq!(askers.next(), "ready Ok(())");
    // A stop gives up whoever still waits.
    askers.fill(&mut slow, id, &mut asker);
    askers.name(id);
    asker.send_text("drained");
    askers.server.stop();
}
