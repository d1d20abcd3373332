//! From what was given for apps to apps: complete, distinct, and the demo app when there are none.
//!
//! Limits that depend on the server's are checked in `check`. Invariants: every app has id, key and
//! secret; no two share an id or a key; there is at least one.

use std::collections::HashMap;

use super::app_knobs::APPS;
use super::layers::{AppSettings, Settings};
use super::own_names;
use crate::app::App;
use crate::error::{ConfigError, Source};

/// Id of the demo app. Digits, since the Python SDK takes nothing else.
pub const DEMO_APP_ID: &str = "1001";
/// Key of the demo app.
pub const DEMO_APP_KEY: &str = "app-key";
/// Secret of the demo app. It is published, so it protects nothing.
pub const DEMO_APP_SECRET: &str = "app-secret";

/// How variables begin that describe an app, the last one where nobody has begun to.
const FAMILIES: [&str; 3] = [own_names::PREFIX, "REVERB_", "SOKETI_"];

/// What an app cannot do without.
pub(super) const CREDENTIALS: [&str; 3] = ["id", "key", "secret"];

/// A finished app and what it was made from.
pub(super) struct BuiltApp {
    pub app: App,
    pub from: AppSettings,
}

/// Whether an app can be used by anybody who has read our documentation.
pub(super) fn has_demo_credentials(app: &App) -> bool {
    app.key == DEMO_APP_KEY && app.secret.expose() == DEMO_APP_SECRET
}

/// What is served where nothing says which apps there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconfigured {
    /// The demo app, with its published credentials.
    DemoApp,
    /// No app: custom handlers alone.
    NoApp,
}

/// Makes the apps: those of the file, then the one of the environment, or else what is served
/// unconfigured.
///
/// # Errors
/// When credentials are missing or taken, or when variables describe an app that there is not.
pub(super) fn build(
    file: Vec<AppSettings>,
    environment: Settings<App>,
    every_app: &Settings<App>,
    unconfigured: Unconfigured,
) -> Result<Vec<BuiltApp>, ConfigError> {
    let mut all = file;
    let described = CREDENTIALS.iter().any(|key| environment.has(key));
    let from = AppSettings {
        label: "apps".to_owned(),
        place: Source::Default,
        settings: environment,
    };
    if described {
        all.push(from);
    } else if all.is_empty() && unconfigured == Unconfigured::DemoApp {
        return Ok(vec![demo(above(every_app, from))]);
    } else if let Some((key, source)) = from.settings.first_given() {
        return Err(ConfigError {
            key: format!("apps.{key}"),
            value: None,
            source,
            reason: if all.is_empty() {
                "there is no app; give one its id, key and secret by variables too, or unset this"
            } else {
                "the apps are those of the file, and this variable is for an app that other \
                 variables describe; set it in the file, or unset it"
            }
            .to_owned(),
        });
    }
    let built = all
        .into_iter()
        .map(|from| complete(above(every_app, from)))
        .collect::<Result<Vec<_>, _>>()?;
    distinct(&built, "id", |app| &app.id)?;
    distinct(&built, "key", |app| &app.key)?;
    Ok(built)
}

/// An app's own settings over what every app has.
fn above(every_app: &Settings<App>, mut from: AppSettings) -> AppSettings {
    let own = std::mem::replace(&mut from.settings, every_app.clone());
    from.settings.lay_over(own);
    from
}

fn demo(from: AppSettings) -> BuiltApp {
    let mut app = App::new(DEMO_APP_ID, DEMO_APP_KEY, DEMO_APP_SECRET);
    app.client_events = true;
    from.settings.apply(&mut app);
    BuiltApp { app, from }
}

