//! Notices that the machine stands still, as virtual ones do for seconds: what was late then says
//! nothing of the server.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often somebody looks.
const LOOK: Duration = Duration::from_millis(50);
/// A look that is so much later than it was to be was kept from it by the machine.
const LATE: Duration = Duration::from_millis(1_000);

static STOOD_MS: AtomicU64 = AtomicU64::new(0);
static WATCHED: Once = Once::new();

/// Milliseconds for which the machine has stood still since this was asked for the first time.
pub fn stood_ms() -> u64 {
    WATCHED.call_once(|| {
        thread::spawn(|| {
            loop {
                let begun = Instant::now();
                thread::park_timeout(LOOK);
                let late = begun.elapsed().saturating_sub(LOOK);
                if late >= LATE {
                    STOOD_MS.fetch_add(late.as_millis() as u64, Ordering::Relaxed);
                }
            }
        });
    });
    STOOD_MS.load(Ordering::Relaxed)
}

/// Whether it has stood still since `stood_ms` was asked. Whoever looks for that may have to wake
/// up first.
pub fn has_stood_since(before_ms: u64) -> bool {
    thread::park_timeout(2 * LOOK);
    stood_ms() > before_ms
}
