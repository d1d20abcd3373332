//! The queue between server handles on any thread and a shard: bounded in calls and in bytes.

use crate::crossing::Call;
use crate::id::ShardId;
use crate::limits::{CALL_BYTES_MAX, CALLS_MAX};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Why a shard does not take a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// As many calls or bytes as a shard keeps are waiting for it; try again later.
    Full,
    /// The message is longer than all that may ever wait.
    TooBig,
    /// No handler is mounted at this pattern.
    NoRoute(String),
    /// No shard has such a client.
    NoClient,
    /// The server has ended.
    Ended,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("too many calls wait for the shard"),
            Self::TooBig => write!(f, "a message may have {CALL_BYTES_MAX} bytes"),
            Self::NoRoute(pattern) => write!(f, "no handler is mounted at {pattern:?}"),
            Self::NoClient => f.write_str("no shard has such a client"),
            Self::Ended => f.write_str("the server has ended"),
        }
    }
}

impl std::error::Error for CallError {}

/// The callers' ends, of all shards.
#[derive(Clone, Debug)]
pub struct Calls {
    lanes: Arc<[Lane]>,
}

/// A shard's end.
#[derive(Debug)]
pub struct CallQueue {
    queue: flume::Receiver<Call>,
    state: Arc<State>,
}

#[derive(Debug)]
struct Lane {
    queue: flume::Sender<Call>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of the messages that wait.
    bytes: AtomicUsize,
    /// The shard takes no more.
    closed: AtomicBool,
}

/// Makes the queues of so many shards.
#[must_use]
pub fn calls(shards: usize) -> (Calls, Vec<CallQueue>) {
    let (lanes, queues) = (0..shards)
        .map(|_| {
            let (sender, queue) = flume::bounded(CALLS_MAX);
            let state: Arc<State> = Arc::default();
            let lane = Lane {
                queue: sender,
                state: Arc::clone(&state),
            };
            (lane, CallQueue { queue, state })
        })
        .unzip::<_, _, Vec<_>, _>();
    let lanes = lanes.into();
    (Calls { lanes }, queues)
}

impl Calls {
    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.lanes.len() as u16
    }

    /// Leaves a call for a shard. Never waits.
    ///
    /// # Errors
    /// [`CallError`]; nothing of the call is done then.
    ///
    /// # Panics
    /// When there is no such shard.
    pub fn leave(&self, shard: ShardId, call: Call) -> Result<(), CallError> {
        let Lane { queue, state } = &self.lanes[shard.index()];
        let bytes = call.bytes();
        if bytes > CALL_BYTES_MAX {
            return Err(CallError::TooBig);
        }
        let waiting = state.bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting > CALL_BYTES_MAX - bytes {
            state.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(CallError::Full);
        }
        let left = queue.try_send(call).map_err(|error| match error {
            flume::TrySendError::Full(_) => CallError::Full,
            flume::TrySendError::Disconnected(_) => CallError::Ended,
        });
        if left.is_err() {
            state.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        // What was put in behind the shard's last look is taken by nobody.
        match state.closed.load(Ordering::SeqCst) {
            true => Err(CallError::Ended),
            false => left,
        }
    }
}

impl CallQueue {
    /// The next call. Pending for ever once nobody is left to call.
    pub async fn next(&self) -> Call {
        match self.queue.recv_async().await {
            Ok(call) => self.taken(call),
            Err(_) => std::future::pending().await,
        }
    }

    /// The next call, if one waits.
    #[must_use]
    pub fn try_next(&self) -> Option<Call> {
        self.queue.try_recv().ok().map(|call| self.taken(call))
    }

    fn taken(&self, call: Call) -> Call {
        self.state.bytes.fetch_sub(call.bytes(), Ordering::Relaxed);
        call
    }
}

impl Drop for CallQueue {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        // Who waits for an answer hears that there is none.
        self.queue.drain().for_each(drop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ClientId;

    fn send(bytes: usize) -> Call {
        Call::Send {
            client: ClientId::new(ShardId(0), 0, 0),
            frame: vec![0; bytes].into(),
        }
    }

    #[test]
    fn as_many_calls_wait_as_the_limit_says() {
        let (calls, queues) = calls(2);
        for _ in 0..CALLS_MAX {
            assert_eq!(calls.leave(ShardId(0), send(1)), Ok(()));
        }
        assert_eq!(calls.leave(ShardId(0), send(1)), Err(CallError::Full));
        assert_eq!(calls.leave(ShardId(1), send(1)), Ok(()), "its own queue");
        assert!(queues[0].try_next().is_some());
        assert_eq!(calls.leave(ShardId(0), send(1)), Ok(()));
    }

    #[test]
    fn as_many_bytes_wait_as_the_limit_says() {
        let (calls, queues) = calls(1);
        let too_big = calls.leave(ShardId(0), send(CALL_BYTES_MAX + 1));
        assert_eq!(too_big, Err(CallError::TooBig));
        assert_eq!(calls.leave(ShardId(0), send(CALL_BYTES_MAX)), Ok(()));
        assert_eq!(calls.leave(ShardId(0), send(1)), Err(CallError::Full));
        assert_eq!(calls.leave(ShardId(0), send(0)), Ok(()));
        assert!(queues[0].try_next().is_some());
        assert_eq!(calls.leave(ShardId(0), send(CALL_BYTES_MAX)), Ok(()));
        // What was refused does not count.
        assert_eq!(
            queues[0].state.bytes.load(Ordering::Relaxed),
            CALL_BYTES_MAX
        );
    }

    #[test]
    fn a_shard_that_has_ended_takes_nothing_and_answers_nobody() {
        let (calls, queues) = calls(1);
        let (answer, answers) = flume::bounded(1);
        assert_eq!(calls.leave(ShardId(0), Call::Count(answer)), Ok(()));
        drop(queues);
        assert!(
            answers
                .try_recv()
                .is_err_and(|it| it == flume::TryRecvError::Disconnected)
        );
        assert_eq!(calls.leave(ShardId(0), send(1)), Err(CallError::Ended));
    }
}
