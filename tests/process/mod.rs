//! The real binary as a child process: started, asked what it costs, stopped.

#![allow(
    dead_code,
    reason = "each test program uses its own part of this module"
)]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, PipeReader, Read, Write, pipe};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// A server process; killed when it is dropped.
pub struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Reads the standard error all the while: a full pipe would stop who writes to it.
    stderr: Option<JoinHandle<String>>,
    /// What it said before it was ready.
    pub banner: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it answers for metrics.
    pub admin: Option<SocketAddr>,
}

impl Process {
    /// Starts `shardcast start --port 0` with further flags and waits until it listens.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_as(Command::new(binary()), flags)
    }

    /// Starts it by way of another program, such as `prlimit`.
    pub fn start_as(command: Command, flags: &[&str]) -> Self {
        Self::start_at(command, 0, flags)
    }

    /// Same, on a certain port.
    pub fn start_at(command: Command, port: u16, flags: &[&str]) -> Self {
        Self::started(with_flags(command, port, flags))
    }

    /// Starts it with a standard error that nobody reads but who gets it from here.
    pub fn start_unread(flags: &[&str]) -> (Self, PipeReader) {
        let (reader, writer) = pipe().unwrap();
        let mut command = with_flags(Command::new(binary()), 0, flags);
        command.stderr(writer);
        (Self::listening(command), reader)
    }

    /// Starts a server as it is called and waits until it listens.
    pub fn started(mut command: Command) -> Self {
        command.stderr(Stdio::piped());
        Self::listening(command)
    }

    fn listening(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = child.stderr.take().map(|pipe| thread::spawn(|| all(pipe)));
        let mut banner = String::new();
        let (mut address, mut admin) = (None, None);
        loop {
            let mut line = String::new();
            if stdout.read_line(&mut line).unwrap() == 0 {
                panic!(
                    "the server ended before it was ready:\n{banner}{}",
                    stderr.map_or_else(String::new, |text| text.join().unwrap())
                );
            }
            let encrypted = || line.split_once("wss://").filter(|_| address.is_none());
            if let Some((_, rest)) = line.split_once("ws://").or_else(encrypted) {
                let host = rest.trim_end().split('/').next();
                address = host.map(|text| text.parse().unwrap());
            }
            if let Some((_, rest)) = line.split_once("metrics    http://") {
                admin = rest.split('/').next().map(|text| text.parse().unwrap());
            }
            banner.push_str(&line);
            if line.trim_start().starts_with("stop ") {
                break;
            }
        }
        let address = address.expect("the banner says where it listens");
        Self {
            child,
            stdout,
            stderr,
            banner,
            address,
            admin,
        }
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Seconds of processor time it has used so far, over all threads.
    pub fn cpu_s(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // Fields are counted behind the name, which may hold spaces.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64
    }

    /// Entries in the submission queue of each of its io_urings, the least first.
    pub fn ring_depths(&self) -> Vec<u32> {
        let folder = format!("/proc/{}", self.pid());
        let files = fs::read_dir(format!("{folder}/fd")).unwrap();
        let rings = files.map(|file| file.unwrap().path()).filter(|file| {
            fs::read_link(file).is_ok_and(|target| target.ends_with("anon_inode:[io_uring]"))
        });
        let depth = |file: std::path::PathBuf| {
            let number = file.file_name().unwrap().to_str().unwrap();
            // The kernel leaves these lines out while the ring is busy.
            let mask = (0..1_000_000).find_map(|_| {
                let info = fs::read_to_string(format!("{folder}/fdinfo/{number}")).unwrap();
                let line = info.lines().find_map(|line| line.strip_prefix("SqMask:"));
                line.map(|mask| mask.trim().trim_start_matches("0x").to_owned())
            });
            u32::from_str_radix(&mask.unwrap(), 16).unwrap() + 1
        };
        let mut depths: Vec<u32> = rings.map(depth).collect();
        depths.sort_unstable();
        depths
    }

    /// The cores that each of its threads may run on, by the thread's name.
    pub fn affinities(&self) -> Vec<(String, String)> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let status = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")));
        let field = |status: &str, name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().to_owned()
        };
        status
            .map(|status| status.unwrap())
            .map(|status| {
                (
                    field(&status, "Name:"),
                    field(&status, "Cpus_allowed_list:"),
                )
            })
            .collect()
    }

    /// How many files it has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .unwrap()
            .count()
    }

    /// Bytes of memory that it has in use now, and that it has had at most.
    pub fn memory(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.unwrap().trim().trim_end_matches(" kB");
            kib.parse::<u64>().unwrap() * 1024
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Sends SIGTERM and waits; gives the exit status and all that went to the standard error.
    pub fn stop(self) -> (ExitStatus, String) {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end; gives the exit status and all that went to the standard error.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let stderr = self.stderr.take();
        (
            status,
            stderr.map_or_else(String::new, |text| text.join().unwrap()),
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended when it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's program: the one that is named, such as a release, or else the one built with this.
pub fn binary() -> OsString {
    std::env::var_os("SHARDCAST_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_shardcast").into())
}

/// How a server is called for a test.
fn with_flags(mut command: Command, port: u16, flags: &[&str]) -> Command {
    let is_told = |flag: &&str| flag.starts_with("--admin");
    let admin: &[&str] = match flags.iter().any(is_told) {
        true => &[],
        false => &["--admin-port", "0"],
    };
    command.args(["start", "--port", &port.to_string()]);
    command.args(admin).args(flags);
    // The log is read as a person would read it.
    if !flags.contains(&"--log-format") {
        command.args(["--log-format", "pretty"]);
    }
    command
}

fn all(mut stderr: ChildStderr) -> String {
    let mut text = String::new();
    stderr.read_to_string(&mut text).unwrap();
    text
}

/// A WebSocket of the demo app, greeted; `None` when the server ends the connection first.
pub fn connect(address: SocketAddr) -> Option<(TcpStream, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
        .write_all(
            b"GET /app/app-key?protocol=7 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
              Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .ok()?;
    let mut text = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => text.extend_from_slice(&buffer[..count]),
        }
        let text = String::from_utf8_lossy(&text);
        if text.contains("activity_timeout") {
            let id = text.split("socket_id\\\":\\\"").nth(1).unwrap();
            return Some((stream, id.split('\\').next().unwrap().to_owned()));
        }
    }
}
