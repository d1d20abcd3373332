//! Two runs of one scenario side by side, and whether the later one is worse by too much.

use crate::outcome::{Better, Unit};
use crate::report::document::{Document, Measured, Verdict};
use crate::report::number::{exact, with_unit};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Figures this near to each other are called the same: runs differ by more without a cause.
const SAME: f64 = 0.02;

/// The setting that is another in each run and says nothing about the load.
const EVER_NEW: &str = "server-pid";

/// What changed since an earlier run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The file of the earlier run.
    pub with: String,
    /// When that began.
    pub started_at: String,
    /// Settings that were not the same.
    pub settings: Vec<Difference>,
    /// Whether that run was made on a machine that tells another name, size or kernel.
    pub other_machine: bool,
    /// Every figure that one of both runs has.
    pub figures: IndexMap<String, Change>,
}

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// What it was; null when there was none.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
}

/// One figure in both runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What it was; null when it was not measured.
    pub old: Option<f64>,
    /// What it is.
    pub new: Option<f64>,
    /// New by old; null when one is missing or the old one is nought.
    pub ratio: Option<f64>,
    /// What that means.
    pub word: Word,
    /// Of what.
    pub unit: Unit,
    /// Which way it should go.
    pub better: Better,
    /// What people read.
    pub label: String,
}

/// What a change means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It went the way it should.
    Better,
    /// It went the other way.
    Worse,
    /// It is within two percent.
    Same,
    /// It differs, and neither way is good or bad.
    Differs,
    /// The earlier run does not have it.
    New,
    /// This run does not have it.
    Gone,
}

impl Word {
    /// As people read it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "same",
            Self::Differs => "differs",
            Self::New => "new",
            Self::Gone => "gone",
        }
    }
}

impl Comparison {
    /// Of a run with an earlier one that was read from `with`.
    pub fn new(old: &Document, new: &Document, with: String) -> Self {
        let gone = old
            .figures
            .keys()
            .filter(|key| !new.figures.contains_key(*key));
        let changes = new.figures.keys().chain(gone).filter_map(|key| {
            let change = Change::new(old.figures.get(key), new.figures.get(key))?;
            Some((key.clone(), change))
        });
        Self {
            with,
            started_at: old.started_at.clone(),
            settings: differences(&old.settings, &new.settings),
            other_machine: old.machine != new.machine,
            figures: changes.collect(),
        }
    }

    /// Holds every figure that has a good way to what it was, give or take `percent`.
    ///
    /// A figure that is no longer measured fails: a check must not pass by losing its subject.
    pub fn judge(&self, percent: f64) -> Vec<Verdict> {
        let judged = self
            .figures
            .iter()
            .filter(|(_, change)| change.better != Better::Neither && change.old.is_some());
        let (mut held, mut verdicts) = (0, Vec::new());
        for (key, change) in judged {
            match change.worse_by(percent) {
                None => held += 1,
                Some(found) => verdicts.push(Verdict {
                    check: format!("{key} no worse than before by {} %", exact(percent)),
                    passed: false,
                    found,
                }),
            }
        }
        if held > 0 {
            verdicts.push(Verdict {
                check: format!(
                    "{held} figures no worse than before by {} %",
                    exact(percent)
                ),
                passed: true,
                found: String::new(),
            });
        }
        verdicts
    }
}

impl Change {
    /// `None` when neither run measured it.
    fn new(old: Option<&Measured>, new: Option<&Measured>) -> Option<Self> {
        let shape = new.or(old)?;
        let (old, new) = (old.and_then(|old| old.value), new.and_then(|new| new.value));
        let word = match (old, new) {
            (None, None) => return None,
            (None, Some(_)) => Word::New,
            (Some(_), None) => Word::Gone,
            (Some(old), Some(new)) => word(old, new, shape.better),
        };
        let ratio = match (old, new) {
            (Some(old), Some(new)) if old != 0.0 => Some(new / old),
            _ => None,
        };
        Some(Self {
            old,
            new,
            ratio,
            word,
            unit: shape.unit,
            better: shape.better,
            label: shape.label.clone(),
        })
    }

    /// What to say when it is worse than it was by more than so many percent.
    fn worse_by(&self, percent: f64) -> Option<String> {
        let old = self.old?;
        let Some(new) = self.new else {
            return Some("not measured".to_owned());
        };
        let loss = match self.better {
            Better::Higher => old - new,
            Better::Lower => new - old,
            Better::Neither => return None,
        };
        (loss > old.abs() * percent / 100.0).then(|| {
            let (old, new) = (Some(old), Some(new));
            let (old, new) = (with_unit(old, self.unit), with_unit(new, self.unit));
            format!("{new}, was {old}")
        })
    }
}

fn word(old: f64, new: f64, better: Better) -> Word {
    if (new - old).abs() <= old.abs() * SAME {
        return Word::Same;
    }
    match better {
        Better::Neither => Word::Differs,
        Better::Higher if new > old => Word::Better,
        Better::Lower if new < old => Word::Better,
        Better::Higher | Better::Lower => Word::Worse,
    }
}

