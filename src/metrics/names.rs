//! The table of all metrics: one entry each, and nothing else. A name that was published stays.
//!
//! The first group has the names that soketi's users have in their dashboards. All stand behind the
//! prefix of the configuration.

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only up, from zero at the server's start.
    Counter,
    /// Up and down: counted when it is asked for.
    Gauge,
    /// Counted in classes: `_bucket` with the upper bound as the label `le`, `_sum` and `_count`.
    Histogram,
    /// A counter whose name does not end as those of counters should: soketi has called it so, and
    /// it is said to be of no kind, or the checker of Prometheus would refuse it.
    Untyped,
}

/// One metric.
#[derive(Debug)]
pub struct Name {
    /// Its name, without the prefix.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, one sentence.
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Name {
    Name {
        name,
        kind: Kind::Counter,
        labels,
        help,
    }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Name {
    Name {
        kind: Kind::Gauge,
        ..counter(name, labels, help)
    }
}

const fn untyped(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Name {
    Name {
        kind: Kind::Untyped,
        ..counter(name, labels, help)
    }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Name {
    Name {
        kind: Kind::Histogram,
        ..counter(name, labels, help)
    }
}

const APP: &[&str] = &["app_id", "port"];
const SHARD: &[&str] = &["shard"];

macro_rules! names {
    ($($(#[$doc:meta])* $id:ident = $make:ident($name:literal, $labels:expr, $help:literal);)*) => {
        $(
            #[doc = $help]
            pub static $id: Name = $make($name, $labels, $help);
        )*

        /// All of them, in the order in which they are shown.
        pub static ALL: &[&Name] = &[$(&$id),*];
    };
}

names! {
    CONNECTED = gauge("connected", APP, "Open Pusher connections.");
    NEW_CONNECTIONS =
        counter("new_connections_total", APP, "Pusher connections that were opened.");
    NEW_DISCONNECTIONS =
        counter("new_disconnections_total", APP, "Pusher connections that have ended.");
    SOCKET_RECEIVED =
        untyped("socket_received_bytes", APP, "Bytes of the messages of Pusher clients.");
    SOCKET_TRANSMITTED =
        untyped("socket_transmitted_bytes", APP, "Bytes of the frames for Pusher clients.");
    WS_RECEIVED = counter("ws_messages_received_total", APP, "Messages of Pusher clients.");
    WS_SENT = counter("ws_messages_sent_total", APP, "Messages for Pusher clients.");
    HTTP_RECEIVED =
        untyped("http_received_bytes", APP, "Bytes of the bodies of signed requests.");
    HTTP_TRANSMITTED =
        untyped("http_transmitted_bytes", APP, "Bytes of the bodies of answers to them.");
    HTTP_CALLS =
        counter("http_calls_received_total", APP, "Requests that an app's backend signed.");

    CHANNELS = gauge("channels", APP, "Channels that somebody is subscribed to.");

    BUILD_INFO = gauge(
        "build_info",
        &["version", "revision"],
        "Always 1: what runs is in the labels, the revision if it is known."
    );
    DRAINING = gauge("draining", &[], "1 once the server was told to stop.");
    SHARD_UP = gauge("shard_up", SHARD, "Whether the shard has answered within a second.");
    SHARD_ANSWER = gauge(
        "shard_answer_seconds",
        SHARD,
        "How long the shard took to answer this request; 1 if it did not."
    );
    SHARD_LATE = counter(
        "shard_late_seconds_total",
        SHARD,
        "Time by which the shard came too late to its own timer: how busy or blocked it was."
    );
    SHARD_BUSY = counter(
        "shard_busy_seconds_total",
        SHARD,
        "Time in which the shard's thread worked, the kernel's part included; not while it waited, \
         or looked whether there was something to do."
    );
    SHARD_BUSY_RATIO = gauge(
        "shard_busy_ratio",
        SHARD,
        "The same as a part of the last second: 0 to 1."
    );
    SHARD_LAG = histogram(
        "shard_lag_seconds",
        SHARD,
        "By how much the shard came too late to its own timer, four times a second."
    );
    HOP = histogram(
        "mesh_hop_seconds",
        SHARD,
        "Time until the shard took a message of another shard: of one message a second."
    );
    PUBLISH_TO_WRITE = histogram(
        "publish_to_write_seconds",
        SHARD,
        "Time from a publish, on whatever shard, until it was written to this shard's subscribers: \
         of the first publish of each turn."
    );
    MESH_WAITING = gauge(
        "mesh_waiting",
        SHARD,
        "Messages for other shards that these have not taken yet."
    );
    CONNECTIONS = gauge("connections", SHARD, "Connections, whatever they speak.");
    CLIENTS = gauge("clients", &["shard", "route"], "Open WebSockets of each mounted handler.");
    OUTBOX_BYTES = gauge("outbox_bytes", SHARD, "Bytes that wait to be written to connections.");
    RUNNING = gauge(
        "shard_tasks",
        SHARD,
        "Tasks that have not ended: of connections, of handlers and of the shard itself."
    );
    TASKS = gauge("tasks", SHARD, "Tasks of handlers that have not ended.");
    TABLE_ROWS = gauge(
        "table_rows",
        &["shard", "table"],
        "Rows of shared tables that are at home on the shard."
    );
    ACCEPTED = counter(
        "connections_accepted_total",
        SHARD,
        "Connections that were accepted and are served."
    );
    ENDED =
        counter("connections_ended_total", SHARD, "Of those, the ones that have ended.");
    ACCEPT_FAILED = counter(
        "accept_errors_total",
        SHARD,
        "Accepts that failed, such as for want of descriptors."
    );
    TLS_HANDSHAKES =
        counter("tls_handshakes_total", SHARD, "TLS handshakes that came to their end.");
    TLS_FAILURES = counter(
        "tls_handshake_errors_total",
        SHARD,
        "TLS handshakes that did not: refused, given up, or too late."
    );
    CERTIFICATE_EXPIRY = gauge(
        "tls_certificate_expiry_timestamp_seconds",
        &["file"],
        "When a certificate that clients are shown runs out, in seconds since 1970."
    );
    REFUSED = counter(
        "connections_refused_total",
        &["shard", "reason"],
        "Connections turned away: full (503), memory (503), address (429), proxy (no PROXY header)."
    );
    MAX_CONNECTIONS = gauge("max_connections", &[], "Most connections there may be.");
    FLOODS = counter(
        "floods_total",
        &["shard", "of"],
        "Clients closed for too many pings (ping), and clients or requests for too many wrong \
         signatures (auth)."
    );
    MEMORY_CLOSES = counter(
        "memory_closes_total",
        SHARD,
        "Clients closed because memory was past the hard mark and much was waiting for them."
    );
    ANSWERS = counter(
        "http_answers_total",
        &["shard", "status"],
        "Answers to HTTP requests, handshakes among them, by status."
    );
    REFUSALS = counter(
        "refusals_total",
        SHARD,
        "Messages of Pusher clients that were refused: subscriptions, sign-ins, client events, and \
         what makes no sense."
    );
    CACHE_BYTES = gauge(
        "cache_bytes",
        SHARD,
        "Bytes of the events of cache channels that are at home on the shard."
    );
    RECEIVED_BYTES = counter("received_bytes_total", SHARD, "Bytes read from connections.");
    SENT_BYTES = counter("sent_bytes_total", SHARD, "Bytes the kernel took for connections.");
    CLOSES = counter(
        "ws_closes_total",
        &["shard", "code", "by"],
        "WebSockets that have ended, by close code (1006: none, other: of no standard) and by who \
         closed."
    );
    SLOW_CONSUMERS = counter(
        "ws_slow_consumers_total",
        SHARD,
        "Clients closed because their outbox was full."
    );
    WRITE_STALLS = counter(
        "write_stalls_total",
        SHARD,
        "Connections ended because the peer took no byte for write_stall_ms."
    );
    TIMEOUTS = counter(
        "timeouts_total",
        &["shard", "of"],
        "Deadlines that passed: of a request, of a message, of the answer to a ping, of the end \
         after a close."
    );

    WEBHOOK_EVENTS = counter(
        "webhook_events_total",
        &["outcome"],
        "Webhook events by what became of them: delivered, given_up, or dropped and where."
    );
    WEBHOOK_WAITING = gauge(
        "webhook_waiting_events",
        &[],
        "Webhook events that wait to be delivered, those under way included."
    );
    WEBHOOK_FAILURES = counter(
        "webhook_failures_total",
        &[],
        "Requests to webhook endpoints that failed; most are sent again."
    );

    LOG_DROPPED = counter(
        "log_lines_dropped_total",
        &[],
        "Lines that are missing in the log, because it was not read or written fast enough."
    );

    WRONG_TOKENS = counter(
        "admin_wrong_tokens_total",
        &[],
        "Wrong tokens that the admin port was shown, at the dashboard's login or in a request."
    );

    MEMORY_USED = gauge(
        "memory_used_bytes",
        &[],
        "Memory in use as the watermarks see it: of the control group with the limit, or resident."
    );
    MEMORY_LIMIT = gauge(
        "memory_limit_bytes",
        &[],
        "Memory there is: of the control group, or of the machine."
    );
    RESIDENT = gauge("process_resident_memory_bytes", &[], "Resident memory.");
    CPU = counter("process_cpu_seconds_total", &[], "Processor time, of all threads.");
    CPU_USER = counter(
        "process_cpu_user_seconds_total",
        &[],
        "Of that, the part outside of the kernel."
    );
    CPU_SYSTEM = counter(
        "process_cpu_system_seconds_total",
        &[],
        "Of that, the part inside of the kernel."
    );
    VIRTUAL = gauge("process_virtual_memory_bytes", &[], "Virtual memory.");
    HEAP = gauge(
        "process_heap_bytes",
        &[],
        "Data segment of the process, as Node counts its heap."
    );
    OPEN_FDS = gauge("process_open_fds", &[], "Open file descriptors.");
    MAX_FDS = gauge("process_max_fds", &[], "Most file descriptors there may be.");
    LISTEN_OVERFLOWS = counter(
        "machine_listen_overflows_total",
        &[],
        "Connections that found the backlog of their listener full: of all programs of this \
         machine, or of this container."
    );
    LISTEN_DROPS = counter(
        "machine_listen_drops_total",
        &[],
        "Connections that a listener dropped for that or another reason: of all programs, too."
    );
    START_TIME = gauge(
        "process_start_time_seconds",
        &[],
        "When the server started, in seconds since 1970."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_good_and_used_once() {
        for (at, name) in ALL.iter().enumerate() {
            let good = |text: &str| {
                let mut bytes = text.bytes();
                bytes.all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
            };
            assert!(good(name.name), "{}", name.name);
            assert!(name.labels.iter().all(|label| good(label)), "{}", name.name);
            assert!(name.help.ends_with('.'), "{}", name.name);
            assert!(ALL[..at].iter().all(|other| other.name != name.name));
            if name.name.ends_with("_total") {
                assert_eq!(name.kind, Kind::Counter, "{}", name.name);
            }
        }
    }
}
