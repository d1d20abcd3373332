//! The environment: the variables that users of soketi and of Reverb have.
//!
//! The variables come in as pairs, so that nothing but [`process_environment`] touches the process.
//! Only a secret may stand in a file instead, which is read here. Invariants: an empty variable
//! counts as unset; a variable that looks like ours but is not known
//! is reported by name, never by value; two names of one setting say the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::app_knobs::APPS;
use super::knob::{Knob, Value};
use super::layers::{Settings, refused};
use super::own_names;
use super::secret_files;
use super::server_knobs::SERVER;
use super::settings::Config;
use super::variable::Variable;
use crate::app::App;
use crate::error::{ConfigError, Source};

const PREFIXES: [&str; 3] = ["SOKETI_", "REVERB_", own_names::PREFIX];

/// Kubernetes makes variables of these names for a Service called `soketi` or as we are; they mean
/// nothing to us.
const MADE_BY_KUBERNETES: [&str; 4] = [
    "SOKETI_SERVICE_",
    "SOKETI_PORT_",
    "SHARDCAST_SERVICE_",
    "SHARDCAST_PORT_",
];

/// Variables of soketi that would change what is safe, and why they cannot be honoured.
const REFUSED: [(&str, &str); 2] = [
    (
        "SOKETI_SSL_PASS",
        "a key that is encrypted is not supported; write it in clear, as `openssl pkey -in FILE \
         -out NEW` does, let only the server read it, and unset this",
    ),
    (
        "SOKETI_SSL_CA",
        "certificates of clients are not asked for; put the chain of the server's own into the \
         file of SOKETI_SSL_CERT, behind it, and unset this",
    ),
];

