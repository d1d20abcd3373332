//! What `GET /metrics` answers: the text format of Prometheus (version 0.0.4), or JSON.

use super::counters::{TIME_BOUNDS_US, Times};
use super::names::{Kind, Name};
use crate::protocol::json::quote;
use std::fmt::Write;

/// The media type of the text format.
pub const TEXT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The values of all metrics at one moment.
#[derive(Debug)]
pub struct Page {
    prefix: String,
    families: Vec<Family>,
}

#[derive(Debug)]
struct Family {
    name: &'static Name,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    /// What the name of a histogram goes on with.
    suffix: &'static str,
    labels: Vec<String>,
    /// The upper bound of a class.
    bound: Option<String>,
    value: Value,
}

/// A number, whole or not.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// A whole one.
    Whole(u64),
    /// One that may have a fraction.
    Real(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(value) => write!(f, "{value}"),
            Self::Real(value) => write!(f, "{value}"),
        }
    }
}

impl Page {
    /// Nothing yet; every name will stand behind `prefix`.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            families: Vec::new(),
        }
    }

    /// Adds a value; `labels` are those of the name, in their order.
    ///
    /// # Panics
    /// When there are more or fewer labels than the name has.
    pub fn add(&mut self, name: &'static Name, labels: &[&str], value: impl Into<Value>) {
        self.add_sample(name, labels, ("", None), value.into());
    }

    /// Adds times that were counted in classes, in seconds.
    ///
    /// # Panics
    /// As [`Page::add`].
    pub fn add_times(&mut self, name: &'static Name, labels: &[&str], times: &Times) {
        let mut count = 0;
        for (at, class) in times.classes.iter().enumerate() {
            count += class;
            let bound = TIME_BOUNDS_US.get(at).map(|us| *us as f64 / 1e6);
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |seconds| seconds.to_string());
            self.add_sample(name, labels, ("_bucket", Some(bound)), count.into());
        }
        let sum_s = times.sum_us as f64 / 1e6;
        self.add_sample(name, labels, ("_sum", None), sum_s.into());
        self.add_sample(name, labels, ("_count", None), count.into());
    }

    fn add_sample(
        &mut self,
        name: &'static Name,
        labels: &[&str],
        (suffix, bound): (&'static str, Option<String>),
        value: Value,
    ) {
        assert_eq!(labels.len(), name.labels.len(), "labels of {}", name.name);
        let sample = Sample {
            suffix,
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            bound,
            value,
        };
        let same = |family: &&mut Family| std::ptr::eq(family.name, name);
        match self.families.iter_mut().find(same) {
            Some(family) => family.samples.push(sample),
            None => self.families.push(Family {
                name,
                samples: vec![sample],
            }),
        }
    }

    /// In the text format, metrics in the order in which they were added first.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Family { name, samples } in &self.families {
            let prefix = &self.prefix;
            let (full, kind) = (format_args!("{prefix}{}", name.name), kind(name));
            let _ = writeln!(text, "# HELP {full} {}\n# TYPE {full} {kind}", name.help);
            for sample in samples {
                text.push_str(prefix);
                text.push_str(name.name);
                text.push_str(sample.suffix);
                for (at, (label, value)) in sample.labels_of(name).enumerate() {
                    let before = if at == 0 { '{' } else { ',' };
                    let _ = write!(text, "{before}{label}=\"");
                    escape(value, &mut text);
                    text.push('"');
                }
                if sample.labels_of(name).next().is_some() {
                    text.push('}');
                }
                let _ = writeln!(text, " {}", sample.value);
            }
        }
        text
    }

    /// As JSON: `{"data":[{"name", "help", "type", "values":[{"value", "labels":{}}]}]}`.
    #[must_use]
    pub fn json(&self) -> Vec<u8> {
        let mut json = b"{\"data\":[".to_vec();
        for (at, Family { name, samples }) in self.families.iter().enumerate() {
            json.extend_from_slice(if at == 0 { b"{" } else { b",{" });
            let full = format!("{}{}", self.prefix, name.name);
            for (key, value) in [("name", &*full), ("help", name.help), ("type", kind(name))] {
                quote(key, &mut json);
                json.push(b':');
                quote(value, &mut json);
                json.push(b',');
            }
            json.extend_from_slice(b"\"aggregator\":\"sum\",\"values\":[");
            for (at, sample) in samples.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                json.extend_from_slice(format!("{comma}{{\"value\":{},", sample.value).as_bytes());
                if !sample.suffix.is_empty() {
                    let name = format!("{full}{}", sample.suffix);
                    json.extend_from_slice(format!("\"metricName\":\"{name}\",").as_bytes());
                }
                json.extend_from_slice(b"\"labels\":{");
                for (at, (label, value)) in sample.labels_of(name).enumerate() {
                    if at > 0 {
                        json.push(b',');
                    }
                    quote(label, &mut json);
                    json.push(b':');
                    quote(value, &mut json);
                }
                json.extend_from_slice(b"}}");
            }
            json.extend_from_slice(b"]}");
        }
        json.extend_from_slice(b"]}");
        json
    }
}

