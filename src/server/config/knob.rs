//! One setting: its names, what it accepts, and how it gets into a [`Config`] or an [`App`].
//!
//! Not the settings themselves (`server_knobs`, `app_knobs`) and not who set them (`layers`).
//! Invariants: the same [`Accepts`] judges text and TOML, so the sources cannot disagree on a
//! range; the reason of a refusal says what would be accepted and never repeats a secret.
//!
//! [`Config`]: super::settings::Config
//! [`App`]: crate::app::App

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use toml::de::DeValue;

use super::variable::Variable;
use super::{cpu_list, tls_files, webhooks};
use crate::app::{AppSecret, Webhook};
use crate::control::CertificateFiles;
use crate::http::proxied::Network;

/// Most characters in an app's id or key.
pub(super) const NAME_CHARS_MAX: usize = 128;
/// Most characters in a path prefix.
const PREFIX_CHARS_MAX: usize = 128;
/// Most patterns in a list.
pub(super) const PATTERNS_MAX: usize = 100;
/// Most bytes in an app's secret.
pub(super) const SECRET_BYTES_MAX: usize = 512;

/// One entry of the table of settings of a `T`.
pub(super) struct Knob<T: 'static> {
    /// Its key in a configuration file.
    pub key: &'static str,
    /// Its flag without dashes, when it has one.
    pub flag: Option<&'static str>,
    /// Its environment variables; one that two servers' users know differently has several.
    pub variables: &'static [Variable],
    /// What the flag means when no value follows it; `None` when one must follow.
    pub bare: Option<&'static str>,
    /// Which values it takes.
    pub accepts: Accepts,
    /// The heading it stands under in the help.
    pub group: &'static str,
    /// What it does, one sentence without a full stop.
    pub help: &'static str,
    /// What people from other servers may call it; only to suggest the right key.
    pub elsewhere: &'static [&'static str],
    /// Puts an accepted value in its place.
    pub put: fn(&mut T, Value),
    /// The value in force, as TOML; empty when it is not set and there is none to show.
    pub show: fn(&T) -> String,
}

/// Which values a setting takes.
pub(super) enum Accepts {
    /// A whole number between bounds, both included.
    Whole { least: u64, most: u64, unit: Unit },
    /// The same, or -1 for no limit.
    WholeOrOff { least: u64, most: u64, unit: Unit },
    /// `true` or `false`; as text also `1` or `0`.
    Truth,
    /// An IP address, or `localhost`.
    Address,
    /// A list of cores.
    Cores,
    /// An app's id or key: printable ASCII without these characters.
    Name { without: &'static str },
    /// An app's secret.
    Secret,
    /// One of some words; a word may be a number.
    Word(&'static [&'static str]),
    /// A list of patterns for origins, as text with commas between.
    Origins,
    /// A list of networks, as text with commas between.
    Networks,
    /// What stands in front of every path.
    Prefix,
    /// A file.
    Path,
    /// An app's webhooks.
    Webhooks,
    /// Certificates with their keys.
    Certificates,
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// The thing the setting is named for.
    Things,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
}

/// An accepted value. It has no `Debug`, for one of the variants is a secret.
#[derive(Clone)]
pub(super) enum Value {
    Whole(u64),
    Off,
    Truth(bool),
    Address(IpAddr),
    Cores(Vec<usize>),
    Name(String),
    Secret(AppSecret),
    /// Which of the words.
    Word(usize),
    Origins(Vec<String>),
    Networks(Vec<Network>),
    Webhooks(Vec<Webhook>),
    Certificates(Vec<CertificateFiles>),
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        use Value as V;
        match (self, other) {
            (V::Whole(a), V::Whole(b)) => a == b,
            (V::Off, V::Off) => true,
            (V::Truth(a), V::Truth(b)) => a == b,
            (V::Address(a), V::Address(b)) => a == b,
            (V::Cores(a), V::Cores(b)) => a == b,
            (V::Name(a), V::Name(b)) => a == b,
            (V::Secret(a), V::Secret(b)) => a.expose() == b.expose(),
            (V::Word(a), V::Word(b)) => a == b,
            (V::Origins(a), V::Origins(b)) => a == b,
            (V::Networks(a), V::Networks(b)) => a == b,
            (V::Webhooks(a), V::Webhooks(b)) => a == b,
            (V::Certificates(a), V::Certificates(b)) => a == b,
            _ => false,
        }
    }
}

