//! A configuration file in JSON: our own keys, or those of soketi, dotted or nested.
//!
//! Our keys are read as TOML's are; those of soketi as its variables, whose units they have. A
//! value without meaning (`null`, an empty text) counts as not given, as there. Invariants: every
//! key is known or refused with its place; no key is given twice, in whichever spelling; no message
//! repeats a line, which may hold a secret.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use toml::de::DeValue;

use super::app_knobs::APPS;
use super::file::{APPS_KEY, Document, FileLayer, SECRET_FILE_KEY};
use super::foreign::{self, Name, Rule, Verdict};
use super::knob::{Accepts, Knob, Value};
use super::layers::{AppSettings, Settings, refused};
use super::server_knobs::SERVER;
use super::soketi_file::{APP_FIELDS, SOKETI_FILE};
use super::soketi_names::SOKETI;
use super::suggest::{self, Candidate};
use super::variable::Variable;
use crate::error::{ConfigError, Source};

/// Where soketi has its apps.
const SOKETIS_APPS: &str = "appManager.array.apps";

/// Editors are told by it which schema a file has.
const SCHEMA_KEY: &str = "$schema";

/// Apps of a file; one with more does not fit the limit on its size.
const APPS_MAX: usize = 100_000;

/// Reads a document.
///
/// # Errors
/// When it is no JSON, or holds an unknown key or a refused value. Options of soketi's that are
/// refused are for whoever knows what the environment says.
pub(super) fn parse(document: &Document<'_>) -> Result<FileLayer, ConfigError> {
    let text = document.text.trim_start_matches('\u{FEFF}');
    let root: &RawValue =
        serde_json::from_str(text).map_err(|error| syntax(document, text, &error))?;
    let mut reader = Reader {
        document,
        layer: FileLayer {
            server: Settings::new(SERVER),
            apps: Vec::new(),
            every_app: Settings::new(APPS),
            is_soketis: false,
            told: Vec::new(),
            refused: Vec::new(),
        },
    };
    let Some(entries) = Entries::of(root) else {
        let reason = "expected an object, with settings as its keys";
        return Err(reader.wrong("config", reader.place(root), reason));
    };
    reader.descend("", entries)?;
    Ok(reader.layer)
}

fn syntax(document: &Document<'_>, text: &str, error: &serde_json::Error) -> ConfigError {
    let before: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let mark = document.text.len() - text.len();
    let full = error.to_string();
    // The message without the place at its end, which the source tells.
    let message = full
        .rsplit_once(" at line ")
        .map_or(&*full, |(said, _)| said);
    ConfigError {
        key: "config".to_owned(),
        value: None,
        source: document.at(mark + before + error.column().saturating_sub(1)),
        reason: format!("expected JSON, but: {message}"),
    }
}

/// The members of an object in their order, values not yet read.
struct Entries<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Entries<'t> {
    fn of(value: &'t RawValue) -> Option<Entries<'t>> {
        serde_json::from_str(value.get()).ok()
    }
}

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_map(Members)
    }
}

struct Reader<'t, 'd> {
    document: &'d Document<'t>,
    layer: FileLayer,
}

impl Reader<'_, '_> {
    fn wrong(&self, key: &str, source: Source, reason: impl Into<String>) -> ConfigError {
        ConfigError {
            key: key.to_owned(),
            value: None,
            source,
            reason: reason.into(),
        }
    }

    /// Where a value begins.
    fn place(&self, value: &RawValue) -> Source {
        self.document.at(self.offset(value))
    }

    fn offset(&self, value: &RawValue) -> usize {
        // It is a part of the text.
        value.get().as_ptr() as usize - self.document.text.as_ptr() as usize
    }

    /// Where the key of a value begins.
    fn key_place(&self, value: &RawValue) -> Source {
        let before = self.document.text[..self.offset(value)].trim_end();
        let key = before.strip_suffix(':').unwrap_or(before).trim_end();
        let quote = key.strip_suffix('"').and_then(|key| key.rfind('"'));
        self.document.at(quote.unwrap_or(0))
    }

