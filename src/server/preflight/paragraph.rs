//! A refusal in words: the cause, then the exact fix, for the person in front of the terminal.
//!
//! It decides nothing (`diagnose`). Invariant: every cause has one paragraph without a line break,
//! and every paragraph ends in something that can be done.

use std::fmt;

use rustix::io::Errno;

use super::diagnose::Need;

/// Why the shards cannot run on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    cause: Cause,
}

/// The causes, each with what its paragraph needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The kernel is older than 5.8.
    OldKernel {
        /// Its release.
        release: String,
    },
    /// `kernel.io_uring_disabled` is 2.
    DisabledForAll,
    /// `kernel.io_uring_disabled` is 1 and the process is not privileged.
    DisabledForUnprivileged,
    /// A seccomp filter answers in the kernel's place.
    Filtered {
        /// The call it stops.
        call: &'static str,
        /// What it answers.
        errno: Errno,
    },
    /// Something other than a seccomp filter forbids it.
    Forbidden {
        /// The call it stops.
        call: &'static str,
        /// What it answers.
        errno: Errno,
    },
    /// The kernel does not know the call.
    NotBuiltIn {
        /// The call.
        call: &'static str,
    },
    /// The kernel does not know operations that are needed.
    LacksOperations {
        /// Which ones.
        names: Vec<&'static str>,
    },
    /// Not even the smallest ring got its memory.
    NoLockedMemory {
        /// The limit in force in bytes, if there is one.
        limit: Option<u64>,
    },
    /// The rings of all shards together need more locked memory than allowed.
    MemlockTooLow {
        /// Bytes allowed.
        limit: u64,
        /// Bytes needed.
        needed: u64,
        /// By which shards.
        need: Need,
    },
    /// Not even one more file can be opened.
    NoFiles {
        /// Whether the process's limit or the machine's is reached.
        errno: Errno,
    },
    /// Fewer files may be open than the shards need before the first connection.
    NofileTooLow {
        /// Files allowed.
        limit: u64,
        /// Files needed.
        least: u64,
    },
    /// An answer nobody expected.
    Other {
        /// The call that got it.
        call: &'static str,
        /// The answer.
        errno: Errno,
    },
}

impl Refusal {
    /// What the process exits with: `EX_UNAVAILABLE` of sysexits.
    pub const EXIT_CODE: u8 = 69;

    pub(super) fn new(cause: Cause) -> Refusal {
        Refusal { cause }
    }

    /// The cause, to tell refusals apart without reading their words.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("This machine does not let shardcast run: ")?;
        match &self.cause {
            Cause::OldKernel { release } => write!(
                f,
                "its kernel is {release}, and the io_uring it needs came with Linux 5.8. Start it \
                 on a kernel of 5.8 or later; in a container that is the kernel of the host."
            ),
            Cause::DisabledForAll => f.write_str(
                "io_uring is switched off for everybody, for the sysctl kernel.io_uring_disabled \
                 is 2. Switch it on with `sudo sysctl -w kernel.io_uring_disabled=0`, and put the \
                 line `kernel.io_uring_disabled = 0` into /etc/sysctl.d/60-io-uring.conf to keep \
                 it so; in a container, do both on the host.",
            ),
            Cause::DisabledForUnprivileged => f.write_str(
                "io_uring is switched off for ordinary users, for the sysctl \
                 kernel.io_uring_disabled is 1. Either put this user into a group and name that \
                 group to the kernel with `sudo sysctl -w kernel.io_uring_group=<gid>`, or switch \
                 it on for all with `sudo sysctl -w kernel.io_uring_disabled=0`; a line in \
                 /etc/sysctl.d/60-io-uring.conf keeps either.",
            ),
            Cause::Filtered { call, errno } => filtered(f, call, *errno),
            Cause::Forbidden { call, errno } => write!(
                f,
                "the call {call} is answered with {}, while kernel.io_uring_disabled does not \
                 forbid it and no seccomp filter is in force, so a security module such as \
                 SELinux does. Look for io_uring in `sudo ausearch -m avc -ts recent` or in `sudo \
                 dmesg`, and allow this program the use of io_uring in that module's policy.",
                name(*errno)
            ),
            Cause::NotBuiltIn { call } => write!(
                f,
                "the call {call} is answered with ENOSYS, so this kernel was built without \
                 io_uring, or a sandbox such as gVisor stands in for it. Start it on a kernel \
                 with CONFIG_IO_URING=y (`zgrep IO_URING /proc/config.gz` tells), or under a \
                 runtime that uses the host's kernel, such as runc."
            ),
            Cause::LacksOperations { names } => write!(
                f,
                "its io_uring lacks operations that are needed ({}). Start it on a kernel of 5.8 \
                 or later, under a runtime that uses the host's kernel, such as runc.",
                names.join(", ")
            ),
            _ => self.resources(f),
        }
    }
}

