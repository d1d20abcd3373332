//! A run as one JSON object, written and read back by the same types.
//!
//! Every other output is drawn from it, so that they all say the same. A field that is added keeps
//! the schema's number; a field that changes its meaning raises it, and other numbers are refused.

use crate::outcome::{self, Better, Figure, Outcome, Unit};
use crate::report::compare::Comparison;
use crate::report::latency::{self, LatencyRecord};
use crate::report::machine::Machine;
use hdrhistogram::Histogram;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io;
use std::path::Path;

/// The number of the form that this program writes and reads.
pub const SCHEMA: u32 = 1;

/// The whole of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The number of its form.
    pub schema: u32,
    /// What wrote it.
    pub tool: Tool,
    /// The scenario's name.
    pub scenario: String,
    /// When the run began, as RFC 3339 has it.
    pub started_at: String,
    /// How long it took, from its first connection to its report.
    pub took_s: f64,
    /// Where the tester ran.
    pub machine: Machine,
    /// What was asked for.
    pub settings: IndexMap<String, String>,
    /// Whether every check went well.
    pub passed: bool,
    /// The checks.
    pub verdicts: Vec<Verdict>,
    /// What was measured, and what follows from the latencies.
    pub figures: IndexMap<String, Measured>,
    /// How long things took.
    pub latencies: IndexMap<String, LatencyRecord>,
    /// The same figures as time went by.
    pub timeline: Timeline,
    /// What a reader must know to trust the figures.
    pub notes: Vec<String>,
    /// How it differs from an earlier run, when one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// A program and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One check of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was asked.
    pub check: String,
    /// Whether it was so.
    pub passed: bool,
    /// What there was; empty when the check says it itself.
    pub found: String,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// How much; null when it was not measured.
    pub value: Option<f64>,
    /// Of what.
    pub unit: Unit,
    /// Which way it should go.
    pub better: Better,
    /// What people read.
    pub label: String,
}

/// Readings at even intervals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// What was read, one for each column after the first.
    pub series: Vec<Series>,
    /// Seconds since the measured part began, then one value for each series; null where there was
    /// nothing to read.
    pub rows: Vec<(f64, Vec<Option<f64>>)>,
}

/// One column of the time-line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// Its name.
    pub key: String,
    /// What people read.
    pub label: String,
    /// Of what.
    pub unit: Unit,
}

/// A latency ready to be drawn.
#[derive(Clone, Debug)]
pub struct LatencyView<'a> {
    /// Its name.
    pub key: &'a str,
    /// What people read.
    pub label: &'a str,
    /// Of this run, in nanoseconds.
    pub new: Histogram<u64>,
    /// Of the earlier run, when there is one and it has this latency.
    pub old: Option<Histogram<u64>>,
}

/// What a run adds to its outcome.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// When it began, as RFC 3339 has it.
    pub started_at: String,
    /// How long it took, in seconds.
    pub took_s: f64,
    /// Where it ran.
    pub machine: Machine,
}

