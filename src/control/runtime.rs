//! The tokio runtime of the control thread, and work that shards leave to it.

use crate::error::panic_text;
use crate::limits::{BLOCKING_THREADS_MAX, SHARD_WORK_MAX};
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// Makes the control thread's runtime. Nothing runs on it before [`Control`](super::Control) does.
///
/// # Errors
/// When the system refuses what it needs.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("blocking")
        .build()
}

/// One shard's way to the runtime.
#[derive(Clone, Debug)]
pub struct Worker {
    runtime: Handle,
    /// What this shard has left to it and is not over.
    open: Arc<AtomicUsize>,
}

/// Why work gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkError {
    /// As much work as a shard may leave to the runtime is not over.
    Full,
    /// It panicked, with this message.
    Panicked(String),
    /// The server is ending.
    Ended,
}

impl fmt::Display for WorkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "{SHARD_WORK_MAX} futures and closures are not over yet"),
            Self::Panicked(text) => write!(f, "the work panicked: {text}"),
            Self::Ended => f.write_str("the server is ending"),
        }
    }
}

impl std::error::Error for WorkError {}

/// Work on the control thread's runtime, and its result. It has begun whether it is awaited or
/// not. **Dropping it cancels a future** at its next await; a closure runs to its end, and its
/// result is dropped.
#[must_use = "a future is cancelled when this is dropped, and nobody hears of a panic"]
pub struct Work<T> {
    handle: Option<JoinHandle<T>>,
    may_abort: bool,
}

/// Counts work for as long as it is not over.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Worker {
    /// A shard's way to this runtime.
    #[must_use]
    pub fn new(runtime: Handle) -> Self {
        let open = Arc::default();
        Self { runtime, open }
    }

    /// How much it has left there that is not over.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn begin(&self) -> Option<Open> {
        // Only this shard adds, so what is read here can only have become less.
        if self.open.load(Ordering::Relaxed) >= SHARD_WORK_MAX {
            return None;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        Some(Open(Arc::clone(&self.open)))
    }

    /// Runs a future there.
    pub fn future<F>(&self, future: F) -> Work<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let handle = self.begin().map(|open| {
            self.runtime.spawn(async move {
                let _open = open;
                future.await
            })
        });
        Work {
            handle,
            may_abort: true,
        }
    }

    /// Runs a closure on a thread that may be stopped.
    pub fn closure<T: Send + 'static>(
        &self,
        closure: impl FnOnce() -> T + Send + 'static,
    ) -> Work<T> {
        // By way of the control thread: a thread that is made by a shard would stay on its core.
        let handle = self.begin().map(|open| {
            self.runtime.spawn(async {
                // Not over before whoever awaits it is told.
                let _open = open;
                let done = tokio::task::spawn_blocking(closure).await;
                done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
            })
        });
        Work {
            handle,
            may_abort: false,
        }
    }
}

impl<T> Future for Work<T> {
    type Output = Result<T, WorkError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(handle) = &mut self.handle else {
            return Poll::Ready(Err(WorkError::Full));
        };
        pin!(handle).poll(cx).map_err(|error| {
            error.try_into_panic().map_or(WorkError::Ended, |panic| {
                WorkError::Panicked(panic_text(&*panic))
            })
        })
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        if self.may_abort
            && let Some(handle) = &self.handle
        {
            handle.abort();
        }
    }
}

impl<T> fmt::Debug for Work<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    #[test]
    fn a_shard_leaves_as_much_work_as_the_limit_says() {
        let runtime = runtime().unwrap();
        let worker = Worker::new(runtime.handle().clone());
        let mut open: Vec<_> = (0..SHARD_WORK_MAX)
            .map(|_| worker.future(pending::<()>()))
            .collect();
        let full = runtime.block_on(async { worker.closure(|| 1).await });
        assert_eq!(full, Err(WorkError::Full));
        let full = runtime.block_on(async { worker.future(async { 1 }).await });
        assert_eq!(full, Err(WorkError::Full));
        drop(open.pop());
        // The dropped one is let go of when its turn comes.
        for _ in 0..SHARD_WORK_MAX {
            if worker.open.load(Ordering::Relaxed) < SHARD_WORK_MAX {
                break;
            }
            runtime.block_on(tokio::task::yield_now());
        }
        assert_eq!(runtime.block_on(worker.future(async { 1 })), Ok(1));
        assert_eq!(worker.open.load(Ordering::Relaxed), SHARD_WORK_MAX - 1);
        let other = Worker::new(runtime.handle().clone());
        assert_eq!(
            runtime.block_on(other.closure(|| 2)),
            Ok(2),
            "its own limit"
        );
    }

    #[test]
    fn a_panic_is_told_with_its_message() {
        let runtime = runtime().unwrap();
        let worker = Worker::new(runtime.handle().clone());
        let odd = Err(WorkError::Panicked("odd".into()));
        let future = worker.future(async { panic!("odd") });
        assert_eq!(runtime.block_on(future), odd);
        let closure = worker.closure(|| panic!("{}", "odd"));
        assert_eq!(runtime.block_on(closure), odd);
        assert_eq!(worker.open.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_runtime_that_is_gone_leaves_nobody_waiting() {
        let runtime = runtime().unwrap();
        let worker = Worker::new(runtime.handle().clone());
        let before = worker.future(pending::<()>());
        runtime.shutdown_background();
        let after = worker.future(async {});
        let closure = worker.closure(|| ());
        let outer = Builder::new_current_thread().build().unwrap();
        for work in [before, after, closure] {
            assert_eq!(outer.block_on(work), Err(WorkError::Ended));
        }
    }
}