impl Sample {
    /// Its labels, the bound of a class among them.
    fn labels_of<'a>(&'a self, name: &Name) -> impl Iterator<Item = (&'static str, &'a str)> {
        let own = name.labels.iter().copied();
        let own = own.zip(self.labels.iter().map(String::as_str));
        own.chain(self.bound.as_deref().map(|bound| ("le", bound)))
    }
}

fn kind(name: &Name) -> &'static str {
    match name.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Untyped => "untyped",
    }
}

/// The three characters that a label's value may not hold as they are.
fn escape(value: &str, text: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::counters::{Counters, Time};
    use crate::metrics::names::{BUILD_INFO, CLIENTS, CPU, DRAINING, HOP};

    fn page() -> Page {
        let mut page = Page::new("x_");
        page.add(&CLIENTS, &["0", "/a\"\\\n{id}"], 3_u64);
        page.add(&DRAINING, &[], false);
        page.add(&CLIENTS, &["1", "/b"], u64::MAX);
        page.add(&CPU, &[], 1.5);
        page
    }

    #[test]
    fn text_is_what_prometheus_reads() {
        let help = |name: &Name| format!("# HELP x_{} {}", name.name, name.help);
        let expected = [
            help(&CLIENTS),
            "# TYPE x_clients gauge".to_owned(),
            r#"x_clients{shard="0",route="/a\"\\\n{id}"} 3"#.to_owned(),
            r#"x_clients{shard="1",route="/b"} 18446744073709551615"#.to_owned(),
            help(&DRAINING),
            "# TYPE x_draining gauge".to_owned(),
            "x_draining 0".to_owned(),
            help(&CPU),
            "# TYPE x_process_cpu_seconds_total counter".to_owned(),
            "x_process_cpu_seconds_total 1.5".to_owned(),
        ];
        assert_eq!(page().text().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn times_are_a_histogram() {
        let counters = Counters::default();
        for us in [10, 60, 2_000_000] {
            counters.time(Time::Hop, us);
        }
        let mut page = Page::new("x_");
        page.add_times(&HOP, &["0"], counters.totals().times(Time::Hop));
        let text = page.text();
        for line in [
            "# TYPE x_mesh_hop_seconds histogram",
            r#"x_mesh_hop_seconds_bucket{shard="0",le="0.00005"} 1"#,
            r#"x_mesh_hop_seconds_bucket{shard="0",le="0.0001"} 2"#,
            r#"x_mesh_hop_seconds_bucket{shard="0",le="1"} 2"#,
            r#"x_mesh_hop_seconds_bucket{shard="0",le="+Inf"} 3"#,
            r#"x_mesh_hop_seconds_sum{shard="0"} 2.00007"#,
            r#"x_mesh_hop_seconds_count{shard="0"} 3"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        }
        let json: serde_json::Value = serde_json::from_slice(&page.json()).unwrap();
        let first = &json["data"][0]["values"][0];
        assert_eq!(first["metricName"], "x_mesh_hop_seconds_bucket");
        assert_eq!(first["labels"]["le"], "0.00005");
    }

    #[test]
    fn json_says_the_same() {
        let json: serde_json::Value = serde_json::from_slice(&page().json()).unwrap();
        let first = &json["data"][0];
        assert_eq!(first["name"], "x_clients");
        assert_eq!(first["values"][0]["labels"]["route"], "/a\"\\\n{id}");
        assert_eq!(first["values"][1]["value"], u64::MAX);
        assert_eq!(json["data"][2]["type"], "counter");
        assert_eq!(json["data"].as_array().unwrap().len(), 3);
    }

    #[test]
    #[should_panic(expected = "labels of build_info")]
    fn labels_are_those_of_the_name() {
        Page::new("").add(&BUILD_INFO, &[], 1_u64);
    }
}
