//! The process as the operating system sees it: which cores, what it costs when idle, what it
//! does when descriptors run out.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod process;

use process::{Process, connect};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

fn shard_of(socket_id: &str) -> u64 {
    socket_id.split('.').next().unwrap().parse::<u64>().unwrap() % 1024
}

/// The share of one core that a process uses while nothing is asked of it.
fn idle_share(server: &Process) -> f64 {
    let (idle, _) = connect(server.address).unwrap();
    let before = server.cpu_s();
    let start = Instant::now();
    // Nothing will come: the read's own deadline is the time that is measured.
    idle.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let nothing = std::io::Read::read(&mut &idle, &mut [0; 1]);
    assert!(nothing.is_err(), "nobody sends anything: {nothing:?}");
    (server.cpu_s() - before) / start.elapsed().as_secs_f64()
}

#[test]
fn an_idle_shard_uses_under_one_percent_of_a_core() {
    let server = Process::start(&["--shards", "1"]);
    let share = idle_share(&server);
    println!("idle: {:.2} % of a core", share * 100.0);
    assert!(share < 0.01, "{share}");
}

#[test]
fn spinning_is_what_one_gets_when_one_asks_for_it() {
    let server = Process::start(&["--shards", "1", "--spin=1000000"]);
    let share = idle_share(&server);
    println!("spinning: {:.0} % of a core", share * 100.0);
    // It spins on a core that other tests may need as well, so it does not get all of it.
    assert!(share > 0.1, "{share}");
}

#[test]
fn each_shard_is_pinned_to_its_own_core() {
    let server = Process::start(&["--shards", "2", "--cores", "0-1"]);
    let pinned = || {
        let mut shards = server.affinities();
        shards.retain(|(name, _)| name.starts_with("shard-"));
        shards.sort();
        shards.dedup(); // each has a helper thread for calls that block, on its own core too
        shards
    };
    let wanted =
        [("shard-0", "0"), ("shard-1", "1")].map(|(name, core)| (name.into(), core.into()));
    // A helper moves to its core when it first runs, which may be later than the banner.
    let deadline = Instant::now() + Duration::from_secs(10);
    while pinned() != wanted && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(pinned(), wanted);
}

/// The ring that a shard sends with, beside the three of its executor.
const SEND_RING: u32 = 256;

#[test]
fn rings_are_as_deep_as_asked_or_as_is_of_use() {
    let asked = Process::start(&["--shards", "1", "--ring-depth", "512"]);
    assert_eq!(asked.ring_depths(), [SEND_RING, 512, 512, 512]);
    let by_itself = Process::start(&["--shards", "1"]);
    let depths = by_itself.ring_depths();
    // Where locked memory is short they are shallower: tests/preflight.rs.
    let deepest = *depths.last().unwrap();
    assert_eq!(depths, [SEND_RING, deepest, deepest, deepest]);
    assert!((512..=4096).contains(&deepest), "{depths:?}");
}

#[test]
fn a_shard_does_without_its_send_ring_when_told_so() {
    let flags = ["--shards", "1", "--ring-depth", "512", "--send-ring=false"];
    let server = Process::start(&flags);
    assert_eq!(server.ring_depths(), [512; 3]);
}

#[test]
fn the_cores_are_the_ones_that_were_named() {
    let server = Process::start(&["--cores", "1"]);
    let affinities = server.affinities();
    let of = |wanted: &str| {
        let found = affinities.iter().find(|(name, _)| name == wanted);
        found.map(|(_, cores)| cores.as_str())
    };
    assert_eq!(of("shard-0"), Some("1"));
    assert_eq!(of("shard-1"), None, "one core, one shard");
    // The control thread is kept off the shards' cores where there is a spare one.
    assert_eq!(of("control"), Some("0"));
}

#[test]
fn every_shard_gets_connections() {
    let server = Process::start(&["--shards", "2"]);
    let mut seen = [false; 2];
    let mut open = Vec::new();
    for _ in 0..200 {
        let (stream, socket_id) = connect(server.address).unwrap();
        seen[shard_of(&socket_id) as usize] = true;
        open.push(stream);
        if seen == [true; 2] {
            return;
        }
    }
    panic!("200 connections, and only these shards have one: {seen:?}");
}

