//! The error an operator reads when a setting makes no sense, and what a panic said.
//!
//! Floor 0: it knows no setting, no app and no file, only where a value came from and what would
//! have been accepted. It is not an error for peers (those are codes). Invariants: it displays as
//! one sentence on one line, and it never holds a secret, which whoever builds it sees to by
//! leaving `value` empty.

use std::any::Any;
use std::fmt;
use std::path::{Path, PathBuf};

/// Longest part of a key or a refused value that is shown, in characters.
const SHOWN_CHARS: usize = 80;

/// Where the value of a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// A place in a configuration file; lines and columns count from 1.
    File {
        /// The file as it was named on the command line.
        path: PathBuf,
        /// The line the setting (or the table that lacks it) begins on.
        line: usize,
        /// The character of that line; the first one is not told.
        column: usize,
    },
    /// An environment variable.
    Variable(&'static str),
    /// A variable of a `.env` file.
    VariableOfFile {
        /// Its name.
        name: &'static str,
        /// The file. Boxed, so that errors stay small enough to be passed on.
        path: Box<Path>,
        /// The line it stands on.
        line: usize,
    },
    /// What a setting is by default in the server that the environment or the file was written for.
    DefaultOf(&'static str),
    /// A command line flag, without its dashes.
    Flag(&'static str),
    /// A file that holds nothing but the value, because that is a secret.
    SecretFile {
        /// What names the file: a variable, a credential, a line of a configuration file.
        named_by: String,
        /// The file.
        path: PathBuf,
    },
}

impl Source {
    /// The environment variable that it is, wherever that is set.
    #[must_use]
    pub fn variable(&self) -> Option<&'static str> {
        match self {
            Source::Variable(name) | Source::VariableOfFile { name, .. } => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File {
                path,
                line,
                column: 1,
            } => write!(f, "{}:{line}", path.display()),
            Source::File { path, line, column } => {
                write!(f, "{}:{line}:{column}", path.display())
            }
            Source::Variable(name) => f.write_str(name),
            Source::VariableOfFile { name, path, line } => {
                write!(f, "{name} ({}:{line})", path.display())
            }
            Source::DefaultOf(server) => write!(f, "default of {server}"),
            Source::Flag(name) => write!(f, "--{name}"),
            Source::SecretFile { named_by, path } => write!(f, "{named_by} ({})", path.display()),
        }
    }
}

/// A configuration that the server refuses to start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The setting, as it is called in a configuration file: `port`, `apps[0].secret`.
    pub key: String,
    /// The refused value. `None` when it is missing, is a secret, or is not one value.
    pub value: Option<String>,
    /// Which flag, variable, or line of a file it came from.
    pub source: Source,
    /// What is wrong and what would be accepted, as the end of a sentence.
    pub reason: String,
}

impl ConfigError {
    /// What the process exits with: `EX_CONFIG` of sysexits.
    pub const EXIT_CODE: u8 = 78;
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Key and value are escaped and cut: neither a newline nor a terminal sequence gets
        // through.
        let (key, more) = cut(&self.key);
        write!(f, "{}: `{}{more}`", self.source, key.escape_debug())?;
        if let Some(value) = &self.value {
            let (value, more) = cut(value);
            write!(f, " cannot be {value:?}{more}")?;
        }
        let end = if self.reason.ends_with('?') { "" } else { "." };
        write!(f, ": {}{end}", self.reason)
    }
}

impl std::error::Error for ConfigError {}

/// The part that is shown, and the mark that there is more.
fn cut(text: &str) -> (&str, &'static str) {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => (&text[..end], "..."),
        None => (text, ""),
    }
}

/// What a panic said, for logs and for who is told of it.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{catch_unwind, panic_any};

    #[test]
    fn a_panic_is_quoted_whatever_it_was_made_of() {
        let said = |panic: fn()| panic_text(&*catch_unwind(panic).unwrap_err());
        assert_eq!(said(|| panic!("plain")), "plain");
        assert_eq!(said(|| panic!("made of {}", 2)), "made of 2");
        assert_eq!(said(|| panic_any(7)), "no message");
    }

    fn error(value: Option<&str>, source: Source) -> ConfigError {
        ConfigError {
            key: "port".to_owned(),
            value: value.map(str::to_owned),
            source,
            reason: "expected a whole number from 0 to 65535".to_owned(),
        }
    }

    #[test]
    fn reads_as_one_sentence_from_every_source() {
        let file = Source::File {
            path: "shardcast.toml".into(),
            line: 3,
            column: 1,
        };
        let within = Source::File {
            path: "shardcast.json".into(),
            line: 3,
            column: 7,
        };
        let env_file = Source::VariableOfFile {
            name: "SOKETI_PORT",
            path: Path::new(".env").into(),
            line: 3,
        };
        let secret_file = Source::SecretFile {
            named_by: "SOKETI_DEFAULT_APP_SECRET_FILE".to_owned(),
            path: "/run/s".into(),
        };
        let end = "`port` cannot be \"70000\": expected a whole number from 0 to 65535.";
        for (source, start) in [
            (Source::Default, "default"),
            (Source::Flag("port"), "--port"),
            (Source::Variable("SOKETI_PORT"), "SOKETI_PORT"),
            (file, "shardcast.toml:3"),
            (within, "shardcast.json:3:7"),
            (env_file, "SOKETI_PORT (.env:3)"),
            (Source::DefaultOf("soketi"), "default of soketi"),
            (secret_file, "SOKETI_DEFAULT_APP_SECRET_FILE (/run/s)"),
        ] {
            assert_eq!(
                error(Some("70000"), source).to_string(),
                format!("{start}: {end}")
            );
        }
        assert_eq!(
            error(None, Source::Flag("port")).to_string(),
            "--port: `port`: expected a whole number from 0 to 65535."
        );
    }

    #[test]
    fn a_value_cannot_break_the_line_or_drive_the_terminal() {
        let shown = error(Some("1\n2\u{1b}[2J"), Source::Flag("port")).to_string();
        assert!(
            !shown.contains('\n') && !shown.contains('\u{1b}'),
            "{shown:?}"
        );
        let key = ConfigError {
            key: "a\n\u{1b}[2J".to_owned(),
            ..error(None, Source::Default)
        };
        let shown = key.to_string();
        assert!(
            !shown.contains('\n') && !shown.contains('\u{1b}'),
            "{shown:?}"
        );
    }

    #[test]
    fn a_long_value_is_cut_at_eighty_characters() {
        let at = "ä".repeat(SHOWN_CHARS);
        assert!(
            error(Some(&at), Source::Default)
                .to_string()
                .contains(&format!("\"{at}\":"))
        );
        let past = format!("{at}ä");
        assert!(
            error(Some(&past), Source::Default)
                .to_string()
                .contains(&format!("\"{at}\"...:"))
        );
    }
}
