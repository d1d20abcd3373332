//! The server's settings for accepting: entries of the table in `server_knobs`, and nothing else.

use super::knob::{Accepts, Knob, Unit};
use super::server_knobs::or_off;
use super::settings::Config;

/// The heading of all that says where and how the server listens.
pub(super) const LISTENING: &str = "Listening";

/// Length of each listener's queue.
pub(super) const BACKLOG: Knob<Config> = Knob {
    key: "backlog",
    flag: Some("backlog"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 1,
        most: 65_535,
        unit: Unit::Things,
    },
    group: LISTENING,
    help: "Connections that may wait to be accepted, for each shard; the \
           kernel caps it at net.core.somaxconn",
    elsewhere: &[],
    put: |c, v| c.backlog = v.whole(),
    show: |c| c.backlog.to_string(),
};

/// Connections that a shard takes in a second.
pub(super) const ACCEPT_PER_SECOND: Knob<Config> = Knob {
    key: "accept_per_second",
    flag: Some("accept-per-second"),
    variables: &[],
    bare: None,
    accepts: Accepts::WholeOrOff {
        least: 1,
        most: 1_000_000,
        unit: Unit::Things,
    },
    group: LISTENING,
    help: "Connections one shard accepts a second; the rest wait in the backlog",
    elsewhere: &["accept_rate"],
    put: |c, v| c.accept_per_second = v.whole_or_off(),
    show: |c| or_off(c.accept_per_second),
};
