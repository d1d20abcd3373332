//! What a scenario found out, in the one form that every output understands.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The whole of it: settings that were asked for, figures that were measured.
#[derive(Debug)]
pub struct Outcome {
    /// The scenario's name on the command line.
    pub scenario: &'static str,
    /// What was asked for, defaults included, in the order of the help text.
    pub settings: Vec<(&'static str, String)>,
    /// What was measured, the most telling first.
    pub figures: Vec<Figure>,
    /// How long things took.
    pub latencies: Vec<Latency>,
    /// The same figures as time went by.
    pub timeline: Timeline,
    /// What a reader must know to trust the figures: who was the bottleneck, what was lost.
    pub notes: Vec<String>,
    /// Limits and checks that the run did not pass, in words. Empty when all is well.
    pub failures: Vec<String>,
}

/// One number.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Its name in JSON, `--compare` and `--require`: snake case with the unit at its end.
    pub key: String,
    /// What people read.
    pub label: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
    /// Whether more of it is good.
    pub better: Better,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things.
    Count,
    /// Things in a second.
    PerSecond,
    /// Microseconds.
    Microseconds,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A share of one; people read it in percent.
    Share,
}

/// Which way a figure should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// It only describes the run.
    Neither,
}

/// How long something took, each time.
#[derive(Debug)]
pub struct Latency {
    /// Its name in JSON and in file names, such as `delivery`. The figures `<key>_p50_us`,
    /// `<key>_p99_us` and so on are made of it.
    pub key: &'static str,
    /// What people read, with from when until when.
    pub label: &'static str,
    /// Nanoseconds.
    pub nanoseconds: Histogram<u64>,
}

/// Readings at even intervals.
#[derive(Debug, Default)]
pub struct Timeline {
    /// What was read, one for each column.
    pub series: Vec<Series>,
    /// Seconds since the measured part began, and one value for each series. NaN where there was
    /// nothing to read.
    pub rows: Vec<(f64, Vec<f64>)>,
}

/// One column of a time-line.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// Its name in JSON.
    pub key: &'static str,
    /// What people read.
    pub label: &'static str,
    /// Of what.
    pub unit: Unit,
}

impl Figure {
    /// A figure that should grow.
    pub fn higher(key: &str, label: &str, unit: Unit, value: f64) -> Self {
        Self::new(key, label, unit, value, Better::Higher)
    }

    /// A figure that should shrink.
    pub fn lower(key: &str, label: &str, unit: Unit, value: f64) -> Self {
        Self::new(key, label, unit, value, Better::Lower)
    }

    /// A figure that says how things were.
    pub fn plain(key: &str, label: &str, unit: Unit, value: f64) -> Self {
        Self::new(key, label, unit, value, Better::Neither)
    }

    fn new(key: &str, label: &str, unit: Unit, value: f64, better: Better) -> Self {
        let (key, label) = (key.to_owned(), label.to_owned());
        Self {
            key,
            label,
            value,
            unit,
            better,
        }
    }
}
