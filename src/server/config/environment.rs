//! The environment: our own variables, and those that users of other servers have.
//!
//! The variables come in as pairs, so that nothing but [`process_environment`] touches the process.
//! Only a secret may stand in a file instead, which is read here. Invariants: an empty variable
//! counts as unset; a variable that looks like ours but is not known is reported by name, never by
//! value; a name of another server is a setting, or is judged by what that server does with it; two
//! names of one setting say the same.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::app_knobs::APPS;
use super::apps::CREDENTIALS;
use super::foreign::{self, Rule, Verdict};
use super::knob::{Knob, Value};
use super::laravel_names::PING_INTERVAL;
use super::layers::{Settings, refused};
use super::own_names;
use super::secret_files;
use super::server_knobs::SERVER;
use super::settings::Config;
use super::suggest::{self, Candidate};
use super::variable::Variable;
use super::{kubernetes, ping};
use crate::app::App;
use crate::error::{ConfigError, Source};

/// How names begin of which an unknown one is probably a mistake.
const PREFIXES: [&str; 4] = [
    "SOKETI_",
    "REVERB_",
    "LARAVEL_WEBSOCKETS_",
    own_names::PREFIX,
];

/// All names that are known, our own made by the rule included.
static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let settings = SERVER.iter().flat_map(|knob| knob.variables);
    let settings = settings.chain(APPS.iter().flat_map(|knob| knob.variables));
    let own = own_names::of_server().iter().chain(own_names::of_apps());
    let all = settings.map(|variable| variable.name);
    let all = all.chain(foreign::variables().map(|name| name.variable));
    let all = all.chain(own.map(String::as_str));
    all.chain([own_names::CONFIG]).collect()
});

/// What variables say.
pub(super) struct EnvironmentLayer {
    /// The settings of the server.
    pub server: Settings<Config>,
    /// The settings of the one app that variables can describe.
    pub app: Settings<App>,
    /// What every app has that does not say otherwise.
    pub every_app: Settings<App>,
    /// Variables with a prefix of ours that mean nothing to us, in alphabetical order.
    pub ignored: Vec<String>,
    /// What else is to be said, a sentence each.
    pub told: Vec<String>,
    /// Whether the app has credentials that may be meant for another service.
    pub is_weak: bool,
    /// The configuration file, and what names it.
    pub config: Option<(PathBuf, Source)>,
    /// Names of other servers that are no settings here, and were judged.
    pub judged: Vec<&'static str>,
    /// Why some of those are refused.
    pub refused: Vec<ConfigError>,
    /// Seconds of silence until a ping, as Reverb counts them.
    ping_interval: Option<(u64, Source)>,
}

