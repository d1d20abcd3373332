//! Scripts of real clients against a server's program: start, run, stop, each with a deadline.
//!
//! What is asserted about the protocol stands in the scripts.

#![allow(
    dead_code,
    reason = "each test program uses its own part of this module"
)]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

const SHARDS: &str = "2";
const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// Every wait inside the scripts has a deadline of 20 s; this ends a script that hangs elsewhere.
const SCRIPTS_DEADLINE: Duration = Duration::from_secs(300);
/// Lines of a child's output that are kept until somebody looks; later ones are lost.
const LINES_MAX: usize = 32_768;

/// Starts a server's program on a free port, runs `check` with that, stops it with SIGTERM, which
/// must end it with status 0, and returns all it printed.
pub fn with_program(command: Command, check: impl FnOnce(u16)) -> String {
    with_program_set(command, &[], check)
}

/// Same, with more settings.
pub fn with_program_set(command: Command, settings: &[&str], check: impl FnOnce(u16)) -> String {
    with_program_that(command, settings, "ws", |port, _| check(port))
}

/// Same, with the port whose address in the banner has a scheme, and the banner up to there.
pub fn with_program_that(
    mut command: Command,
    settings: &[&str],
    scheme: &str,
    check: impl FnOnce(u16, &str),
) -> String {
    command.args(["start", "--port", "0", "--admin-port", "0"]);
    command.args(["--shards", SHARDS]);
    command.args(settings);
    // Settings of whoever runs the tests are not the settings under test.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let prefixes = ["SOKETI_", "SHARDCAST_", "REVERB_", "PUSHER_", "LARAVEL_"];
        if prefixes.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    // The log is read as a person would read it.
    command.args(["--log-format", "pretty"]);
    let mut server = Process::spawn(&mut command);
    let mut output = String::new();
    let port = loop {
        match server.lines.recv_timeout(START_DEADLINE) {
            Ok(line) => {
                output.push_str(&line);
                if let Some(port) = listening_port(&line, scheme) {
                    break port;
                }
            }
            Err(error) => panic!("the server tells no address ({error}):\n{output}"),
        }
    };

    check(port, &output);

    server.terminate();
    let status = server.wait(STOP_DEADLINE);
    server.kill();
    output.extend(server.lines.iter());
    match status {
        Some(status) => assert!(status.success(), "SIGTERM ended with {status}:\n{output}"),
        None => panic!("the server ran on for {STOP_DEADLINE:?} after SIGTERM:\n{output}"),
    }
    output
}

/// The port in what the banner says that holds `ws://127.0.0.1:PORT`, or another scheme.
pub fn listening_port(line: &str, scheme: &str) -> Option<u16> {
    let (_, rest) = line.split_once(&format!("{scheme}://127.0.0.1:"))?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Runs all test files of one folder with Node's own test runner.
pub fn run_node(port: u16, folder: &str) {
    run_node_files(port, folder, &test_files(folder));
}

/// Runs test files over TLS, with a server that an authority in this file vouches for.
pub fn run_node_over_tls(port: u16, tls_port: u16, authority: &Path, files: &[&str]) {
    let files: Vec<PathBuf> = files.iter().map(|it| scripts_folder().join(it)).collect();
    let mut command = node(&files);
    command.env("SHARDCAST_TEST_TLS_PORT", tls_port.to_string());
    command.env("NODE_EXTRA_CA_CERTS", authority);
    run_tests(port, "over TLS", command);
}

/// Runs one test file, named from the scripts' folder.
pub fn run_node_file(port: u16, file: &str) {
    run_node_files(port, file, &[scripts_folder().join(file)]);
}

fn run_node_files(port: u16, name: &str, files: &[PathBuf]) {
    run_tests(port, name, node(files));
}

/// What runs test files.
fn node(files: &[PathBuf]) -> Command {
    let packages = scripts_folder().join("node_modules");
    assert!(
        packages.is_dir(),
        "{} is missing: run `make setup`",
        packages.display()
    );
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=spec"]).args(files);
    command
}

fn run_tests(port: u16, name: &str, command: Command) {
    let output = run_scripts(port, command);
    let passed = total_of(&output, "pass");
    assert!(passed > 0, "no test ran:\n{output}");
    for total in ["fail", "cancelled", "skipped", "todo"] {
        assert_eq!(total_of(&output, total), 0, "{total} is not 0:\n{output}");
    }
    println!("{name}: {passed} scenarios passed");
}

/// The interpreter that has the SDK.
fn python() -> PathBuf {
    let python = target_folder().join("clients/venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run `make setup`",
        python.display()
    );
    python
}

/// Runs the scripts of the Python SDK.
pub fn run_python(port: u16) {
    let mut command = Command::new(python());
    command.args(["-B", "-m", "unittest", "discover", "-v", "-s", "python"]);
    let output = run_scripts(port, command);
    let ran = output
        .lines()
        .any(|line| line.starts_with("Ran ") && !line.starts_with("Ran 0 "));
    assert!(
        ran && !output.contains("skipped="),
        "all tests ran:\n{output}"
    );
    println!("{}", output.lines().last().unwrap_or_default());
}

/// Runs the scripts to their end; returns their output.
fn run_scripts(port: u16, mut command: Command) -> String {
    command.current_dir(scripts_folder());
    command.env("SHARDCAST_TEST_PORT", port.to_string());
    command.env("SHARDCAST_TEST_SHARDS", SHARDS);
    command.env("SHARDCAST_TEST_PYTHON", python());
    command.env("SHARDCAST_TEST_SERVER", env!("CARGO_BIN_EXE_shardcast"));
    run_to_end(&mut command, SCRIPTS_DEADLINE)
}

/// Runs a program to its end, which must come in time and with status 0; returns its output.
pub fn run_to_end(command: &mut Command, deadline: Duration) -> String {
    let mut scripts = Process::spawn(command);
    let status = scripts.wait(deadline);
    scripts.kill();
    let output: String = scripts.lines.iter().collect();
    match status {
        Some(status) => assert!(
            status.success(),
            "{command:?} ended with {status}:\n{output}"
        ),
        None => panic!("{command:?} ran longer than {deadline:?}:\n{output}"),
    }
    output
}

/// An example's program, which `cargo test` has built before it runs tests. When one test program
/// is asked for by its name it does not: `cargo build --examples` does then.
pub fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    let folder = own.parent().and_then(|deps| deps.parent());
    let folder = folder.expect("tests lie in target/PROFILE/deps");
    let program = folder.join("examples").join(name);
    assert!(
        program.exists(),
        "{} is missing: run `cargo build --examples`",
        program.display()
    );
    program
}

