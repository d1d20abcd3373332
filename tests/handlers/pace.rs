//! Clients that send faster than their handler lets them, in virtual time.

use shardcast::handler::{Client, Handler, Handshake, Incoming, Message, Pace, Request, Result};
use shardcast::testing::{Shards, Testing};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Counts what comes in.
struct Slow {
    seen: Rc<Cell<usize>>,
    streams: bool,
    pace: Pace,
}

impl Handler for Slow {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, _: &mut Client<()>, message: Message<'_>) -> Result {
        let count = match self.pace.bytes_per_minute {
            Some(_) => message.as_bytes().len(),
            None => 1,
        };
        self.seen.set(self.seen.get() + count);
        Ok(())
    }

    async fn on_stream(&self, _: &mut Client<()>, incoming: &mut Incoming<'_>) -> Result {
        while let Some(chunk) = incoming.chunk().await? {
            self.seen.set(self.seen.get() + chunk.len());
        }
        Ok(())
    }

    fn streams(&self) -> bool {
        self.streams
    }

    fn pace(&self) -> Option<Pace> {
        Some(self.pace)
    }

    fn message_max(&self) -> usize {
        1 << 20
    }
}

fn start(pace: Pace, streams: bool) -> (Shards, Rc<Cell<usize>>) {
    let seen = Rc::new(Cell::new(0));
    let of_handler = Rc::clone(&seen);
    let shards = Testing::new(move |router| {
        let seen = Rc::clone(&of_handler);
        router.mount("/", |_| Slow {
            seen,
            streams,
            pace,
        })
    });
    (shards.shards(1).start(), seen)
}

const FRAMES: Pace = Pace {
    frames_per_second: Some(10),
    ..Pace::UNBOUND
};

const BYTES: Pace = Pace {
    bytes_per_minute: Some(60_000),
    ..Pace::UNBOUND
};

#[test]
fn frames_past_the_bound_wait_and_none_is_lost() {
    let (shards, seen) = start(FRAMES, false);
    let mut client = shards.connect("/");
    // One frame in a read, so that each has its own turn.
    for sent in 1..=30 {
        client.send_text("x");
        shards.run();
        assert_eq!(seen.get(), sent.min(10), "a second's worth comes at once");
    }
    shards.advance(Duration::from_millis(99));
    assert_eq!(seen.get(), 10);
    // What has gathered comes in one read, and is made up for.
    shards.advance(Duration::from_millis(2));
    assert_eq!(seen.get(), 30);
    client.send_text("x");
    shards.advance(Duration::from_millis(1_900));
    assert_eq!(seen.get(), 30);
    shards.advance(Duration::from_millis(200));
    assert_eq!(seen.get(), 31);
}

#[test]
fn bytes_past_the_bound_wait_whole_or_streamed() {
    const SENT: usize = 300_000;
    for streams in [false, true] {
        let (shards, seen) = start(BYTES, streams);
        let mut client = shards.connect("/");
        for _ in 0..SENT / 1000 {
            client.send_binary(&[7; 1000]);
        }
        shards.run();
        // A minute's worth at once, and what the last read brought beyond it.
        let at_once = seen.get();
        assert!((55_000..=60_000 + 16_384).contains(&at_once), "{at_once}");
        for minute in 1..4 {
            shards.advance(Duration::from_secs(60));
            let most = (minute + 1) * 60_000 + 16_384;
            assert!(
                (most - 25_000..=most).contains(&seen.get()),
                "{}",
                seen.get()
            );
        }
        shards.advance(Duration::from_secs(120));
        assert_eq!(seen.get(), SENT);
        assert_eq!(client.pings(), 0, "it was not taken for silent");
    }
}

#[test]
fn who_is_held_back_is_closed_like_any_other() {
    let (shards, _seen) = start(FRAMES, false);
    let mut client = shards.connect("/");
    for _ in 0..1000 {
        client.send_text("x");
    }
    shards.run();
    assert!(shards.stop() < Duration::from_secs(10));
    assert_eq!(client.expect_close().0, 4100);
}
