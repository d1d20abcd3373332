//! R14: floods of control frames.

use crate::scene::row;
use crate::support::pusher::{Client, Event};
use crate::support::websocket::{FIN, Incoming, PING, PONG, frame};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const FLOODERS: usize = 20;

#[test]
fn r14_pings_of_who_does_not_read_are_answered_up_to_what_it_may_owe() {
    const PINGS: usize = 100_000;
    row("r14").flag("--outbox-bytes", 64 * 1024).run(|scene| {
        let before = scene.server.memory().0;
        let pings = frame(FIN | PING, [7; 125]).repeat(PINGS);
        let mut flooders: Vec<Client> = (0..FLOODERS)
            .map(|_| Client::connect_narrow(scene.address(), "app-key"))
            .collect();
        for flooder in &mut flooders {
            flooder.ws.wire.send_while_open(&pings);
        }
        let grown = scene.server.memory().1.saturating_sub(before);
        for flooder in &mut flooders {
            let mut pongs = 0;
            loop {
                match flooder.ws.next() {
                    Incoming::Pong(payload) => assert_eq!(payload, [7; 125]),
                    Incoming::Text(text) => {
                        break assert_eq!(Event::parse(&text).error().0, Some(4100));
                    }
                    other => panic!("{other:?}"),
                }
                pongs += 1;
            }
            assert!(pongs < PINGS, "all were answered to who reads none");
            flooder.ws.expect_close(4100);
        }
        assert!(grown < 32 << 20, "{grown} bytes for {FLOODERS}");
    });
}

#[test]
fn r14_pongs_that_nobody_asked_for_are_passed_over() {
    row("r14-pongs").run(|scene| {
        let pongs = frame(FIN | PONG, [7; 125]).repeat(10_000);
        for _ in 0..FLOODERS {
            let mut flooder = scene.client();
            flooder.ws.send(&pongs);
            flooder.expect_quiet();
        }
    });
}

#[test]
fn r14_who_floods_a_shard_does_not_have_it_to_itself() {
    const ASKED: usize = 300;
    row("r14-shard").run(|scene| {
        let pongs = frame(FIN | PONG, [7; 125]).repeat(50_000);
        let mut flooders = [(); 4].map(|()| Client::connect_on(scene.address(), "app-key", 0));
        let mut probe = Client::connect_on(scene.address(), "app-key", 0);
        let over = AtomicBool::new(false);
        let mut took: Vec<Duration> = thread::scope(|scope| {
            for flooder in &mut flooders {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        flooder.ws.send(&pongs);
                    }
                });
            }
            let asked = (0..ASKED).map(|_| {
                let start = Instant::now();
                probe.expect_quiet();
                start.elapsed()
            });
            let took = asked.collect();
            over.store(true, Ordering::Relaxed);
            took
        });
        took.sort_unstable();
        let (half, most) = (took[ASKED / 2], took[ASKED - 1]);
        println!("r14: beside a flood a ping takes {half:.1?}, at most {most:.1?}");
        // A tenth of a second is what the executor gives a task that never waits.
        assert!(half < Duration::from_millis(30), "{half:?}");
    });
}
