//! The start itself: machine, addresses, threads.

use super::builder::Builder;
use super::config::{Config, DrainClose};
use super::handle::{About, ServerError};
use super::placement;
use super::preflight::{self, EXECUTOR_IO_MEMORY, Verdict};
use crate::conn::Timing;
use crate::control::{
    CallQueue, Control, Ending, Patience, Watchdog, Worker, bridge, calls, ending, runtime, webhook,
};
use crate::crossing::pulse::Pulse;
use crate::crossing::{Notices, ToControl, ToShard};
use crate::error::panic_text;
use crate::handler::{Deflate, Parts, ServerHandle, mark_own_thread};
use crate::http;
use crate::hub;
use crate::limits::NOTICE_BATCHES;
use crate::mesh::{Port, mesh};
use crate::net::{Clock, Listener, ListenerOptions, SocketOptions};
use crate::protocol::Code;
use crate::pusher;
use crate::shard::{self, Drain, Place, Routes, SPREAD_MS_MAX, Setup};
use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long a peer may take to end after our close frame or last response.
const CLOSE_MS: u64 = 5_000;

pub(super) fn start(builder: Builder) -> Result<ServerHandle, ServerError> {
    let config = &builder.config;
    let (notices, webhooks) = webhooks(config)?;
    let counts = (webhooks.as_ref()).map_or_else(webhook::Counts::default, webhook::Plan::counts);
    let cores = placement::usable_cores();
    let placement = placement::place(&cores, &config.cores, config.shards);
    let verdict = preflight::run(placement.shards.len(), config.ring_depth);
    let verdict: Verdict = verdict.map_err(ServerError::Preflight)?;
    let address = SocketAddr::new(config.host, config.port);
    let refused = |error| ServerError::Bind(address, error);
    let listeners = listen(address, placement.shards.len(), config).map_err(refused)?;
    let address = listeners[0].local_addr().map_err(refused)?;
    let handles = (listeners.iter().map(Listener::handle)).collect::<io::Result<Vec<_>>>();
    let handles = handles.map_err(|error| ServerError::Bind(address, error))?;

    let shards = placement.shards.len() as u16;
    let (bridge, orders, reports) = bridge(placement.shards.len());
    let ports = mesh(shards, config.mesh_slots);
    let hash_key = [rand::random(), rand::random()];
    let (calls, queues) = calls(placement.shards.len());
    let (ending, ended) = ending();
    // Before any shard: its handlers may need it as they start.
    let runtime = runtime().map_err(ServerError::Thread)?;
    let (cores, control_core) = (placement.shards.clone(), placement.control);
    let handle = ServerHandle::new(Parts {
        address,
        calls,
        reports: reports.clone(),
        ended,
        webhooks: counts,
        about: Box::new(About {
            placement,
            warnings: verdict.warnings,
        }),
        home: None,
    });
    let pulses: Vec<Arc<Pulse>> = (0..shards).map(|_| Arc::default()).collect();
    let parts = ports.into_iter().zip(listeners).zip(orders).zip(queues);
    for (core, (((port, listener), orders), calls)) in cores.into_iter().zip(parts) {
        let place = place(config, core, verdict.ring_depth, listener);
        let ends = Ends {
            orders,
            calls,
            notices: notices.clone(),
            server: handle.clone(),
            worker: Worker::new(runtime.handle().clone()),
            pulse: Arc::clone(&pulses[port.shard().index()]),
        };
        let setup = setup(config, builder.clock.clone(), port, ends, hash_key);
        let spawned = spawn_shard(place, setup, builder.routes.clone(), reports.clone());
        spawned.map_err(ServerError::Thread)?;
    }
    drop(notices); // the queue ends with the shards
    let control = Control {
        bridge,
        webhooks,
        listeners: handles,
        signals: builder.signals,
        drain: drain_time(&builder.config),
        watchdog: Watchdog::new(patience(&builder.config), pulses),
    };
    let (ready, is_ready) = flume::bounded(1);
    spawn_control((control, runtime), control_core, ready, ending).map_err(ServerError::Thread)?;
    // An error here means that the control thread has ended before it was ready, and knows why.
    match is_ready.recv() {
        Ok(()) => Ok(handle),
        Err(_) => handle.wait().and_then(|()| Err(ServerError::Cut)),
    }
}

/// How long a stop may take beside what peers need to end: for handlers, and for the closes.
fn drain_time(config: &Config) -> Duration {
    let spread_ms = config.drain_spread_ms.unwrap_or(SPREAD_MS_MAX);
    Duration::from_millis(config.stop_wait_ms + spread_ms)
}

fn place(config: &Config, core: usize, ring_depth: usize, listener: Listener) -> Place {
    Place {
        core,
        ring_depth,
        io_memory: EXECUTOR_IO_MEMORY,
        spin: Duration::from_micros(config.spin_us),
        listener,
        accept_per_second: config.accept_per_second,
    }
}

fn patience(config: &Config) -> Patience {
    Patience::new(config.watchdog_warn_ms, config.watchdog_end_ms)
}

