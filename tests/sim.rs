//! The simulation: some shards' hubs in one thread, wires with delays between them, a crowd of
//! clients, and oracles that watch every frame. Everything follows from a seed.
//!
//! `cargo test --test sim` plays 1,000 seeds; `cargo test --test sim -- --seed 42` replays one and
//! prints its steps. `--seeds N` or `SHARDCAST_SIM_SEEDS=N` plays more or fewer, `--from N` others;
//! `SHARDCAST_SIM_SEED=N` is the same as `--seed N`; `--seed N --fault DropDeliver` shows a run
//! with a fault in it. Flags of the usual test harness do no harm.
//!
//! What it is not: a test of sockets, rings or threads. The wires here have little room (often for
//! a single note), but are perfect unless a fault is put into them, and after the seeds each fault
//! is, to show that the oracles see it.

#[path = "sim/client.rs"]
mod client;
#[path = "sim/fault.rs"]
mod fault;
#[path = "sim/hearing.rs"]
mod hearing;
#[path = "sim/mesh.rs"]
mod mesh;
#[path = "sim/model.rs"]
mod model;
#[path = "sim/options.rs"]
mod options;
#[path = "sim/rest.rs"]
mod rest;
#[path = "sim/rng.rs"]
mod rng;
#[path = "sim/runner.rs"]
mod runner;
#[path = "sim/said.rs"]
mod said;
#[path = "sim/script.rs"]
mod script;
#[path = "sim/setup.rs"]
mod setup;
#[path = "sim/speech.rs"]
mod speech;
#[path = "sim/storm.rs"]
mod storm;
#[path = "sim/table.rs"]
mod table;
#[path = "sim/tally.rs"]
mod tally;
#[path = "sim/told.rs"]
mod told;
#[path = "sim/trace.rs"]
mod trace;
#[path = "sim/user.rs"]
mod user;
#[path = "sim/verdict.rs"]
mod verdict;
#[path = "sim/world.rs"]
mod world;

use options::Options;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Options::read(std::env::args().skip(1), |name| std::env::var(name).ok()) {
        Ok(options) => runner::run(&options),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}
