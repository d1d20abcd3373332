//! The server's settings for its admin port: entries of the table in `server_knobs`, and nothing
//! else.

use super::knob::{Accepts, Knob, Unit, Value};
use super::settings::{AdminPort, Config, LogFormat};
use super::variable::Variable;

const ADMIN: &str = "Metrics and health";
const OPERATION: &str = "Operation";
const WORDS: &[&str] = &["on", "off", "if-free"];
const ENABLED: &[(&str, &str)] = &[("true", "on"), ("1", "on"), ("false", "off"), ("0", "off")];

/// Whether there is an admin port.
pub(super) const ADMIN_PORT: Knob<Config> = Knob {
    key: "admin",
    flag: Some("admin"),
    variables: &[Variable::words("SOKETI_METRICS_ENABLED", ENABLED)],
    bare: None,
    accepts: Accepts::Word(WORDS),
    group: ADMIN,
    help: "Answer /metrics, /usage, /live, /ready and /accept-traffic on a port of their own; \
           if-free: unless another program has the port",
    elsewhere: &["metrics", "metrics_enabled", "metrics.enabled"],
    put: |c, v| c.admin = [AdminPort::On, AdminPort::Off, AdminPort::IfFree][v.word()],
    show: |c| {
        let word = match c.admin {
            AdminPort::On => "on",
            AdminPort::Off => "off",
            AdminPort::IfFree => "if-free",
        };
        format!("\"{word}\"")
    },
};

/// How lines of the log look.
pub(super) const LOG_FORMAT: Knob<Config> = Knob {
    key: "log_format",
    flag: Some("log-format"),
    variables: &[],
    bare: None,
    accepts: Accepts::Word(&["auto", "pretty", "json"]),
    group: OPERATION,
    help: "Lines of the log for people (pretty) or as JSON (json); auto: for people on a terminal",
    elsewhere: &["log", "log_json"],
    put: |c, v| c.log_format = [LogFormat::Auto, LogFormat::Pretty, LogFormat::Json][v.word()],
    show: |c| {
        let word = match c.log_format {
            LogFormat::Auto => "auto",
            LogFormat::Pretty => "pretty",
            LogFormat::Json => "json",
        };
        format!("\"{word}\"")
    },
};

/// Its address.
pub(super) const HOST: Knob<Config> = Knob {
    key: "admin_host",
    flag: Some("admin-host"),
    variables: &[Variable::same("SOKETI_METRICS_HOST")],
    bare: None,
    accepts: Accepts::Address,
    group: ADMIN,
    help: "The address of the admin port; one that others can reach needs admin_token",
    elsewhere: &["metrics_host"],
    put: |c, v| c.admin_host = v.address(),
    show: |c| format!("\"{}\"", c.admin_host),
};

/// Its number.
pub(super) const PORT: Knob<Config> = Knob {
    key: "admin_port",
    flag: Some("admin-port"),
    variables: &[Variable::same("SOKETI_METRICS_SERVER_PORT")],
    bare: None,
    accepts: Accepts::Whole {
        least: 0,
        most: 65_535,
        unit: Unit::Things,
    },
    group: ADMIN,
    help: "The TCP port of the admin port; 0 takes any free one",
    elsewhere: &["metrics_port"],
    put: |c, v| c.admin_port = v.whole(),
    show: |c| c.admin_port.to_string(),
};

/// Who may see metrics.
pub(super) const TOKEN: Knob<Config> = Knob {
    key: "admin_token",
    flag: None,
    variables: &[],
    bare: None,
    accepts: Accepts::Secret,
    group: ADMIN,
    help: "What /metrics and /usage ask for, as Authorization: Bearer",
    elsewhere: &["metrics_token", "token"],
    put: |c, v| {
        if let Value::Secret(secret) = v {
            c.admin_token = Some(secret);
        }
    },
    show: |c| match c.admin_token {
        Some(_) => "\"(hidden)\"".to_owned(),
        None => String::new(),
    },
};

/// What metrics are called.
pub(super) const PREFIX: Knob<Config> = Knob {
    key: "metrics_prefix",
    flag: Some("metrics-prefix"),
    variables: &[Variable::same("SOKETI_METRICS_PROMETHEUS_PREFIX")],
    bare: None,
    accepts: Accepts::Name { without: "" },
    group: ADMIN,
    help: "What stands in front of the name of every metric",
    elsewhere: &["prometheus_prefix"],
    put: |c, v| c.metrics_prefix = v.name(),
    show: |c| format!("\"{}\"", c.metrics_prefix),
};

/// How much memory there is.
pub(super) const MEMORY_BYTES: Knob<Config> = Knob {
    key: "memory_bytes",
    flag: Some("memory-bytes"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 1 << 20,
        most: 1 << 50,
        unit: Unit::Bytes,
    },
    group: ADMIN,
    help: "Memory the server may use; unless set, what its control group allows or the machine has",
    elsewhere: &["memory", "memory_limit", "max_memory"],
    put: |c, v| c.memory_bytes = Some(v.whole()),
    show: |c| c.memory_bytes.map_or(String::new(), |n| n.to_string()),
};

/// From when on there is too little of it.
pub(super) const SOFT_PERCENT: Knob<Config> = Knob {
    key: "memory_soft_percent",
    flag: Some("memory-soft-percent"),
    variables: &[Variable::same(
        "SOKETI_HTTP_ACCEPT_TRAFFIC_MEMORY_THRESHOLD",
    )],
    bare: None,
    accepts: Accepts::Whole {
        least: 1,
        most: 100,
        unit: Unit::Things,
    },
    group: ADMIN,
    help: "Percent of the memory in use from which /accept-traffic answers 503",
    elsewhere: &["memory_threshold"],
    put: |c, v| c.memory_soft_percent = v.whole(),
    show: |c| c.memory_soft_percent.to_string(),
};
