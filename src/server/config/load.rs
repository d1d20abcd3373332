//! All sources together: arguments, file and environment in, a [`Config`] out.
//!
//! It only orders the steps. Invariant: the first thing that is wrong ends it; nothing is replaced
//! by a default.

use std::ffi::OsString;
use std::fmt;

use super::app_knobs::APPS;
use super::apps::{self, BuiltApp, Unconfigured};
use super::check;
use super::cli::{self, Flags, UsageError};
use super::env_file::EnvFile;
use super::environment::{self, EnvironmentLayer};
use super::family::Family;
use super::file;
use super::fit;
use super::layers::{AppSettings, Settings};
use super::secret_files;
use super::server_knobs::SERVER;
use super::settings::Config;
use crate::error::{ConfigError, Source};

/// Certificate authorities are read when webhooks are made ready.
const CA_FILE: &str = "webhook_ca_file";

/// A checked configuration.
pub struct Invocation {
    /// The configuration in force.
    pub config: Config,
    /// What is allowed but probably not meant, one sentence each.
    pub warnings: Vec<String>,
    /// What else there is to know of it, one sentence each.
    pub notes: Vec<String>,
    /// Who set what; kept for printing.
    pub(super) server: Settings<Config>,
    /// The same for each of `config.apps`.
    pub(super) apps: Vec<AppSettings>,
}

/// Where settings are from that are refused only when they are used.
pub(in crate::server) struct Blame {
    webhook_ca_file: Source,
}

impl Invocation {
    /// Where settings are from that are refused only when they are used.
    pub(in crate::server) fn blame(&self) -> Blame {
        Blame {
            webhook_ca_file: self.server.source(CA_FILE),
        }
    }
}

impl Blame {
    /// The error of a reason that begins with key and value, as those about files do.
    pub(in crate::server) fn of(&self, reason: &str) -> Option<ConfigError> {
        let rest = reason.strip_prefix(CA_FILE)?.strip_prefix(' ')?;
        let (value, why) = rest.split_once(": ")?;
        Some(ConfigError {
            key: CA_FILE.to_owned(),
            value: Some(value.to_owned()),
            source: self.webhook_ca_file.clone(),
            reason: why.to_owned(),
        })
    }
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum Halt {
    /// Help was asked for, or an argument is unknown.
    Usage(UsageError),
    /// A setting is refused.
    Config(ConfigError),
}

impl Halt {
    /// What the process exits with: 0, 64 or 78.
    pub fn exit_code(&self) -> u8 {
        match self {
            Halt::Usage(end) => end.exit_code(),
            Halt::Config(_) => ConfigError::EXIT_CODE,
        }
    }

    /// Whether the text is what was asked for and belongs on standard output.
    pub fn is_answer(&self) -> bool {
        matches!(self, Halt::Usage(end) if end.is_answer())
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Halt::Usage(end) => end.fmt(f),
            Halt::Config(error) => writeln!(f, "shardcast: {error}"),
        }
    }
}

impl std::error::Error for Halt {}

impl From<ConfigError> for Halt {
    fn from(error: ConfigError) -> Halt {
        Halt::Config(error)
    }
}

/// Reads arguments (the first is the program's name, the rest are flags), the file they name, and
/// the environment.
///
/// `usable_cores` are the cores this process may run on; `unconfigured` says what is served when
/// no app is given.
///
/// # Errors
/// [`Halt`] says whom to answer what, and with which exit code.
pub fn load(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (String, String)>,
    usable_cores: &[usize],
    unconfigured: Unconfigured,
) -> Result<Invocation, Halt> {
    let flags = cli::parse(arguments)?;
    Ok(load_flags(flags, environment, usable_cores, unconfigured)?)
}

/// Same, of flags that were taken apart.
///
/// # Errors
/// When a setting is refused.
pub(in crate::server) fn load_flags(
    flags: Flags,
    environment: impl IntoIterator<Item = (String, String)>,
    usable_cores: &[usize],
    unconfigured: Unconfigured,
) -> Result<Invocation, ConfigError> {
    gather(flags, environment, unconfigured)?.finish(usable_cores)
}

/// What all sources say, for who wants to reach a server, not to be one: nothing is asked of this
/// machine, nor whether it makes sense together.
///
/// # Errors
/// When a setting is refused.
pub(in crate::server) fn overview(
    flags: Flags,
    environment: impl IntoIterator<Item = (String, String)>,
    unconfigured: Unconfigured,
) -> Result<Config, ConfigError> {
    let given = gather(flags, environment, unconfigured)?;
    let mut config = Config::default();
    given.server.apply(&mut config);
    config.apps = given.apps.into_iter().map(|built| built.app).collect();
    Ok(config)
}

