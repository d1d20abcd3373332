//! The start itself: machine, addresses, threads.

use super::builder::{Builder, Reread};
use super::config::{AdminPort, Config};
use super::doors::{self, Doors};
use super::handle::{About, ServerError};
use super::live::{Slots, live, stop_time};
use super::placement;
use super::preflight::{self, EXECUTOR_IO_MEMORY, Verdict};
use crate::control::machine::{Memory, max_fds};
use crate::control::{
    CallQueue, Calls, Control, Ending, Patience, Reloaded, Source, Systemd, Watchdog, Watermarks,
    Worker, admin, bridge, calls, ending, runtime, webhook,
};
use crate::crossing::admission::Admission;
use crate::crossing::fresh::Fresh;
use crate::crossing::pulse::Pulse;
use crate::crossing::{Notices, ToControl, ToShard};
use crate::error::panic_text;
use crate::handler::{Parts, ServerHandle, mark_own_thread};
use crate::hub;
use crate::limits::NOTICE_BATCHES;
use crate::mesh::{Port, mesh};
use crate::net::{Clock, Entrance};
use crate::pusher;
use crate::shard::{self, Place, Routes, Setup};
use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;

pub(super) fn start(builder: Builder) -> Result<ServerHandle, ServerError> {
    let config = &builder.config;
    let (notices, webhooks) = webhooks(config)?;
    let cores = placement::usable_cores();
    let placement = placement::place(&cores, &config.cores, config.shards);
    let verdict = preflight::run(placement.shards.len(), config.ring_depth);
    let verdict: Verdict = verdict.map_err(ServerError::Preflight)?;
    let doors = doors::open(config, placement.shards.len())?;

    let shards = placement.shards.len() as u16;
    let (bridge, orders, reports) = bridge(placement.shards.len());
    let ports = mesh(shards, config.mesh_slots);
    let hash_key = [rand::random(), rand::random()];
    let (calls, queues) = calls(placement.shards.len());
    let admission = Arc::new(admission(config, placement.shards.len()));
    let counts = webhooks.counts();
    let admin = admin_plan(&builder, &doors, (&calls, &counts), &admission)?;
    let (ending, ended) = ending();
    // Before any shard: its handlers may need it as they start.
    let runtime = runtime().map_err(ServerError::Thread)?;
    let (cores, control_core) = (placement.shards.clone(), placement.control);
    let handle = ServerHandle::new(Parts {
        address: doors.address,
        calls,
        reports: reports.clone(),
        ended,
        webhooks: webhooks.counts(),
        about: Box::new(About {
            admin: admin.as_ref().map(|plan| plan.address),
            ..doors.about(About::new(placement, verdict.warnings))
        }),
        home: None,
    });
    let pulses: Vec<Arc<Pulse>> = (0..shards).map(|_| Arc::default()).collect();
    let parts = (ports.into_iter().zip(doors.entrances))
        .zip(orders)
        .zip(queues);
    for (core, (((port, entrances), orders), calls)) in cores.into_iter().zip(parts) {
        let place = place(config, core, verdict.ring_depth, entrances);
        let ends = Ends {
            orders,
            calls,
            notices: notices.clone(),
            server: handle.clone(),
            worker: Worker::new(runtime.handle().clone()),
            pulse: Arc::clone(&pulses[port.shard().index()]),
            admission: Arc::clone(&admission),
        };
        let setup = setup(config, builder.clock.clone(), port, ends, hash_key);
        spawn_shard(place, setup, builder.routes.clone(), reports.clone())?;
    }
    drop(notices); // the queue ends with the shards
    let control = Control {
        bridge,
        webhooks: Some(webhooks),
        listeners: doors.handles,
        certificates: doors.certificates,
        signals: builder.signals,
        stop_time: stop_time(&builder.config),
        reload: (builder.reread).map(|reread| source(reread, &builder.config, shards)),
        watchdog: Watchdog::new(patience(&builder.config), pulses),
        admin,
        watermarks: Some(watermarks(&builder.config, admission)),
        health: Arc::default(),
        systemd: systemd(builder.notify, &handle),
    };
    let is_ready = spawn_control((control, runtime), control_core, ending);
    started(handle, &is_ready.map_err(ServerError::Thread)?)
}

/// Waits until all shards accept.
fn started(
    handle: ServerHandle,
    is_ready: &flume::Receiver<()>,
) -> Result<ServerHandle, ServerError> {
    // An error here means that the control thread has ended before it was ready, and knows why.
    match is_ready.recv() {
        Ok(()) => Ok(handle),
        Err(_) => handle.wait().and_then(|()| Err(ServerError::Cut)),
    }
}

