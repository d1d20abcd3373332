//! A new configuration beside the one in force: what of it may change while the server runs, and
//! what it changes, in words.
//!
//! Invariants: a setting that is not in [`LIVE`] keeps the value the server was started with, and
//! whoever changed it is told so; what is put together this way is checked as a whole, as at a
//! start; no secret is among the words.

use super::app_knobs::APPS;
use super::apps::Unconfigured;
use super::cli::Flags;
use super::fit;
use super::knob::Knob;
use super::load::{Invocation, gather};
use super::server_knobs::SERVER;
use super::settings::Config;
use crate::app::App;
use crate::error::{ConfigError, Source};
use std::collections::HashMap;

/// The settings of the server that may change while it runs. Those of an app all may.
pub(super) const LIVE: &[&str] = &[
    "accept_per_second",
    "flush_delay_us",
    "tls_handshake_timeout_ms",
    "head_timeout_ms",
    "body_timeout_ms",
    "keep_alive_ms",
    "head_bytes",
    "body_bytes",
    "message_bytes",
    "channels_per_connection",
    "cache_bytes",
    "sign_in_ms",
    "count_interval_ms",
    "rest_clock_s",
    "rest_replay_guard",
    "outbox_bytes",
    "write_stall_ms",
    "activity_grace_ms",
    "pong_wait_ms",
    "pings_per_second",
    "auth_failures_per_minute",
    "websocket_compression",
    "websocket_compression_level",
    "websocket_compression_bytes",
    "drain_spread_ms",
    "stop_wait_ms",
    "stop_deadline_ms",
    "drain_close",
    "debug",
];

/// A configuration that may take the place of the one in force.
pub(in crate::server) struct Reloaded {
    /// The configuration.
    pub(in crate::server) next: Invocation,
    /// What is different, a line each.
    pub(in crate::server) changed: Vec<String>,
    /// What would be different, but takes a restart.
    pub(in crate::server) kept: Vec<String>,
}

/// Reads all sources again, as [`load`](super::load()) does, while `running` is in force.
///
/// # Errors
/// As [`load`](super::load()); and when nothing but the demo app would be left, for nobody takes
/// away all apps to serve that.
pub(in crate::server) fn reload(
    flags: Flags,
    environment: impl IntoIterator<Item = (String, String)>,
    usable_cores: &[usize],
    unconfigured: Unconfigured,
    running: &Invocation,
) -> Result<Reloaded, ConfigError> {
    let mut given = gather(flags, environment, unconfigured)?;
    let mut asked_for = Config::default();
    given.server.apply(&mut asked_for);
    // What follows others is compared with what followed them at the start.
    fit::all(&mut asked_for, &given.server, &mut given.apps);
    let kept = differences(SERVER, &running.config, &asked_for, |knob| {
        !is_live(knob.key)
    });
    let mut server = running.server.clone();
    server.renew(&given.server, is_live);
    given.server = server;
    let next = given.finish(usable_cores)?;
    if next.config.demo && !running.config.demo {
        return Err(ConfigError {
            key: "apps".to_owned(),
            value: None,
            source: Source::Default,
            reason: "there is none any more, and the demo app is served from a start only; \
                     expected at least one"
                .to_owned(),
        });
    }
    let mut changed = differences(SERVER, &running.config, &next.config, |knob| {
        is_live(knob.key)
    });
    changed.extend(app_changes(running, &next));
    Ok(Reloaded {
        next,
        changed,
        kept,
    })
}

fn is_live(key: &str) -> bool {
    LIVE.contains(&key)
}

/// What is shown differently, of those settings that are looked at.
fn differences<T>(
    table: &[Knob<T>],
    old: &T,
    new: &T,
    is_looked_at: impl Fn(&Knob<T>) -> bool,
) -> Vec<String> {
    let looked_at = table.iter().filter(|knob| is_looked_at(knob));
    let both = looked_at.map(|knob| (knob.key, (knob.show)(old), (knob.show)(new)));
    let different = both.filter(|(_, old, new)| old != new);
    different
        .map(|(key, old, new)| format!("{key}: {} -> {}", or_unset(&old), or_unset(&new)))
        .collect()
}

fn or_unset(shown: &str) -> &str {
    if shown.is_empty() { "(not set)" } else { shown }
}

