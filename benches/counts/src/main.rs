//! Counts the instructions that each subject of `benches/subjects` takes for a step, and compares
//! them with what is on record: what became dearer fails. See docs/benchmarks.md.
//!
//! Counts come from valgrind's callgrind, which runs this program once for each subject. They do
//! not depend on what else the machine does, so a few percent are a finding and not noise.

#[path = "../../subjects/mod.rs"]
#[allow(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]
mod subjects;

mod baseline;
mod callgrind;
mod ground;
mod verdict;

use baseline::{Baseline, Counts};
use ground::Ground;
use std::path::Path;
use std::process::ExitCode;
use subjects::{Amount, Step, Subject};

const USAGE: &str = "usage: shardcast-counts COMMAND
  check FILE      count everything and compare with the baseline in FILE
  store FILE      count everything and write the baseline to FILE
  count [PREFIX]  count what begins with PREFIX, and leave callgrind's profiles for a look
  step NAME       take the steps that are counted (callgrind runs this)
  features        tell what the processor can do (valgrind runs this)";

/// Steps that are counted; the result is their mean. Before them as many that are not, in which
/// buffers grow to their size.
const STEPS: u64 = 10;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["check", file] => check(Path::new(file)),
        ["store", file] => store(Path::new(file)),
        ["count"] => count(""),
        ["count", prefix] => count(prefix),
        ["step", name] => step(name),
        ["features"] => {
            println!("{}", ground::features());
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn check(file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file:?}: {error}"))?;
    let stored: Baseline = text.parse().map_err(|error| format!("{file:?}: {error}"))?;
    let here = Ground::here()?;
    let report = verdict::compare(&stored, &here, &count_all("")?);
    print!("{report}");
    match report.passes() {
        true => Ok(()),
        false => Err(format!(
            "\nIf this is meant, `make bench-baseline` rewrites {}; commit it together\n\
             with the change that it comes from, and give the reason in the message.",
            file.display()
        )),
    }
}

fn store(file: &Path) -> Result<(), String> {
    let baseline = Baseline {
        ground: Ground::here()?,
        counts: count_all("")?,
    };
    std::fs::write(file, baseline.to_string()).map_err(|error| format!("{file:?}: {error}"))?;
    println!("{} subjects stored", baseline.counts.len());
    Ok(())
}

fn count(prefix: &str) -> Result<(), String> {
    let counts = count_all(prefix)?;
    for subject in chosen(prefix) {
        let count = counts[&subject.name];
        let rate = |of: usize, what| format!("{:10.1} a {what}", count as f64 / of as f64);
        let rate = match subject.amount {
            Amount::One => String::new(),
            Amount::Bytes(bytes) => rate(bytes, "byte"),
            Amount::Elements(elements) => rate(elements, "piece"),
        };
        println!("{:36}{count:10}{rate}", subject.name);
    }
    println!(
        "\ncallgrind_annotate shows where: {}",
        callgrind::folder()?.display()
    );
    Ok(())
}

fn chosen(prefix: &str) -> impl Iterator<Item = Subject> {
    let all = subjects::all().into_iter();
    all.filter(move |subject| subject.name.starts_with(prefix))
}

/// Instructions for one step of each subject.
fn count_all(prefix: &str) -> Result<Counts, String> {
    let names: Vec<String> = chosen(prefix).map(|subject| subject.name).collect();
    if names.is_empty() {
        return Err(format!("no subject begins with {prefix:?}"));
    }
    let counts = callgrind::count(&names)?;
    Ok(counts
        .into_iter()
        .map(|(name, count)| (name, count / STEPS))
        .collect())
}

fn step(name: &str) -> Result<(), String> {
    let subject = chosen(name).find(|subject| subject.name == name);
    let mut step = subject.ok_or("no such subject")?.ready();
    take(&mut step);
    counted_steps(&mut step);
    Ok(())
}

/// What callgrind looks for by name: it counts from the entry of this function to its end.
#[inline(never)]
fn counted_steps(step: &mut Step) {
    take(step);
}

fn take(step: &mut Step) {
    for _ in 0..STEPS {
        step();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Nobody waits for a benchmark run to learn that a subject no longer does what it says.
    #[test]
    fn every_subject_can_take_its_steps() {
        for subject in subjects::all() {
            let mut step = subject.ready();
            take(&mut step);
        }
    }

    #[test]
    fn every_subject_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for Subject { name, .. } in subjects::all() {
            assert!(name.contains('/'), "{name}: GROUP/WHAT");
            assert!(!name.contains(char::is_whitespace), "{name:?}");
            assert!(names.insert(name.clone()), "{name} is there twice");
        }
    }
}
