//! Many sends in one system call, over an io_uring of the shard's own.
//!
//! Unsafe code: the kernel reads each entry's bytes by their address. docs/adr/0007-send-ring.md
//! says what that buys and why nothing dangles.

#![allow(
    unsafe_code,
    reason = "a ring's entries name their bytes by address: ADR 0007"
)]

use io_uring::{IoUring, opcode, types};
use std::fmt;
use std::io;
use std::os::fd::RawFd;

/// Sends in one call at most. More would save little: the gain comes with the first hundred.
pub const SENDS_MAX: usize = 256;

/// What an entry's result says when the kernel did not get to it: the socket may be written to as
/// if nothing had been tried.
pub(super) const NOT_SENT: i32 = -(rustix::io::Errno::AGAIN.raw_os_error());

/// A ring for sends that neither wait nor outlive the call that makes them.
pub(super) struct SendRing {
    /// Taken out during a call and put back when it went well: whatever goes wrong, the queue goes
    /// with the entries in it, and none of them is handed over later.
    ring: Option<IoUring>,
}

impl SendRing {
    /// Makes one for the calling thread, the only one that may use it.
    ///
    /// # Errors
    /// What the kernel says: before Linux 6.1 it knows no deferred task work.
    pub(super) fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(SENDS_MAX as u32)?;
        Ok(Self { ring: Some(ring) })
    }

    /// Sends each of `sends` as far as its socket takes it at once. `results` gets the count of
    /// bytes or the negated error number of each, in their order.
    ///
    /// # Errors
    /// When the ring is of no use any more, now and from then on. What has no result,
    /// [`NOT_SENT`] that is, was not sent.
    ///
    /// # Panics
    /// When there are more than [`SENDS_MAX`].
    pub(super) fn send<'b>(
        &mut self,
        sends: impl Iterator<Item = (RawFd, &'b [u8])>,
        results: &mut Vec<i32>,
    ) -> io::Result<()> {
        results.clear();
        let Some(mut ring) = self.ring.take() else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut queue = ring.submission();
        for (socket, bytes) in sends {
            // What a length cannot say is sent next time: sends may be partial anyway.
            let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let entry = opcode::Send::new(types::Fd(socket), bytes.as_ptr(), len)
                .flags(MSG_DONTWAIT | MSG_NOSIGNAL)
                .build()
                .user_data(results.len() as u64);
            // SAFETY: `bytes` outlives this call. When it ends, by return or panic, no entry is
            // under way (see `finish`), and a queue that still has some is dropped.
            unsafe { queue.push(&entry) }.expect("no more than the ring has room for");
            results.push(NOT_SENT);
        }
        drop(queue);
        finish(&mut ring, results)?;
        self.ring = Some(ring);
        Ok(())
    }
}

/// Hands the entries over and takes every result.
///
/// A send that must not wait is over when the kernel has taken its entry, so whatever was taken has
/// its result in the ring when the call returns. What was not taken stays in the queue.
fn finish(ring: &mut IoUring, results: &mut [i32]) -> io::Result<()> {
    let mut under_way = results.len();
    while under_way > 0 {
        let outcome = ring.submit_and_wait(under_way);
        for done in ring.completion() {
            results[done.user_data() as usize] = done.result();
            under_way -= 1;
        }
        match outcome {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Numbers of the kernel's ABI, the same on all architectures that have io_uring.
const MSG_DONTWAIT: i32 = 0x40;
const MSG_NOSIGNAL: i32 = 0x4000;

impl fmt::Debug for SendRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendRing").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn each_socket_gets_its_own_bytes_and_each_result_its_place() {
        let mut ring = SendRing::new().unwrap();
        let pairs: Vec<_> = (0..SENDS_MAX)
            .map(|_| UnixStream::pair().unwrap())
            .collect();
        let bytes: Vec<Vec<u8>> = (0..SENDS_MAX).map(|n| vec![n as u8; n + 1]).collect();
        let mut results = Vec::new();
        for _ in 0..3 {
            let sends = pairs.iter().zip(&bytes);
            let sends = sends.map(|((socket, _), bytes)| (socket.as_raw_fd(), bytes.as_slice()));
            ring.send(sends, &mut results).unwrap();
            assert!(results.iter().zip(1..).all(|(result, len)| *result == len));
            for ((_, peer), bytes) in pairs.iter().zip(&bytes) {
                let mut got = vec![0; bytes.len()];
                (&*peer).read_exact(&mut got).unwrap();
                assert_eq!(&got, bytes);
            }
        }
    }

    #[test]
    fn full_and_broken_sockets_say_so_and_hold_nobody_up() {
        let mut ring = SendRing::new().unwrap();
        let [full, broken, fine] = [(); 3].map(|()| UnixStream::pair().unwrap());
        drop(broken.1);
        let much = vec![b'x'; 1 << 20];
        let mut results = Vec::new();
        let sends = [&full.0, &broken.0, &full.0, &fine.0].map(AsRawFd::as_raw_fd);
        let bytes = [&much[..], b"a", b"b", b"c"];
        let sends = sends.into_iter().zip(bytes);
        ring.send(sends, &mut results).unwrap();
        let [first, second, third, fourth] = results[..] else {
            panic!("{results:?}");
        };
        assert!((1..1 << 20).contains(&first), "a part fits: {first}");
        assert_eq!(second, -(rustix::io::Errno::PIPE.raw_os_error()));
        assert_eq!((third, fourth), (NOT_SENT, 1));
    }

    #[test]
    fn a_ring_that_broke_off_is_not_used_again() {
        let mut ring = SendRing::new().unwrap();
        let (socket, peer) = UnixStream::pair().unwrap();
        let too_many = std::iter::repeat_n((socket.as_raw_fd(), &b"x"[..]), SENDS_MAX + 1);
        let mut results = Vec::new();
        let call = std::panic::AssertUnwindSafe(|| ring.send(too_many, &mut results));
        assert!(std::panic::catch_unwind(call).is_err());
        assert!(ring.send(std::iter::empty(), &mut results).is_err());
        peer.set_nonblocking(true).unwrap();
        assert!((&peer).read(&mut [0]).is_err(), "nothing of it was sent");
    }

    #[test]
    fn nothing_to_send_is_no_call() {
        let mut results = vec![7];
        let mut ring = SendRing::new().unwrap();
        ring.send(std::iter::empty(), &mut results).unwrap();
        assert!(results.is_empty());
    }
}
