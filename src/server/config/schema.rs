//! The JSON schema of a configuration file, for editors.
//!
//! It is made from the tables. It knows ranges and forms of single values; what makes no sense
//! together is found by `check` alone. Invariant: what it refuses, the server refuses too, but for
//! two things that the server takes in JSON and this one is not for: `null`, which counts as not
//! given, and soketi's own keys.

use super::app_knobs::APPS;
use super::knob::{Accepts, Knob, NAME_CHARS_MAX, PATTERNS_MAX, SECRET_BYTES_MAX};
use super::server_knobs::SERVER;
use super::settings::Config;
use super::webhooks;
use crate::app::{App, WebhookKind};
use crate::limits::TLS_PAIRS_MAX;
use serde_json::{Map, Value, json};

/// The schema, draft 2020-12, as JSON text.
///
/// A file in TOML is looked at as the JSON that has the same tables and values.
#[must_use]
pub fn schema() -> String {
    let mut server = properties(SERVER, &Config::default());
    let mut app = properties(APPS, &App::new("", "", ""));
    let secret_file = json!({
        "type": "string",
        "minLength": 1,
        "description": "The file that the secret stands in, or the name of a credential of systemd",
    });
    app.insert("secret_file".to_owned(), secret_file);
    let apps = json!({
        "type": "array",
        "description": "The apps that are served",
        "items": {
            "type": "object",
            "properties": app,
            "required": ["id", "key"],
            "oneOf": [{ "required": ["secret"] }, { "required": ["secret_file"] }],
            "additionalProperties": false,
        },
    });
    server.insert("apps".to_owned(), apps);
    let this = json!({ "type": "string", "description": "The schema, for editors; in JSON only" });
    server.insert("$schema".to_owned(), this);
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of shardcast",
        "type": "object",
        "properties": server,
        "additionalProperties": false,
    });
    // The alternate form has line breaks.
    format!("{whole:#}\n")
}

fn properties<T>(table: &[Knob<T>], defaults: &T) -> Map<String, Value> {
    let property = |knob: &Knob<T>| {
        let mut form = form(&knob.accepts);
        form.insert("description".to_owned(), knob.help.into());
        if let Some(default) = default(knob, defaults) {
            form.insert("default".to_owned(), default);
        }
        (knob.key.to_owned(), Value::Object(form))
    };
    table.iter().map(property).collect()
}

/// The default, where it can be told as JSON: numbers, words, truth and empty lists.
fn default<T>(knob: &Knob<T>, defaults: &T) -> Option<Value> {
    match knob.accepts {
        Accepts::Name { .. } | Accepts::Secret => None,
        // What TOML and JSON have in common is all that the tables show as defaults.
        _ => serde_json::from_str(&(knob.show)(defaults)).ok(),
    }
}

fn form(accepts: &Accepts) -> Map<String, Value> {
    let form = match accepts {
        Accepts::Whole { least, most, .. } => whole(*least, *most),
        Accepts::WholeOrOff { least, most, .. } => {
            json!({ "anyOf": [whole(*least, *most), { "const": -1 }] })
        }
        Accepts::Truth => json!({ "type": "boolean" }),
        Accepts::Address => json!({
            "type": "string",
            "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }, { "const": "localhost" }],
        }),
        Accepts::Cores => json!({ "anyOf": [
            { "type": "string", "pattern": "^[0-9, -]+$" },
            { "type": "array", "items": whole(0, 1023), "minItems": 1, "uniqueItems": true },
        ] }),
        Accepts::Name { without } => {
            let not: String = without.chars().map(|c| format!("\\{c}")).collect();
            let pattern = match not.is_empty() {
                true => "^[!-~]+$".to_owned(),
                false => format!("^(?:(?![{not}])[!-~])+$"),
            };
            json!({ "type": "string", "maxLength": NAME_CHARS_MAX, "pattern": pattern })
        }
        Accepts::Secret => {
            json!({ "type": "string", "minLength": 1, "maxLength": SECRET_BYTES_MAX })
        }
        Accepts::Word(words) => {
            let numbers = words.iter().filter_map(|word| word.parse::<u32>().ok());
            let all = words.iter().map(|word| Value::from(*word));
            json!({ "enum": all.chain(numbers.map(Value::from)).collect::<Vec<_>>() })
        }
        Accepts::Origins | Accepts::Networks => {
            let item = json!({ "type": "string", "minLength": 1 });
            json!({ "type": "array", "items": item, "maxItems": PATTERNS_MAX })
        }
        Accepts::Prefix => json!({ "type": "string", "pattern": "^[A-Za-z0-9._~/ -]*$" }),
        Accepts::Path => json!({ "type": "string", "minLength": 1 }),
        Accepts::Webhooks => webhooks_form(),
        Accepts::Certificates => {
            let path = json!({ "type": "string", "minLength": 1 });
            let pair = json!({
                "type": "object",
                "properties": { "cert": path, "key": path },
                "required": ["cert", "key"],
                "additionalProperties": false,
            });
            json!({ "type": "array", "items": pair, "maxItems": TLS_PAIRS_MAX - 1 })
        }
    };
    match form {
        Value::Object(form) => form,
        _ => unreachable!("every form is an object"),
    }
}

fn whole(least: u64, most: u64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

fn webhooks_form() -> Value {
    let filter = json!({ "type": "string", "maxLength": webhooks::FILTER_MAX });
    let names = WebhookKind::ALL.map(WebhookKind::name);
    let headers = json!({
        "type": "object",
        "additionalProperties": { "type": "string" },
        "maxProperties": webhooks::HEADERS_MAX,
    });
    let webhook = json!({
        "type": "object",
        "properties": {
            "url": { "type": "string", "pattern": "^https?://" },
            "event_types": { "type": "array", "items": { "enum": names }, "minItems": 1 },
            "channel_prefix": filter,
            "channel_suffix": filter,
            "filter": {
                "type": "object",
                "properties": {
                    "channel_name_starts_with": filter,
                    "channel_name_ends_with": filter,
                },
                "additionalProperties": false,
            },
            "headers": headers,
        },
        "required": ["url"],
        "additionalProperties": false,
    });
    json!({ "type": "array", "items": webhook, "maxItems": webhooks::WEBHOOKS_MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::config::file;
    use std::path::Path;

    #[test]
    fn a_file_that_names_its_schema_is_one_of_it_and_of_the_server() {
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let named = schema["properties"].get("$schema");
        assert_eq!(named.map(|it| &it["type"]), Some(&json!("string")));
        let text = r#"{"$schema": "./schema.json", "port": 5}"#;
        let layer = file::parse(Path::new("s.json"), text, None).unwrap();
        assert!(layer.server.has("port"));
    }
}
