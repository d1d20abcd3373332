//! How a server is put together: configuration, custom routes, clocks.

use super::config::Config;
use super::handle::ServerError;
use super::launch;
use super::log::Log;
use crate::handler::{Router, ServerHandle};
use crate::net::Clock;
use crate::shard::Routes;
use std::sync::Arc;

/// A server that is not started yet; see [`Server::builder`].
#[derive(Debug)]
pub struct Server;

/// What a server is made of.
pub struct Builder {
    pub(super) config: Config,
    pub(super) routes: Routes,
    pub(super) clock: Clock,
    pub(super) signals: bool,
    pub(super) notify: bool,
    pub(super) reread: Option<Reread>,
    pub(super) log: Option<Log>,
}

/// Reads a new configuration when SIGHUP asks for one, or says why the one in force stays.
pub(super) type Reread = Box<dyn FnMut() -> Result<Read, String> + Send>;

/// A configuration that has been read.
pub(super) struct Read {
    /// The one in force from now on.
    pub(super) config: Config,
    /// Called when it is.
    pub(super) done: Box<dyn FnOnce() + Send>,
}

impl Server {
    /// Begins with the default configuration: no apps, no routes, 127.0.0.1:6001.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            config: Config::default(),
            routes: Arc::new(|_: &mut Router| {}),
            clock: Clock::system(),
            signals: false,
            notify: false,
            reread: None,
            log: None,
        }
    }
}

impl Builder {
    /// Sets the configuration. With at least one app the Pusher server is mounted.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Mounts custom handlers. Called once on each shard; only this function is shared between
    /// threads, so what it mounts may hold `Rc` and `Cell`. What it returns is dropped.
    #[must_use]
    pub fn routes<R>(mut self, mount: impl Fn(&mut Router) -> R + Send + Sync + 'static) -> Self {
        self.routes = Arc::new(move |router| {
            mount(router);
        });
        self
    }

    /// Replaces the wall clock, in seconds since 1970, that signed requests are checked with.
    #[must_use]
    pub fn wall_clock(mut self, seconds: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.clock = Clock::with_wall_clock(Arc::new(seconds));
        self
    }

    /// Whether SIGINT and SIGTERM stop the server. Off by default: a library leaves signals to
    /// its program.
    #[must_use]
    pub fn handle_signals(mut self, handle: bool) -> Self {
        self.signals = handle;
        self
    }

    /// Whether systemd, or another supervisor that sets `NOTIFY_SOCKET`, is told when the server is
    /// ready, reloads and stops, and is pinged while every shard turns if it set `WATCHDOG_USEC`.
    /// Off by default: a library leaves its supervisor to its program.
    #[must_use]
    pub fn notify_supervisor(mut self, notify: bool) -> Self {
        self.notify = notify;
        self
    }

    /// Where SIGHUP gets a new configuration: for [`Program`](super::Program), which has sources.
    pub(super) fn reread(mut self, reread: Reread) -> Self {
        self.reread = Some(reread);
        self
    }

    /// The log that is shown and changed at the admin port: for [`Program`](super::Program), which
    /// logs.
    pub(super) fn log(mut self, log: Log) -> Self {
        self.log = Some(log);
        self
    }

    /// Starts the server on threads of its own and returns when it accepts connections.
    ///
    /// # Errors
    /// [`ServerError`] when the machine, an address or a handler's `on_start` refuses.
    pub fn start(self) -> Result<ServerHandle, ServerError> {
        launch::start(self)
    }

    /// Starts the server and waits for its end.
    ///
    /// # Errors
    /// As [`Builder::start`] and [`ServerHandle::wait`].
    pub fn run(self) -> Result<(), ServerError> {
        self.start()?.wait()
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
