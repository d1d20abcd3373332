//! What is drawn: the percentiles of each latency, and the readings as time went by.

use crate::outcome::Unit;
use crate::report::document::{Document, LatencyView, Series, Timeline};
use crate::report::latency::{self, at_quantile, most};
use crate::report::number::{exact, with_unit};
use crate::report::svg::{Axis, Chart, Line};
use hdrhistogram::Histogram;

/// Points of a percentile line between two numbers of nines.
const POINTS_PER_NINE: u32 = 40;
/// More nines than anyone has samples for.
const NINES_MAX: f64 = 7.0;
/// From here on a linear axis would press most of a line flat on the floor.
const WIDE: f64 = 20.0;
/// Colours of the style sheet.
const COLOURS: usize = 6;

/// The percentiles of one latency, of the old run too where there is one.
pub fn percentiles(view: &LatencyView<'_>) -> Chart {
    let runs = [Some(&view.new), view.old.as_ref()];
    let runs = || runs.into_iter().flatten().filter(|run| !run.is_empty());
    let nines = runs().map(nines).fold(1.0, f64::max);
    let largest = runs().filter_map(most).fold(0.0, f64::max);
    // One sample must not stretch the axis downwards: the first percentile is low enough.
    let least = runs()
        .filter_map(|run| at_quantile(run, 0.01))
        .fold(largest, f64::min);
    let median = at_quantile(&view.new, 0.5).unwrap_or(largest);
    let scale = Scale::of(Unit::Microseconds, largest);
    let (least, top) = (least / scale.divide, largest / scale.divide);
    let y = if least > 0.0 && largest > median * WIDE {
        let name = format!("{}, logarithmic", scale.name);
        Axis::powers(&name, least, top, exact)
    } else {
        Axis::linear(scale.name, 0.0, top, exact)
    };
    let line = |run: &Histogram<u64>, name: &str, old| Line {
        name: name.to_owned(),
        colour: usize::from(old),
        old,
        points: percentile_points(run, scale.divide),
    };
    let old = view.old.as_ref();
    let mut lines: Vec<Line> = old
        .map(|run| line(run, "earlier run", true))
        .into_iter()
        .collect();
    lines.push(line(&view.new, "this run", false));
    Chart {
        id: format!("latency-{}", view.key),
        title: format!("Percentiles of {}", view.key.replace('_', " ")),
        description: described(view),
        x: nines_axis(nines),
        y,
        lines,
    }
}

fn described(view: &LatencyView<'_>) -> String {
    let told = |run: &Histogram<u64>| {
        let us = |value| with_unit(value, Unit::Microseconds);
        format!(
            "median {}, 99th percentile {}, most {}",
            us(at_quantile(run, 0.5)),
            us(at_quantile(run, 0.99)),
            us(most(run))
        )
    };
    let old = view
        .old
        .as_ref()
        .map(|old| format!("; earlier run: {}", told(old)));
    format!(
        "{}: {}{}.",
        view.label,
        told(&view.new),
        old.unwrap_or_default()
    )
}

/// How many nines the share of all samples but the last has.
fn nines(histogram: &Histogram<u64>) -> f64 {
    (histogram.len() as f64).log10().clamp(1.0, NINES_MAX)
}

fn percentile_points(histogram: &Histogram<u64>, divide: f64) -> Vec<(f64, f64)> {
    if histogram.is_empty() {
        return Vec::new();
    }
    let end = nines(histogram);
    let count = (end * f64::from(POINTS_PER_NINE)) as u32;
    let along = (0..count).map(|at| f64::from(at) / f64::from(POINTS_PER_NINE));
    let point = |nines: f64| {
        let value = at_quantile(histogram, 1.0 - 10_f64.powf(-nines))?;
        Some((nines, value / divide))
    };
    let mut points: Vec<_> = along.filter_map(point).collect();
    points.extend(most(histogram).map(|value| (end, value / divide)));
    points
}

fn nines_axis(nines: f64) -> Axis {
    let labels = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];
    let more = ["99.9999 %", "99.99999 %"];
    let labels = labels.iter().chain(&more).enumerate();
    let ticks = labels.map(|(at, label)| (at as f64, (*label).to_owned()));
    Axis {
        name: "percentile".to_owned(),
        from: 0.0,
        to: nines,
        logarithmic: false,
        ticks: ticks.filter(|(at, _)| *at <= nines).collect(),
    }
}

/// The time lines, one chart for each kind of number and size.
pub fn timelines(document: &Document) -> Vec<Chart> {
    let timeline = &document.timeline;
    let groups = groups(timeline);
    let charts = groups.iter().enumerate();
    charts
        .map(|(at, columns)| over_time(timeline, columns, at))
        .collect()
}

