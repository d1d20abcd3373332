//! The server's own program with a file that a test writes again, signals, and its log line by
//! line.

use crate::support::http::Http;
use crate::support::rest::Rest;
use crate::support::sign::Keys;
use crate::support::wire::PATIENCE;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Lines of its log that may wait for a test to look at them.
const LINES_MAX: usize = 100_000;

/// A running program; killed when it is dropped.
pub struct Served {
    child: Child,
    file: PathBuf,
    log: Receiver<String>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Served {
    /// Starts it with a file of this text, two shards and a free port.
    pub fn start(test: &str, text: &str) -> Self {
        Self::start_with(test, text, |command| command)
    }

    /// Same, with a command that was changed.
    pub fn start_with(
        test: &str,
        text: &str,
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let name = format!("shardcast-served-{test}-{}.toml", std::process::id());
        let file = std::env::temp_dir().join(name);
        fs::write(&file, text).expect("temporary files can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_shardcast"));
        command.args(["start", "--port", "0", "--admin-port", "0", "--shards", "2"]);
        command.args(["--log-format", "pretty"]);
        command.arg("--config").arg(&file).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = change(&mut command).spawn().expect("the server starts");
        let (to, log) = sync_channel(LINES_MAX);
        let stderr = child.stderr.take();
        if let Some(stderr) = stderr {
            let lines = BufReader::new(stderr).lines();
            thread::spawn(move || lines.map_while(Result::ok).all(|it| to.send(it).is_ok()));
        }
        let mut address = None;
        for line in BufReader::new(child.stdout.take().expect("it is a pipe")).lines() {
            let line = line.expect("the banner is text");
            if let Some((_, rest)) = line.split_once("ws://") {
                address = rest.split('/').next().and_then(|text| text.parse().ok());
            }
            if line.trim_start().starts_with("stop ") {
                break;
            }
        }
        let address =
            address.unwrap_or_else(|| panic!("it ended: {:?}", log.iter().collect::<Vec<_>>()));
        Self {
            child,
            file,
            log,
            address,
        }
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Writes the file in one step, as an operator's tool does.
    pub fn write(&self, text: &str) {
        let new = self.file.with_extension("new");
        fs::write(&new, text).expect("temporary files can be written");
        fs::rename(&new, &self.file).expect("they can be renamed");
    }

    /// Reads the log up to a line with one of these parts; gives all lines read.
    #[track_caller]
    pub fn log_to(&self, ends: &[&str]) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("none of {ends:?} in the log: {lines:#?}"));
            let is_end = ends.iter().any(|part| line.contains(part));
            lines.push(line);
            if is_end {
                return lines;
            }
        }
    }

    /// Has it reload a new file; gives what it logged until that was done or refused.
    #[track_caller]
    pub fn reload(&self, text: &str) -> Vec<String> {
        self.write(text);
        self.signal(Signal::HUP);
        self.log_to(&["reloaded the configuration", "not reloaded"])
    }

    /// Same, and it is not refused.
    #[track_caller]
    pub fn reloaded(&self, text: &str) -> Vec<String> {
        let lines = self.reload(text);
        let last = lines.last().expect("it ends with one");
        assert!(last.contains("reloaded the configuration"), "{last}");
        lines
    }

    /// A backend with these keys.
    pub fn rest(&self, keys: &Keys) -> Rest {
        Rest {
            keys: keys.clone(),
            http: Http::connect(self.address),
        }
    }

    /// Waits for its end; gives what it logged since.
    pub fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().expect("it is our child");
        (status, self.log.iter().collect())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Already ended when it was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.file);
    }
}
