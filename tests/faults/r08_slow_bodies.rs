//! R08: requests whose bodies come in byte by byte.

use crate::drip::drip;
use crate::scene::row;
use crate::support::http::{Http, request};
use std::time::{Duration, Instant};

const DRIPPING: usize = 200;
/// For a whole body of this size, whatever still comes of it.
const LIMIT: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(50);

#[test]
fn r08_bodies_that_drip_in_are_ended_with_408() {
    let plan = row("r08").flag("--body-timeout-ms", LIMIT.as_millis());
    plan.run(|scene| {
        let body = vec![b'x'; 5_000];
        let target = scene.keys.target("POST", "/apps/1001/events", &[], &body);
        let head = request("POST", &target, &["Content-Length: 5000"], b"");
        let mut all: Vec<Http> = (0..DRIPPING)
            .map(|_| Http::connect(scene.address()))
            .collect();
        let start = Instant::now();
        for http in &mut all {
            http.wire.send(&head);
        }
        let dripped = drip(all, start, b"x", || scene.client().expect_quiet());
        println!(
            "r08: the first was ended after {:.1?}, the last after {:.1?} and {} bytes",
            dripped.first, dripped.took, dripped.drips
        );
        // The server's clock has ticks.
        assert!(dripped.first + TICK >= LIMIT, "{:?}", dripped.first);
    });
}