/// A variable, and where it stands when that is a file.
pub(super) struct Pair {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub value: String,
    /// The file and the line.
    pub place: Option<(PathBuf, usize)>,
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

/// Whether a variable means anything to us, or looks as if it did.
pub(super) fn is_ours(name: &str) -> bool {
    let is_known = |name: &str| KNOWN.contains(name);
    let of_file = name.strip_suffix(secret_files::SUFFIX);
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || is_known(name)
        || of_file.is_some_and(is_known)
}

/// Reads the variables of an environment that are ours.
///
/// # Errors
/// When the value of one is refused, or two names of one setting disagree.
pub(super) fn read(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<EnvironmentLayer, ConfigError> {
    let variables: Vec<_> = variables.into_iter().collect();
    let credentials = secret_files::directory(&variables);
    let pair = |(name, value)| Pair {
        name,
        value,
        place: None,
    };
    read_pairs(variables.into_iter().map(pair), credentials.as_deref())
}

/// Same, of variables from anywhere; `credentials` is where systemd has put those of the unit.
///
/// # Errors
/// As [`read`].
pub(super) fn read_pairs(
    pairs: impl IntoIterator<Item = Pair>,
    credentials: Option<&Path>,
) -> Result<EnvironmentLayer, ConfigError> {
    let ours = pairs.into_iter().filter(|pair| is_ours(&pair.name));
    let set = ours.filter(|pair| !foreign::is_nothing(&pair.name, &pair.value));
    let mut told = Vec::new();
    let set = set.filter(|pair| {
        let is_made = kubernetes::is_link(&pair.name, &pair.value);
        if is_made && KNOWN.contains(&*pair.name) {
            told.push(kubernetes::passed_over(&pair.name));
        }
        !is_made
    });
    let all: BTreeMap<String, Given> = set
        .map(|pair| {
            let (value, place) = (pair.value, pair.place);
            let used = false;
            (pair.name, Given { value, place, used })
        })
        .collect();
    let mut reader = Reader {
        given: all,
        credentials,
        told,
    };
    let (judged, refused) = reader.judge_foreign();
    let config = reader.config_file();
    let is_weak = reader.one_app();
    let server = reader.take(SERVER, "", own_names::of_server())?;
    let app = reader.take(APPS, "apps.", own_names::of_apps())?;
    let every_app = reader.take(APPS, "apps.", &[])?;
    // Our own name is for the very thing.
    let ping_interval = reader.ping_interval()?;
    let ping_interval = ping_interval.filter(|_| !server.has(ping::KEY));
    let rest = reader.given.into_iter().filter(|(_, given)| !given.used);
    let ignored = rest.map(|(name, _)| name);
    Ok(EnvironmentLayer {
        server,
        app,
        every_app,
        ignored: ignored.collect(),
        told: reader.told,
        is_weak,
        config,
        judged,
        refused,
        ping_interval,
    })
}

/// What to say of a variable that means nothing here.
pub(super) fn unknown(name: &str) -> String {
    let text = format!("the variable {name} is not known here and has no effect");
    let suggestion = PREFIXES.iter().find_map(|prefix| {
        let rest = name.strip_prefix(prefix)?;
        // What all of them begin with says nothing of how near two are.
        let known = KNOWN.iter().filter_map(|known| known.strip_prefix(prefix));
        let candidates = known.map(|name| Candidate {
            name,
            elsewhere: &[],
        });
        let meant = suggest::closest(rest, candidates)?;
        Some(format!("{text}; did you mean {prefix}{meant}?"))
    });
    suggestion.unwrap_or(text)
}

impl EnvironmentLayer {
    /// These over others. Credentials that may be meant for another service give way to others,
    /// wherever those are.
    pub(super) fn over(mut self, mut lower: EnvironmentLayer) -> EnvironmentLayer {
        let describes = |layer: &EnvironmentLayer| {
            CREDENTIALS.iter().any(|key| layer.app.has(key)) && !layer.is_weak
        };
        if describes(&self) && lower.is_weak {
            lower.forget_credentials();
        }
        if describes(&lower) && self.is_weak {
            self.forget_credentials();
        }
        lower.ping_interval = match self.server.has(ping::KEY) {
            true => None,
            false => self.ping_interval.or(lower.ping_interval),
        };
        lower.config = self.config.or(lower.config);
        let is_judged_anew = |error: &ConfigError| {
            let variable = error.source.variable();
            variable.is_some_and(|name| self.judged.contains(&name))
        };
        lower.refused.retain(|error| !is_judged_anew(error));
        lower.refused.extend(self.refused);
        lower.judged.extend(self.judged);
        lower.server.lay_over(self.server);
        lower.app.lay_over(self.app);
        lower.every_app.lay_over(self.every_app);
        lower.ignored.extend(self.ignored);
        lower.told.extend(self.told);
        lower.is_weak |= self.is_weak;
        lower
    }

    /// Makes settings of what took all variables to be known.
    ///
    /// # Errors
    /// When names of other servers are refused, all of which are told.
    pub(super) fn finish(mut self) -> Result<EnvironmentLayer, ConfigError> {
        if let Some(error) = foreign::together(std::mem::take(&mut self.refused)) {
            return Err(error);
        }
        if let Some((interval_s, source)) = self.ping_interval.take() {
            let told = ping::give(&mut self.server, &self.app, interval_s, source);
            self.told.extend(told);
        }
        Ok(self)
    }

    /// Leaves out which app it is.
    pub(super) fn forget_credentials(&mut self) {
        for key in CREDENTIALS {
            self.app.forget(key);
        }
        self.is_weak = false;
    }
}

/// What a variable holds, and whether something has been made of it.
struct Given {
    value: String,
    place: Option<(PathBuf, usize)>,
    used: bool,
}

impl Given {
    fn source(&self, name: &'static str) -> Source {
        match &self.place {
            None => Source::Variable(name),
            Some((path, line)) => Source::VariableOfFile {
                name,
                path: path.as_path().into(),
                line: *line,
            },
        }
    }
}

/// The variables while they are made settings of.
struct Reader<'c> {
    given: BTreeMap<String, Given>,
    credentials: Option<&'c Path>,
    told: Vec<String>,
}

impl Reader<'_> {
    /// Judges the names of other servers that are no settings here; gives which those are, and why
    /// some are refused.
    fn judge_foreign(&mut self) -> (Vec<&'static str>, Vec<ConfigError>) {
        let others = foreign::variables().filter(|name| !matches!(name.rule, Rule::Setting));
        let (mut judged, mut refused) = (Vec::new(), Vec::new());
        for name in others {
            let Some(given) = self.given.get_mut(name.variable) else {
                continue;
            };
            given.used = true;
            judged.push(name.variable);
            match name.judge(&given.value, &given.source(name.variable)) {
                Ok(Verdict::Fine) => {}
                Ok(Verdict::Told(sentence)) => self.told.push(sentence),
                Err(error) => refused.push(error),
            }
        }
        (judged, refused)
    }

