//! What the control thread does from start to end.

use super::admin::{self, Health};
use super::bridge::Bridge;
use super::certificates::Certificates;
use super::reload::{Reloader, Source};
use super::systemd::Systemd;
use super::watchdog::{Finding, Watchdog};
use super::watermarks::Watermarks;
use super::webhook;
use crate::crossing::ToControl;
use crate::crossing::pulse::{NOT_KNOWN, Seen};
use crate::id::ShardId;
use socket2::Socket;
use std::cell::Cell;
use std::future::pending;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How a server ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was asked to, and every shard ended.
    Stopped,
    /// A second signal came while it was stopping.
    Cut,
    /// A shard could not start, or was lost.
    Lost {
        /// Which one.
        shard: ShardId,
        /// Why.
        reason: String,
    },
}

/// How long webhooks may take to leave once the shards have ended.
const WEBHOOKS_TIMEOUT: Duration = Duration::from_secs(2);

/// The control thread's state.
pub struct Control {
    /// Its ends of the bridge.
    pub bridge: Bridge,
    /// What clients of TLS are shown, if it is spoken.
    pub certificates: Option<Arc<Certificates>>,
    /// Second handles on all listeners, to end accepting at once.
    pub listeners: Vec<Socket>,
    /// Whether SIGINT and SIGTERM stop the server.
    pub signals: bool,
    /// How long a stop may take.
    pub stop_time: Duration,
    /// Where SIGHUP gets a new configuration; without one the signal is not looked at.
    pub reload: Option<Source>,
    /// Finds shards that do not turn.
    pub watchdog: Watchdog,
    /// What webhooks are sent with; taken when it starts.
    pub webhooks: Option<webhook::Plan>,
    /// What the admin port needs, if there is one.
    pub admin: Option<admin::Plan>,
    /// What looks at the memory.
    pub watermarks: Option<Watermarks>,
    /// How far the server is.
    pub health: Arc<Health>,
    /// Who supervises this process.
    pub systemd: Systemd,
}

/// What happens next.
enum Event {
    Report(ToControl),
    Signal,
    /// The stop has taken its time.
    Timeout,
    /// Nobody is left to report.
    Deserted,
    /// It is time to look at the shards.
    Look,
}

impl Control {
    /// Watches over the shards until they have ended; `started` is called when all accept. The
    /// runtime is not this thread's alone: handlers leave work to it.
    ///
    /// # Errors
    /// When the signal handlers cannot be made.
    pub fn run(self, runtime: Runtime, started: impl FnOnce()) -> io::Result<Outcome> {
        let tasks = tokio::task::LocalSet::new();
        let outcome = runtime.block_on(tasks.run_until(self.watch(started)));
        drop(tasks);
        // A name that is still being resolved is not waited for.
        runtime.shutdown_background();
        outcome
    }

    async fn watch(mut self, started: impl FnOnce()) -> io::Result<Outcome> {
        let mut signals = self.signals.then(stop_signals).transpose()?;
        let mut webhooks = self.webhooks.take().map(webhook::Desk::start);
        self.look_and_tell()?;
        let stop_time = Rc::new(Cell::new(self.stop_time));
        let reloading = self.reload(webhooks.as_ref(), &stop_time)?;
        self.watch_certificates()?;
        self.watchdog.answer_to(self.systemd.watchdog());
        let shards = self.bridge.shards();
        let (mut starting, mut serving, mut running) = (shards, shards, shards);
        let mut started = Some(started);
        let mut stopping = None;
        let mut looked = Instant::now();
        loop {
            match self.next(&mut signals, stopping, looked).await {
                Event::Look => {
                    let last = std::mem::replace(&mut looked, Instant::now());
                    if let Some((shard, reason)) = self.look(looked - last, starting == 0) {
                        return Ok(self.lost(shard, reason));
                    }
                }
                Event::Report(ToControl::Started(shard)) => {
                    tracing::debug!(%shard, "accepts connections");
                    self.watchdog.begin(shard);
                    starting -= 1;
                    if starting == 0
                        && let Some(started) = started.take()
                    {
                        self.health.set_started();
                        self.systemd.ready();
                        started();
                    }
                }
                Event::Report(ToControl::Stopped(shard)) => {
                    tracing::debug!(%shard, "has no connection any more");
                    serving -= 1;
                    if serving == 0 {
                        self.bridge.end_all();
                    }
                }
                Event::Report(ToControl::Ended(shard, Ok(()))) => {
                    self.watchdog.end(shard);
                    running -= 1;
                    if running == 0 {
                        return Ok(finish(webhooks.take(), &mut signals).await);
                    }
                }
                Event::Report(ToControl::Ended(shard, Err(reason))) => {
                    return Ok(self.lost(shard, reason));
                }
                Event::Report(ToControl::Stop) if stopping.is_some() => {}
                Event::Report(ToControl::Stop) => {
                    stopping = Some(self.stop(stop_time.get(), &reloading))
                }
                Event::Signal if stopping.is_some() => return Ok(Outcome::Cut),
                Event::Signal => stopping = Some(self.stop(stop_time.get(), &reloading)),
                Event::Timeout => {
                    tracing::warn!(
                        shards = running,
                        "the stop has taken its time: who is left is cut off"
                    );
                    return Ok(finish(webhooks.take(), &mut signals).await);
                }
                Event::Deserted => {
                    return Ok(self.lost(ShardId(0), "no shard says anything any more".into()));
                }
            }
        }
    }

