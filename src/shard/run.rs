//! From a setup that came from another thread to a running shard.

use super::calls::take_calls;
use super::pump::{end_turns, flush_late, pump, tick};
use super::reload::reload;
use super::rooms::Rooms;
use super::stop::{end, stop};
use super::visitors::{Doors, Visitors, receive};
use crate::app::App;
use crate::conn::Turn;
use crate::control::{CallQueue, Worker};
use crate::crossing::admission::Admission;
use crate::crossing::fresh::Live;
use crate::crossing::pulse::Pulse;
use crate::crossing::{Notices, Roll, ToShard};
use crate::handler::{
    Forgets, Local, Router, ServerHandle, Tables, TablesParts, Tickets, mark_own_thread,
};
use crate::http;
use crate::hub::{self, AppTable, Hub};
use crate::id::ShardId;
use crate::mesh::{Port, SharedPort};
use crate::metrics::Count;
use crate::net::{self, Clock, Entrance, SocketOptions, Sockets, look_around, pause_ms, tasks};
use crate::pusher::{self, Pusher};
use futures_lite::future::or;
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What mounts a library user's handlers; called once on each shard.
pub type Routes = Arc<dyn Fn(&mut Router) + Send + Sync>;

/// Where a shard runs and accepts.
pub struct Place {
    /// The core it is pinned to.
    pub core: usize,
    /// Entries of each io_uring.
    pub ring_depth: usize,
    /// Bytes of memory registered with the rings.
    pub io_memory: usize,
    /// How long it polls before it sleeps; zero sleeps at once.
    pub spin: Duration,
    /// Its own listeners.
    pub entrances: Vec<Entrance>,
}

/// Everything a shard is made of, wherever it runs.
pub struct Setup {
    /// Its place in the mesh.
    pub port: Port,
    /// Orders of the control thread.
    pub orders: flume::Receiver<ToShard>,
    /// What server handles ask it for.
    pub calls: CallQueue,
    /// The server it belongs to.
    pub server: ServerHandle,
    /// Where its handlers leave work that has no place on it.
    pub worker: Worker,
    /// What tells the control thread that it turns, and what it runs.
    pub pulse: Arc<Pulse>,
    /// Where what webhooks are to be told of goes.
    pub notices: flume::Sender<Notices>,
    /// Whether many sockets are written to in one system call, where the kernel can do that.
    pub send_ring: bool,
    /// The limits that may change while it runs.
    pub live: Live,
    /// Whether one more may come in.
    pub admission: Arc<Admission>,
    /// Whom it lets in.
    pub doors: Doors,
    /// How its hub is made.
    pub hub: hub::Options,
    /// The Pusher application, unless only custom handlers are served.
    pub pusher: Option<pusher::Options>,
    /// The apps.
    pub apps: Vec<App>,
    /// Clocks.
    pub clock: Clock,
}

/// What the tasks of a shard share.
pub(super) struct Shard {
    pub(super) local: Rc<Local>,
    pub(super) sockets: Rc<Sockets>,
    pub(super) mesh: Rc<SharedPort>,
    pub(super) turn: Rc<Turn>,
    /// Asked for when something is to be written, but not at once.
    pub(super) flush: Turn,
    /// For how long it is gathered then; zero is at once.
    pub(super) flush_delay: Cell<Duration>,
    pub(super) router: Router,
    /// Handlers' questions after clients of other shards.
    pub(super) rolls: Rc<Tickets<Roll>>,
    /// Other shards' questions after room for clients of this one.
    pub(super) rooms: Rc<Rooms>,
    pub(super) pusher: Option<Rc<Pusher>>,
    pub(super) live: Cell<Live>,
    pub(super) visitors: Visitors,
    pub(super) stopping: Cell<bool>,
    /// What random pauses follow from.
    pub(super) seed: u64,
    /// How many other shards' handlers are done with on_stop.
    pub(super) farewells: Cell<u16>,
}

