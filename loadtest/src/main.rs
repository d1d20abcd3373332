//! The load tester as a program of its own.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    shardcast_loadtest::run(&shardcast_loadtest::cli::Arguments::parse())
}
