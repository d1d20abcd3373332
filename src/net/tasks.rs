//! What a handler's own tasks run on: a seam, so that handlers can be run without glommio and
//! with a time of a test's own.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
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
        glommio::spawn_local(task).detach();
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
