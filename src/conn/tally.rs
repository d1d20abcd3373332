//! What is counted of a connection, for handlers that want to know.

use crate::ws::Frame;
use std::net::SocketAddr;

/// What is known of one client. Times are milliseconds since 1970: the server's wall clock when it
/// started, and from there on a clock that never goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vitals {
    /// Bytes read of its WebSocket frames, headers and control frames included.
    pub bytes_read: u64,
    /// Same, that its socket has taken.
    pub bytes_sent: u64,
    /// Frames read, control frames included. Those of a message that is not handed out in pieces
    /// count when it is whole.
    pub frames_read: u64,
    /// Frames that its socket has taken whole, control frames included.
    pub frames_sent: u64,
    /// Messages read, the one that is being handled included.
    pub messages_read: u64,
    /// Messages that its socket has taken whole.
    pub messages_sent: u64,
    /// Bytes that wait to be sent.
    pub bytes_waiting: usize,
    /// When its handshake was accepted.
    pub connected_ms: u64,
    /// When a byte was read last.
    pub last_read_ms: Option<u64>,
    /// When its socket took a byte last.
    pub last_sent_ms: Option<u64>,
    /// When part of a message was read last.
    pub last_data_read_ms: Option<u64>,
    /// When its socket had taken the last frame of a message's.
    pub last_data_sent_ms: Option<u64>,
    /// The code it is being closed with, ours or its own, whichever came first; 1005 for a close
    /// frame without one.
    pub close_code: Option<u16>,
    /// Where it connected from.
    pub peer: Option<SocketAddr>,
    /// The path of its handshake, as it was sent.
    pub path: Box<str>,
}

/// The counts behind the [`Vitals`], in milliseconds of the shard's clock.
#[derive(Debug)]
pub struct Tally {
    read: Counts,
    sent: Counts,
    connected_ms: u64,
    /// Bytes and frames of the outbox that are not of the WebSocket: the answer to the handshake.
    before: (u64, usize),
    /// The code of the peer's close frame, if that came before ours.
    pub peer_code: Option<u16>,
    peer: Option<SocketAddr>,
    path: Box<str>,
}

#[derive(Debug, Default)]
struct Counts {
    bytes: u64,
    frames: u64,
    messages: u64,
    last_ms: Option<u64>,
    last_data_ms: Option<u64>,
}

impl Tally {
    /// Of a connection that is a WebSocket from now on; `before` are the bytes and frames that wait
    /// in its outbox.
    #[must_use]
    pub fn new(
        now_ms: u64,
        before: (usize, usize),
        peer: Option<SocketAddr>,
        path: Box<str>,
    ) -> Self {
        Self {
            read: Counts::default(),
            sent: Counts::default(),
            connected_ms: now_ms,
            before: (before.0 as u64, before.1),
            peer_code: None,
            peer,
            path,
        }
    }

    /// Bytes were read.
    pub fn read(&mut self, bytes: usize, now_ms: u64) {
        self.read.bytes += bytes as u64;
        self.read.last_ms = Some(now_ms);
    }

    /// So many frames were read: of a message, whose end may be among them, or a control frame.
    pub fn read_frames(&mut self, frames: u32, is_data: bool, ends: bool) {
        self.read.frames += u64::from(frames);
        self.read.messages += u64::from(ends);
        if is_data {
            self.read.last_data_ms = self.read.last_ms;
        }
    }

    /// The socket took bytes.
    pub fn sent(&mut self, bytes: usize, now_ms: u64) {
        let before = self.before.0.min(bytes as u64);
        self.before.0 -= before;
        if bytes as u64 > before {
            self.sent.bytes += bytes as u64 - before;
            self.sent.last_ms = Some(now_ms);
        }
    }

    /// The socket took the last byte of a frame.
    pub fn sent_frame(&mut self, frame: &Frame, now_ms: u64) {
        if self.before.1 > 0 {
            self.before.1 -= 1;
            return;
        }
        self.sent.frames += 1;
        if !frame.is_control() {
            self.sent.messages += u64::from(frame.is_final());
            self.sent.last_data_ms = Some(now_ms);
        }
    }

    /// What is known, given what a time of the shard's clock is since 1970.
    #[must_use]
    pub fn vitals(
        &self,
        bytes_waiting: usize,
        close_code: Option<u16>,
        unix_ms: impl Fn(u64) -> u64,
    ) -> Vitals {
        Vitals {
            bytes_read: self.read.bytes,
            bytes_sent: self.sent.bytes,
            frames_read: self.read.frames,
            frames_sent: self.sent.frames,
            messages_read: self.read.messages,
            messages_sent: self.sent.messages,
            bytes_waiting,
            connected_ms: unix_ms(self.connected_ms),
            last_read_ms: self.read.last_ms.map(&unix_ms),
            last_sent_ms: self.sent.last_ms.map(&unix_ms),
            last_data_read_ms: self.read.last_data_ms.map(&unix_ms),
            last_data_sent_ms: self.sent.last_data_ms.map(&unix_ms),
            close_code: close_code.or(self.peer_code),
            peer: self.peer,
            path: self.path.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_before_the_websocket_is_not_counted() {
        let mut tally = Tally::new(5, (100, 1), None, "/a".into());
        tally.sent(60, 6);
        tally.sent(50, 7); // the rest, and ten of a frame
        tally.sent_frame(&Frame::raw(b"HTTP"), 7);
        tally.sent(2, 8);
        tally.sent_frame(&Frame::text(b"0123456789"), 8);
        tally.sent(2, 9);
        tally.sent_frame(&Frame::ping(), 9);
        let vitals = tally.vitals(3, None, |ms| ms + 1_000);
        assert_eq!(
            (vitals.bytes_sent, vitals.frames_sent, vitals.messages_sent),
            (14, 2, 1)
        );
        assert_eq!(
            (vitals.connected_ms, vitals.last_sent_ms),
            (1_005, Some(1_009))
        );
        assert_eq!(
            (vitals.last_data_sent_ms, vitals.last_read_ms),
            (Some(1_008), None)
        );
        assert_eq!((&*vitals.path, vitals.bytes_waiting), ("/a", 3));
    }

    #[test]
    fn control_frames_are_no_data() {
        let mut tally = Tally::new(0, (0, 0), None, "/".into());
        tally.read(10, 1);
        tally.read_frames(2, true, true);
        tally.read(10, 2);
        tally.read_frames(1, false, false);
        tally.peer_code = Some(4000);
        let vitals = tally.vitals(0, None, |ms| ms);
        assert_eq!(
            (vitals.bytes_read, vitals.frames_read, vitals.messages_read),
            (20, 3, 1)
        );
        assert_eq!(
            (vitals.last_read_ms, vitals.last_data_read_ms),
            (Some(2), Some(1))
        );
        assert_eq!(vitals.close_code, Some(4000));
        assert_eq!(tally.vitals(0, Some(1011), |ms| ms).close_code, Some(1011));
    }
}
