//! What a round trip costs the server through a handler of a user's, beside the Pusher server's own
//! `pusher:ping`: processor time of the shard's thread, in turns, with messages of the same size
//! both ways. Fails when the handler costs more than a tenth more.

#![allow(
    clippy::unwrap_used,
    reason = "a measurement may stop at the first surprise"
)]

use shardcast::app::App;
use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result};
use shardcast::server::Server;
use shardcast::server::config::Config;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Round trips in one measurement.
const TRIPS: u32 = 20_000;

/// Measurements of each.
const PAIRS: usize = 11;

/// What a handler may cost of what a ping costs.
const MOST: f64 = 1.1;

/// A ping as it is sent; its answer has the same length.
const PING: &str = r#"{"event":"pusher:ping","data":"{}"}"#;

struct Echo;

impl Handler for Echo {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        Ok(client.send(message)?)
    }
}

fn main() {
    let config = Config {
        port: 0,
        shards: Some(1),
        apps: vec![App::new("1001", "app-key", "app-secret")],
        ..Config::default()
    };
    let builder = Server::builder().config(config).routes(|router| {
        router.mount("/echo", |_| Echo);
    });
    let server = builder.start().unwrap();
    let shard = thread_of("shard-0");
    let mut pusher = open(server.local_addr(), "/app/app-key?protocol=7");
    let mut greeting = [0; 512];
    assert!(pusher.read(&mut greeting).unwrap() > 100);
    let mut echo = open(server.local_addr(), "/echo");
    trips(&mut pusher, shard);
    trips(&mut echo, shard);
    let mut ratios = Vec::new();
    let (mut pings, mut echoes) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let (ping, echo) = (trips(&mut pusher, shard), trips(&mut echo, shard));
        ratios.push(echo / ping);
        pings.push(ping);
        echoes.push(echo);
    }
    let ratio = median(ratios);
    println!(
        "server time of a round trip: pusher:ping {:.0} ns, echo {:.0} ns, ratio {ratio:.3}",
        median(pings),
        median(echoes)
    );
    server.stop();
    server.wait().unwrap();
    assert!(ratio <= MOST, "an echo may cost at most {MOST} of a ping");
}

/// Nanoseconds of the shard's thread for one round trip.
fn trips(stream: &mut TcpStream, shard: u32) -> f64 {
    let mut message = vec![0x81, 0x80 | PING.len() as u8, 0, 0, 0, 0];
    message.extend_from_slice(PING.as_bytes());
    let mut answer = [0; 2 + PING.len()];
    let before = spent_ns(shard);
    for _ in 0..TRIPS {
        stream.write_all(&message).unwrap();
        stream.read_exact(&mut answer).unwrap();
    }
    assert_eq!(answer[..2], [0x81, PING.len() as u8], "answers are as long");
    (spent_ns(shard) - before) as f64 / f64::from(TRIPS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The thread of this process with a name.
fn thread_of(name: &str) -> u32 {
    let found = fs::read_dir("/proc/self/task").unwrap().find_map(|entry| {
        let entry = entry.unwrap();
        let comm = fs::read_to_string(entry.path().join("comm")).unwrap();
        (comm.trim() == name).then(|| entry.file_name().to_str().unwrap().parse().unwrap())
    });
    found.expect("the shard runs")
}

/// How long a thread has been on a processor.
fn spent_ns(thread: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

fn open(address: SocketAddr, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let handshake = format!(
        "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream
}
