//! The runtime of shards in memory: one thread, one queue of tasks, and a time that only moves when
//! it is told to.

use crate::net::{LocalTask, Tasks};
use futures_lite::future::poll_fn;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Tasks at a time. Each has one entry in the queue at most, and so has each that has just ended.
const TASKS_MAX: usize = 1 << 20;

/// Runs tasks in the order in which they were woken, or in one that a seed decides.
pub(super) struct Executor {
    tasks: RefCell<BTreeMap<u64, (LocalTask, Arc<Signal>)>>,
    next: Cell<u64>,
    wake: flume::Sender<u64>,
    woken: flume::Receiver<u64>,
    /// Those that were woken, once taken from there.
    ready: RefCell<VecDeque<u64>>,
    timers: Rc<Timers>,
    dice: Option<RefCell<SmallRng>>,
}

/// Wakes one task.
struct Signal {
    task: u64,
    is_woken: AtomicBool,
    wake: flume::Sender<u64>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            // Full it cannot be; without its executor there is nothing to wake.
            let _ = self.wake.try_send(self.task);
        }
    }
}

/// See [`Executor::outside`].
pub(super) struct Outside(Arc<Signal>);

impl Outside {
    /// The same one each time; it wakes once until it is taken again.
    pub(super) fn waker(&self) -> Waker {
        self.0.is_woken.store(false, Ordering::Release);
        Waker::from(Arc::clone(&self.0))
    }
}

/// What waits for a time.
#[derive(Default)]
struct Timers {
    /// Nanoseconds since the start; the shards' clocks show it too.
    hand: Arc<AtomicU64>,
    /// By their time, and in the order of their making.
    waiting: RefCell<BTreeMap<(u64, u64), Waker>>,
    next: Cell<u64>,
}

impl Timers {
    fn now(&self) -> u64 {
        self.hand.load(Ordering::Relaxed)
    }
}

/// Takes its timer away when it is not waited for any more.
struct Waiting {
    timers: Rc<Timers>,
    key: (u64, u64),
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.timers.waiting.borrow_mut().remove(&self.key);
    }
}

impl Executor {
    /// With a seed, what runs next is decided by it.
    pub(super) fn new(seed: Option<u64>) -> Self {
        let (wake, woken) = flume::bounded(2 * TASKS_MAX);
        Self {
            tasks: RefCell::default(),
            next: Cell::default(),
            wake,
            woken,
            ready: RefCell::default(),
            timers: Rc::default(),
            dice: seed.map(|seed| RefCell::new(SmallRng::seed_from_u64(seed))),
        }
    }

    /// The hand of the shards' clocks.
    pub(super) fn hand(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.timers.hand)
    }

    /// Whether a task was woken that has not run since.
    pub(super) fn is_woken(&self) -> bool {
        !self.woken.is_empty() || !self.ready.borrow().is_empty()
    }

    /// Tasks that have not ended.
    #[cfg(test)]
    pub(super) fn tasks(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// What wakes no task but counts as one that was woken, for who waits beside them.
    pub(super) fn outside(&self) -> Outside {
        Outside(self.signal())
    }

    fn signal(&self) -> Arc<Signal> {
        Arc::new(Signal {
            task: self.next.replace(self.next.get() + 1),
            is_woken: AtomicBool::new(false),
            wake: self.wake.clone(),
        })
    }

    /// Polls one task that was woken; says whether there was one.
    pub(super) fn step(&self) -> bool {
        let Some(number) = self.pick() else {
            return false;
        };
        let Some((mut task, signal)) = self.tasks.borrow_mut().remove(&number) else {
            return true; // it has ended and was woken once more, or it is outside
        };
        signal.is_woken.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&signal));
        let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_pending() {
            self.tasks.borrow_mut().insert(number, (task, signal));
        }
        true
    }

    fn pick(&self) -> Option<u64> {
        let mut ready = self.ready.borrow_mut();
        ready.extend(self.woken.try_iter());
        match &self.dice {
            Some(dice) if ready.len() > 1 => {
                let at = dice.borrow_mut().random_range(0..ready.len());
                ready.remove(at)
            }
            _ => ready.pop_front(),
        }
    }

    /// When the next timer is due, since the start.
    pub(super) fn next_timer(&self) -> Option<Duration> {
        let waiting = self.timers.waiting.borrow();
        let ((at, _), _) = waiting.first_key_value()?;
        Some(Duration::from_nanos(*at))
    }

    /// Moves the time on, and wakes whatever waits for it.
    pub(super) fn set_time(&self, now: Duration) {
        let now = nanos(now).max(self.timers.now());
        self.timers.hand.store(now, Ordering::Relaxed);
        let mut waiting = self.timers.waiting.borrow_mut();
        let later = waiting.split_off(&(now + 1, 0));
        let due = std::mem::replace(&mut *waiting, later);
        drop(waiting);
        due.into_values().for_each(Waker::wake);
    }

    /// Drops every task.
    pub(super) fn clear(&self) {
        // What they drop may spawn more, which is dropped too.
        while let tasks = self.tasks.take()
            && !tasks.is_empty()
        {
            drop(tasks);
        }
    }
}

