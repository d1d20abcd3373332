//! The facts about the machine and the process, gathered by asking the kernel.
//!
//! It judges nothing (`diagnose`). Invariants: gathering cannot fail, for what cannot be read is a
//! fact too; the probe ring is gone again when it returns.

use std::fs;
use std::io;

use io_uring::{IoUring, Probe, opcode};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::system::uname;
use rustix::thread::{CapabilitySet, capabilities};

use super::diagnose::{self, Need};

/// What there is to know before the first executor is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The kernel's release, such as `6.18.44-generic`.
    pub kernel: String,
    /// How a trial of io_uring went.
    pub ring: RingProbe,
    /// `kernel.io_uring_disabled`: 0, 1 or 2; `None` where there is no such switch.
    pub io_uring_disabled: Option<u8>,
    /// Whether a seccomp filter is in force on this process.
    pub seccomp: bool,
    /// Bytes the user's processes may lock in memory.
    pub memlock: Limit,
    /// Whether the process may lock memory without counting (CAP_IPC_LOCK, as root has).
    pub ipc_lock: bool,
    /// Open files, sockets and rings the process may have.
    pub nofile: Limit,
}

/// A resource limit; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The limit in force.
    pub soft: Option<u64>,
    /// How far the process may raise it.
    pub hard: Option<u64>,
}

/// How a trial of io_uring went: set up, register, enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RingProbe {
    /// All three calls work and every needed operation is there.
    Works,
    /// A call failed with this error number.
    Refused {
        /// Which of the calls.
        call: &'static str,
        /// The kernel's error number.
        errno: i32,
    },
    /// The kernel, or what stands in for it, lacks these operations.
    Lacks(Vec<&'static str>),
}