impl Value {
    /// The number, in the type of the field it goes to.
    ///
    /// # Panics
    /// When the table gives a number's place to something else, or a range its field cannot hold; a
    /// test walks the table at both ends of every range.
    pub(super) fn whole<N: TryFrom<u64>>(self) -> N {
        match self {
            Value::Whole(n) => N::try_from(n)
                .ok()
                .expect("the table's range fits the field"),
            _ => unreachable!("the table gives this setting a whole number"),
        }
    }

    /// The number, or `None` for no limit. Panics as [`Value::whole`] does.
    pub(super) fn whole_or_off<N: TryFrom<u64>>(self) -> Option<N> {
        match self {
            Value::Off => None,
            number => Some(number.whole()),
        }
    }

    /// It as text, where it is a number or none for no limit.
    pub(super) fn number(&self) -> Option<String> {
        match self {
            Value::Whole(n) => Some(n.to_string()),
            Value::Off => Some("-1".to_owned()),
            _ => None,
        }
    }

    /// The address. Panics when the table is wrong.
    pub(super) fn address(self) -> IpAddr {
        match self {
            Value::Address(address) => address,
            _ => unreachable!("the table gives this setting an address"),
        }
    }

    /// The truth value. Panics when the table is wrong.
    pub(super) fn truth(self) -> bool {
        match self {
            Value::Truth(truth) => truth,
            _ => unreachable!("the table gives this setting a truth value"),
        }
    }

    /// Which of the words it is. Panics when the table is wrong.
    pub(super) fn word(self) -> usize {
        match self {
            Value::Word(place) => place,
            _ => unreachable!("the table gives this setting a word"),
        }
    }

    /// The patterns. Panics when the table is wrong.
    pub(super) fn origins(self) -> Vec<String> {
        match self {
            Value::Origins(patterns) => patterns,
            _ => unreachable!("the table gives this setting a list of origins"),
        }
    }

    /// The webhooks. Panics when the table is wrong.
    pub(super) fn webhooks(self) -> Vec<Webhook> {
        match self {
            Value::Webhooks(webhooks) => webhooks,
            _ => unreachable!("the table gives this setting webhooks"),
        }
    }

    /// The certificates. Panics when the table is wrong.
    pub(super) fn certificates(self) -> Vec<CertificateFiles> {
        match self {
            Value::Certificates(files) => files,
            _ => unreachable!("the table gives this setting certificates"),
        }
    }

    /// The id, key, prefix or path. Panics when the table is wrong.
    pub(super) fn name(self) -> String {
        match self {
            Value::Name(name) => name,
            _ => unreachable!("the table gives this setting a name"),
        }
    }
}