fn complete(from: AppSettings) -> Result<BuiltApp, ConfigError> {
    if let Some(missing) = CREDENTIALS.iter().find(|key| !from.settings.has(key)) {
        let is_of = |family: &&str| {
            let sources = CREDENTIALS.iter().map(|key| from.settings.source(key));
            let mut names = sources.filter_map(|source| source.variable());
            names.any(|name| name.starts_with(family))
        };
        let family = FAMILIES.into_iter().find(is_of).unwrap_or(FAMILIES[2]);
        let (source, what) = match &from.place {
            Source::Default => (Source::Variable(variable(missing, family)), "variables"),
            place => (place.clone(), "keys"),
        };
        let names = match what {
            "keys" => CREDENTIALS.map(str::to_owned),
            _ => CREDENTIALS.map(|key| variable(key, family).to_owned()),
        };
        return Err(ConfigError {
            key: format!("{}.{missing}", from.label),
            value: None,
            source,
            reason: format!(
                "it is missing; an app needs the {what} {}",
                names.join(", ")
            ),
        });
    }
    let mut app = App::new("", "", "");
    from.settings.apply(&mut app);
    Ok(BuiltApp { app, from })
}

/// The name of a credential among the variables that begin so.
fn variable(key: &str, family: &str) -> &'static str {
    let both = APPS.iter().zip(own_names::of_apps());
    let (knob, own) = both
        .into_iter()
        .find(|(knob, _)| knob.key == key)
        .expect("every credential is a setting");
    let others = knob.variables.iter().map(|variable| variable.name);
    let mut names = std::iter::once(&**own).chain(others);
    names
        .find(|name| name.starts_with(family))
        .expect("every credential has a variable of each")
}

/// How soketi's names for the first app of its file begin.
const SOKETIS_FIRST: &str = "SOKETI_DEFAULT_APP_";

/// Lays what the environment says of an app over the app of the file that it is: the one with all
/// of its credentials; under soketi's own names the first one of soketi's file. Gives back what is
/// no app of the file.
pub(super) fn join(
    file: &mut [AppSettings],
    mut environment: Settings<App>,
    is_soketis: bool,
) -> Settings<App> {
    let is_first = |source: &Source| {
        let name = match source {
            Source::SecretFile { named_by, .. } => {
                named_by.strip_prefix("credential ").unwrap_or(named_by)
            }
            other => other.variable().unwrap_or_default(),
        };
        name.starts_with(SOKETIS_FIRST)
    };
    if let Some(first) = file.first_mut().filter(|_| is_soketis) {
        first.settings.lay_over(environment.take_from(is_first));
    }
    let places = || (0..APPS.len()).filter(|place| CREDENTIALS.contains(&APPS[*place].key));
    let is_whole = CREDENTIALS.iter().all(|key| environment.has(key));
    let is_it =
        |app: &Settings<App>| is_whole && places().all(|place| environment.agrees(app, place));
    let place = file.iter().position(|app| is_it(&app.settings));
    match place.and_then(|place| file.get_mut(place)) {
        Some(app) => {
            app.settings.lay_over(environment);
            Settings::new(APPS)
        }
        None => environment,
    }
}