/// Runs a shard on this thread until it is told to stop, and then to end; `started` is called when
/// it accepts, `stopped` when it has no connection any more.
///
/// # Errors
/// What kept it from starting.
///
/// # Panics
/// When a task outside of any connection panics: the shard is lost then, and the caller ends
/// the process.
pub fn run(
    place: Place,
    setup: Setup,
    routes: &Routes,
    started: impl FnOnce(),
    stopped: impl FnOnce(),
) -> Result<(), String> {
    mark_own_thread();
    let executor =
        executor(&place, setup.port.shard()).map_err(|error| format!("no executor: {error}"))?;
    let entrances = place.entrances;
    let open = |shard: &Rc<Shard>| {
        let pace = Rc::default();
        for entrance in entrances {
            net::spawn(accept(Rc::clone(shard), entrance, Rc::clone(&pace)));
        }
        started();
    };
    executor.run(live(setup, &**routes, open, stopped))
}

/// A shard from start to end; `open` is called when it may be connected to.
pub(super) async fn live(
    setup: Setup,
    mount: &dyn Fn(&mut Router),
    open: impl FnOnce(&Rc<Shard>),
    stopped: impl FnOnce(),
) -> Result<(), String> {
    let orders = setup.orders.clone();
    let (shard, calls) = Shard::new(setup, mount);
    let shard = Rc::new(shard);
    shard.local.server.set_routes(shard.router.patterns())?;
    shard.local.tables.agree()?;
    // Before any handler starts: it may ask other shards, and they have to answer.
    net::spawn(pump(Rc::clone(&shard)));
    net::spawn(end_turns(Rc::clone(&shard)));
    net::spawn(flush_late(Rc::clone(&shard)));
    net::spawn(tick(Rc::clone(&shard)));
    let calls = take_calls(Rc::clone(&shard), calls);
    let serve = async {
        for mount in shard.router.mounts() {
            mount.start().await?;
        }
        open(&shard);
        obey(&shard, &orders, stopped).await;
        Ok(())
    };
    // When it ends, so does the queue: whoever calls from then on is told.
    or(serve, async { match calls.await {} }).await
}

/// Does what the control thread orders, until it orders the end.
async fn obey(shard: &Rc<Shard>, orders: &flume::Receiver<ToShard>, stopped: impl FnOnce()) {
    while let Ok(order) = orders.recv_async().await {
        match order {
            ToShard::Stop => break,
            ToShard::Reload { fresh, step, done } => {
                reload(shard, &fresh, step);
                // Without the other end the control thread is gone.
                let _ = done.try_send(shard.mesh.shard());
            }
            other => tracing::error!(?other, "not an order of the control thread"),
        }
    }
    stop(shard).await;
    stopped();
    // Without its sender the control thread is gone, and nothing is worth waiting for.
    while let Ok(order) = orders.recv_async().await {
        match order {
            ToShard::End => break,
            other => tracing::debug!(?other, "not any more"),
        }
    }
    end(shard).await;
}

