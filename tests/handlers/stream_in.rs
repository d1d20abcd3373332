//! Messages taken while they arrive.

use crate::support::server::{TestServer, config};
use crate::support::websocket::{
    BINARY, CLOSE, CONTINUE, FIN, Incoming as Came, PING, TEXT, Ws, close_payload, frame, header,
};
use crate::support::wire::PATIENCE;
use flume::{Receiver, Sender, bounded};
use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Incoming, Interrupted, Message, Request, Result,
    Router,
};
use shardcast::id::ClientId;
use shardcast::server::Server;
use shardcast::server::config::Config;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;

/// What a message may have in all.
const MAX: usize = 4 << 20;

/// Takes messages as its session says, and writes down what happens.
struct Taker {
    log: Sender<String>,
    release: Receiver<()>,
    /// Whether messages are gathered, as if `on_stream` had not been written.
    gathers: bool,
}

impl Taker {
    fn note(&self, text: impl Into<String>) {
        self.log.try_send(text.into()).expect("the log has room");
    }

    async fn obey(&self, client: &mut Client<String>, incoming: &mut Incoming<'_>) -> Result {
        match client.session().as_str() {
            // Waits for a word before each chunk but the first, and tells of each.
            "held" => {
                while let Some(chunk) = incoming.chunk().await? {
                    assert!(!chunk.is_empty() && chunk.len() <= 16 * 1024);
                    self.note(format!("chunk to {}", incoming.received()));
                    self.release.recv_async().await?;
                }
            }
            // Leaves after one chunk, or before it.
            "leaves" => assert!(incoming.chunk().await?.is_some()),
            "leaves-at-once" => {}
            "fails" => return Err("enough".into()),
            "panics" => {
                incoming.chunk().await?;
                panic!("too much");
            }
            // Sends to one who does not read, and asks for nothing meanwhile.
            "floods" => {
                incoming.chunk().await?;
                let (id, endpoint) = (client.id(), client.endpoint());
                while client.send_binary(&[0; 8_000]).is_ok() || endpoint.ready(id).await.is_ok() {}
                self.note("gone");
                while incoming.chunk().await?.is_some() {}
            }
            // Closes from its own side, then wants more.
            "closes" => {
                incoming.chunk().await?;
                client.close(4000, "no more");
                while incoming.chunk().await?.is_some() {}
            }
            // Takes it apart and sends it back.
            _ => {
                let mut sum = 0;
                let mut text = Vec::new();
                while let Some(chunk) = incoming.chunk().await? {
                    chunk
                        .iter_mut()
                        .for_each(|byte| *byte = byte.to_ascii_uppercase());
                    sum += chunk.len() as u64;
                    text.extend_from_slice(&chunk[..chunk.len().min(20)]);
                }
                assert_eq!(incoming.received(), sum);
                assert_eq!(incoming.chunk().await, Ok(None), "the end stays the end");
                text.truncate(20);
                let text = String::from_utf8_lossy(&text).into_owned();
                client.send_text(&format!("{:?} of {sum}: {text}", incoming.kind()))?;
            }
        }
        Ok(())
    }
}

impl Handler for Taker {
    type Session = String;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<String>> {
        Ok(Handshake::accept(request.query().to_owned()))
    }

    async fn on_open(&self, client: &mut Client<String>) -> Result {
        Ok(client.send_text(&client.endpoint().shard().to_string())?)
    }

    async fn on_message(&self, client: &mut Client<String>, message: Message<'_>) -> Result {
        assert!(self.gathers, "messages are streams here");
        let kind = match message {
            Message::Text(_) => "text",
            Message::Binary(_) => "binary",
        };
        Ok(client.send_text(&format!("whole {kind} of {}", message.as_bytes().len()))?)
    }

    async fn on_stream(&self, client: &mut Client<String>, incoming: &mut Incoming<'_>) -> Result {
        self.note("begin");
        let outcome = self.obey(client, incoming).await;
        match &outcome {
            Err(error) if error.is::<Interrupted>() => {
                assert_eq!(incoming.chunk().await, Err(Interrupted), "it stays that");
                self.note("interrupted");
            }
            _ => self.note("done"),
        }
        outcome
    }

