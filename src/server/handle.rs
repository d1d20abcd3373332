//! A running server, as the thread that started it sees it.

use super::placement::Placement;
use super::preflight::{Refusal, Warning};
use crate::control::Outcome;
use crate::control::webhook;
use crate::crossing::ToControl;
use crate::error::ConfigError;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::{fmt, io};

/// Why a server did not start, or how it ended when that was not asked for.
#[derive(Debug)]
pub enum ServerError {
    /// The machine does not let the shards run.
    Preflight(Refusal),
    /// The address cannot be listened on.
    Bind(SocketAddr, io::Error),
    /// A thread or its runtime could not be made.
    Thread(io::Error),
    /// A shard could not start or was lost; the server is of no use without it.
    Shard(String),
    /// A webhook's endpoint cannot be used.
    Webhook(String),
    /// A second signal cut the stop short.
    Cut,
}

impl ServerError {
    /// What the process exits with, in the words of sysexits: 69 when the machine or an address
    /// refuses, 70 when a shard was lost, 78 when a webhook makes no sense.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Preflight(_) | Self::Bind(..) | Self::Thread(_) => Refusal::EXIT_CODE,
            Self::Webhook(_) => ConfigError::EXIT_CODE,
            Self::Shard(_) => 70,
            Self::Cut => 1,
        }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preflight(refusal) => refusal.fmt(f),
            Self::Bind(address, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "cannot listen on {address}: another program does already; stop it, or choose \
                 another port with --port or SOKETI_PORT"
            ),
            Self::Bind(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
            Self::Shard(reason) | Self::Webhook(reason) => f.write_str(reason),
            Self::Cut => f.write_str("stopped at once by a second signal"),
        }
    }
}

impl std::error::Error for ServerError {}

/// A running server. Dropping the handle leaves the server running.
#[derive(Debug)]
pub struct ServerHandle {
    pub(super) address: SocketAddr,
    pub(super) placement: Placement,
    pub(super) warnings: Vec<Warning>,
    pub(super) control: JoinHandle<io::Result<Outcome>>,
    pub(super) reports: flume::Sender<ToControl>,
    pub(super) webhooks: webhook::Counts,
}

impl ServerHandle {
    /// Where it listens, with the port it really got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it is counted what becomes of webhooks; it can be read after the server's end too.
    #[must_use]
    pub fn webhooks(&self) -> webhook::Counts {
        self.webhooks.clone()
    }

    /// Which core each shard runs on.
    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// What the operator should know about the machine.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Asks the server to stop: handlers are told, clients are closed. Returns at once; asking
    /// again changes nothing.
    pub fn stop(&self) {
        // Full or gone: it was asked before, or it has ended.
        let _ = self.reports.try_send(ToControl::Stop);
    }

    /// Waits until the server has ended.
    ///
    /// # Errors
    /// [`ServerError`] unless it was asked to stop and every shard ended.
    ///
    /// # Panics
    /// When the control thread panicked.
    pub fn wait(self) -> Result<(), ServerError> {
        match self
            .control
            .join()
            .expect("the control thread does not panic")
        {
            Ok(Outcome::Stopped) => Ok(()),
            Ok(Outcome::Cut) => Err(ServerError::Cut),
            Ok(Outcome::Lost { shard, reason }) => Err(ServerError::Shard(format!(
                "shard {shard} is lost: {reason}"
            ))),
            Err(error) => Err(ServerError::Thread(error)),
        }
    }
}
