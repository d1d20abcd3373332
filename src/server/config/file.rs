//! The configuration file: settings at the top level, apps as an array of tables.
//!
//! TOML is read here, and handed to `json` is what is JSON by the name of its file or by its first
//! character, which no TOML begins with.
//!
//! It reads and places values; whether they fit together is `check`'s and `apps`' concern.
//! Invariants: every key is known or refused with its line; a syntax error is told by message and
//! line without the line itself, which may hold a secret; at most [`FILE_BYTES_MAX`] bytes are
//! read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::app_knobs::APPS;
use super::foreign;
use super::knob::{Accepts, Knob, Value};
use super::layers::{AppSettings, Settings, refused};
use super::places::Places;
use super::secret_files;
use super::server_knobs::SERVER;
use super::settings::Config;
use super::{json, tls_files, webhooks};
use crate::app::App;
use crate::error::{ConfigError, Source};

/// Largest configuration file: room for some ten thousand apps.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The only top-level key that is not a setting of the server.
pub(super) const APPS_KEY: &str = "apps";

/// The only key of an app that is not a setting: the file that its secret stands in.
pub(super) const SECRET_FILE_KEY: &str = "secret_file";

/// What one file says.
pub(super) struct FileLayer {
    /// The settings of the server.
    pub server: Settings<Config>,
    /// The apps in the order they stand.
    pub apps: Vec<AppSettings>,
    /// What every app has that does not say otherwise.
    pub every_app: Settings<App>,
    /// Whether its apps stand where soketi has them, so that its variables are for the first one.
    pub is_soketis: bool,
    /// What is to be said, a sentence each.
    pub told: Vec<String>,
    /// Why options of soketi's are refused, with the variables that say the same.
    pub refused: Vec<(&'static str, ConfigError)>,
}

impl FileLayer {
    /// Refuses the file for what is refused in it, but for what variables of these names say
    /// instead.
    ///
    /// # Errors
    /// All of it at once.
    pub(super) fn judge(&mut self, variables: &[&str]) -> Result<(), ConfigError> {
        let refused = std::mem::take(&mut self.refused).into_iter();
        let left = refused.filter(|(variable, _)| !variables.contains(variable));
        match foreign::together(left.map(|(_, error)| error).collect()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Reads and parses the file that `named_by` names; `credentials` is where systemd has put those of
/// the unit.
///
/// # Errors
/// When it cannot be read, is too large, is not TOML, or holds an unknown key or a refused value.
pub(super) fn load(
    path: &Path,
    named_by: &Source,
    credentials: Option<&Path>,
) -> Result<FileLayer, ConfigError> {
    let text = read(path).map_err(|error| ConfigError {
        key: "config".to_owned(),
        value: Some(path.display().to_string()),
        source: named_by.clone(),
        reason: format!("expected a readable file in TOML or JSON, but: {error}"),
    })?;
    parse(path, &text, credentials)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    // One byte past the limit tells a file that is too large from one that just fits.
    File::open(path)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let reason = format!("it has more than {FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(text)
}

/// Parses what stands in the file `path`.
///
/// # Errors
/// As [`load`], except for reading.
pub(super) fn parse(
    path: &Path,
    text: &str,
    credentials: Option<&Path>,
) -> Result<FileLayer, ConfigError> {
    let document = Document {
        path: path.to_owned(),
        text,
        places: Places::of(text),
        credentials,
    };
    let is_json = path
        .extension()
        .is_some_and(|it| it.eq_ignore_ascii_case("json"));
    if is_json
        || text
            .trim_start_matches('\u{FEFF}')
            .trim_start()
            .starts_with('{')
    {
        return json::parse(&document);
    }
    let root = DeTable::parse(text)
        .map_err(|error| document.syntax(&error))?
        .into_inner();
    let mut server = Settings::new(SERVER);
    let mut apps = Vec::new();
    for (key, value) in in_order(&root) {
        if key.get_ref() == APPS_KEY {
            apps = document.apps(value)?;
        } else {
            document.setting(&mut server, "", key, value)?;
        }
    }
    Ok(FileLayer {
        server,
        apps,
        every_app: Settings::new(APPS),
        is_soketis: false,
        told: Vec::new(),
        refused: Vec::new(),
    })
}

/// A text and its name, to turn places in it into lines.
pub(super) struct Document<'t> {
    path: PathBuf,
    /// All of it.
    pub text: &'t str,
    places: Places,
    credentials: Option<&'t Path>,
}

impl Document<'_> {
    /// The place of a byte.
    pub(super) fn at(&self, byte: usize) -> Source {
        let (line, column) = self.places.at(self.text, byte);
        Source::File {
            path: self.path.clone(),
            line,
            column,
        }
    }

    fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let place = error.span().map_or(0, |span| span.start);
        // Only the message: `Display` would quote the line. A message may end in a further line.
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        ConfigError {
            key: "config".to_owned(),
            value: None,
            source: self.at(place),
            reason: format!("expected TOML, but: {message}"),
        }
    }

    fn setting<T>(
        &self,
        settings: &mut Settings<T>,
        prefix: &str,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let source = self.at(key.span().start);
        let full = format!("{prefix}{}", key.get_ref());
        let table: &'static [Knob<T>] = settings.table();
        // Within an app there is no further table to be meant.
        let further: &[&str] = if prefix.is_empty() { &[APPS_KEY] } else { &[] };
        let place =
            Settings::find(table, key.get_ref(), further).map_err(|reason| ConfigError {
                key: full.clone(),
                value: None,
                source: source.clone(),
                reason,
            })?;
        let list = match table[place].accepts {
            Accepts::Webhooks => Some(webhooks::read_toml(value.get_ref()).map(Value::Webhooks)),
            Accepts::Certificates => {
                Some(tls_files::read_toml(value.get_ref()).map(Value::Certificates))
            }
            _ => None,
        };
        if let Some(read) = list {
            let read = read.map_err(|mistake| ConfigError {
                key: full + &mistake.key,
                value: None,
                source: mistake
                    .place
                    .map_or_else(|| source.clone(), |byte| self.at(byte)),
                reason: mistake.reason,
            })?;
            settings.give(place, read, source);
            return Ok(());
        }
        let read = table[place].accepts.read_toml(value.get_ref());
        let read = read.map_err(|reason| {
            refused(
                &table[place],
                full,
                shown(value.get_ref()),
                source.clone(),
                reason,
            )
        })?;
        settings.give(place, read, source);
        Ok(())
    }

    /// Refuses the second of two keys that both give the secret.
    pub(super) fn one_secret(
        &self,
        settings: &Settings<App>,
        label: &str,
        key: &str,
        place: &Source,
    ) -> Result<(), ConfigError> {
        let gives_it = matches!(key, "secret" | SECRET_FILE_KEY);
        if !gives_it || !settings.has("secret") {
            return Ok(());
        }
        Err(ConfigError {
            key: format!("{label}.{key}"),
            value: None,
            source: place.clone(),
            reason: "expected only one of secret and secret_file".to_owned(),
        })
    }

    /// The secret stands in a file of its own.
    pub(super) fn secret_file(
        &self,
        settings: &mut Settings<App>,
        label: &str,
        line: Source,
        name: Option<&str>,
    ) -> Result<(), ConfigError> {
        let refused = |source: Source, reason| ConfigError {
            key: format!("{label}.{SECRET_FILE_KEY}"),
            value: None,
            source,
            reason,
        };
        let Some(name) = name else {
            return Err(refused(
                line,
                "expected the name of a file, in quotes".into(),
            ));
        };
        let path = secret_files::named(name, self.credentials);
        let path = path.map_err(|reason| refused(line.clone(), reason))?;
        let source = Source::SecretFile {
            named_by: line.to_string(),
            path: path.clone(),
        };
        let read = secret_files::read(&path);
        let place = Settings::find(APPS, "secret", &[]);
        let place = place.expect("an app has a secret");
        let value = read.and_then(|text| APPS[place].accepts.read_text(&text));
        let value = value.map_err(|reason| refused(source.clone(), reason))?;
        settings.give(place, value, source);
        Ok(())
    }

    fn apps(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<AppSettings>, ConfigError> {
        let wrong = |place: &Spanned<DeValue<'_>>| ConfigError {
            key: APPS_KEY.to_owned(),
            value: None,
            source: self.at(place.span().start),
            reason: "expected tables, each begun by a line [[apps]]".to_owned(),
        };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(wrong(value));
        };
        let mut apps = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let DeValue::Table(table) = item.get_ref() else {
                return Err(wrong(item));
            };
            let label = format!("{APPS_KEY}[{i}]");
            let mut settings = Settings::new(APPS);
            for (key, value) in in_order(table) {
                let place = self.at(key.span().start);
                self.one_secret(&settings, &label, key.get_ref(), &place)?;
                match &**key.get_ref() {
                    SECRET_FILE_KEY => {
                        let name = value.get_ref().as_str();
                        self.secret_file(&mut settings, &label, place, name)?;
                    }
                    _ => self.setting(&mut settings, &format!("{label}."), key, value)?,
                }
            }
            apps.push(AppSettings {
                label,
                place: self.at(item.span().start),
                settings,
            });
        }
        Ok(apps)
    }
}

