//! The table for people, at most 80 columns wide.

use crate::outcome::Unit;
use crate::report::compare::{Comparison, Word};
use crate::report::document::{Document, Verdict};
use crate::report::number::{NOTHING, with_unit};

/// The widest line.
const WIDTH: usize = 80;
/// Columns of a label that is followed by one number.
const LABEL: usize = 57;
/// Columns of a latency's name, and of each of its numbers.
const LATENCY_NAME: usize = 32;
const LATENCY_NUMBER: usize = 9;

/// The percentiles of the block, as the JSON calls them.
const PERCENTILES: [&str; 4] = ["50", "90", "99", "99.9"];

/// Colours, where they are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// Whether they are.
    pub on: bool,
}

impl Paint {
    fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// All of it.
pub fn text(document: &Document, paint: Paint) -> String {
    let parts = [
        heading(document, paint),
        figures(document),
        latencies(document, paint),
        comparison(document.comparison.as_ref(), paint),
        verdicts(&document.verdicts, paint),
        notes(&document.notes),
    ];
    let parts: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("\n")
}

fn heading(document: &Document, paint: Paint) -> String {
    let verdict = if document.passed {
        paint.good("passed")
    } else {
        paint.bad("FAILED")
    };
    let settings: Vec<String> = document
        .settings
        .iter()
        .map(|(name, value)| format!("{} {}", visible(name), visible(value)))
        .collect();
    let settings = if settings.is_empty() {
        String::new()
    } else {
        indented(&wrap(&settings.join(", "), WIDTH - 2))
    };
    format!(
        "{}: {verdict}\n{settings}",
        paint.strong(&visible(&document.scenario))
    )
}

fn figures(document: &Document) -> String {
    let rows = document.own_figures().map(|(_, figure)| {
        let value = with_unit(figure.value, figure.unit);
        labelled(&figure.label, LABEL, &format!("{value:>20}"))
    });
    rows.collect()
}

fn latencies(document: &Document, paint: Paint) -> String {
    if document.latencies.is_empty() {
        return String::new();
    }
    let numbers = |numbers: &[String]| -> String {
        let padded = numbers
            .iter()
            .map(|number| format!("{number:>LATENCY_NUMBER$}"));
        padded.collect()
    };
    let names = ["p50", "p90", "p99", "p99.9", "max"].map(str::to_owned);
    let head = format!("  {:LATENCY_NAME$}{}", "", numbers(&names));
    let mut out = format!("{}\n", paint.faint(&head));
    for (key, latency) in &document.latencies {
        let us = |value| with_unit(value, Unit::Microseconds);
        let named = PERCENTILES
            .iter()
            .map(|name| latency.percentiles_us.get(*name));
        let mut row: Vec<String> = named.map(|value| us(value.copied().flatten())).collect();
        row.push(us(latency.max_us));
        out.push_str(&labelled(key, LATENCY_NAME, &numbers(&row)));
        for line in wrap(&visible(&latency.label), WIDTH - 4) {
            out.push_str(&format!("    {}\n", paint.faint(&line)));
        }
    }
    out
}

fn comparison(comparison: Option<&Comparison>, paint: Paint) -> String {
    let Some(comparison) = comparison else {
        return String::new();
    };
    let title = format!(
        "compared with {} of {}",
        visible(&comparison.with),
        visible(&comparison.started_at)
    );
    let mut out = String::new();
    for line in wrap(&title, WIDTH) {
        out.push_str(&format!("{}\n", paint.strong(&line)));
    }
    if comparison.other_machine {
        out.push_str("  made on another machine or kernel\n");
    }
    for setting in &comparison.settings {
        let value = |value: &Option<String>| value.as_deref().map_or(NOTHING.to_owned(), visible);
        let (old, new) = (value(&setting.old), value(&setting.new));
        let line = format!(
            "other setting: {} was {old}, is {new}",
            visible(&setting.name)
        );
        out.push_str(&indented(&wrap(&line, WIDTH - 2)));
    }
    let head = format!("  {:30}{:>15}{:>15}{:>8}", "", "old", "new", "ratio");
    out.push_str(&format!("{}\n", paint.faint(&head)));
    for (key, change) in &comparison.figures {
        let value = |value| with_unit(value, change.unit);
        let ratio = change
            .ratio
            .map_or(NOTHING.to_owned(), |ratio| format!("{ratio:.2}"));
        let word = match change.word {
            Word::Better => paint.good(change.word.text()),
            Word::Worse | Word::Gone => paint.bad(change.word.text()),
            Word::Same | Word::Differs | Word::New => change.word.text().to_owned(),
        };
        let numbers = format!(
            "{:>15}{:>15}{ratio:>8}  {word}",
            value(change.old),
            value(change.new)
        );
        out.push_str(&labelled(key, 30, &numbers));
    }
    out
}

fn verdicts(verdicts: &[Verdict], paint: Paint) -> String {
    let mut out = String::new();
    for verdict in verdicts {
        let word = if verdict.passed {
            paint.good("ok  ")
        } else {
            paint.bad("FAIL")
        };
        let text = if verdict.passed || verdict.found.is_empty() {
            verdict.check.clone()
        } else {
            format!("{}: {}", verdict.check, verdict.found)
        };
        for (at, line) in wrap(&visible(&text), WIDTH - 7).iter().enumerate() {
            let lead = if at == 0 { word.as_str() } else { "    " };
            out.push_str(&format!("  {lead} {line}\n"));
        }
    }
    out
}

/// Sentences, one below the other.
pub fn notes(notes: &[String]) -> String {
    let notes = notes.iter().map(|note| {
        let lines = wrap(&visible(note), WIDTH - 4);
        let lead = |at| if at == 0 { "  - " } else { "    " };
        let lines = lines.iter().enumerate();
        let lines = lines.map(|(at, line)| format!("{}{line}\n", lead(at)));
        lines.collect::<String>()
    });
    notes.collect()
}

/// A label on as many lines as it needs, and `rest` behind the first of them.
fn labelled(label: &str, width: usize, rest: &str) -> String {
    let lines = wrap(&visible(label), width - 1);
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        if at == 0 {
            out.push_str(&format!("  {line:width$}{rest}\n"));
        } else {
            out.push_str(&format!("    {line}\n"));
        }
    }
    out
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

/// Breaks a text between its words; a word that is wider than a line is cut.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(width) {
            if used > 0 && used + 1 + piece.len() > width {
                lines.push(String::new());
                used = 0;
            }
            let line = lines.last_mut().expect("it began with one line");
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.extend(piece);
            used += piece.len();
        }
    }
    lines
}

