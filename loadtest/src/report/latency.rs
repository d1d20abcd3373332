//! A latency as the outputs know it: a few percentiles for the eye, the whole histogram for later.

use crate::outcome::{Better, Figure, Latency, Unit};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::io;

/// The percentiles that become figures: end of the key, what people read, and the share.
const DERIVED: [(&str, &str, f64); 4] = [
    ("p50", "median", 0.5),
    ("p90", "90th percentile", 0.9),
    ("p99", "99th percentile", 0.99),
    ("p99_9", "99.9th percentile", 0.999),
];

/// The percentiles that the JSON names.
const NAMED: [(&str, f64); 7] = [
    ("50", 0.5),
    ("75", 0.75),
    ("90", 0.9),
    ("95", 0.95),
    ("99", 0.99),
    ("99.9", 0.999),
    ("99.99", 0.9999),
];

/// How the histogram is written down.
const ENCODING: &str = "hdrhistogram-v2-deflate-base64";

/// One latency in the JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyRecord {
    /// What people read.
    pub label: String,
    /// How many times something took its time.
    pub count: u64,
    /// The least, in microseconds; null when there was none.
    pub min_us: Option<f64>,
    /// The mean.
    pub mean_us: Option<f64>,
    /// The most.
    pub max_us: Option<f64>,
    /// Percentiles by their name, in microseconds.
    pub percentiles_us: IndexMap<String, Option<f64>>,
    /// How `histogram` is written down.
    pub encoding: String,
    /// All of it, in nanoseconds.
    pub histogram: String,
}

/// The figures that follow from a latency.
pub fn figures(latency: &Latency) -> Vec<Figure> {
    let Latency {
        key,
        nanoseconds: histogram,
        ..
    } = latency;
    let figure = |end: &str, what: &str, unit, value: Option<f64>, better| Figure {
        key: format!("{key}_{end}"),
        label: format!("{key}: {what}"),
        value: value.unwrap_or(f64::NAN),
        unit,
        better,
    };
    let us = |end: &str, what: &str, value, better| {
        let end = format!("{end}_us");
        figure(&end, what, Unit::Microseconds, value, better)
    };
    let percentiles = DERIVED.iter().map(|(end, what, quantile)| {
        us(end, what, at_quantile(histogram, *quantile), Better::Lower)
    });
    let mut out: Vec<Figure> = percentiles.collect();
    // One sample decides the maximum, so it says little about which run was better.
    out.push(us("max", "most", most(histogram), Better::Neither));
    out.push(us("mean", "mean", mean(histogram), Better::Lower));
    let count = Some(histogram.len() as f64);
    out.push(figure(
        "count",
        "samples",
        Unit::Count,
        count,
        Better::Neither,
    ));
    out
}

/// Whether a figure of this name follows from the latency of that name.
pub fn derives(latency: &str, figure: &str) -> bool {
    stem(figure) == Some(latency) || figure.strip_suffix("_count") == Some(latency)
}

/// The latency that a percentile, mean or maximum of this name is of.
pub fn stem(key: &str) -> Option<&str> {
    let key = key.strip_suffix("_us")?;
    let ends = DERIVED.iter().map(|(end, ..)| *end).chain(["max", "mean"]);
    let stems = ends.filter_map(|end| key.strip_suffix(end)?.strip_suffix('_'));
    stems.min_by_key(|stem| stem.len())
}

/// The value that so large a share does not exceed, in microseconds; `None` when there is none.
pub fn at_quantile(histogram: &Histogram<u64>, quantile: f64) -> Option<f64> {
    let value = || microseconds(histogram.value_at_quantile(quantile).min(histogram.max()));
    (!histogram.is_empty()).then(value)
}

/// The largest value.
pub fn most(histogram: &Histogram<u64>) -> Option<f64> {
    (!histogram.is_empty()).then(|| microseconds(histogram.max()))
}

fn mean(histogram: &Histogram<u64>) -> Option<f64> {
    (!histogram.is_empty()).then(|| histogram.mean() / 1e3)
}

fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