#[test]
fn more_shards_than_cores_start_with_a_warning() {
    let server = Process::start(&["--shards", "5", "--cores", "0-1"]);
    assert!(
        server.banner.contains("5 shards on cores 0-1"),
        "{}",
        server.banner
    );
    assert!(server.banner.contains("warning"), "{}", server.banner);
    connect(server.address).unwrap();
    let (status, _) = server.stop();
    assert!(status.success(), "{status}");
}

#[test]
fn the_accept_rate_is_kept_per_shard() {
    let server = Process::start(&["--shards", "1", "--accept-per-second", "5"]);
    let start = Instant::now();
    let mut open = Vec::new();
    for _ in 0..11 {
        open.push(connect(server.address).unwrap());
    }
    // Five at once, then five a second: the eleventh waits for ten tokens, and so for a second.
    assert!(
        start.elapsed() >= Duration::from_millis(990),
        "{:?}",
        start.elapsed()
    );
}

/// F16: a failing accept comes back at once and for ever; so it does not come to that.
#[test]
fn running_out_of_descriptors_neither_spins_nor_harms_those_inside() {
    let mut limited = Command::new("prlimit");
    limited.args(["--nofile=100:100", env!("CARGO_BIN_EXE_shardcast")]);
    let server = Process::start_as(limited, &["--shards", "1"]);
    let mut inside = vec![connect(server.address).unwrap().0];
    // As many as fit; the rest is told so, a few at a time, or waits in the backlog for that.
    let outside: Vec<_> = (0..100)
        .filter_map(|_| TcpStream::connect(server.address).ok())
        .collect();
    assert_eq!(outside.len(), 100);
    let before = server.cpu_s();
    let start = Instant::now();
    let first = inside[0].try_clone().unwrap();
    first
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    assert!(
        std::io::Read::read(&mut &first, &mut [0; 1]).is_err(),
        "nothing was sent to it"
    );
    let share = (server.cpu_s() - before) / start.elapsed().as_secs_f64();
    assert!(
        share < 0.2,
        "{share} of a core while there are no descriptors"
    );
    // Those inside are served all the while.
    ping(&mut inside[0]);
    drop(outside);
    // There is room again, and it is noticed without help.
    let start = Instant::now();
    inside.push(loop {
        match connect(server.address) {
            Some((stream, _)) => break stream,
            None => assert!(start.elapsed() < Duration::from_secs(10), "it stays full"),
        }
    });
    ping(&mut inside[1]);
    let (status, log) = server.stop();
    assert!(status.success(), "{status}");
    assert!(!log.contains("cannot accept"), "{log}");
}

/// A control ping, which the server answers with the same payload.
fn ping(stream: &mut TcpStream) {
    use std::io::{Read, Write};
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
        .write_all(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i'])
        .unwrap();
    let mut pong = [0; 4];
    stream.read_exact(&mut pong).unwrap();
    assert_eq!(pong, [0x8a, 2, b'h', b'i']);
}

#[test]
fn debug_logs_connections_and_messages_and_nothing_else_does() {
    for (flags, logged) in [(["--shards", "1"].as_slice(), false), (&["--debug"], true)] {
        let server = Process::start(flags);
        let (mut stream, socket_id) = connect(server.address).unwrap();
        let frame = br#"{"event":"pusher:nonsense"}"#;
        let mut bytes = vec![0x81, 0x80 | frame.len() as u8, 0, 0, 0, 0];
        bytes.extend_from_slice(frame);
        std::io::Write::write_all(&mut stream, &bytes).unwrap();
        await_answer(&mut stream);
        let (_, log) = server.stop();
        assert_eq!(log.contains(&socket_id), logged, "{log}");
        assert_eq!(log.contains("pusher:nonsense"), logged, "{log}");
    }
}

/// Waits for the answer to a text frame: what was sent before it has been handled.
fn await_answer(stream: &mut TcpStream) {
    let mut answer = [0; 2];
    std::io::Read::read_exact(stream, &mut answer).unwrap();
    assert_eq!(answer[0], 0x81);
}

#[test]
fn sigterm_ends_it_with_status_zero() {
    let server = Process::start(&["--shards", "2"]);
    let (mut stream, _) = connect(server.address).unwrap();
    let (status, log) = server.stop();
    assert!(status.success(), "{status}: {log}");
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut rest).unwrap();
    let text = String::from_utf8_lossy(&rest);
    // W22: no successor is known, so clients are told to come back after a pause.
    assert!(text.contains(r#""code":4100"#), "{text}");
    assert!(
        rest.windows(2).any(|code| code == 4100u16.to_be_bytes()),
        "{rest:?}"
    );
}
