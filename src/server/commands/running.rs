//! `reload` and `drain`: a word to a server that runs on this machine.
//!
//! The word is a signal, since every server of ours takes it, whatever else of it answers. Which
//! process is meant is not written into a file, which could be stale: the kernel knows who listens
//! on the port of the configuration. Invariant: a signal goes to the very process that was looked
//! at, and only when that process handles it, so that nobody is killed by a mistake.

use super::context::Order;
use super::ending::Failure;
use super::listener::{self, Found};
use super::terminal::{complain, plain};
use crate::server::config::Config;
use clap::{Arg, ArgMatches, Command, value_parser};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::time::Timespec;
use std::fs;

const PID: &str = "pid";
const WAIT: &str = "wait-s";

/// What is drained at most so long, unless it is said.
const WAIT_S: &str = "600";

fn pid_arg() -> Arg {
    Arg::new(PID)
        .long(PID)
        .value_name("PID")
        .value_parser(value_parser!(i32).range(1..))
        .help("The server's process; otherwise whoever listens on the port of the configuration")
}

pub(super) fn reload_command() -> Command {
    Command::new("reload")
        .about("Let a running server read its configuration again")
        .arg(pid_arg())
        .after_help(
            "As SIGHUP does. The server reads its own file and environment; its log says what has \
             changed, or why what is in force stays. A file that is refused here is not tried \
             there.",
        )
}

pub(super) fn drain_command() -> Command {
    Command::new("drain")
        .about("Stop a running server: clients are told in waves, requests are answered")
        .after_help(
            "As SIGTERM does: its listeners close at once, its clients are told in waves, requests \
             under way are answered. Waits until the process has ended.",
        )
        .arg(pid_arg())
        .arg(
            Arg::new(WAIT)
                .long(WAIT)
                .value_name("S")
                .default_value(WAIT_S)
                .value_parser(value_parser!(u32))
                .help("Seconds to wait for its end; 0 does not wait"),
        )
}

/// # Errors
/// When there is no server to reload.
pub(super) fn reload(order: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let server = Server::find(order, matches)?;
    server.send(Signal::HUP, "SIGHUP")?;
    complain(&format!(
        "process {} reads its configuration again; its log says what has changed\n",
        server.pid
    ));
    Ok(())
}

/// # Errors
/// When there is no server to stop, or it does not end in time.
pub(super) fn drain(order: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let server = Server::find(order, matches)?;
    server.send(Signal::TERM, "SIGTERM")?;
    let pid = server.pid;
    let seconds: u32 = *matches.get_one(WAIT).expect("it has a default");
    if seconds == 0 {
        complain(&format!("process {pid} stops\n"));
        return Ok(());
    }
    complain(&format!("process {pid} stops; waiting for its end\n"));
    match server.has_ended_within(seconds) {
        true => {
            complain(&format!("process {pid} has ended\n"));
            Ok(())
        }
        false => Err(Failure::unavailable(format!(
            "process {pid} has not ended within {seconds} seconds; it is still stopping, see \
             stop_deadline_ms"
        ))),
    }
}

/// A process that runs a server.
struct Server {
    pid: Pid,
    /// It stands for this process, even when the number is given to another.
    handle: OwnedFd,
}

impl Server {
    fn find(order: &Order<'_>, matches: &ArgMatches) -> Result<Self, Failure> {
        if let Some(&pid) = matches.get_one::<i32>(PID) {
            let pid = Pid::from_raw(pid).expect("it is above 0");
            return Self::open(pid);
        }
        let config = order.config()?;
        let found = Self::open(listening(&config)?)?;
        found.is_ours(&order.context.name, &config)?;
        Ok(found)
    }

    fn open(pid: Pid) -> Result<Self, Failure> {
        let opened = pidfd_open(pid, PidfdFlags::empty());
        let handle = opened.map_err(|error| match error {
            Errno::SRCH => Failure::unavailable(format!("there is no process {pid}")),
            error => Failure::unavailable(format!("process {pid} cannot be reached: {error}")),
        })?;
        Ok(Self { pid, handle })
    }

    /// Whether it is the same program as this one, and not another server on the same port.
    fn is_ours(&self, name: &str, config: &Config) -> Result<(), Failure> {
        let pid = self.pid;
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let comm = comm.trim_end();
        if is_called(comm, name) {
            return Ok(());
        }
        Err(Failure::unavailable(format!(
            "port {} is held by {} (process {pid}), which is not {name}; if it is one under \
             another name, give --pid {pid}",
            config.port,
            plain(comm),
        )))
    }

    fn send(&self, signal: Signal, name: &str) -> Result<(), Failure> {
        let pid = self.pid;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        if !handles(&status, signal) {
            return Err(Failure::unavailable(format!(
                "process {pid} does not handle {name}, so it is no server of this kind; nothing \
                 was sent"
            )));
        }
        pidfd_send_signal(&self.handle, signal).map_err(|error| match error {
            Errno::PERM => Failure::unavailable(format!(
                "process {pid} is another user's; run this as that user or as root"
            )),
            Errno::SRCH => Failure::unavailable(format!("process {pid} has just ended")),
            error => Failure::unavailable(format!("process {pid} takes no signal: {error}")),
        })
    }

    fn has_ended_within(&self, seconds: u32) -> bool {
        let mut ended = [PollFd::new(&self.handle, PollFlags::IN)];
        let time = Timespec {
            tv_sec: seconds.into(),
            tv_nsec: 0,
        };
        matches!(poll(&mut ended, Some(&time)), Ok(1..))
    }
}

/// Whether the kernel calls a program of that name so: it keeps 15 bytes of a name.
fn is_called(comm: &str, name: &str) -> bool {
    let kept = name.as_bytes().iter().take(15);
    kept.eq(comm.as_bytes())
}

/// Whether a process with this status does something of its own at a signal.
fn handles(status: &str, signal: Signal) -> bool {
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}

/// Who listens on the port of a configuration.
fn listening(config: &Config) -> Result<Pid, Failure> {
    let port = config.port;
    if port == 0 {
        return Err(Failure::usage(
            "the port is 0, which is any free one; say who it is with --pid",
        ));
    }
    match listener::of(port) {
        Found::Nobody => Err(Failure::unavailable(format!(
            "nobody listens on port {port} of this machine; if the server's port is another, say \
             so with --port or --config"
        ))),
        Found::Hidden => Err(Failure::unavailable(format!(
            "somebody listens on port {port}, but whose process it is cannot be seen; run this as \
             the server's user or as root, or give --pid"
        ))),
        Found::Process(pid) => Ok(pid),
        Found::Several(pids) => {
            let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
            let pids = pids.join(", ");
            Err(Failure::usage(format!(
                "several processes listen on port {port}; say which one with --pid: {pids}"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_known_by_its_beginning() {
        assert!(
            is_called("shardcast", "shardcast") && is_called("123456789012345", "1234567890123456")
        );
        for other in ["", "shard", "shardcast-2", "node"] {
            assert!(!is_called(other, "shardcast"), "{other}");
        }
    }

    #[test]
    fn only_who_handles_a_signal_gets_it() {
        let status = "Name:\tx\nSigIgn:\tffffffffffffffff\nSigCgt:\t0000000000004001\n";
        assert!(handles(status, Signal::HUP) && handles(status, Signal::TERM));
        assert!(!handles(status, Signal::INT));
        assert!(!handles("SigCgt:\t0000000000000000\n", Signal::HUP));
        assert!(!handles("", Signal::HUP) && !handles("SigCgt:\tx\n", Signal::HUP));
    }
}
