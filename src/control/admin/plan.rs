//! What the admin port is made of.

use super::dashboard::Dashboard;
use super::health::Health;
use crate::app::AppSecret;
use crate::control::calls::Calls;
use crate::control::certificates::Certificates;
use crate::control::machine::Memory;
use crate::control::webhook;
use crate::crossing::admission::Admission;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// What the admin port needs.
#[derive(Debug)]
pub struct Plan {
    /// What it listens with.
    pub listener: Listener,
    /// Where that is.
    pub address: SocketAddr,
    /// What who asks for metrics has to know, if anything.
    pub token: Option<AppSecret>,
    /// What stands in front of each metric's name.
    pub prefix: String,
    /// The port of the server, as a label of what soketi has.
    pub port: u16,
    /// To the shards.
    pub calls: Calls,
    /// What becomes of webhooks.
    pub webhooks: webhook::Counts,
    /// What is shown to clients of TLS, if it is spoken.
    pub certificates: Option<Arc<Certificates>>,
    /// How much memory there is.
    pub memory: Memory,
    /// Whether another connection may come in.
    pub admission: Arc<Admission>,
    /// The log, if this program logs by itself.
    pub log: Option<Log>,
}

/// The log of a program that logs by itself.
#[derive(Clone)]
pub struct Log {
    /// Changes what is logged.
    pub set_level: SetLevel,
    /// How many lines were dropped.
    pub dropped: Arc<AtomicU64>,
}

/// Changes what is logged, or says what is wrong with what was asked for.
pub type SetLevel = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

/// A bound listener that may still change thread.
#[derive(Debug)]
pub struct Listener(pub(super) TcpListener);

impl Listener {
    /// Binds and listens.
    ///
    /// # Errors
    /// What the kernel says, such as an address in use.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// Where it listens; tells the port that 0 became.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// What the connections of the admin port share.
pub(super) struct Desk {
    pub(super) plan: Plan,
    pub(super) health: Arc<Health>,
    /// When the server started, in seconds since 1970.
    pub(super) started_s: f64,
    /// What its pages are made of.
    pub(super) dashboard: Dashboard,
}
