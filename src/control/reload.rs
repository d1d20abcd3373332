//! SIGHUP: a new configuration for a server that runs. It is read and checked as a whole, on a
//! thread that may be stopped by a slow disk, before anything of it is in force. From then on
//! nothing can fail: webhooks change at once, shards in two steps that all of them take together.

use super::systemd::Systemd;
use super::webhook;
use crate::crossing::ToShard;
use crate::crossing::fresh::{Fresh, Step};
use crate::error::panic_text;
use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::Signal;

/// Reads a new configuration, or says why the one in force stays. It may block.
pub type Source = Box<dyn FnMut() -> Result<Reloaded, String> + Send>;

/// A new configuration, checked.
pub struct Reloaded {
    /// What shards take over.
    pub fresh: Arc<Fresh>,
    /// Where webhooks go.
    pub webhooks: webhook::Routes,
    /// How long a stop may take.
    pub stop_time: Duration,
    /// Called when all of it is in force.
    pub done: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloaded").finish_non_exhaustive()
    }
}

/// What a reload changes on the control thread, and whom it tells.
pub(super) struct Reloader {
    pub(super) source: Source,
    pub(super) orders: Vec<flume::Sender<ToShard>>,
    pub(super) webhooks: webhook::Changer,
    pub(super) stop_time: Rc<Cell<Duration>>,
    pub(super) systemd: Systemd,
}

impl Reloader {
    /// Reloads whenever the signal comes; several that come during a reload are one after it.
    pub(super) async fn run(mut self, mut hangup: Signal) {
        while hangup.recv().await.is_some() {
            self.systemd.reloading();
            match self.read().await {
                Ok(reloaded) => {
                    self.take_over(reloaded).await;
                    self.systemd.reloaded(None);
                }
                Err(reason) => {
                    tracing::error!(reason, "not reloaded: the configuration in force stays");
                    self.systemd.reloaded(Some(&reason));
                }
            }
        }
    }

    async fn read(&mut self) -> Result<Reloaded, String> {
        let nothing: Source = Box::new(|| Err("the last reload has not ended".to_owned()));
        let mut source = std::mem::replace(&mut self.source, nothing);
        let read = tokio::task::spawn_blocking(move || {
            let read = catch_unwind(AssertUnwindSafe(&mut source));
            let panicked = |panic: Box<dyn Any + Send>| {
                Err(format!("reading it panicked: {}", panic_text(&*panic)))
            };
            (read.unwrap_or_else(panicked), source)
        });
        let (read, source) = read.await.map_err(|error| error.to_string())?;
        self.source = source;
        read
    }

    /// Ends early when the server does.
    async fn take_over(&mut self, reloaded: Reloaded) {
        self.webhooks.change(reloaded.webhooks);
        self.stop_time.set(reloaded.stop_time);
        for step in [Step::Learn, Step::Switch] {
            if !self.order_all(&reloaded.fresh, step).await {
                return;
            }
        }
        (reloaded.done)();
    }

    /// Has every shard do one step; says whether all have done it.
    async fn order_all(&self, fresh: &Arc<Fresh>, step: Step) -> bool {
        let (done, all_done) = flume::bounded(self.orders.len());
        for orders in &self.orders {
            let order = ToShard::Reload {
                fresh: Arc::clone(fresh),
                step,
                done: done.clone(),
            };
            if orders.try_send(order).is_err() {
                return false;
            }
        }
        drop(done);
        for _ in &self.orders {
            if all_done.recv_async().await.is_err() {
                return false;
            }
        }
        true
    }
}
