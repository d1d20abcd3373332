//! A whole program around the server: arguments, file and environment in, an exit code out.
//!
//! The server's own program is one of these, and so can be yours: with all of its settings, and
//! your handlers beside or without the Pusher server.

use super::banner::{Banner, wants_colour};
use super::builder::{Read, Reread, Server};
use super::config::{self, Asked, Config, Halt, Invocation, Unconfigured};
use super::doors;
use super::placement;
use super::preflight::{self, Refusal};
use crate::control::Certificates;
use crate::handler::{Router, ServerHandle};
use crate::shard::Routes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use tracing_subscriber::EnvFilter;

/// A server with a command line.
///
/// ```no_run
/// use shardcast::server::Program;
/// # use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result};
/// # struct Echo;
/// # impl Handler for Echo {
/// #     type Session = ();
/// #     async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
/// #         Ok(Handshake::accept(()))
/// #     }
/// #     async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result { Ok(()) }
/// # }
/// fn main() -> std::process::ExitCode {
///     Program::new().routes(|router| router.mount("/echo", |_| Echo)).run()
/// }
/// ```
pub struct Program {
    routes: Routes,
    unconfigured: Unconfigured,
}

impl Default for Program {
    fn default() -> Self {
        Self::new()
    }
}

impl Program {
    /// Serves the apps that arguments, file and environment tell, if any.
    #[must_use]
    pub fn new() -> Self {
        Self {
            routes: Arc::new(|_: &mut Router| {}),
            unconfigured: Unconfigured::NoApp,
        }
    }

    /// Serves the demo app, on loopback only, when no app is given.
    #[must_use]
    pub fn with_demo_app(mut self) -> Self {
        self.unconfigured = Unconfigured::DemoApp;
        self
    }

    /// Mounts custom handlers, as [`Builder::routes`](super::Builder::routes) does.
    #[must_use]
    pub fn routes<R>(mut self, mount: impl Fn(&mut Router) -> R + Send + Sync + 'static) -> Self {
        self.routes = Arc::new(move |router| {
            mount(router);
        });
        self
    }

    /// Does what this process's arguments ask for: as a rule it serves until SIGINT or SIGTERM.
    /// Says where it listens on the standard output, and logs to the standard error.
    ///
    /// # Panics
    /// When the process has a logger for `tracing` already.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let arguments: Vec<_> = std::env::args_os().collect();
        let name = arguments
            .first()
            .and_then(|path| Path::new(path).file_name());
        let name = name.map_or("shardcast".into(), |name| {
            name.to_string_lossy().into_owned()
        });
        let cores = placement::usable_cores();
        let variables: Vec<_> = config::process_environment().collect();
        let sources = Sources {
            arguments,
            variables,
            cores: cores.usable.clone(),
            unconfigured: self.unconfigured,
        };
        match sources.load() {
            Err(halt) => halted(&halt),
            Ok(asked) => match asked.asked {
                Asked::PrintConfig => {
                    say(&asked.print_config());
                    ExitCode::SUCCESS
                }
                Asked::Check => check(&asked, &cores),
                Asked::Start => self.start(asked, sources, &name),
            },
        }
    }

    fn start(self, asked: Invocation, sources: Sources, name: &str) -> ExitCode {
        let set_debug = log(asked.config.debug);
        keep_memory();
        let (config, warnings) = (asked.config.clone(), asked.warnings.clone());
        let routes = self.routes;
        let server = Server::builder()
            .config(config.clone())
            .routes(move |router| routes(router))
            .handle_signals(true)
            .notify_supervisor(true)
            .reread(sources.reread(asked, set_debug))
            .start();
        let ended = server.and_then(|handle| {
            greet(name, &config, warnings, &handle);
            handle.wait()
        });
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&format!("{name}: {error}\n"));
                ExitCode::from(error.exit_code())
            }
        }
    }
}

/// Where a configuration comes from, at the start and whenever it is read again.
struct Sources {
    arguments: Vec<OsString>,
    variables: Vec<(String, String)>,
    cores: Vec<usize>,
    unconfigured: Unconfigured,
}

/// Lines about changes that one reload logs; a long list of apps would flood the log.
const CHANGES_LOGGED: usize = 100;

impl Sources {
    fn load(&self) -> Result<Invocation, Halt> {
        let (arguments, variables) = (self.arguments.clone(), self.variables.clone());
        config::load(arguments, variables, &self.cores, self.unconfigured)
    }