    /// The members of an object that stands at `path`.
    fn descend(&mut self, path: &str, entries: Entries<'_>) -> Result<(), ConfigError> {
        for (key, value) in entries.0 {
            let full = match path {
                "" => key,
                path => format!("{path}.{key}"),
            };
            self.member(&full, value)?;
        }
        Ok(())
    }

    fn member(&mut self, full: &str, value: &RawValue) -> Result<(), ConfigError> {
        if full == SCHEMA_KEY {
            return Ok(());
        }
        if full == APPS_KEY || full == SOKETIS_APPS {
            self.layer.is_soketis |= full == SOKETIS_APPS;
            return self.apps(full, value);
        }
        let of_app = full
            .strip_prefix(SOKETIS_APPS)
            .and_then(|rest| rest.strip_prefix('.'));
        if let Some(rest) = of_app {
            self.layer.is_soketis = true;
            return self.dotted_app(full, rest, value);
        }
        if let Some(name) = foreign::of_option(full) {
            return self.option(name, value);
        }
        if let Some(place) = SERVER.iter().position(|knob| knob.key == full) {
            let source = self.key_place(value);
            let read = own_value(&SERVER[place], full, value, &source)?;
            let layer = &mut self.layer.server;
            return give(layer, place, full, read, source);
        }
        let inside = format!("{full}.");
        let mut options = SOKETI.iter().chain(SOKETI_FILE);
        let is_group = options.any(|name| name.option.starts_with(&inside));
        match Entries::of(value) {
            Some(entries) if is_group => self.descend(full, entries),
            _ => Err(self.wrong(full, self.key_place(value), unknown(full))),
        }
    }

    /// An option of soketi's, which says what its variable would.
    fn option(&mut self, name: &'static Name, value: &RawValue) -> Result<(), ConfigError> {
        let source = self.key_place(value);
        let Some(text) = text_of(value) else {
            return Ok(());
        };
        if !matches!(name.rule, Rule::Setting) {
            match name.judge(&text.text, &source) {
                Ok(Verdict::Fine) => {}
                Ok(Verdict::Told(sentence)) => self.layer.told.push(sentence),
                Err(error) => self.layer.refused.push((name.variable, error)),
            }
            return Ok(());
        }
        let is_it = |variable: &&Variable| variable.name == name.variable;
        for (place, knob) in SERVER.iter().enumerate() {
            if let Some(variable) = knob.variables.iter().find(is_it) {
                let read = spelled(knob, name.option, variable, &text, &source)?;
                let layer = &mut self.layer.server;
                give(layer, place, name.option, read, source)?;
                layer.mark(place, name.option);
                return Ok(());
            }
        }
        for (place, knob) in APPS.iter().enumerate() {
            if let Some(variable) = knob.variables.iter().find(is_it) {
                let read = spelled(knob, name.option, variable, &text, &source)?;
                let layer = &mut self.layer.every_app;
                return give(layer, place, name.option, read, source);
            }
        }
        unreachable!("a name that is a setting is in a table of them")
    }

    fn apps(&mut self, full: &str, value: &RawValue) -> Result<(), ConfigError> {
        let items: Option<Vec<&RawValue>> = serde_json::from_str(value.get()).ok();
        let reason = "expected an array of objects, one for each app";
        let items = items.ok_or_else(|| self.wrong(full, self.key_place(value), reason))?;
        for (at, item) in items.into_iter().enumerate() {
            let entries = Entries::of(item);
            let entries = entries.ok_or_else(|| self.wrong(full, self.place(item), reason))?;
            self.app(at, item);
            for (key, value) in entries.0 {
                self.field(at, &key, value)?;
            }
        }
        Ok(())
    }

