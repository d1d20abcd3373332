//! R08: requests whose bodies come in byte by byte.

use crate::scene::row;
use crate::support::http::{Http, request};
use std::io::Write;
use std::time::{Duration, Instant};

const DRIPPING: usize = 200;

#[test]
fn r08_bodies_that_drip_in_are_ended_with_408() {
    row("r08").flag("--body-timeout-ms", 2_000).run(|scene| {
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
        let mut drips = 0;
        while start.elapsed() < Duration::from_millis(1_500) {
            for http in &mut all {
                let mut stream = http.wire.stream();
                let _ = stream.write_all(b"x"); // it may have been ended already
            }
            scene.client().expect_quiet();
            drips += 1;
        }
        for http in &mut all {
            assert_eq!(http.response().status, 408);
            assert!(http.wire.ends_somehow());
        }
        assert!(drips > 0);
    });
}
