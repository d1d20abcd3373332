//! The allocation budget of a whole running server: real sockets, the executor included.
//!
//! The shard's own part is held to the last allocation by `tests/alloc.rs`. The executor adds its
//! own: six for each turn in which something was read (the next wait on that socket, two timers
//! against hogging, its lists), whatever the turn does. How many turns a piece of work takes is up
//! to the machine, so the limits here leave room for some more of them; a single allocation for
//! each message or subscriber would still be far past them.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "alloc/gauge.rs"]
mod gauge;

use gauge::{Cost, Held};
use shardcast::app::App;
use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result};
use shardcast::protocol::auth::Signer;
use shardcast::server::config::Config;
use shardcast::server::{Server, ServerHandle};
use std::io::{Read, Write};
use std::net::TcpStream;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const NOW_S: u64 = 1_700_000_000;

/// Rounds that let buffers grow, and as many that are counted.
const ROUNDS: u64 = 50;

/// Messages that go out in one write, and come in with one read or a few.
const TRAIN: usize = 100;

/// Allocations of one round, in this process as a whole, rounded up.
fn each(what: &str, mut round: impl FnMut()) -> u64 {
    for _ in 0..ROUNDS {
        round();
    }
    let cost = Cost::of(|| (0..ROUNDS).for_each(|_| round()));
    let blocks = cost.blocks.div_ceil(ROUNDS);
    println!("{blocks:4} a round: {what}");
    blocks
}

/// The one test of this program: what is gauged is the whole process.
#[test]
fn allocation_budget_of_a_running_server() {
    let _profiler = dhat::Profiler::builder().testing().build();
    for shards in [1, 2] {
        println!("{shards} shards:");
        // A server for each: one lets go of its last clients while the next test would count.
        for part in [pings, echoes, client_events, publishes, idle, early_bytes] {
            let server = start(shards);
            part(&server);
            server.stop();
            server.wait().unwrap();
        }
    }
}

fn start(shards: usize) -> ServerHandle {
    let mut app = App::new("1001", "app-key", "app-secret");
    app.client_events = true;
    app.client_events_per_second = None;
    let config = Config {
        port: 0,
        shards: Some(shards),
        apps: vec![app],
        pings_per_second: None,
        ..Config::default()
    };
    let builder = Server::builder().config(config).routes(|router| {
        router.mount("/echo", |_| Echo);
    });
    builder.wall_clock(|| NOW_S).start().unwrap()
}

/// Reads exactly one frame of less than 64 KiB into `buffer`; gives its payload.
fn frame<'b>(stream: &mut TcpStream, buffer: &'b mut [u8]) -> &'b [u8] {
    stream.read_exact(&mut buffer[..2]).unwrap();
    let length = match buffer[1] {
        126 => {
            stream.read_exact(&mut buffer[..2]).unwrap();
            usize::from(u16::from_be_bytes([buffer[0], buffer[1]]))
        }
        length => usize::from(length),
    };
    stream.read_exact(&mut buffer[..length]).unwrap();
    &buffer[..length]
}

