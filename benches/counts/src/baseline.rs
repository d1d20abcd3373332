//! The file with what is on record: a line `NAME COUNT` for each subject, sorted by name, below the
//! ground that the counts stand on.

use crate::ground::Ground;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Instructions for one step, by subject.
pub type Counts = BTreeMap<String, u64>;

/// What is on record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// What the counts stand on.
    pub ground: Ground,
    /// The counts.
    pub counts: Counts,
}

const TITLE: &str = "\
# Instructions for one step of each subject of benches/subjects, as valgrind counts them.
# Written by `make bench-baseline`; commit a change of it together with what it comes from.
";

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TITLE}{}", self.ground)?;
        for (name, count) in &self.counts {
            writeln!(f, "{name} {count}")?;
        }
        Ok(())
    }
}

impl FromStr for Baseline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut baseline = Self::default();
        for (at, line) in text.lines().enumerate() {
            let wrong = |what| format!("line {}: {what}: {line:?}", at + 1);
            if let Some(comment) = line.strip_prefix("# ") {
                match comment.split_once(": ") {
                    Some(("processor", processor)) => baseline.ground.processor = processor.into(),
                    Some(("tools", tools)) => baseline.ground.tools = tools.into(),
                    _ => {}
                }
                continue;
            }
            let (name, count) = line.split_once(' ').ok_or(wrong("not NAME COUNT"))?;
            match count.parse() {
                Ok(count) if count > 0 => {
                    if baseline.counts.insert(name.to_owned(), count).is_some() {
                        return Err(wrong("there twice"));
                    }
                }
                _ => return Err(wrong("not a count")),
            }
        }
        match baseline.ground.processor.is_empty() || baseline.ground.tools.is_empty() {
            true => Err("does not say what its counts stand on".to_owned()),
            false => Ok(baseline),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let written = Baseline {
            ground: Ground {
                processor: "x86_64 avx2".into(),
                tools: "rustc 1.95.0, valgrind-3.19.0, glibc 2.36".into(),
            },
            counts: Counts::from([("b/2".into(), 7), ("a/1".into(), 600)]),
        };
        let text = written.to_string();
        assert!(text.ends_with("\na/1 600\nb/2 7\n"), "sorted: {text}");
        assert_eq!(text.parse(), Ok(written));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let ground = "# processor: p\n# tools: t\n";
        for wrong in [
            "a/1",
            "a/1 ",
            "a/1 -3",
            "a/1 0",
            "a/1 7 8",
            "a/1 7\na/1 7",
            "",
        ] {
            let text = format!("{ground}{wrong}\n");
            assert!(text.parse::<Baseline>().is_err(), "{wrong:?}");
        }
        assert!("# processor: p\na/1 7\n".parse::<Baseline>().is_err());
        assert!(format!("{ground}a/1 7\n").parse::<Baseline>().is_ok());
    }
}