impl Accepts {
    /// Whether a refused value must not be shown.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self, Accepts::Secret | Accepts::Webhooks)
    }

    /// Reads a value as it is written in a variable or after a flag.
    ///
    /// # Errors
    /// The reason it is refused.
    pub(super) fn read_text(&self, text: &str) -> Result<Value, String> {
        match self {
            Accepts::Whole { .. } | Accepts::WholeOrOff { .. } => {
                self.number(text.trim().parse::<i128>().ok())
            }
            Accepts::Truth => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(Value::Truth(true)),
                "false" | "0" => Ok(Value::Truth(false)),
                _ => Err("expected true, false, 1 or 0".to_owned()),
            },
            Accepts::Address => match text.trim() {
                "localhost" => Ok(Value::Address(Ipv4Addr::LOCALHOST.into())),
                other => other
                    .parse()
                    .map(Value::Address)
                    .map_err(|_| self.expected()),
            },
            Accepts::Cores => cpu_list::parse(text).map(Value::Cores),
            Accepts::Name { without } => name(text, without).ok_or_else(|| self.expected()),
            Accepts::Secret => secret(text).map(Value::Secret).map_err(str::to_owned),
            Accepts::Word(words) => {
                let place = words.iter().position(|word| *word == text.trim());
                place.map(Value::Word).ok_or_else(|| self.expected())
            }
            Accepts::Origins => origins(text.split(',')).ok_or_else(|| self.expected()),
            Accepts::Networks => networks(text.split(',')).ok_or_else(|| self.expected()),
            Accepts::Prefix => prefix(text).ok_or_else(|| self.expected()),
            Accepts::Path => path(text).ok_or_else(|| self.expected()),
            Accepts::Webhooks => webhooks::read_json(text)
                .map(Value::Webhooks)
                .map_err(|mistake| mistake.to_string()),
            Accepts::Certificates => tls_files::read_text(text)
                .map(Value::Certificates)
                .ok_or_else(|| self.expected()),
        }
    }

    /// Reads a value as TOML has it.
    ///
    /// # Errors
    /// The reason it is refused.
    pub(super) fn read_toml(&self, value: &DeValue<'_>) -> Result<Value, String> {
        use {Accepts as A, DeValue as V};
        match (self, value) {
            (A::Whole { .. } | A::WholeOrOff { .. }, V::Integer(n)) => {
                self.number(i128::from_str_radix(n.as_str(), n.radix()).ok())
            }
            (A::Truth, V::Boolean(truth)) => Ok(Value::Truth(*truth)),
            (A::Whole { .. } | A::WholeOrOff { .. } | A::Truth, V::String(_)) => {
                Err(format!("{}, without quotes", self.expected()))
            }
            (A::Word(_), V::Integer(n)) if n.radix() == 10 => self.read_text(n.as_str()),
            (
                A::Address
                | A::Cores
                | A::Name { .. }
                | A::Secret
                | A::Word(_)
                | A::Prefix
                | A::Path,
                V::String(s),
            ) => self.read_text(s),
            (A::Origins, V::Array(items)) => {
                let texts = items.iter().map(|item| item.get_ref().as_str());
                let texts: Option<Vec<&str>> = texts.collect();
                texts
                    .and_then(|texts| origins(texts.into_iter()))
                    .ok_or_else(|| self.expected())
            }
            (A::Networks, V::Array(items)) => {
                let texts = items.iter().map(|item| item.get_ref().as_str());
                let texts: Option<Vec<&str>> = texts.collect();
                texts
                    .and_then(|texts| networks(texts.into_iter()))
                    .ok_or_else(|| self.expected())
            }
            (A::Origins | A::Networks, V::String(_)) => {
                Err(format!("{}, as an array of strings", self.expected()))
            }
            (A::Webhooks, value) => webhooks::read_toml(value)
                .map(Value::Webhooks)
                .map_err(|mistake| mistake.to_string()),
            (A::Certificates, value) => tls_files::read_toml(value)
                .map(Value::Certificates)
                .map_err(|mistake| mistake.to_string()),
            (A::Cores, V::Array(items)) => {
                let number = |item: &toml::Spanned<DeValue<'_>>| match item.get_ref() {
                    V::Integer(n) => usize::from_str_radix(n.as_str(), n.radix()).ok(),
                    _ => None,
                };
                let cores: Option<Vec<usize>> = items.iter().map(number).collect();
                cpu_list::unique(cores.ok_or_else(|| self.expected())?).map(Value::Cores)
            }
            (A::Address | A::Name { .. } | A::Secret | A::Prefix | A::Path, _) => {
                Err(format!("{}, in quotes", self.expected()))
            }
            _ => Err(self.expected()),
        }
    }

    fn number(&self, number: Option<i128>) -> Result<Value, String> {
        let (least, most, off) = match *self {
            Accepts::Whole { least, most, .. } => (least, most, false),
            Accepts::WholeOrOff { least, most, .. } => (least, most, true),
            _ => unreachable!("only numbers are read as numbers"),
        };
        match number {
            Some(-1) if off => Ok(Value::Off),
            Some(n) => u64::try_from(n)
                .ok()
                .filter(|n| (least..=most).contains(n))
                .map(Value::Whole)
                .ok_or_else(|| self.expected()),
            None => Err(self.expected()),
        }
    }

    /// What would be accepted, as `expected ...`.
    pub(super) fn expected(&self) -> String {
        match self {
            Accepts::Whole { least, most, unit } => {
                format!("expected a whole number{unit} from {least} to {most}")
            }
            Accepts::WholeOrOff { least, most, unit } => {
                format!("expected a whole number{unit} from {least} to {most}, or -1 for no limit")
            }
            Accepts::Truth => "expected true or false".to_owned(),
            Accepts::Address => {
                "expected an IP address such as 127.0.0.1, 0.0.0.0 or ::1, or localhost".to_owned()
            }
            Accepts::Cores => cpu_list::EXPECTED.to_owned(),
            Accepts::Name { without: "" } => {
                format!("expected 1 to {NAME_CHARS_MAX} printable ASCII characters without spaces")
            }
            Accepts::Name { without } => {
                let listed: Vec<String> = without.chars().map(|c| c.to_string()).collect();
                format!(
                    "expected 1 to {NAME_CHARS_MAX} printable ASCII characters without spaces and \
                     without any of {}",
                    listed.join(" ")
                )
            }
            Accepts::Secret => format!("expected 1 to {SECRET_BYTES_MAX} bytes of text"),
            Accepts::Word(words) => format!("expected one of {}", words.join(", ")),
            Accepts::Origins => format!(
                "expected at most {PATTERNS_MAX} hosts, each as app.example.com, *.example.com, \
                 localhost:3000 or https://app.example.com"
            ),
            Accepts::Networks => format!(
                "expected at most {PATTERNS_MAX} networks, each as 10.0.0.0/8, fd00::/8 or \
                 192.0.2.1, with no bit set behind the mask"
            ),
            Accepts::Prefix => format!(
                "expected a path such as /realtime of at most {PREFIX_CHARS_MAX} letters, digits \
                 and - . _ ~ between single slashes"
            ),
            Accepts::Path => "expected the name of a file".to_owned(),
            Accepts::Webhooks => "expected a list of webhooks, each with a url".to_owned(),
            Accepts::Certificates => tls_files::EXPECTED.to_owned(),
        }
    }
}

