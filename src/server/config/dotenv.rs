//! A `.env` file: variables for who has none, as soketi and Laravel read them.
//!
//! Of all lines only those count whose names are ours, for the file belongs to an application too
//! and says more than is meant for a server. A line of ours that cannot be read is an error with
//! its number; others are passed over. `${NAME}` stands for another variable, in double quotes and
//! without quotes; single quotes take everything as it is. The known crates for this tell no line,
//! and put what they read into the process, which is not safe once there are threads. Invariant:
//! no message repeats a value.

use crate::error::{ConfigError, Source};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Largest `.env` file.
const BYTES_MAX: u64 = 1 << 20;

/// Its name where nobody names another.
pub(super) const USUAL: &str = ".env";

/// One variable of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name.
    pub name: String,
    /// Its value, without quotes.
    pub value: String,
    /// The line it begins on, from 1.
    pub line: usize,
}

/// Reads a file. One that nobody named need not be there, and then says nothing.
///
/// # Errors
/// When it cannot be read, or a line of ours cannot.
pub(super) fn load(
    path: &Path,
    is_named: bool,
    is_ours: impl Fn(&str) -> bool,
    environment: &[(String, String)],
) -> Result<Vec<Entry>, ConfigError> {
    let text = match read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => return Ok(Vec::new()),
        Err(error) => {
            let reason = format!("expected a readable file of variables, but: {error}");
            let (key, value, source) = match is_named {
                true => (
                    "env-file",
                    Some(path.display().to_string()),
                    Source::Flag("env-file"),
                ),
                false => ("env", None, place(path, 1)),
            };
            let hint = match is_named {
                true => "",
                false => "; --no-env-file leaves it out",
            };
            return Err(ConfigError {
                key: key.to_owned(),
                value,
                source,
                reason: reason + hint,
            });
        }
    };
    parse(path, &text, is_ours, environment)
}

