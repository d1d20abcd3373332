//! Messages sent in pieces.

use crate::support::server::{TestServer, config};
use crate::support::websocket::{BINARY, CONTINUE, FIN, Incoming, PING, PONG, TEXT, Ws, frame};
use crate::support::wire::PATIENCE;
use flume::{Receiver, Sender, bounded};
use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Message, MessageKind, Request, Result, Router,
    SendError, StreamError,
};
use shardcast::id::ClientId;
use shardcast::server::Server;
use shardcast::server::config::Config;

const OUTBOX: usize = 64 * 1024;

struct Teller {
    endpoint: Endpoint,
    log: Sender<String>,
    release: Receiver<()>,
}

impl Teller {
    fn note(&self, text: impl Into<String>) {
        self.log.try_send(text.into()).expect("the log has room");
    }

    /// Sends a binary message of so many bytes, in pieces of so many, and tells how far it is.
    async fn long(&self, client: &Client<()>, bytes: usize, piece: usize) -> Result {
        let mut out = client.stream_binary()?;
        let mut left = bytes;
        while left > 0 {
            let now = left.min(piece);
            out.write(vec![b'x'; now]).await?;
            left -= now;
            self.note(format!("written {}", bytes - left));
        }
        Ok(out.finish()?)
    }

    /// Closes its client, and finds out that nothing can be streamed to it.
    async fn gone(&self, client: &Client<()>) -> Result {
        let mut out = client.stream_binary()?;
        client.close(4000, "bye");
        assert_eq!(out.write("more").await, Err(StreamError::Gone));
        assert_eq!(out.finish(), Err(StreamError::Gone));
        assert_eq!(client.stream_text().err(), Some(StreamError::Gone));
        let elsewhere = ClientId::new(shardcast::id::ShardId(200), 0, 0);
        let none = self.endpoint.stream(elsewhere, MessageKind::Text);
        assert_eq!(none.err(), Some(StreamError::Gone));

        Ok(())
    }
}

impl Handler for Teller {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        Ok(client.send_text(&self.endpoint.shard().to_string())?)
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        let text = message.as_text().expect("tests send text").to_owned();
        let words: Vec<_> = text.split(' ').collect();
        let number = |at: usize| words[at].parse().expect("a number");
        match words[0] {
            "long" => self.long(client, number(1), number(2)).await?,
            "pieces" => {
                let mut out = client.stream_text()?;
                for piece in &words[1..] {
                    out.write(piece).await?;
                }
                out.write("").await?; // nothing
                out.finish()?;
            }
            "held" => {
                let mut out = client.stream_text()?;
                out.write("begin ").await?;
                assert_eq!(client.stream_binary().err(), Some(StreamError::Busy));
                client.send_text("behind")?;
                self.endpoint.broadcast("to all");
                self.note("held");
                self.release.recv_async().await?;
                out.write("end").await?;
                out.finish()?;
                client.stream_binary()?.finish()?; // it may begin again, and be empty
            }
            "full" => {
                let mut out = client.stream_text()?;
                out.write("x").await?; // three bytes with its header
                client.send_binary(&[0; 1_000])?;
                let fits = OUTBOX - 3 - 1_004 - 4;
                let one_more = vec![0; fits + 1];
                assert_eq!(client.send_binary(&one_more), Err(SendError::Full));
                assert_eq!(client.send_binary(&one_more[1..]), Ok(()));
                assert_eq!(client.send_text(""), Err(SendError::Full));
                out.finish()?;
            }
            "drop" => {
                let mut out = client.stream_text()?;
                client.send_text("never")?;
                out.write("half").await?;
            }
            "not-text" => {
                let mut out = client.stream_text()?;
                out.write(b"\xe2\x98").await?;
                assert_eq!(out.write(b"x").await, Err(StreamError::NotText));
                assert_eq!(out.write(b"\xff").await, Err(StreamError::NotText));
                out.write(b"\x83").await?; // what was refused has changed nothing
                out.write(b"\xe2").await?;
                assert_eq!(out.finish(), Err(StreamError::NotText));
            }
            "torn" => {
                let mut out = client.stream_binary()?;
                let write = out.write(vec![0; 64 * OUTBOX]);
                assert!(futures_lite::future::poll_once(write).await.is_none());
                assert_eq!(out.write("more").await, Err(StreamError::Torn));
                assert_eq!(out.finish(), Err(StreamError::Torn));
            }
            "gone" => self.gone(client).await?,
            other => panic!("{other} is not known"),
        }
        Ok(())
    }

    async fn on_error(&self, _: &mut Client<()>, error: &dyn std::error::Error) {
        self.note(format!("error {error}"));
    }

    async fn on_close(&self, _: ClientId, (): (), close: Close) {
        self.note(format!("close {}", close.code));
    }
}