impl fmt::Display for Unit {
    /// ` of bytes` and the like, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Things => "",
            Unit::Bytes => " of bytes",
            Unit::Seconds => " of seconds",
            Unit::Milliseconds => " of milliseconds",
            Unit::Microseconds => " of microseconds",
        })
    }
}

fn path(text: &str) -> Option<Value> {
    let fits = !text.is_empty() && !text.contains(char::is_control);
    fits.then(|| Value::Name(text.to_owned()))
}

fn name(text: &str, without: &str) -> Option<Value> {
    let fits = (1..=NAME_CHARS_MAX).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_graphic() && !without.contains(c));
    fits.then(|| Value::Name(text.to_owned()))
}

fn origins<'t>(patterns: impl Iterator<Item = &'t str>) -> Option<Value> {
    let patterns: Vec<String> = patterns.map(|pattern| pattern.trim().to_owned()).collect();
    let is_fit = |pattern: &String| {
        let place = pattern
            .split_once("://")
            .map_or(&pattern[..], |(_, place)| place);
        (1..=NAME_CHARS_MAX).contains(&pattern.len())
            && !place.is_empty()
            && place
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"/?#@,\"'\\".contains(&b))
    };
    let fits = patterns.len() <= PATTERNS_MAX && patterns.iter().all(is_fit);
    fits.then_some(Value::Origins(patterns))
}

fn networks<'t>(texts: impl Iterator<Item = &'t str>) -> Option<Value> {
    let texts = texts.map(str::trim).filter(|text| !text.is_empty());
    let networks: Vec<Network> = texts.map(Network::parse).collect::<Option<_>>()?;
    (networks.len() <= PATTERNS_MAX).then_some(Value::Networks(networks))
}

