//! An app's webhooks, as TOML has them and as the JSON of a variable.
//!
//! Both become one tree of [`Node`]s and go through one reader, so that they cannot disagree.
//! soketi's names (`filter.channel_name_starts_with`) and Sockudo's (`channel_prefix`) mean the
//! same. Invariants: nothing unknown is ignored; no message repeats a header's value or a URL; what
//! an operator writes here is trusted with private addresses.

use std::fmt;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::DeValue;

use crate::app::{Webhook, WebhookKind};
use crate::control::webhook::{Target, own_header};

/// Webhooks of one app.
pub(super) const WEBHOOKS_MAX: usize = 32;

/// Headers of one webhook.
pub(super) const HEADERS_MAX: usize = 32;

/// Characters of a filter; no app lets channel names have more.
pub(super) const FILTER_MAX: usize = 1000;

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The byte of the file it begins at, if it is in one.
    pub place: Option<usize>,
    /// Which part: `[0].url`.
    pub key: String,
    /// What is wrong and what would be accepted.
    pub reason: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key[..] {
            "" => f.write_str(&self.reason),
            key => write!(f, "{key}: {}", self.reason),
        }
    }
}

/// Reads the JSON of a variable.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_json(text: &str) -> Result<Vec<Webhook>, Mistake> {
    let value: Json = serde_json::from_str(text).map_err(|error| Mistake {
        place: None,
        key: String::new(),
        reason: format!(
            "expected a JSON array of objects such as [{{\"url\":\"https://example.com/hook\"}}], \
             but it is no JSON (line {}, column {})",
            error.line(),
            error.column()
        ),
    })?;
    read(&Node::of_json(value))
}

/// Reads an array of tables.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_toml(value: &DeValue<'_>) -> Result<Vec<Webhook>, Mistake> {
    read(&Node::of_toml(value, None))
}

/// The webhooks as a value of TOML, without what their headers say.
pub(super) fn show(webhooks: &[Webhook]) -> String {
    let tables: Vec<String> = webhooks.iter().map(show_one).collect();
    format!("[{}]", tables.join(", "))
}

fn show_one(webhook: &Webhook) -> String {
    // A JSON string without control characters is one of TOML too.
    let quoted = |text: &str| Json::from(text).to_string();
    let mut fields = vec![format!("url = {}", quoted(&webhook.url))];
    if !webhook.events.is_empty() {
        let names: Vec<String> = webhook.events.iter().map(|k| quoted(k.name())).collect();
        fields.push(format!("event_types = [{}]", names.join(", ")));
    }
    for (key, value) in [
        ("channel_prefix", &webhook.channel_prefix),
        ("channel_suffix", &webhook.channel_suffix),
    ] {
        fields.extend(value.iter().map(|text| format!("{key} = {}", quoted(text))));
    }
    if !webhook.headers.is_empty() {
        let hidden = |(name, _): &(String, String)| format!("{} = \"(hidden)\"", quoted(name));
        let headers: Vec<String> = webhook.headers.iter().map(hidden).collect();
        fields.push(format!("headers = {{ {} }}", headers.join(", ")));
    }
    format!("{{ {} }}", fields.join(", "))
}

/// A value of either language.
struct Node {
    place: Option<usize>,
    what: What,
}

enum What {
    Text(String),
    List(Vec<Node>),
    Table(Vec<(Option<usize>, String, Node)>),
    Other,
}

impl Node {
    fn of_json(value: Json) -> Self {
        let what = match value {
            Json::String(text) => What::Text(text),
            Json::Array(items) => What::List(items.into_iter().map(Self::of_json).collect()),
            Json::Object(entries) => What::Table(
                entries
                    .into_iter()
                    .map(|(key, value)| (None, key, Self::of_json(value)))
                    .collect(),
            ),
            Json::Null | Json::Bool(_) | Json::Number(_) => What::Other,
        };
        Self { place: None, what }
    }

    fn of_toml(value: &DeValue<'_>, place: Option<usize>) -> Self {
        let within =
            |item: &Spanned<DeValue<'_>>| Self::of_toml(item.get_ref(), Some(item.span().start));
        let what = match value {
            DeValue::String(text) => What::Text(text.to_string()),
            DeValue::Array(items) => What::List(items.iter().map(within).collect()),
            DeValue::Table(table) => {
                let mut entries: Vec<_> = table
                    .iter()
                    .map(|(key, value)| {
                        let place = Some(key.span().start);
                        (place, key.get_ref().to_string(), within(value))
                    })
                    .collect();
                entries.sort_by_key(|(place, ..)| *place);
                What::Table(entries)
            }
            _ => What::Other,
        };
        Self { place, what }
    }

