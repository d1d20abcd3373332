//! Tasks that handlers leave on their shard.

use super::endpoint::Endpoint;
use super::running::Sign;
use crate::crossing::pulse::Callback;
use crate::error::panic_text;
use crate::net::Tasks;
use futures_lite::FutureExt;
use hashbrown::HashMap;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A spawned task. Awaited, it gives what its future gives. **Dropped, it is cancelled**, so that a
/// task kept in a session ends with it; [`Task::detach`] lets it run.
#[must_use = "a task that is dropped is cancelled: keep it, await it, or detach it"]
pub struct Task<T> {
    inner: Rc<Inner<T>>,
    detached: bool,
}

/// Why a task gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskError {
    /// It was cancelled, or its shard has ended.
    Cancelled,
    /// It panicked, with this message.
    Panicked(String),
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the task was cancelled"),
            Self::Panicked(text) => write!(f, "the task panicked: {text}"),
        }
    }
}

impl std::error::Error for TaskError {}

type Guarded<T> = Pin<Box<dyn Future<Output = Result<T, TaskError>>>>;

/// What a task, its executor and its shard share.
struct Inner<T> {
    /// Taken out while it is polled, and when it is over.
    future: RefCell<Option<Guarded<T>>>,
    outcome: RefCell<Option<Result<T, TaskError>>>,
    over: Cell<bool>,
    /// Of the executor's task.
    runs: Cell<Option<Waker>>,
    /// Of who awaits the outcome.
    joins: Cell<Option<Waker>>,
}

impl<T> Inner<T> {
    /// Polls the future. A task that was cancelled meanwhile is over.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut future) = self.future.take() else {
            return Poll::Ready(());
        };
        self.runs.set(Some(cx.waker().clone()));
        let polled = future.as_mut().poll(cx);
        if self.over.get() {
            return Poll::Ready(()); // it has cancelled itself
        }
        match polled {
            Poll::Ready(outcome) => {
                self.end(outcome);
                Poll::Ready(())
            }
            Poll::Pending => {
                self.future.replace(Some(future));
                Poll::Pending
            }
        }
    }

    fn end(&self, outcome: Result<T, TaskError>) {
        self.over.set(true);
        self.outcome.replace(Some(outcome));
        if let Some(waker) = self.joins.take() {
            waker.wake();
        }
    }
}

/// A task of any type.
trait Cancel {
    fn cancel(&self);
}

impl<T> Cancel for Inner<T> {
    /// Ends the task: its future is dropped before this returns, unless it is the one that asks.
    fn cancel(&self) {
        if self.over.get() {
            return;
        }
        self.end(Err(TaskError::Cancelled));
        let future = self.future.take();
        if let Some(waker) = self.runs.take() {
            waker.wake(); // the executor lets go of it
        }
        drop(future);
    }
}

impl<T> Task<T> {
    /// Ends the task; its future is dropped at once. Nothing happens when it is over.
    pub fn cancel(self) {
        drop(self);
    }

    /// Lets the task run until it is over or its shard ends.
    pub fn detach(mut self) {
        self.detached = true;
    }

