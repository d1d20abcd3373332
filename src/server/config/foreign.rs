//! Names that other servers have for settings: what each of them is here.
//!
//! A name is a setting of ours; or it is none, and then a rule says which of its values mean what
//! is done here anyway. All others are refused by name, with the reason and what to do: nothing is
//! ignored that would have done something there. The names are in `soketi_names` and
//! `laravel_names`. Invariant: no refusal repeats a value that may be a password.

use super::knob::Accepts;
use super::laravel_names::{LARAVEL_WEBSOCKETS, REVERB};
use super::own_names;
use super::soketi_file::SOKETI_FILE;
use super::soketi_names::SOKETI;
use crate::error::{ConfigError, Source};
use serde_json::Value as Json;

/// One name of another server.
pub(super) struct Name {
    /// The variable; empty when there is none.
    pub variable: &'static str,
    /// The key in its own configuration.
    pub option: &'static str,
    /// What it is there unless set; empty when it is nothing.
    pub default: &'static str,
    /// What it is here.
    pub rule: Rule,
}

/// What a name is here.
pub(super) enum Rule {
    /// A setting: its table entry has this variable.
    Setting,
    /// One of these words, for that is what is done here; why no other.
    Word(&'static [&'static str], &'static str),
    /// What it is there unless set; why nothing else.
    Default(&'static str),
    /// Whatever it says of what is accepted holds here; why.
    Holds(Accepts, &'static str),
    /// It would do something there that is not done here, and nobody misses it; why. A warning.
    Told(&'static str),
    /// It is for clients and backends, and nothing to a server.
    Clients(&'static str),
}

/// A name of a setting.
pub(super) const fn setting(
    variable: &'static str,
    option: &'static str,
    default: &'static str,
) -> Name {
    other(variable, option, default, Rule::Setting)
}

/// Any name.
pub(super) const fn other(
    variable: &'static str,
    option: &'static str,
    default: &'static str,
    rule: Rule,
) -> Name {
    Name {
        variable,
        option,
        default,
        rule,
    }
}

/// All names that are variables.
pub(super) fn variables() -> impl Iterator<Item = &'static Name> {
    let all = SOKETI.iter().chain(REVERB).chain(LARAVEL_WEBSOCKETS);
    all.filter(|name| !name.variable.is_empty())
}

/// The name that soketi has for an option of its file.
pub(super) fn of_option(option: &str) -> Option<&'static Name> {
    let mut all = SOKETI.iter().chain(SOKETI_FILE);
    all.find(|name| name.option == option)
}

/// What there is to say of a value.
pub(super) enum Verdict {
    /// Nothing: it is what is done here.
    Fine,
    /// This, as a warning.
    Told(String),
}

impl Name {
    /// Judges what it is set to, unless it is a setting, which its table entry judges.
    ///
    /// # Errors
    /// When it asks for what is not done here.
    pub(super) fn judge(&self, text: &str, source: &Source) -> Result<Verdict, ConfigError> {
        let refused = |value: Option<&str>, reason: String| ConfigError {
            key: self.option.to_owned(),
            value: value.map(str::to_owned),
            source: source.clone(),
            reason,
        };
        match &self.rule {
            Rule::Setting | Rule::Clients(_) => Ok(Verdict::Fine),
            Rule::Word(words, why) => match words.contains(&&*unquoted(text)) {
                true => Ok(Verdict::Fine),
                false => Err(refused(Some(text), (*why).to_owned())),
            },
            Rule::Default(why) => match is_same(text, self.default) {
                true => Ok(Verdict::Fine),
                false => Err(refused(None, (*why).to_owned())),
            },
            Rule::Holds(accepts, _) => match accepts.read_text(text) {
                Ok(_) => Ok(Verdict::Fine),
                Err(reason) => Err(refused(Some(text), reason)),
            },
            Rule::Told(why) => match is_same(text, self.default) {
                true => Ok(Verdict::Fine),
                false => Ok(Verdict::Told(format!("{source} has no effect: {why}"))),
            },
        }
    }
}

/// One error of many, which tells of all of them; none of none.
pub(super) fn together(refused: Vec<ConfigError>) -> Option<ConfigError> {
    let mut all = refused.into_iter();
    let mut first = all.next()?;
    let mut reasons: Vec<(String, Vec<String>)> = vec![(first.reason.clone(), Vec::new())];
    for error in all {
        let name = error.source.to_string();
        match reasons
            .iter_mut()
            .find(|(reason, _)| *reason == error.reason)
        {
            Some((_, names)) => names.push(name),
            None => reasons.push((error.reason, vec![name])),
        }
    }
    let mut reasons = reasons.into_iter();
    if let Some((_, names)) = reasons.next().filter(|(_, names)| !names.is_empty()) {
        first.reason += &format!(" (the same is refused of {})", names.join(", "));
    }
    for (reason, names) in reasons {
        first.reason += &format!(". Refused too: {}: {reason}", names.join(", "));
    }
    Some(first)
}

/// A word that may stand in quotes, as soketi's values may, which are JSON.
fn unquoted(text: &str) -> String {
    let inner = serde_json::from_str::<String>(text).ok();
    inner.unwrap_or_else(|| text.trim().to_owned())
}

/// Whether two texts say the same: as JSON where they are JSON, else as they are.
fn is_same(text: &str, default: &str) -> bool {
    let (text, default) = (text.trim(), default.trim());
    let json = |text| serde_json::from_str::<Json>(text).ok();
    let is_yes = |json: &Json| *json == true || *json == 1;
    let is_no = |json: &Json| *json == false || *json == 0;
    match (json(text), json(default)) {
        _ if text == default => true,
        (Some(a), Some(b)) if a == b => true,
        // `1` and `0` are its other words for these.
        (Some(a), Some(b)) if b.is_boolean() => is_yes(&a) == is_yes(&b) && is_no(&a) == is_no(&b),
        (Some(Json::String(a)), _) => a == default,
        _ => false,
    }
}

/// Whether a variable says nothing, and so counts as unset, in the words of its server.
pub(super) fn is_nothing(name: &str, text: &str) -> bool {
    let is_own = name.starts_with(own_names::PREFIX);
    let is_soketis = name.starts_with("SOKETI_");
    match text {
        "" => true,
        "null" => !is_own,
        // soketi reads JSON, Laravel knows words.
        "{}" | "\"\"" => is_soketis,
        "(null)" | "empty" | "(empty)" => !is_own && !is_soketis,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_as_the_values_they_are() {
        for (text, default) in [
            ("a", "a"),
            ("\"a\"", "a"),
            ("5e3", "5000.0"),
            (" 5000", "5000"),
            ("1", "true"),
            ("false", "false"),
            ("0", "false"),
            ("[ \"a:1\" ]", "[\"a:1\"]"),
            ("8.0", "8.0"),
        ] {
            assert!(is_same(text, default), "{text} {default}");
        }
        for (text, default) in [
            ("a", "b"),
            ("1", "false"),
            ("2", "true"),
            ("0", "true"),
            ("[\"a:2\"]", "[\"a:1\"]"),
            ("5001", "5000"),
            ("{\"a\":1}", "{}"),
        ] {
            assert!(!is_same(text, default), "{text} {default}");
        }
    }

    #[test]
    fn a_word_may_stand_in_quotes() {
        let driver = SOKETI
            .iter()
            .find(|it| it.variable == "SOKETI_ADAPTER_DRIVER");
        let judge = |text| driver.unwrap().judge(text, &Source::Default);
        for text in ["local", "\"local\"", " local "] {
            assert!(judge(text).is_ok(), "{text}");
        }
        for text in ["\"redis\"", "\"local", "'local'"] {
            assert!(judge(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_is_written_in_the_words_of_each_server() {
        for (name, text, nothing) in [
            ("SOKETI_X", "null", true),
            ("SOKETI_X", "{}", true),
            ("SOKETI_X", "\"\"", true),
            ("SOKETI_X", "empty", false),
            ("REVERB_X", "null", true),
            ("REVERB_X", "(empty)", true),
            ("REVERB_X", "{}", false),
            ("REVERB_X", "0", false),
            ("SHARDCAST_X", "", true),
            ("SHARDCAST_X", "null", false),
        ] {
            assert_eq!(is_nothing(name, text), nothing, "{name}={text}");
        }
    }
}
