//! How long the steps of a message's walk take, by the clock.
//!
//! `cargo bench --bench timing [-- NAME]`. No sockets and no executor: what the kernel adds is the
//! load tester's to measure. For a comparison name one subject, whose heap is then not what others
//! left behind, and raise `--measurement-time`: runs are short. Instruction counts guard against
//! what becomes dearer unnoticed: see docs/benchmarks.md.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

use criterion::{Criterion, Throughput};
use std::time::Duration;
use subjects::{Amount, Subject};

mod subjects;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for subject in subjects::all() {
        measure(&mut criterion, subject);
    }
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion, subject: Subject) {
    let (group, what) = subject.name.split_once('/').expect("names are GROUP/WHAT");
    let (group, what) = (group.to_owned(), what.to_owned());
    let mut group = criterion.benchmark_group(group);
    match subject.amount {
        Amount::One => {}
        Amount::Bytes(count) => drop(group.throughput(Throughput::Bytes(count as u64))),
        Amount::Elements(count) => drop(group.throughput(Throughput::Elements(count as u64))),
    }
    let mut subject = Some(subject);
    let mut step = None;
    group.bench_function(what, |bencher| {
        // Only made ready when it is not filtered out; asked for again for the next sample.
        let step = step.get_or_insert_with(|| subject.take().expect("made ready once").ready());
        bencher.iter(step);
    });
    group.finish();
}
