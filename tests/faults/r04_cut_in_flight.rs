//! R04: the line to a client is cut while something is on its way to it.

use crate::namespace::{cut, inside};
use crate::r03_half_open::far;
use crate::scene::row;
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn r04_a_client_that_acknowledges_nothing_is_ended_long_before_it_is_pinged() {
    // Twenty seconds after the first byte that was not acknowledged: the kernel counts them.
    const LEAST: Duration = Duration::from_secs(15);
    const MOST: Duration = Duration::from_secs(30);
    inside(|| {
        row("r04").run(|scene| {
            let mut client = far(scene.address(), "app-key");
            client.subscribe("far");
            cut();
            let mut backend = scene.backend();
            let start = Instant::now();
            backend.trigger("far", "e", "x");
            let gone = json!({"occupied": false});
            while backend.get_json("channels/far", &[]) != gone {
                assert!(start.elapsed() < MOST, "it is still there");
            }
            let took = start.elapsed();
            println!("r04: found gone after {took:.1?}");
            assert!(took > LEAST, "{took:?}");
        });
    });
}

#[test]
fn r04_a_client_that_is_sent_much_is_ended_sooner() {
    const STALL_MS: u32 = 2_000;
    inside(|| {
        row("r04-stall")
            .flag("--write-stall-ms", STALL_MS)
            .run(|scene| {
                let mut client = far(scene.address(), "app-key");
                client.subscribe("far");
                cut();
                let mut backend = scene.backend();
                let start = Instant::now();
                let data = "x".repeat(10_000);
                // Less than it may owe; so it is not for that.
                for _ in 0..80 {
                    backend.trigger("far", "e", &data);
                }
                backend.expect_soon("channels/far", &[], &json!({"occupied": false}));
                let took = start.elapsed();
                assert!(took < Duration::from_secs(10), "{took:?}");
            });
    });
}
