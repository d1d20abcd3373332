//! Autobahn|Testsuite, the fuzzing client, against `examples/echo.rs`: all of its cases, those of
//! compression among them, give what `tests/autobahn/expected.txt` says. It takes minutes, so
//! that `cargo test` leaves it out; `make test-autobahn` runs it, as `make test` does.

mod scripts;

use scripts::{example, run_to_end, target_folder, with_program_set};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// What each of the suite's clients has to do: each takes about as long as the others, and there
/// is a core for each.
const PARTS: [&[&str]; 2] = [
    &[
        "1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.*",
    ],
    &["13.*"],
];
/// Ends a client that hangs. They are busy nearly all of the time, whatever the server does.
const DEADLINE: Duration = Duration::from_secs(20 * 60);
/// Room for the largest messages (16 MiB, case 9.1.6) on their way back.
const SETTINGS: [&str; 2] = ["--outbox-bytes", "67108864"];
/// Messages that each case of compression sends, so that 216 cases take one minute and not five.
/// The environment's `AUTOBAHN_MESSAGES` has precedence; the suite's own number is 1,000.
const MESSAGES: &str = "200";
/// What may stand in the expectation: that the server did as it must or may, or that nothing is
/// asked of it. What is not strict needs a reason beside it.
const ALLOWED: [&str; 3] = ["OK", "NON-STRICT", "INFORMATIONAL"];

/// The numbers of a case, such as 12.1.3.
type Case = Vec<u32>;

#[test]
#[ignore = "takes minutes, and needs scripts/setup-autobahn.sh: make test-autobahn"]
fn autobahn() {
    let started = Instant::now();
    let mut seen = BTreeMap::new();
    let mut command = Command::new(example("echo"));
    command.env("RUST_LOG", "warn");
    let output = with_program_set(command, &SETTINGS, |port| {
        let clients: Vec<_> = (0..PARTS.len())
            .map(|part| thread::spawn(move || run(part, port)))
            .collect();
        for client in clients {
            seen.extend(client.join().expect("each part runs to its end"));
        }
    });
    println!("{} cases in {:?}", seen.len(), started.elapsed());
    assert!(!output.contains("ERROR"), "{output}");
    let expected = expected();
    let written = written(&seen);
    let missing: Vec<_> = expected.iter().filter(|it| !written.contains(it)).collect();
    let new: Vec<_> = written.iter().filter(|it| !expected.contains(it)).collect();
    assert!(
        missing.is_empty() && new.is_empty(),
        "expected {missing:#?}, and got {new:#?}; the reports lie in {}",
        folder().display()
    );
}

/// What is expected, line by line, without the reasons.
fn expected() -> Vec<String> {
    let lines = include_str!("autobahn/expected.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (line, reason) = line.split_once(" # ").unwrap_or((line, ""));
            let behaviour = line
                .trim_end()
                .split_once(' ')
                .map(|(_, behaviour)| behaviour);
            let behaviour = behaviour.expect("a behaviour behind the cases");
            let parts: Vec<_> = behaviour.split(" / ").collect();
            assert!(parts.iter().all(|it| ALLOWED.contains(it)), "{line}");
            assert!(
                !parts.contains(&"NON-STRICT") || !reason.is_empty(),
                "why {line}?"
            );
            line.trim_end().to_owned()
        })
        .collect()
}

fn folder() -> PathBuf {
    target_folder().join("autobahn")
}

/// Runs one part; says how each case behaved, and how its close did.
fn run(part: usize, port: u16) -> BTreeMap<Case, String> {
    let reports = folder().join(format!("report-{part}"));
    // Of an earlier run; there may be none.
    let _ = std::fs::remove_dir_all(&reports);
    let spec = json!({
        "outdir": reports,
        "servers": [{"agent": "echo", "url": format!("ws://127.0.0.1:{port}/echo")}],
        "cases": PARTS[part],
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    let path = folder().join(format!("spec-{part}.json"));
    let program = folder().join("wstest");
    assert!(
        program.exists(),
        "{} is missing: run `make setup`",
        program.display()
    );
    std::fs::write(&path, spec.to_string()).expect("the target folder can be written");
    let mut command = Command::new(program);
    command.args(["-m", "fuzzingclient", "-s"]).arg(path);
    command.current_dir(folder());
    if std::env::var_os("AUTOBAHN_MESSAGES").is_none() {
        command.env("AUTOBAHN_MESSAGES", MESSAGES);
    }
    let output = run_to_end(&mut command, DEADLINE);
    let index = std::fs::read(reports.join("index.json"))
        .unwrap_or_else(|error| panic!("no report ({error}):\n{output}"));
    let index: Value = serde_json::from_slice(&index).expect("the report is JSON");
    let cases = index["echo"].as_object().expect("the server is in it");
    cases
        .iter()
        .map(|(case, told)| {
            let word = |key: &str| told[key].as_str().expect("a word").to_owned();
            let (behaviour, close) = (word("behavior"), word("behaviorClose"));
            let numbers = case
                .split('.')
                .map(|number| number.parse().expect("a number"));
            let both = match behaviour == close {
                true => behaviour,
                false => format!("{behaviour} / {close}"),
            };
            (numbers.collect(), both)
        })
        .collect()
}

/// Neighbouring cases that behave alike are one line: `12.1.1-18 OK`.
fn written(seen: &BTreeMap<Case, String>) -> Vec<String> {
    let mut runs: Vec<(Case, u32, &str)> = Vec::new();
    for (case, behaviour) in seen {
        let (last, group) = case.split_last().expect("a case has numbers");
        match runs.last_mut() {
            Some((first, to, so))
                if so == behaviour && first[..first.len() - 1] == *group && *to + 1 == *last =>
            {
                *to = *last;
            }
            _ => runs.push((case.clone(), *last, behaviour)),
        }
    }
    let line = |(first, to, behaviour): (Case, u32, &str)| {
        let mut line = String::new();
        for (at, number) in first.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            write!(line, "{dot}{number}").expect("a string takes all");
        }
        if first.last() != Some(&to) {
            write!(line, "-{to}").expect("a string takes all");
        }
        format!("{line} {behaviour}")
    };
    runs.into_iter().map(line).collect()
}
