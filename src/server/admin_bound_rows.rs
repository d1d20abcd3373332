//! The rows of the table of limits that are about the admin port, and nothing else.

use super::bounds::{Row, fixed};
use crate::limits as l;
use crate::metrics::names as n;

/// The limits of the admin port.
pub(super) static ROWS: &[Row] = &[
    fixed(
        "ADMIN_CONNECTIONS_MAX",
        l::ADMIN_CONNECTIONS_MAX as u64,
        "connections of the admin port",
        "the rest wait in its backlog",
        &n::OPEN_FDS,
    ),
    fixed(
        "ADMIN_TIMEOUT_MS",
        l::ADMIN_TIMEOUT_MS,
        "milliseconds of one of them",
        "it ends",
        &n::OPEN_FDS,
    ),
    fixed(
        "MEASURE_TIMEOUT_MS",
        l::MEASURE_TIMEOUT_MS,
        "milliseconds for a shard to answer \
             /metrics",
        "it is left out",
        &n::SHARD_UP,
    ),
    fixed(
        "LOG_LINES_PER_SECOND",
        l::LOG_LINES_PER_SECOND as u64,
        "lines that one place of the code logs in a second on one thread",
        "the next line says how many were left out",
        &n::CPU,
    ),
    fixed(
        "DEBUG_DATA_BYTES",
        l::DEBUG_DATA_BYTES as u64,
        "bytes that `debug` logs of what a frame carries",
        "the end is cut off",
        &n::CPU,
    ),
    fixed(
        "LOG_QUEUE_BYTES",
        l::LOG_QUEUE_BYTES as u64,
        "bytes of lines that wait to be written to the log",
        "lines are dropped; the log says how many and where",
        &n::LOG_DROPPED,
    ),
    fixed(
        "LOG_QUEUE_LINES",
        l::LOG_QUEUE_LINES as u64,
        "lines of them",
        "lines are dropped; the log says how many and where",
        &n::LOG_DROPPED,
    ),
    fixed(
        "LOG_END_MS",
        l::LOG_END_MS,
        "milliseconds that the end of the program waits for them to be written",
        "what was not written is lost",
        &n::LOG_DROPPED,
    ),
    fixed(
        "ADMIN_BODY_MAX",
        l::ADMIN_BODY_MAX,
        "bytes of a body sent to it",
        "413",
        &n::OPEN_FDS,
    ),
    fixed(
        "DASHBOARD_PAGES_MAX",
        l::DASHBOARD_PAGES_MAX as u64,
        "pages of the dashboard that are kept up to date",
        "503 with Retry-After",
        &n::OPEN_FDS,
    ),
    fixed(
        "LOGIN_FAILURES_PER_MINUTE",
        l::LOGIN_FAILURES_PER_MINUTE as u64,
        "wrong tokens of an address at the dashboard",
        "429 with Retry-After",
        &n::OPEN_FDS,
    ),
    fixed(
        "LOGIN_S",
        l::LOGIN_S,
        "seconds of a login",
        "the page asks for the token again",
        &n::OPEN_FDS,
    ),
    fixed(
        "HISTORY_SECONDS",
        l::HISTORY_SECONDS as u64,
        "seconds kept for the dashboard",
        "the oldest is forgotten",
        &n::RESIDENT,
    ),
    fixed(
        "HISTORY_APPS_MAX",
        l::HISTORY_APPS_MAX as u64,
        "apps of which they are kept",
        "the curves of others begin when they are shown",
        &n::CONNECTED,
    ),
    fixed(
        "CHANNELS_LOOKED_AT",
        l::CHANNELS_LOOKED_AT as u64,
        "channels looked at for one list of the dashboard",
        "it says that there may be more",
        &n::CHANNELS,
    ),
    fixed(
        "CHANNELS_SHOWN",
        l::CHANNELS_SHOWN as u64,
        "channels in that list",
        "those with most subscribers are shown",
        &n::CHANNELS,
    ),
    fixed(
        "SUBSCRIBERS_SHOWN",
        l::SUBSCRIBERS_SHOWN as u64,
        "subscribers and members that it names of a channel",
        "it says that there are more",
        &n::CHANNELS,
    ),
    fixed(
        "TAP_ROWS_PER_SECOND",
        l::TAP_ROWS_PER_SECOND as u64,
        "events of one kind, app and shard that the dashboard is told in a second",
        "the rest is counted as skipped",
        &n::WS_RECEIVED,
    ),
    fixed(
        "TAP_ROWS_MAX",
        l::TAP_ROWS_MAX as u64,
        "such events that wait to be fetched",
        "the rest is counted as skipped",
        &n::WS_RECEIVED,
    ),
    fixed(
        "TAP_TEXT_BYTES",
        l::TAP_TEXT_BYTES as u64,
        "bytes shown of a name or of data",
        "the end is cut off",
        &n::WS_RECEIVED,
    ),
    fixed(
        "TAP_LEASE_MS",
        l::TAP_LEASE_MS,
        "milliseconds without a question",
        "a shard notes nothing down any more",
        &n::WS_RECEIVED,
    ),
];
