//! The shards, their clients and their time, on the thread of the test.

use super::executor::{Executor, Outside};
use super::seat::{Seat, Speech};
use crate::crossing::{ToControl, ToShard};
use crate::handler::{Router, ServerHandle};
use crate::net::tasks::{Entered, enter};
use crate::net::{Clock, Tasks};
use crate::server::config::Config;
use crate::server::{Desk, InMemory};
use crate::shard::{Door, run_in_memory};
use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Steps without a rest, after which a task is held to wake itself for ever.
const STEPS_MAX: usize = 500_000;

/// What mounts handlers.
pub(super) type Mount = Rc<dyn Fn(&mut Router)>;

/// How the shards run.
pub(super) struct Options {
    /// What decides which task runs next.
    pub(super) seed: Option<u64>,
    /// What the wall clock shows at the start.
    pub(super) wall_s: u64,
    /// How long tokio may take, in time of the machine's.
    pub(super) patience: Duration,
}

/// Everything that runs.
pub(super) struct World {
    executor: Rc<Executor>,
    state: Rc<State>,
    seats: RefCell<Vec<Weak<Seat>>>,
    desk: RefCell<Option<Desk>>,
    stage: Cell<Stage>,
    next_port: Cell<u16>,
    /// How long tokio may take, in time of the machine's.
    patience: Duration,
}

/// What the shards have told.
#[derive(Default)]
struct State {
    doors: RefCell<Vec<Option<Door>>>,
    stopped: Cell<usize>,
    ended: Cell<usize>,
    failed: RefCell<Option<String>>,
    left: Cell<usize>,
}

/// How far the server is with its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    Stopping,
    Ending,
    Ended,
}

impl World {
    /// # Panics
    /// When the system refuses what a tokio runtime needs.
    pub(super) fn new(config: &Config, mount: &Mount, options: &Options) -> Rc<Self> {
        let Options {
            seed,
            wall_s,
            patience,
        } = *options;
        let executor = Rc::new(Executor::new(seed));
        let clock = Clock::by_hand(executor.hand(), wall_s);
        let hash_key = [seed.unwrap_or_default(), 0];
        let InMemory { setups, desk } =
            InMemory::new(config, &clock, hash_key).expect("the system gives a reactor");
        let state: Rc<State> = Rc::default();
        state.doors.borrow_mut().resize(setups.len(), None);
        for (shard, setup) in setups.into_iter().enumerate() {
            let (state, mount) = (Rc::clone(&state), Rc::clone(mount));
            executor.spawn(Box::pin(async move {
                let open = |door| state.doors.borrow_mut()[shard] = Some(door);
                let stopped = || state.has_stopped(shard);
                match run_in_memory(setup, &*mount, open, stopped).await {
                    Ok(()) => state.ended.set(state.ended.get() + 1),
                    Err(error) => state.fail(shard, &error),
                }
            }));
        }
        Rc::new(Self {
            executor,
            state,
            seats: RefCell::default(),
            desk: RefCell::new(Some(desk)),
            stage: Cell::new(Stage::Running),
            next_port: Cell::new(50_000),
            patience,
        })
    }

    /// Tasks and pauses of this thread are the shards' as long as this lives.
    fn enter(&self) -> Entered {
        enter(Rc::clone(&self.executor) as Rc<dyn Tasks>)
    }

    pub(super) fn shards(&self) -> u16 {
        self.state.doors.borrow().len() as u16
    }

    pub(super) fn now(&self) -> Duration {
        self.executor.now()
    }

    /// Whether every shard may be connected to.
    pub(super) fn is_open(&self) -> bool {
        self.state.doors.borrow().iter().all(Option::is_some)
    }

    /// Tasks of all shards that have not ended.
    #[cfg(test)]
    pub(super) fn tasks(&self) -> usize {
        self.executor.tasks()
    }

    /// What other shards have asked this one after room and still wait for.
    #[cfg(test)]
    pub(super) fn asked_for_room(&self, shard: usize) -> usize {
        let doors = self.state.doors.borrow();
        doors[shard].as_ref().map_or(0, Door::asked_for_room)
    }

    /// What wakes who waits beside the shards.
    pub(super) fn outside(&self) -> Outside {
        self.executor.outside()
    }

    /// What kept a shard from starting.
    pub(super) fn failed(&self) -> Option<String> {
        self.state.failed.borrow().clone()
    }

    pub(super) fn handle(&self) -> Option<ServerHandle> {
        self.desk.borrow().as_ref().map(|desk| desk.handle.clone())
    }

    /// Connects to a shard.
    pub(super) fn connect(
        &self,
        shard: u16,
        from: Option<SocketAddr>,
        name: String,
        speech: Speech,
    ) -> Rc<Seat> {
        let _entered = self.enter();
        let from = from.unwrap_or_else(|| self.next_address());
        let doors = self.state.doors.borrow();
        let door = doors.get(usize::from(shard)).and_then(Option::as_ref);
        let peer = door.expect("the shard runs").connect(from);
        let seat = Rc::new(Seat::new(name, from, peer, speech));
        self.seats.borrow_mut().push(Rc::downgrade(&seat));
        seat
    }

