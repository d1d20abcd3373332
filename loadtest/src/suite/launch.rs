//! A server that is started for one run, waited for, and ended.

use super::options::ServerCommand;
use crate::load::client;
use crate::process;
use crate::target::Target;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server has to end by itself.
const GRACE: Duration = Duration::from_secs(10);
/// How long what it started has after that.
const REST: Duration = Duration::from_secs(1);
/// Between two looks whether it answers.
const LOOK: Duration = Duration::from_millis(20);
/// How long one look may take.
const ASKED: Duration = Duration::from_secs(1);
/// How much of what it printed is told when it fails.
const LAST_BYTES: u64 = 2_000;
const LAST_LINES: usize = 8;

/// Where servers run.
#[derive(Clone, Debug)]
pub struct Place {
    /// Cores, as taskset has them.
    pub cores: String,
    /// The port that was asked for.
    pub port: Option<u16>,
    /// How long a server has to answer.
    pub timeout: Duration,
}

/// A server that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    ended: OwnedFd,
    /// What it printed.
    output: File,
    /// Where it listens.
    pub target: Target,
}

impl Running {
    /// Starts it and waits until it answers the handshake of a client, whatever the answer is.
    ///
    /// # Errors
    /// When it cannot be started, ends, or does not answer in time; with its last words.
    pub fn start(server: &ServerCommand, place: &Place, key: &str) -> io::Result<Self> {
        let address = free_address(place.port)?;
        let port = address.port().to_string();
        let words = server.words.iter();
        let words = words.map(|word| {
            word.replace("{port}", &port)
                .replace("{core}", &place.cores)
        });
        // In memory, not in a pipe: nobody reads along, and a full pipe would stop the server.
        let output = File::from(memfd_create("server-output", MemfdFlags::CLOEXEC)?);
        let child = Command::new("taskset")
            .args(["-c", &place.cores])
            .args(words)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .spawn()
            .map_err(|error| {
                let text = format!("cannot run taskset (of util-linux): {error}");
                io::Error::new(error.kind(), text)
            })?;
        let ended = pidfd_open(pid(child.id()), PidfdFlags::empty())?;
        let host = address.to_string();
        let mut running = Self {
            child,
            ended,
            output,
            target: Target { address, host },
        };
        running.wait_for_answer(place.timeout, key)?;
        Ok(running)
    }

    /// Its process and all that it started.
    ///
    /// # Errors
    /// When the processes cannot be listed.
    pub fn pids(&self) -> io::Result<Vec<u32>> {
        process::family(self.child.id())
    }

    /// Kills it and all that it started, as a crash would.
    ///
    /// # Errors
    /// When the processes cannot be listed or killed.
    pub fn kill(self) -> io::Result<()> {
        for process in self.pids()? {
            // What ended meanwhile need not be killed.
            if let Ok(process) = pidfd_open(pid(process), PidfdFlags::empty()) {
                pidfd_send_signal(&process, Signal::KILL)?;
                within(&process, REST)?;
            }
        }
        Ok(())
    }

