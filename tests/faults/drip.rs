//! Requests that come in byte by byte on many connections, until each hears that it took too long.

use crate::support::http::Http;
use std::time::{Duration, Instant};

/// Bytes that any of them sends before it must have been answered, [`PAUSE_MS`] apart at least:
/// more than twice the time there is. A timer that each byte sets anew would go on for ever.
const DRIPS_MAX: usize = 400;
/// From one byte to the next.
const PAUSE_MS: u64 = 20;

/// What became of them.
pub struct Dripped {
    /// From `start` to the first answer.
    pub first: Duration,
    /// From `start` to the last end.
    pub took: Duration,
    /// Bytes that the most patient one sent.
    pub drips: usize,
}

/// Lets each send these bytes, one at a time, and then the last of them again and again, until it
/// is answered 408 and ended. `meanwhile` is called between bytes, while all of them drip. Who has
/// been answered sends no more.
pub fn drip(all: Vec<Http>, start: Instant, bytes: &[u8], mut meanwhile: impl FnMut()) -> Dripped {
    let (count, mut left) = (all.len(), all);
    let mut first = None;
    let mut drips = 0;
    while !left.is_empty() {
        left[0].wire.hears_within(PAUSE_MS);
        let (answered, dripping): (Vec<Http>, _) =
            left.into_iter().partition(|http| http.wire.hears_now());
        left = dripping;
        for mut http in answered {
            first.get_or_insert_with(|| start.elapsed());
            assert_eq!(http.response().status, 408);
            assert!(http.wire.ends_in_silence());
        }
        let byte = &bytes[drips.min(bytes.len() - 1)..][..1];
        for http in &mut left {
            http.wire.send_while_open(byte);
        }
        drips += 1;
        assert!(drips < DRIPS_MAX, "{} of {count} drip for ever", left.len());
        if left.len() == count {
            meanwhile();
        }
    }
    Dripped {
        first: first.expect("somebody was answered"),
        took: start.elapsed(),
        drips,
    }
}
