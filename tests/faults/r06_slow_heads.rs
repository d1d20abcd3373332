//! R06: a thousand connections whose requests come in byte by byte, and never whole.

use crate::scene::{open_many_files, row};
use crate::support::http::Http;
use std::io::Write;
use std::time::{Duration, Instant};

const DRIPPING: usize = 1_000;
/// Bytes of memory for each of them: a connection (docs/memory.md), and as much for its head.
const EACH_MAX: u64 = 4 * 1024;
/// What the allocator takes at a time.
const ROUNDING: u64 = 2 << 20;

#[test]
fn r06_heads_that_drip_in_are_ended_and_cost_little() {
    open_many_files();
    row("r06").flag("--head-timeout-ms", 3_000).run(|scene| {
        let before = scene.server.memory().0;
        let mut all: Vec<Http> = (0..DRIPPING)
            .map(|_| Http::connect(scene.address()))
            .collect();
        for http in &mut all {
            http.wire.send("GET / HTTP/1.1\r\nHost: a\r\n");
        }
        let start = Instant::now();
        let mut connects = Vec::new();
        for byte in "X: ".bytes().chain(std::iter::repeat(b'y')).take(20) {
            for http in &mut all {
                let mut stream = http.wire.stream();
                let _ = stream.write_all(&[byte]); // it may have been ended already
            }
            let asked = Instant::now();
            scene.client().expect_quiet();
            connects.push(asked.elapsed());
            if start.elapsed() > Duration::from_secs(2) {
                break;
            }
        }
        let cost = scene.growth(before);
        for http in &mut all {
            assert_eq!(http.response().status, 408);
            assert!(http.wire.ends_somehow());
        }
        let took = start.elapsed();
        println!("r06: {cost} bytes for {DRIPPING}; all over after {took:.1?}");
        assert!(cost < DRIPPING as u64 * EACH_MAX + ROUNDING, "{cost} bytes");
        connects.sort_unstable();
        let half = connects[connects.len() / 2];
        assert!(
            half < Duration::from_millis(500),
            "others wait {half:?} to connect"
        );
    });
}