/// The queue for notices, and what webhooks are sent with, if any app has one.
fn webhooks(
    config: &Config,
) -> Result<(flume::Sender<Notices>, Option<webhook::Plan>), ServerError> {
    let (to, from) = flume::bounded(NOTICE_BATCHES);
    if config.apps.iter().all(|app| app.webhooks.is_empty()) {
        return Ok((to, None));
    }
    let options = webhook::Options {
        flap_ms: config.flap_ms,
        batch_ms: config.webhook_batching.then_some(config.webhook_batch_ms),
        retry_ms: config.webhook_retry_ms,
        give_up_ms: config.webhook_give_up_ms,
        timeout_ms: config.webhook_timeout_ms,
        queue_bytes: config.webhook_queue_bytes,
        ca_file: config.webhook_ca_file.clone(),
    };
    let plan = webhook::Plan::new(options, &config.apps, from);
    Ok((to, Some(plan.map_err(ServerError::Webhook)?)))
}

/// A shard's ends of what leads to other threads, beside the mesh.
pub(super) struct Ends {
    pub(super) orders: flume::Receiver<ToShard>,
    pub(super) calls: CallQueue,
    pub(super) notices: flume::Sender<Notices>,
    pub(super) server: ServerHandle,
    pub(super) worker: Worker,
    pub(super) pulse: Arc<Pulse>,
}

/// One listener a shard. The first one takes the port for itself for a moment, so that a port
/// another server shares is told from a free one.
fn listen(address: SocketAddr, shards: usize, config: &Config) -> io::Result<Vec<Listener>> {
    let options = ListenerOptions {
        backlog: config.backlog,
        ..ListenerOptions::default()
    };
    Listener::probe(address)?;
    let first = Listener::bind(address, &options)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..shards {
        listeners.push(Listener::bind(address, &options)?);
    }
    Ok(listeners)
}

/// A shard of this server.
pub(super) fn setup(
    config: &Config,
    clock: Clock,
    port: Port,
    ends: Ends,
    hash_key: [u64; 2],
) -> Setup {
    let hub = hub::Options {
        channels_per_connection: config.channels_per_connection,
        cache_bytes: config.cache_bytes / usize::from(port.shards()),
        flap_ms: config.flap_ms,
        sign_in_ms: config.sign_in_ms,
        count_interval_ms: config.count_interval_ms,
        ..hub::Options::new(port.shard(), port.shards(), hash_key)
    };
    let pusher = pusher::Options {
        message_bytes: config.message_bytes,
        activity_grace_ms: config.activity_grace_ms,
        demo: config.demo,
        path_prefix: config.path_prefix.as_str().into(),
        rest_clock_s: config.rest_clock_s,
        replay_guard: config.rest_replay_guard,
        deflate: config.websocket_compression.then(|| Deflate {
            level: config.websocket_compression_level,
            threshold_bytes: config.websocket_compression_bytes,
            ..Deflate::default()
        }),
    };
    Setup {
        port,
        orders: ends.orders,
        calls: ends.calls,
        server: ends.server,
        worker: ends.worker,
        pulse: ends.pulse,
        notices: ends.notices,
        sockets: SocketOptions {
            outbox_bytes: config.outbox_bytes,
            timing: timing(config),
            send_ring: config.send_ring,
        },
        http: http::Limits {
            head_bytes: config.head_bytes,
            body_bytes: config.body_bytes,
            ..http::Limits::default()
        },
        hub,
        pusher: (!config.apps.is_empty()).then_some(pusher),
        apps: config.apps.clone(),
        drain: Drain {
            spread_ms: config.drain_spread_ms,
            stop_wait_ms: config.stop_wait_ms,
            code: match config.drain_close {
                DrainClose::Later => Code::OverCapacity,
                DrainClose::AtOnce => Code::ReconnectNow,
            },
        },
        clock,
    }
}

fn timing(config: &Config) -> Timing {
    Timing {
        head_ms: config.head_timeout_ms,
        body_ms: config.body_timeout_ms,
        keep_alive_ms: config.keep_alive_ms,
        pong_ms: config.pong_wait_ms,
        close_ms: CLOSE_MS,
        stall_ms: config.write_stall_ms,
    }
}

/// A shard's thread. However it ends, it says so, and by the thread itself: an executor that is
/// lost says nothing any more.
fn spawn_shard(
    place: Place,
    setup: Setup,
    routes: Routes,
    reports: flume::Sender<ToControl>,
) -> io::Result<()> {
    let shard = setup.port.shard();
    let thread = thread::Builder::new().name(format!("shard-{shard}"));
    thread.spawn(move || {
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
    })?;
    Ok(())
}

fn report(reports: &flume::Sender<ToControl>, what: ToControl) {
    // Nobody listens any more when another shard was lost first: the process is ending.
    let _ = reports.send(what);
}

fn spawn_control(
    (control, runtime): (Control, Runtime),
    core: Option<usize>,
    ready: flume::Sender<()>,
    ending: Ending,
) -> io::Result<()> {
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
    Ok(())
}
