//! What loads find, in the forms that several of them share.

use crate::outcome::{Figure, Latency, Series, Unit};

/// A number that counts over the whole run, and how much of it was in the measured part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauge {
    at_measure: u64,
    at_interval: u64,
    at_stop: u64,
}

impl Gauge {
    /// The measured part begins.
    pub fn measure(&mut self, count: u64) {
        self.at_measure = count;
        self.at_interval = count;
    }

    /// How much came since the last look.
    pub fn interval(&mut self, count: u64) -> u64 {
        count - std::mem::replace(&mut self.at_interval, count)
    }

    /// The measured part ends.
    pub fn stop(&mut self, count: u64) {
        self.at_stop = count;
    }

    /// How much was in the measured part.
    pub fn measured(&self) -> u64 {
        self.at_stop - self.at_measure
    }
}

/// The figures that say whether what was sent arrived.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivered {
    /// Deliveries that should have been.
    pub expected: u64,
    /// Deliveries, each counted once.
    pub delivered: u64,
    /// Deliveries that never were.
    pub lost: u64,
    /// Deliveries that were again.
    pub duplicated: u64,
    /// Deliveries after a later one.
    pub out_of_order: u64,
    /// Connections that the server ended.
    pub disconnected: u64,
}

impl Delivered {
    /// As figures.
    pub fn figures(&self, prefix: &str) -> Vec<Figure> {
        let key = |name: &str| format!("{prefix}{name}");
        let plain = [
            ("expected", "deliveries expected", self.expected),
            ("delivered", "deliveries", self.delivered),
        ];
        let bad = [
            ("lost", "deliveries lost", self.lost),
            ("duplicated", "deliveries doubled", self.duplicated),
            ("out_of_order", "deliveries out of order", self.out_of_order),
            (
                "disconnected",
                "connections that the server ended",
                self.disconnected,
            ),
        ];
        let mut figures = Vec::new();
        figures.extend(plain.map(|(name, label, value)| {
            Figure::plain(&key(name), label, Unit::Count, value as f64)
        }));
        figures.extend(bad.map(|(name, label, value)| {
            Figure::lower(&key(name), label, Unit::Count, value as f64)
        }));
        figures
    }

    /// What must not be, in words.
    pub fn failures(&self) -> Vec<String> {
        let faults = [
            (self.lost, "deliveries were lost"),
            (self.duplicated, "deliveries came more than once"),
            (self.out_of_order, "deliveries came out of order"),
            (self.disconnected, "connections were ended by the server"),
        ];
        told(&faults)
    }
}

/// The columns of a rate and of three quantiles of a latency.
pub fn columns(
    rate: (&'static str, &'static str),
    latency: [(&'static str, &'static str); 3],
) -> Vec<Series> {
    let column = |(key, label), unit| Series { key, label, unit };
    let mut columns = vec![column(rate, Unit::PerSecond)];
    columns.extend(latency.map(|name| column(name, Unit::Microseconds)));
    columns
}

/// What stands in those columns after an interval.
pub fn values(count: u64, seconds: f64, latency_us: [f64; 3]) -> Vec<f64> {
    let mut values = vec![count as f64 / seconds];
    values.extend(latency_us);
    values
}

/// How often something happened, where it did.
pub fn told(faults: &[(u64, &str)]) -> Vec<String> {
    let some = faults.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{count} {what}"))
        .collect()
}

/// What one load found.
#[derive(Debug)]
pub struct Findings {
    /// Its numbers.
    pub figures: Vec<Figure>,
    /// How long things took.
    pub latencies: Vec<Latency>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// What must not be: a run with any of these has failed.
    pub failures: Vec<String>,
    /// How much was done in the measured part, and one of it: what the server's time is shared
    /// among.
    pub work: (u64, &'static str),
}
