//! R16: more connections than the server may have files open.

use crate::process::connect;
use crate::scene::{open_many_files, row};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const FILES: &str = "--nofile=300:300";
const STORM: usize = 1_000;
/// How long it is looked at while there are none.
const SPELL: Duration = Duration::from_secs(2);

#[test]
fn r16_without_descriptors_it_serves_who_is_inside_and_takes_nobody_else() {
    open_many_files();
    row("r16").by(&["prlimit", FILES]).run(|scene| {
        let mut inside = scene.client();
        let storm: Vec<TcpStream> = (0..STORM)
            .map(|_| TcpStream::connect(scene.address()).expect("the backlog has room"))
            .collect();
        let (start, before) = (Instant::now(), scene.server.cpu_s());
        let mut turns = 0;
        while start.elapsed() < SPELL {
            // Its own wait is the pause: nothing is sent to who is in the backlog.
            assert!(!inside.ws.wire.hears_within(50), "nobody spoke to it");
            inside.expect_quiet();
            turns += 1;
        }
        let share = (scene.server.cpu_s() - before) / start.elapsed().as_secs_f64();
        println!("r16: {:.0} % of a core, bystanders included", share * 100.0);
        assert!(turns > 1);
        assert!(
            share < 0.5,
            "{share} of a core is spent on accepts that fail"
        );
        drop(storm);
        // There is room again, and it is noticed without help.
        let start = Instant::now();
        while connect(scene.address()).is_none() {
            assert!(start.elapsed() < 5 * SPELL, "it stays full");
        }
        scene.client().expect_quiet();
        inside.expect_quiet();
    });
}
