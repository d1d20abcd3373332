//! R45: connections that come and go in every way leave nothing: no file, no channel, no memory.

use crate::scene::{Scene, open_many_files, row};
use crate::support::http::{Http, request};
use crate::support::pusher::Client;
use crate::support::websocket::{CLOSE, FIN, TEXT, close_payload, frame, handshake, header};
use crate::support::wire::PATIENCE;
use serde_json::json;
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 40;

/// One connection for each way of ending.
fn all_ways(scene: &Scene) {
    let member = json!({"user_id": "u"});
    let joined = || {
        let mut client: Client = scene.client();
        client.join(&scene.keys, "presence-leak", &member);
        client.subscribe("leak");
        client
    };
    joined().ws.close();
    drop(joined()); // without a word
    joined().ws.wire.end_sending();
    let mut broken = joined();
    broken.ws.send(frame(FIN | 3, "x"));
    broken.ws.expect_close(1002);
    let mut half = joined();
    half.ws.send(header(FIN | TEXT, 60_000));
    half.ws.wire.stream().shutdown(Shutdown::Both).unwrap();
    let mut unanswered = joined();
    unanswered
        .ws
        .send(frame(FIN | CLOSE, close_payload(1000, "")));
    drop(unanswered);
    let reset = joined();
    let at_once = socket2::SockRef::from(reset.ws.wire.stream()).set_linger(Some(Duration::ZERO));
    at_once.unwrap();
    drop(reset);
    for bytes in [
        &b""[..],
        b"G",
        b"nope\r\n\r\n",
        &handshake("/app/nobody"),
        &handshake("/nowhere"),
    ] {
        Http::connect(scene.address()).wire.send(bytes);
    }
    let mut http = Http::connect(scene.address());
    assert_eq!(http.ask("GET", "/", b"").status, 200);
    http.wire.send(request(
        "POST",
        "/apps/1001/events",
        &["Content-Length: 50"],
        b"",
    ));
    drop(http);
    scene.backend().trigger("leak", "e", "x");
}

fn round(scene: &Scene, files: usize) -> u64 {
    for _ in 0..ROUNDS {
        all_ways(scene);
    }
    scene.until("files are closed", || {
        scene.server.open_files() <= files + 1
    });
    let mut backend = scene.backend();
    for channel in ["leak", "presence-leak"] {
        let path = format!("channels/{channel}");
        backend.expect_soon(&path, &[], &json!({"occupied": false}));
    }
    scene.server.memory().0
}

#[test]
fn r45_nothing_is_left_of_connections_however_they_end() {
    row("r45").run(|scene| {
        let files = scene.server.open_files();
        let memory: Vec<u64> = (0..6).map(|_| round(scene, files)).collect();
        println!("r45: bytes in use after each round: {memory:?}");
        // The first rounds pay for what stays; the later ones have nothing to add. What is under
        // way for the bystanders comes on top in some of them, and never in all.
        let least = |rounds: &[u64]| *rounds.iter().min().unwrap();
        let (early, late) = (least(&memory[1..3]), least(&memory[3..]));
        assert!(late < early + (1 << 20), "{memory:?}");
    });
}

#[test]
fn r45_a_crowd_that_leaves_at_once_blocks_nobody() {
    const CROWD: usize = 10_000;
    open_many_files();
    // What the allocator keeps of ten thousand connections for the next ones.
    row("r45-crowd").keeps(64 << 20).run(|scene| {
        let crowd = scene.crowd(CROWD, "crowd");
        assert_eq!(crowd.len(), CROWD);
        let mut probes = [0, 1].map(|n| Client::connect_on(scene.address(), "app-key", n));
        let mut backend = scene.backend();
        let gone = json!({"occupied": false});
        let mut longest = Duration::ZERO;
        let start = Instant::now();
        let leaving = thread::spawn(move || drop(crowd));
        loop {
            for probe in &mut probes {
                let asked = Instant::now();
                probe.expect_quiet();
                longest = longest.max(asked.elapsed());
            }
            if backend.get_json("channels/crowd", &[]) == gone {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "some of them are still there");
        }
        leaving.join().unwrap();
        let took = start.elapsed();
        println!("r45: {CROWD} left within {took:.1?}; others waited {longest:.1?} at most");
        // Fifty milliseconds on a machine of its own; here who leaves takes the same cores.
        assert!(longest < Duration::from_millis(500), "{longest:?}");
    });
}