/// What is different about the apps, which are known by their ids.
fn app_changes(old: &Invocation, new: &Invocation) -> Vec<String> {
    let by_id = |all: &Invocation| -> HashMap<String, usize> {
        let ids = all.config.apps.iter().map(|app| app.id.clone());
        ids.zip(0..).collect()
    };
    let (old_ids, new_ids) = (by_id(old), by_id(new));
    let mut changes = Vec::new();
    for (at, app) in new.config.apps.iter().enumerate() {
        match old_ids.get(&app.id) {
            None => changes.push(format!("app {}: added", app.id)),
            Some(&was) => changes.extend(changes_of(app, (old, was), (new, at))),
        }
    }
    let gone = old
        .config
        .apps
        .iter()
        .filter(|app| !new_ids.contains_key(&app.id));
    changes.extend(gone.map(|app| format!("app {}: removed", app.id)));
    changes
}

/// What is different about one app. Of a secret it is only said that it is.
fn changes_of(app: &App, old: (&Invocation, usize), new: (&Invocation, usize)) -> Vec<String> {
    let config = |(all, at): (&'_ Invocation, usize)| all.config.apps[at].clone();
    let (was, is) = (config(old), config(new));
    let shown = differences(APPS, &was, &is, |knob| !knob.accepts.is_secret());
    let settings = |(all, at): (&'_ Invocation, usize)| all.apps[at].settings.clone();
    let (of_old, of_new) = (settings(old), settings(new));
    let secrets = APPS
        .iter()
        .enumerate()
        .filter(|(_, knob)| knob.accepts.is_secret());
    let secrets = secrets.filter(|(place, _)| !of_old.agrees(&of_new, *place));
    let secrets = secrets.map(|(_, knob)| format!("{}: changed", knob.key));
    let all = shown.into_iter().chain(secrets);
    all.map(|change| format!("app {}: {change}", app.id))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::config::knob::{Accepts, Value};
    use crate::server::config::{cli, load};
    use crate::server::live::{live, stop_time};
    use std::ffi::OsString;
    use std::path::PathBuf;

    /// A configuration file that is written again and again.
    struct Sources(PathBuf);

    impl Sources {
        fn new(test: &str, text: &str) -> Self {
            let name = format!("shardcast-reload-{test}-{}.toml", std::process::id());
            let sources = Self(std::env::temp_dir().join(name));
            sources.write(text);
            sources
        }

        fn write(&self, text: &str) {
            std::fs::write(&self.0, text).unwrap();
        }

        fn arguments(&self) -> [OsString; 3] {
            ["shardcast".into(), "--config".into(), self.0.clone().into()]
        }

        fn load(&self) -> Invocation {
            let demo = Unconfigured::DemoApp;
            load(self.arguments(), [], &[0, 1], demo).ok().unwrap()
        }

        fn reload(&self, text: &str, running: &Invocation) -> Result<Reloaded, String> {
            self.write(text);
            let demo = Unconfigured::DemoApp;
            let flags = cli::parse(self.arguments()).ok().unwrap();
            let read = reload(flags, [], &[0, 1], demo, running);
            read.map_err(|error| error.to_string())
        }
    }

    impl Drop for Sources {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    const APP: &str = "[[apps]]\nid = '1'\nkey = 'k'\nsecret = 'canary-1'\n";

    #[test]
    fn what_stays_at_home_without_a_token_has_not_changed() {
        let file = r#"{"metrics": {"host": "0.0.0.0"}, "memory_soft_percent": 97}"#;
        let sources = Sources::new("home", file);
        let running = sources.load();
        let got = sources.reload(&format!("\n{file}"), &running).unwrap();
        assert_eq!(got.kept, [] as [&str; 0]);
        assert!(got.next.config.admin_host.is_loopback());
    }

    #[test]
    fn what_may_change_does_and_the_rest_is_told() {
        let sources = Sources::new("both", &format!("port = 7000\nbody_bytes = 20000\n{APP}"));
        let running = sources.load();
        let got = sources
            .reload(&format!("port = 7001\n{APP}"), &running)
            .unwrap();
        assert_eq!(
            (got.next.config.port, got.next.config.body_bytes),
            (7000, 1 << 20)
        );
        assert_eq!(got.changed, ["body_bytes: 20000 -> 1048576"]);
        assert_eq!(got.kept, ["port: 7000 -> 7001"]);
        let again = sources
            .reload(&format!("port = 7000\n{APP}"), &got.next)
            .unwrap();
        assert!(again.changed.is_empty() && again.kept.is_empty());
    }

    #[test]
    fn what_is_kept_is_what_the_rest_is_checked_with() {
        let sources = Sources::new("kept", &format!("cores = '0'\n{APP}"));
        let running = sources.load();
        // Core 7 is not there, but cores change at a restart only: a start will refuse it.
        let got = sources
            .reload(&format!("cores = '7'\n{APP}"), &running)
            .unwrap();
        assert_eq!(got.kept, ["cores: [0] -> [7]"]);
        let small = sources.reload(
            &format!("message_bytes = 5000\n{APP}event_data_bytes = 5001\n"),
            &running,
        );
        let refused = small.err().unwrap();
        assert!(refused.contains("message_bytes (set by "), "{refused}");
    }

    // F29
    #[test]
    fn apps_come_change_and_go_by_their_ids_and_no_secret_is_told() {
        let two = APP.replace("'1'", "'2'").replace("'k'", "'k2'");
        let sources = Sources::new("apps", &format!("{APP}{two}"));
        let running = sources.load();
        let three = two.replace("'2'", "'3'").replace("'k2'", "'k3'");
        let changed = APP.replace("canary-1", "canary-2") + "max_connections = 5\n";
        let hook = "[[apps.webhooks]]\nurl = 'http://a.example'\nheaders = { A = 'canary-3' }\n";
        let got = sources
            .reload(&format!("{three}{changed}{hook}"), &running)
            .unwrap();
        assert_eq!(
            got.changed,
            [
                "app 3: added",
                "app 1: max_connections: -1 -> 5",
                "app 1: secret: changed",
                "app 1: webhooks: changed",
                "app 2: removed",
            ]
        );
        assert!(got.kept.is_empty());
    }

    #[test]
    fn the_documents_list_what_may_change_and_nothing_else() {
        let text = include_str!("../../../docs/operating.md");
        let (_, table) = text.split_once("### Settings of the server").unwrap();
        let (table, _) = table.split_once("Every other setting").unwrap();
        for knob in SERVER {
            let is_listed = table.contains(&format!("`{}`", knob.key));
            assert_eq!(is_listed, is_live(knob.key), "{}", knob.key);
        }
    }

    #[test]
    fn a_broken_file_and_one_without_apps_are_refused() {
        let sources = Sources::new("broken", APP);
        let running = sources.load();
        for (text, said) in [
            ("[[apps]]\nid = '1'\n", "`apps[0].key`: it is missing"),
            ("port = ", "expected TOML"),
            ("prot = 1", "did you mean `port`?"),
            ("", "there is none any more"),
        ] {
            let refused = sources.reload(text, &running).err().unwrap();
            assert!(refused.contains(said), "{text:?} gave {refused}");
        }
    }

    #[test]
    fn the_demo_may_become_an_app_of_ones_own() {
        let sources = Sources::new("demo", "");
        let running = sources.load();
        assert!(running.config.demo);
        assert!(
            sources
                .reload("", &running)
                .is_ok_and(|got| got.changed.is_empty())
        );
        let got = sources.reload(APP, &running).unwrap();
        assert_eq!(got.changed, ["app 1: added", "app 1001: removed"]);
    }

    /// Another value than the default that the entry accepts.
    fn other(knob: &Knob<Config>) -> Value {
        let default = (knob.show)(&Config::default());
        let texts: Vec<String> = match &knob.accepts {
            Accepts::Whole { least, most, .. } | Accepts::WholeOrOff { least, most, .. } => {
                vec![least.to_string(), most.to_string()]
            }
            Accepts::Truth => vec!["true".into(), "false".into()],
            Accepts::Word(words) => words.iter().map(|word| (*word).to_owned()).collect(),
            _ => panic!("{}: no other value is known", knob.key),
        };
        let text = texts.into_iter().find(|text| *text != default).unwrap();
        knob.accepts.read_text(&text).unwrap()
    }

    #[test]
    fn whatever_may_change_reaches_the_shards() {
        for key in LIVE {
            let knob = SERVER.iter().find(|knob| knob.key == *key);
            let knob = knob.unwrap_or_else(|| panic!("{key} is a setting"));
            let compressed = Config {
                websocket_compression: true,
                ..Config::default()
            };
            let mut changed = compressed.clone();
            (knob.put)(
                &mut changed,
                match *key {
                    "websocket_compression" => Value::Truth(false),
                    _ => other(knob),
                },
            );
            let all = |config: &Config| (live(config, 2), stop_time(config));
            let reaches = all(&changed) != all(&compressed);
            // The log's level is the program's.
            assert_eq!(reaches, *key != "debug", "{key}");
        }
    }
}