    fn mistake(&self, key: &str, reason: impl Into<String>) -> Mistake {
        Mistake {
            place: self.place,
            key: key.to_owned(),
            reason: reason.into(),
        }
    }

    fn text(&self, key: &str) -> Result<&str, Mistake> {
        match &self.what {
            What::Text(text) => Ok(text),
            _ => Err(self.mistake(key, "expected text in quotes")),
        }
    }
}

fn read(node: &Node) -> Result<Vec<Webhook>, Mistake> {
    const EXPECTED: &str = "expected a list of webhooks, each with a url";
    let What::List(items) = &node.what else {
        return Err(node.mistake("", EXPECTED));
    };
    if items.len() > WEBHOOKS_MAX {
        let reason = format!("expected at most {WEBHOOKS_MAX} webhooks");
        return Err(node.mistake("", reason));
    }
    let numbered = items.iter().enumerate();
    numbered
        .map(|(at, item)| match &item.what {
            What::Table(entries) => webhook(item, entries, &format!("[{at}]")),
            _ => Err(item.mistake(&format!("[{at}]"), EXPECTED)),
        })
        .collect()
}

type Entries = [(Option<usize>, String, Node)];

fn webhook(item: &Node, entries: &Entries, label: &str) -> Result<Webhook, Mistake> {
    let mut made = Webhook {
        trusted: true,
        ..Webhook::new("")
    };
    for (place, key, value) in entries {
        let full = format!("{label}.{key}");
        match &key[..] {
            "url" => made.url = url(value, &full)?,
            "event_types" => made.events = kinds(value, &full)?,
            "channel_prefix" => filter(&mut made.channel_prefix, value, &full)?,
            "channel_suffix" => filter(&mut made.channel_suffix, value, &full)?,
            "filter" => filters(&mut made, value, &full)?,
            "headers" => made.headers = headers(value, &full)?,
            _ => return Err(unknown(*place, key, full)),
        }
    }
    match made.url.is_empty() {
        true => Err(item.mistake(
            &format!("{label}.url"),
            "it is missing; a webhook needs one",
        )),
        false => Ok(made),
    }
}

fn unknown(place: Option<usize>, key: &str, full: String) -> Mistake {
    let reason = match key {
        "lambda_function" | "lambda" => {
            "AWS Lambda is not supported; give the function a URL of its own and set url".to_owned()
        }
        _ => "this key is not known; expected one of url, event_types, channel_prefix, \
              channel_suffix, filter, headers"
            .to_owned(),
    };
    Mistake {
        place,
        key: full,
        reason,
    }
}

fn url(value: &Node, key: &str) -> Result<String, Mistake> {
    let url = value.text(key)?;
    let target = Target::parse(url).and_then(|target| target.check(true));
    target.map_err(|reason| value.mistake(key, reason))?;
    Ok(url.to_owned())
}

fn kinds(value: &Node, key: &str) -> Result<Vec<WebhookKind>, Mistake> {
    let names = || WebhookKind::ALL.map(WebhookKind::name).join(", ");
    let expected = || format!("expected a list of event names, of {}", names());
    let What::List(items) = &value.what else {
        return Err(value.mistake(key, expected()));
    };
    if items.is_empty() {
        let reason = "an empty list would tell of nothing; leave it out to be told everything";
        return Err(value.mistake(key, reason));
    }
    let one = |item: &Node| {
        let name = item.text(key).map_err(|_| item.mistake(key, expected()))?;
        let kind = WebhookKind::ALL.into_iter().find(|k| k.name() == name);
        let reason = || format!("{name:?} is not an event; expected some of {}", names());
        kind.ok_or_else(|| item.mistake(key, reason()))
    };
    items.iter().map(one).collect()
}