/// Makes the executor; memory for its rings may be given back late by one that has just ended.
fn executor(place: &Place, shard: ShardId) -> Result<LocalExecutor, String> {
    const TRIES: u32 = 20;
    let mut last = String::new();
    for _ in 0..TRIES {
        let builder = LocalExecutorBuilder::new(Placement::Fixed(place.core))
            .name(&format!("shard-{shard}"))
            .ring_depth(place.ring_depth)
            .io_memory(place.io_memory)
            .spin_before_park(place.spin);
        match builder.make() {
            Ok(executor) => return Ok(executor),
            Err(error) => {
                last = error.to_string();
                let error = io::Error::from(error);
                if error.raw_os_error() != Some(12) {
                    break; // only ENOMEM passes by itself
                }
                #[expect(clippy::disallowed_methods, reason = "no executor runs here yet")]
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    Err(last)
}

impl Shard {
    /// The limits of requests, as they are now.
    pub(super) fn http_limits(&self) -> http::Limits {
        self.live.get().http
    }

    fn new(setup: Setup, mount: &dyn Fn(&mut Router)) -> (Self, CallQueue) {
        let turn = Rc::new(Turn::default());
        let (id, shards) = (setup.port.shard(), setup.port.shards());
        let hash_key = setup.hub.hash_key;
        let seed = hash_key[0] ^ u64::from(id.0);
        let mesh = Rc::new(setup.port.share(Rc::clone(&turn)));
        let sockets = Rc::new(Sockets::new(
            id,
            socket_options(&setup.live, setup.send_ring),
            setup.clock,
            Rc::clone(&turn),
            Arc::clone(&setup.pulse),
            setup.admission,
        ));
        let rolls = Rc::default();
        let tasks = tasks::current();
        let clients = Rc::clone(&sockets);
        let tables = Tables::new(TablesParts {
            mesh: Rc::clone(&mesh),
            tasks: Rc::clone(&tasks),
            ledger: Arc::clone(setup.server.ledger()),
            hash_key: setup.hub.hash_key,
            is_open: Box::new(move |client| clients.is_open(client)),
            pulse: Arc::clone(&setup.pulse),
        });
        let local = Local {
            shard: id,
            shards,
            sockets: Rc::clone(&sockets),
            mesh: Rc::clone(&mesh),
            crossed: Cell::default(),
            turn: Rc::clone(&turn),
            rolls: Rc::clone(&rolls),
            server: setup.server,
            tasks,
            tables: Rc::new(tables),
            forgets: Forgets::default(),
            spawned: Rc::default(),
            worker: setup.worker,
        };
        let local = Rc::new(local);
        let mut router = Router::new(Rc::clone(&local));
        mount(&mut router);
        let pusher = router.finish(setup.pusher.map(|options| {
            let hub = Hub::new(setup.hub, Rc::new(AppTable::new(setup.apps)));
            |router: &mut Router| pusher::mount(router, hub, options, setup.notices)
        }));
        setup.pulse.name(router.places());
        (
            Self {
                local,
                sockets,
                mesh,
                turn,
                flush: Turn::default(),
                flush_delay: Cell::new(Duration::from_micros(setup.live.flush_delay_us)),
                router,
                rolls,
                rooms: Rc::default(),
                pusher,
                live: Cell::new(setup.live),
                stopping: Cell::new(false),
                seed,
                visitors: Visitors::new(setup.doors, hash_key),
                farewells: Cell::new(0),
            },
            setup.calls,
        )
    }
}

fn socket_options(live: &Live, send_ring: bool) -> SocketOptions {
    SocketOptions {
        outbox_bytes: live.outbox_bytes,
        timing: live.timing,
        send_ring,
        control_frames: live.control_frames,
    }
}

/// Accepts until the listener is shut down or the shard stops. All listeners of a shard keep one
/// pace.
async fn accept(shard: Rc<Shard>, entrance: Entrance, pace: Rc<RefCell<hub::Bucket>>) {
    const WAIT_MS: u64 = 5;
    // An accept does not wait while there is somebody in the backlog, which may be thousands: so
    // many of them, and those who are inside have their turn.
    const AT_ONCE: usize = 16;
    let mut at_once = 0;
    let Entrance { listener, tls } = entrance;
    let mut acceptor = listener.adopt();
    let on_pause = |error: &io::Error| {
        shard.sockets.counters().one(Count::AcceptFailed);
        tracing::warn!(%error, "cannot accept; trying again shortly");
    };
    while let Ok(stream) = acceptor.accept(on_pause).await {
        if shard.stopping.get() {
            return;
        }
        let tls = tls.as_ref().map(|store| store.config());
        receive(&shard, stream.into(), tls).await;
        at_once += 1;
        if at_once == AT_ONCE {
            at_once = 0;
            look_around().await;
        }
        let now_ms = || shard.sockets.clock().now_ms();
        let wanted = || shard.live.get().accept_per_second;
        while wanted().is_some_and(|wanted| !pace.borrow_mut().take(now_ms(), wanted)) {
            pause_ms(WAIT_MS).await;
        }
    }
    if !shard.stopping.get() {
        tracing::debug!("the listener was shut down");
    }
}
