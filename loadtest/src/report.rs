//! Reports: a small table for people, one JSON object for programs.

use serde::Serialize;
use std::io::Write;

/// What a scenario found out.
pub trait Report: Serialize {
    /// What the table's heading says.
    fn title(&self) -> String;

    /// The lines of the table: what, and how much.
    fn rows(&self) -> Vec<(&'static str, String)>;
}

/// Writes a report to the standard output. A reader that went away is no reason to fail.
pub fn print(report: &impl Report, json: bool) {
    let text = if json {
        let text = serde_json::to_string(report).expect("reports are numbers and names");
        format!("{text}\n")
    } else {
        table(&report.title(), &report.rows())
    };
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn table(title: &str, rows: &[(&str, String)]) -> String {
    let left = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let right = rows.iter().map(|(_, value)| value.len()).max().unwrap_or(0);
    let mut out = format!("{title}\n");
    for (name, value) in rows {
        out.push_str(&format!("  {name:left$}  {value:>right$}\n"));
    }
    out
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345, "12,345"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn columns_line_up() {
        let rows = [("a", "1".to_owned()), ("long", "1,000".to_owned())];
        assert_eq!(table("t", &rows), "t\n  a         1\n  long  1,000\n");
    }
}
