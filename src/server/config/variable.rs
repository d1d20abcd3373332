//! The environment's names for a setting: those of other servers, and how each of them writes its
//! value.
//!
//! Which setting has which names stands in the tables. Invariant: whatever the spelling, the value
//! is judged by the setting's own [`Accepts`], so that no name allows more than another.

use super::knob::{Accepts, Value};
use std::borrow::Cow;

/// One environment variable of a setting.
pub(super) struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Whether it sets the default of every app instead of a value of the one that the environment
    /// describes. Of no meaning for a setting of the server.
    pub every_app: bool,
    /// Whether it counts only where no other name says something: it may be meant for others.
    pub is_weak: bool,
    /// Whether whoever uses it is told a better one, and what cannot be read is passed over: it has
    /// no prefix.
    pub is_bare: bool,
    spelling: Spelling,
    /// A value that makes sense elsewhere and none here, and why.
    refused: Option<(&'static str, &'static str)>,
}

/// How a variable writes what its setting takes.
enum Spelling {
    /// As the setting does.
    Same,
    /// In units of so many bytes, where the setting counts bytes.
    Bytes(u64, &'static str),
    /// In words of its own, each with what it means.
    Words(&'static [(&'static str, &'static str)]),
}

impl Variable {
    /// One that is written as its setting is.
    pub(super) const fn same(name: &'static str) -> Variable {
        Variable {
            name,
            every_app: false,
            is_weak: false,
            is_bare: false,
            spelling: Spelling::Same,
            refused: None,
        }
    }

    /// The same without a value that makes sense in the server that it is from, and why.
    pub(super) const fn without(self, value: &'static str, reason: &'static str) -> Variable {
        Variable {
            refused: Some((value, reason)),
            ..self
        }
    }

    /// One that counts only where no other name says something.
    pub(super) const fn weak(name: &'static str) -> Variable {
        Variable {
            is_weak: true,
            ..Variable::same(name)
        }
    }

    /// The same name without its prefix.
    pub(super) const fn bare(self, name: &'static str) -> Variable {
        Variable {
            name,
            is_weak: true,
            is_bare: true,
            ..self
        }
    }

    /// One with words of its own.
    pub(super) const fn words(
        name: &'static str,
        words: &'static [(&'static str, &'static str)],
    ) -> Variable {
        Variable {
            spelling: Spelling::Words(words),
            ..Variable::same(name)
        }
    }

    /// The default of every app.
    pub(super) const fn every(name: &'static str) -> Variable {
        Variable {
            every_app: true,
            ..Variable::same(name)
        }
    }

    /// The default of every app, in kilobytes.
    pub(super) const fn every_kilobytes(name: &'static str) -> Variable {
        Variable {
            spelling: Spelling::Bytes(1 << 10, "KB of 1024 bytes"),
            ..Variable::every(name)
        }
    }

    /// In megabytes.
    pub(super) const fn megabytes(name: &'static str) -> Variable {
        Variable {
            spelling: Spelling::Bytes(1 << 20, "MB of 1048576 bytes"),
            ..Variable::same(name)
        }
    }

    /// What to say of it beside its name in the help.
    pub(super) fn note(&self) -> String {
        let unit = match self.spelling {
            Spelling::Bytes(_, unit) => format!(", in {unit}"),
            Spelling::Words(words) => format!(", one of {}", listed(words)),
            Spelling::Same => String::new(),
        };
        let whose = if self.every_app { ", of every app" } else { "" };
        unit + whose
    }

    /// Reads what the variable holds.
    ///
    /// # Errors
    /// The reason it is refused.
    pub(super) fn read(&self, accepts: &Accepts, text: &str) -> Result<Value, String> {
        let text = &*match self.name.split_once('_').map_or("", |(server, _)| server) {
            "SOKETI" => of_json(accepts, text),
            "REVERB" | "PUSHER" | "LARAVEL" => of_laravel(text),
            _ => Cow::Borrowed(text),
        };
        let mut refused = self.refused.iter();
        if let Some((_, reason)) = refused.find(|(value, _)| *value == text.trim()) {
            return Err((*reason).to_owned());
        }
        match self.spelling {
            Spelling::Same => accepts.read_text(text),
            Spelling::Bytes(factor, unit) => {
                let bytes = whole_bytes(text.trim(), factor);
                let read = bytes.and_then(|n| accepts.read_text(&n.to_string()).ok());
                read.ok_or_else(|| format!("{}; this variable counts {unit}", accepts.expected()))
            }
            Spelling::Words(words) => {
                let text = text.trim();
                let known = words
                    .iter()
                    .find(|(word, _)| word.eq_ignore_ascii_case(text));
                let (_, means) =
                    known.ok_or_else(|| format!("expected one of {}", listed(words)))?;
                accepts.read_text(means)
            }
        }
    }
}

/// So many units of `factor` bytes, of which there may be a fraction; one of a byte does not count.
fn whole_bytes(text: &str, factor: u64) -> Option<u64> {
    if let Ok(units) = text.parse::<u64>() {
        return units.checked_mul(factor);
    }
    let bytes = text.parse::<f64>().ok()? * factor as f64;
    // Beyond this not every whole number is one.
    (0.0..9e15).contains(&bytes).then_some(bytes as u64)
}

/// soketi tries every value as JSON: a number may be written as `3e3`, and a text in quotes.
fn of_json<'t>(accepts: &Accepts, text: &'t str) -> Cow<'t, str> {
    use serde_json::Value as Json;
    let is_number = matches!(accepts, Accepts::Whole { .. } | Accepts::WholeOrOff { .. });
    match serde_json::from_str(text) {
        Ok(Json::String(inner)) => inner.into(),
        Ok(Json::Number(number)) if is_number => match number.as_f64() {
            // Beyond this not every whole number is one.
            Some(n) if n.fract() == 0.0 && n.abs() < 9e15 => format!("{n:.0}").into(),
            _ => text.into(),
        },
        _ => text.into(),
    }
}

