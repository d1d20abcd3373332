//! Looks at the memory in use, and tells the shards when it is too much.

use super::heap::give_back;
use super::machine::Memory;
use crate::crossing::admission::{Admission, Level};
use crate::limits::MEMORY_LOOK_MS;
use std::sync::Arc;
use std::time::Duration;

/// Looks after which memory is given back again while there is little: it locks the heaps.
const LOOKS_BETWEEN: u64 = 1000 / MEMORY_LOOK_MS;

/// The marks, and whom to tell.
#[derive(Debug)]
pub struct Watermarks {
    /// How much memory there is.
    pub memory: Memory,
    /// The percentage in use from which nobody new comes in.
    pub soft_percent: u64,
    /// The percentage from which those that hold most of it are closed.
    pub hard_percent: u64,
    /// What the shards look at.
    pub admission: Arc<Admission>,
}

impl Watermarks {
    /// What so much memory in use means.
    fn level(&self, used: u64) -> Level {
        match self.memory.percent(used) {
            percent if percent >= self.hard_percent => Level::Hard,
            percent if percent >= self.soft_percent => Level::Soft,
            _ => Level::Free,
        }
    }

    /// How much is in use. What only seems to be is given back before it counts against anybody:
    /// when it would, and then once a second.
    fn in_use(&self, last: Level, look: u64) -> u64 {
        let used = self.memory.used();
        let level = self.level(used);
        if level == Level::Free || level <= last && !look.is_multiple_of(LOOKS_BETWEEN) {
            return used;
        }
        give_back();
        self.memory.used()
    }

    /// Looks some times a second, as long as the control thread runs.
    pub(super) async fn watch(self) {
        let mut last = Level::Free;
        for look in 0.. {
            let used = self.in_use(last, look);
            let level = self.level(used);
            self.admission.set_memory(level);
            if level != last {
                let (percent, limit) = (self.memory.percent(used), self.memory.limit());
                tell(level, used, limit, percent);
                last = level;
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "the control thread has a reactor"
            )]
            tokio::time::sleep(Duration::from_millis(MEMORY_LOOK_MS)).await;
        }
    }
}

fn tell(level: Level, used: u64, limit: u64, percent: u64) {
    match level {
        Level::Free => tracing::info!(used, limit, percent, "enough memory again"),
        Level::Soft => {
            tracing::warn!(used, limit, percent, "little memory: nobody new comes in");
        }
        Level::Hard => tracing::error!(
            used,
            limit,
            percent,
            "hardly any memory: closing the clients for which most is waiting"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_hold_from_their_percentage_on() {
        let marks = Watermarks {
            memory: Memory::of(1000),
            soft_percent: 85,
            hard_percent: 95,
            admission: Arc::new(Admission::new(1, 1)),
        };
        let levels = [
            (0, Level::Free),
            (849, Level::Free),
            (850, Level::Soft),
            (949, Level::Soft),
            (950, Level::Hard),
            (u64::MAX, Level::Hard),
        ];
        for (used, level) in levels {
            assert_eq!(marks.level(used), level, "{used}");
        }
    }
}
