//! What counts say when they are held against those on record.

use crate::baseline::{Baseline, Counts};
use crate::ground::{Ground, Likeness};
use std::collections::BTreeSet;
use std::fmt;

/// A rise of so many percent is let pass, and a fall of as many not worth a word.
const LIMIT: u64 = 3;
/// The same where compiler, valgrind or C library are others: what they change is no finding, a
/// lost fast path still is.
const LIMIT_OTHER_TOOLS: u64 = 25;

/// What came of one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Within the limit.
    Good,
    /// Dearer: fails.
    Rose,
    /// Cheaper: the new count should be stored, or the next rise hides behind it.
    Fell,
    /// Not on record: fails.
    New,
    /// On record only: fails.
    Gone,
}

impl Verdict {
    fn passes(self) -> bool {
        matches!(self, Self::Good | Self::Fell)
    }

    fn text(self) -> &'static str {
        match self {
            Self::Good => "",
            Self::Rose => "ROSE",
            Self::Fell => "improved: store the new baseline",
            Self::New => "NOT ON RECORD",
            Self::Gone => "NO SUCH SUBJECT",
        }
    }
}

#[derive(Debug)]
struct Row {
    name: String,
    stored: Option<u64>,
    counted: Option<u64>,
    verdict: Verdict,
}

/// All verdicts; shown as a table.
#[derive(Debug)]
pub struct Report {
    rows: Vec<Row>,
    notice: String,
}

/// Holds what was counted `here` against the record.
pub fn compare(stored: &Baseline, here: &Ground, counted: &Counts) -> Report {
    let likeness = here.likeness(&stored.ground);
    let limit = match likeness {
        Likeness::Same => Some(LIMIT),
        Likeness::OtherTools => Some(LIMIT_OTHER_TOOLS),
        Likeness::OtherProcessor => None,
    };
    let names: BTreeSet<&String> = stored.counts.keys().chain(counted.keys()).collect();
    let rows = names.into_iter().map(|name| {
        let (stored, counted) = (stored.counts.get(name), counted.get(name));
        Row {
            name: name.clone(),
            stored: stored.copied(),
            counted: counted.copied(),
            verdict: judge(stored.copied(), counted.copied(), limit),
        }
    });
    Report {
        rows: rows.collect(),
        notice: notice(likeness, stored, here),
    }
}

fn judge(stored: Option<u64>, counted: Option<u64>, limit: Option<u64>) -> Verdict {
    let (stored, counted) = match (stored, counted) {
        (Some(stored), Some(counted)) => (stored, counted),
        (None, _) => return Verdict::New,
        (_, None) => return Verdict::Gone,
    };
    match limit {
        Some(limit) if counted * 100 > stored * (100 + limit) => Verdict::Rose,
        Some(limit) if counted * 100 < stored * (100 - limit) => Verdict::Fell,
        _ => Verdict::Good,
    }
}

fn notice(likeness: Likeness, stored: &Baseline, here: &Ground) -> String {
    let grounds = format!(
        "the record stands on\n{}and this machine counts on\n{here}",
        stored.ground
    );
    match likeness {
        Likeness::Same => format!("limit: a rise of {LIMIT} %\n"),
        Likeness::OtherTools => format!(
            "NOTICE: {grounds}so only a rise of more than {LIMIT_OTHER_TOOLS} % fails; \
             the limit is {LIMIT} % where the tools are those of the record\n"
        ),
        Likeness::OtherProcessor => format!(
            "NOTICE: {grounds}so libraries take other paths, and COUNTS ARE NOT COMPARED; \
             only that every subject runs and is on record is checked\n"
        ),
    }
}

impl Report {
    /// Whether nothing became dearer, and record and subjects match.
    pub fn passes(&self) -> bool {
        self.rows.iter().all(|row| row.verdict.passes())
    }
}

