//! Who is measured when, and where what comes of it goes.

use super::grid;
use super::launch::{Place, Running};
use super::lines::{self, Line, ROOM};
use super::options::{Options, ServerCommand};
use super::tally::{Run, ServerTally, Tally};
use crate::cli::server::Server;
use crate::engine::source::allow_all_descriptors;
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::report::document::Tool;
use crate::report::machine::Machine;
use crate::report::{self, Verdict, files};
use serde::Serialize;
use std::io::{self, Write};
use std::time::{Instant, SystemTime};

/// The number of the form of the suite's JSON.
const SCHEMA: u32 = 1;

/// The whole of a suite.
#[derive(Debug, Serialize)]
struct Document {
    schema: u32,
    tool: Tool,
    /// Tells it from the object of a single run.
    scenario: &'static str,
    started_at: String,
    took_s: f64,
    machine: Machine,
    runs: u32,
    warm_up_s: f64,
    duration_s: f64,
    server_core: String,
    core: usize,
    passed: bool,
    lines: Vec<Tally>,
}

/// A suite that is under way.
#[derive(Debug)]
struct Session<'o> {
    options: &'o Options,
    output: &'o report::Options,
    place: Place,
    /// Connections that this machine has room for.
    room: u32,
    progress: Progress,
    /// Runs begun, and how many there will be.
    begun: usize,
    total: usize,
}

/// Runs the suite, and prints the table of each load when it is done.
///
/// # Errors
/// When what is asked for makes no sense, or an output cannot be written. A server that fails is
/// no error: it stands in the table.
pub fn run(options: &Options, output: &report::Options) -> io::Result<Verdict> {
    if options.list {
        let _ = io::stdout().lock().write_all(lines::list().as_bytes());
        return Ok(Verdict::Passed);
    }
    options.check()?;
    check_outputs(options, output)?;
    let (began, started_at) = (Instant::now(), SystemTime::now());
    let mut document = Document::new(options, started_at);
    let mut session = Session::new(options, output)?;
    for line in options.lines() {
        let Some(tally) = session.line(line) else {
            continue;
        };
        if !output.json {
            let gap = if document.lines.is_empty() { "" } else { "\n" };
            print(&format!("{gap}{}", grid::text(&tally)));
        }
        document.passed &= tally.servers.iter().all(ServerTally::is_good);
        document.lines.push(tally);
        document.took_s = began.elapsed().as_secs_f64();
        // After each load: what is measured is kept when somebody ends the rest.
        session.write(&document)?;
    }
    if output.json {
        print(&document.to_json()?);
    }
    Ok(match document.passed {
        true => Verdict::Passed,
        false => Verdict::Failed,
    })
}

/// A reader that went away is no reason to fail.
fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

fn check_outputs(options: &Options, output: &report::Options) -> io::Result<()> {
    for (flag, given) in [
        ("--html", output.html.is_some()),
        ("--hgrm", output.hgrm.is_some()),
        ("--compare", output.compare.is_some()),
        ("--tolerate", output.tolerate.is_some()),
        ("--require", !output.require.is_empty()),
    ] {
        if given {
            let text = format!("{flag} is for a single scenario, not for the suite");
            return Err(io::Error::other(text));
        }
    }
    let paths = [&output.json_file, &options.markdown];
    paths
        .into_iter()
        .flatten()
        .try_for_each(|path| files::check_writable(path))
}

impl Document {
    fn new(options: &Options, started_at: SystemTime) -> Self {
        Self {
            schema: SCHEMA,
            tool: Tool {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            scenario: "suite",
            started_at: humantime::format_rfc3339_seconds(started_at).to_string(),
            took_s: 0.0,
            machine: Machine::here(),
            runs: options.runs,
            warm_up_s: options.warm_up_s.as_secs_f64(),
            duration_s: options.duration_s.as_secs_f64(),
            server_core: options.server_core.clone(),
            core: options.core,
            passed: true,
            lines: Vec::new(),
        }
    }

    fn to_json(&self) -> io::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    fn to_markdown(&self) -> String {
        let Machine { cpu, kernel, .. } = &self.machine;
        let head = format!(
            "Measured on {} ({cpu}, Linux {kernel}): median [least..most] of {} runs of {} s, each \
             server on core {}, the load tester on core {}.\n",
            self.started_at, self.runs, self.duration_s, self.server_core, self.core
        );
        let lines = self.lines.iter().map(grid::markdown);
        let parts: Vec<String> = std::iter::once(head).chain(lines).collect();
        parts.join("\n")
    }
}

impl<'o> Session<'o> {
    fn new(options: &'o Options, output: &'o report::Options) -> io::Result<Self> {
        let place = Place {
            cores: options.server_core.clone(),
            port: options.port,
            timeout: options.start_timeout_s,
        };
        let servers = options
            .lines()
            .into_iter()
            .map(|line| options.servers(line).len());
        let total = servers.sum::<usize>() * options.runs as usize;
        Ok(Self {
            options,
            output,
            place,
            room: allow_all_descriptors(ROOM)?,
            progress: Progress::new(output.quiet),
            begun: 0,
            total,
        })
    }

    /// Nothing where every server is skipped.
    fn line(&mut self, line: &'static Line) -> Option<Tally> {
        let servers = self.options.servers(line);
        let floor = self.options.floor(&servers)?;
        let mut runs: Vec<Vec<Run>> = vec![Vec::new(); servers.len()];
        for _ in 0..self.options.runs {
            for (server, runs) in servers.iter().zip(&mut runs) {
                self.begun += 1;
                let name = format!(
                    "{} of {}, {}, {}",
                    self.begun, self.total, line.name, server.name
                );
                self.progress.run(name);
                self.progress.phase("starting", None);
                let measured = self.measure(line, server);
                self.progress.end();
                runs.push(match measured {
                    Ok(outcome) => Run::new(&outcome, line.figure.0, line.latency),
                    Err(error) => Run::failed(error.to_string()),
                });
            }
        }
        let at = servers.iter().position(|server| server.name == floor.name);
        let floor_runs = runs[at.unwrap_or(0)].clone();
        let servers = servers.iter().zip(runs);
        Some(Tally {
            line: line.name,
            what: line.what,
            arguments: line.typed(self.room),
            figure: line.figure.0,
            label: line.figure.1,
            floor: floor.name.clone(),
            servers: servers
                .map(|(server, runs)| ServerTally::new(&server.name, runs, &floor_runs))
                .collect(),
        })
    }

    fn measure(&mut self, line: &Line, server: &ServerCommand) -> io::Result<Outcome> {
        let options = self.options;
        let running = Running::start(server, &self.place, &options.key)?;
        let mut command = line.command(self.room);
        command.set_span(options.warm_up_s, options.duration_s);
        *command.server_mut() = Server {
            url: running.target.clone(),
            app_id: options.app_id.clone(),
            key: options.key.clone(),
            secret: options.secret.clone(),
            server_pid: running.pids()?,
            core: Some(options.core),
        };
        let outcome = command.run(&mut self.progress);
        // While the server is still there: its last words may say why.
        outcome.map_err(|error| {
            io::Error::new(error.kind(), format!("{error}; {}", running.last_words()))
        })
    }

    fn write(&self, document: &Document) -> io::Result<()> {
        if let Some(path) = &self.output.json_file {
            files::write(path, &document.to_json()?)?;
        }
        if let Some(path) = &self.options.markdown {
            files::write(path, &document.to_markdown())?;
        }
        Ok(())
    }
}
