//! The environment's names for a setting: those of soketi and of Reverb, and how each of them
//! writes its value.
//!
//! Which setting has which names stands in the tables. Invariant: whatever the spelling, the value
//! is judged by the setting's own [`Accepts`], so that no name allows more than another.

use super::knob::{Accepts, Value};

/// One environment variable of a setting.
pub(super) struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Whether it sets the default of every app instead of a value of the one that the environment
    /// describes. Of no meaning for a setting of the server.
    pub every_app: bool,
    spelling: Spelling,
}

/// How a variable writes what its setting takes.
enum Spelling {
    /// As the setting does.
    Same,
    /// In units of 1024 bytes, where the setting counts bytes.
    Kilobytes,
    /// In words of its own, each with what it means.
    Words(&'static [(&'static str, &'static str)]),
}

impl Variable {
    /// One that is written as its setting is.
    pub(super) const fn same(name: &'static str) -> Variable {
        Variable {
            name,
            every_app: false,
            spelling: Spelling::Same,
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
            spelling: Spelling::Kilobytes,
            ..Variable::every(name)
        }
    }

    /// What to say of it beside its name in the help.
    pub(super) fn note(&self) -> String {
        let unit = match self.spelling {
            Spelling::Kilobytes => ", in KB of 1024 bytes".to_owned(),
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
        match self.spelling {
            Spelling::Same => accepts.read_text(text),
            Spelling::Kilobytes => {
                let bytes = text.trim().parse::<u64>().ok();
                let bytes = bytes
                    .and_then(|n| n.checked_mul(1024))
                    .map(|n| n.to_string());
                let read = bytes.and_then(|bytes| accepts.read_text(&bytes).ok());
                read.ok_or_else(|| {
                    format!(
                        "{}; this variable counts KB of 1024 bytes",
                        accepts.expected()
                    )
                })
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
        for text in ["0", "11", "-1", "1.5", "", "99999999999999999999"] {
            let reason = read(text).unwrap_err();
            assert!(
                reason.contains("from 64 to 10240; this variable counts KB"),
                "{reason}"
            );
        }
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
