//! The server's settings for its end: entries of the table in `server_knobs`, and nothing else.

use super::knob::{Accepts, Knob, Unit};
use super::settings::{Config, DrainClose};
use super::variable::Variable;

const OPERATION: &str = "Operation";
const CLOSES: &[&str] = &["4100", "4200"];

/// The time over which the closes of a stop are spread.
pub(super) const SPREAD_MS: Knob<Config> = Knob {
    key: "drain_spread_ms",
    flag: Some("drain-spread-ms"),
    variables: &[Variable::same("SOKETI_SHUTDOWN_GRACE_PERIOD")],
    bare: None,
    accepts: Accepts::Whole {
        least: 0,
        most: 600_000,
        unit: Unit::Milliseconds,
    },
    group: OPERATION,
    help: "Time over which a stop spreads its closes [default: 1 for each client, at most 3000]",
    elsewhere: &["shutdown_grace_period", "drain_spread"],
    put: |c, v| c.drain_spread_ms = Some(v.whole()),
    show: |c| {
        c.drain_spread_ms
            .map_or_else(String::new, |ms| ms.to_string())
    },
};

/// How long handlers may take to say goodbye.
pub(super) const STOP_WAIT_MS: Knob<Config> = Knob {
    key: "stop_wait_ms",
    flag: Some("stop-wait-ms"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 0,
        most: 600_000,
        unit: Unit::Milliseconds,
    },
    group: OPERATION,
    help: "Time that custom handlers get at a stop before their clients are closed",
    elsewhere: &[],
    put: |c, v| c.stop_wait_ms = v.whole(),
    show: |c| c.stop_wait_ms.to_string(),
};

/// When a stop is over whoever is left.
pub(super) const DEADLINE_MS: Knob<Config> = Knob {
    key: "stop_deadline_ms",
    flag: Some("stop-deadline-ms"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 0,
        most: 3_600_000,
        unit: Unit::Milliseconds,
    },
    group: OPERATION,
    help: "Time after which a stop cuts off whoever is left \
           [default: stop_wait_ms + drain_spread_ms + 15000]",
    elsewhere: &["shutdown_timeout", "terminate_timeout"],
    put: |c, v| c.stop_deadline_ms = Some(v.whole()),
    show: |c| {
        c.stop_deadline_ms
            .map_or_else(String::new, |ms| ms.to_string())
    },
};

/// What clients are told at a stop.
pub(super) const CLOSE: Knob<Config> = Knob {
    key: "drain_close",
    flag: Some("drain-close"),
    variables: &[],
    bare: None,
    accepts: Accepts::Word(CLOSES),
    group: OPERATION,
    help: "Close code of a stop: 4100, clients come back in a second; 4200, at once to a successor",
    elsewhere: &[],
    put: |c, v| c.drain_close = [DrainClose::Later, DrainClose::AtOnce][v.word()],
    show: |c| CLOSES[c.drain_close as usize].to_owned(),
};
