//! The shards of a server that has no threads and no sockets, and what its control thread would
//! hold: whoever runs them stands in for it.

use super::config::Config;
use super::handle::About;
use super::launch::{Ends, setup};
use super::placement::Placement;
use crate::control::{Ending, Outcome, Worker, calls, ending, runtime, webhook};
use crate::crossing::admission::Admission;
use crate::crossing::{Notices, ToControl, ToShard};
use crate::handler::{Parts, ServerHandle};
use crate::limits::NOTICE_BATCHES;
use crate::mesh::mesh;
use crate::net::Clock;
use crate::shard::Setup;
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Shards that are not running yet, and the other ends of all that leads to them.
pub(crate) struct InMemory {
    /// One for each shard, to be run on one thread.
    pub(crate) setups: Vec<Setup>,
    /// What is on the other side.
    pub(crate) desk: Desk,
}

/// What the control thread would hold.
pub(crate) struct Desk {
    /// Each shard's orders.
    pub(crate) orders: Vec<flume::Sender<ToShard>>,
    /// What handles ask for.
    pub(crate) reports: flume::Receiver<ToControl>,
    /// What webhooks would be told of.
    pub(crate) notices: flume::Receiver<Notices>,
    /// The server as handlers see it.
    pub(crate) handle: ServerHandle,
    ending: Cell<Option<Ending>>,
    /// What handlers leave to tokio; it goes on only while the shards wait for it.
    runtime: Option<Runtime>,
    workers: Vec<Worker>,
}

impl InMemory {
    /// As many shards as the configuration says, two unless it does. The same configuration, hash
    /// key and clock make the same shards.
    ///
    /// # Errors
    /// When the system refuses what a runtime needs.
    pub(crate) fn new(config: &Config, clock: &Clock, hash_key: [u64; 2]) -> io::Result<Self> {
        let shards = config.shards.unwrap_or(2);
        let (notice, notices) = flume::bounded(NOTICE_BATCHES);
        let (report, reports) = flume::bounded(1); // a second wish to stop changes nothing
        let (orders, ordered): (Vec<_>, Vec<_>) = (0..shards).map(|_| flume::bounded(2)).unzip();
        let (calls, queues) = calls(shards);
        let (ending, ended) = ending();
        let runtime = runtime()?;
        let worker = || Worker::new(runtime.handle().clone());
        let workers: Vec<_> = (0..shards).map(|_| worker()).collect();
        let placement = Placement {
            shards: vec![0; shards],
            control: None,
            warning: None,
        };
        let about = About {
            placement,
            warnings: Vec::new(),
            admin: None,
            tls_address: None,
            certificates: None,
        };
        let handle = ServerHandle::new(Parts {
            address: SocketAddr::new(config.host, config.port),
            calls,
            reports: report,
            ended,
            webhooks: webhook::Counts::default(),
            about: Box::new(about),
            home: Some(thread::current().id()),
        });
        let most = config.max_connections.unwrap_or(usize::MAX);
        let admission = Arc::new(Admission::new(shards, most));
        let ports = mesh(shards as u16, config.mesh_slots);
        let shard = |(((port, orders), calls), worker): (_, &Worker)| {
            let ends = Ends {
                orders,
                calls,
                notices: notice.clone(),
                server: handle.clone(),
                worker: worker.clone(),
                pulse: Arc::default(),
                admission: Arc::clone(&admission),
            };
            let mut setup = setup(config, clock.clone(), port, ends, hash_key);
            setup.send_ring = false; // there are no sockets
            setup
        };
        let parts = ports.into_iter().zip(ordered).zip(queues).zip(&workers);
        let setups = parts.map(shard).collect();
        let desk = Desk {
            orders,
            reports,
            notices,
            handle,
            ending: Cell::new(Some(ending)),
            runtime: Some(runtime),
            workers,
        };
        Ok(Self { setups, desk })
    }
}

impl Desk {
    /// Every shard has ended: whoever waits for that hears so.
    pub(crate) fn end(&self) {
        if let Some(ending) = self.ending.take() {
            ending.note(Ok(Outcome::Stopped));
        }
    }

    /// Lets tokio go on with what handlers have left to it until a shard's task is woken, as
    /// `woken` says, or nothing of it is left, or so much time of the machine's has passed. Says
    /// whether a task was woken.
    pub(crate) fn work(&self, patience: Duration, woken: impl Fn() -> bool) -> bool {
        const LOOK: Duration = Duration::from_millis(1);
        let Some(runtime) = &self.runtime else {
            return false;
        };
        let end = Instant::now() + patience;
        while !woken() {
            if self.workers.iter().all(|worker| worker.open() == 0) || Instant::now() >= end {
                return woken();
            }
            runtime.block_on(async {
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                    if woken() {
                        return;
                    }
                }
                #[expect(clippy::disallowed_methods, reason = "no shard runs meanwhile")]
                tokio::time::sleep(LOOK).await;
            });
        }
        true
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(ending) = self.ending.take() {
            ending.note(Ok(Outcome::Cut)); // its shards were dropped
        }
        // What still blocks a thread is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