fn place(path: &Path, line: usize) -> Source {
    Source::File {
        path: path.to_owned(),
        line,
        column: 1,
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = Vec::new();
    // One byte past the limit tells a file that is too large from one that just fits.
    File::open(path)?
        .take(BYTES_MAX + 1)
        .read_to_end(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        let reason = format!("it has more than {BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    // Lines of an application may be in any encoding; of ours, what is replaced here is refused.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Reads what stands in the file `path`; `environment` is what names in values may stand for.
///
/// # Errors
/// When a line of ours cannot be read.
pub(super) fn parse(
    path: &Path,
    text: &str,
    is_ours: impl Fn(&str) -> bool,
    environment: &[(String, String)],
) -> Result<Vec<Entry>, ConfigError> {
    let mut rest = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut entries = Vec::new();
    // Of every name, since a value of ours may name it.
    let mut known: Vec<(String, String)> = Vec::new();
    let mut line = 1;
    while !rest.is_empty() {
        let start = line;
        let (first, _) = rest.split_once('\n').unwrap_or((rest, ""));
        let Some((name, value)) = assignment(first) else {
            rest = &rest[(first.len() + 1).min(rest.len())..];
            line += 1;
            continue;
        };
        let (raw, length) = raw_value(&rest[value..]);
        let consumed = value + length;
        line += rest[..consumed].matches('\n').count();
        rest = &rest[consumed..];
        let lookup = |wanted: &str| {
            let all = environment.iter().chain(known.iter().rev());
            let mut all = all.filter(|(name, _)| name == wanted);
            all.next().map(|(_, value)| value.clone())
        };
        let read = raw.and_then(|raw| raw.resolve(lookup));
        let wrong = |reason: &str| ConfigError {
            key: name.to_owned(),
            value: None,
            source: place(path, start),
            reason: reason.to_owned(),
        };
        match read {
            Ok(value) if is_ours(name) && value.contains(char::REPLACEMENT_CHARACTER) => {
                return Err(wrong("its value is not UTF-8"));
            }
            Ok(value) => {
                known.push((name.to_owned(), value.clone()));
                if is_ours(name) {
                    entries.push(Entry {
                        name: name.to_owned(),
                        value,
                        line: start,
                    });
                }
            }
            Err(reason) if is_ours(name) => return Err(wrong(reason)),
            Err(_) => {}
        }
    }
    Ok(entries)
}

/// The name before the `=` of a line, and where in the line its value begins.
fn assignment(line: &str) -> Option<(&str, usize)> {
    let (before, _) = line.split_once('=')?;
    let name = before.trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    let is_name = !name.is_empty() && name.bytes().all(fits);
    is_name.then_some((name, before.len() + 1))
}

/// A value as it is written.
enum Raw<'t> {
    /// As it is.
    Plain(&'t str),
    /// Names in it stand for what they hold.
    Open(&'t str),
    /// The same, and `\n` for a line break.
    Escaped(&'t str),
}

/// Takes the value off, to the end of the line it ends on; gives its length with that.
fn raw_value(text: &str) -> (Result<Raw<'_>, &'static str>, usize) {
    let line_end = |from: usize| {
        let rest = &text[from..];
        from + rest.find('\n').map_or(rest.len(), |at| at + 1)
    };
    let blank = text.len() - text.trim_start_matches([' ', '\t']).len();
    let inner = &text[blank..];
    let quote = inner
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'));
    let Some(quote) = quote else {
        let end = line_end(0);
        let line = text[..end].trim();
        // A comment needs a space before it, for a secret may hold the sign.
        let comment = match line.starts_with('#') {
            true => Some(0),
            false => line.find(" #").or_else(|| line.find("\t#")),
        };
        let value = comment.map_or(line, |at| line[..at].trim_end());
        return (Ok(Raw::Open(value)), end);
    };
    let Some(length) = quoted_length(&inner[1..], quote) else {
        return (Err("a quote is opened and not closed"), line_end(0));
    };
    let close = blank + 1 + length;
    let end = line_end(close + 1);
    let behind = text[close + 1..end].trim();
    if !behind.is_empty() && !behind.starts_with('#') {
        // The closing quote may be one of a later line: only this line is spoilt.
        return (
            Err("something stands behind the closing quote"),
            line_end(0),
        );
    }
    let value = &inner[1..=length];
    let raw = match quote {
        '"' => Raw::Escaped(value),
        _ => Raw::Plain(value),
    };
    (Ok(raw), end)
}

/// Bytes up to the closing quote.
fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if quote == '"' => is_escaped = true,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

impl Raw<'_> {
    /// The value, with what names in it stand for.
    fn resolve(self, lookup: impl Fn(&str) -> Option<String>) -> Result<String, &'static str> {
        let (text, has_escapes) = match self {
            Raw::Plain(text) => return Ok(text.to_owned()),
            Raw::Open(text) => (text, false),
            Raw::Escaped(text) => (text, true),
        };
        let mut value = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['\\', '$']) {
            value.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(behind) = rest.strip_prefix("${") {
                let (name, behind) = behind.split_once('}').ok_or("a ${ has no }")?;
                let unknown = "it names a variable with ${ } that is not set";
                value.push_str(&lookup(name).ok_or(unknown)?);
                rest = behind;
                continue;
            }
            let mut chars = rest.chars();
            let (first, second) = (chars.next(), chars.next());
            match (first, second) {
                (Some('\\'), Some(c)) if has_escapes => {
                    match c {
                        'n' => value.push('\n'),
                        'r' => value.push('\r'),
                        't' => value.push('\t'),
                        '"' | '\\' | '$' => value.push(c),
                        other => value.extend(['\\', other]),
                    }
                    rest = chars.as_str();
                }
                _ => {
                    value.extend(first);
                    rest = &rest[1..];
                }
            }
        }
        value.push_str(rest);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Entry>, ConfigError> {
        let environment = [("OUTSIDE".to_owned(), "from outside".to_owned())];
        parse(
            Path::new(".env"),
            text,
            |name| name.starts_with("A"),
            &environment,
        )
    }

    fn value(line: &str) -> String {
        let mut entries = parsed(line).unwrap();
        assert_eq!(entries.len(), 1, "{line}");
        entries.remove(0).value
    }

    #[test]
    fn values_are_read_as_soketi_and_laravel_read_them() {
        for (line, wanted) in [
            ("A=1", "1"),
            ("A=", ""),
            ("  A = b c  ", "b c"),
            ("export A=1", "1"),
            ("A=1\r\n", "1"),
            ("A=b # c", "b"),
            ("A=b#c", "b#c"),
            ("A=#c", ""),
            ("A=\"b # c\" # d", "b # c"),
            ("A='b \"c\" ${X} \\n'", "b \"c\" ${X} \\n"),
            ("A=`it's \"b\"`", "it's \"b\""),
            ("A=\"b\\nc\\\"d\\\\\"", "b\nc\"d\\"),
            ("A=\"b\nc\"", "b\nc"),
            ("A=b=c", "b=c"),
            ("A=${OUTSIDE}", "from outside"),
            ("B=x\nA=\"${B}-${B}\"", "x-x"),
            ("A=$5", "$5"),
            ("A=\"a\\$b\"", "a$b"),
            ("A=C:\\new", "C:\\new"),
            ("\u{FEFF}A=1", "1"),
            (
                "A=[{\"url\":\"http://a.example\"}]",
                "[{\"url\":\"http://a.example\"}]",
            ),
        ] {
            assert_eq!(value(line), wanted, "{line:?}");
        }
    }

    #[test]
    fn only_our_lines_count_and_each_knows_its_number() {
        let text =
            "# A=0\n\nB=1\nno assignment\nB2=\"two\nlines\"\nA1=1\nB3=\"open\nAB=2\nA2=\"3\"\n";
        let entries = parsed(text).unwrap();
        let found: Vec<_> = entries
            .iter()
            .map(|e| (&e.name[..], &e.value[..], e.line))
            .collect();
        assert_eq!(found, [("A1", "1", 7), ("AB", "2", 9), ("A2", "3", 10)]);
    }

    // F29
    #[test]
    fn a_broken_line_of_ours_is_told_by_its_number_alone() {
        for (text, message) in [
            (
                "\nA=\"canary",
                ".env:2: `A`: a quote is opened and not closed.",
            ),
            (
                "A='canary' canary",
                ".env:1: `A`: something stands behind the closing quote.",
            ),
            ("A=${canary", ".env:1: `A`: a ${ has no }."),
            (
                "A=canary${NOBODY}",
                ".env:1: `A`: it names a variable with ${ } that is not set.",
            ),
        ] {
            let error = parsed(text).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
            // Of somebody else it is none of our business.
            assert_eq!(parsed(&text.replace("A=", "B=")).unwrap(), []);
        }
    }

    #[test]
    fn a_file_need_be_there_only_if_it_was_named() {
        let none = Path::new("/nonexistent/.env");
        let load = |path, is_named| load(path, is_named, |_| true, &[]);
        assert_eq!(load(none, false).unwrap(), []);
        let error = load(none, true).unwrap_err().to_string();
        assert!(
            error.starts_with("--env-file: `env-file` cannot be"),
            "{error}"
        );
        let folder = load(Path::new("/"), false).unwrap_err().to_string();
        assert!(folder.contains("--no-env-file leaves it out"), "{folder}");
    }

    #[test]
    fn what_is_no_utf_8_matters_in_lines_of_ours_alone() {
        let path = std::env::temp_dir().join(format!("shardcast-latin-{}", std::process::id()));
        let load = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            load(&path, true, |name| name.starts_with('A'), &[])
        };
        let entries = load(b"B=caf\xe9\n# \xe9\nA=1\n").unwrap();
        assert_eq!((&entries[0].value[..], entries[0].line), ("1", 3));
        let error = load(b"B=caf\xe9\n\nA=canary\xe9\n")
            .unwrap_err()
            .to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(
            error.ends_with(":3: `A`: its value is not UTF-8."),
            "{error}"
        );
    }

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let path = std::env::temp_dir().join(format!("shardcast-env-{}", std::process::id()));
        let at = format!("A=1\n{}", "#".repeat(BYTES_MAX as usize - 4));
        std::fs::write(&path, &at).unwrap();
        assert_eq!(load(&path, true, |_| true, &[]).unwrap().len(), 1);
        std::fs::write(&path, at + "#").unwrap();
        let error = load(&path, true, |_| true, &[]).unwrap_err().to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(error.contains("more than 1048576 bytes"), "{error}");
    }
}