    /// Whether it has ended, in whatever way.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.inner.over.get()
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, TaskError>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.inner.over.get() {
            self.inner.joins.set(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        let outcome = self.inner.outcome.take();
        Poll::Ready(outcome.expect("a future is not polled after it was ready"))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if !self.detached {
            self.inner.cancel();
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("is_over", &self.is_over())
            .finish_non_exhaustive()
    }
}

/// The spawned tasks of a shard that are not over.
#[derive(Default)]
pub(crate) struct Spawned {
    running: RefCell<HashMap<u64, Rc<dyn Cancel>>>,
    next: Cell<u64>,
    ended: Cell<bool>,
}

impl Spawned {
    pub(super) fn spawn<T: 'static>(
        self: &Rc<Self>,
        tasks: &dyn Tasks,
        sign: Sign,
        future: impl Future<Output = T> + 'static,
    ) -> Task<T> {
        let inner = Rc::new(Inner {
            future: RefCell::new(Some(Box::pin(guarded(sign, future)) as Guarded<T>)),
            outcome: RefCell::default(),
            over: Cell::default(),
            runs: Cell::default(),
            joins: Cell::default(),
        });
        let task = Task {
            inner: Rc::clone(&inner),
            detached: false,
        };
        if self.ended.get() {
            inner.cancel();
            return task;
        }
        let number = self.next.replace(self.next.get() + 1);
        let any: Rc<dyn Cancel> = Rc::clone(&inner) as Rc<dyn Cancel>;
        self.running.borrow_mut().insert(number, any);
        let this = Rc::clone(self);
        let run = async move {
            std::future::poll_fn(|cx| inner.poll(cx)).await;
            drop(this.running.borrow_mut().remove(&number));
        };
        tasks.spawn(Box::pin(async {
            if AssertUnwindSafe(run).catch_unwind().await.is_err() {
                tracing::error!("a spawned task panicked as it was dropped");
            }
        }));
        task
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.running.borrow().len()
    }

    /// The shard ends: whatever still runs is cancelled, and whatever is spawned from here on.
    pub(crate) fn end(&self) {
        self.ended.set(true);
        let running = self.running.take();
        for task in running.values() {
            if catch_unwind(AssertUnwindSafe(|| task.cancel())).is_err() {
                tracing::error!("a spawned task panicked as it was dropped");
            }
        }
    }
}

impl fmt::Debug for Spawned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned").field("len", &self.len()).finish()
    }
}

async fn guarded<T>(sign: Sign, future: impl Future<Output = T>) -> Result<T, TaskError> {
    let caught = pin!(AssertUnwindSafe(future).catch_unwind());
    let caught = sign.alone(caught).await;
    caught.map_err(|panic| {
        let text = panic_text(&*panic);
        tracing::error!(text, "a spawned task panicked");
        TaskError::Panicked(text)
    })
}

impl Endpoint {
    /// Runs a future on this shard, beside the callbacks. It may hold `Rc`, and send through this
    /// endpoint at any time, also while the server stops.
    ///
    /// A panic ends the task and nothing else: it is logged, and told to who awaits the task. When
    /// the shard ends, after the last `on_close`, tasks that still run are cancelled: their futures
    /// are dropped where they wait.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        let local = self.local();
        let sign = self.sign(Callback::Task);
        local.spawned.spawn(&*local.tasks, sign, future)
    }
}

/// A shard's executor and clock for tests of this module's neighbours.
#[cfg(test)]
pub(super) mod fake {
    use crate::net::{LocalTask, Tasks};
    use std::cell::{Cell, RefCell};
    use std::future::{Future, poll_fn};
    use std::pin::Pin;
    use std::rc::Rc;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    /// Polls every task once when told to; time passes when told to.
    #[derive(Default)]
    pub(crate) struct Fake {
        tasks: RefCell<Vec<LocalTask>>,
        now: Rc<Cell<Duration>>,
        wanted: Rc<Cell<Option<Duration>>>,
    }

    impl Fake {
        pub(crate) fn run(&self) {
            let mut tasks = self.tasks.take();
            tasks.retain_mut(|task| poll_once(task.as_mut()).is_none());
            self.tasks.borrow_mut().append(&mut tasks);
        }

        pub(crate) fn len(&self) -> usize {
            self.tasks.borrow().len()
        }

        pub(crate) fn pass(&self, time: Duration) {
            self.now.set(self.now.get() + time);
        }

        /// To the end of the sleep that was polled last.
        pub(crate) fn pass_to_next(&self) {
            self.now.set(self.wanted.take().expect("something sleeps"));
        }
    }

    impl std::fmt::Debug for Fake {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Fake").finish_non_exhaustive()
        }
    }

    impl Tasks for Fake {
        fn spawn(&self, task: LocalTask) {
            self.tasks.borrow_mut().push(task);
        }

        fn sleep(&self, duration: Duration) -> LocalTask {
            let (now, wanted) = (Rc::clone(&self.now), Rc::clone(&self.wanted));
            let until = now.get() + duration;
            Box::pin(poll_fn(move |_| {
                if now.get() >= until {
                    return Poll::Ready(());
                }
                wanted.set(Some(until));
                Poll::Pending
            }))
        }

        fn now(&self) -> Duration {
            self.now.get()
        }
    }

    pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
