//! One connection of a shard, without its socket.

use super::extra::Extra;
use super::life::Life;
use super::outbox::Outbox;
use super::pace::Pace;
use super::tally::Tally;
use crate::ws::Frame;
use crate::ws::deflate::Profile;
use std::task::{Context, Poll};

/// One connection.
#[derive(Debug)]
pub struct Connection {
    /// What waits to be written. Only the table changes it, which keeps the sum of all.
    pub(super) outbox: Outbox,
    /// Its deadlines.
    pub life: Life,
    /// Which handler it belongs to, once it is a WebSocket.
    pub(super) route: Option<u16>,
    /// Its place among the clients of its route, as long as it is one of them.
    pub(super) place: u32,
    /// Whether it understands Pusher's error frames, which then go in front of closes.
    pub is_pusher: bool,
    /// The code of our close frame, unless the peer's came first.
    pub close_code: Option<u16>,
    /// End the sending side when the outbox is empty.
    pub end_when_sent: bool,
    /// A write did not go through; a task of its own goes on with it.
    pub blocked: bool,
    /// How its messages are compressed, if it agreed to that.
    deflate: Option<Profile>,
    /// A message leaves in pieces: others wait behind it.
    streams: bool,
    /// One of these two: what is asked for each frame is one thing.
    pub(super) is_special: bool,
    /// What waited was dropped: the socket is finished.
    lost: bool,
    pub(super) dirty: bool,
    extra: Option<Box<Extra>>,
}

// Held for every connection (docs/memory.md).
const _: () = assert!(size_of::<Connection>() <= 136);

impl Connection {
    pub(super) fn new(now_ms: u64, nowhere: u32) -> Self {
        Self {
            outbox: Outbox::default(),
            life: Life::new(now_ms),
            route: None,
            place: nowhere,
            is_pusher: false,
            close_code: None,
            end_when_sent: false,
            blocked: false,
            deflate: None,
            streams: false,
            is_special: false,
            lost: false,
            dirty: false,
            extra: None,
        }
    }

    /// How its messages are compressed.
    pub(super) fn deflate(&self) -> Option<Profile> {
        self.deflate
    }

    /// From now on they are, or are not.
    pub(super) fn set_deflate(&mut self, profile: Option<Profile>) {
        self.deflate = profile;
        self.is_special = self.streams || profile.is_some();
    }

    /// Whether a message leaves in pieces.
    pub(super) fn streams(&self) -> bool {
        self.streams
    }

    /// One begins, or has ended.
    pub(super) fn set_streams(&mut self, streams: bool) {
        self.streams = streams;
        self.is_special = streams || self.deflate.is_some();
    }

    /// Its rare state, made if there is none.
    pub(super) fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_with(Box::default)
    }

    /// Starts to count.
    pub fn keep_tally(&mut self, tally: Tally) {
        self.extra_mut().tally = Some(tally);
    }

    /// From now on it is not read faster than this.
    pub fn set_pace(&mut self, pace: Pace, now_ms: u64) {
        self.extra_mut().set_pace(pace, now_ms);
    }

    /// Whether it is held to a pace.
    #[must_use]
    pub fn is_paced(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.is_paced())
    }

    /// So many bytes of it were read.
    pub fn read(&mut self, count: usize, now_ms: u64) {
        if let Some(extra) = &mut self.extra {
            extra.read(count, now_ms);
        }
    }

    /// So many frames of it were read; `now_ms` is only asked for where it is held to a pace.
    pub fn read_frames(&mut self, frames: u32, now_ms: impl FnOnce() -> u64) {
        if let Some(extra) = &mut self.extra
            && let Some(pace) = extra.pace_mut()
        {
            pace.took_frames(frames, now_ms());
        }
    }

    /// For how many milliseconds nothing of it is to be read; 0 is none.
    pub fn held_back_ms(&mut self, now_ms: impl FnOnce() -> u64) -> u64 {
        let extra = self.extra.as_mut();
        let pace = extra.and_then(|extra| extra.pace_mut());
        pace.map_or(0, |pace| pace.wait_ms(now_ms()))
    }

    /// What is counted of it, if its handler wants to know.
    #[must_use]
    pub fn tally(&self) -> Option<&Tally> {
        self.extra.as_ref()?.tally.as_ref()
    }

    /// Same, to count.
    pub fn tally_mut(&mut self) -> Option<&mut Tally> {
        self.extra.as_mut()?.tally.as_mut()
    }

    /// What waits to be written.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Bytes that wait: in the outbox, and behind a message that leaves in pieces.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outbox.bytes() + self.extra.as_ref().map_or(0, |extra| extra.behind_bytes())
    }

    /// The socket has taken `count` bytes of what was gathered; `now_ms` is only asked for if they
    /// are counted.
    pub(super) fn advance(&mut self, count: usize, now_ms: impl FnOnce() -> u64) {
        let extra = self.extra.as_mut();
        match extra.and_then(|extra| extra.tally.as_mut()) {
            None => self.outbox.advance(count),
            Some(tally) => {
                let now_ms = now_ms();
                tally.sent(count, now_ms);
                let sent_frame = |frame: &Frame| tally.sent_frame(frame, now_ms);
                self.outbox.advance_by(count, sent_frame);
            }
        }
    }

    /// Whether it is a WebSocket, of whatever route.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        self.route.is_some()
    }

    /// Ready when nothing waits to be written, true if all of it has left.
    pub fn poll_drained(&mut self, cx: &Context<'_>) -> Poll<bool> {
        if self.lost {
            return Poll::Ready(false);
        }
        if self.waiting() == 0 {
            return Poll::Ready(true);
        }
        self.wait(cx)
    }

    /// Wakes this task when something has left, or when the connection is closing.
    pub fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        self.extra_mut().waiting.wait(cx);
        Poll::Pending
    }

    /// Something has left: who waits for that looks whether it was enough.
    pub fn wake(&mut self) {
        let Some(extra) = &mut self.extra else {
            return;
        };
        extra.waiting.wake();
        if extra.is_empty() {
            self.extra = None;
        }
    }

    /// Whether something happens when the outbox is empty.
    #[must_use]
    pub fn waits_for_empty(&self) -> bool {
        self.end_when_sent
            || self
                .extra
                .as_ref()
                .is_some_and(|extra| !extra.waiting.is_empty())
    }

    /// It is closing: what waits behind half a message never leaves. Says how many bytes that is.
    pub(super) fn drop_behind(&mut self) -> usize {
        let mut dropped = 0;
        if self.streams {
            self.set_streams(false);
            (_, dropped) = self.extra_mut().take_behind();
        }
        self.wake();
        dropped
    }

    /// Drops everything that waits: the socket is finished. Says how many bytes these were.
    pub(super) fn give_up(&mut self) -> usize {
        let outbox = std::mem::take(&mut self.outbox);
        self.lost = true;
        outbox.bytes() + self.drop_behind()
    }
}