/// The supervisor, if it is to be told, and what its users read of a server that runs.
fn systemd(notify: bool, handle: &ServerHandle) -> Systemd {
    if !notify {
        return Systemd::default();
    }
    let (shards, address) = (handle.placement().shards.len(), handle.local_addr());
    let tls = handle.tls_addr().filter(|tls| *tls != address);
    let tls = tls.map_or_else(String::new, |tls| format!(" and over TLS on {tls}"));
    Systemd::of_process(format!("serving on {address}{tls}, shards: {shards}"))
}

fn place(config: &Config, core: usize, ring_depth: usize, entrances: Vec<Entrance>) -> Place {
    Place {
        core,
        ring_depth,
        io_memory: EXECUTOR_IO_MEMORY,
        spin: Duration::from_micros(config.spin_us),
        entrances,
    }
}

fn patience(config: &Config) -> Patience {
    Patience::new(config.watchdog_warn_ms, config.watchdog_end_ms)
}

/// The queue for notices, and what webhooks are sent with.
fn webhooks(config: &Config) -> Result<(flume::Sender<Notices>, webhook::Plan), ServerError> {
    let (to, from) = flume::bounded(NOTICE_BATCHES);
    let routes = webhook_routes(config)?;
    Ok((
        to,
        webhook::Plan::new(webhook_options(config), routes, from),
    ))
}

/// Where webhooks go, and whom those endpoints are trusted by.
pub(super) fn webhook_routes(config: &Config) -> Result<webhook::Routes, ServerError> {
    let apps = Slots::new(&config.apps).placed(&config.apps);
    webhook::Routes::new(&webhook_options(config), apps).map_err(ServerError::Webhook)
}

fn webhook_options(config: &Config) -> webhook::Options {
    webhook::Options {
        flap_ms: config.flap_ms,
        batch_ms: config.webhook_batching.then_some(config.webhook_batch_ms),
        retry_ms: config.webhook_retry_ms,
        give_up_ms: config.webhook_give_up_ms,
        timeout_ms: config.webhook_timeout_ms,
        queue_bytes: config.webhook_queue_bytes,
        ca_file: config.webhook_ca_file.clone(),
    }
}

/// What the control thread reads a new configuration with: it comes from `reread`, which starts
/// from the one in force, and is made ready for shards and webhooks.
fn source(mut reread: Reread, config: &Config, shards: u16) -> Source {
    let mut slots = Slots::new(&config.apps);
    let serves_pusher = !config.apps.is_empty();
    Box::new(move || {
        let read = reread()?;
        let config = read.config;
        if !serves_pusher && !config.apps.is_empty() {
            return Err(
                "the first app needs a restart: the server was started without any, so \
                        it does not serve the Pusher protocol"
                    .to_owned(),
            );
        }
        let mut next = slots.clone();
        next.learn(&config.apps)?;
        let apps = next.placed(&config.apps);
        let routes = webhook::Routes::new(&webhook_options(&config), apps.clone())?;
        slots = next;
        let live = live(&config, shards);
        Ok(Reloaded {
            fresh: Arc::new(Fresh { apps, live }),
            webhooks: routes,
            stop_time: stop_time(&config),
            done: read.done,
        })
    })
}

/// The admin port's listener, if there is one.
fn admin_listener(config: &Config) -> Result<Option<AdminListener>, ServerError> {
    let address = SocketAddr::new(config.admin_host, config.admin_port);
    let failed = |error| ServerError::Admin(address, error);
    if config.admin == AdminPort::Off {
        return Ok(None);
    }
    if config.admin_token.is_none() && !config.admin_host.to_canonical().is_loopback() {
        let reason = "others can reach the admin port there, so it needs an admin_token";
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, reason)));
    }
    match admin::Listener::bind(address) {
        Ok(listener) => Ok(Some((listener.local_addr().map_err(failed)?, listener))),
        Err(error) if config.admin == AdminPort::IfFree => {
            tracing::warn!(%address, %error, "no metrics: the admin port cannot be listened on");
            Ok(None)
        }
        Err(error) => Err(failed(error)),
    }
}

fn memory(config: &Config) -> Memory {
    (config.memory_bytes).map_or_else(Memory::of_machine, Memory::of)
}

fn watermarks(config: &Config, admission: Arc<Admission>) -> Watermarks {
    Watermarks {
        memory: memory(config),
        soft_percent: config.memory_soft_percent,
        hard_percent: config.memory_hard_percent,
        admission,
    }
}