    /// What it said at the end, in one line for a report.
    pub fn last_words(&self) -> String {
        let length = self.output.metadata().map_or(0, |there| there.len());
        let mut bytes = vec![0; length.min(LAST_BYTES) as usize];
        let from = length - bytes.len() as u64;
        if self.output.read_exact_at(&mut bytes, from).is_err() || bytes.is_empty() {
            return "it printed nothing".to_owned();
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().map(str::trim);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        format!("it printed at last: {}", last.join(" / "))
    }

    fn wait_for_answer(&mut self, timeout: Duration, key: &str) -> io::Result<()> {
        let handshake = client::handshake(&self.target, key);
        let deadline = Instant::now() + timeout;
        loop {
            if within(&self.ended, LOOK)? {
                let status = self.child.wait()?;
                let text = format!("ended before it answered ({status}); {}", self.last_words());
                return Err(io::Error::other(text));
            }
            let Err(why) = ask(self.target.address, &handshake) else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                let text = format!(
                    "did not answer on port {} within {timeout:?} ({why}); {}",
                    self.target.address.port(),
                    self.last_words()
                );
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        // Taken while all are there: a number alone may soon be another process's.
        let family = self.pids()?;
        let rest = family.iter().skip(1);
        let rest: Vec<OwnedFd> = rest
            .filter_map(|one| pidfd_open(pid(*one), PidfdFlags::empty()).ok())
            .collect();
        if !within(&self.ended, Duration::ZERO)? {
            pidfd_send_signal(&self.ended, Signal::TERM)?;
            if !within(&self.ended, GRACE)? {
                pidfd_send_signal(&self.ended, Signal::KILL)?;
            }
        }
        self.child.wait()?;
        for one in rest {
            if !within(&one, REST)? {
                pidfd_send_signal(&one, Signal::KILL)?;
                within(&one, REST)?;
            }
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("shardcast-loadtest: process {}: {error}", self.child.id());
        }
    }
}

fn pid(number: u32) -> Pid {
    let raw = i32::try_from(number).ok().and_then(Pid::from_raw);
    raw.expect("the kernel's process numbers are above 0 and below 2^22")
}

/// Whether a process ends within that time.
fn within(process: &OwnedFd, time: Duration) -> io::Result<bool> {
    let time = Timespec::try_from(time).map_err(io::Error::other)?;
    let mut fds = [PollFd::new(process, PollFlags::IN)];
    Ok(poll(&mut fds, Some(&time))? > 0)
}

/// A port that nobody listens on: what answers there later is the server. A server with io_uring
/// that was killed keeps its own for some milliseconds after its end.
fn free_address(port: Option<u16>) -> io::Result<SocketAddr> {
    let deadline = Instant::now() + REST;
    let bind = || TcpListener::bind(("127.0.0.1", port.unwrap_or(0)));
    let look = Timespec::try_from(LOOK).map_err(io::Error::other)?;
    let mut bound = bind();
    while bound.is_err() && Instant::now() < deadline {
        poll(&mut [], Some(&look))?; // only the time passes
        bound = bind();
    }
    let listener = bound.map_err(|error| {
        let text = format!("port {} is not free: {error}", port.unwrap_or(0));
        io::Error::new(error.kind(), text)
    })?;
    listener.local_addr()
}

/// Some servers are bound long before they serve: only an answer says that they do.
fn ask(address: SocketAddr, handshake: &[u8]) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, ASKED)?;
    stream.set_read_timeout(Some(ASKED))?;
    stream.write_all(handshake)?;
    match stream.read(&mut [0; 64])? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(command: &str, timeout_ms: u64) -> io::Error {
        let server = format!("s={command}").parse().unwrap();
        let allowed = rustix::thread::sched_getaffinity(None).unwrap();
        let mut cores = 0..rustix::thread::CpuSet::MAX_CPU;
        let cores = cores.find(|core| allowed.is_set(*core)).unwrap();
        let place = Place {
            cores: cores.to_string(),
            port: None,
            timeout: Duration::from_millis(timeout_ms),
        };
        Running::start(&server, &place, "key").unwrap_err()
    }

    #[test]
    fn a_server_that_ends_at_once_is_quoted() {
        let error = start("sh -c 'echo one; echo no port {port} >&2; exit 3'", 10_000);
        let text = error.to_string();
        assert!(
            text.starts_with("ended before it answered (exit status: 3); "),
            "{text}"
        );
        assert!(
            text.contains("it printed at last: one / no port "),
            "{text}"
        );
        assert!(!text.contains("{port}"), "{text}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let text = start("/nowhere/server", 10_000).to_string();
        assert!(text.contains("/nowhere/server"), "{text}");
    }

    #[test]
    fn a_server_that_says_nothing_is_ended_with_all_it_started() {
        // The shell ends when it is told to; what it started does not hear of it.
        let begun = Instant::now();
        let error = start("sh -c 'tail -f /dev/null & echo $!; wait'", 200);
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(begun.elapsed() < GRACE, "{error}");
        let text = error.to_string();
        let child = text.rsplit(' ').next().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
    }

    #[test]
    fn a_port_that_is_taken_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = free_address(Some(port)).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("port {port} is not free"))
        );
    }
}