    fn next_address(&self) -> SocketAddr {
        let port = self.next_port.get();
        self.next_port.set(port.checked_add(1).unwrap_or(50_000));
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
    }

    /// Runs whatever can run now, until something has come true; says whether it has.
    ///
    /// # Panics
    /// When that does not end.
    #[track_caller]
    pub(super) fn run(&self, is_true: &dyn Fn() -> bool) -> bool {
        let _entered = self.enter();
        for _ in 0..STEPS_MAX {
            if is_true() {
                return true;
            }
            if !self.executor.step() && !self.act() && !self.obey() && !self.work() {
                return false;
            }
        }
        panic!("the shards do not come to rest: a task wakes itself again and again");
    }

    /// Lets the clients read; says whether there was anything.
    fn act(&self) -> bool {
        let mut acted = false;
        let mut seats = self.seats.borrow_mut();
        seats.retain(|seat| {
            let seat = seat.upgrade();
            acted |= seat.as_ref().is_some_and(|seat| seat.act());
            seat.is_some_and(|seat| !seat.has_ended())
        });
        acted
    }

    /// What the control thread does; says whether there was anything.
    fn obey(&self) -> bool {
        let desk = self.desk.borrow();
        let Some(desk) = &*desk else {
            return false;
        };
        let has_notices = desk.notices.drain().next().is_some();
        let is_asked = matches!(desk.reports.try_recv(), Ok(ToControl::Stop));
        let (next, order): (_, fn() -> ToShard) = match self.stage.get() {
            Stage::Ending if self.state.ended.get() == desk.orders.len() => {
                self.stage.set(Stage::Ended);
                desk.end();
                return true;
            }
            Stage::Running if is_asked => (Stage::Stopping, || ToShard::Stop),
            Stage::Stopping if self.state.stopped.get() == desk.orders.len() => {
                (Stage::Ending, || ToShard::End)
            }
            _ => return has_notices,
        };
        self.stage.set(next);
        for orders in &desk.orders {
            let ordered = orders.try_send(order());
            ordered.expect("each shard has room for its two orders");
        }
        true
    }

    /// Waits for what was left to tokio; says whether that has woken a task.
    fn work(&self) -> bool {
        let desk = self.desk.borrow();
        let is_woken = || self.executor.is_woken();
        desk.as_ref()
            .is_some_and(|desk| desk.work(self.patience, is_woken))
    }

    /// As [`World::run`], and lets time pass while nothing else is left to do, so much of it at
    /// most.
    #[track_caller]
    pub(super) fn run_for(&self, time: Duration, is_true: &dyn Fn() -> bool) -> bool {
        let end = self.now().saturating_add(time);
        loop {
            if self.run(is_true) {
                return true;
            }
            match self.executor.next_timer() {
                Some(at) if at <= end => self.executor.set_time(at),
                _ => return false,
            }
        }
    }

    /// Lets so much time pass.
    #[track_caller]
    pub(super) fn advance(&self, time: Duration) {
        let end = self.now().saturating_add(time);
        self.run_for(time, &|| false);
        self.executor.set_time(end);
        self.run(&|| false);
    }

    /// Stops the shards, as a handle does, and waits for their end; says how long that took.
    ///
    /// # Errors
    /// What was left at the end.
    pub(super) fn stop(&self, patience: Duration) -> Result<Duration, String> {
        let begun = self.now();
        if let Some(handle) = self.handle() {
            handle.stop();
        }
        let shards = usize::from(self.shards());
        let has_ended = self.run_for(patience, &|| self.state.ended.get() == shards);
        let left = self.state.left.get();
        if !has_ended {
            return Err(format!("the shards did not end within {patience:?}"));
        }
        if let Some(desk) = self.desk.take() {
            desk.end();
        }
        match left {
            0 => Ok(self.now().saturating_sub(begun)),
            left => Err(format!(
                "{left} connections did not end: a callback of their handler does not return"
            )),
        }
    }
}

impl State {
    fn has_stopped(&self, shard: usize) {
        self.stopped.set(self.stopped.get() + 1);
        let doors = self.doors.borrow();
        let connections = doors[shard].as_ref().map_or(0, Door::connections);
        self.left.set(self.left.get() + connections);
    }

    fn fail(&self, shard: usize, error: &str) {
        let mut failed = self.failed.borrow_mut();
        failed.get_or_insert_with(|| format!("shard {shard} did not start: {error}"));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What tasks drop may want to spawn more.
        let _entered = self.enter();
        self.executor.clear();
        self.state.doors.take();
    }
}
