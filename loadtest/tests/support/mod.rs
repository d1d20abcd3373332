//! What the tests of the load tester share: a server that misbehaves as told, and short words.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(unreachable_pub, reason = "each test binary is a crate of its own")]

pub mod connection;
pub mod counting;

use clap::Parser;
use shardcast_loadtest::cli::{Arguments, Task};
use shardcast_loadtest::outcome::Outcome;
use shardcast_loadtest::progress::Progress;
use std::net::SocketAddr;

/// Runs a scenario of the library as the command line would.
pub fn run(address: SocketAddr, arguments: &str) -> Outcome {
    let url = format!("ws://{address}");
    let words = ["loadtest"].into_iter().chain(arguments.split_whitespace());
    let words = words.chain(["--url", &url]);
    let Task::Scenario(command) = Arguments::try_parse_from(words).unwrap().task else {
        panic!("{arguments} is no scenario");
    };
    command.run(&mut Progress::new(true)).unwrap()
}

/// A figure that counts something.
pub fn count(outcome: &Outcome, key: &str) -> u64 {
    let figure = outcome.figures.iter().find(|figure| figure.key == key);
    let value = figure.unwrap_or_else(|| panic!("no figure {key}")).value;
    assert!(value >= 0.0 && value.fract() == 0.0, "{key} is {value}");
    value as u64
}

/// How many latencies of a kind were at least so long.
pub fn at_least(outcome: &Outcome, key: &str, nanoseconds: u64) -> u64 {
    let latency = outcome.latencies.iter().find(|latency| latency.key == key);
    let histogram = &latency.unwrap().nanoseconds;
    histogram.count_between(nanoseconds, u64::MAX)
}