/// soketi's way of writing the two filters.
fn filters(made: &mut Webhook, value: &Node, key: &str) -> Result<(), Mistake> {
    let expected = "expected channel_name_starts_with, channel_name_ends_with, or both";
    let What::Table(entries) = &value.what else {
        return Err(value.mistake(key, expected));
    };
    for (place, name, value) in entries {
        let full = format!("{key}.{name}");
        match &name[..] {
            "channel_name_starts_with" => filter(&mut made.channel_prefix, value, &full)?,
            "channel_name_ends_with" => filter(&mut made.channel_suffix, value, &full)?,
            _ => {
                return Err(Mistake {
                    place: *place,
                    key: full,
                    reason: format!("this key is not known; {expected}"),
                });
            }
        }
    }
    Ok(())
}

fn filter(slot: &mut Option<String>, value: &Node, key: &str) -> Result<(), Mistake> {
    let text = value.text(key)?;
    if text.chars().count() > FILTER_MAX || text.chars().any(char::is_control) {
        let reason = format!("expected at most {FILTER_MAX} characters of a channel's name");
        return Err(value.mistake(key, reason));
    }
    if slot.is_some() {
        return Err(value.mistake(key, "it is given twice, under both of its names"));
    }
    *slot = Some(text.to_owned());
    Ok(())
}

