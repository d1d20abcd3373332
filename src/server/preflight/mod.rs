//! Whether this machine lets the shards run, asked before the first executor exists.
//!
//! glommio panics when io_uring is refused, so nothing of it may be touched before [`run`] has said
//! yes. `host` gathers facts and raises limits, `diagnose` judges them without asking anything,
//! `paragraph` words a refusal. Invariant: a refusal is one paragraph with the cause and the fix,
//! and ends the process with [`Refusal::EXIT_CODE`]; it is never a panic.

mod diagnose;
mod host;
mod paragraph;

use diagnose::{RING_DEPTH_MAX, fitting_depth};

pub use diagnose::{EXECUTOR_IO_MEMORY, Need, Warning, diagnose, files_for};
pub use host::{Host, Limit, Operations, RingProbe, operations};
pub use paragraph::{Cause, Refusal};

/// What was found out about a machine that can run the shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Entries to give each ring: what was asked for, or as many as are of use and fit.
    pub ring_depth: usize,
    /// What will work, but less well than it could.
    pub warnings: Vec<Warning>,
}

/// Raises the limits as far as allowed, then judges the machine. Without a `ring_depth` the rings
/// are as deep as is of use and as the limit on locked memory allows.
///
/// # Errors
/// The reason the shards cannot run here, with its fix.
pub fn run(shards: usize, ring_depth: Option<usize>) -> Result<Verdict, Refusal> {
    examine(shards, ring_depth).1
}

/// Same, with what there is to know about the machine, whatever the judgement.
pub fn examine(shards: usize, ring_depth: Option<usize>) -> (Host, Result<Verdict, Refusal>) {
    let most = Need {
        shards,
        ring_depth: ring_depth.unwrap_or(RING_DEPTH_MAX),
    };
    let host = Host::prepare(&most);
    let need = Need {
        ring_depth: ring_depth.unwrap_or_else(|| fitting_depth(&host, shards)),
        ..most
    };
    let verdict = diagnose(&host, &need).map(|warnings| Verdict {
        ring_depth: need.ring_depth,
        warnings,
    });
    (host, verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The suite runs where the server runs, so the machine has to pass.
    #[test]
    fn this_machine_can_run_one_shard() {
        let host = Host::prepare(&Need {
            shards: 1,
            ring_depth: 8,
        });
        assert_eq!(host.ring, RingProbe::Works, "{host:?}");
        assert!(
            diagnose(
                &host,
                &Need {
                    shards: 1,
                    ring_depth: 8
                }
            )
            .is_ok(),
            "{host:?}"
        );
        assert_eq!(
            host.nofile.soft, host.nofile.hard,
            "open files are raised to the hard limit"
        );
    }
}