struct Tellers {
    server: TestServer,
    noted: Receiver<String>,
    release: Sender<()>,
}

impl Tellers {
    fn start() -> Self {
        let (log, noted) = bounded(10_000);
        let (release, released) = bounded(100);
        let routes = move |router: &mut Router| {
            router.mount("/tell", |endpoint| Teller {
                endpoint,
                log: log.clone(),
                release: released.clone(),
            });
        };
        let config = Config {
            outbox_bytes: OUTBOX,
            ..config([])
        };
        let server = TestServer::build(Server::builder().config(config).routes(routes));
        Self {
            server,
            noted,
            release,
        }
    }

    fn open_on(&self, shard: &str) -> Ws {
        Ws::open_on(self.server.address(), "/tell", shard)
    }

    fn next(&self) -> String {
        loop {
            match self
                .noted
                .recv_timeout(PATIENCE)
                .expect("something happens")
            {
                line if line == "close 1006" => {} // tries that were not wanted
                line => return line,
            }
        }
    }
}

/// The next frame, fragments included: its first byte and its payload.
fn next_frame(ws: &mut Ws) -> (u8, Vec<u8>) {
    let head = ws.wire.take(2);
    let length = match head[1] {
        126 => u16::from_be_bytes(ws.wire.take(2).try_into().expect("two")).into(),
        127 => u64::from_be_bytes(ws.wire.take(8).try_into().expect("eight")) as usize,
        short => usize::from(short),
    };
    (head[0], ws.wire.take(length))
}

#[track_caller]
fn expect_frames(ws: &mut Ws, frames: &[(u8, &str)]) {
    for (first, payload) in frames {
        let (got, bytes) = next_frame(ws);
        assert_eq!((got, &*String::from_utf8_lossy(&bytes)), (*first, *payload));
    }
}

#[test]
fn pieces_are_fragments_of_one_message() {
    let tellers = Tellers::start();
    for shard in ["0", "1"] {
        let mut ws = tellers.open_on(shard);
        ws.send_text("pieces a longer-piece c");
        let frames = [
            (TEXT, "a"),
            (CONTINUE, "longer-piece"),
            (CONTINUE, "c"),
            (FIN | CONTINUE, ""),
        ];
        expect_frames(&mut ws, &frames);
        ws.send_text("pieces");
        expect_frames(&mut ws, &[(FIN | TEXT, "")]);
    }
}

#[test]
fn a_long_message_waits_for_its_reader_and_holds_nothing_but_an_outbox() {
    const LONG: usize = 32 << 20;
    const PIECE: usize = 100_000; // more than a fragment, and than the outbox's mark
    let tellers = Tellers::start();
    for shard in ["0", "1"] {
        let mut ws = tellers.open_on(shard);
        let mut other = tellers.open_on(shard);
        ws.send_text(format!("long {LONG} {PIECE}"));
        // Nobody reads: it gets as far as the kernel's buffers let it, and others are served.
        assert!(tellers.next().starts_with("written "));
        other.send_text("pieces a");
        expect_frames(&mut other, &[(TEXT, "a"), (FIN | CONTINUE, "")]);
        let mut got = 0;
        let mut first = BINARY;
        let mut fragments = 0;
        loop {
            let (byte, payload) = next_frame(&mut ws);
            got += payload.len();
            fragments += 1;
            assert!(payload.iter().all(|byte| *byte == b'x') && payload.len() <= 32 * 1024);
            if byte & FIN != 0 {
                assert_eq!((byte, payload.len()), (FIN | CONTINUE, 0));
                break;
            }
            assert_eq!(byte, first);
            first = CONTINUE;
            if got < LONG / 2 {
                // Not everything was written before anything was read.
                let written = tellers.noted.drain().last();
                assert_ne!(written, Some(format!("written {LONG}")));
            }
        }
        assert_eq!(got, LONG);
        assert!(fragments > LONG / (32 * 1024));
        while tellers.next() != format!("written {LONG}") {}
    }
}