fn headers(value: &Node, key: &str) -> Result<Vec<(String, String)>, Mistake> {
    let What::Table(entries) = &value.what else {
        return Err(value.mistake(key, "expected names of headers with their values"));
    };
    if entries.len() > HEADERS_MAX {
        return Err(value.mistake(key, format!("expected at most {HEADERS_MAX} headers")));
    }
    let one = |(place, name, value): &(Option<usize>, String, Node)| {
        let text = value.text(key)?;
        own_header(name, text).map_err(|reason| Mistake {
            place: *place,
            key: key.to_owned(),
            reason,
        })?;
        Ok((name.clone(), text.to_owned()))
    };
    entries.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> Result<Vec<Webhook>, Mistake> {
        let value = DeValue::parse(text).expect("the sample is TOML");
        read_toml(value.get_ref())
    }

    fn mistake(json: &str) -> String {
        read_json(json).expect_err(json).to_string()
    }

    const FULL: &str = r#"[{"url":"https://a.example/hook",
        "event_types":["member_added","user_online"],
        "filter":{"channel_name_starts_with":"presence-","channel_name_ends_with":"-eu"},
        "headers":{"X-Token":"canary"}},{"url":"http://127.0.0.1:3000/"}]"#;

    // K7
    #[test]
    fn both_languages_and_both_spellings_mean_the_same() {
        let wanted = [
            Webhook {
                url: "https://a.example/hook".into(),
                events: vec![WebhookKind::MemberAdded, WebhookKind::UserOnline],
                channel_prefix: Some("presence-".into()),
                channel_suffix: Some("-eu".into()),
                headers: vec![("X-Token".into(), "canary".into())],
                trusted: true,
            },
            Webhook {
                trusted: true,
                ..Webhook::new("http://127.0.0.1:3000/")
            },
        ];
        assert_eq!(read_json(FULL).unwrap(), wanted);
        let sockudo = FULL
            .replace("\"filter\":{", "")
            .replace("\"-eu\"}", "\"-eu\"")
            .replace("channel_name_starts_with", "channel_prefix")
            .replace("channel_name_ends_with", "channel_suffix");
        assert_eq!(read_json(&sockudo).unwrap(), wanted);
        let written = "[{ url = 'https://a.example/hook', headers = { X-Token = 'canary' }, \
                       event_types = ['member_added', 'user_online'], \
                       channel_suffix = '-eu', filter = { channel_name_starts_with = 'presence-' } \
                       }, { url = 'http://127.0.0.1:3000/' }]";
        assert_eq!(toml(written).unwrap(), wanted);
        assert_eq!(read_json("[]").unwrap(), []);
    }

    #[test]
    fn mistakes_are_told_by_key() {
        for (json, message) in [
            ("{", "expected a JSON array"),
            ("{}", "expected a list of webhooks"),
            ("[1]", "[0]: expected a list of webhooks"),
            ("[{}]", "[0].url: it is missing"),
            (
                r#"[{"url":"http://a.example"},{"url":7}]"#,
                "[1].url: expected text",
            ),
            (r#"[{"url":"a.example"}]"#, "[0].url: expected a URL"),
            (
                r#"[{"url":"http://169.254.169.254/"}]"#,
                "[0].url: it leads to a metadata",
            ),
            (
                r#"[{"url":"http://u:canary@a.example"}]"#,
                "[0].url: a URL may hold no cred",
            ),
            (
                r#"[{"lambda_function":"canary"}]"#,
                "[0].lambda_function: AWS Lambda is not",
            ),
            (
                r#"[{"urls":"canary"}]"#,
                "[0].urls: this key is not known; expected one of url,",
            ),
            (
                r#"[{"event_types":"all"}]"#,
                "[0].event_types: expected a list of event names",
            ),
            (r#"[{"event_types":[]}]"#, "[0].event_types: an empty list"),
            (
                r#"[{"event_types":["x"]}]"#,
                "[0].event_types: \"x\" is not an event; expected",
            ),
            (
                r#"[{"event_types":[1]}]"#,
                "[0].event_types: expected a list",
            ),
            (
                r#"[{"filter":"a"}]"#,
                "[0].filter: expected channel_name_starts_with",
            ),
            (
                r#"[{"filter":{"x":1}}]"#,
                "[0].filter.x: this key is not known",
            ),
            (
                r#"[{"channel_prefix":1}]"#,
                "[0].channel_prefix: expected text",
            ),
            (
                r#"[{"channel_prefix":"a","filter":{"channel_name_starts_with":"b"}}]"#,
                "[0].filter.channel_name_starts_with: it is given twice",
            ),
            (r#"[{"headers":["canary"]}]"#, "[0].headers: expected names"),
            (r#"[{"headers":{"X-A":1}}]"#, "[0].headers: expected text"),
            (
                r#"[{"headers":{"X A":"canary"}}]"#,
                "[0].headers: \"X A\" is not the name",
            ),
            (
                r#"[{"headers":{"X-A":"canary\n"}}]"#,
                "[0].headers: the value of the header \"X-A\"",
            ),
            (
                r#"[{"headers":{"x-pusher-signature":"canary"}}]"#,
                "[0].headers: the header \"x-pusher-signature\" is set by the server",
            ),
        ] {
            let told = mistake(json);
            assert!(told.starts_with(message), "{json}: {told}");
            assert!(!told.contains("canary"), "{told}");
        }
    }

    #[test]
    fn a_mistake_in_a_file_has_its_place() {
        let text = "[{ url = 'http://a.example' },\n { url = 'http://a.example', urk = 1 }]";
        let mistake = toml(text).unwrap_err();
        assert_eq!(mistake.place, text.find("urk"));
        assert_eq!(mistake.key, "[1].urk");
        let text = "[{ event_types = ['member_added', 'x'] }]";
        assert_eq!(toml(text).unwrap_err().place, text.find("'x'"));
    }

    #[test]
    fn bounds_hold_at_their_edge_and_not_past_it() {
        let hooks = |count| {
            format!(
                "[{}]",
                vec![r#"{"url":"http://a.example"}"#; count].join(",")
            )
        };
        assert_eq!(read_json(&hooks(WEBHOOKS_MAX)).unwrap().len(), WEBHOOKS_MAX);
        assert!(mistake(&hooks(WEBHOOKS_MAX + 1)).starts_with("expected at most 32 webhooks"));
        let headers = |count: usize| {
            let all: Vec<String> = (0..count).map(|at| format!("\"X-{at}\":\"v\"")).collect();
            let all = all.join(",");
            format!(r#"[{{"url":"http://a.example","headers":{{{all}}}}}]"#)
        };
        assert!(read_json(&headers(HEADERS_MAX)).is_ok());
        assert!(mistake(&headers(HEADERS_MAX + 1)).starts_with("[0].headers: expected at most 32"));
        let filter = |count| {
            let filter = "x".repeat(count);
            format!(r#"[{{"url":"http://a.example","channel_prefix":"{filter}"}}]"#)
        };
        assert!(read_json(&filter(FILTER_MAX)).is_ok());
        assert!(mistake(&filter(FILTER_MAX + 1)).starts_with("[0].channel_prefix: expected at"));
    }

    // F29
    #[test]
    fn what_is_shown_reads_back_without_what_headers_say() {
        let hooks = read_json(FULL).unwrap();
        let shown = show(&hooks);
        assert!(
            !shown.contains("canary") && shown.contains("X-Token"),
            "{shown}"
        );
        let again = toml(&shown).unwrap();
        assert_eq!(show(&again), shown);
        assert_eq!(again[0].headers, [("X-Token".into(), "(hidden)".into())]);
        assert_eq!(again[1], hooks[1]);
        assert_eq!(show(&[]), "[]");
    }
}