impl Document {
    /// What an outcome comes to, before any check but those of the scenario itself.
    pub fn new(outcome: &Outcome, circumstances: Circumstances) -> Self {
        let derived = outcome.latencies.iter().flat_map(latency::figures);
        let figures = outcome.figures.iter().cloned().chain(derived);
        let settings = outcome.settings.iter();
        let latencies = outcome.latencies.iter();
        let failures = outcome.failures.iter().map(|failure| Verdict {
            check: failure.clone(),
            passed: false,
            found: String::new(),
        });
        Self {
            schema: SCHEMA,
            tool: Tool {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            scenario: outcome.scenario.to_owned(),
            started_at: circumstances.started_at,
            took_s: circumstances.took_s,
            machine: circumstances.machine,
            settings: settings
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            passed: outcome.failures.is_empty(),
            verdicts: failures.collect(),
            figures: figures.map(measured).collect(),
            latencies: latencies
                .map(|latency| (latency.key.to_owned(), LatencyRecord::new(latency)))
                .collect(),
            timeline: Timeline::from(&outcome.timeline),
            notes: outcome.notes.clone(),
            comparison: None,
        }
    }

    /// Takes further checks in.
    pub fn judge(&mut self, verdicts: Vec<Verdict>) {
        self.passed &= verdicts.iter().all(|verdict| verdict.passed);
        self.verdicts.extend(verdicts);
    }

    /// The figures, without those that follow from a latency.
    pub fn own_figures(&self) -> impl Iterator<Item = (&str, &Measured)> {
        let derived = |key: &str| self.latencies.keys().any(|of| latency::derives(of, key));
        let all = self
            .figures
            .iter()
            .map(|(key, figure)| (key.as_str(), figure));
        all.filter(move |(key, _)| !derived(key))
    }

    /// The latencies, each beside the same one of an earlier run.
    ///
    /// # Errors
    /// When a histogram is damaged.
    pub fn latency_views<'a>(&'a self, old: Option<&Self>) -> io::Result<Vec<LatencyView<'a>>> {
        let views = self.latencies.iter().map(|(key, latency)| {
            let old = old.and_then(|old| old.latencies.get(key));
            Ok(LatencyView {
                key,
                label: &latency.label,
                new: latency.histogram()?,
                old: old.map(LatencyRecord::histogram).transpose()?,
            })
        });
        views.collect()
    }

    /// The JSON, with an end of line.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string(self).expect("numbers, names and maps with text keys");
        format!("{text}\n")
    }

    /// Reads an earlier run of `scenario`.
    ///
    /// # Errors
    /// When the file cannot be read, is not of this program, of another schema or another scenario.
    pub fn read(path: &Path, scenario: &str) -> io::Result<Self> {
        let wrong = |what: String| io::Error::other(format!("{}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        Self::parse(&text, scenario).map_err(wrong)
    }

    fn parse(text: &str, scenario: &str) -> Result<Self, String> {
        /// What every schema has, so that a foreign one is named before its fields are missed.
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
            tool: Tool,
            scenario: String,
        }
        let head: Head = serde_json::from_str(text)
            .map_err(|error| format!("this is no outcome of a load test: {error}"))?;
        if head.tool.name != env!("CARGO_PKG_NAME") {
            return Err(format!("this was written by {}", head.tool.name));
        }
        if head.schema != SCHEMA {
            return Err(format!(
                "it has schema {} (written by version {}), and this program reads schema {SCHEMA}",
                head.schema, head.tool.version
            ));
        }
        if head.scenario != scenario {
            return Err(format!(
                "it is a run of {}, which {scenario} cannot be compared with",
                head.scenario
            ));
        }
        let damaged = |error: &dyn Error| format!("it is damaged: {error}");
        let document: Self = serde_json::from_str(text).map_err(|error| damaged(&error))?;
        document
            .latency_views(None)
            .map_err(|error| damaged(&error))?;
        Ok(document)
    }
}

fn measured(figure: Figure) -> (String, Measured) {
    let measured = Measured {
        value: finite(figure.value),
        unit: figure.unit,
        better: figure.better,
        label: figure.label,
    };
    (figure.key, measured)
}

/// JSON has no word for what is not a number.
fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|value| value.is_finite())
}