/// A text frame with a mask of zeros.
fn text(payload: &str) -> Vec<u8> {
    let mut out = vec![0x81];
    match u16::try_from(payload.len()).unwrap() {
        length @ 0..126 => out.push(0x80 | length as u8),
        length => {
            out.push(0x80 | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload.as_bytes());
    out
}

/// Opens a WebSocket; gives its socket id.
fn connect(server: &ServerHandle) -> (TcpStream, String) {
    connect_with(server, &[])
}

/// Same, with bytes right behind the handshake.
fn connect_with(server: &ServerHandle, early: &[u8]) -> (TcpStream, String) {
    let mut stream = upgrade(server, "/app/app-key?protocol=7", early);
    let mut buffer = [0; 512];
    let greeting = String::from_utf8_lossy(frame(&mut stream, &mut buffer)).into_owned();
    let (_, rest) = greeting.split_once(r#"socket_id\":\""#).unwrap();
    let (socket_id, _) = rest.split_once('\\').unwrap();
    (stream, socket_id.to_owned())
}

/// Opens a WebSocket at a target, with bytes right behind the handshake.
fn upgrade(server: &ServerHandle, target: &str, early: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    let handshake = format!(
        "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream
        .write_all(&[handshake.as_bytes(), early].concat())
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream
}

fn subscriber(server: &ServerHandle, channel: &str) -> TcpStream {
    let (mut stream, socket_id) = connect(server);
    let signed = format!("{socket_id}:{channel}");
    let signature = Signer::new("app-secret").sign(&[signed.as_bytes()]);
    let data = format!(r#"{{"channel":"{channel}","auth":"app-key:{signature}"}}"#);
    let frame_out = text(&format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#));
    stream.write_all(&frame_out).unwrap();
    let mut buffer = [0; 512];
    let answer = frame(&mut stream, &mut buffer);
    assert!(String::from_utf8_lossy(answer).contains("subscription_succeeded"));
    stream
}

/// Nothing for a message: a hundred of them cost what one does, which is the executor's turn.
fn pings(server: &ServerHandle) {
    let mut stream = subscriber(server, "private-pings");
    let mut control = vec![0x89, 0x8c, 0, 0, 0, 0];
    control.extend_from_slice(b"twelve bytes");
    for (what, ping) in [
        ("pusher:ping", text(r#"{"event":"pusher:ping","data":{}}"#)),
        ("ping of twelve bytes", control),
    ] {
        for count in [1, TRAIN] {
            let train = ping.repeat(count);
            let mut buffer = [0; 512];
            let blocks = each(&format!("{count} {what}, answered"), || {
                stream.write_all(&train).unwrap();
                for _ in 0..count {
                    frame(&mut stream, &mut buffer);
                }
            });
            assert!(blocks <= 50, "{count} {what}: {blocks}");
        }
    }
}

/// Sends back what comes.
struct Echo;

impl Handler for Echo {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        Ok(match message.as_text() {
            Some(text) => client.send_text(text),
            None => client.send_binary(message.as_bytes()),
        }?)
    }
}

/// Nothing for a message through a handler of a user's either, nor for its answer.
fn echoes(server: &ServerHandle) {
    let mut stream = upgrade(server, "/echo", &[]);
    for size in [10, 100, 1_000] {
        let text = text(&"x".repeat(size));
        let mut binary = text.clone();
        binary[0] = 0x82;
        for (what, message) in [("text", text), ("binary", binary)] {
            for count in [1, TRAIN] {
                let train = message.repeat(count);
                let mut buffer = [0; 1_000];
                let blocks = each(&format!("{count} {what} of {size} bytes, echoed"), || {
                    // Answers are read meanwhile: what is written fits into the sockets.
                    stream.write_all(&train).unwrap();
                    for _ in 0..count {
                        assert_eq!(frame(&mut stream, &mut buffer).len(), size);
                    }
                });
                // A train of the largest comes in with seven reads or more, each in its turn.
                let turns = 1 + train.len() as u64 / (16 * 1024);
                assert!(
                    blocks <= 50 + 8 * turns,
                    "{count} {what} of {size}: {blocks}"
                );
            }
        }
    }
}

/// The shared bytes, and a count of its own for each shard that listens.
fn client_events(server: &ServerHandle) {
    let mut sender = subscriber(server, "private-room");
    let mut receiver = subscriber(server, "private-room");
    let event = text(r#"{"event":"client-move","channel":"private-room","data":{"x":1}}"#);
    let train = event.repeat(TRAIN);
    let mut buffer = [0; 512];
    let blocks = each(&format!("{TRAIN} client events to one other"), || {
        sender.write_all(&train).unwrap();
        for _ in 0..TRAIN {
            frame(&mut receiver, &mut buffer);
        }
    });
    let own = 3 * TRAIN as u64;
    assert!(blocks <= own + 60, "{blocks}");
}

/// Ten or so of ours for request, answer and event; nothing for a further subscriber.
fn publishes(server: &ServerHandle) {
    let request = publish_request();
    let mut backend = TcpStream::connect(server.local_addr()).unwrap();
    let mut crowd = Vec::new();
    let mut buffer = [0; 512];
    for size in [1, 10, 1_000] {
        crowd.resize_with(size, || subscriber(server, "private-news"));
        let blocks = each(&format!("REST publish to {size} subscribers"), || {
            backend.write_all(&request).unwrap();
            let count = backend.read(&mut buffer).unwrap();
            assert!(buffer[..count].starts_with(b"HTTP/1.1 200 "));
            for stream in &mut crowd {
                frame(stream, &mut buffer);
            }
        });
        assert!(blocks <= 150, "{size} subscribers: {blocks}");
    }
}

/// Of every connection that is subscribed and silent, six blocks are held: see docs/memory.md.
fn idle(server: &ServerHandle) {
    const SHARED: usize = 100; // the first ones pay for what all of them share
    const COUNTED: usize = 1_000;
    let mut crowd = Vec::with_capacity(SHARED + COUNTED);
    crowd.resize_with(SHARED, || subscriber(server, "private-idle"));
    let before = Held::now();
    crowd.resize_with(SHARED + COUNTED, || subscriber(server, "private-idle"));
    let after = Held::now();
    let blocks = after.blocks - before.blocks;
    let bytes = after.bytes - before.bytes;
    println!("{bytes} bytes in {blocks} blocks are held for {COUNTED} idle connections");
    const OF_LISTS: usize = 200; // and of timers; a seventh block would be a thousand
    assert!(blocks <= 6 * COUNTED + OF_LISTS, "{blocks} blocks");
    assert!(bytes <= 1_600 * COUNTED, "{bytes} bytes");
}

/// What came in behind a handshake is not held once it has been read.
fn early_bytes(server: &ServerHandle) {
    const COUNTED: usize = 50;
    const PONGS: usize = 1_000;
    let pongs = [0x8a, 0x80, 0, 0, 0, 0].repeat(PONGS);
    let question = text(r#"{"event":"pusher:ping","data":{}}"#);
    let early = [pongs.as_slice(), &question].concat();
    let open = || {
        let (mut stream, _) = connect_with(server, &early);
        let mut buffer = [0; 512];
        assert!(frame(&mut stream, &mut buffer).starts_with(br#"{"event":"pusher:pong""#));
        // One more round trip: what answered the first question has let go of its bytes.
        stream.write_all(&question).unwrap();
        frame(&mut stream, &mut buffer);
        stream
    };
    let _first = open();
    let before = Held::now();
    let _crowd: Vec<TcpStream> = (0..COUNTED).map(|_| open()).collect();
    let each = (Held::now().bytes - before.bytes) / COUNTED;
    println!("{each} bytes are held for a connection that was early");
    assert!(each < early.len() / 2, "{each} bytes");
}

fn publish_request() -> Vec<u8> {
    use md5::{Digest, Md5};
    let body = r#"{"name":"headline","channels":["private-news"],"data":"{\"x\":1}"}"#;
    let body_md5 = hex::encode(Md5::digest(body));
    let path = "/apps/1001/events";
    let query =
        format!("auth_key=app-key&auth_timestamp={NOW_S}&auth_version=1.0&body_md5={body_md5}");
    let signed = format!("POST\n{path}\n{query}");
    let signature = Signer::new("app-secret").sign(&[signed.as_bytes()]);
    let length = body.len();
    format!(
        "POST {path}?{query}&auth_signature={signature} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
