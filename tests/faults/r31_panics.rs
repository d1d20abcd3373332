//! R31: handlers that panic, in each callback, on shards that serve others too.
//!
//! The server alone has no such handler: an example has its place, which serves the bystanders as
//! well.

use crate::scene::{Scene, row};
use crate::shell::{Log, by, mishaps};
use crate::support::http::Http;
use crate::support::websocket::{Ws, handshake, refused};
use crate::support::wire::on_shard;

const ROUNDS: usize = 20;
const SHARDS: usize = 2;

/// A client of a shard whose handler panics in that callback, if it comes to that.
fn client(scene: &Scene, shard: usize, callback: &str) -> Ws {
    let shard = format!("shard {shard}");
    on_shard(|| {
        let mut ws = Ws::open(scene.address(), &format!("/mishaps?in={callback}"));
        (ws.expect_text() == shard).then_some(ws)
    })
}

fn expect_well(ws: &mut Ws) {
    ws.send_text("well?");
    assert_eq!(ws.expect_text(), "well?");
}

/// One panic in each callback on that shard; those of others go on.
fn panic_everywhere(scene: &Scene, shard: usize, others: &mut [Ws]) {
    let answer = refused(scene.address(), &handshake("/mishaps?in=handshake"));
    assert_eq!((answer.status, answer.closes()), (500, true));
    let answer = Http::connect(scene.address()).ask("GET", "/mishaps?in=request", b"");
    assert_eq!((answer.status, answer.closes()), (500, true));
    let mut ws = client(scene, shard, "open");
    assert!(ws.expect_text().starts_with("sorry: the handler panicked"));
    ws.expect_close(1011);
    let mut ws = client(scene, shard, "");
    ws.send_text("panic");
    assert!(ws.expect_text().starts_with("sorry: the handler panicked"));
    ws.expect_close(1011);
    let mut ws = client(scene, shard, "error");
    ws.send_text("fail");
    ws.expect_close(1011);
    client(scene, shard, "close").close();
    others.iter_mut().for_each(expect_well);
}

#[test]
fn r31_a_panic_in_any_callback_ends_one_client_and_nothing_else() {
    let log = Log::new("r31");
    row("r31").by(&by(&log.script_of(&mishaps()))).run(|scene| {
        let mut others: Vec<Ws> = (0..SHARDS).map(|shard| client(scene, shard, "")).collect();
        for _ in 0..ROUNDS {
            for shard in 0..SHARDS {
                panic_everywhere(scene, shard, &mut others);
            }
        }
        // The last one is when the server stops, which it does all the same.
        (0..SHARDS).for_each(|shard| client(scene, shard, "stop").close());
        others.iter_mut().for_each(expect_well);
    });
    // The others panicked in each round, those that were tried until they were of the right shard
    // among them; and each shard once more.
    let panics = log.count("a panic");
    println!("r31: {panics} panics");
    assert!(panics >= ROUNDS * SHARDS * 6 + SHARDS, "{panics}");
}