impl LatencyRecord {
    /// Writes one down.
    pub fn new(latency: &Latency) -> Self {
        let histogram = &latency.nanoseconds;
        let named = NAMED
            .iter()
            .map(|(name, quantile)| ((*name).to_owned(), at_quantile(histogram, *quantile)));
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(histogram, &mut bytes)
            .expect("counts of samples fit the form, and memory takes every write");
        Self {
            label: latency.label.to_owned(),
            count: histogram.len(),
            min_us: (!histogram.is_empty()).then(|| microseconds(histogram.min())),
            mean_us: mean(histogram),
            max_us: most(histogram),
            percentiles_us: named.collect(),
            encoding: ENCODING.to_owned(),
            histogram: BASE64_STANDARD.encode(bytes),
        }
    }

    /// Reads the histogram back.
    ///
    /// # Errors
    /// When it is written down in another way, or damaged.
    pub fn histogram(&self) -> io::Result<Histogram<u64>> {
        if self.encoding != ENCODING {
            let other = &self.encoding;
            return Err(io::Error::other(format!("unknown encoding {other:?}")));
        }
        let bytes = BASE64_STANDARD
            .decode(&self.histogram)
            .map_err(io::Error::other)?;
        Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| io::Error::other(format!("damaged histogram: {error:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(values: impl IntoIterator<Item = u64>) -> Latency {
        let mut nanoseconds = Histogram::new(3).unwrap();
        for value in values {
            nanoseconds.record(value).unwrap();
        }
        Latency {
            key: "echo",
            label: "echo, from send to receipt",
            nanoseconds,
        }
    }

    #[test]
    fn figures_have_the_keys_that_are_promised() {
        let figures = figures(&latency(1..=1000));
        let text: Vec<String> = figures
            .iter()
            .map(|figure| format!("{}={}", figure.key, figure.value))
            .collect();
        assert_eq!(
            text,
            [
                "echo_p50_us=0.5",
                "echo_p90_us=0.9",
                "echo_p99_us=0.99",
                "echo_p99_9_us=0.999",
                "echo_max_us=1",
                "echo_mean_us=0.5005",
                "echo_count=1000",
            ]
        );
    }

    #[test]
    fn figures_of_a_latency_are_told_from_others() {
        let latency = latency(1..=10);
        assert!(
            figures(&latency)
                .iter()
                .all(|figure| derives("echo", &figure.key))
        );
        for other in [
            "echo",
            "echo_us",
            "echo_p95_us",
            "echoes_p50_us",
            "echo_p50",
            "x_count",
        ] {
            assert!(!derives("echo", other), "{other}");
        }
    }

    #[test]
    fn without_a_sample_there_is_no_figure_but_the_count() {
        let figures = figures(&latency([]));
        let (count, others) = figures.split_last().unwrap();
        assert_eq!(count.value, 0.0);
        assert!(others.iter().all(|figure| figure.value.is_nan()));
        let record = LatencyRecord::new(&latency([]));
        assert_eq!((record.count, record.max_us), (0, None));
        assert!(record.histogram().unwrap().is_empty());
    }

    #[test]
    fn no_percentile_exceeds_the_most() {
        let one = latency([1_234_567_891]);
        let most = most(&one.nanoseconds);
        assert_eq!(at_quantile(&one.nanoseconds, 0.5), most);
        assert_eq!(at_quantile(&one.nanoseconds, 1.0), most);
    }

    #[test]
    fn histograms_are_read_back_and_damage_is_told() {
        let latency = latency([100, 2_000, 2_001, 3_000_000]);
        let record = LatencyRecord::new(&latency);
        assert_eq!(record.histogram().unwrap(), latency.nanoseconds);
        let mut cut = record.clone();
        cut.histogram.truncate(16);
        let error = cut.histogram().unwrap_err().to_string();
        assert!(error.starts_with("damaged histogram: "), "{error}");
        let mut other = record;
        other.encoding = "gzip".to_owned();
        let error = other.histogram().unwrap_err().to_string();
        assert_eq!(error, "unknown encoding \"gzip\"");
    }
}