/// What flags and variables say of the server alone, for when the file, an app or `.env` is
/// refused.
///
/// # Errors
/// When a setting among those is refused.
pub(in crate::server) fn overview_without_file(
    flags: Flags,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let environment: Vec<_> = environment.into_iter().collect();
    let variables = match read_variables(environment.clone(), &flags.env_file) {
        Ok(variables) => variables,
        Err(_) => environment::read(environment)?,
    };
    let mut server = Settings::new(SERVER);
    server.lay_over(variables.server);
    server.lay_over(flags.server);
    if let Some(family) = Family::of(&variables.app) {
        family.complete_server(&mut server, false);
    }
    let mut config = Config::default();
    server.apply(&mut config);
    Ok(config)
}

/// What all sources say, each value by itself accepted.
pub(super) struct Given {
    pub(super) server: Settings<Config>,
    pub(super) apps: Vec<BuiltApp>,
    /// What is to be said of what was read, a sentence each.
    told: Vec<String>,
    /// The server that its names are of.
    family: Option<&'static Family>,
}

/// Reads all sources; see [`load`].
///
/// # Errors
/// As [`load_flags`], but for what makes no sense together.
pub(super) fn gather(
    flags: Flags,
    environment: impl IntoIterator<Item = (String, String)>,
    unconfigured: Unconfigured,
) -> Result<Given, ConfigError> {
    let environment: Vec<_> = environment.into_iter().collect();
    let credentials = secret_files::directory(&environment);
    // They may name the file. Credentials of theirs that may be meant for another service count for
    // nothing beside its apps.
    let mut server = Settings::new(SERVER);
    let mut file_apps = Vec::new();
    let mut every_app = Settings::new(APPS);
    let mut told = Vec::new();
    let mut family = None;
    let mut variables = read_variables(environment, &flags.env_file)?;
    let by_flag = flags.file.map(|path| (path, Source::Flag("config")));
    let named = by_flag.or_else(|| variables.config.take());
    if let Some((path, named_by)) = &named {
        let mut layer = file::load(path, named_by, credentials.as_deref())?;
        layer.judge(&variables.judged)?;
        server.lay_over(layer.server);
        every_app = layer.every_app;
        file_apps = layer.apps;
        told = layer.told;
        family = layer.is_soketis.then(Family::soketi);
    }
    if variables.is_weak && !file_apps.is_empty() {
        variables.forget_credentials();
    }
    let variables = variables.finish()?;
    server.lay_over(variables.server);
    server.lay_over(flags.server);
    every_app.lay_over(variables.every_app);
    let mut app = apps::join(&mut file_apps, variables.app, family.is_some());
    if file_apps.is_empty() {
        family = Family::of(&app);
        family.into_iter().for_each(|it| it.complete_app(&mut app));
    }
    let apps = apps::build(file_apps, app, &every_app, unconfigured)?;
    if let Some(family) = family {
        let is_demo = |built: &BuiltApp| apps::has_demo_credentials(&built.app);
        family.complete_server(&mut server, apps.iter().any(is_demo));
    }
    told.extend(variables.told);
    told.extend(
        variables
            .ignored
            .iter()
            .map(|name| environment::unknown(name)),
    );
    Ok(Given {
        server,
        apps,
        told,
        family,
    })
}

/// The variables of the environment over those of a `.env` file.
fn read_variables(
    environment: Vec<(String, String)>,
    file: &EnvFile,
) -> Result<EnvironmentLayer, ConfigError> {
    let lower = file.load(&environment)?;
    let variables = environment::read(environment)?;
    Ok(match lower {
        Some(lower) => variables.over(lower),
        None => variables,
    })
}

