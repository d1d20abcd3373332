//! The server's settings for the time of its requests: entries of the table in `server_knobs`, and
//! nothing else.

use super::knob::{Accepts, Knob, Unit};
use super::settings::Config;

const LIMITS: &str = "Limits and deadlines";

/// The time of a request's body.
pub(super) const BODY_TIMEOUT_MS: Knob<Config> = Knob {
    key: "body_timeout_ms",
    flag: Some("body-timeout-ms"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 100,
        most: 600_000,
        unit: Unit::Milliseconds,
    },
    group: LIMITS,
    help: "Time for a whole request body, then 408; for a message, or a body taken as it \
           arrives, and beyond it 500 B/s at least",
    elsewhere: &[],
    put: |c, v| c.body_timeout_ms = v.whole(),
    show: |c| c.body_timeout_ms.to_string(),
};

/// The time of its head.
pub(super) const HEAD_TIMEOUT_MS: Knob<Config> = Knob {
    key: "head_timeout_ms",
    flag: Some("head-timeout-ms"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 100,
        most: 600_000,
        unit: Unit::Milliseconds,
    },
    group: LIMITS,
    help: "Time within which a whole request head must have arrived, then 408",
    elsewhere: &[],
    put: |c, v| c.head_timeout_ms = v.whole(),
    show: |c| c.head_timeout_ms.to_string(),
};

/// How long a connection may wait for its next request.
pub(super) const KEEP_ALIVE_MS: Knob<Config> = Knob {
    key: "keep_alive_ms",
    flag: Some("keep-alive-ms"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 1000,
        most: 3_600_000,
        unit: Unit::Milliseconds,
    },
    group: LIMITS,
    help: "Time an HTTP connection may stay idle between requests",
    elsewhere: &["idle_timeout_ms"],
    put: |c, v| c.keep_alive_ms = v.whole(),
    show: |c| c.keep_alive_ms.to_string(),
};