impl Tasks for Executor {
    fn spawn(&self, task: LocalTask) {
        let mut tasks = self.tasks.borrow_mut();
        assert!(tasks.len() < TASKS_MAX, "more tasks than can be run");
        let signal = self.signal();
        signal.wake_by_ref();
        tasks.insert(signal.task, (task, signal));
    }

    fn sleep(&self, time: Duration) -> LocalTask {
        let timers = Rc::clone(&self.timers);
        let time = nanos(time);
        Box::pin(async move {
            let key = (timers.now().saturating_add(time), timers.next.get());
            timers.next.set(key.1 + 1);
            let waiting = Waiting { timers, key };
            poll_fn(|cx| {
                if waiting.timers.now() >= key.0 {
                    return Poll::Ready(());
                }
                let mut all = waiting.timers.waiting.borrow_mut();
                all.insert(key, cx.waker().clone());
                Poll::Pending
            })
            .await;
        })
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.timers.now())
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("tasks", &self.tasks.borrow().len())
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

fn nanos(time: Duration) -> u64 {
    // One less than the most there is: what is due then is never woken.
    u64::try_from(time.as_nanos()).map_or(u64::MAX - 1, |nanos| nanos.min(u64::MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::yield_now;

    type Log = Rc<RefCell<Vec<u32>>>;

    fn run(executor: &Executor) {
        while executor.step() {}
    }

    fn three(seed: Option<u64>) -> Vec<u32> {
        let (executor, log) = (Executor::new(seed), Log::default());
        for task in 0..3 {
            let log = Rc::clone(&log);
            executor.spawn(Box::pin(async move {
                for _ in 0..3 {
                    log.borrow_mut().push(task);
                    yield_now().await;
                }
            }));
        }
        run(&executor);
        assert!(executor.tasks.borrow().is_empty(), "all have ended");
        log.take()
    }

    #[test]
    fn tasks_run_in_the_order_in_which_they_were_woken() {
        assert_eq!(three(None), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_seed_decides_the_order_and_the_same_seed_the_same_order() {
        let orders: Vec<_> = (0..20).map(|seed| three(Some(seed))).collect();
        assert!((0..20).all(|seed| three(Some(seed)) == orders[seed as usize]));
        assert!(orders.iter().any(|order| *order != orders[0]));
    }

    #[test]
    fn sleepers_wake_in_the_order_of_their_times_and_not_before() {
        let (executor, log) = (Rc::new(Executor::new(None)), Log::default());
        for ms in [30, 10, 20, 10] {
            let (log, sleep) = (Rc::clone(&log), executor.sleep(Duration::from_millis(ms)));
            executor.spawn(Box::pin(async move {
                sleep.await;
                log.borrow_mut().push(ms as u32);
            }));
        }
        run(&executor);
        assert_eq!(executor.next_timer(), Some(Duration::from_millis(10)));
        executor.set_time(Duration::from_nanos(9_999_999));
        run(&executor);
        assert!(log.borrow().is_empty());
        executor.set_time(Duration::from_millis(10));
        run(&executor);
        assert_eq!(*log.borrow(), [10, 10]);
        executor.set_time(Duration::from_millis(99));
        run(&executor);
        assert_eq!(*log.borrow(), [10, 10, 20, 30]);
        assert_eq!(executor.next_timer(), None);
    }

    #[test]
    fn what_is_dropped_leaves_no_timer() {
        let executor = Executor::new(None);
        let for_ever = executor.sleep(Duration::MAX);
        executor.spawn(for_ever);
        run(&executor);
        assert!(executor.next_timer().is_some());
        executor.clear();
        assert_eq!(executor.next_timer(), None);
    }
}
