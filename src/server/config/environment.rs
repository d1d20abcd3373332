//! The environment: the variables soketi's users have.
//!
//! The variables come in as pairs, so that nothing but [`process_environment`] touches the process.
//! Invariants: an empty variable counts as unset; a variable that looks like ours but is not known
//! is reported by name, never by value.

use std::iter;

use super::app_knobs::APPS;
use super::knob::Knob;
use super::layers::{Settings, refused};
use super::server_knobs::SERVER;
use super::settings::Config;
use crate::app::App;
use crate::error::{ConfigError, Source};

const PREFIX: &str = "SOKETI_";

/// Kubernetes makes variables of these names for a Service called `soketi`; they mean nothing to
/// us.
const MADE_BY_KUBERNETES: [&str; 2] = ["SOKETI_SERVICE_", "SOKETI_PORT_"];

/// What the environment says.
pub(super) struct EnvironmentLayer {
    /// The settings of the server.
    pub server: Settings<Config>,
    /// The settings of the one app that variables can describe.
    pub app: Settings<App>,
    /// Variables with our prefix that mean nothing to us, in alphabetical order.
    pub ignored: Vec<String>,
}

/// The variables of this process.
///
/// What is not Unicode is replaced by U+FFFD, which every setting refuses.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().map(|(name, value)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    })
}

/// Reads the variables that are ours.
///
/// # Errors
/// When the value of one is refused.
pub(super) fn read(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<EnvironmentLayer, ConfigError> {
    let (mut server, mut app) = (Settings::new(SERVER), Settings::new(APPS));
    let mut ignored = Vec::new();
    for (name, value) in variables {
        if !name.starts_with(PREFIX) || value.is_empty() {
            continue;
        }
        if !take(&mut server, "", &name, &value)? && !take(&mut app, "apps.", &name, &value)? {
            ignored.push(name);
        }
    }
    ignored.retain(|name| {
        !MADE_BY_KUBERNETES
            .iter()
            .any(|prefix| name.starts_with(prefix))
    });
    ignored.sort();
    Ok(EnvironmentLayer {
        server,
        app,
        ignored,
    })
}

/// Takes the variable when it is one of the table's; says whether it was.
fn take<T>(
    settings: &mut Settings<T>,
    prefix: &str,
    name: &str,
    value: &str,
) -> Result<bool, ConfigError> {
    let table: &'static [Knob<T>] = settings.table();
    let mut named = iter::zip(0.., table)
        .filter_map(|(place, knob)| Some((place, knob, knob.variable.filter(|v| *v == name)?)));
    let Some((place, knob, variable)) = named.next() else {
        return Ok(false);
    };
    let source = Source::Variable(variable);
    let read = knob.accepts.read_text(value).map_err(|reason| {
        let key = format!("{prefix}{}", knob.key);
        refused(
            knob,
            key,
            value.to_owned(),
            source.clone(),
            reason + hint(knob.key, value),
        )
    })?;
    settings.give(place, read, source);
    Ok(true)
}

/// What to do about a value nobody wrote by hand.
fn hint(key: &str, value: &str) -> &'static str {
    if key == "port" && value.contains("://") {
        return " (Kubernetes sets this variable for a Service named soketi: give the pod \
                enableServiceLinks: false, or the Service another name)";
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(variables: &[(&str, &str)]) -> Result<EnvironmentLayer, ConfigError> {
        read(
            variables
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string())),
        )
    }

    #[test]
    fn every_variable_reaches_its_setting() {
        let layer = layer(&[
            ("SOKETI_HOST", "::1"),
            ("SOKETI_PORT", "7001"),
            ("SOKETI_DEBUG", "1"),
            ("SOKETI_DEFAULT_APP_ID", "7"),
            ("SOKETI_DEFAULT_APP_KEY", "k"),
            ("SOKETI_DEFAULT_APP_SECRET", "s"),
            ("SOKETI_DEFAULT_APP_ENABLED", "false"),
            ("SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", "true"),
            ("SOKETI_DEFAULT_APP_MAX_CONNS", "100"),
            ("SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC", "-1"),
            ("PORT", "1"),
        ]);
        let layer = layer.unwrap();
        let mut config = Config::default();
        layer.server.apply(&mut config);
        assert_eq!(
            (config.host.to_string(), config.port, config.debug),
            ("::1".into(), 7001, true)
        );
        let mut app = App::new("", "", "");
        layer.app.apply(&mut app);
        assert_eq!(
            (&app.id[..], &app.key[..], app.secret.expose()),
            ("7", "k", "s")
        );
        assert!(!app.enabled && app.client_events);
        assert_eq!(
            (app.max_connections, app.client_events_per_second),
            (Some(100), None)
        );
        assert_eq!(layer.server.source("port"), Source::Variable("SOKETI_PORT"));
        assert!(layer.ignored.is_empty());
    }

    #[test]
    fn minus_one_connections_is_no_limit() {
        let layer = layer(&[("SOKETI_DEFAULT_APP_MAX_CONNS", "-1")])
            .ok()
            .unwrap();
        let mut app = App {
            max_connections: Some(5),
            ..App::new("", "", "")
        };
        layer.app.apply(&mut app);
        assert_eq!(app.max_connections, None);
    }

    #[test]
    fn empty_is_unset() {
        let layer = layer(&[("SOKETI_PORT", ""), ("SOKETI_DEFAULT_APP_SECRET", "")])
            .ok()
            .unwrap();
        assert!(!layer.server.has("port") && !layer.app.has("secret"));
    }

    #[test]
    fn a_refused_value_names_variable_key_and_what_is_accepted() {
        for (name, value, message) in [
            (
                "SOKETI_PORT",
                "70000",
                "SOKETI_PORT: `port` cannot be \"70000\": expected a whole number from 0 to 65535.",
            ),
            (
                "SOKETI_DEBUG",
                "yes",
                "SOKETI_DEBUG: `debug` cannot be \"yes\": expected true, false,",
            ),
            (
                "SOKETI_DEFAULT_APP_MAX_CONNS",
                "0",
                "SOKETI_DEFAULT_APP_MAX_CONNS: `apps.max_connec",
            ),
            (
                "SOKETI_DEFAULT_APP_KEY",
                "a/b",
                "SOKETI_DEFAULT_APP_KEY: `apps.key` cannot be \"a/b\"",
            ),
        ] {
            let error = layer(&[(name, value)]).err().unwrap().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn a_port_made_by_kubernetes_is_explained() {
        let error = layer(&[("SOKETI_PORT", "tcp://10.0.0.1:6001")])
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("enableServiceLinks: false"), "{error}");
    }

    // F29
    #[test]
    fn a_refused_secret_is_not_repeated() {
        let error = layer(&[("SOKETI_DEFAULT_APP_SECRET", "canary\n")])
            .err()
            .unwrap();
        assert!(
            !format!("{error} {error:?}").contains("canary"),
            "{error:?}"
        );
    }

    #[test]
    fn unknown_names_are_reported_and_those_of_kubernetes_are_not() {
        let layer = layer(&[
            ("SOKETI_REDIS_HOST", "x"),
            ("SOKETI_DEFAULT_APP_SECRT", "canary"),
            ("SOKETI_SERVICE_HOST", "10.0.0.1"),
            ("SOKETI_PORT_6001_TCP", "tcp://10.0.0.1:6001"),
            ("SOKETI_METRICS_ENABLED", ""),
        ]);
        assert_eq!(
            layer.unwrap().ignored,
            ["SOKETI_DEFAULT_APP_SECRT", "SOKETI_REDIS_HOST"]
        );
    }
}