#[test]
fn others_wait_behind_and_control_frames_go_between() {
    let tellers = Tellers::start();
    let mut ws = tellers.open_on("0");
    let mut far = tellers.open_on("1");
    ws.send_text("held");
    assert_eq!(tellers.next(), "held");
    assert_eq!(far.expect_text(), "to all");
    expect_frames(&mut ws, &[(TEXT, "begin ")]);
    tellers.release.send(()).expect("it is waited for");
    let frames = [
        (CONTINUE, "end"),
        (FIN | CONTINUE, ""),
        (FIN | TEXT, "behind"),
        (FIN | TEXT, "to all"),
        (FIN | BINARY, ""),
    ];
    expect_frames(&mut ws, &frames);
    // A ping is answered in the middle of a message that was begun by somebody else's task.
    ws.send([frame(FIN | TEXT, "pieces a"), frame(FIN | PING, "x")].concat());
    expect_frames(
        &mut ws,
        &[(TEXT, "a"), (FIN | CONTINUE, ""), (FIN | PONG, "x")],
    );
}

#[test]
fn what_waits_behind_counts_against_the_outbox() {
    let tellers = Tellers::start();
    let mut ws = tellers.open_on("0");
    ws.send_text("full");
    expect_frames(&mut ws, &[(TEXT, "x"), (FIN | CONTINUE, "")]);
    assert_eq!(ws.expect_binary().len(), 1_000);
    assert_eq!(ws.expect_binary().len(), OUTBOX - 3 - 1_004 - 4);
    ws.close(); // it was full, and is still served
    assert_eq!(tellers.next(), "close 1000");
}

#[test]
fn half_a_message_closes_the_connection() {
    let tellers = Tellers::start();
    for (what, frames) in [
        ("drop", &[(TEXT, "half")][..]),
        ("not-text", &[]),
        ("torn", &[]),
    ] {
        let mut ws = tellers.open_on("0");
        ws.send_text(what);
        expect_frames(&mut ws, frames);
        let close = loop {
            match next_frame(&mut ws) {
                (first, payload) if first == FIN | 8 => break payload,
                (first, _) => assert_eq!(first & FIN, 0, "no message is whole"),
            }
        };
        assert_eq!(close[..2], 1011_u16.to_be_bytes(), "{what}");
        ws.send(frame(FIN | 8, &close[..2]));
        ws.wire.expect_end();
        assert_eq!(
            tellers.next(),
            "close 1011",
            "{what}: it is no error of a callback"
        );
    }
}

#[test]
fn nothing_is_streamed_to_who_is_gone() {
    let tellers = Tellers::start();
    let mut ws = tellers.open_on("1");
    ws.send_text("gone");
    assert_eq!(ws.expect_close(4000), "bye");
    assert_eq!(tellers.next(), "close 4000");
    assert_eq!(ws.next(), Incoming::End);
    // One that goes in the middle, without a word.
    let mut ws = tellers.open_on("1");
    ws.send_text(format!("long {} 100000", 64 << 20));
    assert!(tellers.next().starts_with("written "));
    drop(ws);
    let error = loop {
        match tellers.noted.recv_timeout(PATIENCE).expect("it ends") {
            line if line.starts_with("written ") => {}
            line if line == "close 1006" => {} // tries that were not wanted
            line => break line,
        }
    };
    assert_eq!(error, "error the client is gone");
}
