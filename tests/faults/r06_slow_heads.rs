//! R06: a thousand connections whose requests come in byte by byte, and never whole.

use crate::drip::drip;
use crate::scene::{open_many_files, row};
use crate::support::http::Http;
use std::time::{Duration, Instant};

const DRIPPING: usize = 1_000;
/// For a whole head, whatever still comes of it.
const LIMIT: Duration = Duration::from_secs(3);
const TICK: Duration = Duration::from_millis(50);
/// Bytes of memory for each of them: a connection (docs/memory.md), and as much for its head.
const EACH_MAX: u64 = 4 * 1024;
/// What the allocator takes at a time.
const ROUNDING: u64 = 2 << 20;

#[test]
fn r06_heads_that_drip_in_are_ended_and_cost_little() {
    open_many_files();
    let plan = row("r06").flag("--head-timeout-ms", LIMIT.as_millis());
    plan.run(|scene| {
        let before = scene.server.memory().0;
        let mut all: Vec<Http> = (0..DRIPPING)
            .map(|_| Http::connect(scene.address()))
            .collect();
        let start = Instant::now();
        for http in &mut all {
            http.wire.send("GET / HTTP/1.1\r\nHost: a\r\n");
        }
        let mut cost = 0;
        let mut connects = Vec::new();
        let dripped = drip(all, start, b"X: y", || {
            let asked = Instant::now();
            scene.client().expect_quiet();
            connects.push(asked.elapsed());
            cost = cost.max(scene.growth(before));
        });
        println!(
            "r06: {cost} bytes for {DRIPPING}; the first was ended after {:.1?} and the last \
             after {:.1?} and {} bytes",
            dripped.first, dripped.took, dripped.drips
        );
        // The server's clock has ticks.
        assert!(dripped.first + TICK >= LIMIT, "{:?}", dripped.first);
        assert!(cost < DRIPPING as u64 * EACH_MAX + ROUNDING, "{cost} bytes");
        connects.sort_unstable();
        let half = connects[connects.len() / 2];
        assert!(
            half < Duration::from_millis(500),
            "others wait {half:?} to connect"
        );
    });
}
