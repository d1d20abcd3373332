//! The server's settings for its watchdog: entries of the table in `server_knobs`, and nothing
//! else.

use super::knob::{Accepts, Knob, Unit};
use super::settings::Config;

const OPERATION: &str = "Operation";

/// When a shard that does not turn is named.
pub(super) const WARN_MS: Knob<Config> = Knob {
    key: "watchdog_warn_ms",
    flag: Some("watchdog-warn-ms"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 0,
        most: 3_600_000,
        unit: Unit::Milliseconds,
    },
    group: OPERATION,
    help: "Time a handler may block its shard until the log names it; 0: never",
    elsewhere: &[],
    put: |c, v| c.watchdog_warn_ms = v.whole(),
    show: |c| c.watchdog_warn_ms.to_string(),
};

/// When the server ends for it.
pub(super) const END_MS: Knob<Config> = Knob {
    key: "watchdog_end_ms",
    flag: Some("watchdog-end-ms"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 0,
        most: 3_600_000,
        unit: Unit::Milliseconds,
    },
    group: OPERATION,
    help: "Time a handler may block its shard until the server ends, with 70; 0: for ever",
    elsewhere: &["watchdog_timeout_ms", "watchdog_ms"],
    put: |c, v| c.watchdog_end_ms = v.whole(),
    show: |c| c.watchdog_end_ms.to_string(),
};
