//! Arguments to configuration to a running server to an exit code.

use shardcast::server::banner::{Banner, wants_colour};
use shardcast::server::config::{self, Asked, Config, Halt, Invocation};
use shardcast::server::preflight::{self, Refusal};
use shardcast::server::{Server, placement};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    #[cfg(feature = "loadtest")]
    if let Some(ended) = load_test(std::env::args_os()) {
        return ended;
    }
    let cores = placement::usable_cores();
    let variables = config::process_environment();
    match config::load(std::env::args_os(), variables, &cores.usable) {
        Err(halt) => halted(&halt),
        Ok(asked) => match asked.asked {
            Asked::PrintConfig => {
                say(&asked.print_config());
                ExitCode::SUCCESS
            }
            Asked::Check => check(&asked, &cores),
            Asked::Start => start(asked),
        },
    }
}

/// The load tester reads its own arguments; nothing of the server is looked at before.
#[cfg(feature = "loadtest")]
fn load_test(mut arguments: std::env::ArgsOs) -> Option<ExitCode> {
    let asked = arguments.nth(1)? == config::LOADTEST;
    asked.then(|| shardcast_loadtest::run_as("shardcast loadtest", arguments))
}

fn halted(halt: &Halt) -> ExitCode {
    if halt.is_answer() {
        say(&halt.to_string());
    } else {
        complain(&halt.to_string());
    }
    ExitCode::from(halt.exit_code())
}

fn check(asked: &Invocation, cores: &placement::Cores) -> ExitCode {
    let placement = placement::place(cores, &asked.config.cores, asked.config.shards);
    match preflight::run(placement.shards.len(), asked.config.ring_depth) {
        Err(refusal) => {
            complain(&format!("shardcast: {refusal}\n"));
            ExitCode::from(Refusal::EXIT_CODE)
        }
        Ok(found) => {
            let found = found.warnings.iter().map(ToString::to_string);
            for warning in asked
                .warnings
                .iter()
                .cloned()
                .chain(placement.warning)
                .chain(found)
            {
                say(&format!("warning: {warning}\n"));
            }
            say("The configuration is good, and this machine can run it.\n");
            ExitCode::SUCCESS
        }
    }
}

fn start(asked: Invocation) -> ExitCode {
    log(asked.config.debug);
    let Invocation {
        config, warnings, ..
    } = asked;
    let server = Server::builder()
        .config(config.clone())
        .handle_signals(true)
        .start();
    let ended = server.and_then(|handle| {
        greet(&config, warnings, &handle);
        handle.wait()
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("shardcast: {error}\n"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn greet(config: &Config, mut warnings: Vec<String>, handle: &shardcast::server::ServerHandle) {
    warnings.extend(handle.placement().warning.clone());
    warnings.extend(handle.warnings().iter().map(ToString::to_string));
    let (address, placement) = (handle.local_addr(), handle.placement());
    let no_color = std::env::var("NO_COLOR").ok();
    let colour = wants_colour(std::io::stdout().is_terminal(), no_color.as_deref());
    let banner = Banner {
        address,
        config,
        placement,
        warnings: &warnings,
    };
    say(&banner.render(colour));
}

/// Logs go to the standard error, so that the standard output stays data.
fn log(debug: bool) {
    let filter = EnvFilter::new(if debug {
        "info,shardcast=debug"
    } else {
        "info"
    });
    let colour = wants_colour(
        std::io::stderr().is_terminal(),
        std::env::var("NO_COLOR").ok().as_deref(),
    );
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour)
        .with_writer(std::io::stderr)
        .init();
}

/// A reader that went away, as `head` does, is no reason to panic.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
