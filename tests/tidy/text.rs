//! Text: how a file begins, how wide a line is, and notes that should have been done or filed.
//!
//! A line of comment that holds a web address may be wider. Notes are looked for in code and
//! comments; the inside of a string literal is not a note.

use proc_macro2::TokenTree;

use crate::house::LINE_CHARS;
use crate::source::{Source, Violation, flatten};

/// Marks of work left behind.
const NOTES: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Checks one file of any tree.
pub fn check(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    if !source.text.starts_with("//!") {
        let text = "the first line is not `//!`: say what the file is, what it is not, and its \
                    invariants";
        found.push(source.violation(1, "first-line", text.to_owned()));
    }
    for (at, line) in source.text.lines().enumerate() {
        let chars = line.chars().count();
        let address = line.contains("http://") || line.contains("https://");
        if chars > LINE_CHARS && !(address && line.trim_start().starts_with("//")) {
            let text = format!("{chars} characters, at most {LINE_CHARS}: break the line");
            found.push(source.violation(at + 1, "width", text));
        }
    }
    for (at, line) in without_strings(source).iter().enumerate() {
        let words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        for word in words.filter(|word| NOTES.contains(word)) {
            let text = format!("`{word}`: do it now, or file an issue and take the note out");
            found.push(source.violation(at + 1, "note", text));
        }
    }
    found
}

/// The lines of the file with the inside of string, byte and character literals blanked.
fn without_strings(source: &Source) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = source
        .text
        .lines()
        .map(|line| line.chars().collect())
        .collect();
    for token in flatten(&source.tokens) {
        let TokenTree::Literal(literal) = token else {
            continue;
        };
        let (start, end) = (literal.span().start(), literal.span().end());
        let first = lines
            .get(start.line - 1)
            .and_then(|line| line.get(start.column));
        // A doc comment is a literal too, to the compiler.
        if first == Some(&'/') {
            continue;
        }
        for at in start.line..=end.line {
            let Some(line) = lines.get_mut(at - 1) else {
                continue;
            };
            let from = if at == start.line { start.column } else { 0 };
            let to = if at == end.line {
                end.column
            } else {
                line.len()
            };
            let to = to.min(line.len());
            if let Some(inside) = line.get_mut(from..to) {
                inside.fill(' ');
            }
        }
    }
    lines.iter().map(|line| line.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Vec<(&'static str, usize)> {
        let source = Source::parse("src/id.rs", text).expect("the sample parses");
        check(&source)
            .iter()
            .map(|violation| (violation.rule, violation.line))
            .collect()
    }

    #[test]
    fn a_file_says_what_it_is() {
        assert_eq!(broken("//! Words.\nfn f() {}\n"), []);
        for text in [
            "",
            "fn f() {}\n",
            "\n//! x\n",
            "/// x\nfn f() {}\n",
            "// x\n",
            "/*! x */\n",
        ] {
            assert_eq!(broken(text), [("first-line", 1)], "{text}");
        }
    }

    #[test]
    fn a_line_at_the_limit_passes_and_one_character_more_does_not() {
        let line = |chars: usize| format!("//! x\n// {}\n", "ü".repeat(chars - 3));
        assert_eq!(broken(&line(LINE_CHARS)), []);
        assert_eq!(broken(&line(LINE_CHARS + 1)), [("width", 2)]);
        let address = format!(
            "//! x\n    // See https://{}\nfn f() {{}}\n",
            "x".repeat(100)
        );
        assert_eq!(broken(&address), []);
        let code = format!("//! x\nconst A: &str = \"https://{}\";\n", "x".repeat(100));
        assert_eq!(broken(&code), [("width", 2)]);
    }

    #[test]
    fn notes_of_work_left_behind_are_caught() {
        for note in NOTES {
            for text in [
                format!("//! x\n// {note}: later\n"),
                format!("//! x\nfn f() {{ /* {note} */ }}\n"),
                format!("//! x\n/// {note}(me) later\nfn f() {{}}\n"),
                format!("//! x\nfn f() {{ g(\"a\") }} //{note}\n"),
            ] {
                assert_eq!(broken(&text), [("note", 2)], "{text}");
            }
            for text in [
                format!("//! x\nfn f() {{ g(\"{note}\") }}\n"),
                format!("//! x\nconst A: &str = r#\"a\n{note}\nb\"#;\n"),
                format!("//! x\n// {note}S, {}\n", note.to_lowercase()),
            ] {
                assert_eq!(broken(&text), [], "{text}");
            }
        }
    }
}