/// The test files of a folder, sorted: a directory means different things to different Nodes.
fn test_files(folder: &str) -> Vec<PathBuf> {
    let folder = scripts_folder().join(folder);
    let entries = folder
        .read_dir()
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| {
            entry
                .expect("a folder of the repository can be read")
                .path()
        })
        .filter(|path| path.to_string_lossy().ends_with(".test.js"))
        .collect();
    files.sort();
    files
}

/// The number in the line `ℹ NAME NUMBER` of the totals that end Node's report.
fn total_of(output: &str, name: &str) -> usize {
    let prefix = format!("ℹ {name} ");
    let number = output
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(&prefix));
    let total = number.and_then(|number| number.trim().parse().ok());
    total.unwrap_or_else(|| panic!("no total of {name} in:\n{output}"))
}

/// Where the scripts and their packages are.
pub fn scripts_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Cargo's target folder: the parent of the one it keeps for integration tests.
pub fn target_folder() -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary
        .parent()
        .expect("it lies inside the target folder")
        .to_owned()
}

/// A child in a process group of its own, killed with all its children when this is dropped.
struct Process {
    pid: Pid,
    /// Lines of both outputs with their line ends; closed once nothing holds the outputs open.
    lines: Receiver<String>,
    exit: Receiver<ExitStatus>,
}

impl Process {
    fn spawn(command: &mut Command) -> Process {
        command.process_group(0).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let pid = Pid::from_child(&child);
        let (line, lines) = sync_channel(LINES_MAX);
        forward(child.stdout.take().expect("it is piped"), line.clone());
        forward(child.stderr.take().expect("it is piped"), line);
        let (ended, exit) = sync_channel(1);
        thread::spawn(move || {
            // Nobody may be interested any more; the child is reaped all the same.
            let _ = ended.send(child.wait().expect("a child can be waited for"));
        });
        Process { pid, lines, exit }
    }

    fn terminate(&self) {
        kill_process(self.pid, Signal::TERM).expect("a running child can be signalled");
    }

    /// Waits for the end of the child itself; `None` when it takes longer than `deadline`.
    fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        self.exit.recv_timeout(deadline).ok()
    }

    /// Ends whatever is left of the group.
    fn kill(&self) {
        // Fails when nothing is left, which is what is wanted.
        let _ = kill_process_group(self.pid, Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let output: String = self.lines.iter().collect();
            if !output.is_empty() {
                eprintln!("--- output of process {:?}:\n{output}---", self.pid);
            }
        }
    }
}

fn forward(output: impl Read + Send + 'static, lines: SyncSender<String>) {
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut bytes = Vec::new();
        while output
            .read_until(b'\n', &mut bytes)
            .is_ok_and(|length| length > 0)
        {
            // The child must never wait for the test to read.
            let line = String::from_utf8_lossy(&bytes).into_owned();
            if let Err(TrySendError::Disconnected(_)) = lines.try_send(line) {
                return;
            }
            bytes.clear();
        }
    });
}