/// What the environment says.
pub(super) struct EnvironmentLayer {
    /// The settings of the server.
    pub server: Settings<Config>,
    /// The settings of the one app that variables can describe.
    pub app: Settings<App>,
    /// What every app has that does not say otherwise.
    pub every_app: Settings<App>,
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
/// When the value of one is refused, or two names of one setting disagree.
pub(super) fn read(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<EnvironmentLayer, ConfigError> {
    let variables: Vec<_> = variables.into_iter().collect();
    let credentials = secret_files::directory(&variables);
    let is_ours = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let mut given: BTreeMap<String, Given> = variables
        .into_iter()
        .filter(|(name, value)| is_ours(name) && !value.is_empty())
        .map(|(name, value)| (name, Given { value, used: false }))
        .collect();
    let refused = (REFUSED.into_iter()).find(|(name, _)| given.contains_key(*name));
    if let Some((name, reason)) = refused {
        return Err(ConfigError {
            key: "tls_key".to_owned(),
            value: None,
            source: Source::Variable(name),
            reason: reason.to_owned(),
        });
    }
    let credentials = credentials.as_deref();
    let server = take(SERVER, "", own_names::of_server(), &mut given, credentials)?;
    let app = take(APPS, "apps.", own_names::of_apps(), &mut given, credentials)?;
    let every_app = take(APPS, "apps.", &[], &mut given, credentials)?;
    let made_by_kubernetes = |name: &str| {
        let mut prefixes = MADE_BY_KUBERNETES.iter();
        prefixes.any(|prefix| name.starts_with(prefix))
    };
    let ignored = given
        .into_iter()
        .filter(|(name, given)| !given.used && !made_by_kubernetes(name))
        .map(|(name, _)| name)
        .collect();
    Ok(EnvironmentLayer {
        server,
        app,
        every_app,
        ignored,
    })
}

/// What a variable holds, and whether a setting has taken it.
struct Given {
    value: String,
    used: bool,
}

/// Takes the variables of one table, with our own names for its settings. Without those it takes
/// what sets something of every app instead of one.
fn take<T>(
    table: &'static [Knob<T>],
    prefix: &str,
    own_names: &'static [String],
    given: &mut BTreeMap<String, Given>,
    credentials: Option<&Path>,
) -> Result<Settings<T>, ConfigError> {
    let mut settings = Settings::new(table);
    for (place, knob) in table.iter().enumerate() {
        let mut first: Option<(Source, Value)> = None;
        let refuse = |value: String, source: &Source, reason| {
            let key = format!("{prefix}{}", knob.key);
            refused(knob, key, value, source.clone(), reason)
        };
        let own = own_names.get(place).map(|name| Variable::same(name));
        let variables = own.iter().chain(knob.variables);
        for variable in variables.filter(|variable| variable.every_app == own.is_none()) {
            let is_secret = knob.accepts.is_secret();
            for (source, text) in texts(variable, is_secret, given, credentials) {
                let text = text.map_err(|reason| refuse(String::new(), &source, reason))?;
                let read = variable.read(&knob.accepts, &text);
                let read = read.map_err(|reason| reason + hint(knob.key, &text));
                let value = read.map_err(|reason| refuse(text.clone(), &source, reason))?;
                match &first {
                    None => first = Some((source, value)),
                    Some((_, known)) if *known == value => {}
                    Some((other, _)) => {
                        let reason =
                            format!("expected the same as in {other}, or only one of the two");
                        return Err(refuse(text, &source, reason));
                    }
                }
            }
        }
        if let Some((source, value)) = first {
            settings.give(place, value, source);
        }
    }
    Ok(settings)
}

/// What a variable says, with where it says so. Of a secret it may also be a file that is named by
/// the variable with `_FILE` at its end, or a credential of the variable's name.
fn texts(
    variable: &Variable,
    is_secret: bool,
    given: &mut BTreeMap<String, Given>,
    credentials: Option<&Path>,
) -> Vec<(Source, Result<String, String>)> {
    let mut take = |name: &str| {
        let given = given.get_mut(name)?;
        given.used = true;
        Some(given.value.clone())
    };
    let mut all = Vec::new();
    if let Some(value) = take(variable.name) {
        all.push((Source::Variable(variable.name), Ok(value)));
    }
    if !is_secret {
        return all;
    }
    let file = |named_by: String, path: PathBuf| {
        let text = secret_files::read(&path);
        (Source::SecretFile { named_by, path }, text)
    };
    let by_variable = format!("{}{}", variable.name, secret_files::SUFFIX);
    if let Some(path) = take(&by_variable) {
        all.push(file(by_variable, path.into()));
    }
    let credential = credentials.map(|directory| directory.join(variable.name));
    if let Some(path) = credential.filter(|path| path.exists()) {
        all.push(file(format!("credential {}", variable.name), path));
    }
    all
}

/// What to do about a value nobody wrote by hand.
fn hint(key: &str, value: &str) -> &'static str {
    if key == "port" && value.contains("://") {
        return " (Kubernetes sets this variable for a Service of that name: give the pod \
                enableServiceLinks: false, or the Service another name)";
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::config::knob::Accepts;

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
    fn our_own_names_reach_every_setting() {
        for (knob, name) in SERVER.iter().zip(own_names::of_server()) {
            let default = (knob.show)(&Config::default());
            let text = match default.trim_matches('"') {
                _ if matches!(knob.accepts, Accepts::Networks) => "::1",
                _ if matches!(knob.accepts, Accepts::Certificates) => "a.crt:a.key",
                "" if matches!(knob.accepts, Accepts::Whole { .. }) => "2000000",
                "" => "1",
                text => text,
            };
            let text = match &knob.accepts {
                Accepts::Whole { most, .. } if default.is_empty() => most.to_string(),
                _ => text.to_owned(),
            };
            let layer = layer(&[(name, &text)]).unwrap();
            assert!(layer.ignored.is_empty());
            assert_eq!(layer.server.source(knob.key), Source::Variable(name));
        }
        for (knob, name) in APPS.iter().zip(own_names::of_apps()) {
            let default = (knob.show)(&App::new("i", "k", "s"));
            let text = match default.trim_matches('"') {
                "[]" if matches!(knob.accepts, Accepts::Origins) => "a.example",
                text => text,
            };
            let layer = layer(&[(name, text)]).unwrap();
            assert!(layer.ignored.is_empty());
            assert_eq!(layer.app.source(knob.key), Source::Variable(name));
        }
    }

    #[test]
    fn every_name_of_every_table_is_taken() {
        let name = |knob: &Knob<App>, variable: &Variable| {
            let accepted = ["2000", "5", "true", "all", "[]", "name"].into_iter();
            let fits = |text: &&str| variable.read(&knob.accepts, text).is_ok();
            let value = accepted.rev().find(fits).expect(variable.name);
            (variable.name.to_owned(), value.to_owned())
        };
        for knob in APPS {
            for variable in knob.variables {
                let layer = read([name(knob, variable)]).unwrap();
                let (has, other) = match variable.every_app {
                    true => (layer.every_app.has(knob.key), layer.app.has(knob.key)),
                    false => (layer.app.has(knob.key), layer.every_app.has(knob.key)),
                };
                assert!(
                    has && !other && layer.ignored.is_empty(),
                    "{}",
                    variable.name
                );
            }
        }
    }

    #[test]
    fn names_of_soketi_reach_the_setting_they_mean() {
        let layer = layer(&[
            ("SOKETI_PATH_PREFIX", "/live"),
            ("SOKETI_USER_AUTHENTICATION_TIMEOUT", "5000"),
            ("SOKETI_DEFAULT_APP_USER_AUTHENTICATION", "true"),
            ("SOKETI_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SEC", "5"),
            ("SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC", "-1"),
            ("SOKETI_CHANNEL_CACHE_TTL", "60"),
            ("SOKETI_CHANNEL_LIMITS_MAX_NAME_LENGTH", "90"),
            ("SOKETI_EVENT_MAX_BATCH_SIZE", "11"),
            ("SOKETI_EVENT_MAX_CHANNELS_AT_ONCE", "12"),
            ("SOKETI_EVENT_MAX_NAME_LENGTH", "13"),
            ("SOKETI_EVENT_MAX_SIZE_IN_KB", "14"),
            ("SOKETI_PRESENCE_MAX_MEMBERS", "15"),
            ("SOKETI_PRESENCE_MAX_MEMBER_SIZE", "16"),
        ])
        .unwrap();
        assert!(layer.ignored.is_empty());
        let mut config = Config::default();
        layer.server.apply(&mut config);
        assert_eq!(
            (&config.path_prefix[..], config.sign_in_ms),
            ("/live", 5000)
        );
        let mut app = App::new("", "", "");
        layer.app.apply(&mut app);
        assert!(app.user_authentication);
        let rates = (app.backend_events_per_second, app.read_requests_per_second);
        assert_eq!(rates, (Some(5), None));
        let mut every = App::new("", "", "");
        layer.every_app.apply(&mut every);
        assert_eq!((every.cache_ttl_s, every.channel_name_chars), (60, 90));
        assert_eq!((every.batch_events, every.channels_per_event), (11, 12));
        assert_eq!(
            (every.event_name_chars, every.event_data_bytes),
            (13, 14 << 10)
        );
        let presence = (every.presence_members, every.presence_member_bytes);
        assert_eq!(presence, (15, 16 << 10));
    }

    #[test]
    fn names_of_reverb_reach_the_same_settings() {
        let layer = layer(&[
            ("REVERB_SERVER_HOST", "::1"),
            ("REVERB_SERVER_PORT", "8080"),
            ("REVERB_SERVER_PATH", "/live"),
            ("REVERB_MAX_REQUEST_SIZE", "20000"),
            ("REVERB_APP_MAX_MESSAGE_SIZE", "15000"),
            ("REVERB_APP_ID", "7"),
            ("REVERB_APP_KEY", "k"),
            ("REVERB_APP_SECRET", "s"),
            ("REVERB_APP_MAX_CONNECTIONS", "9"),
            ("REVERB_APP_ACTIVITY_TIMEOUT", "30"),
        ])
        .unwrap();
        let mut config = Config::default();
        layer.server.apply(&mut config);
        assert_eq!((config.host.to_string(), config.port), ("::1".into(), 8080));
        assert_eq!((config.body_bytes, config.message_bytes), (20_000, 15_000));
        assert_eq!(config.path_prefix, "/live");
        let mut app = App::new("", "", "");
        layer.app.apply(&mut app);
        let names = (&app.id[..], &app.key[..], app.secret.expose());
        assert_eq!(names, ("7", "k", "s"));
        assert_eq!((app.max_connections, app.activity_timeout_s), (Some(9), 30));
        assert_eq!(app.event_data_bytes, 15_000);
        assert!(layer.ignored.is_empty());
    }

    #[test]
    fn files_of_soketis_tls_are_known_and_what_cannot_be_done_is_refused() {
        let layer = layer(&[
            ("SOKETI_SSL_CERT", "/tls/a.pem"),
            ("SOKETI_SSL_KEY", "/tls/a.key"),
            ("SOKETI_SSL_PASS", ""),
        ]);
        let layer = layer.unwrap();
        let mut config = Config::default();
        layer.server.apply(&mut config);
        assert_eq!(config.tls_cert, Some("/tls/a.pem".into()));
        assert_eq!(config.tls_key, Some("/tls/a.key".into()));
        assert!(layer.ignored.is_empty());
        for (name, reason) in [
            ("SOKETI_SSL_PASS", "is encrypted is not supported"),
            ("SOKETI_SSL_CA", "certificates of clients are not asked for"),
        ] {
            let error = self::layer(&[(name, "canary")]).err().unwrap();
            let told = error.to_string();
            assert!(told.starts_with(name) && told.contains(reason), "{told}");
            assert!(!format!("{told} {error:?}").contains("canary"), "{told}"); // F29
        }
    }

    #[test]
    fn one_setting_of_reverb_is_two_here() {
        // Q14
        for (word, client_events, on_public) in [
            ("all", true, true),
            ("members", true, false),
            ("none", false, false),
        ] {
            let layer = layer(&[("REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", word)]).unwrap();
            let mut app = App::new("", "", "");
            layer.app.apply(&mut app);
            let got = (app.client_events, app.allow_client_events_on_public);
            assert_eq!(got, (client_events, on_public), "{word}");
        }
        let error = layer(&[("REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", "true")]);
        let error = error.err().unwrap().to_string();
        assert!(
            error.ends_with("expected one of all, members, none."),
            "{error}"
        );
    }

    #[test]
    fn two_names_of_one_setting_say_the_same_or_are_refused() {
        let both = [("SOKETI_PORT", "7001"), ("REVERB_SERVER_PORT", "7001")];
        let agreed = layer(&both).unwrap();
        assert_eq!(
            agreed.server.source("port"),
            Source::Variable("SOKETI_PORT")
        );
        assert!(agreed.ignored.is_empty());
        for (first, second) in [
            (("SOKETI_PORT", "7001"), ("REVERB_SERVER_PORT", "7002")),
            (("SOKETI_PATH_PREFIX", "/a"), ("REVERB_SERVER_PATH", "/b")),
            (
                ("SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", "0"),
                ("REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", "all"),
            ),
        ] {
            let error = layer(&[second, first]).err().unwrap().to_string();
            assert!(error.starts_with(second.0), "{error}");
            assert!(
                error.contains(&format!("the same as in {}", first.0)),
                "{error}"
            );
        }
        let secrets = [
            ("SOKETI_DEFAULT_APP_SECRET", "canary"),
            ("REVERB_APP_SECRET", "canary2"),
        ];
        let error = layer(&secrets).err().unwrap();
        assert!(
            !format!("{error} {error:?}").contains("canary"),
            "{error:?}"
        ); // F29
        let soketi = layer(&[("SOKETI_PATH_PREFIX", "/a/"), ("REVERB_SERVER_PATH", "a")]);
        assert!(soketi.is_ok(), "two spellings of one value");
    }

    #[test]
    fn names_that_are_no_settings_here_are_reported_whosever_they_are() {
        let layer = layer(&[("REVERB_SCALING_ENABLED", "true"), ("REVERB_HOST", "x")]);
        assert_eq!(
            layer.unwrap().ignored,
            ["REVERB_HOST", "REVERB_SCALING_ENABLED"]
        );
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

    #[test]
    fn a_secret_may_stand_in_a_file_or_be_a_credential() {
        let name = format!("shardcast-credentials-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let credential = folder.join("SOKETI_DEFAULT_APP_SECRET");
        let file = folder.join("other");
        std::fs::write(&file, "canary\n").unwrap();
        let (folder_text, file_text) = (folder.to_str().unwrap(), file.to_str().unwrap());
        let named = ("SOKETI_DEFAULT_APP_SECRET_FILE", file_text);
        let passed = ("CREDENTIALS_DIRECTORY", folder_text);
        let secret = |variables: &[(&str, &str)]| {
            let layer = layer(variables).map_err(|error| error.to_string())?;
            assert!(layer.ignored.is_empty());
            let mut app = App::new("", "", "");
            layer.app.apply(&mut app);
            let source = layer.app.source("secret").to_string();
            Ok::<_, String>((app.secret.expose().to_owned(), source))
        };
        let by_name = format!("SOKETI_DEFAULT_APP_SECRET_FILE ({file_text})");
        assert_eq!(secret(&[named]), Ok(("canary".into(), by_name)));
        assert_eq!(secret(&[passed]), Ok((String::new(), "default".into())));
        std::fs::write(&credential, "canary").unwrap();
        let by_systemd = format!(
            "credential SOKETI_DEFAULT_APP_SECRET ({})",
            credential.display()
        );
        assert_eq!(secret(&[passed]), Ok(("canary".into(), by_systemd)));
        // What says the same is no mistake; what says something else is.
        let variable = |value| ("SOKETI_DEFAULT_APP_SECRET", value);
        assert!(secret(&[passed, named, variable("canary")]).is_ok());
        let error = secret(&[named, variable("canary-other")]).unwrap_err();
        assert!(
            error.contains("expected the same as in SOKETI_DEFAULT_APP_SECRET,"),
            "{error}"
        );
        std::fs::write(&file, "").unwrap();
        let empty = secret(&[named]).unwrap_err();
        assert!(
            empty.starts_with("SOKETI_DEFAULT_APP_SECRET_FILE ("),
            "{empty}"
        );
        assert!(
            empty.contains("`apps.secret`: expected a readable file"),
            "{empty}"
        );
        std::fs::remove_dir_all(&folder).unwrap();
        for error in [error, empty] {
            assert!(!error.contains("canary"), "{error}");
        }
        let port = layer(&[
            ("SOKETI_PORT_FILE", "/x"),
            ("SOKETI_DEFAULT_APP_ID_FILE", "/x"),
        ]);
        let ignored = port.unwrap().ignored; // the first looks as if made by Kubernetes
        assert_eq!(
            ignored,
            ["SOKETI_DEFAULT_APP_ID_FILE"],
            "only secrets stand in files"
        );
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