/// With one slash in front and none behind, however it was written.
fn prefix(text: &str) -> Option<Value> {
    let text = text.trim();
    let inner = text.strip_prefix('/').unwrap_or(text);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.is_empty() {
        return Some(Value::Name(String::new()));
    }
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    let fits = inner.len() <= PREFIX_CHARS_MAX && inner.split('/').all(is_segment);
    fits.then(|| Value::Name(format!("/{inner}")))
}

/// The reasons are fixed texts, so nothing of a secret can get into one.
fn secret(text: &str) -> Result<AppSecret, &'static str> {
    if text.is_empty() {
        return Err("a secret may not be empty");
    }
    if text.len() > SECRET_BYTES_MAX {
        return Err("a secret may have at most 512 bytes");
    }
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("a secret must be valid UTF-8");
    }
    // A newline or a space that came along from a file or a form would make every signature wrong.
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err(
            "a secret may not begin or end with a space and may not hold control characters",
        );
    }
    Ok(AppSecret::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: Accepts = Accepts::Whole {
        least: 0,
        most: 65_535,
        unit: Unit::Things,
    };

    fn toml(text: &str) -> DeValue<'_> {
        DeValue::parse(text).unwrap().into_inner()
    }

    #[test]
    fn truth_is_soketis_four_words() {
        for (text, truth) in [("true", true), ("1", true), ("false", false), ("0", false)] {
            assert!(
                Accepts::Truth
                    .read_text(text)
                    .is_ok_and(|v| v.truth() == truth),
                "{text}"
            );
        }
        for text in ["yes", "on", "2", "tru", "-1"] {
            let reason = Accepts::Truth.read_text(text).err();
            assert_eq!(
                reason.as_deref(),
                Some("expected true, false, 1 or 0"),
                "{text}"
            );
        }
        assert!(
            Accepts::Truth.read_toml(&toml("1")).is_err(),
            "TOML has real booleans"
        );
    }

    #[test]
    fn numbers_are_whole_and_in_range() {
        for (text, n) in [("0", 0u64), ("65535", 65_535), (" 80 ", 80)] {
            assert!(
                PORT.read_text(text).is_ok_and(|v| v.whole::<u64>() == n),
                "{text}"
            );
        }
        for text in [
            "-1",
            "65536",
            "1.5",
            "1e3",
            "",
            "0x50",
            "99999999999999999999999999",
        ] {
            assert!(PORT.read_text(text).is_err(), "{text}");
        }
        for text in [
            "-1",
            "65536",
            "1.5",
            "true",
            "[1]",
            "9999999999999999999999",
        ] {
            assert!(PORT.read_toml(&toml(text)).is_err(), "{text}");
        }
        assert!(
            PORT.read_toml(&toml("0x1F90"))
                .is_ok_and(|v| v.whole::<u16>() == 8080)
        );
        let quoted = PORT.read_toml(&toml("\"80\"")).err().unwrap();
        assert!(quoted.ends_with("without quotes"), "{quoted}");
    }

    #[test]
    fn minus_one_is_off_only_where_there_is_an_off() {
        let limit = Accepts::WholeOrOff {
            least: 1,
            most: 9,
            unit: Unit::Things,
        };
        assert!(
            limit
                .read_text("-1")
                .is_ok_and(|v| v.whole_or_off::<u32>().is_none())
        );
        assert!(
            limit
                .read_toml(&toml("9"))
                .is_ok_and(|v| v.whole_or_off() == Some(9u32))
        );
        for text in ["-2", "0", "10"] {
            let reason = limit.read_text(text).err().unwrap();
            assert_eq!(
                reason, "expected a whole number from 1 to 9, or -1 for no limit",
                "{text}"
            );
        }
    }

    #[test]
    fn a_name_is_fit_for_a_path() {
        let key = Accepts::Name { without: "/?#%:" };
        for good in [
            "a",
            "app-key",
            "1001",
            "~!$&'()*+,;=@._-",
            &"k".repeat(NAME_CHARS_MAX),
        ] {
            assert!(key.read_text(good).is_ok(), "{good}");
        }
        let past = "k".repeat(NAME_CHARS_MAX + 1);
        for bad in [
            "", " ", "a b", "a/b", "a?b", "a#b", "a%b", "a:b", "é", "a\n", "a\u{7f}", &past,
        ] {
            assert!(key.read_text(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_secret_is_checked_without_being_shown() {
        for good in ["s", "with space", "ünïcode", &"s".repeat(SECRET_BYTES_MAX)] {
            assert!(Accepts::Secret.read_text(good).is_ok(), "{good}");
        }
        let past = "canary".repeat(SECRET_BYTES_MAX);
        for bad in [
            "",
            " canary",
            "canary\n",
            "can\u{0}ary",
            "can\u{FFFD}ary",
            &past,
        ] {
            let reason = Accepts::Secret.read_text(bad).err().unwrap();
            assert!(
                !reason.contains("can\u{0}ary") && !reason.contains("canary"),
                "{reason}"
            );
        }
        let reason = Accepts::Secret.read_toml(&toml("12345")).err().unwrap();
        assert!(!reason.contains("12345"), "{reason}");
        let one_past = Accepts::Secret.read_text(&"s".repeat(SECRET_BYTES_MAX + 1));
        assert!(one_past.is_err_and(|r| r.contains(&SECRET_BYTES_MAX.to_string())));
    }

    #[test]
    fn a_prefix_has_one_slash_in_front_and_none_behind() {
        let read = |text: &str| Accepts::Prefix.read_text(text).ok().map(Value::name);
        for text in ["/ws", "ws", "/ws/", "ws/", " /ws "] {
            assert_eq!(read(text).as_deref(), Some("/ws"), "{text}");
        }
        assert_eq!(read("a/b-c.d_e~f").as_deref(), Some("/a/b-c.d_e~f"));
        assert_eq!(read("").as_deref(), Some(""));
        assert_eq!(read("/").as_deref(), Some(""));
        let longest = "a".repeat(PREFIX_CHARS_MAX);
        assert!(read(&longest).is_some() && read(&format!("{longest}a")).is_none());
        for text in [
            "//ws", "/a//b", "/{key}", "/*", "/a b", "/..", "/%41", "/a?b", "/é",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn origins_are_a_list_of_hosts() {
        let read = |text: &str| {
            Accepts::Origins
                .read_toml(&toml(text))
                .ok()
                .map(Value::origins)
        };
        assert_eq!(read("[]"), Some(vec![]));
        let list = "['a.com', '*.b.com', 'localhost:3000', 'https://c.com', '*', '[::1]']";
        assert_eq!(read(list).map(|list| list.len()), Some(6));
        for text in [
            "'a.com'",
            "[1]",
            "['']",
            "['a b']",
            "['https://']",
            "['a.com/x']",
            "7",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let many = |n: usize| format!("[{}]", vec!["'a'"; n].join(","));
        assert!(read(&many(PATTERNS_MAX)).is_some());
        assert!(read(&many(PATTERNS_MAX + 1)).is_none());
        let text = Accepts::Origins
            .read_text("a.com, *.b.com")
            .map(Value::origins);
        assert_eq!(text, Ok(vec!["a.com".to_owned(), "*.b.com".to_owned()]));
    }

    #[test]
    fn a_word_is_one_of_the_list() {
        let word = Accepts::Word(&["4004", "4100", "off"]);
        assert_eq!(word.read_text("4100").map(Value::word), Ok(1));
        assert_eq!(word.read_toml(&toml("4004")).map(Value::word), Ok(0));
        assert_eq!(word.read_toml(&toml("'off'")).map(Value::word), Ok(2));
        let expected = Err("expected one of 4004, 4100, off".to_owned());
        for text in ["4005", "", "Off"] {
            assert_eq!(word.read_text(text).map(Value::word), expected, "{text}");
        }
        for text in ["true", "0x4004", "4004.0"] {
            assert_eq!(
                word.read_toml(&toml(text)).map(Value::word),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn addresses() {
        for good in ["127.0.0.1", "::1", "0.0.0.0", "localhost"] {
            assert!(Accepts::Address.read_text(good).is_ok(), "{good}");
        }
        for bad in ["", "example.com", "1.2.3", "[::1]", "127.0.0.1:80"] {
            assert!(Accepts::Address.read_text(bad).is_err(), "{bad}");
        }
    }
}
