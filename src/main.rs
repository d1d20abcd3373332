//! The server's program: the load tester as a command of it, else the server.

use shardcast::server::Program;
use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "loadtest")]
    if let Some(ended) = load_test(std::env::args_os()) {
        return ended;
    }
    Program::new().with_demo_app().run()
}

/// The load tester reads its own arguments; nothing of the server is looked at before.
#[cfg(feature = "loadtest")]
fn load_test(mut arguments: std::env::ArgsOs) -> Option<ExitCode> {
    let asked = arguments.nth(1)? == shardcast::server::config::LOADTEST;
    asked.then(|| shardcast_loadtest::run_as("shardcast loadtest", arguments))
}
