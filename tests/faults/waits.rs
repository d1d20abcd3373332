//! How long events took to the bystanders, before the trouble and in it, and what is in time.

use crate::bystanders::Heard;
use std::fmt;
use std::time::Duration;

/// Whatever the quiet time says: bystanders that are served as fast as this are served well.
const WELL_SERVED: Duration = Duration::from_millis(500);
/// No event may take longer than this.
const SERVED: Duration = Duration::from_secs(2);
/// What is well for half of all events.
const MOSTLY_WELL_SERVED: Duration = Duration::from_millis(100);

/// Of one of the two.
struct Part {
    p50: Duration,
    p99: Duration,
    longest: Duration,
    events: usize,
}

impl Part {
    fn new(heard: impl Iterator<Item = Heard>) -> Self {
        let mut took: Vec<Duration> = heard.map(|heard| heard.took).collect();
        took.sort_unstable();
        Self {
            p50: took[took.len() / 2],
            p99: took[took.len() * 99 / 100],
            longest: took[took.len() - 1],
            events: took.len(),
        }
    }
}

/// Of both. Shown as a line, whose words scripts/repeat-faults.sh knows.
pub struct Waits {
    quiet: Part,
    trouble: Part,
}

impl Waits {
    /// Of all that they heard; the trouble began `at` that time of theirs.
    pub fn new(heard: &[Heard], at: Duration) -> Self {
        let all = || heard.iter().copied();
        Self {
            quiet: Part::new(all().filter(|heard| heard.at < at)),
            trouble: Part::new(all().filter(|heard| heard.at >= at)),
        }
    }

    /// Whether the trouble kept nobody waiting for long, but while the machine was paused.
    #[track_caller]
    pub fn expect_in_time(&self, paused: Duration) {
        let half = paused + MOSTLY_WELL_SERVED.max(2 * self.quiet.p50);
        let most = paused + WELL_SERVED.max(2 * self.quiet.p99);
        let all = paused + SERVED;
        let Part {
            p50, p99, longest, ..
        } = self.trouble;
        assert!(p50 < half, "{p50:?}, at most {half:?}");
        assert!(p99 < most, "{p99:?}, at most {most:?}");
        assert!(longest < all, "{longest:?}, at most {all:?}");
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let Self { quiet, trouble } = self;
        write!(
            f,
            "bystanders quiet p50 {:.1} p99 {:.1} ms, in trouble p50 {:.1} p99 {:.1} ms, {:.1} \
             times, at most {:.1} ms, {} events",
            ms(quiet.p50),
            ms(quiet.p99),
            ms(trouble.p50),
            ms(trouble.p99),
            ms(trouble.p99) / ms(quiet.p99),
            ms(trouble.longest),
            trouble.events,
        )
    }
}
