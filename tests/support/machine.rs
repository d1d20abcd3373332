//! Notices that the machine stands still, as virtual ones do for seconds: what was late then says
//! nothing of the server.
//!
//! Who looks sleeps all the while and, where it may, comes before all others when it wakes: a
//! server that keeps every core busy does not make it late.

use std::fs;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often somebody looks.
const LOOK: Duration = Duration::from_millis(50);
/// A look that is so much later than it was to be was kept from it by the machine.
const LATE: Duration = Duration::from_millis(1_000);

/// Same, where the least of it matters; many times what a thread waits for a busy core.
const PAUSED: Duration = Duration::from_millis(200);

static STOOD_MS: AtomicU64 = AtomicU64::new(0);
static PAUSED_MS: AtomicU64 = AtomicU64::new(0);
static WATCHED: Once = Once::new();

/// Milliseconds for which the machine has stood still since this was asked for the first time.
pub fn stood_ms() -> u64 {
    WATCHED.call_once(watch);
    STOOD_MS.load(Ordering::Relaxed)
}

/// Same, pauses of a fifth of a second included.
pub fn paused_ms() -> u64 {
    WATCHED.call_once(watch);
    PAUSED_MS.load(Ordering::Relaxed)
}

fn watch() {
    let look = || {
        // For this thread alone; without the right to it, it takes its turn like the others.
        let _ = rustix::process::setpriority_process(None, -20);
        loop {
            let begun = Instant::now();
            thread::park_timeout(LOOK);
            let late = begun.elapsed().saturating_sub(LOOK);
            for (least, sum) in [(LATE, &STOOD_MS), (PAUSED, &PAUSED_MS)] {
                if late >= least {
                    sum.fetch_add(late.as_millis() as u64, Ordering::Relaxed);
                }
            }
        }
    };
    thread::spawn(look);
}

/// Whether it has stood still since `stood_ms` was asked. Whoever looks for that may have to wake
/// up first.
pub fn has_stood_since(before_ms: u64) -> bool {
    thread::park_timeout(2 * LOOK);
    stood_ms() > before_ms
}

/// What became of the cores' time since the machine was started, in hundredths of a second.
#[derive(Clone, Copy)]
pub struct CoreTime {
    all: u64,
    /// What the host gave to other machines while this one wanted to run.
    stolen: u64,
}

impl CoreTime {
    /// Up to now, over all cores (proc_stat(5)).
    pub fn now() -> Self {
        let text = fs::read_to_string("/proc/stat").expect("everybody may read it");
        let cores = text.lines().next().unwrap_or_default();
        let fields = cores.split_whitespace().skip(1).take(8); // the guests' are in the first two
        let times: Vec<u64> = fields.flat_map(str::parse).collect();
        Self {
            all: times.iter().sum(),
            stolen: times[7],
        }
    }

    /// How much of it was stolen since then, from 0 to 1.
    pub fn stolen_since(self, before: Self) -> f64 {
        (self.stolen - before.stolen) as f64 / (self.all - before.all).max(1) as f64
    }
}