/// As many as are wanted, and no more than descriptors allow: what else needs some gets them.
fn admission(config: &Config, shards: usize) -> Admission {
    let most = config.max_connections.unwrap_or(usize::MAX);
    let room = max_fds().map_or(u64::MAX, |files| {
        files.saturating_sub(preflight::files_for(shards))
    });
    Admission::new(
        shards,
        most.min(usize::try_from(room).unwrap_or(usize::MAX)),
    )
}

type AdminListener = (SocketAddr, admin::Listener);

fn admin_plan(
    builder: &Builder,
    doors: &Doors,
    (calls, webhooks): (&Calls, &webhook::Counts),
    admission: &Arc<Admission>,
) -> Result<Option<admin::Plan>, ServerError> {
    let config = &builder.config;
    let plan = |(address, listener)| admin::Plan {
        listener,
        address,
        token: config.admin_token.clone(),
        prefix: config.metrics_prefix.clone(),
        port: doors.address.port(),
        certificates: doors.certificates.clone(),
        calls: calls.clone(),
        webhooks: webhooks.clone(),
        admission: admission.clone(),
        memory: memory(config),
        log: builder.log.clone(),
    };
    Ok(admin_listener(config)?.map(plan))
}

/// A shard's ends of what leads to other threads, beside the mesh.
pub(super) struct Ends {
    pub(super) orders: flume::Receiver<ToShard>,
    pub(super) calls: CallQueue,
    pub(super) notices: flume::Sender<Notices>,
    pub(super) server: ServerHandle,
    pub(super) worker: Worker,
    pub(super) pulse: Arc<Pulse>,
    pub(super) admission: Arc<Admission>,
}

/// A shard of this server.
pub(super) fn setup(
    config: &Config,
    clock: Clock,
    port: Port,
    ends: Ends,
    hash_key: [u64; 2],
) -> Setup {
    let live = live(config, port.shards());
    let mut hub = hub::Options {
        flap_ms: config.flap_ms,
        ..hub::Options::new(port.shard(), port.shards(), hash_key)
    };
    hub.set(live.hub);
    let pusher = pusher::Options {
        limits: live.pusher,
        demo: config.demo,
        path_prefix: config.path_prefix.as_str().into(),
    };
    Setup {
        port,
        orders: ends.orders,
        calls: ends.calls,
        server: ends.server,
        worker: ends.worker,
        pulse: ends.pulse,
        notices: ends.notices,
        admission: ends.admission,
        doors: shard::Doors {
            per_address: config.connections_per_address,
            trusted: config.trusted_proxies.clone(),
            proxy_protocol: config.proxy_protocol,
        },
        send_ring: config.send_ring,
        live,
        hub,
        pusher: (!config.apps.is_empty()).then_some(pusher),
        apps: config.apps.clone(),
        clock,
    }
}

/// A shard's thread. However it ends, it says so, and by the thread itself: an executor that is
/// lost says nothing any more.
fn spawn_shard(
    place: Place,
    setup: Setup,
    routes: Routes,
    reports: flume::Sender<ToControl>,
) -> Result<(), ServerError> {
    let shard = setup.port.shard();
    let thread = thread::Builder::new().name(format!("shard-{shard}"));
    let spawned = thread.spawn(move || {
        let started = reports.clone();
        let run = || {
            shard::run(
                place,
                setup,
                &routes,
                || report(&started, ToControl::Started(shard)),
                || report(&started, ToControl::Stopped(shard)),
            )
        };
        let outcome = catch_unwind(AssertUnwindSafe(run));
        // Routes that make no sense, for one.
        let panicked = |panic: Box<dyn Any + Send>| {
            Err(format!("its thread panicked: {}", panic_text(&*panic)))
        };
        let outcome = outcome.unwrap_or_else(panicked);
        report(&reports, ToControl::Ended(shard, outcome));
    });
    spawned.map(drop).map_err(ServerError::Thread)
}

fn report(reports: &flume::Sender<ToControl>, what: ToControl) {
    // Nobody listens any more when another shard was lost first: the process is ending.
    let _ = reports.send(what);
}

fn spawn_control(
    (control, runtime): (Control, Runtime),
    core: Option<usize>,
    ending: Ending,
) -> io::Result<flume::Receiver<()>> {
    let (ready, is_ready) = flume::bounded(1);
    thread::Builder::new()
        .name("control".into())
        .spawn(move || {
            mark_own_thread();
            if let Some(id) = core {
                // It runs anywhere if this fails, only not as quietly.
                core_affinity::set_for_current(core_affinity::CoreId { id });
            }
            ending.note(control.run(runtime, move || {
                let _ = ready.send(());
            }));
        })?;
    Ok(is_ready)
}