impl Given {
    /// The configuration it makes.
    ///
    /// # Errors
    /// What makes no sense together or on this machine.
    pub(super) fn finish(mut self, usable_cores: &[usize]) -> Result<Invocation, ConfigError> {
        let mut config = Config::default();
        self.server.apply(&mut config);
        let home = fit::all(&mut config, &self.server, &mut self.apps);
        let mut warnings = check::check(&config, &self.server, &self.apps, usable_cores)?;
        warnings.extend(home);
        warnings.append(&mut self.told);
        let mut apps = self.apps.iter();
        config.demo = apps.any(|built| apps::has_demo_credentials(&built.app));
        let apps = self.apps.into_iter();
        let (finished, apps): (_, Vec<_>) = apps.map(|BuiltApp { app, from }| (app, from)).unzip();
        config.apps = finished;
        let note = self.family.and_then(|family| {
            let both = config.apps.iter().zip(&apps);
            let both = both.map(|(app, from): (_, &AppSettings)| (&from.settings, app));
            family.differences((&self.server, &config), &both.collect::<Vec<_>>())
        });
        Ok(Invocation {
            notes: note.into_iter().collect(),
            config,
            warnings,
            server: self.server,
            apps,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A configuration file that is removed when the test ends.
    struct ConfigFile(PathBuf);

    impl ConfigFile {
        fn new(test: &str, text: &str) -> ConfigFile {
            let name = format!("shardcast-load-{test}-{}.toml", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, text).unwrap();
            ConfigFile(path)
        }

        fn flag(&self) -> String {
            format!("--config={}", self.0.display())
        }
    }

    impl Drop for ConfigFile {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn loaded(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Invocation, Halt> {
        let all = std::iter::once("shardcast").chain(arguments.iter().copied());
        let pairs = variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        load(
            all.map(OsString::from),
            pairs,
            &[0, 1],
            Unconfigured::DemoApp,
        )
    }

    fn error(arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let halt = loaded(arguments, variables).err().expect("it is refused");
        assert_eq!(halt.exit_code(), 78);
        assert!(!halt.is_answer());
        halt.to_string()
    }

    const OWN: [(&str, &str); 3] = [
        ("SOKETI_DEFAULT_APP_ID", "9"),
        ("SOKETI_DEFAULT_APP_KEY", "k9"),
        ("SOKETI_DEFAULT_APP_SECRET", "canary"),
    ];

    #[test]
    fn nothing_configured_is_the_demo_on_loopback() {
        let got = loaded(&[], &[]).unwrap();
        let config = &got.config;
        assert_eq!(
            (config.host.to_string(), config.port),
            ("127.0.0.1".to_owned(), 6001)
        );
        assert!(config.demo && config.apps[0].client_events);
        assert_eq!((config.apps.len(), &config.apps[0].id[..]), (1, "1001"));
        assert!(got.warnings.is_empty());
    }

    #[test]
    fn later_sources_win() {
        let file = ConfigFile::new("order", "port = 1\nshards = 1\nbacklog = 11\n");
        let variables = [("SOKETI_PORT", "2")];
        let port = |arguments: &[&str], variables: &[(&str, &str)]| {
            loaded(arguments, variables).unwrap().config.port
        };
        assert_eq!(port(&[], &[]), 6001);
        assert_eq!(port(&[&file.flag()], &[]), 1);
        assert_eq!(port(&[&file.flag()], &variables), 2);
        assert_eq!(port(&[&file.flag(), "--port", "3"], &variables), 3);
        let all = loaded(&[&file.flag(), "--shards", "4"], &variables)
            .ok()
            .unwrap()
            .config;
        assert_eq!((all.port, all.shards, all.backlog), (2, Some(4), 11));
    }

    #[test]
    fn the_demo_credentials_stay_on_loopback() {
        for host in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "localhost",
            "::ffff:127.0.0.1",
        ] {
            assert!(
                loaded(&["--host", host], &[]).is_ok_and(|got| got.config.demo),
                "{host}"
            );
        }
        for host in [
            "0.0.0.0",
            "::",
            "10.0.0.1",
            "::ffff:10.0.0.1",
            "2001:db8::1",
        ] {
            let error = error(&["--host", host], &[]);
            assert!(error.starts_with(&format!("shardcast: --host: `host` cannot be {host:?}:")));
            assert!(error.contains("SOKETI_DEFAULT_APP_SECRET") && error.contains("[[apps]]"));
            assert!(
                loaded(&["--host", host], &OWN).is_ok_and(|got| !got.config.demo),
                "{host}"
            );
        }
        let error = error(&[], &[("SOKETI_HOST", "0.0.0.0")]);
        assert!(
            error.starts_with("shardcast: SOKETI_HOST: `host` cannot be"),
            "{error}"
        );
    }

    #[test]
    fn the_demo_credentials_are_known_wherever_they_come_from() {
        let copied = [
            ("SOKETI_DEFAULT_APP_ID", "7"),
            ("SOKETI_DEFAULT_APP_KEY", "app-key"),
            ("SOKETI_DEFAULT_APP_SECRET", "app-secret"),
        ];
        assert!(loaded(&[], &copied).is_ok_and(|got| got.config.demo));
        let error = error(&["--host", "0.0.0.0"], &copied);
        assert!(error.contains("demo credentials"), "{error}");
    }

    #[test]
    fn cores_have_to_exist() {
        assert_eq!(loaded(&["--cores", "1"], &[]).unwrap().config.cores, [1]);
        assert_eq!(
            error(&["--cores", "0-2"], &[]),
            "shardcast: --cores: `cores` cannot be \"0-2\": core 2 is not one this process may run \
             on; expected some of 0-1.\n"
        );
    }

    #[test]
    fn an_event_has_to_fit_the_servers_limits() {
        for (flag, name) in [
            ("--body-bytes", "body_bytes"),
            ("--message-bytes", "message_bytes"),
        ] {
            let most = |bytes: &str| {
                let config = loaded(&[flag, bytes], &[]).unwrap().config;
                config.apps[0].event_data_bytes
            };
            assert_eq!((most("10240"), most("10239")), (10_240, 10_239), "{flag}");
            let asked = [("SHARDCAST_APP_EVENT_DATA_BYTES", "10240")];
            assert!(loaded(&[flag, "10240"], &asked).is_ok(), "{flag}");
            let error = error(&[flag, "10239"], &asked);
            assert!(
                error.contains("`apps.event_data_bytes` cannot be \"10240\""),
                "{error}"
            );
            assert!(
                error.contains(&format!("{name} (set by {flag})")),
                "{error}"
            );
        }
        let app = "[[apps]]\nid='1'\nkey='k'\nsecret='s'\nevent_data_bytes = 20000\n";
        let file = ConfigFile::new("event", app);
        assert!(loaded(&[&file.flag(), "--outbox-bytes", "20000"], &[]).is_ok());
        let error = error(&[&file.flag(), "--outbox-bytes", "19999"], &[]);
        assert!(error.contains(":5: `apps[0].event_data_bytes`"), "{error}");
    }

    #[test]
    fn a_message_is_large_enough_for_the_largest_event_unless_it_is_set() {
        let of = |variables: &[(&str, &str)]| {
            let config = loaded(&[], variables).unwrap().config;
            (config.message_bytes, config.apps[0].event_data_bytes)
        };
        let event = |kilobytes| ("SOKETI_EVENT_MAX_SIZE_IN_KB", kilobytes);
        assert_eq!(of(&[event("60")]), (65_536, 61_440));
        assert_eq!(of(&[event("61")]), (66_560, 62_464));
        assert_eq!(of(&[event("100")]), (106_496, 102_400));
        let message = ("SHARDCAST_MESSAGE_BYTES", "110000");
        assert_eq!(of(&[event("100"), message]), (110_000, 102_400));
    }

    #[test]
    fn body_and_outbox_follow_a_large_event_unless_they_are_set() {
        let event = ("SOKETI_EVENT_MAX_SIZE_IN_KB", "2000");
        let config = loaded(&[], &[event]).unwrap().config;
        let bytes = config.apps[0].event_data_bytes;
        assert_eq!(bytes, 2_048_000);
        assert!(config.body_bytes > 2 * bytes && config.outbox_bytes > 2 * bytes);
        let plain = loaded(&[], &[]).unwrap().config;
        assert_eq!((plain.body_bytes, plain.outbox_bytes), (1 << 20, 1 << 20));
        for flag in ["--body-bytes", "--outbox-bytes"] {
            assert!(loaded(&[flag, "2048000"], &[event]).is_ok(), "{flag}");
            let error = error(&[flag, "2047999"], &[event]);
            assert!(error.contains(&format!("(set by {flag})")), "{error}");
        }
    }

    #[test]
    fn the_hard_mark_follows_a_high_soft_one_unless_it_is_set() {
        let threshold = |text| ("SOKETI_HTTP_ACCEPT_TRAFFIC_MEMORY_THRESHOLD", text);
        for (text, hard) in [("85", 95), ("95", 95), ("96", 96), ("100", 100)] {
            let config = loaded(&[], &[threshold(text)]).unwrap().config;
            assert_eq!(config.memory_hard_percent, hard, "{text}");
        }
        let error = error(&["--memory-hard-percent=95"], &[threshold("96")]);
        assert!(
            error.contains("which is 95 (set by --memory-hard-percent)"),
            "{error}"
        );
    }

    #[test]
    fn kilobytes_may_be_fractions_and_a_cached_event_always_ends() {
        let member = |text: &'static str| {
            let variables = [("SOKETI_PRESENCE_MAX_MEMBER_SIZE", text)];
            loaded(&[], &variables).map(|got| got.config.apps[0].presence_member_bytes)
        };
        assert_eq!(member("0.5").ok(), Some(512));
        assert_eq!(member("1.9999").ok(), Some(2047));
        for text in ["0.05", "-0.5", "NaN", "inf", "1e300"] {
            assert!(member(text).is_err(), "{text}");
        }
        let file = ConfigFile::new("ttl", "{\"channelLimits\": {\"cacheTtl\": -1}}");
        for error in [
            error(&[], &[("SOKETI_CHANNEL_CACHE_TTL", "-1")]),
            error(&[&file.flag()], &[]),
        ] {
            assert!(
                error.contains("a cached event always expires here"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_backends_event_of_reverb_is_bounded_by_its_request() {
        let app = ["ID", "KEY", "SECRET"].map(|name| format!("REVERB_APP_{name}"));
        let sizes = |limits: &[(&'static str, &'static str)]| {
            let app = app.iter().map(|name| (&name[..], "own"));
            let all: Vec<_> = app.chain(limits.iter().copied()).collect();
            let config = loaded(&[], &all).unwrap().config;
            (config.message_bytes, config.apps[0].event_data_bytes)
        };
        let client = ("REVERB_APP_MAX_MESSAGE_SIZE", "10000");
        let request = ("REVERB_MAX_REQUEST_SIZE", "30000");
        assert_eq!(sizes(&[]), (65_536, 10_240));
        assert_eq!(sizes(&[client]), (10_000, 10_240));
        assert_eq!(sizes(&[client, request]), (10_000, 30_000));
        let large = ("REVERB_MAX_REQUEST_SIZE", "5000000");
        assert_eq!(sizes(&[client, large]), (10_000, 5_000_000));
        // It has to get out again.
        let outbox = ("SHARDCAST_OUTBOX_BYTES", "1000000");
        assert_eq!(sizes(&[client, large, outbox]), (10_000, 497_952));
    }

    #[test]
    fn the_environment_mends_what_is_refused_in_the_file() {
        let file = ConfigFile::new("mended", r#"{"adapter.driver": "redis", "port": 7001}"#);
        let told = error(&[&file.flag()], &[]);
        assert!(told.contains("`adapter.driver`"), "{told}");
        let local = ("SOKETI_ADAPTER_DRIVER", "local");
        let config = loaded(&[&file.flag()], &[local]).unwrap().config;
        assert_eq!(config.port, 7001);
        let other = ("SOKETI_ADAPTER_DRIVER", "nats");
        let told = error(&[&file.flag()], &[other]);
        assert!(
            told.starts_with("shardcast: SOKETI_ADAPTER_DRIVER"),
            "{told}"
        );
        assert!(!told.contains("redis"), "{told}");
    }

    #[test]
    fn only_soketis_own_names_are_for_the_first_app_of_its_file() {
        let file = ConfigFile::new(
            "first-app",
            r#"{"appManager.array.apps": [{"id": "1", "key": "k1", "secret": "s1"}]}"#,
        );
        let ids = |variables: &[(&str, &str)]| {
            let config = loaded(&[&file.flag()], variables).unwrap().config;
            let apps = config.apps.iter();
            apps.map(|app| (app.id.clone(), app.max_connections))
                .collect::<Vec<_>>()
        };
        let of = |prefix: &str| ["ID", "KEY", "SECRET"].map(|name| format!("{prefix}{name}"));
        for prefix in ["REVERB_APP_", "SHARDCAST_APP_"] {
            let names = of(prefix);
            let variables: Vec<_> = names.iter().map(|name| (&name[..], "own")).collect();
            assert_eq!(ids(&variables), [("1".into(), None), ("own".into(), None)]);
        }
        let most = ("SOKETI_DEFAULT_APP_MAX_CONNS", "5");
        assert_eq!(ids(&[most]), [("1".into(), Some(5))]);
        assert_eq!(ids(&[("SOKETI_DEFAULT_APP_ID", "9")]), [("9".into(), None)]);
        let error = error(&[&file.flag()], &[("REVERB_APP_MAX_CONNECTIONS", "5")]);
        assert!(error.contains("the apps are those of the file"), "{error}");
    }

    #[test]
    fn metrics_of_soketis_file_stay_on_this_machine_without_a_token() {
        let file = ConfigFile::new("metrics", r#"{"metrics": {"host": "0.0.0.0"}}"#);
        let home = loaded(&[&file.flag()], &[]).unwrap();
        assert!(home.config.admin_host.is_loopback());
        assert!(
            home.warnings[0].contains(":1:14 asks for 0.0.0.0"),
            "{:?}",
            home.warnings
        );
        let token = [("SHARDCAST_ADMIN_TOKEN", "t")];
        let wide = loaded(&[&file.flag()], &token).unwrap();
        assert!(wide.config.admin_host.is_unspecified());
        let own = ConfigFile::new("own-metrics", r#"{"admin_host": "0.0.0.0"}"#);
        let error = error(&[&own.flag()], &[]);
        assert!(
            error.contains("the admin port needs a token there"),
            "{error}"
        );
    }

    #[test]
    fn who_comes_from_soketi_is_told_which_limits_are_others() {
        let notes = |variables: &[_]| loaded(&[], variables).unwrap().notes;
        assert!(notes(&[]).is_empty());
        let [note] = &notes(&OWN)[..] else {
            panic!("one sentence");
        };
        for part in [
            "event_data_bytes = 10240 (102400)",
            "client_events_per_second = 10 (-1)",
            "body_bytes = 1048576 (104857600)",
            "cache_ttl_s = 1800 (3600)",
        ] {
            assert!(note.contains(part), "{note}");
        }
        assert!(
            !note.contains("max_connections") && !note.contains("batch_events"),
            "{note}"
        );
        let set = [&OWN[..], &[("SOKETI_EVENT_MAX_SIZE_IN_KB", "10")]].concat();
        assert!(!notes(&set)[0].contains("event_data_bytes"));
    }

    #[test]
    fn a_variable_may_name_the_file_and_a_flag_wins() {
        let (named, other) = (
            ConfigFile::new("named", "port = 5"),
            ConfigFile::new("o", "port = 6"),
        );
        let path = |file: &ConfigFile| file.flag().split_once('=').unwrap().1.to_owned();
        let path = path(&named);
        let variable = [("SHARDCAST_CONFIG", &path[..])];
        let port = |arguments: &[&str], variables: &[_]| {
            let got = loaded(arguments, variables).unwrap();
            assert!(got.warnings.is_empty());
            got.config.port
        };
        assert_eq!(port(&[], &variable), 5);
        assert_eq!(port(&[&other.flag()], &variable), 6);
        assert_eq!(port(&[], &[("SHARDCAST_CONFIG", "")]), 6001);
        let error = error(&[], &[("SHARDCAST_CONFIG", "/nonexistent/x.toml")]);
        assert!(
            error.starts_with("shardcast: SHARDCAST_CONFIG: `config` cannot be \"/nonexistent"),
            "{error}"
        );
    }

    #[test]
    fn metrics_stay_on_this_machine_without_a_token() {
        let open = ("SOKETI_METRICS_HOST", "0.0.0.0");
        let home = loaded(&[], &[open]).unwrap();
        assert!(home.config.admin_host.is_loopback());
        let told = &home.warnings[0];
        assert!(
            told.contains("SOKETI_METRICS_HOST asks for 0.0.0.0"),
            "{told}"
        );
        let wide = |token: &str| {
            let wide = loaded(&[], &[open, ("SHARDCAST_ADMIN_TOKEN", token)]).unwrap();
            assert!(wide.config.admin_host.is_unspecified());
            wide.warnings
        };
        assert!(wide("0123456789abcdef").is_empty());
        let told = wide("0123456789abcde");
        assert!(
            told[0].contains("admin_token has 15 characters"),
            "{told:?}"
        );
        let near = loaded(&[], &[("SHARDCAST_ADMIN_TOKEN", "t")]).unwrap();
        assert!(near.warnings.is_empty(), "nobody else reaches it");
        let own = error(&[], &[("SHARDCAST_ADMIN_HOST", "0.0.0.0")]);
        assert!(own.contains("the admin port needs a token there"), "{own}");
    }

    #[test]
    fn where_another_server_was_is_where_this_one_is() {
        let of = |arguments: &[&str], variables: &[(&str, &str)]| {
            let got = loaded(arguments, variables).unwrap();
            let app = &got.config.apps[0];
            let host = got.config.host.to_string();
            (
                host,
                got.config.port,
                app.client_events,
                app.activity_timeout_s,
            )
        };
        let app = |prefix: &str| {
            let names = ["ID", "KEY", "SECRET"].map(|name| format!("{prefix}{name}"));
            names.map(|name| (&*name.leak(), "own"))
        };
        let wide = "0.0.0.0".to_owned();
        let home = "127.0.0.1".to_owned();
        let reverb = app("REVERB_APP_");
        let (soketi, pusher) = (app("SOKETI_DEFAULT_APP_"), app("PUSHER_APP_"));
        assert_eq!(of(&[], &reverb), (wide.clone(), 8080, true, 30));
        assert_eq!(of(&[], &soketi), (wide.clone(), 6001, false, 120));
        assert_eq!(of(&[], &pusher), (wide.clone(), 6001, false, 120));
        assert_eq!(
            of(&[], &app("SHARDCAST_APP_")),
            (home.clone(), 6001, false, 120)
        );
        // Whatever is set stays, and published credentials stay at home.
        let set = ["--host=127.0.0.1", "--port=7"];
        assert_eq!(of(&set, &reverb), (home.clone(), 7, true, 30));
        let quiet = [
            ("REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", "none"),
            ("REVERB_APP_ACTIVITY_TIMEOUT", "40"),
        ];
        let quiet = of(&[], &[&reverb[..], &quiet].concat());
        assert_eq!(quiet, (wide, 8080, false, 40));
        let published = [
            ("SOKETI_DEFAULT_APP_ID", "app-id"),
            ("SOKETI_DEFAULT_APP_KEY", "app-key"),
            ("SOKETI_DEFAULT_APP_SECRET", "app-secret"),
        ];
        assert_eq!(of(&[], &published).0, home);
        // Beside apps of a file the environment says nothing of where the server was.
        let file = ConfigFile::new("family", "[[apps]]\nid='1'\nkey='k'\nsecret='s'\n");
        assert_eq!(of(&[&file.flag()], &reverb).1, 6001);
        let beside = loaded(&[&file.flag()], &pusher).unwrap().config;
        assert_eq!(beside.apps.len(), 1, "credentials for another service");
        assert_eq!(
            loaded(&[&file.flag()], &soketi).unwrap().config.apps.len(),
            2
        );
        let printed = loaded(&[], &reverb).unwrap().print_config();
        assert!(printed.contains("# default of Reverb"), "{printed}");
    }

    #[test]
    fn a_file_of_soketis_is_completed_by_its_variables() {
        let text = "{\"appManager.array.apps\": [{\"id\": \"1\", \"key\": \"k\"}]}";
        let file = ConfigFile::new("soketi", text);
        let secret = ("SOKETI_DEFAULT_APP_SECRET", "own");
        let config = loaded(&[&file.flag()], &[secret]).unwrap().config;
        assert_eq!((config.apps.len(), &config.apps[0].id[..]), (1, "1"));
        assert_eq!(
            (config.host.to_string(), config.port),
            ("0.0.0.0".to_owned(), 6001)
        );
        let missing = error(&[&file.flag()], &[]);
        assert!(
            missing.contains("`apps[0].secret`: it is missing"),
            "{missing}"
        );
    }

    #[test]
    fn a_presence_channel_that_outgrows_the_outbox_is_a_warning() {
        let app = "[[apps]]\nid='1'\nkey='k'\nsecret='s'\npresence_members = 8\n\
                   presence_member_bytes = 2048\n";
        let file = ConfigFile::new("presence", app);
        let warnings = |outbox: &str| {
            loaded(&[&file.flag(), "--outbox-bytes", outbox], &[])
                .ok()
                .unwrap()
                .warnings
        };
        assert!(warnings("16384").is_empty());
        let wider = ConfigFile::new("presence-wide", &app.replace("= 8", "= 9"));
        let got = loaded(&[&wider.flag(), "--outbox-bytes", "16384"], &[])
            .ok()
            .unwrap();
        assert_eq!(got.warnings.len(), 1);
        assert!(
            got.warnings[0].contains("may need 18432 bytes"),
            "{:?}",
            got.warnings
        );
    }

    #[test]
    fn a_watchdog_that_could_hear_no_beat_is_refused() {
        for flag in ["--watchdog-warn-ms", "--watchdog-end-ms"] {
            assert!(loaded(&[flag, "0"], &[]).is_ok());
            assert!(loaded(&[flag, "500"], &[]).is_ok());
            for short in ["1", "499"] {
                let error = error(&[flag, short], &[]);
                let key = flag.trim_start_matches('-').replace('-', "_");
                let told = format!("shardcast: {flag}: `{key}` cannot be \"{short}\": ");
                assert!(error.starts_with(&told), "{error}");
                assert!(
                    error.contains("expected 0, for never, or 500 and more"),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn tls_is_whole_or_refused() {
        let pair = ["--tls-cert=a", "--tls-key=b"];
        let with = |more: &[&'static str]| [&pair[..], more].concat();
        assert!(loaded(&pair, &[]).is_ok());
        assert!(loaded(&with(&["--tls-port=0", "--port=0"]), &[]).is_ok());
        assert!(loaded(&with(&["--tls-certificates=c:d"]), &[]).is_ok());
        for (arguments, told) in [
            (
                pair[..1].to_vec(),
                "--tls-cert: `tls_cert`: it needs its key",
            ),
            (
                pair[1..].to_vec(),
                "--tls-key: `tls_key`: it needs its certificate",
            ),
            (
                vec!["--tls-port=1"],
                "--tls-port: `tls_port` cannot be \"1\": nothing can",
            ),
            (
                vec!["--tls-certificates=c:d"],
                "--tls-certificates: `tls_certificates`: they are",
            ),
            (
                with(&["--tls-port=6001"]),
                "--tls-port: `tls_port` cannot be \"6001\": it is the",
            ),
        ] {
            let error = error(&arguments, &[]);
            assert!(error.starts_with(&format!("shardcast: {told}")), "{error}");
        }
    }

    #[test]
    fn the_proxy_protocol_needs_trusted_proxies_and_no_tls() {
        let all = ["--proxy-protocol", "--trusted-proxies=::1"];
        assert!(loaded(&all, &[]).is_ok_and(|got| got.config.proxy_protocol));
        let pair = ["--tls-cert=a", "--tls-key=b"];
        assert!(loaded(&[all[1], pair[0], pair[1]], &[]).is_ok());
        let ports = ["--tls-port=0", "--port=0"];
        for (arguments, told) in [
            (vec![all[0]], "only trusted_proxies may say whom"),
            (
                [all, pair].concat(),
                "in front of TLS; expected false, or no tls_cert (set by --tls-cert)",
            ),
            (
                [all, pair, ports].concat(),
                "it is not read in front of TLS",
            ),
        ] {
            let error = error(&arguments, &[]);
            let start = "shardcast: --proxy-protocol: `proxy_protocol` cannot be \"true\": ";
            assert!(error.starts_with(start) && error.contains(told), "{error}");
        }
    }

    #[test]
    fn an_app_for_tls_alone_needs_tls() {
        let app = "[[apps]]\nid='1'\nkey='k'\nsecret='s'\ntls_only = true\n";
        let file = ConfigFile::new("tls-only", app);
        let pair = ["--tls-cert=a", "--tls-key=b"];
        let got = loaded(&[&file.flag(), pair[0], pair[1]], &[]).unwrap();
        assert!(got.config.apps[0].tls_only);
        let error = error(&[&file.flag()], &[]);
        assert!(
            error.contains(":5: `apps[0].tls_only` cannot be \"true\": no client"),
            "{error}"
        );
    }

    #[test]
    fn a_guard_without_a_clock_is_refused() {
        let guard = "--rest-replay-guard";
        assert!(loaded(&[guard], &[]).is_ok_and(|got| got.config.rest_replay_guard));
        assert!(loaded(&[guard, "--rest-clock-s", "1"], &[]).is_ok());
        let error = error(&[guard, "--rest-clock-s", "0"], &[]);
        assert!(
            error.starts_with("shardcast: --rest-replay-guard: `rest_replay_guard`"),
            "{error}"
        );
        assert!(
            error.contains("rest_clock_s above 0 (set by --rest-clock-s)"),
            "{error}"
        );
    }

    #[test]
    fn a_rate_that_some_events_can_never_keep_is_a_warning() {
        let app = "[[apps]]\nid='1'\nkey='k'\nsecret='s'\nbackend_events_per_second = 99\n";
        let file = ConfigFile::new("rate", app);
        let got = loaded(&[&file.flag()], &[]).unwrap();
        assert!(
            got.warnings[0].contains("channels_per_event (100)"),
            "{:?}",
            got.warnings
        );
        let fine = ConfigFile::new("rate-fine", &app.replace("99", "100"));
        assert!(loaded(&[&fine.flag()], &[]).unwrap().warnings.is_empty());
        let batch = app.replace("99", "9") + "channels_per_event = 9\n";
        let batch = ConfigFile::new("rate-batch", &batch);
        let warnings = loaded(&[&batch.flag()], &[]).unwrap().warnings;
        assert!(warnings[0].contains("batch_events (10)"), "{warnings:?}");
    }

    #[test]
    fn variables_without_effect_are_warned_about_by_name() {
        let got = loaded(&[], &[("SOKETI_DEFAULT_APP_SECRT", "canary")])
            .ok()
            .unwrap();
        assert_eq!(
            got.warnings,
            [
                "the variable SOKETI_DEFAULT_APP_SECRT is not known here and has no effect; did \
                 you mean SOKETI_DEFAULT_APP_SECRET?"
            ]
        );
    }

    // F29
    #[test]
    fn neither_debug_output_nor_the_printed_configuration_shows_a_secret() {
        let got = loaded(&[], &OWN).unwrap();
        assert_eq!(got.config.apps[0].secret.expose(), "canary");
        let printed = format!(
            "{:?} {:#?} {}",
            got.config,
            got.config.apps,
            got.print_config()
        );
        assert!(!printed.contains("canary"), "{printed}");
    }
}
