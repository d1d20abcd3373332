//! Webhooks (section 9), from the shards' notices to the receivers' answers.
//!
//! Nothing here runs on a shard. Time comes in as milliseconds wherever something is decided;
//! only `desk`, `endpoint` and `send` wait.
//!
//! ```text
//!   notices ──▶ flap (K5) ──▶ filters ──▶ batch (K6) ──▶ queue (K3, K4, K9) ──▶ send (K1, K11)
//!    desk           held         one for each endpoint: endpoint                  target
//! ```
//!
//! Invariants: every queue has a bound, and what does not fit is counted; a body is made once and
//! sent byte for byte the same until it is taken or given up; one body is of one app (K6).

mod batch;
mod counts;
mod desk;
mod endpoint;
mod flap;
mod queue;
mod send;
mod target;
mod tls;

pub use counts::{Counts, Totals};
pub use desk::{Changer, Desk, Plan, Routes};
pub use endpoint::own_header;
pub use target::Target;

use std::path::PathBuf;

/// How webhooks are sent. Times are in milliseconds.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a channel, a member or a user that is gone may come back before anybody is told
    /// (K5).
    pub flap_ms: u64,
    /// How long events are gathered into one body; `None` sends each in a body of its own (K6).
    pub batch_ms: Option<u64>,
    /// The wait before a body is sent again; it doubles with each further try (K4).
    pub retry_ms: u64,
    /// The age at which a body is given up (K4).
    pub give_up_ms: u64,
    /// How long one try may take (K4).
    pub timeout_ms: u64,
    /// Bytes that may wait for one endpoint.
    pub queue_bytes: usize,
    /// Certificate authorities to trust beside those of the machine, as PEM.
    pub ca_file: Option<PathBuf>,
}
