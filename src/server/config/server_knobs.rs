//! The table of the server's settings: one entry each, and nothing else.
//!
//! A uniform table, so it may be long. Not the settings of an app (`app_knobs`). Invariant: every
//! range fits the field that `put` writes to; the test at the end walks the table and proves it.

use super::knob::{Accepts, Knob, Unit, Value};
use super::limit_knobs as limit;
use super::webhook_knobs as webhook;
use super::{admin_knobs as admin, compression_knobs as compression, drain_knobs as drain};
use super::{listening_knobs as listening, request_knobs as request};
use super::{settings::Config, variable::Variable};
use super::{tls_knobs as tls, tuning_knobs as tuning, watchdog_knobs as watchdog};
use crate::limits::{HEAD_BYTES_MAX, SHARDS_MAX};
use listening::LISTENING;

const SHARDS: &str = "Shards";
const LIMITS: &str = "Limits and deadlines";
const OPERATION: &str = "Operation";

/// The limit that soketi's documents tell, and its file has.
const REQUEST_SIZE: Variable = Variable::megabytes("SOKETI_HTTP_MAX_REQUEST_SIZE");

/// Every setting of the server, in the order of the help.
pub(super) static SERVER: &[Knob<Config>] = &[
    Knob {
        key: "host",
        flag: Some("host"),
        variables: &[
            Variable::same("SOKETI_HOST"),
            Variable::same("REVERB_SERVER_HOST"),
        ],
        bare: None,
        accepts: Accepts::Address,
        group: LISTENING,
        help: "The address to listen on; 0.0.0.0 is every IPv4 address of the machine",
        elsewhere: &["address", "bind", "listen", "hostname"],
        put: |c, v| c.host = v.address(),
        show: |c| format!("\"{}\"", c.host),
    },
    Knob {
        key: "port",
        flag: Some("port"),
        variables: &[
            Variable::same("SOKETI_PORT"),
            Variable::same("REVERB_SERVER_PORT"),
            Variable::weak("LARAVEL_WEBSOCKETS_PORT"),
        ],
        bare: None,
        accepts: Accepts::Whole {
            least: 0,
            most: 65_535,
            unit: Unit::Things,
        },
        group: LISTENING,
        help: "The TCP port to listen on; 0 takes any free one",
        elsewhere: &[],
        put: |c, v| c.port = v.whole(),
        show: |c| c.port.to_string(),
    },
    Knob {
        key: "path_prefix",
        flag: Some("path-prefix"),
        variables: &[
            Variable::same("SOKETI_PATH_PREFIX"),
            Variable::same("REVERB_SERVER_PATH"),
        ],
        bare: None,
        accepts: Accepts::Prefix,
        group: LISTENING,
        help: "What stands in front of /app/KEY and /apps/ID in every path, such as /realtime",
        elsewhere: &["path", "prefix"],
        put: |c, v| c.path_prefix = v.name(),
        show: |c| format!("\"{}\"", c.path_prefix),
    },
    listening::BACKLOG,
    listening::ACCEPT_PER_SECOND,
    tuning::NOTSENT_LOWAT_BYTES,
    tuning::SEND_BUFFER_BYTES,
    tuning::RECEIVE_BUFFER_BYTES,
    tls::CERT,
    tls::KEY,
    tls::CERTIFICATES,
    tls::PORT,
    tls::HANDSHAKE_TIMEOUT_MS,
    Knob {
        key: "shards",
        flag: Some("shards"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 1,
            most: SHARDS_MAX as u64,
            unit: Unit::Things,
        },
        group: SHARDS,
        help: "How many shards to start; unless set, one for each core in use",
        elsewhere: &["workers", "threads"],
        put: |c, v| c.shards = Some(v.whole()),
        show: |c| c.shards.map_or(String::new(), |n| n.to_string()),
    },
    Knob {
        key: "cores",
        flag: Some("cores"),
        variables: &[],
        bare: None,
        accepts: Accepts::Cores,
        group: SHARDS,
        help: "The cores to use, such as 0,2-3; unless set, every core this process may run on",
        elsewhere: &["cpus", "cpu_list"],
        put: |c, v| c.cores = cores(v),
        show: |c| core_array(&c.cores),
    },
    Knob {
        key: "spin_us",
        flag: Some("spin"),
        variables: &[],
        bare: Some("50"),
        accepts: Accepts::Whole {
            least: 0,
            most: 1_000_000,
            unit: Unit::Microseconds,
        },
        group: SHARDS,
        help: "How long a shard polls before it sleeps: less latency for more CPU; 0 sleeps at \
               once, the bare flag means 50",
        elsewhere: &["busy_poll"],
        put: |c, v| c.spin_us = v.whole(),
        show: |c| c.spin_us.to_string(),
    },
    Knob {
        key: "ring_depth",
        flag: Some("ring-depth"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 8,
            most: 16_384,
            unit: Unit::Things,
        },
        group: SHARDS,
        help: "Entries in each io_uring of a shard; unless set, 4096 or what locked memory allows",
        elsewhere: &[],
        put: |c, v| c.ring_depth = Some(v.whole()),
        show: |c| c.ring_depth.map_or(String::new(), |n| n.to_string()),
    },
    Knob {
        key: "send_ring",
        flag: Some("send-ring"),
        variables: &[],
        bare: Some("true"),
        accepts: Accepts::Truth,
        group: SHARDS,
        help: "Write to many sockets in one system call, where the kernel (6.1 or later) can",
        elsewhere: &[],
        put: |c, v| c.send_ring = v.truth(),
        show: |c| c.send_ring.to_string(),
    },
    tuning::FLUSH_DELAY_US,
    Knob {
        key: "mesh_slots",
        flag: Some("mesh-slots"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 16,
            most: 1_048_576,
            unit: Unit::Things,
        },
        group: SHARDS,
        help: "Messages that may wait on the way from one shard to another",
        elsewhere: &[],
        put: |c, v| c.mesh_slots = v.whole(),
        show: |c| c.mesh_slots.to_string(),
    },
    request::HEAD_TIMEOUT_MS,
    request::BODY_TIMEOUT_MS,
    request::KEEP_ALIVE_MS,
    Knob {
        key: "head_bytes",
        flag: Some("head-bytes"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 1024,
            most: HEAD_BYTES_MAX as u64,
            unit: Unit::Bytes,
        },
        group: LIMITS,
        help: "Size of a request head, then 431",
        elsewhere: &[],
        put: |c, v| c.head_bytes = v.whole(),
        show: |c| c.head_bytes.to_string(),
    },
    Knob {
        key: "body_bytes",
        flag: Some("body-bytes"),
        variables: &[
            Variable::same("REVERB_MAX_REQUEST_SIZE"),
            REQUEST_SIZE,
            REQUEST_SIZE.bare("HTTP_MAX_REQUEST_SIZE"),
        ],
        bare: None,
        accepts: Accepts::Whole {
            least: 1024,
            most: 134_217_728,
            unit: Unit::Bytes,
        },
        group: LIMITS,
        help: "Size of a request body, then 413",
        elsewhere: &["max_request_size"],
        put: |c, v| c.body_bytes = v.whole(),
        show: |c| c.body_bytes.to_string(),
    },
    Knob {
        key: "message_bytes",
        flag: Some("message-bytes"),
        variables: &[Variable::same("REVERB_APP_MAX_MESSAGE_SIZE")],
        bare: None,
        accepts: Accepts::Whole {
            least: 1024,
            most: 16_777_216,
            unit: Unit::Bytes,
        },
        group: LIMITS,
        help: "Size of a WebSocket message from a client, then it is closed with 1009",
        elsewhere: &["max_message_size"],
        put: |c, v| c.message_bytes = v.whole(),
        show: |c| c.message_bytes.to_string(),
    },
    Knob {
        key: "channels_per_connection",
        flag: Some("channels-per-connection"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 1,
            most: 100_000,
            unit: Unit::Things,
        },
        group: LIMITS,
        help: "Channels one connection may be subscribed to",
        elsewhere: &["max_channels"],
        put: |c, v| c.channels_per_connection = v.whole(),
        show: |c| c.channels_per_connection.to_string(),
    },
    Knob {
        key: "cache_bytes",
        flag: Some("cache-bytes"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 65536,
            most: 1_099_511_627_776,
            unit: Unit::Bytes,
        },
        group: LIMITS,
        help: "Size of the cached events of all cache channels, then the oldest go",
        elsewhere: &["cache_size"],
        put: |c, v| c.cache_bytes = v.whole(),
        show: |c| c.cache_bytes.to_string(),
    },
    Knob {
        key: "flap_ms",
        flag: Some("flap-ms"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 0,
            most: 600_000,
            unit: Unit::Milliseconds,
        },
        group: LIMITS,
        help: "Time to come back before webhooks and watchlists are told that one is gone",
        elsewhere: &[],
        put: |c, v| c.flap_ms = v.whole(),
        show: |c| c.flap_ms.to_string(),
    },
    Knob {
        key: "sign_in_ms",
        flag: Some("sign-in-ms"),
        variables: &[Variable::same("SOKETI_USER_AUTHENTICATION_TIMEOUT")],
        bare: None,
        accepts: Accepts::Whole {
            least: 100,
            most: 3_600_000,
            unit: Unit::Milliseconds,
        },
        group: LIMITS,
        help: "Time to sign in, for apps with user_authentication",
        elsewhere: &["user_authentication_timeout"],
        put: |c, v| c.sign_in_ms = v.whole(),
        show: |c| c.sign_in_ms.to_string(),
    },
    Knob {
        key: "count_interval_ms",
        flag: Some("count-interval-ms"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 100,
            most: 600_000,
            unit: Unit::Milliseconds,
        },
        group: LIMITS,
        help: "Time between two counts that the subscribers of a large channel are told, at least",
        elsewhere: &[],
        put: |c, v| c.count_interval_ms = v.whole(),
        show: |c| c.count_interval_ms.to_string(),
    },
    Knob {
        key: "rest_clock_s",
        flag: Some("rest-clock-s"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 0,
            most: 31_536_000,
            unit: Unit::Seconds,
        },
        group: LIMITS,
        help: "How far a signed request's time stamp may be from the clock; 0: any",
        elsewhere: &["clock_tolerance"],
        put: |c, v| c.rest_clock_s = v.whole(),
        show: |c| c.rest_clock_s.to_string(),
    },
    Knob {
        key: "rest_replay_guard",
        flag: Some("rest-replay-guard"),
        variables: &[],
        bare: Some("true"),
        accepts: Accepts::Truth,
        group: LIMITS,
        help: "Serve each signed request only once; two equal ones in one second are one",
        elsewhere: &["replay_guard"],
        put: |c, v| c.rest_replay_guard = v.truth(),
        show: |c| c.rest_replay_guard.to_string(),
    },
    Knob {
        key: "outbox_bytes",
        flag: Some("outbox-bytes"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 16_384,
            most: 1_073_741_824,
            unit: Unit::Bytes,
        },
        group: LIMITS,
        help: "Bytes that may wait for a slow client, then it is closed: 4100, 1013 by a custom \
               handler",
        elsewhere: &["max_backpressure"],
        put: |c, v| c.outbox_bytes = v.whole(),
        show: |c| c.outbox_bytes.to_string(),
    },
    Knob {
        key: "write_stall_ms",
        flag: Some("write-stall-ms"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 100,
            most: 600_000,
            unit: Unit::Milliseconds,
        },
        group: LIMITS,
        help: "Time a client may take nothing while bytes wait for it, then it is closed",
        elsewhere: &[],
        put: |c, v| c.write_stall_ms = v.whole(),
        show: |c| c.write_stall_ms.to_string(),
    },
    Knob {
        key: "activity_grace_ms",
        flag: Some("activity-grace-ms"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 100,
            most: 3_600_000,
            unit: Unit::Milliseconds,
        },
        group: LIMITS,
        help: "Time past its app's activity timeout after which a silent client is pinged",
        elsewhere: &[],
        put: |c, v| c.activity_grace_ms = v.whole(),
        show: |c| c.activity_grace_ms.to_string(),
    },
    Knob {
        key: "pong_wait_ms",
        flag: Some("pong-wait-ms"),
        variables: &[],
        bare: None,
        accepts: Accepts::Whole {
            least: 100,
            most: 3_600_000,
            unit: Unit::Milliseconds,
        },
        group: LIMITS,
        help: "Time a pinged client has to send anything, then it is closed (of Pusher: 4201)",
        elsewhere: &["pong_timeout_ms"],
        put: |c, v| c.pong_wait_ms = v.whole(),
        show: |c| c.pong_wait_ms.to_string(),
    },
    compression::COMPRESSION,
    compression::LEVEL,
    compression::BYTES,
    webhook::BATCHING,
    webhook::BATCH_MS,
    webhook::RETRY_MS,
    webhook::GIVE_UP_MS,
    webhook::TIMEOUT_MS,
    webhook::QUEUE_BYTES,
    webhook::CA_FILE,
    drain::SPREAD_MS,
    drain::STOP_WAIT_MS,
    drain::DEADLINE_MS,
    drain::CLOSE,
    watchdog::WARN_MS,
    watchdog::END_MS,
    admin::ADMIN_PORT,
    admin::HOST,
    admin::PORT,
    admin::LOG_FORMAT,
    admin::TOKEN,
    admin::PREFIX,
    admin::MEMORY_BYTES,
    admin::SOFT_PERCENT,
    limit::HARD_PERCENT,
    limit::MAX_CONNECTIONS,
    limit::PER_ADDRESS,
    limit::TRUSTED,
    limit::PROXY_PROTOCOL,
    limit::CONTROL_FRAMES,
    limit::AUTH_FAILURES,
    Knob {
        key: "debug",
        flag: Some("debug"),
        variables: &[Variable::same("SOKETI_DEBUG")],
        bare: Some("true"),
        accepts: Accepts::Truth,
        group: OPERATION,
        help: "Log every connection and message",
        elsewhere: &["verbose"],
        put: |c, v| c.debug = v.truth(),
        show: |c| c.debug.to_string(),
    },
];

