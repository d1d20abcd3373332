//! The server's program: the server's own commands, and the load tester as one more.

use shardcast::server::Program;
use std::process::ExitCode;

fn main() -> ExitCode {
    let program = Program::new().with_demo_app();
    #[cfg(feature = "loadtest")]
    let program = program.command(
        "loadtest",
        "Put a load on a server and see what it costs; has a --help of its own",
        |arguments| shardcast_loadtest::run_as("shardcast loadtest", arguments.into_iter()),
    );
    program.run()
}
