//! What an idle connection costs the real binary in memory of its own.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod process;

use process::{Process, connect};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

/// The most that an idle connection may cost (docs/memory.md).
const BYTES_MAX: u64 = 2_048;
const CONNECTIONS: u64 = 20_000;
/// Descriptors that are not connections, in this process and in the server's.
const OTHER_FILES: u64 = 200;

/// Raises this process's limit on open files; says how many connections fit.
fn room() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(1 << 20);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(most),
            maximum: limit.maximum,
        },
    )
    .unwrap();
    CONNECTIONS.min(most - OTHER_FILES)
}

/// Bytes of memory that belong to the process alone.
fn own_bytes(server: &Process) -> u64 {
    let path = format!("/proc/{}/smaps_rollup", server.pid());
    let text = fs::read_to_string(path).unwrap();
    let private = text.lines().filter(|line| line.starts_with("Private_"));
    let kib = private.map(|line| {
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    });
    kib.sum::<u64>() * 1024
}

/// A connection that is subscribed to a channel.
fn subscribed(server: &Process) -> TcpStream {
    let (mut stream, _) = connect(server.address).unwrap();
    let frame = br#"{"event":"pusher:subscribe","data":{"channel":"idle"}}"#;
    let mut bytes = vec![0x81, 0x80 | frame.len() as u8, 0, 0, 0, 0];
    bytes.extend_from_slice(frame);
    stream.write_all(&bytes).unwrap();
    let mut answer = [0; 256];
    let count = stream.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..count]).contains("subscription_succeeded"));
    stream
}

#[test]
fn an_idle_connection_costs_at_most_two_kibibytes() {
    let count = room();
    assert!(
        count >= 4_000,
        "too few open files are allowed to tell: {count}"
    );
    let server = Process::start(&["--shards", "2"]);
    // The first connections pay for what all of them share.
    let mut open = Vec::new();
    open.extend((0..100).map(|_| subscribed(&server)));
    let before = own_bytes(&server);
    open.extend((100..count).map(|_| subscribed(&server)));
    let after = own_bytes(&server);
    let each = (after - before) / (count - 100);
    println!("{each} bytes of own memory for each of {count} idle subscribed connections");
    assert!(each <= BYTES_MAX, "{each} bytes each");
    assert_eq!(open.len() as u64, count);
}
