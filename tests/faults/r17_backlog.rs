//! R17: more connections at once than a shard accepts at once.

use crate::scene::{open_many_files, row};
use crate::support::http::Http;
use rustix::process::Signal;
use std::time::{Duration, Instant};

const BURST: usize = 3_000;
/// A first packet that was dropped is sent again after a second: nobody may have waited for that.
const DROPPED: Duration = Duration::from_millis(900);

fn connect_all(scene: &crate::scene::Scene) -> (Vec<Http>, Vec<Duration>) {
    let mut all = Vec::new();
    let mut took = Vec::new();
    for _ in 0..BURST {
        let start = Instant::now();
        all.push(Http::connect(scene.address()));
        took.push(start.elapsed());
    }
    took.sort_unstable();
    (all, took)
}

fn expect_served(all: &mut [Http]) {
    for http in all {
        assert_eq!(http.ask("GET", "/", b"").status, 200);
    }
}

#[test]
fn r17_a_burst_of_connections_waits_in_the_backlog() {
    open_many_files();
    row("r17").run(|scene| {
        let (mut all, took) = connect_all(scene);
        let most = took[BURST * 99 / 100];
        println!(
            "r17: {BURST} connects, p99 {most:.1?}, at most {:.1?}",
            took[BURST - 1]
        );
        assert!(most < Duration::from_millis(200), "{most:?}");
        expect_served(&mut all);
    });
}

#[test]
fn r17_a_burst_while_nobody_accepts_is_not_lost() {
    open_many_files();
    row("r17-stopped").standing_still().run(|scene| {
        scene.server.signal(Signal::STOP);
        let (mut all, took) = connect_all(scene);
        scene.server.signal(Signal::CONT);
        assert!(
            took[BURST - 1] < DROPPED,
            "{:?}: the backlog is too short",
            took[BURST - 1]
        );
        expect_served(&mut all);
    });
}