/// Columns that fit on one chart: of one unit, and of sizes that can be told apart on one axis.
fn groups(timeline: &Timeline) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (column, series) in timeline.series.iter().enumerate() {
        let size = largest(timeline, column);
        let near = |other: &usize| {
            let other = largest(timeline, *other);
            other == 0.0 || size == 0.0 || (size / other < WIDE && other / size < WIDE)
        };
        // Percentiles of a latency belong together however far they lie apart.
        let of = latency::stem(&series.key);
        let fits = |group: &&mut Vec<usize>| {
            let first = &timeline.series[group[0]];
            first.unit == series.unit
                && latency::stem(&first.key) == of
                && (of.is_some() || group.iter().all(near))
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(column),
            None => groups.push(vec![column]),
        }
    }
    groups
}

fn values(timeline: &Timeline, column: usize) -> impl Iterator<Item = f64> {
    let cell = move |row: &(f64, Vec<Option<f64>>)| row.1.get(column).copied().flatten();
    timeline.rows.iter().filter_map(cell)
}

fn largest(timeline: &Timeline, column: usize) -> f64 {
    values(timeline, column).fold(0.0, f64::max)
}

fn over_time(timeline: &Timeline, columns: &[usize], number: usize) -> Chart {
    let series: Vec<&Series> = columns.iter().map(|at| &timeline.series[*at]).collect();
    let unit = series[0].unit;
    let top = columns
        .iter()
        .map(|at| largest(timeline, *at))
        .fold(0.0, f64::max);
    let scale = Scale::of(unit, top);
    let positive = columns
        .iter()
        .flat_map(|at| values(timeline, *at))
        .filter(|v| *v > 0.0);
    let least = positive.fold(top, f64::min);
    let y = if unit == Unit::Microseconds && top > least * WIDE * 2.0 {
        let name = format!("{}, logarithmic", scale.name);
        Axis::powers(&name, least / scale.divide, top / scale.divide, exact)
    } else {
        Axis::linear(scale.name, 0.0, top / scale.divide, exact)
    };
    let end = timeline.rows.last().map_or(1.0, |(at, _)| *at);
    let begin = timeline.rows.first().map_or(0.0, |(at, _)| at.min(0.0));
    let lines = columns.iter().enumerate().map(|(at, column)| Line {
        name: timeline.series[*column].label.clone(),
        colour: at % COLOURS,
        old: false,
        points: time_points(timeline, *column, scale.divide),
    });
    let names: Vec<&str> = series.iter().map(|series| series.label.as_str()).collect();
    let told = columns.iter().zip(&names).map(|(column, name)| {
        let most = with_unit(values(timeline, *column).reduce(f64::max), unit);
        let least = with_unit(values(timeline, *column).reduce(f64::min), unit);
        format!("{name}: from {least} to {most}")
    });
    Chart {
        id: format!("time-{number}"),
        title: match (names.as_slice(), latency::stem(&series[0].key)) {
            (_, Some(latency)) => format!("Latency of {}", latency.replace('_', " ")),
            ([one], _) => (*one).to_owned(),
            _ => kind(unit).to_owned(),
        },
        description: format!("{}.", told.collect::<Vec<_>>().join("; ")),
        x: time_axis(begin, end),
        y,
        lines: lines.collect(),
    }
}

/// What a chart of several series of one unit is called.
fn kind(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "counts",
        Unit::PerSecond => "rates",
        Unit::Microseconds => "latencies",
        Unit::Seconds => "times",
        Unit::Bytes => "sizes",
        Unit::Share => "shares",
    }
}

fn time_axis(begin: f64, end: f64) -> Axis {
    let mut axis = Axis::linear("seconds", begin, end, exact);
    // A curve should use the width: the axis ends where the readings do.
    axis.to = end.max(begin + 1.0);
    axis.ticks.retain(|(at, _)| *at <= end.max(begin + 1.0));
    axis
}

fn time_points(timeline: &Timeline, column: usize, divide: f64) -> Vec<(f64, f64)> {
    let rows = timeline.rows.iter();
    rows.map(|(at, values)| {
        let value = values.get(column).copied().flatten();
        (*at, value.map_or(f64::NAN, |value| value / divide))
    })
    .collect()
}

/// The unit that an axis is written in.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    divide: f64,
    name: &'static str,
}

