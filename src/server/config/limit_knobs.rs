//! The server's settings for who may come in, and how many: entries of the table in
//! `server_knobs`, and nothing else.

use super::knob::{Accepts, Knob, Unit, Value};
use super::settings::Config;

const LIMITS: &str = "Limits and deadlines";
const LISTENING: &str = "Listening";

/// Connections of the process.
pub(super) const MAX_CONNECTIONS: Knob<Config> = Knob {
    key: "max_connections",
    flag: Some("max-connections"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 1,
        most: 1 << 30,
        unit: Unit::Things,
    },
    group: LIMITS,
    help: "Connections at the same time, then 503; unless set, or if that is less, what open files \
           allow",
    elsewhere: &["connections", "connection_limit"],
    put: |c, v| c.max_connections = Some(v.whole()),
    show: |c| c.max_connections.map_or(String::new(), |n| n.to_string()),
};

/// Connections of one address.
pub(super) const PER_ADDRESS: Knob<Config> = Knob {
    key: "connections_per_address",
    flag: Some("connections-per-address"),
    variables: &[],
    bare: None,
    accepts: Accepts::WholeOrOff {
        least: 1,
        most: 1 << 30,
        unit: Unit::Things,
    },
    group: LIMITS,
    help: "Connections at the same time from one IPv4 address or IPv6 /64, then 429",
    elsewhere: &["connections_per_ip", "max_connections_per_ip"],
    put: |c, v| c.connections_per_address = v.whole_or_off(),
    show: |c| or_off(c.connections_per_address),
};

/// Who may say for whom it asks.
pub(super) const TRUSTED: Knob<Config> = Knob {
    key: "trusted_proxies",
    flag: Some("trusted-proxies"),
    variables: &[],
    bare: None,
    accepts: Accepts::Networks,
    group: LISTENING,
    help: "Proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8,::1",
    elsewhere: &["trust_proxy", "trust_proxies", "proxies"],
    put: |c, v| {
        if let Value::Networks(networks) = v {
            c.trusted_proxies = networks;
        }
    },
    show: |c| {
        let networks = c.trusted_proxies.iter();
        let networks: Vec<_> = networks.map(|it| format!("\"{it}\"")).collect();
        match networks.is_empty() {
            true => String::new(),
            false => format!("[{}]", networks.join(", ")),
        }
    },
};

/// Whether they say so in front of everything.
pub(super) const PROXY_PROTOCOL: Knob<Config> = Knob {
    key: "proxy_protocol",
    flag: Some("proxy-protocol"),
    variables: &[],
    bare: Some("true"),
    accepts: Accepts::Truth,
    group: LISTENING,
    help: "Connections of trusted_proxies begin with the PROXY protocol, version 1 or 2",
    elsewhere: &["accept_proxy", "proxy"],
    put: |c, v| c.proxy_protocol = v.truth(),
    show: |c| c.proxy_protocol.to_string(),
};

/// Pings.
pub(super) const CONTROL_FRAMES: Knob<Config> = Knob {
    key: "pings_per_second",
    flag: Some("pings-per-second"),
    variables: &[],
    bare: None,
    accepts: Accepts::WholeOrOff {
        least: 1,
        most: 1_000_000,
        unit: Unit::Things,
    },
    group: LIMITS,
    help: "WebSocket pings of one client in a second, then it is closed (Pusher: 4100)",
    elsewhere: &["control_frames_per_second"],
    put: |c, v| c.pings_per_second = v.whole_or_off(),
    show: |c| or_off(c.pings_per_second),
};

/// Wrong signatures.
pub(super) const AUTH_FAILURES: Knob<Config> = Knob {
    key: "auth_failures_per_minute",
    flag: Some("auth-failures-per-minute"),
    variables: &[],
    bare: None,
    accepts: Accepts::WholeOrOff {
        least: 1,
        most: 1_000_000,
        unit: Unit::Things,
    },
    group: LIMITS,
    help: "Wrong signatures in a minute: of a client, then 4009; of a backend's address on one \
           shard, then 429",
    elsewhere: &["auth_failures"],
    put: |c, v| c.auth_failures_per_minute = v.whole_or_off(),
    show: |c| or_off(c.auth_failures_per_minute),
};

/// From when on those that hold most memory are closed.
pub(super) const HARD_PERCENT: Knob<Config> = Knob {
    key: "memory_hard_percent",
    flag: Some("memory-hard-percent"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 1,
        most: 100,
        unit: Unit::Things,
    },
    group: LIMITS,
    help: "Percent of the memory in use from which clients with most waiting for them are closed",
    elsewhere: &[],
    put: |c, v| c.memory_hard_percent = v.whole(),
    show: |c| c.memory_hard_percent.to_string(),
};

fn or_off(limit: Option<u32>) -> String {
    limit.map_or_else(|| "-1".to_owned(), |n| n.to_string())
}