fn differences(old: &IndexMap<String, String>, new: &IndexMap<String, String>) -> Vec<Difference> {
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let names = new.keys().chain(gone);
    let names = names.filter(|name| *name != EVER_NEW);
    let differing = names.filter(|name| old.get(*name) != new.get(*name));
    differing
        .map(|name| Difference {
            name: name.clone(),
            old: old.get(name).cloned(),
            new: new.get(name).cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn compared(change: impl FnOnce(&mut Document)) -> Comparison {
        let old = sample::document();
        let mut new = sample::document();
        change(&mut new);
        Comparison::new(&old, &new, "old.json".to_owned())
    }

    fn failures(comparison: &Comparison, percent: f64) -> Vec<String> {
        let verdicts = comparison.judge(percent).into_iter();
        let failed = verdicts.filter(|verdict| !verdict.passed);
        failed
            .map(|verdict| format!("{}: {}", verdict.check, verdict.found))
            .collect()
    }

    fn set(document: &mut Document, key: &str, value: Option<f64>) {
        document.figures.get_mut(key).unwrap().value = value;
    }

    #[test]
    fn a_run_is_the_same_as_itself() {
        let comparison = compared(|_| {});
        assert!(
            comparison
                .figures
                .values()
                .all(|change| change.word == Word::Same)
        );
        assert!(comparison.settings.is_empty());
        assert!(!comparison.other_machine);
        assert!(
            !comparison.figures.contains_key("server_cpu"),
            "in neither run"
        );
        assert_eq!(failures(&comparison, 0.0), [""; 0]);
        let verdicts = comparison.judge(5.0);
        assert_eq!(verdicts.len(), 1);
        assert_eq!(verdicts[0].check, "7 figures no worse than before by 5 %");
    }

    #[test]
    fn words_go_by_the_way_that_is_good_and_two_percent() {
        for (key, factor, word) in [
            ("deliveries_per_s", 1.03, Word::Better),
            ("deliveries_per_s", 1.019, Word::Same),
            ("deliveries_per_s", 0.981, Word::Same),
            ("deliveries_per_s", 0.97, Word::Worse),
            ("delivery_p99_us", 1.03, Word::Worse),
            ("delivery_p99_us", 0.97, Word::Better),
            ("delivery_max_us", 9.0, Word::Differs),
        ] {
            let value = sample::document().figures[key].value.unwrap();
            let comparison = compared(|new| set(new, key, Some(value * factor)));
            let change = &comparison.figures[key];
            assert_eq!(change.word, word, "{key} {factor}");
            assert!((change.ratio.unwrap() - factor).abs() < 1e-9);
        }
    }

    #[test]
    fn tolerance_holds_at_the_limit_and_not_past_it() {
        let rate = |value: f64| {
            let mut old = sample::document();
            let mut new = sample::document();
            set(&mut old, "deliveries_per_s", Some(1_000.0));
            set(&mut new, "deliveries_per_s", Some(value));
            failures(&Comparison::new(&old, &new, String::new()), 10.0)
        };
        assert_eq!(rate(900.0), [""; 0]);
        assert_eq!(rate(5_000.0), [""; 0]);
        assert_eq!(
            rate(899.0),
            ["deliveries_per_s no worse than before by 10 %: 899 /s, was 1,000 /s"]
        );
    }

    #[test]
    fn what_was_nought_tolerates_nothing() {
        let comparison = compared(|new| set(new, "lost", Some(1.0)));
        assert_eq!(comparison.figures["lost"].ratio, None);
        assert_eq!(comparison.figures["lost"].word, Word::Worse);
        assert_eq!(
            failures(&comparison, 1_000.0),
            ["lost no worse than before by 1,000 %: 1, was 0"]
        );
    }

    #[test]
    fn figures_that_come_inform_and_figures_that_go_fail() {
        let comparison = compared(|new| {
            set(new, "server_cpu", Some(0.5));
            new.figures.shift_remove("deliveries_per_s");
            new.figures.shift_remove("subscribed");
            set(new, "lost", None);
        });
        assert_eq!(comparison.figures["server_cpu"].word, Word::New);
        assert_eq!(comparison.figures["deliveries_per_s"].word, Word::Gone);
        assert_eq!(comparison.figures["lost"].word, Word::Gone);
        assert_eq!(
            failures(&comparison, 50.0),
            [
                "lost no worse than before by 50 %: not measured",
                "deliveries_per_s no worse than before by 50 %: not measured",
            ]
        );
    }

    #[test]
    fn no_change_of_what_only_describes_fails() {
        let comparison = compared(|new| {
            set(new, "subscribed", Some(1.0));
            set(new, "delivery_max_us", Some(1e9));
        });
        assert_eq!(failures(&comparison, 0.0), [""; 0]);
    }

    #[test]
    fn different_settings_are_named() {
        let comparison = compared(|new| {
            new.settings
                .insert("subscribers".to_owned(), "2000".to_owned());
            new.settings.insert("seed".to_owned(), "7".to_owned());
            new.settings.shift_remove("payload-bytes");
            new.settings.insert("server-pid".to_owned(), "1".to_owned());
            new.machine.kernel.push('x');
        });
        let told: Vec<_> = comparison
            .settings
            .iter()
            .map(|d| (&*d.name, d.old.as_deref(), d.new.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("subscribers", Some("1000"), Some("2000")),
                ("seed", None, Some("7")),
                ("payload-bytes", Some("200"), None),
            ]
        );
        assert!(comparison.other_machine);
    }
}