impl Scale {
    /// The one in which `largest` is a number of few digits.
    fn of(unit: Unit, largest: f64) -> Self {
        let sizes: &[(f64, &'static str)] = match unit {
            Unit::Count => &[(1.0, "count"), (1e3, "thousands"), (1e6, "millions")],
            Unit::PerSecond => &[
                (1.0, "per second"),
                (1e3, "thousands per second"),
                (1e6, "millions per second"),
            ],
            Unit::Microseconds => &[
                (1.0, "microseconds"),
                (1e3, "milliseconds"),
                (1e6, "seconds"),
            ],
            Unit::Seconds => &[(1.0, "seconds")],
            Unit::Bytes => &[
                (1.0, "bytes"),
                (1024.0, "KiB"),
                (1_048_576.0, "MiB"),
                (1_073_741_824.0, "GiB"),
            ],
            Unit::Share => &[(0.01, "percent")],
        };
        // A size is used from three of it on, or an axis would have only fractions.
        let fitting = sizes
            .iter()
            .rev()
            .find(|(divide, _)| largest >= divide * 3.0);
        let (divide, name) = *fitting.unwrap_or(&sizes[0]);
        Self { divide, name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn record(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        for value in values {
            histogram.record(value).unwrap();
        }
        histogram
    }

    fn view(new: Histogram<u64>, old: Option<Histogram<u64>>) -> LatencyView<'static> {
        LatencyView {
            key: "echo",
            label: "echo",
            new,
            old,
        }
    }

    #[test]
    fn the_percentile_axis_has_a_tick_for_each_nine_there_is_a_sample_for() {
        let chart = percentiles(&view(record((1..=1_000).map(|us| us * 1_000)), None));
        let labels: Vec<&str> = chart.x.ticks.iter().map(|(_, label)| &**label).collect();
        assert_eq!(labels, ["0 %", "90 %", "99 %", "99.9 %"]);
        assert_eq!(chart.y.name, "microseconds");
        let points = &chart.lines[0].points;
        let at = |nines: f64| points.iter().find(|(x, _)| *x >= nines).unwrap().1;
        assert_eq!(at(1.0).round(), 900.0);
        assert_eq!(at(2.0).round(), 990.0);
        assert_eq!(*points.last().unwrap(), (3.0, 1_000.447));
    }

    #[test]
    fn the_old_run_lies_below_the_new_one_and_both_fit() {
        let new = record([1_000_000; 10]);
        let old = record([9_000_000; 10_000]);
        let chart = percentiles(&view(new, Some(old)));
        let lines: Vec<_> = chart
            .lines
            .iter()
            .map(|line| (&*line.name, line.old))
            .collect();
        assert_eq!(lines, [("earlier run", true), ("this run", false)]);
        assert_eq!((chart.x.to, chart.y.to), (4.0, 10.0));
        assert_eq!(chart.y.name, "milliseconds");
    }

    #[test]
    fn a_long_tail_gets_a_logarithmic_axis() {
        let mut values = vec![100_000; 1_000];
        values.push(1_900_000);
        assert!(
            !percentiles(&view(record(values.clone()), None))
                .y
                .logarithmic
        );
        values.push(2_100_000);
        assert!(percentiles(&view(record(values), None)).y.logarithmic);
    }

    #[test]
    fn nothing_measured_is_an_empty_chart() {
        let chart = percentiles(&view(record([]), Some(record([]))));
        assert!(chart.lines.iter().all(|line| line.points.is_empty()));
        assert!(
            chart.description.contains("median -"),
            "{}",
            chart.description
        );
    }

    #[test]
    fn readings_of_one_kind_and_size_share_a_chart() {
        let mut document = sample::document();
        let charts = timelines(&document);
        let names = |charts: &[Chart]| -> Vec<usize> {
            charts.iter().map(|chart| chart.lines.len()).collect()
        };
        assert_eq!(names(&charts), [1, 2, 1]);
        document.timeline.series.push(Series {
            key: "publishes_per_s".to_owned(),
            label: "publishes".to_owned(),
            unit: Unit::PerSecond,
        });
        document.timeline.series.push(Series {
            key: "answer_p99_us".to_owned(),
            label: "answer, p99".to_owned(),
            unit: Unit::Microseconds,
        });
        for (_, values) in &mut document.timeline.rows {
            values.extend([Some(1_000.0), Some(991.0)]);
        }
        assert_eq!(
            names(&timelines(&document)),
            [1, 2, 1, 1, 1],
            "another size, another latency"
        );
    }

    #[test]
    fn readings_that_are_missing_are_gaps() {
        let charts = timelines(&sample::document());
        let points = &charts[0].lines[0].points;
        assert_eq!(points.len(), 5);
        assert!(points[2].1.is_nan() && points[3].1.is_finite());
        assert_eq!((charts[0].x.from, charts[0].x.to), (0.0, 4.0));
    }

    #[test]
    fn axes_are_written_in_a_unit_that_fits() {
        for (unit, largest, name) in [
            (Unit::Microseconds, 2_999.0, "microseconds"),
            (Unit::Microseconds, 3_000.0, "milliseconds"),
            (Unit::PerSecond, 50.0, "per second"),
            (Unit::PerSecond, 50_000.0, "thousands per second"),
            (Unit::Bytes, 5e8, "MiB"),
            (Unit::Share, 0.4, "percent"),
            (Unit::Share, 0.0, "percent"),
        ] {
            assert_eq!(Scale::of(unit, largest).name, name, "{largest}");
        }
    }
}