    /// Certificates are read again when their files change, and at SIGHUP.
    fn watch_certificates(&mut self) -> io::Result<()> {
        if let Some(certificates) = self.certificates.take() {
            let hangup = self.signals.then(|| signal(SignalKind::hangup()));
            tokio::task::spawn_local(certificates.watch(hangup.transpose()?));
        }
        Ok(())
    }

    async fn next(
        &self,
        signals: &mut Option<[Signal; 2]>,
        deadline: Option<Instant>,
        looked: Instant,
    ) -> Event {
        let look = self.watchdog.interval().map(|interval| looked + interval);
        tokio::select! {
            report = self.bridge.report() => match report {
                Some(report) => Event::Report(report),
                None => Event::Deserted,
            },
            () = signalled(signals) => Event::Signal,
            () = at(deadline) => Event::Timeout,
            () = at(look) => Event::Look,
        }
    }

    /// Names shards that do not turn, and those that do again; gives the one that is given up, if
    /// any, and why. A supervisor is told as long as all of them turn.
    fn look(&mut self, passed: Duration, started: bool) -> Option<(ShardId, String)> {
        for finding in self.watchdog.look(passed) {
            match finding {
                Finding::Stuck(shard, silent, seen) => tell_stuck(shard, silent, &seen),
                Finding::Back(shard, silent) => {
                    let stuck_ms = silent.as_millis() as u64;
                    tracing::warn!(%shard, stuck_ms, "a shard turns again");
                }
                Finding::Lost(shard, silent, seen) => {
                    let ms = silent.as_millis();
                    return Some((shard, format!("it has not turned for {ms} ms: {seen}")));
                }
            }
        }
        if started && self.watchdog.may_ping(passed) {
            self.systemd.ping();
        }
        None
    }

    /// Begins to look at the memory, and to answer on the admin port.
    fn look_and_tell(&mut self) -> io::Result<()> {
        if let Some(watermarks) = self.watermarks.take() {
            tokio::task::spawn_local(watermarks.watch());
        }
        match self.admin.take() {
            Some(plan) => admin::start(plan, Arc::clone(&self.health)),
            None => Ok(()),
        }
    }

    /// Has SIGHUP reload the configuration, if there is where to read it from.
    fn reload(
        &mut self,
        webhooks: Option<&webhook::Desk>,
        stop_time: &Rc<Cell<Duration>>,
    ) -> io::Result<Option<AbortHandle>> {
        let (Some(source), Some(desk)) = (self.reload.take(), webhooks) else {
            return Ok(None);
        };
        let reloader = Reloader {
            source,
            orders: self.bridge.orders(),
            webhooks: desk.changer(),
            stop_time: Rc::clone(stop_time),
            systemd: self.systemd.clone(),
        };
        let hangup = signal(SignalKind::hangup())?;
        let task = tokio::task::spawn_local(reloader.run(hangup));
        Ok(Some(task.abort_handle()))
    }

    /// Nobody is accepted any more, and every shard is told to end; says by when. A reload that is
    /// under way is not gone on with.
    fn stop(&self, time: Duration, reloading: &Option<AbortHandle>) -> Instant {
        self.shut_listeners();
        tracing::info!("stopping");
        self.systemd.stopping(time);
        self.health.set_draining();
        if let Some(reloading) = reloading {
            reloading.abort();
        }
        self.bridge.stop_all();
        Instant::now() + time
    }

    /// Without one of its shards the process must not live on: the kernel would go on giving
    /// connections to a listener that nobody serves.
    fn lost(&self, shard: ShardId, reason: String) -> Outcome {
        self.shut_listeners();
        self.systemd
            .lost(&format!("shard {shard} is lost: {reason}"));
        self.bridge.stop_all();
        Outcome::Lost { shard, reason }
    }

    fn shut_listeners(&self) {
        for listener in &self.listeners {
            if let Err(error) = listener.shutdown(Shutdown::Both) {
                tracing::debug!(%error, "a listener was shut down before");
            }
        }
    }
}

/// What stops a server.
fn stop_signals() -> io::Result<[Signal; 2]> {
    Ok([
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    ])
}

/// A shard does not turn: whatever it runs blocks or computes, and none of its clients is served.
fn tell_stuck(shard: ShardId, silent: Duration, seen: &Seen) {
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| NOT_KNOWN.into());
    let (route, callback) = (or(&seen.route), or(&seen.callback));
    let client = seen
        .client
        .map_or_else(|| NOT_KNOWN.into(), |client| format!("{client:?}"));
    let stuck_ms = silent.as_millis() as u64;
    tracing::error!(
        %shard,
        stuck_ms,
        route,
        callback,
        client,
        "a shard does not turn: a callback blocks it, or computes for too long"
    );
}

/// Waits until then; for ever, if there is no such time.
async fn at(when: Option<Instant>) {
    match when {
        #[expect(
            clippy::disallowed_methods,
            reason = "the control thread has a reactor"
        )]
        Some(when) => tokio::time::sleep_until(when).await,
        None => pending().await,
    }
}

/// Waits for a signal.
async fn signalled(signals: &mut Option<[Signal; 2]>) {
    match signals {
        Some([interrupt, terminate]) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        None => pending().await,
    }
}

/// Lets webhooks leave, unless a second signal wants the end now.
async fn finish(webhooks: Option<webhook::Desk>, signals: &mut Option<[Signal; 2]>) -> Outcome {
    let Some(webhooks) = webhooks else {
        return Outcome::Stopped;
    };
    tokio::select! {
        () = webhooks.finish(WEBHOOKS_TIMEOUT) => Outcome::Stopped,
        () = signalled(signals) => Outcome::Cut,
    }
}