    /// The configuration file, if a variable names one.
    fn config_file(&mut self) -> Option<(PathBuf, Source)> {
        let given = self.given.get_mut(own_names::CONFIG)?;
        given.used = true;
        Some((given.value.clone().into(), given.source(own_names::CONFIG)))
    }

    /// Sees that one service's names describe the app: weak ones are left out where others do, and
    /// where they are not whole. Gives whether it is weak ones.
    fn one_app(&mut self) -> bool {
        let knobs = || APPS.iter().filter(|knob| CREDENTIALS.contains(&knob.key));
        let own = own_names::of_apps().iter().take(CREDENTIALS.len());
        let strong = knobs().flat_map(|knob| knob.variables);
        let strong = strong.filter(|variable| !variable.is_weak);
        let mut strong = strong.map(|variable| variable.name);
        let is_strong = strong.any(|name| self.has(name)) || own.into_iter().any(|it| self.has(it));
        let weak = knobs().flat_map(|knob| knob.variables);
        let weak: Vec<&str> = weak
            .filter(|variable| variable.is_weak)
            .map(|variable| variable.name)
            .collect();
        let count = weak.iter().filter(|name| self.has(name)).count();
        if count == weak.len() && !is_strong {
            return true;
        }
        for name in &weak {
            self.given.remove(*name);
            self.given
                .remove(&format!("{name}{}", secret_files::SUFFIX));
        }
        if count > 0 && !is_strong {
            let names = weak.join(", ");
            let text = format!("{names} describe an app together; one is missing, so none counts");
            self.told.push(text);
        }
        false
    }

    /// Whether a variable is set, or a file or a credential in its place.
    fn has(&self, name: &str) -> bool {
        let in_file = || format!("{name}{}", secret_files::SUFFIX);
        let credential = self.credentials.map(|directory| directory.join(name));
        self.given.contains_key(name)
            || self.given.contains_key(&in_file())
            || credential.is_some_and(|path| path.exists())
    }