    async fn on_error(&self, _: &mut Client<String>, error: &dyn std::error::Error) {
        self.note(format!("error {error}"));
    }

    async fn on_close(&self, _: ClientId, _: String, close: Close) {
        let who = if close.by_peer { "peer" } else { "us" };
        self.note(format!("close {} by {who}", close.code));
    }

    fn streams(&self) -> bool {
        true
    }

    fn message_max(&self) -> usize {
        MAX
    }
}

/// Same, with the `on_stream` that every handler has.
struct Gatherer(Taker);

impl Handler for Gatherer {
    type Session = String;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<String>> {
        self.0.on_handshake(request).await
    }

    async fn on_open(&self, client: &mut Client<String>) -> Result {
        self.0.on_open(client).await
    }

    async fn on_message(&self, client: &mut Client<String>, message: Message<'_>) -> Result {
        self.0.on_message(client, message).await
    }

    async fn on_close(&self, id: ClientId, session: String, close: Close) {
        self.0.on_close(id, session, close).await;
    }

    fn streams(&self) -> bool {
        true
    }

    fn message_max(&self) -> usize {
        100
    }
}

struct Takers {
    server: TestServer,
    noted: Receiver<String>,
    release: Sender<()>,
}

impl Takers {
    fn start() -> Self {
        Self::with(config([]))
    }

    fn with(config: Config) -> Self {
        let (log, noted) = bounded(10_000);
        let (release, released) = bounded(10_000);
        let routes = move |router: &mut Router| {
            let taker = |gathers| Taker {
                log: log.clone(),
                release: released.clone(),
                gathers,
            };
            router.mount("/take", |_: Endpoint| taker(false));
            router.mount("/gather", |_: Endpoint| Gatherer(taker(true)));
        };
        let server = TestServer::build(Server::builder().config(config).routes(routes));
        Self {
            server,
            noted,
            release,
        }
    }

    fn open(&self, target: &str) -> Ws {
        let mut ws = Ws::open(self.server.address(), target);
        ws.expect_text();
        ws
    }

    /// A client on a certain shard.
    fn open_on(&self, shard: &str, target: &str) -> Ws {
        Ws::open_on(self.server.address(), target, shard)
    }

    fn next(&self) -> String {
        loop {
            match self
                .noted
                .recv_timeout(PATIENCE)
                .expect("something happens")
            {
                line if line == "close 1006 by peer" => {} // tries that were not wanted
                line => return line,
            }
        }
    }

    #[track_caller]
    fn expect(&self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.next(), *line);
        }
    }
}

#[test]
fn a_large_message_is_taken_while_it_arrives() {
    let takers = Takers::start();
    for shard in ["0", "1"] {
        let mut ws = takers.open_on(shard, "/take?counts");
        for size in [1, 125, 126, 16 * 1024, 70_000, MAX] {
            ws.send(frame(FIN | BINARY, vec![b'x'; size]));
            let shown = "X".repeat(size.min(20));
            assert_eq!(ws.expect_text(), format!("Binary of {size}: {shown}"));
            takers.expect(&["begin", "done"]);
        }
        ws.send(frame(FIN | TEXT, ""));
        assert_eq!(ws.expect_text(), "Text of 0: ");
        ws.close();
        takers.expect(&["begin", "done", "close 1000 by peer"]);
    }
}

#[test]
fn fragments_are_one_message_with_pings_answered_between_and_inside() {
    let takers = Takers::start();
    let mut ws = takers.open("/take?counts");
    ws.send(frame(TEXT, "sn"));
    ws.send(frame(FIN | PING, "first"));
    assert_eq!(ws.next(), Came::Pong(b"first".to_vec()));
    for _ in 0..200 {
        ws.send(frame(CONTINUE, "ow")); // more fragments than are gathered for a whole message
    }
    // A frame that has only begun: the ping is behind it.
    let long = frame(CONTINUE, [b'x'; 1_000]);
    ws.send(&long[..500]);
    ws.send(&long[500..]);
    ws.send(frame(FIN | PING, "second"));
    assert_eq!(ws.next(), Came::Pong(b"second".to_vec()));
    ws.send(frame(FIN | CONTINUE, ""));
    assert_eq!(ws.expect_text(), "Text of 1402: SNOWOWOWOWOWOWOWOWOW");
    ws.send(
        [
            frame(FIN | TEXT, "a"),
            frame(FIN | PING, "x"),
            frame(FIN | TEXT, "b"),
        ]
        .concat(),
    );
    assert_eq!(ws.expect_text(), "Text of 1: A");
    assert_eq!(ws.next(), Came::Pong(b"x".to_vec()));
    assert_eq!(ws.expect_text(), "Text of 1: B");
}

