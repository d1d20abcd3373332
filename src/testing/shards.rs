//! Shards in memory, as a test sees them.

use super::answer::Answer;
use super::client::{Client, Exchange, PATIENCE, Wire};
use super::place::{Handshake, Place};
use super::world::{Mount, Options, World};
use crate::app::App;
use crate::handler::{Router, ServerHandle};
use crate::limits::SHARDS_MAX;
use crate::server::config::Config;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What the wall clock shows at the start, in seconds since 1970, unless a test says otherwise.
const WALL_S: u64 = 1_700_000_000;

/// How long tokio may take unless a test says otherwise.
const WORK_PATIENCE: Duration = Duration::from_secs(10);

/// Shards that are not started yet. See the [module](super).
pub struct Testing {
    config: Config,
    mount: Mount,
    options: Options,
}

impl Testing {
    /// With these routes, mounted once on each shard as [`Builder::routes`] does. They stay on the
    /// thread of the test, so they may share what is not `Send` with it, such as an
    /// `Rc<RefCell<_>>` that handlers write to and the test reads.
    ///
    /// [`Builder::routes`]: crate::server::Builder::routes
    #[must_use]
    pub fn new<R>(routes: impl Fn(&mut Router) -> R + 'static) -> Self {
        Self {
            config: Config::default(),
            mount: Rc::new(move |router| {
                routes(router);
            }),
            options: Options {
                seed: None,
                wall_s: WALL_S,
                patience: WORK_PATIENCE,
            },
        }
    }

    /// How many shards; two unless this or a configuration says otherwise.
    #[must_use]
    pub fn shards(mut self, count: usize) -> Self {
        self.config.shards = Some(count);
        self
    }

    /// A whole configuration: limits, time-outs, apps. What is about sockets, cores and webhooks'
    /// deliveries has no effect.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// An app: with at least one the Pusher server is mounted beside the handlers.
    #[must_use]
    pub fn app(mut self, app: App) -> Self {
        self.config.apps.push(app);
        self
    }

    /// What the wall clock shows at the start, in seconds since 1970; 1,700,000,000 otherwise. It
    /// goes on with the virtual time.
    #[must_use]
    pub fn wall_clock(mut self, seconds: u64) -> Self {
        self.options.wall_s = seconds;
        self
    }

    /// Lets a seed decide which task of which shard runs next, of all that could. Without one they
    /// run in the order in which they were woken. The same seed gives the same order; a loop over
    /// many of them finds what only works in one.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// How long work that handlers leave to tokio ([`Endpoint::on_tokio`], [`Endpoint::blocking`])
    /// may take of the machine's own time, before the shards count as having nothing left to do;
    /// ten seconds otherwise. It runs on the thread of the test, and on threads for what blocks,
    /// while the shards have nothing else to do; its time is not virtual. Zero is for work that
    /// never ends, such as a subscription to a database.
    ///
    /// [`Endpoint::on_tokio`]: crate::handler::Endpoint::on_tokio
    /// [`Endpoint::blocking`]: crate::handler::Endpoint::blocking
    #[must_use]
    pub fn work_patience(mut self, time: Duration) -> Self {
        self.options.patience = time;
        self
    }

    /// Starts the shards: every `on_start` has returned when this does.
    ///
    /// # Panics
    /// When a shard does not start; see [`Testing::try_start`].
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Shards {
        match self.try_start() {
            Ok(shards) => shards,
            Err(error) => panic!("{error}"),
        }
    }

    /// As [`Testing::start`].
    ///
    /// # Errors
    /// What an `on_start` has returned, or that one has not within a minute of virtual time.
    ///
    /// # Panics
    /// When there are no shards, or more than a process may have, or when routes or an `on_start`
    /// panic.
    #[track_caller]
    pub fn try_start(self) -> Result<Shards, String> {
        let count = self.config.shards.unwrap_or(2);
        assert!(
            (1..=SHARDS_MAX).contains(&count),
            "a server has 1 to {SHARDS_MAX} shards, not {count}"
        );
        let world = World::new(&self.config, &self.mount, &self.options);
        let is_settled = || world.is_open() || world.failed().is_some();
        let is_settled = world.run_for(PATIENCE, &is_settled);
        match world.failed() {
            Some(error) => Err(error),
            None if is_settled => Ok(Shards {
                world,
                next: Cell::default(),
            }),
            None => Err(format!("an on_start has not returned within {PATIENCE:?}")),
        }
    }
}

impl fmt::Debug for Testing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Testing")
            .field("config", &self.config)
            .field("seed", &self.options.seed)
            .finish_non_exhaustive()
    }
}

/// Running shards. They run when a client waits for something, when time passes, and when they
/// start and stop; in between they stand still. Dropping them ends them without a word.
pub struct Shards {
    pub(super) world: Rc<World>,
    /// Where the next connection goes.
    next: Cell<u16>,
}

