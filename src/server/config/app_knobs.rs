//! The table of an app's settings: one entry each, and nothing else.
//!
//! They stand in a `[[apps]]` table of the file; the variables set those of one app, under the
//! names soketi gave them. There are no flags, for a secret on a command line is there for all to
//! see. Invariant: as in `server_knobs`.

use super::knob::{Accepts, Knob, Unit, Value};
use crate::app::{App, AppSecret};

const APP: &str = "Apps";

/// Every setting of an app.
pub(super) static APPS: &[Knob<App>] = &[
    Knob {
        key: "id",
        flag: None,
        variable: Some("SOKETI_DEFAULT_APP_ID"),
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
        variable: Some("SOKETI_DEFAULT_APP_KEY"),
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
        variable: Some("SOKETI_DEFAULT_APP_SECRET"),
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
        variable: Some("SOKETI_DEFAULT_APP_ENABLED"),
        bare: None,
        accepts: Accepts::Truth,
        group: APP,
        help: "Whether the app accepts anybody",
        elsewhere: &["active"],
        put: |a, v| a.enabled = v.truth(),
        show: |a| a.enabled.to_string(),
    },
    Knob {
        key: "client_events",
        flag: None,
        variable: Some("SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES"),
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
        variable: Some("SOKETI_DEFAULT_APP_MAX_CONNS"),
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
        variable: None,
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
        variable: Some("SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC"),
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
        variable: None,
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
        variable: None,
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
        variable: None,
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
        variable: None,
        bare: None,
        accepts: Accepts::Truth,
        group: APP,
        help: "Whether client- events are relayed on public channels too",
        elsewhere: &["client_events_on_public"],
        put: |a, v| a.allow_client_events_on_public = v.truth(),
        show: |a| a.allow_client_events_on_public.to_string(),
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
        assert_eq!(numbers, 6);
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
                assert!(knob.variable.is_none() || knob.variable != other.variable);
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
