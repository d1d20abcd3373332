//! Bounds that a run is held to: `lost==0`, `delivery_p99_us < 5000`.
//!
//! What was not measured keeps no bound: a check that cannot be made must not pass.

use crate::report::document::{Document, Verdict};
use crate::report::number::exact;
use std::fmt;
use std::str::FromStr;

/// One bound for one figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// The figure.
    pub key: String,
    operator: Operator,
    bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    AtLeast,
    AtMost,
    Above,
    Below,
    Exactly,
}

/// Longer signs first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 5] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("==", Operator::Exactly),
    (">", Operator::Above),
    ("<", Operator::Below),
];

impl Operator {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::AtLeast => value >= bound,
            Self::AtMost => value <= bound,
            Self::Above => value > bound,
            Self::Below => value < bound,
            Self::Exactly => value == bound,
        }
    }

    fn sign(self) -> &'static str {
        let row = OPERATORS.iter().find(|(_, operator)| *operator == self);
        row.map_or("", |(sign, _)| sign)
    }
}

impl FromStr for Requirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "expected KEY OP NUMBER with one of >= <= > < ==, such as 'lost==0'";
        let at = text.find(['>', '<', '=']).ok_or(FORM)?;
        let (key, rest) = text.split_at(at);
        let (sign, operator) = OPERATORS
            .iter()
            .find(|(sign, _)| rest.starts_with(sign))
            .ok_or(FORM)?;
        let key = key.trim();
        let good = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if key.is_empty() || !key.chars().all(good) {
            return Err(format!("{key:?} is no name of a figure; {FORM}"));
        }
        let number = rest[sign.len()..].trim().replace('_', "");
        let bound = number.parse::<f64>().ok().filter(|bound| bound.is_finite());
        Ok(Self {
            key: key.to_owned(),
            operator: *operator,
            bound: bound.ok_or_else(|| format!("{number:?} is no number; {FORM}"))?,
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, operator, .. } = self;
        write!(out, "{key} {} {}", operator.sign(), exact(self.bound))
    }
}

impl Requirement {
    /// Whether the run kept it.
    pub fn check(&self, document: &Document) -> Verdict {
        let figure = document.figures.get(&self.key);
        let value = figure.and_then(|figure| figure.value);
        let found = match (figure, value) {
            (None, _) => "there is no such figure".to_owned(),
            (_, None) => "not measured".to_owned(),
            (_, Some(value)) => exact(value),
        };
        Verdict {
            check: self.to_string(),
            passed: value.is_some_and(|value| self.operator.holds(value, self.bound)),
            found,
        }
    }
}

/// What to say when bounds were asked for that no figure of the scenario has.
pub fn unknown_keys(requirements: &[Requirement], document: &Document) -> Option<String> {
    let keys: Vec<&str> = document.figures.keys().map(String::as_str).collect();
    let unknown = requirements
        .iter()
        .map(|requirement| requirement.key.as_str())
        .filter(|key| !keys.contains(key));
    let told: Vec<String> = unknown
        .map(|key| match nearest(key, &keys) {
            Some(near) => format!("no figure is called {key}; did you mean {near}?"),
            None => format!("no figure is called {key}"),
        })
        .collect();
    (!told.is_empty()).then(|| {
        let scenario = &document.scenario;
        let told = told.join("\n");
        format!("{told}\nthe figures of {scenario} are: {}", keys.join(", "))
    })
}

/// The key with the fewest letters to change, unless that would be a third of them or more.
fn nearest<'a>(key: &str, keys: &[&'a str]) -> Option<&'a str> {
    let changes = |other: &str| strsim::damerau_levenshtein(key, other);
    let nearest = keys.iter().copied().min_by_key(|other| changes(other));
    nearest.filter(|nearest| changes(nearest) * 3 < nearest.len().max(key.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn passes(requirement: &str) -> bool {
        let requirement: Requirement = requirement.parse().unwrap();
        requirement.check(&sample::document()).passed
    }

    #[test]
    fn bounds_hold_at_the_limit_and_not_one_past() {
        // The sample has 1,234,567 deliveries in a second and lost none.
        for (text, passed) in [
            ("deliveries_per_s>=1234567", true),
            ("deliveries_per_s>=1234568", false),
            ("deliveries_per_s<=1234567", true),
            ("deliveries_per_s<=1234566", false),
            ("deliveries_per_s>1234566", true),
            ("deliveries_per_s>1234567", false),
            ("deliveries_per_s<1234568", true),
            ("deliveries_per_s<1234567", false),
            ("deliveries_per_s==1234567", true),
            ("deliveries_per_s==1234568", false),
            ("lost==0", true),
            ("lost>0", false),
            ("lost>=-1", true),
        ] {
            assert_eq!(passes(text), passed, "{text}");
        }
    }

    #[test]
    fn latencies_can_be_held_to_a_bound() {
        assert!(passes("delivery_p50_us <= 1_000"));
        assert!(!passes("delivery_p50_us < 1e2"));
        assert!(passes("delivery_count == 1000"));
    }

    #[test]
    fn what_was_not_measured_keeps_no_bound() {
        for text in ["server_cpu>=0", "server_cpu<=0", "server_cpu==0", "none<1"] {
            assert!(!passes(text), "{text}");
        }
        let requirement: Requirement = "server_cpu<1".parse().unwrap();
        let verdict = requirement.check(&sample::document());
        assert_eq!(verdict.found, "not measured");
    }

    #[test]
    fn bounds_are_written_as_they_are_meant() {
        let requirement: Requirement = " deliveries_per_s>=1500000 ".parse().unwrap();
        assert_eq!(requirement.to_string(), "deliveries_per_s >= 1,500,000");
        let verdict = requirement.check(&sample::document());
        assert_eq!(verdict.found, "1,234,567");
    }

    #[test]
    fn unknown_keys_are_told_with_the_likeliest() {
        let document = sample::document();
        let parse = |text: &str| text.parse::<Requirement>().unwrap();
        assert_eq!(unknown_keys(&[parse("lost==0")], &document), None);
        let told = unknown_keys(&[parse("delivery_per_s>1"), parse("zz>1")], &document).unwrap();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(
            lines[0],
            "no figure is called delivery_per_s; did you mean deliveries_per_s?"
        );
        assert_eq!(lines[1], "no figure is called zz");
        assert!(lines[2].starts_with("the figures of fan-out are: deliveries_per_s, "));
        assert!(lines[2].contains(", delivery_p99_9_us, "), "{told}");
    }
}