    /// `0.maxConnections`, behind where soketi has its apps.
    fn dotted_app(&mut self, full: &str, rest: &str, value: &RawValue) -> Result<(), ConfigError> {
        let (at, field) = rest.split_once('.').map_or((rest, None), |(at, field)| {
            (at, Some(field).filter(|field| !field.is_empty()))
        });
        let at: Option<usize> = at.parse().ok().filter(|at| *at < APPS_MAX);
        let Some(at) = at else {
            let reason = "expected the number of an app, from 0, and one of its fields";
            return Err(self.wrong(full, self.key_place(value), reason));
        };
        self.app(at, value);
        match (field, Entries::of(value)) {
            (Some(field), _) => self.field(at, field, value),
            (None, Some(entries)) => {
                let mut entries = entries.0.into_iter();
                entries.try_for_each(|(key, value)| self.field(at, &key, value))
            }
            (None, None) => Err(self.wrong(full, self.key_place(value), "expected an object")),
        }
    }

    /// Makes sure that there is such an app.
    fn app(&mut self, at: usize, value: &RawValue) {
        let place = self.place(value);
        while self.layer.apps.len() <= at {
            self.layer.apps.push(AppSettings {
                label: format!("{APPS_KEY}[{}]", self.layer.apps.len()),
                place: place.clone(),
                settings: Settings::new(APPS),
            });
        }
    }

    fn field(&mut self, at: usize, key: &str, value: &RawValue) -> Result<(), ConfigError> {
        let source = self.key_place(value);
        let app = &mut self.layer.apps[at];
        let full = format!("{}.{key}", app.label);
        self.document
            .one_secret(&app.settings, &app.label, key, &source)?;
        if key == SECRET_FILE_KEY {
            let name: Option<String> = serde_json::from_str(value.get()).ok();
            let settings = &mut app.settings;
            return self
                .document
                .secret_file(settings, &app.label, source, name.as_deref());
        }
        let is_it = |name: &str| !name.is_empty() && plain(name) == plain(key);
        let mut fields = APP_FIELDS.iter();
        if let Some(field) = fields.find(|it| is_it(it.name) || is_it(it.also)) {
            let Some(text) = text_of(value) else {
                return Ok(());
            };
            let place = position(APPS, field.key).expect("a field is a setting");
            let read = spelled(&APPS[place], &full, &field.spelling, &text, &source)?;
            return give(&mut app.settings, place, &full, read, source);
        }
        let place = Settings::find(APPS, key, &[]);
        let place = place.map_err(|reason| ConfigError {
            key: full.clone(),
            value: None,
            source: source.clone(),
            reason,
        })?;
        let read = own_value(&APPS[place], &full, value, &source)?;
        give(&mut app.settings, place, &full, read, source)
    }
}

fn position<T>(table: &[Knob<T>], key: &str) -> Option<usize> {
    table.iter().position(|knob| knob.key == key)
}

/// Names of one field differ in case and in lines between words.
fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '-'], "")
}

/// What to say of a key that nobody has.
fn unknown(full: &str) -> String {
    let own = SERVER.iter().map(|knob| Candidate {
        name: knob.key,
        elsewhere: knob.elsewhere,
    });
    let soketis = SOKETI.iter().chain(SOKETI_FILE).map(|name| Candidate {
        name: name.option,
        elsewhere: &[],
    });
    let apps = Candidate {
        name: APPS_KEY,
        elsewhere: &["app"],
    };
    match suggest::closest(full, own.chain(soketis).chain([apps])) {
        Some(name) => format!("this key is not known; did you mean `{name}`?"),
        None => "this key is not known, of soketi's file or of ours".to_owned(),
    }
}

/// A value that was read, in its place; not the second one.
fn give<T>(
    settings: &mut Settings<T>,
    place: usize,
    key: &str,
    value: Option<Value>,
    source: Source,
) -> Result<(), ConfigError> {
    let Some(value) = value else { return Ok(()) };
    let known = settings.table()[place].key;
    if settings.has(known) {
        return Err(ConfigError {
            key: key.to_owned(),
            value: None,
            reason: format!("expected once, but {} gives it too", settings.source(known)),
            source,
        });
    }
    settings.give(place, value, source);
    Ok(())
}

/// A value as a variable of soketi's has it, and whether it is a list or an object.
struct Text {
    text: String,
    is_compound: bool,
}