impl Refusal {
    /// The paragraphs about limits of the process.
    fn resources(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MEMLOCK: &str = "`ulimit -l unlimited` in a root shell, LimitMEMLOCK=infinity in a \
                               systemd unit, `--ulimit memlock=-1` of docker run, or a memlock \
                               line in /etc/security/limits.conf";
        match &self.cause {
            Cause::NoLockedMemory { limit } => {
                let limit = limit.map_or("unlimited".to_owned(), |n| format!("{} KiB", n / 1024));
                write!(
                    f,
                    "not even the smallest io_uring got its memory (ENOMEM); this user may lock \
                     {limit} over all its processes, and others hold it, or a server that has just \
                     ended has not given it back yet. Try again in a second, or raise the limit: \
                     {MEMLOCK}."
                )
            }
            Cause::MemlockTooLow {
                limit,
                needed,
                need,
            } => {
                let Need { shards, ring_depth } = need;
                let (needed, limit) = (needed.div_ceil(1024), limit / 1024);
                let plural = if *shards == 1 { "" } else { "s" };
                write!(
                    f,
                    "the io_urings of {shards} shard{plural} of depth {ring_depth} need {needed} \
                     KiB of locked memory, and this user may lock {limit} KiB. Raise the limit \
                     ({MEMLOCK}), or start fewer shards (--shards) with smaller rings \
                     (--ring-depth), which need 512 KiB at the least."
                )
            }
            Cause::NoFiles { errno } => write!(
                f,
                "no io_uring could be opened, for too many files are open already ({}). Raise the \
                 limit: `ulimit -n 65536`, LimitNOFILE=65536 in a systemd unit, or `--ulimit \
                 nofile=65536` of docker run; for ENFILE, `sudo sysctl -w fs.file-max=1000000`.",
                name(*errno)
            ),
            Cause::NofileTooLow { limit, least } => write!(
                f,
                "only {limit} files may be open, and the shards alone need {least}. Raise the \
                 limit: `ulimit -n 65536`, LimitNOFILE=65536 in a systemd unit, or `--ulimit \
                 nofile=65536` of docker run."
            ),
            Cause::Other { call, errno } => write!(
                f,
                "the call {call} is answered with {}, for no reason we know. `strace -f -e \
                 trace={call} shardcast` shows the call; please report it with the output of \
                 `uname -a`.",
                name(*errno)
            ),
            other => unreachable!("{other:?} is worded above"),
        }
    }
}

fn filtered(f: &mut fmt::Formatter<'_>, call: &str, errno: Errno) -> fmt::Result {
    write!(
        f,
        "the call {call} is answered with {} by a seccomp filter, which is what the default \
         profile of Docker and other container runtimes does. Allow the calls io_uring_setup, \
         io_uring_enter and io_uring_register: with `docker run --security-opt seccomp=<profile \
         with these three>` (or seccomp=unconfined to try), with securityContext.seccompProfile \
         of type Localhost in Kubernetes, with SystemCallFilter=@system-service in a systemd \
         unit. Should it be refused still, see that the sysctl kernel.io_uring_disabled is 0 on \
         the host.",
        name(errno)
    )
}

/// The name an error number has in manuals.
fn name(errno: Errno) -> String {
    match errno {
        Errno::PERM => "EPERM".to_owned(),
        Errno::ACCESS => "EACCES".to_owned(),
        Errno::NOSYS => "ENOSYS".to_owned(),
        Errno::MFILE => "EMFILE".to_owned(),
        Errno::NFILE => "ENFILE".to_owned(),
        Errno::INVAL => "EINVAL".to_owned(),
        Errno::FAULT => "EFAULT".to_owned(),
        other => format!("error {} ({other})", other.raw_os_error()),
    }
}
