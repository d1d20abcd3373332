//! A whole program around the server: arguments, file and environment in, an exit code out.
//!
//! The server's own program is one of these, and so can be yours: with all of its settings, and
//! your handlers beside or without the Pusher server.

use super::banner::Banner;
use super::builder::{Read, Reread, Server};
use super::commands::{self, Asked, Context, Failure, Own, Refused, complain, say};
use super::config::{self, Config, Flags, Invocation, Unconfigured};
use super::handle::ServerError;
use super::log::{self, Log, SetLevel};
use super::placement;
use crate::handler::{Router, ServerHandle};
use crate::shard::Routes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

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
///
/// It has the commands of the server's own program under its own name: `start`, `check`, `listen`,
/// `trigger` and the rest of `--help`.
pub struct Program {
    routes: Routes,
    unconfigured: Unconfigured,
    own: Vec<Own>,
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
            own: Vec::new(),
        }
    }

    /// Adds a command of the program's own: `run` gets the arguments behind its name, help among
    /// them, and says what the process exits with. Nothing of the server is looked at before.
    ///
    /// # Panics
    /// At [`Program::run`], in debug builds, when a command has that name already.
    #[must_use]
    pub fn command(
        mut self,
        name: &'static str,
        about: &'static str,
        run: impl FnOnce(Vec<OsString>) -> ExitCode + 'static,
    ) -> Self {
        self.own.push(Own {
            name,
            about,
            run: Box::new(run),
        });
        self
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
    pub fn run(mut self) -> ExitCode {
        let arguments: Vec<_> = std::env::args_os().collect();
        let name = arguments
            .first()
            .and_then(|path| Path::new(path).file_name());
        let name = name.map_or("shardcast".into(), |name| {
            name.to_string_lossy().into_owned()
        });
        let asked = match commands::parse(&name, &self.own, arguments) {
            Ok(Asked::Own(place, rest)) => return (self.own.swap_remove(place).run)(rest),
            Ok(asked) => asked,
            Err(Refused::Usage(end)) => {
                return match commands::written(end.print()) {
                    Ok(()) => ExitCode::from(end.exit_code()),
                    Err(failure) => failed(&name, &failure),
                };
            }
            Err(Refused::Config(error)) => return failed(&name, &error.into()),
        };
        let context = Context {
            name,
            variables: config::process_environment().collect(),
            unconfigured: self.unconfigured,
        };
        match self.answer(asked, &context) {
            Ok(code) => code,
            Err(failure) => failed(&context.name, &failure),
        }
    }

    fn answer(self, asked: Asked, context: &Context) -> Result<ExitCode, Failure> {
        let flags = match asked {
            Asked::Command(command) => return command(context).map(|()| ExitCode::SUCCESS),
            Asked::Check { flags, json } => {
                commands::check(context, flags, &placement::usable_cores(), json)?;
                return Ok(ExitCode::SUCCESS);
            }
            Asked::Start(flags) => flags,
            Asked::PrintConfig(flags) => {
                let read = Sources::new(context, flags).load()?;
                say(&read.print_config())?;
                return Ok(ExitCode::SUCCESS);
            }
            Asked::Own(..) => unreachable!("it was called before there was a configuration"),
        };
        let sources = Sources::new(context, flags);
        self.start(sources.load()?, sources, context)
    }

    /// From here on everything that is said of the server goes the way of the log.
    fn start(
        self,
        asked: Invocation,
        sources: Sources,
        context: &Context,
    ) -> Result<ExitCode, Failure> {
        let started = log::start(&asked.config, context);
        let log = started.map_err(|error| {
            let error = ServerError::Thread(error);
            Failure::with(error.exit_code(), error.to_string())
        })?;
        keep_memory();
        Ok(match self.serve(asked, sources, context, log.log.clone()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                log.complain(&sentence(&context.name, &failure));
                failure.exit_code()
            }
        })
    }

    fn serve(
        self,
        asked: Invocation,
        sources: Sources,
        context: &Context,
        log: Log,
    ) -> Result<(), Failure> {
        let (config, warnings) = (asked.config.clone(), asked.warnings.clone());
        for note in &asked.notes {
            tracing::info!(note, "the configuration");
        }
        let blame = asked.blame();
        let routes = self.routes;
        let handle = Server::builder()
            .config(config.clone())
            .routes(move |router| routes(router))
            .handle_signals(true)
            .notify_supervisor(true)
            .reread(sources.reread(asked, Arc::clone(&log.set_level)))
            .log(log)
            .start();
        let ended = handle.and_then(|handle| {
            greet(context, &config, warnings, &handle);
            handle.wait()
        });
        ended.map_err(|error| Failure::of_start(&error, &blame))
    }
}

/// Where a configuration comes from, at the start and whenever it is read again.
struct Sources {
    flags: Flags,
    variables: Vec<(String, String)>,
    cores: Vec<usize>,
    unconfigured: Unconfigured,
}

/// Lines about changes that one reload logs; a long list of apps would flood the log.
const CHANGES_LOGGED: usize = 100;

impl Sources {
    /// Asks the machine for its cores: before any thread is pinned.
    fn new(context: &Context, flags: Flags) -> Self {
        Self {
            flags,
            variables: context.variables.clone(),
            cores: placement::usable_cores().usable,
            unconfigured: context.unconfigured,
        }
    }

    fn load(&self) -> Result<Invocation, Failure> {
        let (flags, variables) = (self.flags.clone(), self.variables.clone());
        Ok(config::load_flags(
            flags,
            variables,
            &self.cores,
            self.unconfigured,
        )?)
    }

    /// Reads them again for a server that runs.
    fn reread(self, mut running: Invocation, set_level: SetLevel) -> Reread {
        // Filled when what was read last is in force.
        let mut last: Arc<OnceLock<Invocation>> = Arc::default();
        Box::new(move || {
            let taken_over = Arc::into_inner(std::mem::take(&mut last));
            if let Some(next) = taken_over.and_then(OnceLock::into_inner) {
                running = next;
            }
            let (flags, variables) = (self.flags.clone(), self.variables.clone());
            let (cores, unconfigured) = (&self.cores, self.unconfigured);
            let read = config::reload(flags, variables, cores, unconfigured, &running);
            let read = read.map_err(|error| error.to_string())?;
            let config = read.next.config.clone();
            let (in_force, set_level) = (Arc::clone(&last), Arc::clone(&set_level));
            let was_debug = running.config.debug;
            let done = move || {
                log::follow(&set_level, was_debug, read.next.config.debug);
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

fn failed(name: &str, failure: &Failure) -> ExitCode {
    complain(&sentence(name, failure));
    failure.exit_code()
}

fn sentence(name: &str, failure: &Failure) -> String {
    format!("{name}: {failure}\n")
}

fn greet(context: &Context, config: &Config, mut warnings: Vec<String>, handle: &ServerHandle) {
    warnings.extend(handle.placement().warning.clone());
    warnings.extend(handle.warnings().iter().map(ToString::to_string));
    warnings.extend(
        handle
            .certificates()
            .into_iter()
            .flat_map(|it| it.warnings()),
    );
    let (address, placement) = (handle.local_addr(), handle.placement());
    let banner = Banner {
        address,
        tls_address: handle.tls_addr(),
        config,
        admin: handle.admin_addr(),
        placement,
        warnings: &warnings,
        program: &context.name,
    };
    let banner = banner.render(context.colours(std::io::stdout().is_terminal()));
    if let Err(failure) = say(&banner) {
        tracing::warn!(%failure, "nobody is told where the server listens");
    }
}