impl From<&outcome::Timeline> for Timeline {
    fn from(timeline: &outcome::Timeline) -> Self {
        let series = timeline.series.iter().map(|series| Series {
            key: series.key.to_owned(),
            label: series.label.to_owned(),
            unit: series.unit,
        });
        let rows = timeline.rows.iter().map(|(at, values)| {
            let values = values.iter().map(|value| finite(*value));
            (*at, values.collect())
        });
        Self {
            series: series.collect(),
            rows: rows.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_is_written_is_read_back() {
        let document = sample::document();
        let read = Document::parse(&document.to_json(), "fan-out").unwrap();
        assert_eq!(read, document);
        let again = read.latencies["delivery"].histogram().unwrap();
        assert_eq!(again, sample::outcome().latencies[0].nanoseconds);
    }

    #[test]
    fn the_form_is_stable() {
        let value: serde_json::Value = serde_json::from_str(&sample::document().to_json()).unwrap();
        let keys: Vec<&str> = value.as_object().unwrap().keys().map(|k| &**k).collect();
        let mut expected = vec![
            "schema",
            "tool",
            "scenario",
            "started_at",
            "took_s",
            "machine",
            "settings",
            "passed",
            "verdicts",
            "figures",
            "latencies",
            "timeline",
            "notes",
        ];
        expected.sort_unstable();
        assert_eq!(keys, expected);
        assert_eq!(value["schema"], 1);
        assert_eq!(
            value["figures"]["deliveries_per_s"],
            serde_json::json!({
                "value": 1_234_567.0, "unit": "per_second", "better": "higher",
                "label": "deliveries per second",
            })
        );
        assert_eq!(
            value["figures"]["server_cpu"]["value"],
            serde_json::Value::Null
        );
        assert_eq!(value["settings"]["subscribers"], "1000");
        let columns = &value["timeline"]["series"];
        assert_eq!(columns[0]["key"], "deliveries_per_s");
        let row = &value["timeline"]["rows"][2];
        assert_eq!(row, &serde_json::json!([2.0, [null, null, null, null]]));
        let latency = &value["latencies"]["delivery"];
        assert_eq!(latency["encoding"], "hdrhistogram-v2-deflate-base64");
        assert_eq!(latency["count"], 1000);
        assert!(latency["percentiles_us"]["99.9"].is_number());
    }

    #[test]
    fn settings_and_figures_keep_their_order() {
        let text = sample::document().to_json();
        let at = |needle: &str| text.find(needle).unwrap();
        assert!(at("\"subscribers\"") < at("\"payload-bytes\""));
        assert!(at("\"deliveries_per_s\"") < at("\"lost\""));
        assert!(at("\"lost\"") < at("\"delivery_p50_us\""));
    }

    #[test]
    fn foreign_files_are_refused_by_name() {
        let good = sample::document().to_json();
        let refused = |text: &str, scenario: &str| Document::parse(text, scenario).unwrap_err();
        assert!(refused("", "fan-out").starts_with("this is no outcome of a load test: "));
        assert!(refused("{}", "fan-out").starts_with("this is no outcome of a load test: "));
        assert_eq!(
            refused(&good, "idle"),
            "it is a run of fan-out, which idle cannot be compared with"
        );
        let newer = good.replace("\"schema\":1", "\"schema\":2");
        assert_eq!(
            refused(&newer, "fan-out"),
            "it has schema 2 (written by version 0.1.0), and this program reads schema 1"
        );
        let other = good.replace("shardcast-loadtest", "k6");
        assert_eq!(refused(&other, "fan-out"), "this was written by k6");
        let cut = good.replace("\"figures\":", "\"figure\":");
        assert!(refused(&cut, "fan-out").starts_with("it is damaged: missing field `figures`"));
        let torn = good.replace("\"histogram\":\"", "\"histogram\":\"AAAA");
        assert!(refused(&torn, "fan-out").starts_with("it is damaged: damaged histogram"));
        let more = good.replacen("\"passed\":", "\"added_later\":[],\"passed\":", 1);
        assert_eq!(
            Document::parse(&more, "fan-out").unwrap(),
            sample::document()
        );
    }

    #[test]
    fn what_the_scenario_found_wrong_fails_the_run() {
        let mut outcome = sample::outcome();
        outcome.failures.push("3 messages were lost".to_owned());
        let document = Document::new(&outcome, sample::circumstances());
        assert!(!document.passed);
        assert_eq!(document.verdicts[0].check, "3 messages were lost");
    }

    #[test]
    fn one_check_that_fails_fails_the_run() {
        let mut document = sample::document();
        let verdict = |passed| Verdict {
            check: "x".to_owned(),
            passed,
            found: "y".to_owned(),
        };
        document.judge(vec![verdict(true)]);
        assert!(document.passed);
        document.judge(vec![verdict(false)]);
        document.judge(vec![verdict(true)]);
        assert!(!document.passed);
        assert_eq!(document.verdicts.len(), 3);
    }
}