fn cores(value: Value) -> Vec<usize> {
    match value {
        Value::Cores(cores) => cores,
        _ => unreachable!("the table gives this setting a list of cores"),
    }
}

fn core_array(cores: &[usize]) -> String {
    if cores.is_empty() {
        String::new()
    } else {
        format!("{cores:?}")
    }
}

pub(super) fn or_off(limit: Option<u32>) -> String {
    limit.map_or_else(|| "-1".to_owned(), |n| n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_and_show(knob: &Knob<Config>, text: &str) -> Result<String, String> {
        let mut config = Config::default();
        (knob.put)(&mut config, knob.accepts.read_text(text)?);
        Ok((knob.show)(&config))
    }

    // Every limit at its edge and one past it, through the field it ends up in.
    #[test]
    fn every_number_is_accepted_at_both_ends_and_refused_past_them() {
        let mut numbers = 0;
        for knob in SERVER {
            let (Accepts::Whole { least, most, .. } | Accepts::WholeOrOff { least, most, .. }) =
                knob.accepts
            else {
                continue;
            };
            numbers += 1;
            for edge in [least, most] {
                let text = edge.to_string();
                assert_eq!(put_and_show(knob, &text), Ok(text), "{}", knob.key);
            }
            // One below a least of 1 would be -0; of 0, -1: neither is the "off" of a limit.
            let below = i128::from(least) - 1;
            for past in [below, i128::from(most) + 1] {
                let reason = put_and_show(knob, &past.to_string()).unwrap_err();
                assert!(
                    reason.contains(&format!("from {least} to {most}")),
                    "{reason}"
                );
            }
            if matches!(knob.accepts, Accepts::WholeOrOff { .. }) {
                assert_eq!(
                    put_and_show(knob, "-1"),
                    Ok("-1".to_owned()),
                    "{}",
                    knob.key
                );
            }
        }
        assert_eq!(numbers, 49);
    }

    #[test]
    fn the_rest_reaches_its_field() {
        let texts = [
            ("host", "::1", "\"::1\""),
            ("cores", "1,3", "[1, 3]"),
            ("debug", "1", "true"),
            ("admin", "on", "\"on\""),
            ("admin_host", "::1", "\"::1\""),
            ("admin_token", "canary", "\"(hidden)\""),
            ("metrics_prefix", "x_", "\"x_\""),
            (
                "trusted_proxies",
                "10.0.0.0/8, ::1",
                "[\"10.0.0.0/8\", \"::1/128\"]",
            ),
            ("proxy_protocol", "1", "true"),
            ("path_prefix", "ws/", "\"/ws\""),
            ("rest_replay_guard", "1", "true"),
            ("websocket_compression", "1", "true"),
            ("webhook_batching", "1", "true"),
            (
                "tls_certificates",
                "a.crt:a.key",
                r#"[{ cert = "a.crt", key = "a.key" }]"#,
            ),
            ("tls_cert", "/etc/tls/a.pem", "\"/etc/tls/a.pem\""),
            ("tls_key", "/etc/tls/a.key", "\"/etc/tls/a.key\""),
            (
                "webhook_ca_file",
                "/etc/ca \"own\".pem",
                r#""/etc/ca \"own\".pem""#,
            ),
        ];
        for (key, text, shown) in texts {
            let knob = SERVER.iter().find(|k| k.key == key).unwrap();
            assert_eq!(put_and_show(knob, text), Ok(shown.to_owned()), "{key}");
        }
    }

    #[test]
    fn defaults_lie_within_what_is_accepted() {
        for knob in SERVER {
            let shown = (knob.show)(&Config::default());
            if !shown.is_empty() {
                let text = shown.trim_matches('"');
                assert_eq!(put_and_show(knob, text), Ok(shown.clone()), "{}", knob.key);
            }
        }
    }

    #[test]
    fn names_are_unique_and_follow_the_rule() {
        for (i, knob) in SERVER.iter().enumerate() {
            let dashed = knob.key.replace('_', "-");
            // Flags are seen by every user of the machine, so a secret has none.
            let expected = (!knob.accepts.is_secret()).then_some(&*dashed);
            assert!(
                knob.flag == expected || knob.key == "spin_us",
                "{:?} for {}",
                knob.flag,
                knob.key
            );
            assert!(
                !knob.help.ends_with('.') && !knob.help.is_empty(),
                "{}",
                knob.key
            );
            for other in &SERVER[i + 1..] {
                assert_ne!(knob.key, other.key);
                assert!(knob.flag.is_none() || knob.flag != other.flag);
            }
            if let Some(bare) = knob.bare {
                assert!(put_and_show(knob, bare).is_ok(), "{}", knob.key);
            }
        }
    }
}
