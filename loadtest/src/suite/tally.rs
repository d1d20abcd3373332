//! What the runs of one load come to: medians, their spread, and ratios.
//!
//! A ratio is taken within each round, where both servers met the same machine, and the median of
//! those is told. It is steadier than the ratio of two medians.

use crate::outcome::Outcome;
use serde::Serialize;

/// All runs of one load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tally {
    /// The load's name.
    pub line: &'static str,
    /// What it is.
    pub what: &'static str,
    /// The scenario and its flags.
    pub arguments: String,
    /// The key of the main figure.
    pub figure: &'static str,
    /// What that counts.
    pub label: &'static str,
    /// Who the ratios are to.
    pub floor: String,
    /// Everyone who was put through it.
    pub servers: Vec<ServerTally>,
}

/// The runs of one server.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerTally {
    /// Its name.
    pub server: String,
    /// The main figure.
    pub figure: Option<Spread>,
    /// That of the floor is 1.
    pub ratio: Option<f64>,
    /// CPU time of the server for each delivery, or what else the load does.
    pub cpu_us_each: Option<Spread>,
    /// That of the floor is 1.
    pub cpu_ratio: Option<f64>,
    /// Medians of the runs' percentiles.
    pub p50_us: Option<f64>,
    /// As p50.
    pub p99_us: Option<f64>,
    /// Of one core, median.
    pub tester_cpu_share: Option<f64>,
    /// As the tester's.
    pub server_cpu_share: Option<f64>,
    /// Round by round.
    pub runs: Vec<Run>,
}

/// A median and how far the runs are from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// In the middle.
    pub median: f64,
    /// The least of all runs.
    pub least: f64,
    /// The most.
    pub most: f64,
}

/// One run of one server.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Run {
    /// Why there are no figures.
    pub error: Option<String>,
    /// What must not be: lost, doubled, out of order.
    pub failures: Vec<String>,
    /// The main figure.
    pub figure: Option<f64>,
    /// CPU time of the server for each.
    pub cpu_us_each: Option<f64>,
    /// Half were faster.
    pub p50_us: Option<f64>,
    /// One of a hundred was slower.
    pub p99_us: Option<f64>,
    /// CPU of the tester, of one core.
    pub tester_cpu_share: Option<f64>,
    /// CPU of the server, of one core.
    pub server_cpu_share: Option<f64>,
}

impl Run {
    /// What counts of an outcome.
    pub fn new(outcome: &Outcome, figure: &str, latency: Option<&str>) -> Self {
        let value = |key: &str| {
            let found = outcome.figures.iter().find(|figure| figure.key == key);
            found
                .map(|figure| figure.value)
                .filter(|value| value.is_finite())
        };
        let mut latencies = outcome.latencies.iter();
        let histogram = latencies
            .find(|one| Some(one.key) == latency)
            .map(|one| &one.nanoseconds)
            .filter(|histogram| !histogram.is_empty());
        let quantile = |quantile| {
            histogram.map(|histogram| histogram.value_at_quantile(quantile) as f64 / 1_000.0)
        };
        Self {
            error: None,
            failures: outcome.failures.clone(),
            figure: value(figure),
            cpu_us_each: value("server_cpu_us_each"),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            tester_cpu_share: value("tester_cpu_share"),
            server_cpu_share: value("server_cpu_share"),
        }
    }

    /// A run that could not be made.
    pub fn failed(error: String) -> Self {
        Self {
            error: Some(error),
            ..Self::default()
        }
    }

    /// Whether it was made and kept everything.
    pub fn is_good(&self) -> bool {
        self.error.is_none() && self.failures.is_empty()
    }
}

impl ServerTally {
    /// What a server's runs come to, beside those of the floor in the same rounds.
    pub fn new(server: &str, runs: Vec<Run>, floor: &[Run]) -> Self {
        let all = |of: fn(&Run) -> Option<f64>| runs.iter().filter_map(of).collect::<Vec<f64>>();
        let ratio = |of: fn(&Run) -> Option<f64>| {
            let rounds = runs.iter().zip(floor);
            let ratios = rounds.filter_map(|(run, floor)| Some(of(run)? / of(floor)?));
            median(ratios.filter(|ratio| ratio.is_finite()).collect())
        };
        Self {
            server: server.to_owned(),
            figure: Spread::of(all(|run| run.figure)),
            ratio: ratio(|run| run.figure),
            cpu_us_each: Spread::of(all(|run| run.cpu_us_each)),
            cpu_ratio: ratio(|run| run.cpu_us_each),
            p50_us: median(all(|run| run.p50_us)),
            p99_us: median(all(|run| run.p99_us)),
            tester_cpu_share: median(all(|run| run.tester_cpu_share)),
            server_cpu_share: median(all(|run| run.server_cpu_share)),
            runs,
        }
    }