    /// Takes the variables of one table, with our own names for its settings. Without those it
    /// takes what sets something of every app instead of one.
    fn take<T>(
        &mut self,
        table: &'static [Knob<T>],
        prefix: &str,
        own_names: &'static [String],
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
                for (source, text) in self.texts(variable, knob.accepts.is_secret()) {
                    if variable.is_weak && first.is_some() {
                        continue;
                    }
                    let text = text.map_err(|reason| refuse(String::new(), &source, reason))?;
                    let read = variable.read(&knob.accepts, &text);
                    let better = own.iter().chain(knob.variables).next();
                    let better = better.map_or(variable.name, |it| it.name);
                    let read = match variable.is_bare {
                        true => match self.read_bare(read, &source, better) {
                            Some(value) => Ok(value),
                            None => continue,
                        },
                        false => read,
                    };
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

    /// A name without a prefix may be another program's: it counts, and is told, where it makes
    /// sense.
    fn read_bare(
        &mut self,
        read: Result<Value, String>,
        source: &Source,
        better: &str,
    ) -> Option<Value> {
        let text = match &read {
            Ok(_) => {
                format!("{source} is taken for soketi's, whose documents have it; say {better}")
            }
            Err(reason) => format!("{source} has no effect: {reason}"),
        };
        self.told.push(text);
        read.ok()
    }

    /// What a variable says, with where it says so. Of a secret it may also be a file that is named
    /// by the variable with `_FILE` at its end, or a credential of the variable's name.
    fn texts(
        &mut self,
        variable: &Variable,
        is_secret: bool,
    ) -> Vec<(Source, Result<String, String>)> {
        let mut all = Vec::new();
        if let Some(given) = self.given.get_mut(variable.name) {
            given.used = true;
            all.push((given.source(variable.name), Ok(given.value.clone())));
        }
        if !is_secret {
            return all;
        }
        let file = |named_by: String, path: PathBuf| {
            let text = secret_files::read(&path);
            (Source::SecretFile { named_by, path }, text)
        };
        let by_variable = format!("{}{}", variable.name, secret_files::SUFFIX);
        if let Some(given) = self.given.get_mut(&by_variable) {
            given.used = true;
            all.push(file(by_variable, given.value.clone().into()));
        }
        let credential = self
            .credentials
            .map(|directory| directory.join(variable.name));
        if let Some(path) = credential.filter(|path| path.exists()) {
            all.push(file(format!("credential {}", variable.name), path));
        }
        all
    }

    /// What Reverb's name for it says of silence until a ping.
    fn ping_interval(&mut self) -> Result<Option<(u64, Source)>, ConfigError> {
        let Some(given) = self.given.get_mut(PING_INTERVAL) else {
            return Ok(None);
        };
        given.used = true;
        let source = given.source(PING_INTERVAL);
        let interval_s = ping::read(&given.value, &source)?;
        Ok(Some((interval_s, source)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::config::knob::Accepts;

    /// What variables say, when no name of another server is refused.
    fn layer(variables: &[(&str, &str)]) -> Result<EnvironmentLayer, ConfigError> {
        let mut layer = whole(variables)?;
        match foreign::together(std::mem::take(&mut layer.refused)) {
            Some(error) => Err(error),
            None => Ok(layer),
        }
    }

    fn whole(variables: &[(&str, &str)]) -> Result<EnvironmentLayer, ConfigError> {
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
            // Credentials that may be meant for another service count together only.
            let alone = |variable: &&Variable| variable.is_bare || !variable.is_weak;
            for variable in knob.variables.iter().filter(alone) {
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
        assert!(
            !layer.app.has("event_data_bytes"),
            "it is for frames of clients"
        );
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
    fn names_that_are_no_settings_here_are_judged_whosever_they_are() {
        let fine = layer(&[
            ("REVERB_SCALING_ENABLED", "(false)"),
            ("REVERB_HOST", "x"),
            ("WEBSOCKETS_REPLICATION_MODE", "local"),
        ]);
        let fine = fine.unwrap();
        assert!(fine.ignored.is_empty() && fine.told.is_empty());
        for name in ["REVERB_SCALING_ENABLED", "WEBSOCKETS_REPLICATION_MODE"] {
            let error = layer(&[(name, "true")]).err().unwrap().to_string();
            assert!(error.starts_with(&format!("{name}: `")), "{error}");
            assert!(
                error.contains("cannot be \"true\": one process serves"),
                "{error}"
            );
        }
        let told = layer(&[("REVERB_PULSE_INGEST_INTERVAL", "20")])
            .unwrap()
            .told;
        assert!(told[0].starts_with("REVERB_PULSE_INGEST_INTERVAL has no effect: "));
        assert!(
            layer(&[("REVERB_PULSE_INGEST_INTERVAL", "15")])
                .unwrap()
                .told
                .is_empty()
        );
    }

    #[test]
    fn a_ping_interval_of_reverb_begins_with_the_silence() {
        let grace = |variables: &[(&str, &str)]| {
            let layer = layer(variables).map_err(|error| error.to_string())?;
            assert!(layer.ignored.is_empty());
            let finished = layer.finish().map_err(|error| error.to_string())?;
            let mut config = Config::default();
            finished.server.apply(&mut config);
            assert!(finished.told.len() <= 1);
            let is_told = finished
                .told
                .iter()
                .any(|told| told.contains("nobody is pinged"));
            Ok::<_, String>((config.activity_grace_ms, is_told))
        };
        let is_below = |variables: &[_]| grace(variables).map(|(_, is_told)| is_told);
        let grace = |variables: &[_]| grace(variables).map(|(grace, _)| grace);
        let interval = |text| (PING_INTERVAL, text);
        let timeout = ("REVERB_APP_ACTIVITY_TIMEOUT", "20");
        assert_eq!(grace(&[interval("60")]), Ok(30_000));
        assert_eq!(grace(&[interval("60"), timeout]), Ok(40_000));
        assert_eq!(
            grace(&[interval("20"), timeout]),
            Ok(100),
            "the least there is"
        );
        assert_eq!(is_below(&[interval("20"), timeout]), Ok(false));
        assert_eq!(is_below(&[interval("19"), timeout]), Ok(true));
        assert_eq!(
            is_below(&[interval("29")]),
            Ok(true),
            "Reverb's own timeout"
        );
        assert_eq!(grace(&[interval("3600"), timeout]), Ok(3_580_000));
        let own = ("SHARDCAST_ACTIVITY_GRACE_MS", "5000");
        assert_eq!(grace(&[interval("60"), own]), Ok(5000));
        for text in ["0", "3601", "soon"] {
            let error = grace(&[interval(text)]).unwrap_err();
            let start =
                format!("{PING_INTERVAL}: `activity_grace_ms` cannot be {text:?}: expected");
            assert!(error.starts_with(&start), "{error}");
        }
    }

    #[test]
    fn credentials_of_hosted_pusher_count_where_no_others_do() {
        let pusher = [
            ("PUSHER_APP_ID", "7"),
            ("PUSHER_APP_KEY", "k"),
            ("PUSHER_APP_SECRET", "canary"),
            ("PUSHER_HOST", "example.com"),
            ("PUSHER_PORT", "443"),
            ("PUSHER_APP_CLUSTER", "eu"),
        ];
        let id = |layer: &EnvironmentLayer| {
            let mut app = App::new("", "", "");
            layer.app.apply(&mut app);
            app.id
        };
        let alone = layer(&pusher).unwrap();
        assert!(alone.is_weak && alone.told.is_empty() && alone.ignored.is_empty());
        assert_eq!(id(&alone), "7");
        assert!(!alone.server.has("host") && !alone.server.has("port"));
        let with = layer(&[&pusher[..], &[("REVERB_APP_ID", "8")]].concat()).unwrap();
        assert!(!with.is_weak && !with.app.has("key"));
        assert_eq!(id(&with), "8");
        let part = layer(&pusher[..2]).unwrap();
        assert!(!part.is_weak && !part.app.has("id"));
        assert!(part.told[0].contains("PUSHER_APP_SECRET describe an app together"));
        let port = layer(&[("LARAVEL_WEBSOCKETS_PORT", "1"), ("SOKETI_PORT", "2")]).unwrap();
        assert_eq!(port.server.source("port"), Source::Variable("SOKETI_PORT"));
        assert!(port.ignored.is_empty());
    }

    #[test]
    fn one_layer_lies_over_another_and_weak_credentials_under_all() {
        let strong = |id| [("SOKETI_DEFAULT_APP_ID", id), ("SOKETI_PORT", "1")];
        let weak = [
            ("PUSHER_APP_ID", "7"),
            ("PUSHER_APP_KEY", "k"),
            ("PUSHER_APP_SECRET", "canary"),
            ("LARAVEL_WEBSOCKETS_PORT", "2"),
        ];
        let both = |upper: &[_], lower: &[_]| {
            let both = layer(upper).unwrap().over(layer(lower).unwrap());
            let mut app = App::new("", "", "");
            both.app.apply(&mut app);
            let mut config = Config::default();
            both.server.apply(&mut config);
            (app.id, app.key, config.port, both.is_weak)
        };
        let text = str::to_owned;
        assert_eq!(
            both(&strong("8"), &strong("9")),
            (text("8"), text(""), 1, false)
        );
        assert_eq!(both(&strong("8"), &weak), (text("8"), text(""), 1, false));
        assert_eq!(both(&weak, &strong("8")), (text("8"), text(""), 2, false));
        assert_eq!(both(&weak, &weak), (text("7"), text("k"), 2, true));
    }

    #[test]
    fn names_without_a_prefix_count_with_a_warning() {
        let layer = layer(&[
            ("HTTP_MAX_REQUEST_SIZE", "100"),
            ("CHANNEL_MAX_NAME_LENGTH", "90"),
            ("DEBUG", "express:*"),
        ]);
        let layer = layer.unwrap();
        let mut config = Config::default();
        layer.server.apply(&mut config);
        assert_eq!((config.body_bytes, config.debug), (100 << 20, false));
        let mut app = App::new("", "", "");
        layer.every_app.apply(&mut app);
        assert_eq!(app.channel_name_chars, 90);
        assert_eq!(layer.told.len(), 2);
        assert!(
            layer.told[0].ends_with("say SHARDCAST_BODY_BYTES"),
            "{:?}",
            layer.told
        );
        let nonsense = self::layer(&[("HTTP_MAX_REQUEST_SIZE", "10M")]).unwrap();
        assert!(!nonsense.server.has("body_bytes"));
        let told = &nonsense.told[0];
        assert!(
            told.starts_with("HTTP_MAX_REQUEST_SIZE has no effect: expected"),
            "{told}"
        );
        let prefixed = [
            ("SOKETI_HTTP_MAX_REQUEST_SIZE", "2"),
            ("HTTP_MAX_REQUEST_SIZE", "3"),
        ];
        let prefixed = self::layer(&prefixed).unwrap();
        let source = prefixed.server.source("body_bytes");
        assert_eq!(source, Source::Variable("SOKETI_HTTP_MAX_REQUEST_SIZE"));
        assert!(prefixed.told.is_empty());
    }

    #[test]
    fn an_unknown_name_is_told_with_the_one_that_was_meant() {
        for (name, meant) in [
            ("SOKETI_DEFAULT_APP_SECRT", "SOKETI_DEFAULT_APP_SECRET"),
            ("SOKETI_REDIS_HOST", "SOKETI_DB_REDIS_HOST"),
            ("REVERB_SERVER_PROT", "REVERB_SERVER_PORT"),
            ("SHARDCAST_PROT", "SHARDCAST_PORT"),
            ("SHARDCAST_APP_CLIENT_EVENT", "SHARDCAST_APP_CLIENT_EVENTS"),
        ] {
            let end = format!("has no effect; did you mean {meant}?");
            assert!(unknown(name).ends_with(&end), "{}", unknown(name));
        }
        assert!(unknown("SHARDCAST_TEST_SERVER").ends_with("has no effect"));
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
    fn a_port_made_by_kubernetes_is_passed_over_with_a_warning() {
        for name in [
            "SOKETI_PORT",
            "SHARDCAST_ADMIN_PORT",
            "REVERB_SERVER_PORT",
            "SOKETI_DB_REDIS_PORT",
        ] {
            let layer = layer(&[(name, "tcp://10.0.0.1:6001")])
                .unwrap()
                .finish()
                .unwrap();
            assert!(!layer.server.has("port") && !layer.server.has("admin_port"));
            assert!(layer.ignored.is_empty());
            let [told] = &layer.told[..] else {
                panic!("one warning: {:?}", layer.told);
            };
            assert!(
                told.starts_with(name) && told.contains("enableServiceLinks: false"),
                "{told}"
            );
        }
        let made = [
            ("REVERB_SERVICE_HOST", "10.0.0.1"),
            ("REVERB_SERVICE_PORT", "8080"),
            ("REVERB_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("SHARDCAST_ADMIN_SERVICE_HOST", "10.0.0.1"),
            ("SHARDCAST_LIVE_PORT", "tcp://10.0.0.1:1"),
        ];
        let layer = layer(&made).unwrap();
        assert!(layer.told.is_empty() && layer.ignored.is_empty());
    }

    #[test]
    fn a_timeout_counts_for_the_interval_wherever_it_stands() {
        let grace = |upper: &[_], lower: &[_]| {
            let both = layer(upper).unwrap().over(layer(lower).unwrap());
            let finished = both.finish().unwrap();
            let mut config = Config::default();
            finished.server.apply(&mut config);
            config.activity_grace_ms
        };
        let interval = [(PING_INTERVAL, "90")];
        let timeout = [("REVERB_APP_ACTIVITY_TIMEOUT", "20")];
        let own = [("SHARDCAST_ACTIVITY_GRACE_MS", "5000")];
        assert_eq!(grace(&interval, &timeout), 70_000);
        assert_eq!(grace(&timeout, &interval), 70_000);
        assert_eq!(grace(&own, &interval), 5000);
        assert_eq!(
            grace(&interval, &own),
            60_000,
            "the environment wins over .env"
        );
        assert_eq!(grace(&interval, &[(PING_INTERVAL, "40")]), 60_000);
    }

    #[test]
    fn all_refused_names_are_told_at_once() {
        let names = [
            ("SOKETI_DB_REDIS_HOST", "redis"),
            ("SOKETI_DB_REDIS_PASSWORD", "canary"),
            ("SOKETI_QUEUE_DRIVER", "sqs"),
        ];
        let both = whole(&names[..2])
            .unwrap()
            .over(whole(&names[2..]).unwrap());
        for layer in [both, whole(&names).unwrap()] {
            let error = layer.finish().err().unwrap().to_string();
            for (name, _) in names {
                assert!(error.contains(name), "{error}");
            }
            assert_eq!(
                error.matches("nothing is kept in Redis").count(),
                1,
                "{error}"
            );
            assert!(error.contains("webhooks wait in this process"), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
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
        let ignored = port.unwrap().ignored;
        let not_secret = ["SOKETI_DEFAULT_APP_ID_FILE", "SOKETI_PORT_FILE"];
        assert_eq!(ignored, not_secret, "only secrets stand in files");
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
