//! The table of an app's settings: one entry each, and nothing else.
//!
//! They stand in a `[[apps]]` table of the file; the variables set those of one app, under the
//! names soketi gave them. There are no flags, for a secret on a command line is there for all to
//! see. Invariant: as in `server_knobs`.

use super::knob::{Accepts, Knob, Unit, Value};
use super::variable::Variable;
use super::webhooks;
use crate::app::{App, AppSecret, QuotaClose, SubscriptionErrors as E};

const APP: &str = "Apps";

/// Reverb's one setting that is two here: `all` is on public channels too.
const CLIENT_EVENTS_FROM: &str = "REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM";

/// soketi keeps an event of a cache channel for ever where it is told so.
const NO_END: &str = "a cached event always expires here, which -1 would never let it; expected a \
                      whole number of seconds from 1 to 2592000, which is 30 days";

/// In the order of [`QuotaClose`].
const QUOTA_CLOSES: &[&str] = &["4004", "4100"];

/// In the order of [`E`].
const SUBSCRIPTION_ERRORS: &[&str] = &["both", "subscription_error", "error"];

/// Every setting of an app.
pub(super) static APPS: &[Knob<App>] = &[
    Knob {
        key: "id",
        flag: None,
        variables: &[
            Variable::same("SOKETI_DEFAULT_APP_ID"),
            Variable::same("REVERB_APP_ID"),
            Variable::weak("PUSHER_APP_ID"),
        ],
        bare: None,
        accepts: Accepts::Name { without: "/?#%" },
        group: APP,
        help: "The name backends use in /apps/{id}",
        elsewhere: &["app_id"],
        put: |a, v| a.id = v.name(),
        show: |a| quoted(&a.id),
    },
    Knob {
        key: "key",
        flag: None,
        variables: &[
            Variable::same("SOKETI_DEFAULT_APP_KEY"),
            Variable::same("REVERB_APP_KEY"),
            Variable::weak("PUSHER_APP_KEY"),
        ],
        bare: None,
        accepts: Accepts::Name { without: "/?#%:" },
        group: APP,
        help: "The public name clients use in /app/{key}",
        elsewhere: &["app_key"],
        put: |a, v| a.key = v.name(),
        show: |a| quoted(&a.key),
    },
    Knob {
        key: "secret",
        flag: None,
        variables: &[
            Variable::same("SOKETI_DEFAULT_APP_SECRET"),
            Variable::same("REVERB_APP_SECRET"),
            Variable::weak("PUSHER_APP_SECRET"),
        ],
        bare: None,
        accepts: Accepts::Secret,
        group: APP,
        help: "What tokens and requests are signed with",
        elsewhere: &["app_secret", "password"],
        put: |a, v| a.secret = secret(v),
        show: |_| quoted("(hidden)"),
    },
    Knob {
        key: "enabled",
        flag: None,
        variables: &[Variable::same("SOKETI_DEFAULT_APP_ENABLED")],
        bare: None,
        accepts: Accepts::Truth,
        group: APP,
        help: "Whether the app accepts anybody",
        elsewhere: &["active"],
        put: |a, v| a.enabled = v.truth(),
        show: |a| a.enabled.to_string(),
    },
    Knob {
        key: "tls_only",
        flag: None,
        variables: &[],
        bare: None,
        accepts: Accepts::Truth,
        group: APP,
        help: "Whether clients have to connect over TLS",
        elsewhere: &["force_tls", "forceTLS", "require_tls", "encrypted"],
        put: |a, v| a.tls_only = v.truth(),
        show: |a| a.tls_only.to_string(),
    },
    Knob {
        key: "client_events",
        flag: None,
        variables: &[
            Variable::same("SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES"),
            Variable::words(
                CLIENT_EVENTS_FROM,
                &[("all", "true"), ("members", "true"), ("none", "false")],
            ),
        ],
        bare: None,
        accepts: Accepts::Truth,
        group: APP,
        help: "Whether clients may trigger client- events",
        elsewhere: &[
            "enable_client_messages",
            "enableClientMessages",
            "client_messages",
        ],
        put: |a, v| a.client_events = v.truth(),
        show: |a| a.client_events.to_string(),
    },
    Knob {
        key: "max_connections",
        flag: None,
        variables: &[
            Variable::same("SOKETI_DEFAULT_APP_MAX_CONNS"),
            Variable::same("REVERB_APP_MAX_CONNECTIONS"),
        ],
        bare: None,
        accepts: Accepts::WholeOrOff {
            least: 1,
            most: 1_000_000_000,
            unit: Unit::Things,
        },
        group: APP,
        help: "Connections at the same time; -1 is no limit",
        elsewhere: &["max_conns", "maxConnections", "connections"],
        put: |a, v| a.max_connections = v.whole_or_off(),
        show: |a| or_off(a.max_connections),
    },
    Knob {
        key: "activity_timeout_s",
        flag: None,
        variables: &[Variable::same("REVERB_APP_ACTIVITY_TIMEOUT")],
        bare: None,
        accepts: Accepts::Whole {
            least: 1,
            most: 86_400,
            unit: Unit::Seconds,
        },
        group: APP,
        help: "Silence after which a client should ping",
        elsewhere: &["activity_timeout"],
        put: |a, v| a.activity_timeout_s = v.whole(),
        show: |a| a.activity_timeout_s.to_string(),
    },
    Knob {
        key: "client_events_per_second",
        flag: None,
        variables: &[Variable::same(
            "SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC",
        )],
        bare: None,
        accepts: Accepts::WholeOrOff {
            least: 1,
            most: 1_000_000,
            unit: Unit::Things,
        },
        group: APP,
        help: "Client events a second from one connection; -1 is no limit",
        elsewhere: &["max_client_events_per_second", "maxClientEventsPerSecond"],
        put: |a, v| a.client_events_per_second = v.whole_or_off(),
        show: |a| or_off(a.client_events_per_second),
    },
    Knob {
        key: "event_data_bytes",
        flag: None,
        variables: &[Variable::every_kilobytes("SOKETI_EVENT_MAX_SIZE_IN_KB")],
        bare: None,
        accepts: Accepts::Whole {
            least: 64,
            most: 16_777_216,
            unit: Unit::Bytes,
        },
        group: APP,
        help: "Size of one event's data",
        elsewhere: &["max_event_payload_in_kb"],
        put: |a, v| a.event_data_bytes = v.whole(),
        show: |a| a.event_data_bytes.to_string(),
    },
    Knob {
        key: "presence_members",
        flag: None,
        variables: &[Variable::every("SOKETI_PRESENCE_MAX_MEMBERS")],
        bare: None,
        accepts: Accepts::Whole {
            least: 1,
            most: 100_000,
            unit: Unit::Things,
        },
        group: APP,
        help: "Distinct users in one presence channel",
        elsewhere: &["max_presence_members_per_channel"],
        put: |a, v| a.presence_members = v.whole(),
        show: |a| a.presence_members.to_string(),
    },
    Knob {
        key: "presence_member_bytes",
        flag: None,
        variables: &[Variable::every_kilobytes("SOKETI_PRESENCE_MAX_MEMBER_SIZE")],
        bare: None,
        accepts: Accepts::Whole {
            least: 64,
            most: 1_048_576,
            unit: Unit::Bytes,
        },
        group: APP,
        help: "Size of one presence member's user_info",
        elsewhere: &["max_presence_member_size_in_kb"],
        put: |a, v| a.presence_member_bytes = v.whole(),
        show: |a| a.presence_member_bytes.to_string(),
    },
    Knob {
        key: "allow_client_events_on_public",
        flag: None,
        variables: &[Variable::words(
            CLIENT_EVENTS_FROM,
            &[("all", "true"), ("members", "false"), ("none", "false")],
        )],
        bare: None,
        accepts: Accepts::Truth,
        group: APP,
        help: "Whether client- events are relayed on public channels too",
        elsewhere: &["client_events_on_public"],
        put: |a, v| a.allow_client_events_on_public = v.truth(),
        show: |a| a.allow_client_events_on_public.to_string(),
    },
    Knob {
        key: "quota_close",
        flag: None,
        variables: &[],
        bare: None,
        accepts: Accepts::Word(QUOTA_CLOSES),
        group: APP,
        help: "Close code past max_connections: 4004, clients stay away; 4100, they come back",
        elsewhere: &[],
        put: |a, v| a.quota_close = [QuotaClose::OverQuota, QuotaClose::OverCapacity][v.word()],
        show: |a| QUOTA_CLOSES[a.quota_close as usize].to_owned(),
    },
    Knob {
        key: "allowed_origins",
        flag: None,
        variables: &[],
        bare: None,
        accepts: Accepts::Origins,
        group: APP,
        help: "Hosts whose pages may connect, such as *.example.com; none listed allows all",
        elsewhere: &["origins", "allowedOrigins"],
        put: |a, v| a.allowed_origins = v.origins(),
        show: |a| list(&a.allowed_origins),
    },
    Knob {
        key: "backend_events_per_second",
        flag: None,
        variables: &[Variable::same(
            "SOKETI_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SEC",
        )],
        bare: None,
        accepts: Accepts::WholeOrOff {
            least: 1,
            most: 1_000_000,
            unit: Unit::Things,
        },
        group: APP,
        help: "Events a second from backends, one for each channel; -1 is no limit",
        elsewhere: &[
            "max_backend_events_per_second",
            "maxBackendEventsPerSecond",
            "max_backend_events_per_sec",
        ],
        put: |a, v| a.backend_events_per_second = v.whole_or_off(),
        show: |a| or_off(a.backend_events_per_second),
    },
    Knob {
        key: "read_requests_per_second",
        flag: None,
        variables: &[Variable::same("SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC")],
        bare: None,
        accepts: Accepts::WholeOrOff {
            least: 1,
            most: 1_000_000,
            unit: Unit::Things,
        },
        group: APP,
        help: "Reading requests a second from backends; -1 is no limit",
        elsewhere: &[
            "max_read_requests_per_second",
            "maxReadRequestsPerSecond",
            "max_read_req_per_sec",
        ],
        put: |a, v| a.read_requests_per_second = v.whole_or_off(),
        show: |a| or_off(a.read_requests_per_second),
    },
    Knob {
        key: "channel_name_chars",
        flag: None,
        variables: &[
            Variable::every("SOKETI_CHANNEL_LIMITS_MAX_NAME_LENGTH"),
            Variable::every("").bare("CHANNEL_MAX_NAME_LENGTH"),
        ],
        bare: None,
        accepts: Accepts::Whole {
            least: 1,
            most: 1000,
            unit: Unit::Things,
        },
        group: APP,
        help: "Characters of a channel's name, prefix included",
        elsewhere: &["max_channel_name_length", "maxChannelNameLength"],
        put: |a, v| a.channel_name_chars = v.whole(),
        show: |a| a.channel_name_chars.to_string(),
    },
    Knob {
        key: "event_name_chars",
        flag: None,
        variables: &[Variable::every("SOKETI_EVENT_MAX_NAME_LENGTH")],
        bare: None,
        accepts: Accepts::Whole {
            least: 1,
            most: 1000,
            unit: Unit::Things,
        },
        group: APP,
        help: "Characters of an event's name",
        elsewhere: &["max_event_name_length", "maxEventNameLength"],
        put: |a, v| a.event_name_chars = v.whole(),
        show: |a| a.event_name_chars.to_string(),
    },
    Knob {
        key: "channels_per_event",
        flag: None,
        variables: &[Variable::every("SOKETI_EVENT_MAX_CHANNELS_AT_ONCE")],
        bare: None,
        accepts: Accepts::Whole {
            least: 1,
            most: 1000,
            unit: Unit::Things,
        },
        group: APP,
        help: "Channels of one publish request",
        elsewhere: &["max_event_channels_at_once", "maxEventChannelsAtOnce"],
        put: |a, v| a.channels_per_event = v.whole(),
        show: |a| a.channels_per_event.to_string(),
    },
    Knob {
        key: "batch_events",
        flag: None,
        variables: &[Variable::every("SOKETI_EVENT_MAX_BATCH_SIZE")],
        bare: None,
        accepts: Accepts::Whole {
            least: 1,
            most: 1000,
            unit: Unit::Things,
        },
        group: APP,
        help: "Events of one batch",
        elsewhere: &["max_event_batch_size", "maxEventBatchSize"],
        put: |a, v| a.batch_events = v.whole(),
        show: |a| a.batch_events.to_string(),
    },
    Knob {
        key: "cache_ttl_s",
        flag: None,
        variables: &[Variable::every("SOKETI_CHANNEL_CACHE_TTL").without("-1", NO_END)],
        bare: None,
        accepts: Accepts::Whole {
            least: 1,
            most: 2_592_000,
            unit: Unit::Seconds,
        },
        group: APP,
        help: "How long a cache channel keeps its last event",
        elsewhere: &["cache_ttl", "cacheTtl"],
        put: |a, v| a.cache_ttl_s = v.whole(),
        show: |a| a.cache_ttl_s.to_string(),
    },
    Knob {
        key: "subscription_count",
        flag: None,
        variables: &[],
        bare: None,
        accepts: Accepts::Truth,
        group: APP,
        help: "Whether subscribers are told how many they are",
        elsewhere: &[],
        put: |a, v| a.subscription_count = v.truth(),
        show: |a| a.subscription_count.to_string(),
    },
    Knob {
        key: "strict_subscribe",
        flag: None,
        variables: &[],
        bare: None,
        accepts: Accepts::Truth,
        group: APP,
        help: "Whether a second subscribe to the same channel is an error",
        elsewhere: &[],
        put: |a, v| a.strict_subscribe = v.truth(),
        show: |a| a.strict_subscribe.to_string(),
    },
    Knob {
        key: "subscription_errors",
        flag: None,
        variables: &[],
        bare: None,
        accepts: Accepts::Word(SUBSCRIPTION_ERRORS),
        group: APP,
        help: "Which frames tell of a failed subscription: both, subscription_error or error",
        elsewhere: &[],
        put: |a, v| a.subscription_errors = [E::Both, E::SubscriptionError, E::Error][v.word()],
        show: |a| quoted(SUBSCRIPTION_ERRORS[a.subscription_errors as usize]),
    },
    Knob {
        key: "user_authentication",
        flag: None,
        variables: &[Variable::same("SOKETI_DEFAULT_APP_USER_AUTHENTICATION")],
        bare: None,
        accepts: Accepts::Truth,
        group: APP,
        help: "Whether connections must sign in, or join a signed channel, in time",
        elsewhere: &["enable_user_authentication", "enableUserAuthentication"],
        put: |a, v| a.user_authentication = v.truth(),
        show: |a| a.user_authentication.to_string(),
    },
    Knob {
        key: "watchlist",
        flag: None,
        variables: &[],
        bare: None,
        accepts: Accepts::Truth,
        group: APP,
        help: "Whether users are told who of their watchlist is online",
        elsewhere: &["enable_watchlist_events"],
        put: |a, v| a.watchlist = v.truth(),
        show: |a| a.watchlist.to_string(),
    },
    Knob {
        key: "terminate_presence_members",
        flag: None,
        variables: &[],
        bare: None,
        accepts: Accepts::Truth,
        group: APP,
        help: "Whether terminating a user also ends presence members of that id",
        elsewhere: &[],
        put: |a, v| a.terminate_presence_members = v.truth(),
        show: |a| a.terminate_presence_members.to_string(),
    },
    Knob {
        key: "webhooks",
        flag: None,
        variables: &[Variable::same("SOKETI_DEFAULT_APP_WEBHOOKS")],
        bare: None,
        accepts: Accepts::Webhooks,
        group: APP,
        help: "Who is told what happens: tables [[apps.webhooks]], or JSON in the variable",
        elsewhere: &["webhook", "webhook_url"],
        put: |a, v| a.webhooks = v.webhooks(),
        show: |a| webhooks::show(&a.webhooks),
    },
];

