//! A run whose every number is known, for the tests of the outputs.

use crate::outcome::{Figure, Latency, Outcome, Series, Timeline, Unit};
use crate::report::document::{Circumstances, Document};
use crate::report::machine::Machine;
use hdrhistogram::Histogram;

/// A fan-out of 1,000 deliveries that took 1 to 1,000 microseconds.
pub fn outcome() -> Outcome {
    let mut nanoseconds = Histogram::new(3).unwrap();
    for us in 1..=1_000_u64 {
        nanoseconds.record(us * 1_000).unwrap();
    }
    let nan = f64::NAN;
    let column = |key, label, unit| Series { key, label, unit };
    Outcome {
        scenario: "fan-out",
        settings: vec![
            ("subscribers", "1000".to_owned()),
            ("payload-bytes", "200".to_owned()),
        ],
        figures: vec![
            Figure::higher(
                "deliveries_per_s",
                "deliveries per second",
                Unit::PerSecond,
                1_234_567.0,
            ),
            Figure::lower("lost", "deliveries that never came", Unit::Count, 0.0),
            Figure::plain(
                "subscribed",
                "connections, all subscribed",
                Unit::Count,
                1e3,
            ),
            Figure::lower("server_cpu", "server, share of one core", Unit::Share, nan),
        ],
        latencies: vec![Latency {
            key: "delivery",
            label: "from when a publish was due until a subscriber had it",
            nanoseconds,
        }],
        timeline: Timeline {
            series: vec![
                column("deliveries_per_s", "deliveries", Unit::PerSecond),
                column("delivery_p50_us", "delivery, p50", Unit::Microseconds),
                column("delivery_p99_us", "delivery, p99", Unit::Microseconds),
                column("tester_cpu", "tester, share of one core", Unit::Share),
            ],
            rows: vec![
                (0.0, vec![1_200_000.0, 510.0, 990.0, 0.41]),
                (1.0, vec![1_269_134.0, 490.0, 985.0, 0.43]),
                (2.0, vec![nan; 4]),
                (3.0, vec![1_234_567.0, 500.0, 991.0, 0.42]),
                (4.0, vec![1_234_000.0, 501.0, 992.0, 0.44]),
            ],
        },
        notes: vec!["The server had 98 % of its core: it was the bottleneck.".to_owned()],
        failures: Vec::new(),
    }
}

/// The same as the outputs get it.
pub fn document() -> Document {
    Document::new(&outcome(), circumstances())
}

/// A machine and a time that every test shares.
pub fn circumstances() -> Circumstances {
    Circumstances {
        started_at: "2026-11-21T14:03:57Z".to_owned(),
        took_s: 5.25,
        machine: Machine {
            cpu: "Some CPU @ 3.0 GHz".to_owned(),
            cores: 2,
            kernel: "6.1.0-x".to_owned(),
        },
    }
}
