//! The commands beside the server, as a person types them: what they print, where, and what they
//! exit with.
//!
//! Servers and clients are processes of the real program. Every command runs under `timeout`, so
//! that one that hangs ends its pipes, and the test fails by what is missing there.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod process;

#[path = "commands/data.rs"]
mod data;
#[path = "commands/events.rs"]
mod events;
#[path = "commands/help.rs"]
mod help;
#[path = "commands/protocol.rs"]
mod protocol;
#[path = "commands/refusals.rs"]
mod refusals;
#[path = "commands/running.rs"]
mod running;
#[path = "commands/shell.rs"]
mod shell;
#[path = "commands/tls.rs"]
mod tls;

use process::{Process, binary};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

/// What a run said and how it ended.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// What it answered, when it did so and nothing else.
    fn answer(self) -> String {
        assert_eq!(
            (self.code, &self.stderr[..]),
            (Some(0), ""),
            "{}",
            self.stdout
        );
        self.stdout
    }

    /// What it answered, as JSON.
    fn json(self) -> serde_json::Value {
        let answer = self.answer();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// The one sentence that it was refused with, and with this code.
    fn refused(self, code: i32) -> String {
        assert_eq!(
            (self.code, &self.stdout[..]),
            (Some(code), ""),
            "{}",
            self.stderr
        );
        let sentence = self.stderr.strip_prefix("shardcast: ");
        let sentence = sentence.unwrap_or_else(|| panic!("it says who speaks: {}", self.stderr));
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
        sentence.trim_end().to_owned()
    }
}

/// The program with these arguments, in no environment but these variables.
fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new("timeout");
    command.arg("60").arg(binary()).args(arguments);
    command.env_clear().envs(variables.iter().copied());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// Runs the program.
fn run_in(arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    Run::of(
        command(arguments, variables)
            .output()
            .expect("coreutils has timeout"),
    )
}

/// Same, in an empty environment.
fn run(arguments: &[&str]) -> Run {
    run_in(arguments, &[])
}

/// Same, with something on its standard input.
fn run_with(input: &[u8], arguments: &[&str]) -> Run {
    let mut command = command(arguments, &[]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("coreutils has timeout");
    // It may have refused before it read.
    let _ = child.stdin.take().expect("it is a pipe").write_all(input);
    Run::of(child.wait_with_output().unwrap())
}

/// `listen` as a process of its own.
struct Listener {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

impl Listener {
    /// Starts it, and waits until it is subscribed to so many channels.
    fn subscribed(channels: usize, arguments: &[&str]) -> Self {
        let arguments = [&["listen"], arguments].concat();
        let mut listener = Self::started(command(&arguments, &[]));
        for _ in 0..channels {
            listener.wait_for("subscribed to ");
        }
        listener
    }

    fn started(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("coreutils has timeout");
        Self {
            stdout: BufReader::new(child.stdout.take().unwrap()),
            stderr: BufReader::new(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Reads what it says of itself up to a line that begins so.
    fn wait_for(&mut self, beginning: &str) -> String {
        let mut read = String::new();
        loop {
            let mut line = String::new();
            let count = self.stderr.read_line(&mut line).unwrap();
            assert!(count > 0, "{beginning:?} was not said:\n{read}");
            if line.starts_with(beginning) {
                return line;
            }
            read.push_str(&line);
        }
    }

    /// The next line that it has heard, without its line break.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let count = self.stdout.read_line(&mut line).unwrap();
        assert!(count > 0, "it ended: {}", self.rest_of_stderr());
        line.trim_end().to_owned()
    }

    /// The next line without the time of day.
    fn event(&mut self) -> String {
        let line = self.line();
        let (time, event) = line.split_once("  ").expect("a time stands first");
        let is_time = |text: &str| text.len() == 12 && text.as_bytes()[8] == b'.';
        assert!(is_time(time), "{line}");
        event.to_owned()
    }

    fn rest_of_stderr(&mut self) -> String {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        rest
    }

    /// Waits for its end; gives its exit code and what it has said of itself since.
    fn end(mut self) -> (Option<i32>, String) {
        let rest = self.rest_of_stderr();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // `timeout` hands it on; it would be alone if that were killed.
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("it has one");
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = kill_process(pid, Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// A server of one shard with the demo app, and the flag that says where it is.
fn demo_server() -> (Process, String) {
    let server = Process::start(&["--shards", "1"]);
    let port = format!("--port={}", server.address.port());
    (server, port)
}
