//! Plays seeds on all cores, replays what fails, and says how it went.

use crate::fault::{self, Fault, Kind};
use crate::options::Options;
use crate::script::play;
use crate::tally::{Count, Tally};
use crate::trace::Trace;
use crate::verdict::{Oracle, Violation};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Seeds that each fault is tried with.
const FAULT_SEEDS: u64 = 60;
/// Seeds that are played twice, to see that they repeat.
const REPEATED: u64 = 10;
/// Failures that are shown in full.
const SHOWN: usize = 3;
/// A run of so many seeds must have seen everything happen.
const SEEDS_FOR_ALL: u64 = 200;

/// Runs what the options ask for.
pub fn run(options: &Options) -> ExitCode {
    if options.list {
        println!("simulation: test");
        return ExitCode::SUCCESS;
    }
    panic::set_hook(Box::new(|info| {
        // A violation says where it was found; of a panic in the hub only this hook knows where.
        let place = info.location().map(ToString::to_string);
        PLACE.set(place);
    }));
    match (options.seed, options.fault.as_deref().map(fault::named)) {
        (Some(seed), None) => replay(seed, Fault::none()),
        (Some(seed), Some(Some(kind))) => replay(seed, Fault::new(kind, seed)),
        (None, None) => run_seeds(options),
        _ => {
            eprintln!(
                "--fault goes with --seed and is one of {:?}",
                fault::ALL.map(|row| row.0)
            );
            ExitCode::from(2)
        }
    }
}

thread_local! {
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// One seed, with every step.
fn replay(seed: u64, fault: Fault) -> ExitCode {
    let started = Instant::now();
    println!("\nreplaying seed {seed}");
    let outcome = attempt(seed, fault, Trace::on(true));
    if let Err(violation) = &outcome {
        println!(
            "\nseed {seed} breaks {:?}: {}",
            violation.oracle, violation.text
        );
    }
    close(
        started,
        u64::from(outcome.is_ok()),
        u64::from(outcome.is_err()),
    )
}

fn run_seeds(options: &Options) -> ExitCode {
    let started = Instant::now();
    let seeds = options.seeds;
    println!("\nrunning {seeds} seeds from {}", options.from);
    let mut tally = Tally::default();
    let mut failed = Vec::new();
    for (seed, outcome) in on_all_cores(options.from, seeds, Kind::None) {
        match outcome {
            Ok((counts, _)) => tally += counts,
            Err(violation) => failed.push((seed, violation)),
        }
    }
    for (seed, violation) in failed.iter().take(SHOWN) {
        show(*seed, violation);
    }
    let counts = Count::ALL.map(|count| format!("{} {count:?}", tally.of(count)));
    println!("{}", counts.join(", "));
    println!("seeds took {:.2} s", started.elapsed().as_secs_f64());
    let mut failures = failed.len() as u64;
    if failed.is_empty() {
        failures += tame(&tally, seeds) + forgetful(options) + blind();
    }
    close(started, seeds - failed.len() as u64, failures)
}

/// How many things never happened in a run that is long enough for all.
fn tame(tally: &Tally, seeds: u64) -> u64 {
    let never = Count::ALL.into_iter().filter(|count| tally.of(*count) == 0);
    let never: Vec<_> = never.filter(|_| seeds >= SEEDS_FOR_ALL).collect();
    if !never.is_empty() {
        println!("THE SCRIPT HAS BECOME TOO TAME: never in {seeds} seeds: {never:?}");
    }
    never.len() as u64
}

/// How many seeds do something else the second time, and so could not be replayed.
fn forgetful(options: &Options) -> u64 {
    let seeds = options.seeds.min(REPEATED);
    let first = on_all_cores(options.from, seeds, Kind::None);
    let second = on_all_cores(options.from, seeds, Kind::None);
    let differ = first
        .iter()
        .zip(&second)
        .filter(|(first, second)| match (&first.1, &second.1) {
            (Ok((first, _)), Ok((second, _))) => first != second,
            _ => true,
        });
    let differ: Vec<u64> = differ.map(|(first, _)| first.0).collect();
    if !differ.is_empty() {
        println!("SEEDS DO NOT REPEAT: {differ:?}");
    }
    differ.len() as u64
}

type Outcome = Result<(Tally, bool), Violation>;

/// Plays seeds, as many at once as there are cores; the outcomes in the order of the seeds.
fn on_all_cores(from: u64, seeds: u64, fault: Kind) -> Vec<(u64, Outcome)> {
    let next = AtomicU64::new(from);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut outcomes = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from.saturating_add(seeds) {
                return outcomes;
            }
            outcomes.push((seed, attempt(seed, Fault::new(fault, seed), Trace::off())));
        }
    };
    let mut outcomes: Vec<(u64, Outcome)> = std::thread::scope(|scope| {
        let mut workers = Vec::new();
        workers.resize_with(threads, || scope.spawn(work));
        let mut outcomes = Vec::new();
        for worker in workers {
            outcomes.extend(worker.join().expect("whatever a seed does is caught"));
        }
        outcomes
    });
    outcomes.sort_unstable_by_key(|(seed, _)| *seed);
    outcomes
}

fn attempt(seed: u64, fault: Fault, trace: Trace) -> Outcome {
    let run = AssertUnwindSafe(|| play(seed, fault, trace));
    panic::catch_unwind(run).map_err(|payload| {
        let mut violation = Violation::caught(payload);
        if violation.oracle == Oracle::Panic {
            violation.text += &format!(" ({})", PLACE.take().unwrap_or_default());
        }
        violation
    })
}

/// A failure, with its last steps and the way to see all of them.
fn show(seed: u64, violation: &Violation) {
    println!(
        "\nseed {seed} breaks {:?}: {}",
        violation.oracle, violation.text
    );
    let trace = Trace::on(false);
    let again = attempt(seed, Fault::none(), trace.clone());
    if again.as_ref().err().map(|again| &again.text) != Some(&violation.text) {
        println!("and does something else the second time: {again:?}");
    }
    println!("its last steps:");
    for step in trace.last() {
        println!("  {step}");
    }
    println!("all of them: cargo test --test sim -- --seed {seed}\n");
}

/// Tries every fault; returns how many the oracles are blind for.
fn blind() -> u64 {
    let mut blind = 0;
    for (kind, watchers, share) in fault::ALL {
        let (mut struck, mut caught) = (0, 0);
        let mut seen = BTreeMap::new();
        for (seed, outcome) in on_all_cores(0, FAULT_SEEDS, kind) {
            match outcome {
                Ok((_, did)) => struck += usize::from(did),
                Err(violation) if watchers.contains(&violation.oracle) => {
                    (struck, caught) = (struck + 1, caught + 1);
                    *seen.entry(violation.oracle).or_insert(0) += 1;
                }
                Err(violation) => {
                    struck += 1;
                    println!(
                        "seed {seed} with {kind:?} is stopped for another reason: {violation:?}"
                    );
                }
            }
        }
        println!("fault {kind:?}: struck in {struck} seeds, caught in {caught}: {seen:?}");
        if struck == 0 || caught * 100 < struck * share {
            println!("FAULT {kind:?} IS NOT SEEN: in {share} of 100, by {watchers:?}");
            blind += 1;
        }
    }
    blind
}

/// The last line, in the words of the usual harness.
fn close(started: Instant, passed: u64, failed: u64) -> ExitCode {
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; \
         0 filtered out; finished in {:.2}s\n",
        started.elapsed().as_secs_f64()
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