fn secret(value: Value) -> AppSecret {
    match value {
        Value::Secret(secret) => secret,
        _ => unreachable!("the table gives this setting a secret"),
    }
}

/// As a TOML string; ids and keys are printable ASCII, so only two characters need escaping.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

fn list(patterns: &[String]) -> String {
    let patterns: Vec<String> = patterns.iter().map(|pattern| quoted(pattern)).collect();
    format!("[{}]", patterns.join(", "))
}

fn or_off(limit: Option<u32>) -> String {
    limit.map_or_else(|| "-1".to_owned(), |n| n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_and_show(knob: &Knob<App>, text: &str) -> Result<String, String> {
        let mut app = App::new("", "", "");
        (knob.put)(&mut app, knob.accepts.read_text(text)?);
        Ok((knob.show)(&app))
    }

    #[test]
    fn every_number_is_accepted_at_both_ends_and_refused_past_them() {
        let mut numbers = 0;
        for knob in APPS {
            let (least, most, off) = match knob.accepts {
                Accepts::Whole { least, most, .. } => (least, most, false),
                Accepts::WholeOrOff { least, most, .. } => (least, most, true),
                _ => continue,
            };
            numbers += 1;
            for edge in [least, most] {
                let text = edge.to_string();
                assert_eq!(put_and_show(knob, &text), Ok(text), "{}", knob.key);
            }
            for past in [least - 1, most + 1] {
                assert!(
                    put_and_show(knob, &past.to_string()).is_err(),
                    "{} {past}",
                    knob.key
                );
            }
            assert_eq!(put_and_show(knob, "-1").is_ok(), off, "{}", knob.key);
        }
        assert_eq!(numbers, 13);
    }

    #[test]
    fn truth_values_change_their_own_field_only() {
        for knob in APPS.iter().filter(|k| matches!(k.accepts, Accepts::Truth)) {
            for text in ["true", "false"] {
                assert_eq!(
                    put_and_show(knob, text),
                    Ok(text.to_owned()),
                    "{}",
                    knob.key
                );
            }
        }
    }

    #[test]
    fn words_and_lists_reach_their_fields() {
        for (key, text, shown) in [
            ("quota_close", "4004", "4004"),
            ("quota_close", "4100", "4100"),
            ("subscription_errors", "both", "\"both\""),
            (
                "subscription_errors",
                "subscription_error",
                "\"subscription_error\"",
            ),
            ("subscription_errors", "error", "\"error\""),
            (
                "allowed_origins",
                "a.com,*.b.com",
                "[\"a.com\", \"*.b.com\"]",
            ),
        ] {
            let knob = APPS.iter().find(|k| k.key == key).unwrap();
            assert_eq!(put_and_show(knob, text), Ok(shown.to_owned()), "{key}");
        }
        let app = App::new("", "", "");
        for knob in APPS.iter().skip(3) {
            let shown = (knob.show)(&app); // the default of an enumeration is its first word
            assert!(!shown.is_empty(), "{}", knob.key);
        }
    }

    // F29
    #[test]
    fn the_secret_reaches_its_field_and_is_not_shown() {
        let knob = APPS.iter().find(|k| k.key == "secret").unwrap();
        let mut app = App::new("", "", "");
        (knob.put)(&mut app, knob.accepts.read_text("canary").unwrap());
        assert_eq!(app.secret.expose(), "canary");
        assert_eq!((knob.show)(&app), "\"(hidden)\"");
    }

    #[test]
    fn names_are_unique_and_no_app_setting_is_a_flag() {
        for (i, knob) in APPS.iter().enumerate() {
            assert!(knob.flag.is_none() && knob.bare.is_none(), "{}", knob.key);
            for other in &APPS[i + 1..] {
                assert_ne!(knob.key, other.key);
            }
        }
    }

    #[test]
    fn a_shown_name_is_valid_toml() {
        for name in ["app-key", r#"a"b\c"#] {
            let shown = quoted(name);
            let toml::de::DeValue::String(read) =
                toml::de::DeValue::parse(&shown).unwrap().into_inner()
            else {
                panic!("{shown} is no string");
            };
            assert_eq!(read, name);
        }
    }
}
