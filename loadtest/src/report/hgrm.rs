//! Latencies as the percentile text of HdrHistogram, which its plotter and many tools read.
//!
//! The values are milliseconds, which is what the plotter takes them for unless it is told.

use hdrhistogram::Histogram;
use std::fmt::Write;

/// Lines for each halving of what is left to 100 percent; the other implementations use as many.
const TICKS_PER_HALF: u32 = 5;
const NANOSECONDS_PER_MS: f64 = 1e6;

/// The text of one histogram of nanoseconds.
pub fn text(histogram: &Histogram<u64>) -> String {
    let mut out = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut count = 0;
    for value in histogram.iter_quantiles(TICKS_PER_HALF) {
        count += value.count_since_last_iteration();
        let ms = value.value_iterated_to().min(histogram.max()) as f64 / NANOSECONDS_PER_MS;
        let quantile = value.quantile_iterated_to();
        let _ = write!(out, "{ms:12.6} {quantile:14.12} {count:10}");
        if quantile < 1.0 {
            let _ = write!(out, " {:14.2}", 1.0 / (1.0 - quantile));
        }
        out.push('\n');
    }
    let (mean, deviation, most) = if histogram.is_empty() {
        (0.0, 0.0, 0.0)
    } else {
        (histogram.mean(), histogram.stdev(), histogram.max() as f64)
    };
    let ms = |nanoseconds: f64| nanoseconds / NANOSECONDS_PER_MS;
    let _ = write!(
        out,
        "#[Mean    = {:12.6}, StdDeviation   = {:12.6}]\n\
         #[Max     = {:12.6}, Total count    = {:12}]\n\
         #[Buckets = {:12}, SubBuckets     = {:12}]\n",
        ms(mean),
        ms(deviation),
        ms(most),
        histogram.len(),
        histogram.buckets(),
        sub_buckets(histogram.sigfig()),
    );
    out
}

/// So many values are told apart at the least for so many digits.
fn sub_buckets(digits: u8) -> u64 {
    (2 * 10_u64.pow(u32::from(digits))).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Value, percentile and count of each line, as the plotter reads them.
    fn parse(text: &str) -> Vec<(f64, f64, u64)> {
        let lines = text.lines().skip(2).filter(|line| !line.starts_with('#'));
        let parsed = lines.map(|line| {
            let mut words = line.split_whitespace();
            let mut next = || words.next().unwrap();
            let row: (f64, f64, u64) = (
                next().parse().unwrap(),
                next().parse().unwrap(),
                next().parse().unwrap(),
            );
            let factor: Option<f64> = words.next().map(|word| word.parse().unwrap());
            match factor {
                Some(factor) => assert!((factor - 1.0 / (1.0 - row.1)).abs() < 0.01, "{line}"),
                None => assert_eq!(row.1, 1.0, "only the last line has no factor: {line}"),
            }
            row
        });
        parsed.collect()
    }

    #[test]
    fn the_text_is_read_back_with_the_values_that_went_in() {
        let mut histogram = Histogram::new(3).unwrap();
        for ms in 1..=1_000_u64 {
            histogram.record(ms * 1_000_000).unwrap();
        }
        let text = text(&histogram);
        let rows = parse(&text);
        let at = |percentile: f64| {
            let row = rows.iter().find(|row| row.1 >= percentile).unwrap();
            (row.0, row.2)
        };
        for (percentile, value) in [(0.5, 500.0), (0.9, 900.0), (1.0, 1_000.0)] {
            let (ms, count) = at(percentile);
            assert!((ms - value).abs() <= value * 0.01, "{percentile}: {ms}");
            assert!(count as f64 >= percentile * 1_000.0);
        }
        assert_eq!(rows.last().unwrap().2, 1_000);
        assert!(
            rows.windows(2)
                .all(|two| two[0].0 <= two[1].0 && two[0].1 <= two[1].1)
        );
        let footer: Vec<&str> = text.lines().filter(|line| line.starts_with("#[")).collect();
        assert!(footer[0].starts_with("#[Mean    =   500."), "{}", footer[0]);
        assert!(
            footer[1].ends_with("Total count    =         1000]"),
            "{}",
            footer[1]
        );
        assert!(
            footer[2].ends_with("SubBuckets     =         2048]"),
            "{}",
            footer[2]
        );
        assert_eq!(footer.len(), 3);
    }

    #[test]
    fn one_value_is_written_as_other_implementations_do() {
        let mut histogram = Histogram::new(3).unwrap();
        histogram.record(1_500).unwrap();
        assert_eq!(
            text(&histogram),
            "       Value     Percentile TotalCount 1/(1-Percentile)\n\
             \n    0.001500 0.000000000000          1           1.00\n    \
                 0.001500 1.000000000000          1\n\
             #[Mean    =     0.001500, StdDeviation   =     0.000000]\n\
             #[Max     =     0.001500, Total count    =            1]\n\
             #[Buckets =            1, SubBuckets     =         2048]\n"
        );
    }

    #[test]
    fn nothing_is_a_header_and_a_footer() {
        let empty = text(&Histogram::new(3).unwrap());
        assert_eq!(parse(&empty), []);
        assert!(empty.contains("Total count    =            0]"));
        assert!(!empty.contains("NaN"), "{empty}");
    }
}
