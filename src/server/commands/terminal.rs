//! What is written, and how: plainly where a program reads it, in colours where a person does.
//!
//! Invariant: nothing that came over the network drives the terminal; it goes through [`plain`] or
//! [`plain_json`] first.

use super::ending::Failure;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Writes an answer. A reader that went away, as `head` does, has had enough of it.
///
/// # Errors
/// When it cannot be written otherwise, as on a disk that is full.
pub(in crate::server) fn say(text: &str) -> Result<(), Failure> {
    written(try_say(text))
}

/// What becomes of an answer that was written so.
///
/// # Errors
/// As [`say`].
pub(in crate::server) fn written(outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::unwritten(&error)),
        _ => Ok(()),
    }
}

/// Same, for who wants to know whether anybody still reads.
///
/// # Errors
/// When nobody does.
pub(super) fn try_say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Writes what is no answer.
pub(in crate::server) fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// The text on one line, with nothing in it that a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => out.extend(character.escape_default()),
            false => out.push(character),
        }
    }
    out
}

/// The same of text that is JSON, which stays JSON: a control character can only be within a string
/// there, and the writer has escaped those of ASCII already.
pub(super) fn plain_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character.is_control() {
            true => write!(out, "\\u{:04x}", u32::from(character)).expect("a string takes it"),
            false => out.push(character),
        }
    }
    out
}

/// Rows with the first columns as wide as their widest cell; each ends in a line break.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|at| width(at).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let padded = cells.map(|(cell, &width)| format!("{cell:width$}"));
        out.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drives_the_terminal() {
        assert_eq!(plain("a\u{1b}[2J\n\u{9b}ä"), "a\\u{1b}[2J\\n\\u{9b}ä");
        let json = serde_json::to_string("\u{1b}\u{9b}\u{7f}ä").unwrap();
        let shown = plain_json(&json);
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        let back: String = serde_json::from_str(&shown).unwrap();
        assert_eq!(back, "\u{1b}\u{9b}\u{7f}ä");
    }

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let rows = [["a", "b", "c"], ["äää", "", "d"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "a    b  c\näää     d\n");
    }
}