impl Row {
    fn percent(&self) -> Option<f64> {
        let (stored, counted) = (self.stored? as f64, self.counted? as f64);
        Some((counted / stored - 1.0) * 100.0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
        writeln!(
            f,
            "{:36}{:>10}{:>10}{:>9}",
            "subject", "baseline", "now", "percent"
        )?;
        for row in &self.rows {
            let percent = row
                .percent()
                .map_or("-".to_owned(), |percent| format!("{percent:+.1}"));
            let (stored, counted) = (number(row.stored), number(row.counted));
            let line = format!("{:36}{stored:>10}{counted:>10}{percent:>9}", row.name);
            writeln!(
                f,
                "{}",
                format!("{line}  {}", row.verdict.text()).trim_end()
            )?;
        }
        let failed = self.rows.iter().filter(|row| !row.verdict.passes()).count();
        write!(f, "{}", self.notice)?;
        writeln!(f, "{} subjects, {failed} of them fail", self.rows.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground(processor: &str, tools: &str) -> Ground {
        Ground {
            processor: processor.into(),
            tools: tools.into(),
        }
    }

    fn counts(counts: &[(&str, u64)]) -> Counts {
        let counts = counts.iter();
        counts
            .map(|(name, count)| ((*name).into(), *count))
            .collect()
    }

    fn compared_on(here: Ground, stored: &[(&str, u64)], counted: &[(&str, u64)]) -> Report {
        let stored = Baseline {
            ground: ground("p", "t"),
            counts: counts(stored),
        };
        compare(&stored, &here, &counts(counted))
    }

    fn compared(stored: &[(&str, u64)], counted: &[(&str, u64)]) -> Report {
        compared_on(ground("p", "t"), stored, counted)
    }

    fn line<'a>(table: &'a str, name: &str) -> &'a str {
        let mut lines = table.lines();
        lines.find(|line| line.starts_with(name)).unwrap()
    }

    #[test]
    fn a_rise_beyond_the_limit_fails_and_says_where() {
        let stored = [("a/1", 1_000), ("a/2", 1_000), ("a/3", 1_000)];
        let report = compared(&stored, &[("a/1", 1_029), ("a/2", 1_031), ("a/3", 1_030)]);
        assert!(!report.passes());
        let table = report.to_string();
        assert_eq!(line(&table, "a/1").split_whitespace().last(), Some("+2.9"));
        assert_eq!(line(&table, "a/3").split_whitespace().last(), Some("+3.0"));
        let words: Vec<&str> = line(&table, "a/2").split_whitespace().collect();
        assert_eq!(words, ["a/2", "1000", "1031", "+3.1", "ROSE"]);
        assert!(table.ends_with("3 subjects, 1 of them fail\n"), "{table}");
    }

    #[test]
    fn a_rise_within_the_limit_passes() {
        assert!(compared(&[("a/1", 1_000)], &[("a/1", 1_029)]).passes());
        assert!(compared(&[("a/1", 1_000)], &[("a/1", 1_030)]).passes());
        assert!(!compared(&[("a/1", 1_000)], &[("a/1", 1_031)]).passes());
    }

    #[test]
    fn a_fall_passes_and_asks_for_a_new_baseline() {
        let report = compared(
            &[("a/1", 1_000), ("a/2", 1_000)],
            &[("a/1", 969), ("a/2", 971)],
        );
        assert!(report.passes());
        let table = report.to_string();
        assert!(line(&table, "a/1").ends_with("-3.1  improved: store the new baseline"));
        assert!(line(&table, "a/2").ends_with("-2.9"));
    }

    #[test]
    fn record_and_subjects_must_match() {
        let missing = compared(&[("a/1", 7)], &[("a/1", 7), ("b/2", 9)]);
        assert!(!missing.passes());
        assert!(line(&missing.to_string(), "b/2").ends_with("NOT ON RECORD"));
        let extra = compared(&[("a/1", 7), ("b/2", 9)], &[("a/1", 7)]);
        assert!(!extra.passes());
        assert!(line(&extra.to_string(), "b/2").ends_with("NO SUCH SUBJECT"));
    }

    #[test]
    fn other_tools_get_a_wide_limit_and_a_notice() {
        let on = |count| compared_on(ground("p", "u"), &[("a/1", 1_000)], &[("a/1", count)]);
        assert!(on(1_250).passes());
        assert!(!on(1_251).passes());
        assert!(on(1_000).to_string().contains("NOTICE"));
    }

    #[test]
    fn on_another_processor_only_names_are_compared_and_it_says_so() {
        let on = |name| compared_on(ground("q", "t"), &[("a/1", 1_000)], &[(name, 9_000)]);
        assert!(on("a/1").passes());
        assert!(!on("a/2").passes());
        assert!(on("a/1").to_string().contains("COUNTS ARE NOT COMPARED"));
    }
}
