//! An answer to a connection that is not let in.

use super::stream::Stream;
use super::tasks::{look_around, pause_ms};
use crate::limits::TURN_AWAY_BYTES;
use futures_lite::future::{or, poll_once};
use std::future::poll_fn;
use std::io;

/// Writes what the kernel takes of it without waiting, and says how much that was.
pub async fn send_now(stream: &Stream, bytes: &[u8]) -> usize {
    let written = poll_once(poll_fn(|cx| stream.poll_write(cx, bytes))).await;
    written.and_then(Result::ok).unwrap_or(0) // an error comes again
}

/// Writes an answer and ends: nothing is read but to let the answer arrive, and nothing is kept.
/// Over after so many milliseconds or bytes, whatever the peer does, or when the stream is shut
/// down.
pub async fn turn_away(stream: &Stream, answer: &[u8], most_ms: u64) {
    let late = async {
        pause_ms(most_ms).await;
        Ok(())
    };
    // It is gone, or it was told: neither changes anything.
    let _ = or(tell(stream, answer), late).await;
    stream.shutdown();
}

async fn tell(stream: &Stream, mut answer: &[u8]) -> io::Result<()> {
    while !answer.is_empty() {
        let count = poll_fn(|cx| stream.poll_write(cx, answer)).await?;
        if count == 0 {
            return Ok(());
        }
        answer = &answer[count..];
    }
    poll_fn(|cx| stream.poll_end(cx)).await;
    // Until the peer ends too: with unread bytes the end would be a reset, and cost it the answer.
    let mut sink = [0; 2048];
    let mut left = TURN_AWAY_BYTES;
    loop {
        let count = poll_fn(|cx| stream.poll_read(cx, &mut sink)).await?;
        if count == 0 || count >= left {
            return Ok(());
        }
        left -= count;
        // Who sends without a pause would keep the shard to itself, and its own time from passing.
        look_around().await;
    }
}
