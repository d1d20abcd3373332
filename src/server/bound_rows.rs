//! The rows of the table of limits, and nothing else.

use super::bounds::{Row, fixed, set};
use crate::http::MAX_HEADERS;
use crate::http::proxied::PROXY_HEADER_MAX;
use crate::limits as l;
use crate::metrics::names as n;

/// All limits, in the order of a connection's life.
pub(super) static ROWS: &[Row] = &[
    // Who may come in.
    set(
        "backlog",
        "connections of a shard",
        "the kernel drops the handshake, and the client \
             tries again after a second",
        &n::ACCEPTED,
    ),
    set(
        "accept_per_second",
        "connections of a shard",
        "the rest wait in the backlog",
        &n::ACCEPTED,
    ),
    set(
        "max_connections",
        "connections",
        "503 with Retry-After; unless set, what the limit on \
             open files allows",
        &n::REFUSED,
    ),
    set(
        "connections_per_address",
        "connections of an IPv4 address or IPv6 /64",
        "429 with Retry-After",
        &n::REFUSED,
    ),
    set(
        "memory_soft_percent",
        "percent of the memory",
        "503 with Retry-After for new \
             connections, and on /accept-traffic",
        &n::REFUSED,
    ),
    set(
        "memory_hard_percent",
        "percent of the memory",
        "those with most waiting for them are \
             closed: 4100, of handlers 1013",
        &n::MEMORY_CLOSES,
    ),
    fixed(
        "FAT_BYTES",
        l::FAT_BYTES as u64,
        "bytes waiting",
        "who has less is not closed for memory",
        &n::MEMORY_CLOSES,
    ),
    fixed(
        "TURNED_AWAY_MAX",
        l::TURNED_AWAY_MAX as u64,
        "connections of a shard that are told no at \
             a time",
        "the one that was told first has to go",
        &n::REFUSED,
    ),
    fixed(
        "TURN_AWAY_BYTES",
        l::TURN_AWAY_BYTES as u64,
        "bytes read of one of them",
        "the connection ends",
        &n::REFUSED,
    ),
    fixed(
        "HELD_BYTES_MIN",
        l::HELD_BYTES_MIN as u64,
        "bytes of an unfinished message or body",
        "they count against its time and the memory",
        &n::TIMEOUTS,
    ),
    fixed(
        "TURN_AWAY_MS",
        l::TURN_AWAY_MS,
        "milliseconds to hear it",
        "the connection ends",
        &n::REFUSED,
    ),
    fixed(
        "ASKING_MAX",
        l::ASKING_MAX as u64,
        "connections of a shard whose address is looked up",
        "503",
        &n::REFUSED,
    ),
    fixed(
        "PROXY_HEADER_MAX",
        PROXY_HEADER_MAX as u64,
        "bytes of a PROXY header",
        "400",
        &n::REFUSED,
    ),
    set(
        "tls_handshake_timeout_ms",
        "milliseconds to agree on keys",
        "the connection ends",
        &n::TLS_FAILURES,
    ),
    fixed(
        "TLS_AHEAD_MAX",
        l::TLS_AHEAD_MAX as u64,
        "bytes encrypted ahead of a socket",
        "the rest waits in the outbox",
        &n::OUTBOX_BYTES,
    ),
    // Requests.
    set("head_bytes", "bytes", "431", &n::ANSWERS),
    fixed(
        "MAX_HEADERS",
        MAX_HEADERS as u64,
        "fields of a head",
        "431",
        &n::ANSWERS,
    ),
    set(
        "head_timeout_ms",
        "milliseconds for a whole head, or a PROXY header",
        "408",
        &n::TIMEOUTS,
    ),
    set("body_bytes", "bytes", "413", &n::ANSWERS),
    set(
        "body_timeout_ms",
        "milliseconds for a whole body, or a message",
        "408, of a message 4100, of handlers 1008",
        &n::TIMEOUTS,
    ),
    fixed(
        "STREAMED_BODY_RATE_MIN",
        l::STREAMED_BODY_RATE_MIN,
        "bytes a second of a body \
             that is taken as it arrives",
        "408",
        &n::TIMEOUTS,
    ),
    fixed(
        "UNREAD_BODY_MAX",
        l::UNREAD_BODY_MAX,
        "bytes of a body that nobody wants",
        "the connection is closed after the answer",
        &n::ENDED,
    ),
    set(
        "keep_alive_ms",
        "milliseconds between requests",
        "the connection ends",
        &n::ENDED,
    ),
    // Every WebSocket.
    set(
        "message_bytes",
        "bytes of a message of Pusher clients, inflated",
        "1009",
        &n::CLOSES,
    ),
    fixed(
        "FRAGMENTS_MAX",
        l::FRAGMENTS_MAX as u64,
        "fragments of a message",
        "1009",
        &n::CLOSES,
    ),
    fixed(
        "CONTROL_PAYLOAD_MAX",
        l::CONTROL_PAYLOAD_MAX as u64,
        "bytes of a control frame",
        "1002",
        &n::CLOSES,
    ),
    set(
        "pings_per_second",
        "pings of a client",
        "4100, of handlers 1008",
        &n::FLOODS,
    ),
    set(
        "outbox_bytes",
        "bytes waiting for a client",
        "4100, of handlers 1013, or its sender is \
             told",
        &n::SLOW_CONSUMERS,
    ),
    set(
        "write_stall_ms",
        "milliseconds in which a client with bytes waiting takes none",
        "the connection ends",
        &n::WRITE_STALLS,
    ),
    set(
        "activity_grace_ms",
        "milliseconds of silence past activity_timeout",
        "it is pinged",
        &n::TIMEOUTS,
    ),
    set(
        "pong_wait_ms",
        "milliseconds of silence after that",
        "4201; of handlers the connection \
             ends",
        &n::TIMEOUTS,
    ),
    fixed(
        "JSON_DEPTH_WIRE",
        l::JSON_DEPTH_WIRE as u64,
        "levels of JSON in a Pusher message",
        "an error frame",
        &n::REFUSALS,
    ),
    fixed(
        "ERROR_ANSWERS_PER_SECOND",
        l::ERROR_ANSWERS_PER_SECOND as u64,
        "messages of a client \
             that make no sense",
        "1008",
        &n::CLOSES,
    ),
    fixed(
        "REFUSALS_PER_SECOND",
        l::REFUSALS_PER_SECOND as u64,
        "refused wishes of a client",
        "1008",
        &n::CLOSES,
    ),
    set(
        "auth_failures_per_minute",
        "wrong signatures of a client, or of an address on a shard",
        "4009, or 429",
        &n::FLOODS,
    ),
    // The Pusher application.
    set(
        "apps.max_connections",
        "connections of the app",
        "4004 or 4100, by quota_close",
        &n::CLOSES,
    ),
    set(
        "sign_in_ms",
        "milliseconds until a connection is authorised, where its app wants that",
        "4009",
        &n::CLOSES,
    ),
    set(
        "channels_per_connection",
        "channels",
        "the subscription is refused",
        &n::REFUSALS,
    ),
    set(
        "apps.channel_name_chars",
        "characters",
        "the subscription is refused, or 400",
        &n::REFUSALS,
    ),
    set(
        "apps.presence_members",
        "users of a channel",
        "the subscription is refused",
        &n::REFUSALS,
    ),
    set(
        "apps.presence_member_bytes",
        "bytes of user_info",
        "the subscription is refused",
        &n::REFUSALS,
    ),
    fixed(
        "USER_ID_MAX",
        l::USER_ID_MAX as u64,
        "characters of a user's id",
        "the subscription or \
             sign-in is refused",
        &n::REFUSALS,
    ),
    fixed(
        "WATCHLIST_MAX",
        l::WATCHLIST_MAX as u64,
        "users of a watchlist",
        "4302, and the rest is ignored",
        &n::REFUSALS,
    ),
    set(
        "apps.client_events_per_second",
        "client events of a connection",
        "4301",
        &n::REFUSALS,
    ),
    set(
        "apps.event_name_chars",
        "characters",
        "4301, or 400",
        &n::REFUSALS,
    ),
    set(
        "apps.event_data_bytes",
        "bytes",
        "4301, or 413",
        &n::REFUSALS,
    ),
    set(
        "cache_bytes",
        "bytes of cached events",
        "the oldest go",
        &n::CACHE_BYTES,
    ),
    set(
        "apps.cache_ttl_s",
        "seconds",
        "the cached event goes",
        &n::CACHE_BYTES,
    ),
    // Its backends.
    set(
        "rest_clock_s",
        "seconds between a request's time stamp and the clock",
        "401",
        &n::ANSWERS,
    ),
    fixed(
        "FAILED_SIGNATURES_PER_SECOND",
        l::FAILED_SIGNATURES_PER_SECOND as u64,
        "wrong signatures of an app on a shard",
        "429",
        &n::ANSWERS,
    ),
    fixed(
        "SIGNATURES_KEPT",
        l::SIGNATURES_KEPT as u64,
        "signatures that a shard remembers",
        "503 with Retry-After",
        &n::ANSWERS,
    ),
    set(
        "apps.backend_events_per_second",
        "events of the app",
        "429",
        &n::ANSWERS,
    ),
    set(
        "apps.read_requests_per_second",
        "reading requests of the app",
        "429",
        &n::ANSWERS,
    ),
    set(
        "apps.channels_per_event",
        "channels of an event",
        "400",
        &n::ANSWERS,
    ),
    set("apps.batch_events", "events of a batch", "400", &n::ANSWERS),
    fixed(
        "JSON_DEPTH_REST",
        l::JSON_DEPTH_REST as u64,
        "levels of JSON in a body",
        "400",
        &n::ANSWERS,
    ),
    // Inside the server.
    fixed(
        "SHARDS_MAX",
        l::SHARDS_MAX as u64,
        "shards",
        "the configuration is refused",
        &n::SHARD_UP,
    ),
    set(
        "mesh_slots",
        "messages from one shard to another",
        "they wait at the sender; publishers \
             get 503 or 4301 before that grows",
        &n::MESH_WAITING,
    ),
    set(
        "watchdog_warn_ms",
        "milliseconds in which a shard does not turn",
        "the log names what \
             it runs",
        &n::SHARD_LATE,
    ),
    set(
        "watchdog_end_ms",
        "milliseconds in which a shard does not turn",
        "the process ends \
             with 70",
        &n::SHARD_UP,
    ),
    set(
        "stop_wait_ms",
        "milliseconds for on_stop of handlers",
        "it is not waited for any more",
        &n::DRAINING,
    ),
    fixed(
        "CALLS_MAX",
        l::CALLS_MAX as u64,
        "calls of server handles that wait for a shard",
        "the caller is told",
        &n::SHARD_UP,
    ),
    fixed(
        "CALL_BYTES_MAX",
        l::CALL_BYTES_MAX as u64,
        "bytes of these",
        "the caller is told",
        &n::SHARD_UP,
    ),
    fixed(
        "SHARD_WORK_MAX",
        l::SHARD_WORK_MAX as u64,
        "futures and closures that a shard has left \
             to tokio",
        "the handler is told",
        &n::TASKS,
    ),
    fixed(
        "BLOCKING_THREADS_MAX",
        l::BLOCKING_THREADS_MAX as u64,
        "threads for closures that block",
        "the rest wait",
        &n::TASKS,
    ),
    fixed(
        "TABLES_MAX",
        l::TABLES_MAX as u64,
        "shared tables",
        "the server does not start",
        &n::TABLE_ROWS,
    ),
    fixed(
        "TABLE_ROWS",
        l::TABLE_ROWS as u64,
        "rows of a shared table, unless it is given another \
             limit",
        "the handler is told",
        &n::TABLE_ROWS,
    ),
    fixed(
        "NOTICE_BATCH_BYTES",
        l::NOTICE_BATCH_BYTES as u64,
        "bytes of events that wait on a shard \
             for the webhooks' thread",
        "new ones are dropped",
        &n::WEBHOOK_EVENTS,
    ),
    fixed(
        "NOTICE_BATCHES",
        l::NOTICE_BATCHES as u64,
        "batches of these on their way",
        "they wait on the shard",
        &n::WEBHOOK_EVENTS,
    ),
    set(
        "webhook_queue_bytes",
        "bytes waiting for an endpoint",
        "the oldest are dropped",
        &n::WEBHOOK_EVENTS,
    ),
    set(
        "webhook_give_up_ms",
        "milliseconds",
        "the event is given up",
        &n::WEBHOOK_EVENTS,
    ),
    set(
        "webhook_timeout_ms",
        "milliseconds for one try",
        "it counts as failed",
        &n::WEBHOOK_FAILURES,
    ),
];