#[test]
fn the_limit_is_for_the_whole_message() {
    let takers = Takers::start();
    let mut ws = takers.open("/take?counts");
    ws.send(frame(BINARY, vec![b'x'; MAX - 1]));
    ws.send(frame(FIN | CONTINUE, "x"));
    assert!(ws.expect_text().starts_with(&format!("Binary of {MAX}: ")));
    ws.send(frame(BINARY, vec![b'x'; MAX]));
    ws.send(frame(FIN | CONTINUE, "x"));
    ws.expect_close(1009);
    let lines = ["begin", "done", "begin", "interrupted", "close 1009 by us"];
    takers.expect(&lines);
    // Announced in one frame, it does not begin at all.
    let mut ws = takers.open("/take?counts");
    ws.send(header(FIN | BINARY, MAX as u64 + 1));
    ws.expect_close(1009);
    takers.expect(&["close 1009 by us"]);
}

#[test]
fn text_is_checked_over_all_chunks() {
    let takers = Takers::start();
    let mut ws = takers.open("/take?counts");
    let snow = "\u{2603}".as_bytes();
    ws.send(frame(TEXT, &snow[..1]));
    ws.send(frame(FIN | CONTINUE, &snow[1..]));
    assert!(ws.expect_text().starts_with("Text of 3: "));
    takers.expect(&["begin", "done"]);
    ws.send(frame(TEXT, &snow[..2]));
    ws.send(frame(FIN | CONTINUE, "x"));
    ws.expect_close(1007);
    takers.expect(&["begin", "interrupted", "close 1007 by us"]);
    let mut ws = takers.open("/take?counts");
    ws.send(frame(BINARY, [0xff])); // bytes are anything
    ws.send(frame(FIN | CONTINUE, [0xfe]));
    assert!(ws.expect_text().starts_with("Binary of 2: "));
}

#[test]
fn a_message_that_is_cut_off_is_nobodys_fault() {
    let takers = Takers::start();
    for (what, end) in [
        (
            "close 4321 by peer",
            frame(FIN | CLOSE, close_payload(4321, "")),
        ),
        ("close 1002 by us", frame(FIN | TEXT, "another")),
    ] {
        let mut ws = takers.open("/take?counts");
        ws.send([frame(TEXT, "begun"), end].concat());
        ws.expect_close(if what.contains("4321") { 4321 } else { 1002 });
        takers.expect(&["begin", "interrupted", what]);
    }
    let mut ws = takers.open("/take?held");
    ws.send(frame(TEXT, "begun"));
    takers.expect(&["begin", "chunk to 5"]);
    drop(ws); // while the handler does something else
    takers.release.send(()).expect("it is waited for");
    assert_eq!(takers.next(), "interrupted");
}

#[test]
fn a_close_of_ours_ends_the_stream() {
    let takers = Takers::start();
    let mut ws = takers.open("/take?closes");
    ws.send(frame(TEXT, "begun"));
    match ws.next() {
        Came::Close(Some((4000, reason))) => assert_eq!(reason, "no more"),
        other => panic!("{other:?} came where the close should"),
    }
    ws.send(frame(CONTINUE, "more"));
    takers.expect(&["begin", "interrupted"]);
    ws.send(frame(FIN | CONTINUE, ""));
    ws.send(frame(FIN | CLOSE, close_payload(4000, "")));
    ws.wire.expect_end();
    takers.expect(&["close 4000 by us"]);
}

#[test]
fn deadlines_hold_while_a_handler_does_not_ask() {
    let takers = Takers::with(Config {
        write_stall_ms: 100,
        ..config([])
    });
    for shard in ["0", "1"] {
        let mut ws = takers.open_on(shard, "/take?floods");
        ws.send(frame(TEXT, "begun"));
        takers.expect(&["begin", "gone", "interrupted"]);
        let closed = takers.noted.recv_timeout(PATIENCE);
        assert_eq!(closed.as_deref(), Ok("close 1006 by peer"));
    }
}