    /// Reads them again for a server that runs.
    fn reread(self, mut running: Invocation, set_debug: Arc<dyn Fn(bool) + Send + Sync>) -> Reread {
        // Filled when what was read last is in force.
        let mut last: Arc<OnceLock<Invocation>> = Arc::default();
        Box::new(move || {
            let taken_over = Arc::into_inner(std::mem::take(&mut last));
            if let Some(next) = taken_over.and_then(OnceLock::into_inner) {
                running = next;
            }
            let (arguments, variables) = (self.arguments.clone(), self.variables.clone());
            let (cores, unconfigured) = (&self.cores, self.unconfigured);
            let read = config::reload(arguments, variables, cores, unconfigured, &running);
            let read = read.map_err(|halt| halt.to_string().trim_end().to_owned())?;
            let config = read.next.config.clone();
            let (in_force, set_debug) = (Arc::clone(&last), Arc::clone(&set_debug));
            let done = move || {
                set_debug(read.next.config.debug);
                tell(&read);
                let _ = in_force.set(read.next); // it is called once
            };
            Ok(Read {
                config,
                done: Box::new(done),
            })
        })
    }
}

/// A dump of the memory would hold every secret: none is written, unless somebody asks for it by
/// `prlimit --core`.
fn keep_memory() {
    let limit = getrlimit(Resource::Core);
    let none = Rlimit {
        current: Some(0),
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "a crash may write the memory to a file");
    }
}

/// Logs what a reload has changed, and what it has not.
fn tell(read: &config::Reloaded) {
    for change in read.changed.iter().take(CHANGES_LOGGED) {
        tracing::info!(change, "changed");
    }
    for change in &read.kept {
        tracing::warn!(change, "not changed: this needs a restart");
    }
    for warning in &read.next.warnings {
        tracing::warn!(warning, "the configuration");
    }
    let (changes, apps) = (read.changed.len(), read.next.config.apps.len());
    tracing::info!(changes, apps, "reloaded the configuration");
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("unconfigured", &self.unconfigured)
            .finish_non_exhaustive()
    }
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
    let certificates = match doors::certificates(&asked.config) {
        Ok(certificates) => certificates,
        Err(error) => {
            complain(&format!("shardcast: {error}\n"));
            return ExitCode::from(error.exit_code());
        }
    };
    match preflight::run(placement.shards.len(), asked.config.ring_depth) {
        Err(refusal) => {
            complain(&format!("shardcast: {refusal}\n"));
            ExitCode::from(Refusal::EXIT_CODE)
        }
        Ok(found) => {
            let own = asked.warnings.iter().cloned().chain(placement.warning);
            let found = found.warnings.iter().map(ToString::to_string);
            let shown = certificates.iter().flat_map(Certificates::warnings);
            for warning in own.chain(found).chain(shown) {
                say(&format!("warning: {warning}\n"));
            }
            say("The configuration is good, and this machine can run it.\n");
            ExitCode::SUCCESS
        }
    }
}

fn greet(program: &str, config: &Config, mut warnings: Vec<String>, handle: &ServerHandle) {
    warnings.extend(handle.placement().warning.clone());
    warnings.extend(handle.warnings().iter().map(ToString::to_string));
    warnings.extend(
        handle
            .certificates()
            .into_iter()
            .flat_map(|it| it.warnings()),
    );
    let (address, placement) = (handle.local_addr(), handle.placement());
    let no_color = std::env::var("NO_COLOR").ok();
    let colour = wants_colour(std::io::stdout().is_terminal(), no_color.as_deref());
    let banner = Banner {
        address,
        tls_address: handle.tls_addr(),
        config,
        admin: handle.admin_addr(),
        placement,
        warnings: &warnings,
        program,
    };
    say(&banner.render(colour));
}

/// Logs go to the standard error, so that the standard output stays data. Gives what says later
/// whether every connection and message is logged.
fn log(debug: bool) -> Arc<dyn Fn(bool) + Send + Sync> {
    let filter = |debug: bool| {
        EnvFilter::new(match debug {
            true => "info,shardcast=debug",
            false => "info",
        })
    };
    let colour = wants_colour(
        std::io::stderr().is_terminal(),
        std::env::var("NO_COLOR").ok().as_deref(),
    );
    let logger = tracing_subscriber::fmt()
        .with_ansi(colour)
        .with_writer(std::io::stderr)
        // It would complain of a log that cannot be written where that was, and panic.
        .log_internal_errors(false)
        .with_env_filter(filter(debug))
        .with_filter_reloading();
    let handle = logger.reload_handle();
    logger.init();
    Arc::new(move |debug| {
        if let Err(error) = handle.reload(filter(debug)) {
            tracing::error!(%error, "the level of the log stays");
        }
    })
}

/// A reader that went away, as `head` does, is no reason to panic.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
