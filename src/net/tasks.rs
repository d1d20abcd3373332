//! What a shard's tasks run on, and how its time passes: glommio, or a runtime that was entered in
//! its place, so that a shard can be run without glommio and with a time of a test's own.

use futures_lite::future::yield_now;
use glommio::timer::Timer;
use pin_project_lite::pin_project;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A task that stays on its shard.
pub type LocalTask = Pin<Box<dyn Future<Output = ()>>>;

/// Longest single sleep: longer than any process runs, and no clock overflows.
const SLEEP_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Runs tasks, and lets time pass.
pub trait Tasks: fmt::Debug {
    /// Runs a task to its end, beside all others.
    fn spawn(&self, task: LocalTask);

    /// Ready once so much time has passed since it was polled first.
    fn sleep(&self, duration: Duration) -> LocalTask;

    /// How much time has passed since some moment; never goes back.
    fn now(&self) -> Duration;
}

/// The executor of a shard's thread.
#[derive(Debug)]
pub struct ShardTasks {
    start: Instant,
}

impl Default for ShardTasks {
    fn default() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Tasks for ShardTasks {
    fn spawn(&self, task: LocalTask) {
        glommio::spawn_local(Counted::new(task)).detach();
    }

    fn sleep(&self, duration: Duration) -> LocalTask {
        Box::pin(async move {
            glommio::timer::sleep(duration.min(SLEEP_MAX)).await;
        })
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

thread_local! {
    static ENTERED: RefCell<Option<Rc<dyn Tasks>>> = const { RefCell::new(None) };
    static RUNNING: Cell<usize> = const { Cell::new(0) };
    /// What the executor has told of its work; it tells each bit once.
    static BUSY: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// How many tasks of this thread are not over: of connections, of handlers and of the shard itself.
#[must_use]
pub fn running() -> usize {
    RUNNING.get()
}

pin_project! {
    /// A task that is counted until it is over, or dropped. No larger than the task.
    struct Counted<T> {
        #[pin]
        task: T,
        running: Running,
    }
}

impl<T> Counted<T> {
    fn new(task: T) -> Self {
        RUNNING.set(RUNNING.get() + 1);
        let running = Running;
        Self { task, running }
    }
}

impl<T: Future> Future for Counted<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        self.project().task.poll(cx)
    }
}

struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(RUNNING.get() - 1);
    }
}

/// While it lives, tasks and pauses of this thread go to the runtime that was entered.
#[derive(Debug)]
pub struct Entered {
    before: Option<Rc<dyn Tasks>>,
}

/// Enters a runtime in glommio's place.
#[must_use]
pub fn enter(tasks: Rc<dyn Tasks>) -> Entered {
    let before = ENTERED.with(|entered| entered.replace(Some(tasks)));
    Entered { before }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        // Dropped outside of the borrow: it may be the last to know its tasks.
        let _left = ENTERED.with(|entered| entered.replace(before));
    }
}

fn entered() -> Option<Rc<dyn Tasks>> {
    ENTERED.with(|entered| entered.borrow().clone())
}

/// Whether tasks of this thread run on glommio: then it has rings.
pub(super) fn is_glommio() -> bool {
    ENTERED.with(|entered| entered.borrow().is_none())
}

/// What tasks of this thread run on.
#[must_use]
pub fn current() -> Rc<dyn Tasks> {
    entered().unwrap_or_else(|| Rc::new(ShardTasks::default()))
}

/// Runs a task on this shard until it ends by itself.
///
/// # Panics
/// On a thread that has no shard.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    match entered() {
        None => drop(glommio::spawn_local(Counted::new(task)).detach()),
        Some(tasks) => tasks.spawn(Box::pin(Counted::new(task))),
    }
}

/// How long this shard's executor has worked since its start: tasks, and what it asked of the
/// kernel; not while it waited, or looked whether there was something to do. Zero where the shard
/// has no executor of its own.
pub fn busy() -> Duration {
    if !is_glommio() {
        return Duration::ZERO;
    }
    let more = glommio::executor().executor_stats().total_runtime();
    BUSY.set(BUSY.get() + more);
    BUSY.get()
}

/// Lets the other tasks of the shard run for so many milliseconds.
pub async fn pause_ms(ms: u64) {
    pause(Duration::from_millis(ms)).await;
}

/// Lets the other tasks of the shard run for so long.
pub async fn pause(time: Duration) {
    match entered() {
        None => {
            glommio::timer::sleep(time).await;
        }
        Some(tasks) => tasks.sleep(time).await,
    }
}

/// Lets the shard look at its sockets and rings, and run whatever that wakes.
///
/// Yielding would not do: with a task ready, the executor looks at them only when a timer of its
/// own says that it must. The shortest timer of ours that is not over before it has begun ends with
/// that look.
pub async fn look_around() {
    if !is_glommio() {
        yield_now().await; // it has no sockets and rings to look at
        return;
    }
    let mut wait = Duration::from_micros(1);
    let mut timer = Timer::new(wait);
    let mut has_waited = false;
    poll_fn(|cx| {
        loop {
            match Pin::new(&mut timer).poll(cx) {
                Poll::Ready(_) if has_waited => return Poll::Ready(()),
                Poll::Ready(_) => {
                    wait *= 4; // a coarse clock, or this thread had to wait
                    timer = Timer::new(wait);
                }
                Poll::Pending => {
                    has_waited = true;
                    return Poll::Pending;
                }
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{pending, ready};
    use std::task::Waker;

    #[test]
    fn tasks_are_counted_until_they_are_over_or_dropped() {
        let size = size_of_val(&Counted::new(ready([0_u8; 24])));
        assert_eq!(size, size_of_val(&ready([0_u8; 24])));
        assert_eq!(running(), 0);
        let waits = Counted::new(pending::<()>());
        let mut ends = Box::pin(Counted::new(ready(())));
        assert_eq!(running(), 2);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(ends.as_mut().poll(&mut cx), Poll::Ready(()));
        drop(ends);
        assert_eq!(running(), 1);
        drop(waits);
        assert_eq!(running(), 0);
    }
}