#[test]
fn what_a_handler_does_not_ask_for_is_dropped() {
    let takers = Takers::start();
    for how in ["leaves", "leaves-at-once"] {
        let mut ws = takers.open(&format!("/take?{how}"));
        for _ in 0..3 {
            ws.send(frame(BINARY, vec![b'x'; 100_000]));
            ws.send(frame(CONTINUE, vec![b'x'; 100_000]));
            ws.send(frame(FIN | PING, how));
            assert_eq!(ws.next(), Came::Pong(how.into()));
            ws.send(frame(FIN | CONTINUE, "end"));
        }
        takers.expect(&["begin", "done"].repeat(3));
        ws.close();
        takers.expect(&["close 1000 by peer"]);
    }
}

#[test]
fn faults_in_on_stream_are_like_any_others() {
    let takers = Takers::start();
    for (how, lines) in [
        (
            "fails",
            &["begin", "done", "error enough", "close 1011 by us"][..],
        ),
        (
            "panics",
            &[
                "begin",
                "error the handler panicked: too much",
                "close 1011 by us",
            ],
        ),
    ] {
        let mut ws = takers.open(&format!("/take?{how}"));
        ws.send([frame(TEXT, "begun"), frame(FIN | CONTINUE, "end")].concat());
        ws.expect_close(1011);
        takers.expect(lines);
    }
}

#[test]
fn who_sends_waits_until_the_handler_asks() {
    let takers = Takers::start();
    for shard in ["0", "1"] {
        let mut ws = takers.open_on(shard, "/take?held");
        ws.send(header(FIN | BINARY, MAX as u64));
        let mut other = takers.open_on(shard, "/take?counts");
        let mut left = MAX - write_until_it_waits(&mut ws, MAX);
        assert!(
            left > 0,
            "the server took {MAX} bytes that nobody asked for"
        );
        takers.expect(&["begin"]);
        let chunk = |received: u64| {
            let line = takers.next();
            let Some(to) = line.strip_prefix("chunk to ") else {
                panic!("{line} came where a chunk should");
            };
            let to: u64 = to.parse().expect("a number");
            assert!(to > received && to - received <= 16 * 1024);
            to
        };
        let mut received = chunk(0);
        // It holds back this client and no other.
        other.send(frame(FIN | TEXT, "alive"));
        assert_eq!(other.expect_text(), "Text of 5: ALIVE");
        takers.expect(&["begin", "done"]);
        // Chunk by chunk, all of it comes.
        while received < MAX as u64 {
            takers.release.send(()).expect("it is waited for");
            left -= write_until_it_waits(&mut ws, left);
            received = chunk(received);
        }
        takers.release.send(()).expect("it is waited for");
        takers.expect(&["done"]);
        ws.close();
        other.close();
        takers.expect(&["close 1000 by peer", "close 1000 by peer"]);
    }
}

/// Writes masked zeros as long as the socket takes them; gives how many it took.
fn write_until_it_waits(ws: &mut Ws, most: usize) -> usize {
    let stream: &TcpStream = ws.wire.stream();
    stream
        .set_nonblocking(true)
        .expect("a socket takes its options");
    let bytes = [0; 64 * 1024];
    let mut written = 0;
    while written < most {
        match (&*stream).write(&bytes[..bytes.len().min(most - written)]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}"),
        }
    }
    stream
        .set_nonblocking(false)
        .expect("a socket takes its options");
    written
}

#[test]
fn the_on_stream_that_every_handler_has_gathers() {
    let takers = Takers::start();
    let mut ws = takers.open("/gather");
    ws.send([frame(TEXT, [b'x'; 60]), frame(FIN | CONTINUE, [b'x'; 40])].concat());
    assert_eq!(ws.expect_text(), "whole text of 100");
    ws.send(frame(FIN | BINARY, ""));
    assert_eq!(ws.expect_text(), "whole binary of 0");
    ws.send([frame(TEXT, [b'x'; 60]), frame(FIN | CONTINUE, [b'x'; 41])].concat());
    ws.expect_close(1009);
    takers.expect(&["close 1009 by us"]);
}
