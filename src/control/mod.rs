//! The control thread: signals, orders to shards, their reports. A current-thread tokio runtime
//! for everything that is not the data plane; kept off the shards' cores where there are spare
//! ones.

pub mod admin;
mod bridge;
mod calls;
mod certificates;
mod ending;
mod heap;
pub mod machine;
mod reload;
mod runtime;
mod systemd;
mod thread;
mod watchdog;
mod watermarks;
pub mod webhook;

pub use bridge::{Bridge, bridge};
pub use calls::{CallError, CallQueue, Calls, calls};
pub use certificates::{
    Certificate, CertificateError, CertificateFiles, Certificates, ReadCertificates, Reload,
};
pub use ending::{Ended, Ending, ending};
pub use reload::{Reloaded, Source};
pub use runtime::{Work, WorkError, Worker, runtime};
pub use systemd::Systemd;
pub use thread::{Control, Outcome};
pub use watchdog::{LEAST_MS as WATCHDOG_LEAST_MS, Patience, Watchdog};
pub use watermarks::Watermarks;
