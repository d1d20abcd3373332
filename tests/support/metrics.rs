//! The admin port of a server, and the values that it tells.

use super::http::{Http, Response, request};
use super::wire::PATIENCE;
use std::net::SocketAddr;
use std::time::Instant;

/// What the admin port answers to a path.
pub fn get(admin: SocketAddr, target: &str) -> Response {
    get_with(admin, target, &[])
}

/// Same, with these fields in the request.
pub fn get_with(admin: SocketAddr, target: &str, fields: &[&str]) -> Response {
    Http::connect(admin).send(request("GET", target, fields, b""))
}

/// The values of all metrics at one moment.
#[derive(Debug)]
pub struct Values(String);

impl Values {
    /// Asks for them.
    pub fn of(admin: SocketAddr) -> Self {
        let response = get(admin, "/metrics");
        assert_eq!(response.status, 200, "{}", response.text());
        Self(response.text().to_owned())
    }

    /// Asks again and again until a sum is this one: some things are counted when a turn ends.
    #[track_caller]
    pub fn expect_soon(admin: SocketAddr, name: &str, labels: &[&str], wanted: f64) -> Self {
        let start = Instant::now();
        loop {
            let values = Self::of(admin);
            let got = values.sum(name, labels);
            if got == wanted {
                return values;
            }
            assert!(start.elapsed() < PATIENCE, "{name} stays {got}: {values:?}");
        }
    }

    /// The sum of a metric's samples that have all of these labels, each as `name="value"`; the
    /// name goes without the prefix.
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let samples = self.0.lines().filter_map(|line| {
            let rest = line.strip_prefix("soketi_")?.strip_prefix(name)?;
            let (labelled, value) = rest.rsplit_once(' ')?;
            let is_it = labelled.is_empty() || labelled.starts_with('{');
            let has_all = labels.iter().all(|label| labelled.contains(label));
            (is_it && has_all).then(|| value.parse::<f64>().expect("values are numbers"))
        });
        samples.sum()
    }

    /// What counts and never falls, the classes of histograms among it: each series as it is on the
    /// page, with its value.
    pub fn counters(&self) -> Vec<(&str, f64)> {
        let (mut found, mut is_gauge) = (Vec::new(), false);
        for line in self.0.lines() {
            if line.starts_with("# TYPE ") {
                is_gauge = line.ends_with(" gauge");
            } else if !is_gauge && !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').expect("a series and its value");
                found.push((series, value.parse().expect("values are numbers")));
            }
        }
        found
    }

    /// The value of one series, as it is on the page.
    pub fn value(&self, series: &str) -> Option<f64> {
        let mut lines = self.0.lines().filter_map(|line| line.rsplit_once(' '));
        let (_, value) = lines.find(|(found, _)| *found == series)?;
        Some(value.parse().expect("values are numbers"))
    }

    /// The whole page.
    pub fn text(&self) -> &str {
        &self.0
    }
}