    /// Whether every run was made and kept everything.
    pub fn is_good(&self) -> bool {
        self.runs.iter().all(Run::is_good)
    }

    /// What a reader must know of its runs.
    pub fn notes(&self) -> Vec<String> {
        let mut told: Vec<(&str, Vec<String>)> = Vec::new();
        for (round, run) in (1..).zip(&self.runs) {
            for text in run.error.iter().chain(&run.failures) {
                match told.iter_mut().find(|(said, _)| said == text) {
                    Some((_, rounds)) => rounds.push(u32::to_string(&round)),
                    None => told.push((text, vec![u32::to_string(&round)])),
                }
            }
        }
        let name = &self.server;
        let told = told.into_iter();
        let mut notes: Vec<String> = told
            .map(|(text, rounds)| format!("{name}, run {}: {text}", rounds.join(", ")))
            .collect();
        if self.tester_cpu_share.is_some_and(|share| share > 0.95) {
            notes.push(format!("{name}: the load tester was itself the bottleneck"));
        }
        notes
    }
}

impl Spread {
    fn of(values: Vec<f64>) -> Option<Self> {
        let least = values.iter().copied().reduce(f64::min)?;
        let most = values.iter().copied().reduce(f64::max)?;
        let median = median(values)?;
        Some(Self {
            median,
            least,
            most,
        })
    }
}

/// The middle one, or the mean of the two there.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let (below, above) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some((values[below] + values[above]) / 2.0)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::suite) fn run(figure: f64, cpu_us_each: f64) -> Run {
        Run {
            figure: Some(figure),
            cpu_us_each: Some(cpu_us_each),
            p50_us: Some(1_200.0),
            p99_us: Some(5_341.0),
            tester_cpu_share: Some(0.62),
            server_cpu_share: Some(0.99),
            ..Run::default()
        }
    }

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine was half as fast in the second round, for both.
        let floor = [run(1_000.0, 1.0), run(500.0, 2.0), run(1_000.0, 1.0)];
        let runs = vec![run(400.0, 3.0), run(210.0, 5.0), run(390.0, 3.0)];
        let tally = ServerTally::new("a", runs, &floor);
        assert_eq!(tally.ratio, Some(0.4));
        assert_eq!(tally.cpu_ratio, Some(3.0));
        let spread = tally.figure.unwrap();
        assert_eq!(
            (spread.median, spread.least, spread.most),
            (390.0, 210.0, 400.0)
        );
        let own = ServerTally::new("floor", floor.to_vec(), &floor);
        assert_eq!((own.ratio, own.cpu_ratio), (Some(1.0), Some(1.0)));
    }

    #[test]
    fn a_run_that_was_not_made_leaves_the_others() {
        let floor = [run(1_000.0, 1.0), Run::failed("no".to_owned())];
        let runs = vec![Run::failed("gone".to_owned()), run(500.0, 2.0)];
        let tally = ServerTally::new("a", runs, &floor);
        assert_eq!(tally.figure.unwrap().median, 500.0);
        assert_eq!(tally.ratio, None);
        assert!(!tally.is_good());
        assert_eq!(tally.notes(), ["a, run 1: gone"]);
    }

    #[test]
    fn what_went_wrong_is_told_once() {
        let mut bad = run(500.0, 2.0);
        bad.failures = vec!["3 deliveries were lost".to_owned()];
        bad.tester_cpu_share = Some(0.99);
        let tally = ServerTally::new("a", vec![bad.clone(), run(1.0, 1.0), bad], &[]);
        assert!(!tally.is_good() && tally.figure.is_some());
        let notes = tally.notes();
        assert_eq!(notes[0], "a, run 1, 3: 3 deliveries were lost");
        assert_eq!(notes[1], "a: the load tester was itself the bottleneck");
    }
}