fn distinct(
    built: &[BuiltApp],
    key: &'static str,
    name: fn(&App) -> &str,
) -> Result<(), ConfigError> {
    let mut seen: HashMap<&str, Source> = HashMap::new();
    for BuiltApp { app, from } in built {
        let source = from.settings.source(key);
        if let Some(first) = seen.insert(name(app), source.clone()) {
            return Err(ConfigError {
                key: format!("{}.{key}", from.label),
                value: Some(name(app).to_owned()),
                source,
                reason: format!("expected one that no other app has, but {first} gives it too"),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::config::{environment, file};
    use std::path::Path;

    fn built(text: &str, variables: &[(&str, &str)]) -> Result<Vec<BuiltApp>, ConfigError> {
        built_or(text, variables, Unconfigured::DemoApp)
    }

    fn built_or(
        text: &str,
        variables: &[(&str, &str)],
        unconfigured: Unconfigured,
    ) -> Result<Vec<BuiltApp>, ConfigError> {
        let file = file::parse(Path::new("s.toml"), text, None).unwrap();
        let pairs = variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        let environment = environment::read(pairs).unwrap();
        build(
            file.apps,
            environment.app,
            &environment.every_app,
            unconfigured,
        )
    }

    fn error(text: &str, variables: &[(&str, &str)]) -> String {
        built(text, variables)
            .err()
            .expect("the apps are refused")
            .to_string()
    }

    const ONE: &str = "[[apps]]\nid = '1'\nkey = 'k1'\nsecret = 's1'\n";
    const ENV: [(&str, &str); 3] = [
        ("SOKETI_DEFAULT_APP_ID", "9"),
        ("SOKETI_DEFAULT_APP_KEY", "k9"),
        ("SOKETI_DEFAULT_APP_SECRET", "canary"),
    ];

    #[test]
    fn with_nothing_there_is_the_demo_app() {
        let apps = built("", &[]).unwrap();
        let app = &apps[0].app;
        assert_eq!(
            (apps.len(), &app.id[..], &app.key[..]),
            (1, "1001", "app-key")
        );
        assert!(app.client_events && app.enabled && has_demo_credentials(app));
    }

    #[test]
    fn without_the_demo_app_there_are_those_given_or_none() {
        let apps = |text, variables: &[_]| {
            built_or(text, variables, Unconfigured::NoApp).map(|apps| apps.len())
        };
        assert_eq!(apps("", &[]).unwrap(), 0);
        assert_eq!(apps(ONE, &[]).unwrap(), 1);
        assert_eq!(apps("", &ENV).unwrap(), 1);
        let option = [("SOKETI_DEFAULT_APP_MAX_CONNS", "5")];
        let error = apps("", &option).unwrap_err().to_string();
        assert!(error.contains("there is no app"), "{error}");
    }

    #[test]
    fn options_alone_are_for_the_demo_app() {
        let apps = built("", &[("SOKETI_DEFAULT_APP_MAX_CONNS", "5")])
            .ok()
            .unwrap();
        assert!(has_demo_credentials(&apps[0].app));
        assert_eq!(apps[0].app.max_connections, Some(5));
        let off = built("", &[("SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", "0")])
            .ok()
            .unwrap();
        assert!(!off[0].app.client_events);
    }

    #[test]
    fn the_app_of_the_environment_replaces_the_demo_app() {
        let apps = built("", &ENV).unwrap();
        assert_eq!((apps.len(), &apps[0].app.id[..]), (1, "9"));
        assert!(!apps[0].app.client_events && !has_demo_credentials(&apps[0].app));
    }

    #[test]
    fn the_app_of_the_environment_joins_those_of_the_file() {
        let apps = built(ONE, &ENV).unwrap();
        let ids: Vec<_> = apps.iter().map(|built| &built.app.id[..]).collect();
        assert_eq!(ids, ["1", "9"]);
    }

    #[test]
    fn ids_and_keys_are_taken_once() {
        for (text, variables, message) in [
            (
                format!("{ONE}[[apps]]\nid = '1'\nkey = 'k2'\nsecret = 'x'"),
                &[][..],
                "s.toml:6: `apps[1].id` cannot be \"1\": expected one that no other app has, but \
                 s.toml:2 gives it too.",
            ),
            (
                format!("{ONE}[[apps]]\nid = '2'\nkey = 'k1'\nsecret = 'x'"),
                &[],
                "s.toml:7: `apps[1].key` cannot be \"k1\": expected",
            ),
            (
                ONE.replace("'1'", "'9'"),
                &ENV,
                "SOKETI_DEFAULT_APP_ID: `apps.id` cannot be \"9\": expected one that no other app \
                 has, but s.toml:2 gives it too.",
            ),
            (
                ONE.replace("k1", "k9"),
                &ENV,
                "SOKETI_DEFAULT_APP_KEY: `apps.key` cannot be",
            ),
        ] {
            let error = error(&text, variables);
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn credentials_are_complete() {
        for key in CREDENTIALS {
            let lines: Vec<&str> = ONE
                .lines()
                .filter(|line| !line.starts_with(&format!("{key} ")))
                .collect();
            let error = error(&lines.join("\n"), &[]);
            let message = format!(
                "s.toml:1: `apps[0].{key}`: it is missing; an app needs the keys id, key, secret."
            );
            assert_eq!(error, message);
        }
        let error = error("", &ENV[1..]);
        assert!(
            error.starts_with("SOKETI_DEFAULT_APP_ID: `apps.id`: it is missing;"),
            "{error}"
        );
        assert!(
            error.contains("SOKETI_DEFAULT_APP_SECRET") && !error.contains("canary"),
            "{error}"
        );
    }

    #[test]
    fn what_is_missing_is_named_as_the_rest_was() {
        let error = error("", &[("REVERB_APP_ID", "7"), ("REVERB_APP_KEY", "k")]);
        assert!(
            error.starts_with("REVERB_APP_SECRET: `apps.secret`: it is missing"),
            "{error}"
        );
        assert!(!error.contains("SOKETI"), "{error}");
        let error = self::error("", &[("SHARDCAST_APP_ID", "7")]);
        assert!(
            error.starts_with("SHARDCAST_APP_KEY: `apps.key`: it is missing"),
            "{error}"
        );
    }

    #[test]
    fn an_app_that_is_described_twice_is_one() {
        let file = |text: &str| file::parse(Path::new("s.toml"), text, None).unwrap().apps;
        let read = |variables: &[(&str, &str)]| {
            let pairs = variables.iter();
            let pairs = pairs.map(|(name, value)| (name.to_string(), value.to_string()));
            environment::read(pairs).unwrap().app
        };
        let same = [
            ("SHARDCAST_APP_ID", "1"),
            ("SHARDCAST_APP_KEY", "k1"),
            ("SHARDCAST_APP_SECRET", "s1"),
            ("SHARDCAST_APP_MAX_CONNECTIONS", "5"),
        ];
        let mut apps = file(ONE);
        let rest = join(&mut apps, read(&same), false);
        assert!(rest.first_given().is_none() && apps[0].settings.has("max_connections"));
        // Another secret is another app, and that is refused later.
        let mut apps = file(&ONE.replace("s1", "s2"));
        assert!(join(&mut apps, read(&same), false).has("id"));
        assert!(!apps[0].settings.has("max_connections"));
        // In soketi's file it is the first one whatever it is called.
        let mut apps = file(ONE);
        let rest = join(&mut apps, read(&ENV), true);
        assert!(rest.first_given().is_none());
        let source = apps[0].settings.source("id");
        assert_eq!(source, Source::Variable("SOKETI_DEFAULT_APP_ID"));
        assert!(join(&mut [], read(&ENV), true).has("id"));
    }

    #[test]
    fn variables_for_every_app_are_their_defaults() {
        let variables = [
            ("SOKETI_EVENT_MAX_BATCH_SIZE", "20"),
            ("SOKETI_EVENT_MAX_SIZE_IN_KB", "2"),
            ("SOKETI_PRESENCE_MAX_MEMBER_SIZE", "1"),
        ];
        let own = format!("{ONE}batch_events = 30\n");
        let apps = built(&own, &[&ENV[..], &variables].concat()).unwrap();
        let values = |built: &BuiltApp| {
            let app = &built.app;
            (
                app.batch_events,
                app.event_data_bytes,
                app.presence_member_bytes,
            )
        };
        assert_eq!(values(&apps[0]), (30, 2048, 1024));
        assert_eq!(values(&apps[1]), (20, 2048, 1024));
        assert_eq!(values(&built("", &variables).unwrap()[0]), (20, 2048, 1024));
        let from = &apps[1].from.settings;
        let name = "SOKETI_EVENT_MAX_BATCH_SIZE";
        assert_eq!(from.source("batch_events"), Source::Variable(name));
    }

    #[test]
    fn a_variable_without_its_app_is_refused() {
        let error = error(ONE, &[("SOKETI_DEFAULT_APP_MAX_CONNS", "5")]);
        assert!(
            error.starts_with("SOKETI_DEFAULT_APP_MAX_CONNS: `apps.max_connections`:"),
            "{error}"
        );
    }
}