/// The entries as they stand in the file, so that the first mistake is the one reported.
fn in_order<'t, 'i>(
    table: &'t DeTable<'i>,
) -> Vec<(
    &'t Spanned<std::borrow::Cow<'i, str>>,
    &'t Spanned<DeValue<'i>>,
)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// A value for an error message: plain ones as written, others by their kind only.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(n) => n.to_string(),
        DeValue::Float(n) => n.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<FileLayer, ConfigError> {
        parse(Path::new("s.toml"), text, None)
    }

    fn error(text: &str) -> String {
        parsed(text).err().expect("the file is refused").to_string()
    }

    #[test]
    fn settings_and_apps_reach_their_places() {
        let layer = parsed(
            "# ours\nport = 80\ncores = [0, 2]\nhost = '::1'\n\n[[apps]]\nid = '1'\nkey = 'k'\n\
             secret = 's'\nmax_connections = -1\n[[apps]]\nid = '2'\nclient_events = true\n",
        );
        let layer = layer.unwrap();
        let mut config = Config::default();
        layer.server.apply(&mut config);
        assert_eq!(
            (config.port, config.cores, config.host.to_string()),
            (80, vec![0, 2], "::1".into())
        );
        let line = |line| Source::File {
            path: "s.toml".into(),
            line,
            column: 1,
        };
        assert_eq!(layer.server.source("port"), line(2));
        assert_eq!(layer.apps.len(), 2);
        assert_eq!(layer.apps[0].place, line(6));
        assert_eq!(layer.apps[1].place, line(11));
        assert_eq!(layer.apps[1].settings.source("client_events"), line(13));
        let mut app = App::new("", "", "");
        layer.apps[0].settings.apply(&mut app);
        assert_eq!(
            (&app.id[..], &app.key[..], app.secret.expose()),
            ("1", "k", "s")
        );
    }

    #[test]
    fn apps_may_be_written_inline() {
        let layer = parsed("apps = [{ id = '1', key = 'k', secret = 's' }]")
            .ok()
            .unwrap();
        assert_eq!(layer.apps.len(), 1);
    }

    #[test]
    fn mistakes_name_file_line_and_key() {
        for (text, message) in [
            (
                "\nprot = 1",
                "s.toml:2: `prot`: this key is not known; did you mean `port`?",
            ),
            (
                "port = 70000",
                "s.toml:1: `port` cannot be \"70000\": expected a whole number from 0 to 65535.",
            ),
            (
                "[[apps]]\nid = '1'\n\nsekret = 's'",
                "s.toml:4: `apps[0].sekret`: this key is not known; did you mean `secret`?",
            ),
            (
                "[[apps]]\n[[apps]]\nid = 5",
                "s.toml:3: `apps[1].id` cannot be \"5\": expected 1 to",
            ),
            (
                "\n[apps]\nid = '1'",
                "s.toml:2: `apps`: expected tables, each begun by",
            ),
            ("apps = [1]", "s.toml:1:9: `apps`: expected tables"),
            (
                "[app]\nid = '1'",
                "s.toml:1:2: `app`: this key is not known; did you mean `apps`?",
            ),
            (
                "[port]\nx = 1",
                "s.toml:1:2: `port` cannot be \"a table\": expected a whole",
            ),
            (
                "debug = 1",
                "s.toml:1: `debug` cannot be \"1\": expected true or false.",
            ),
            (
                "shards = 0",
                "s.toml:1: `shards` cannot be \"0\": expected a whole number from 1 to",
            ),
            (
                "port = 1\nport = 2",
                "s.toml:2: `config`: expected TOML, but: duplicate key",
            ),
            (
                "[[apps]]\nid = '1'\n\n[[apps.webhooks]]\nurl = 'http://a.example'\nurk = 1",
                "s.toml:6: `apps[0].webhooks[0].urk`: this key is not known; expected one of url,",
            ),
            (
                "[[apps]]\n[[apps.webhooks]]\nurl = 'http://a.example'\n\n[[apps.webhooks]]\n",
                "s.toml:5: `apps[0].webhooks[1].url`: it is missing; a webhook needs one.",
            ),
            (
                "[[apps]]\nwebhooks = 1",
                "s.toml:2: `apps[0].webhooks`: expected a list of webhooks, each with a url.",
            ),
            (
                "port = 1\n\nhost = ",
                "s.toml:3:8: `config`: expected TOML, but: ",
            ),
        ] {
            assert!(
                error(text).starts_with(message),
                "{text:?} gave {}",
                error(text)
            );
        }
    }

    #[test]
    fn the_first_mistake_in_the_file_is_reported() {
        assert!(error("zzz = 1\naaa = 2").starts_with("s.toml:1: `zzz`"));
    }

    #[test]
    fn a_secret_stands_in_the_file_or_in_one_of_its_own() {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("shardcast-of-its-own-{}", std::process::id()));
        std::fs::write(&path, "canary\n").unwrap();
        let whole = path.display();
        let name = path.file_name().unwrap().to_str().unwrap();
        let read = |text: &str| parse(Path::new("s.toml"), text, Some(&folder));
        for key in [format!("'{whole}'"), format!("'{name}'")] {
            let layer = read(&format!("[[apps]]\nsecret_file = {key}")).unwrap();
            let mut app = App::new("", "", "");
            layer.apps[0].settings.apply(&mut app);
            assert_eq!(app.secret.expose(), "canary");
            let source = layer.apps[0].settings.source("secret").to_string();
            assert_eq!(source, format!("s.toml:2 ({whole})"));
        }
        for (text, message) in [
            (
                format!("[[apps]]\nsecret = 'canary'\nsecret_file = '{whole}'"),
                "s.toml:3: `apps[0].secret_file`: expected only one of secret and secret_file.",
            ),
            (
                format!("[[apps]]\nsecret_file = '{whole}'\nsecret = 'canary'"),
                "s.toml:3: `apps[0].secret`: expected only one of",
            ),
            (
                "[[apps]]\nsecret_file = '/nonexistent'".into(),
                "s.toml:2 (/nonexistent): `apps[0].secret_file`: expected a readable file",
            ),
            (
                "[[apps]]\nsecret_file = 1".into(),
                "s.toml:2: `apps[0].secret_file`: expected the name of a file, in quotes.",
            ),
        ] {
            let message_got = read(&text).err().unwrap().to_string();
            assert!(message_got.starts_with(message), "{message_got}");
            assert!(!message_got.contains("canary"), "{message_got}");
        }
        std::fs::remove_file(&path).unwrap();
    }

    // F29: whatever is broken around it, the secret does not get into the message.
    #[test]
    fn no_message_repeats_a_secret() {
        let texts = [
            "[[apps]]\nsecret = \"canary",
            "[[apps]]\nsecret = canary",
            "[[apps]]\nsecret = 'canary' x",
            "[[apps]]\nsecret = canary-1",
            "[[apps]]\nsecret = \"canary\\q\"",
            "[[apps]]\nsecret = ['canary']",
            "[[apps]]\nsecret = {canary = 1}",
            "[[apps]]\nsecret = ' canary'",
            "[[apps]]\nsecret = 'canary'\nsecret = 'canary'",
            "[[apps]]\nsecret = \"\"\"canary",
            "[[apps]]\nsecret 'canary'",
            "[[apps]]\nsecret = 2canary",
            "[[apps]]\n[[apps.webhooks]]\nheaders = { 'X A' = 'canary' }",
            "[[apps]]\n[[apps.webhooks]]\nheaders = 'canary'",
            "[[apps]]\n[[apps.webhooks]]\nurl = 'canary'",
            "[[apps]]\nsecret = 'canary'\nid = ",
        ];
        for text in texts {
            let message = error(text);
            assert!(!message.contains("canary"), "{text:?} gave {message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let path = std::env::temp_dir().join(format!("shardcast-size-{}.toml", std::process::id()));
        let at = "#".repeat(FILE_BYTES_MAX as usize);
        std::fs::write(&path, &at).unwrap();
        assert!(load(&path, &Source::Flag("config"), None).is_ok());
        std::fs::write(&path, at + "#").unwrap();
        let message = load(&path, &Source::Flag("config"), None)
            .err()
            .unwrap()
            .to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(message.contains("more than 4194304 bytes"), "{message}");
    }

    #[test]
    fn an_unreadable_file_is_blamed_on_the_flag() {
        for path in ["/nonexistent/shardcast.toml", "/"] {
            let message = load(Path::new(path), &Source::Flag("config"), None)
                .err()
                .unwrap()
                .to_string();
            let start = format!("--config: `config` cannot be {path:?}: expected a readable");
            assert!(message.starts_with(&start), "{message}");
        }
    }
}