/// What a server said may stand in a note, and must not steer the terminal.
fn visible(text: &str) -> String {
    let replaced = text.chars().map(|letter| {
        if letter.is_control() && letter != '\n' {
            '\u{fffd}'
        } else {
            letter
        }
    });
    replaced.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    const PLAIN: Paint = Paint { on: false };

    fn verdict(check: &str, passed: bool, found: &str) -> Verdict {
        Verdict {
            check: check.to_owned(),
            passed,
            found: found.to_owned(),
        }
    }

    #[test]
    fn a_run_is_one_page() {
        let mut document = sample::document();
        document.judge(vec![
            verdict("lost == 0", true, "0"),
            verdict("deliveries_per_s >= 1,500,000", false, "1,234,567"),
        ]);
        let expected = "\
fan-out: FAILED
  subscribers 1000, payload-bytes 200

  deliveries per second                                            1,234,567 /s
  deliveries that never came                                                  0
  connections, all subscribed                                             1,000
  server, share of one core                                                   -

                                        p50      p90      p99    p99.9      max
  delivery                           500 us   900 us   990 us   999 us  1.00 ms
    from when a publish was due until a subscriber had it

  ok   lost == 0
  FAIL deliveries_per_s >= 1,500,000: 1,234,567

  - The server had 98 % of its core: it was the bottleneck.
";
        assert_eq!(text(&document, PLAIN), expected);
    }

    #[test]
    fn a_comparison_stands_side_by_side() {
        let mut old = sample::document();
        old.figures["deliveries_per_s"].value = Some(1_000_000.0);
        old.figures.shift_remove("lost");
        old.settings["payload-bytes"] = "100".to_owned();
        let mut document = sample::document();
        document
            .figures
            .retain(|key, _| !key.starts_with("delivery_"));
        old.figures
            .retain(|key, _| document.figures.contains_key(key));
        document.comparison = Some(Comparison::new(&old, &document, "old.json".to_owned()));
        let expected = "\
compared with old.json of 2026-11-21T14:03:57Z
  other setting: payload-bytes was 100, is 200
                                            old            new   ratio
  deliveries_per_s                 1,000,000 /s   1,234,567 /s    1.23  better
  lost                                        -              0       -  new
  subscribed                              1,000          1,000    1.00  same
";
        assert_eq!(comparison(document.comparison.as_ref(), PLAIN), expected);
    }

    #[test]
    fn the_first_line_says_how_it_went() {
        let mut document = sample::document();
        assert!(text(&document, PLAIN).starts_with("fan-out: passed\n"));
        document.judge(vec![verdict("3 messages were lost", false, "")]);
        let text = text(&document, PLAIN);
        assert!(text.starts_with("fan-out: FAILED\n"));
        assert!(text.contains("\n  FAIL 3 messages were lost\n"), "{text}");
    }

    #[test]
    fn colours_come_only_when_they_are_wanted() {
        let mut document = sample::document();
        document.judge(vec![verdict("lost == 0", true, "0")]);
        document.comparison = Some(Comparison::new(&document, &document, String::new()));
        let plain = text(&document, PLAIN);
        let painted = text(&document, Paint { on: true });
        assert!(!plain.contains('\x1b'));
        assert!(painted.contains("\x1b[32mok  \x1b[0m lost == 0"));
        let codes = ["\x1b[32m", "\x1b[1;31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"];
        let stripped = codes
            .iter()
            .fold(painted, |text, code| text.replace(code, ""));
        assert_eq!(stripped, plain);
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let mut document = sample::document();
        let long = "a long setting, ".repeat(20) + &"x".repeat(200);
        document.settings.insert("name".to_owned(), long.clone());
        document.notes.push(long.clone());
        document.figures["lost"].label.clone_from(&long);
        document.latencies["delivery"].label.clone_from(&long);
        document.judge(vec![verdict(&long, false, &long)]);
        let mut old = document.clone();
        old.settings["name"].push('y');
        old.figures["deliveries_per_s"].value = Some(999_999_999.0);
        document.comparison = Some(Comparison::new(&old, &document, long));
        for line in text(&document, PLAIN).lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn what_a_server_says_does_not_steer_the_terminal() {
        let mut document = sample::document();
        document.notes.push("refused: \x1b]0;gotcha\x07".to_owned());
        let text = text(&document, PLAIN);
        assert!(
            text.contains("refused: \u{fffd}]0;gotcha\u{fffd}"),
            "{text}"
        );
    }
}