/// That of a value; nothing where it counts as unset.
fn text_of(value: &RawValue) -> Option<Text> {
    let json: Json = serde_json::from_str(value.get()).ok()?;
    let is_compound = json.is_array() || json.is_object();
    let text = match json {
        Json::Null => return None,
        Json::String(text) => text,
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(Text { text, is_compound })
}

fn spelled<T>(
    knob: &Knob<T>,
    key: &str,
    spelling: &Variable,
    value: &Text,
    source: &Source,
) -> Result<Option<Value>, ConfigError> {
    let text = &*value.text;
    // What stands for one text is no list.
    let read = match value.is_compound && !matches!(knob.accepts, Accepts::Webhooks) {
        true => Err(knob.accepts.expected()),
        false => spelling.read(&knob.accepts, text),
    };
    let (key, shown) = (key.to_owned(), text.to_owned());
    read.map(Some)
        .map_err(|reason| refused(knob, key, shown, source.clone(), reason))
}

/// A value of ours, read as TOML would have it.
fn own_value<T>(
    knob: &Knob<T>,
    key: &str,
    value: &RawValue,
    source: &Source,
) -> Result<Option<Value>, ConfigError> {
    let json: Json = serde_json::from_str(value.get()).unwrap_or(Json::Null);
    if json.is_null() {
        return Ok(None);
    }
    let refuse = |reason| {
        let shown = json
            .as_str()
            .map_or_else(|| json.to_string(), str::to_owned);
        refused(knob, key.to_owned(), shown, source.clone(), reason)
    };
    let text = toml_of(&json);
    let parsed = DeValue::parse(&text).map_err(|_| refuse(knob.accepts.expected()))?;
    let read = knob.accepts.read_toml(parsed.get_ref());
    read.map(Some).map_err(refuse)
}

/// A value of JSON as one of TOML. Texts and numbers are the same in both.
fn toml_of(json: &Json) -> String {
    match json {
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(toml_of).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(members) => {
            let key = |key: &str| Json::from(key).to_string();
            let members = members.iter();
            let members: Vec<String> = members
                .map(|(name, value)| format!("{} = {}", key(name), toml_of(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        // TOML has nothing for it, and nothing takes an empty text for it.
        Json::Null => "\"\"".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::server::config::file;
    use crate::server::config::settings::Config;
    use std::path::Path;

    fn parsed(text: &str) -> Result<FileLayer, ConfigError> {
        let mut layer = file::parse(Path::new("s.json"), text, None)?;
        layer.judge(&[])?;
        Ok(layer)
    }

    fn error(text: &str) -> String {
        parsed(text).err().expect("the file is refused").to_string()
    }

    fn config(layer: &FileLayer) -> Config {
        let mut config = Config::default();
        layer.server.apply(&mut config);
        config
    }

    fn app(layer: &FileLayer, at: usize) -> App {
        let mut app = App::new("", "", "");
        layer.every_app.apply(&mut app);
        layer.apps[at].settings.apply(&mut app);
        app
    }

    #[test]
    fn dotted_and_nested_keys_of_soketi_mean_the_same() {
        let dotted = r#"{
            "debug": true, "port": 7001, "shutdownGracePeriod": 500,
            "appManager.array.apps": [
                {"id": "some-id", "key": "some-key", "secret": "canary", "maxConnections": 100,
                 "enableClientMessages": true, "maxEventPayloadInKb": 20,
                 "maxReadRequestsPerSecond": -1,
                 "webhooks": [{"url": "https://a.example", "event_types": ["channel_occupied"]}]}
            ],
            "channelLimits.maxNameLength": 90,
            "presence": {"maxMemberSizeInKb": 4},
            "metrics.enabled": true,
            "httpApi.requestLimitInMb": 2,
            "adapter.driver": "local"
        }"#;
        let nested = r#"{
            "debug": 1, "port": "7001", "shutdownGracePeriod": "500",
            "appManager": {"driver": "array", "array": {"apps": [
                {"AppId": "some-id", "AppKey": "some-key", "AppSecret": "canary",
                 "max_connections": "100", "EnableClientMessages": 1, "max_event_payload_in_kb": 20,
                 "max_read_req_per_sec": -1,
                 "Webhooks":
                 "[{\"url\":\"https://a.example\",\"event_types\":[\"channel_occupied\"]}]"}
            ]}},
            "channelLimits": {"maxNameLength": 90},
            "presence.maxMemberSizeInKb": 4.0,
            "metrics": {"enabled": "true", "host": null, "prometheus": {"prefix": "soketi_"}},
            "httpApi": {"requestLimitInMb": 2},
            "adapter": {"driver": "local", "redis": {"requestsTimeout": 5000, "prefix": ""}}
        }"#;
        for text in [dotted, nested] {
            let layer = parsed(text).unwrap();
            let got = config(&layer);
            assert!(got.debug && got.port == 7001 && layer.is_soketis);
            assert_eq!(got.drain_spread_ms, Some(500));
            assert_eq!(
                (got.body_bytes, got.admin),
                (2 << 20, crate::server::config::AdminPort::On)
            );
            let app = app(&layer, 0);
            let names = (&app.id[..], &app.key[..], app.secret.expose());
            assert_eq!(names, ("some-id", "some-key", "canary"));
            assert_eq!((app.max_connections, app.client_events), (Some(100), true));
            assert_eq!(
                (app.event_data_bytes, app.channel_name_chars),
                (20 << 10, 90)
            );
            assert_eq!(
                (app.presence_member_bytes, app.webhooks.len()),
                (4 << 10, 1)
            );
            assert_eq!(app.read_requests_per_second, None);
            assert_eq!((layer.apps.len(), layer.told.len()), (1, 0));
        }
    }

    #[test]
    fn apps_may_be_numbered() {
        let layer = parsed(
            r#"{"appManager.array.apps.0.id": "1", "appManager": {"array": {"apps.0.key": "k"}},
                "appManager.array.apps.1": {"id": "2"}, "appManager.array.apps.0.secret": "s"}"#,
        );
        let layer = layer.unwrap();
        assert_eq!((layer.apps.len(), layer.is_soketis), (2, true));
        let first = app(&layer, 0);
        assert_eq!(
            (&first.id[..], &first.key[..], first.secret.expose()),
            ("1", "k", "s")
        );
        assert_eq!(app(&layer, 1).id, "2");
    }

    #[test]
    fn our_own_keys_are_read_as_in_toml() {
        let layer = parsed(
            r#"{"$schema": "x", "port": 80, "shards": 2, "cores": [0, 2], "backlog": null,
                "trusted_proxies": ["10.0.0.0/8"], "tls_certificates": [{"cert": "a", "key": "b"}],
                "apps": [{"id": "1", "key": "k", "secret": "s", "allowed_origins": ["a.example"],
                          "client_events_per_second": -1, "quota_close": 4100}]}"#,
        );
        let layer = layer.unwrap();
        let got = config(&layer);
        assert_eq!((got.port, got.shards, got.cores), (80, Some(2), vec![0, 2]));
        assert_eq!(
            (got.trusted_proxies.len(), got.tls_certificates.len()),
            (1, 1)
        );
        let app = app(&layer, 0);
        assert_eq!(app.allowed_origins, ["a.example"]);
        assert_eq!(app.client_events_per_second, None);
        assert!(!layer.is_soketis && !layer.server.has("backlog"));
    }

    #[test]
    fn json_is_known_by_its_name_or_its_first_character() {
        for (name, text) in [("s.json", "{\"port\": 1}"), ("s.conf", " \n{\"port\": 1}")] {
            let layer = file::parse(Path::new(name), text, None).unwrap();
            assert_eq!(config(&layer).port, 1);
        }
        let marked = file::parse(Path::new("s.json"), "\u{FEFF}{\"port\": 1}", None);
        assert_eq!(config(&marked.unwrap()).port, 1);
        assert!(error("port = 1").contains("expected JSON, but: "));
    }

    #[test]
    fn mistakes_name_line_column_and_key() {
        for (text, message) in [
            (
                "{\"port\": 1,\n  \"host\" 1}",
                "s.json:2:10: `config`: expected JSON, but: expected `:`.",
            ),
            (
                "[1]",
                "s.json:1: `config`: expected an object, with settings as its keys.",
            ),
            (
                "{\n  \"prot\": 1}",
                "s.json:2:3: `prot`: this key is not known; did you mean `port`?",
            ),
            (
                "{\"channelLimits\": {\n\"maxNameLenght\": 1}}",
                "s.json:2: `channelLimits.maxNameLenght`: this key is not known; did you mean \
                 `channelLimits.maxNameLength`?",
            ),
            (
                "{\"quux\": {}}",
                "s.json:1:2: `quux`: this key is not known, of soketi's file or of ours.",
            ),
            (
                "{\"port\": 70000}",
                "s.json:1:2: `port` cannot be \"70000\": expected a whole number from 0 to 65535.",
            ),
            (
                "{\"shards\": \"2\"}",
                "s.json:1:2: `shards` cannot be \"2\": expected a whole number from 1",
            ),
            (
                "{\"adapter\": {\"driver\": \"redis\"}}",
                "s.json:1:14: `adapter.driver` cannot be \"redis\": one process serves every core",
            ),
            (
                "{\"cors.origin\": [\"a\"]}",
                "s.json:1:2: `cors.origin`: answers to backends have",
            ),
            (
                "{\"port\": 1, \"port\": 2}",
                "s.json:1:13: `port`: expected once, but s.json:1:2 gives it too.",
            ),
            (
                "{\"debug\": 1, \"apps\": [{\"id\": \"1\", \"AppId\": \"1\"}]}",
                "s.json:1:35: `apps[0].AppId`: expected once, but s.json:1:24 gives it too.",
            ),
            (
                "{\"apps\": {}}",
                "s.json:1:2: `apps`: expected an array of objects",
            ),
            (
                "{\"apps\": [1]}",
                "s.json:1:11: `apps`: expected an array of objects",
            ),
            (
                "{\"apps\": [{\"sekret\": 1}]}",
                "s.json:1:12: `apps[0].sekret`: this key is not known; did you mean `secret`?",
            ),
            (
                "{\"appManager.array.apps.x.id\": 1}",
                "s.json:1:2: `appManager.array.apps.x.id`: expected the number of an app",
            ),
            (
                "{\"appManager.array.apps.100000.id\": \"1\"}",
                "s.json:1:2: `appManager.array.apps.100000.id`: expected the number of an app",
            ),
            (
                "{\"apps\": [{\"webhooks\": [{}]}]}",
                "s.json:1:12: `apps[0].webhooks`: [0].url: it is missing",
            ),
            (
                "{\"apps\": [{\"secret\": \"a\", \"secret_file\": \"/b\"}]}",
                "s.json:1:27: `apps[0].secret_file`: expected only one of secret and secret_file.",
            ),
            (
                "{\"apps\": [{\"secret_file\": 1}]}",
                "s.json:1:12: `apps[0].secret_file`: expected the name of a file, in quotes.",
            ),
        ] {
            assert!(
                error(text).starts_with(message),
                "{text} gave {}",
                error(text)
            );
        }
    }

    // F29
    #[test]
    fn no_message_repeats_a_secret() {
        for text in [
            "{\"apps\": [{\"secret\": \"canary",
            "{\"apps\": [{\"secret\": canary}]}",
            "{\"apps\": [{\"secret\": [\"canary\"]}]}",
            "{\"apps\": [{\"secret\": \" canary\"}]}",
            "{\"apps\": [{\"secret\": \"canary\", \"AppSecret\": \"canary\"}]}",
            "{\"database\": {\"redis\": {\"password\": \"canary\"}}}",
            "{\"adapter.redis.redisPubOptions\": {\"password\": \"canary\"}}",
            "{\"apps\": [{\"webhooks\": [{\"headers\": {\"X A\": \"canary\"}}]}]}",
        ] {
            let message = error(text);
            assert!(!message.contains("canary"), "{text} gave {message}");
        }
    }

    #[test]
    fn deep_nesting_ends_at_a_key_that_is_not_known() {
        let deep = format!("{}1{}", "{\"adapter\":".repeat(100), "}".repeat(100));
        assert!(
            error(&deep).contains("`adapter.adapter`: this key is not known"),
            "{}",
            error(&deep)
        );
    }
}
