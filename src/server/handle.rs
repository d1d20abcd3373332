//! A running server, as its threads of control see it: how it was placed and how it ends.

use super::placement::Placement;
use super::preflight::{Refusal, Warning};
use crate::control::{Certificates, Outcome};
use crate::error::ConfigError;
use crate::handler::ServerHandle;
use std::net::SocketAddr;
use std::sync::Arc;
use std::{fmt, io};

/// Why a server did not start, or how it ended when that was not asked for.
#[derive(Debug)]
pub enum ServerError {
    /// The machine does not let the shards run.
    Preflight(Refusal),
    /// The address cannot be listened on.
    Bind(SocketAddr, io::Error),
    /// The address of the admin port cannot be listened on.
    Admin(SocketAddr, io::Error),
    /// A thread or its runtime could not be made.
    Thread(io::Error),
    /// A shard could not start or was lost; the server is of no use without it.
    Shard(String),
    /// A certificate or its key cannot be used.
    Tls(String),
    /// A webhook's endpoint cannot be used.
    Webhook(String),
    /// A second signal cut the stop short.
    Cut,
}

impl ServerError {
    /// What the process exits with, in the words of sysexits: 69 when the machine or an address
    /// refuses, 70 when a shard was lost, 78 when a webhook or a certificate makes no sense.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Preflight(_) | Self::Bind(..) | Self::Admin(..) | Self::Thread(_) => {
                Refusal::EXIT_CODE
            }
            Self::Tls(_) | Self::Webhook(_) => ConfigError::EXIT_CODE,
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
                 another port with --port, SOKETI_PORT or --tls-port"
            ),
            Self::Bind(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Admin(address, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "cannot answer for metrics on {address}: another program listens there; choose \
                 another port with --admin-port or SOKETI_METRICS_SERVER_PORT, or --admin off"
            ),
            Self::Admin(address, error) => {
                write!(f, "cannot answer for metrics on {address}: {error}")
            }
            Self::Tls(reason) => write!(f, "TLS cannot be spoken: {reason}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
            Self::Shard(reason) | Self::Webhook(reason) => f.write_str(reason),
            Self::Cut => f.write_str("stopped at once by a second signal"),
        }
    }
}

impl std::error::Error for ServerError {}

/// What a running server's handles know beside what shards and control thread tell.
pub(super) struct About {
    pub(super) placement: Placement,
    pub(super) warnings: Vec<Warning>,
    pub(super) admin: Option<SocketAddr>,
    pub(super) tls_address: Option<SocketAddr>,
    pub(super) certificates: Option<Arc<Certificates>>,
}

impl About {
    /// Without an admin port, and without TLS.
    pub(super) fn new(placement: Placement, warnings: Vec<Warning>) -> Self {
        Self {
            placement,
            warnings,
            admin: None,
            tls_address: None,
            certificates: None,
        }
    }
}

impl ServerHandle {
    fn started(&self) -> &About {
        let about = self.about().downcast_ref();
        about.expect("what starts a server keeps this with it")
    }

    /// Which core each shard runs on.
    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.started().placement
    }

    /// Where metrics and health are answered, with the port it really got; `None` when nowhere.
    #[must_use]
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.started().admin
    }

    /// Where TLS is spoken: where [`local_addr`](Self::local_addr) is, or at a port of its own.
    /// `None` when the server has no certificate.
    #[must_use]
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.started().tls_address
    }

    /// The certificates that clients are shown. `None` when TLS is not spoken.
    #[must_use]
    pub fn certificates(&self) -> Option<&Arc<Certificates>> {
        self.started().certificates.as_ref()
    }

    /// What the operator should know about the machine.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.started().warnings
    }

    /// Stops this thread until the server has ended. Each clone of the handle may wait, and each
    /// hears how it ended.
    ///
    /// # Errors
    /// [`ServerError`] unless it was asked to stop and every shard ended.
    ///
    /// # Panics
    /// When the control thread panicked, and on a thread that would wait for itself: one of the
    /// server, or that of a test in memory whose shards have not been stopped.
    pub fn wait(self) -> Result<(), ServerError> {
        self.assert_may_wait();
        outcome(self.ending().wait())
    }

    /// Waits until the server has ended, without stopping the thread: for tasks of any runtime.
    ///
    /// # Errors
    /// As [`ServerHandle::wait`].
    ///
    /// # Panics
    /// When the control thread panicked.
    pub async fn ended(self) -> Result<(), ServerError> {
        outcome(self.ending().until().await)
    }
}

fn outcome(ended: io::Result<Outcome>) -> Result<(), ServerError> {
    match ended {
        Ok(Outcome::Stopped) => Ok(()),
        Ok(Outcome::Cut) => Err(ServerError::Cut),
        Ok(Outcome::Lost { shard, reason }) => Err(ServerError::Shard(format!(
            "shard {shard} is lost: {reason}"
        ))),
        Err(error) => Err(ServerError::Thread(error)),
    }
}
