//! Whether this machine lets the shards run, asked before the first executor exists.
//!
//! glommio panics when io_uring is refused, so nothing of it may be touched before [`run`] has said
//! yes. `host` gathers facts and raises limits, `diagnose` judges them without asking anything,
//! `paragraph` words a refusal. Invariant: a refusal is one paragraph with the cause and the fix,
//! and ends the process with [`Refusal::EXIT_CODE`]; it is never a panic.

mod diagnose;
mod host;
mod paragraph;

pub use diagnose::{EXECUTOR_IO_MEMORY, Need, Warning, diagnose};
pub use host::{Host, Limit, RingProbe};
pub use paragraph::{Cause, Refusal};

/// Raises the limits as far as allowed, then judges the machine.
///
/// # Errors
/// The reason the shards cannot run here, with its fix.
pub fn run(need: &Need) -> Result<Vec<Warning>, Refusal> {
    diagnose(&Host::prepare(need), need)
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