impl Shards {
    /// A certain shard, to connect to. Without this, connections go to one after the other,
    /// beginning with shard 0.
    ///
    /// # Panics
    /// When there is no such shard.
    #[must_use]
    #[track_caller]
    pub fn on(&self, shard: u16) -> Place<'_> {
        let count = self.world.shards();
        assert!(
            shard < count,
            "there is no shard {shard}: there are {count}"
        );
        Place {
            world: &self.world,
            shard,
        }
    }

    pub(super) fn next(&self) -> Place<'_> {
        let shard = self.next.get();
        self.next.set((shard + 1) % self.world.shards());
        self.on(shard)
    }

    /// Opens a WebSocket; see [`Place::connect`].
    ///
    /// # Panics
    /// As there.
    #[must_use]
    #[track_caller]
    pub fn connect(&self, target: &str) -> Client {
        self.next().connect(target)
    }

    /// Same, with a handshake of the caller's; see [`Place::connect_with`].
    ///
    /// # Panics
    /// As there.
    #[must_use]
    #[track_caller]
    pub fn connect_with(&self, target: &str, fill: impl FnOnce(Handshake) -> Handshake) -> Client {
        self.next().connect_with(target, fill)
    }

    /// Opens a WebSocket, or gives the refusal; see [`Place::try_connect`].
    ///
    /// # Errors
    /// The answer of a server that refuses.
    #[track_caller]
    pub fn try_connect(
        &self,
        target: &str,
        fill: impl FnOnce(Handshake) -> Handshake,
    ) -> Result<Client, Answer> {
        self.next().try_connect(target, fill)
    }

    /// The answer to a handshake that is refused; see [`Place::handshake`].
    ///
    /// # Panics
    /// As there.
    #[must_use]
    #[track_caller]
    pub fn handshake(&self, target: &str) -> Answer {
        self.next().handshake(target)
    }

    /// Sends a request on a connection of its own; see [`Place::request`].
    ///
    /// # Panics
    /// As there.
    #[must_use]
    #[track_caller]
    pub fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.next().request(method, target, headers, body)
    }

    /// Sends a request and lets the test wait for its answer; see [`Place::begin`].
    #[must_use]
    pub fn begin(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Exchange {
        self.next().begin(method, target, headers, body)
    }

    /// Opens a connection of bare bytes; see [`Place::wire`].
    #[must_use]
    pub fn wire(&self) -> Wire {
        self.next().wire()
    }

    /// Lets so much time pass: everything that is due meanwhile happens, each at its time, and the
    /// shards come to rest in between.
    #[track_caller]
    pub fn advance(&self, time: Duration) {
        self.world.advance(time);
    }

    /// Runs the shards until nothing is left to do without time passing.
    #[track_caller]
    pub fn run(&self) {
        self.world.run(&|| false);
    }

    /// Runs the shards until a future is ready, and gives its output: what the server's handle
    /// lets one wait for, such as `shards.wait_for(shards.server().snapshot())`, or what an
    /// endpoint does that a handler has shared with the test. While nothing else is left to do,
    /// time passes, a minute at most.
    ///
    /// # Panics
    /// When it is not ready by then.
    #[track_caller]
    pub fn wait_for<F: IntoFuture>(&self, future: F) -> F::Output {
        let mut future = pin!(future.into_future());
        let future = RefCell::new(future.as_mut());
        let output = Cell::new(None);
        let outside = self.world.outside();
        let is_ready = || {
            // It is polled after each step; that it is woken ends the waiting for tokio.
            let waker = outside.waker();
            let mut cx = Context::from_waker(&waker);
            let polled = future.borrow_mut().as_mut().poll(&mut cx);
            let is_ready = polled.is_ready();
            output.set(match polled {
                Poll::Ready(output) => Some(output),
                Poll::Pending => None,
            });
            is_ready
        };
        self.world.run_for(PATIENCE, &is_ready);
        let output = output.take();
        output.unwrap_or_else(|| panic!("what is waited for has not come within {PATIENCE:?}"))
    }

    /// How much time has passed since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.world.now()
    }

    /// The server's handle, as other threads would have it. What it asks for is done when the
    /// shards run next. What it lets a thread wait for is for [`Shards::wait_for`]: the test's own
    /// thread would wait for itself, and gets a panic instead.
    #[must_use]
    pub fn server(&self) -> ServerHandle {
        let handle = self.world.handle();
        handle.expect("there is one until the stop, which takes the shards")
    }

    /// Stops the shards as a server stops: `on_stop`, a close for each client, `on_close`. Time
    /// passes as far as that needs it: says how much. Clients can be asked afterwards what they
    /// were sent.
    ///
    /// # Panics
    /// When a connection is left at the end, whose callback does not return, or when the end is
    /// not reached within an hour of virtual time.
    #[track_caller]
    pub fn stop(self) -> Duration {
        match self.world.stop(STOP_PATIENCE) {
            Ok(passed) => passed,
            Err(left) => panic!("{left}"),
        }
    }
}

/// Longer than any sensible deadline of a stop.
const STOP_PATIENCE: Duration = Duration::from_secs(3_600);

impl fmt::Debug for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards")
            .field("count", &self.world.shards())
            .field("now", &self.now())
            .finish()
    }
}