impl Host {
    /// Raises open files and locked memory as far as `need` asks and the kernel allows, then
    /// gathers.
    pub fn prepare(need: &Need) -> Host {
        raise(Resource::Nofile, None);
        raise(Resource::Memlock, Some(diagnose::memlock_wanted(need)));
        Host {
            kernel: uname().release().to_string_lossy().into_owned(),
            ring: probe(),
            io_uring_disabled: read("/proc/sys/kernel/io_uring_disabled")
                .and_then(|text| text.trim().parse().ok()),
            seccomp: read("/proc/self/status").is_some_and(|status| filtered(&status)),
            memlock: limit(Resource::Memlock),
            ipc_lock: has_ipc_lock(),
            nofile: limit(Resource::Nofile),
        }
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Mode 2 is a filter; the sandboxes that hide io_uring all use one.
fn filtered(status: &str) -> bool {
    status
        .lines()
        .any(|line| line.split_whitespace().eq(["Seccomp:", "2"]))
}

/// The kernel looks at the capability in the first user namespace, so being root of another one
/// does not count. That one is known by its map: it is the only one that maps every id.
fn has_ipc_lock() -> bool {
    let held =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    let first = |map: String| map.split_whitespace().eq(["0", "0", "4294967295"]);
    held && read("/proc/self/uid_map").is_none_or(first)
}

fn limit(resource: Resource) -> Limit {
    let Rlimit { current, maximum } = getrlimit(resource);
    Limit {
        soft: current,
        hard: maximum,
    }
}

/// Raises the soft limit to the hard one, and both to `wanted` where the process is allowed to.
/// That it may not is no error here: the limit that results is judged later.
fn raise(resource: Resource, wanted: Option<u64>) {
    let now = getrlimit(resource);
    if let (Some(wanted), Some(hard)) = (wanted, now.maximum)
        && wanted > hard
        && setrlimit(
            resource,
            Rlimit {
                current: Some(wanted),
                maximum: Some(wanted),
            },
        )
        .is_ok()
    {
        return;
    }
    if now.current != now.maximum {
        let _ = setrlimit(
            resource,
            Rlimit {
                current: now.maximum,
                maximum: now.maximum,
            },
        );
    }
}

/// The smallest ring there is, asked for what an executor will ask for.
fn probe() -> RingProbe {
    let refused = |call| {
        move |error: io::Error| RingProbe::Refused {
            call,
            errno: error.raw_os_error().unwrap_or(0),
        }
    };
    try_ring(refused).unwrap_or_else(|refusal| refusal)
}

fn try_ring<F: FnOnce(io::Error) -> RingProbe>(
    refused: impl Fn(&'static str) -> F,
) -> Result<RingProbe, RingProbe> {
    let ring = IoUring::new(1).map_err(refused("io_uring_setup"))?;
    let mut operations = Probe::new();
    ring.submitter()
        .register_probe(&mut operations)
        .map_err(refused("io_uring_register"))?;
    ring.submit().map_err(refused("io_uring_enter"))?;
    let missing = NEEDED
        .iter()
        .filter(|(_, code)| !operations.is_supported(*code));
    let missing: Vec<&str> = missing.map(|&(name, _)| name).collect();
    Ok(if missing.is_empty() {
        RingProbe::Works
    } else {
        RingProbe::Lacks(missing)
    })
}

/// What the kernel's io_uring can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operations {
    /// How many operations it has.
    pub count: usize,
    /// Those that an executor needs, and whether they are among them.
    pub needed: Vec<(&'static str, bool)>,
}

/// Asks the kernel what its io_uring can do; `None` when it does not say.
pub fn operations() -> Option<Operations> {
    let ring = IoUring::new(1).ok()?;
    let mut known = Probe::new();
    ring.submitter().register_probe(&mut known).ok()?;
    let needed = NEEDED.iter();
    Some(Operations {
        count: (0..=u8::MAX)
            .filter(|&code| known.is_supported(code))
            .count(),
        needed: needed
            .map(|&(name, code)| (name, known.is_supported(code)))
            .collect(),
    })
}

/// The operations an executor refuses to start without.
const NEEDED: [(&str, u8); 23] = [
    ("nop", opcode::Nop::CODE),
    ("readv", opcode::Readv::CODE),
    ("writev", opcode::Writev::CODE),
    ("fsync", opcode::Fsync::CODE),
    ("read_fixed", opcode::ReadFixed::CODE),
    ("write_fixed", opcode::WriteFixed::CODE),
    ("poll_add", opcode::PollAdd::CODE),
    ("poll_remove", opcode::PollRemove::CODE),
    ("sendmsg", opcode::SendMsg::CODE),
    ("recvmsg", opcode::RecvMsg::CODE),
    ("timeout", opcode::Timeout::CODE),
    ("timeout_remove", opcode::TimeoutRemove::CODE),
    ("accept", opcode::Accept::CODE),
    ("link_timeout", opcode::LinkTimeout::CODE),
    ("connect", opcode::Connect::CODE),
    ("fallocate", opcode::Fallocate::CODE),
    ("openat", opcode::OpenAt::CODE),
    ("close", opcode::Close::CODE),
    ("statx", opcode::Statx::CODE),
    ("read", opcode::Read::CODE),
    ("write", opcode::Write::CODE),
    ("send", opcode::Send::CODE),
    ("recv", opcode::Recv::CODE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seccomp_filter_is_seen_in_the_status() {
        assert!(filtered("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"));
        assert!(!filtered("Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t2\n"));
        assert!(!filtered(""));
    }

    #[test]
    fn the_probe_leaves_no_file_open() {
        let open = || {
            fs::read_dir("/proc/self/fd")
                .unwrap()
                .flatten()
                .filter_map(|entry| {
                    fs::read_link(entry.path())
                        .ok()
                        .filter(|to| to.to_string_lossy().contains("io_uring"))
                })
        };
        assert_eq!(probe(), RingProbe::Works);
        // Tests beside this one probe too, and let go; a file that was left would stay for good.
        const LOOKS: u32 = 100_000;
        let gone = (0..LOOKS).any(|_| {
            std::thread::yield_now();
            open().count() == 0
        });
        assert!(gone, "{:?}", open().collect::<Vec<_>>());
    }
}