/// Laravel writes truth in brackets too.
fn of_laravel(text: &str) -> Cow<'_, str> {
    match text.trim() {
        "(true)" => "true".into(),
        "(false)" => "false".into(),
        _ => text.into(),
    }
}

fn listed(words: &[(&str, &str)]) -> String {
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::config::knob::Unit;

    const BYTES: Accepts = Accepts::Whole {
        least: 64,
        most: 10_240,
        unit: Unit::Bytes,
    };

    #[test]
    fn kilobytes_become_bytes_within_the_settings_range() {
        let kilobytes = Variable::every_kilobytes("X_KB");
        let read = |text| kilobytes.read(&BYTES, text).map(Value::whole::<u64>);
        assert_eq!(read("1"), Ok(1024));
        assert_eq!(read(" 10 "), Ok(10_240));
        assert_eq!((read("1.5"), read("0.0625")), (Ok(1536), Ok(64)));
        for text in [
            "0",
            "11",
            "-1",
            "0.0624",
            "10.001",
            "",
            "99999999999999999999",
        ] {
            let reason = read(text).unwrap_err();
            assert!(
                reason.contains("from 64 to 10240; this variable counts KB"),
                "{reason}"
            );
        }
    }

    #[test]
    fn megabytes_and_what_stands_without_a_prefix() {
        let megabytes = Variable::megabytes("SOKETI_X").bare("X");
        assert!(megabytes.is_weak && megabytes.is_bare && megabytes.name == "X");
        let wide = Accepts::Whole {
            least: 0,
            most: 2 << 20,
            unit: Unit::Bytes,
        };
        let read = |text| megabytes.read(&wide, text).map(Value::whole::<u64>);
        assert_eq!((read("2"), read("3").is_err()), (Ok(2 << 20), true));
    }

    #[test]
    fn each_server_writes_values_its_own_way() {
        let soketi = Variable::same("SOKETI_X");
        let number = |text| soketi.read(&BYTES, text).map(Value::whole::<u64>);
        for text in ["3000", "3e3", "3000.0", "\"3000\""] {
            assert_eq!(number(text), Ok(3000), "{text}");
        }
        for text in ["3000.5", "[3000]", "1e99", "three"] {
            assert!(number(text).is_err(), "{text}");
        }
        let name = Accepts::Name { without: "" };
        let text = |variable: &Variable, text| variable.read(&name, text).map(Value::name);
        assert_eq!(text(&soketi, "\"k\""), Ok("k".to_owned()));
        assert_eq!(text(&soketi, "3e3"), Ok("3e3".to_owned()), "a key is text");
        let own = Variable::same("SHARDCAST_X");
        assert_eq!(text(&own, "\"k\""), Ok("\"k\"".to_owned()));
        let reverb = Variable::same("REVERB_X");
        let truth = |text| reverb.read(&Accepts::Truth, text).map(Value::truth);
        assert_eq!((truth("(true)"), truth("(false)")), (Ok(true), Ok(false)));
    }

    #[test]
    fn words_mean_what_the_list_says() {
        let words = Variable::words("X", &[("all", "true"), ("none", "false")]);
        let read = |text| words.read(&Accepts::Truth, text).map(Value::truth);
        assert_eq!((read("all"), read("NONE")), (Ok(true), Ok(false)));
        for text in ["true", "some", ""] {
            assert_eq!(read(text), Err("expected one of all, none".to_owned()));
        }
    }
}
