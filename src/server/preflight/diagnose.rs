//! The judgement: facts about the machine in, warnings or a refusal out.
//!
//! Pure: it asks the kernel nothing, so every machine there is can be put in a table. The words are
//! in `paragraph`.
//!
//! # Locked memory
//! An executor makes three io_urings. Their memory counts against the user's RLIMIT_MEMLOCK unless
//! the process has CAP_IPC_LOCK. A ring of depth `d` takes 64 bytes for each of `d` submissions in
//! one mapping, and a header, 16 bytes for each of `2d` completions and 4 for each submission in
//! another, both in whole pages. After its rings an executor registers a buffer of
//! [`EXECUTOR_IO_MEMORY`] with each of them; it does without where that is refused, but takes what
//! it can get from those that come later, and so does the ring that a shard sends with. So the last
//! executor needs its rings, and every one before it rings and buffers. Measured on Linux 6.18 at
//! depths of 128 to 4096 and limits of 512 KiB to 8 MiB, this promises as many executors as
//! started, or one fewer.

use std::fmt;

use super::host::{Host, Limit, RingProbe};
use super::paragraph::{Cause, Refusal};
use crate::net::SENDS_MAX;

/// What each executor must be given as `io_memory`, in bytes.
///
/// The least glommio takes. Sockets do not depend on it, for a buffer that does not fit comes from
/// the heap, and the default of 10 MiB would be locked three times over.
pub const EXECUTOR_IO_MEMORY: usize = 64 << 10;

/// The deepest ring that is of use, and the shallowest that is chosen by itself.
///
/// What counts is not the queue but the kernel's table of waiting polls, one for each connection:
/// it has a chain for every 32 completion entries, at most 256 chains, and to cancel a poll, as an
/// executor does whenever it wakes, the kernel walks one of them.
pub(super) const RING_DEPTH_MAX: usize = 4096;
const RING_DEPTH_MIN: usize = 128;

/// The oldest kernel the runtime supports.
const KERNEL_MIN: (u32, u32) = (5, 8);
/// What an executor insists on, whatever its rings need.
const MEMLOCK_MIN: u64 = 512 << 10;
/// Rings per executor.
const RINGS: u64 = 3;
/// Below this many files there is a warning; each connection is one.
const NOFILE_COMFORTABLE: u64 = 4096;
/// Files of the process besides connections.
const NOFILE_PROCESS: u64 = 64;
/// Files of a shard besides connections: four of its executor, its listener, wake-ups, and spare
/// ones.
const NOFILE_SHARD: u64 = 16;

const PAGE: u64 = 4096;

/// What the shards will ask of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// How many executors.
    pub shards: usize,
    /// Entries in each of an executor's rings.
    pub ring_depth: usize,
}

/// Something that will work, but less well than it could; one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(String);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Judges a machine.
///
/// # Errors
/// The first reason the shards cannot run there.
pub fn diagnose(host: &Host, need: &Need) -> Result<Vec<Warning>, Refusal> {
    kernel(host)?;
    ring(host, need)?;
    memlock(host, need)?;
    nofile(host, need)
}

fn kernel(host: &Host) -> Result<(), Refusal> {
    match version(&host.kernel) {
        Some(found) if found < KERNEL_MIN => Err(Refusal::new(Cause::OldKernel {
            release: host.kernel.clone(),
        })),
        // A release nobody can read is no reason to refuse; the probe knows better.
        _ => Ok(()),
    }
}

/// Major and minor number of a release such as `6.18.44-generic`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn ring(host: &Host, need: &Need) -> Result<(), Refusal> {
    use rustix::io::Errno;
    let (call, errno) = match &host.ring {
        RingProbe::Works => return Ok(()),
        RingProbe::Lacks(names) => {
            return Err(Refusal::new(Cause::LacksOperations {
                names: names.clone(),
            }));
        }
        RingProbe::Refused { call, errno } => (*call, Errno::from_raw_os_error(*errno)),
    };
    if errno == Errno::NOMEM {
        // A limit that is too low anyway is the better explanation.
        memlock(host, need)?;
    }
    let cause = match errno {
        Errno::PERM | Errno::ACCESS => match host.io_uring_disabled {
            Some(2..) => Cause::DisabledForAll,
            // With 1 it is allowed to the privileged, so a filter may be the reason all the same.
            Some(1) if !host.seccomp => Cause::DisabledForUnprivileged,
            _ if host.seccomp => Cause::Filtered { call, errno },
            _ => Cause::Forbidden { call, errno },
        },
        Errno::NOSYS if host.seccomp => Cause::Filtered { call, errno },
        Errno::NOSYS => Cause::NotBuiltIn { call },
        Errno::NOMEM => Cause::NoLockedMemory {
            limit: host.memlock.soft,
        },
        Errno::MFILE | Errno::NFILE => Cause::NoFiles { errno },
        _ => Cause::Other { call, errno },
    };
    Err(Refusal::new(cause))
}

fn memlock(host: &Host, need: &Need) -> Result<(), Refusal> {
    let needed = if host.ipc_lock {
        MEMLOCK_MIN
    } else {
        memlock_needed(need)
    };
    match host.memlock.soft {
        Some(limit) if limit < needed => Err(Refusal::new(Cause::MemlockTooLow {
            limit,
            needed,
            need: *need,
        })),
        _ => Ok(()),
    }
}

/// Files that so many shards need beside connections.
pub fn files_for(shards: usize) -> u64 {
    NOFILE_PROCESS + NOFILE_SHARD * shards as u64
}

fn nofile(host: &Host, need: &Need) -> Result<Vec<Warning>, Refusal> {
    let least = files_for(need.shards);
    let Limit {
        soft: Some(limit), ..
    } = host.nofile
    else {
        return Ok(Vec::new());
    };
    if limit < least {
        return Err(Refusal::new(Cause::NofileTooLow { limit, least }));
    }
    if limit >= NOFILE_COMFORTABLE {
        return Ok(Vec::new());
    }
    Ok(vec![Warning(format!(
        "only {limit} files may be open, which is room for about {} connections: raise the hard \
         limit (ulimit -Hn, LimitNOFILE= in a systemd unit, --ulimit nofile= of docker run)",
        limit - least
    ))])
}

/// The deepest rings of use that so many shards can have on this machine. Unasked they take a
/// quarter of what may be locked: the limit is the user's, who may run a second server.
pub(super) fn fitting_depth(host: &Host, shards: usize) -> usize {
    let room = match host.memlock.soft {
        Some(limit) if !host.ipc_lock => limit / 4,
        _ => u64::MAX,
    };
    let mut ring_depth = RING_DEPTH_MAX;
    while ring_depth > RING_DEPTH_MIN && memlock_wanted(&Need { shards, ring_depth }) > room {
        ring_depth /= 2;
    }
    ring_depth
}

/// Bytes of locked memory with which every shard has all that it would like to have.
pub(super) fn memlock_wanted(need: &Need) -> u64 {
    shard_wants(need.ring_depth).saturating_mul(need.shards as u64)
}

fn shard_wants(ring_depth: usize) -> u64 {
    executor_wants(ring_depth) + ring_bytes(SENDS_MAX as u64)
}

fn executor_wants(ring_depth: usize) -> u64 {
    RINGS * (ring_bytes(ring_depth as u64) + EXECUTOR_IO_MEMORY as u64)
}

/// Bytes of locked memory without which not all shards may start.
pub(super) fn memlock_needed(need: &Need) -> u64 {
    let send_rings = ring_bytes(SENDS_MAX as u64).saturating_mul(before_the_last(need));
    executors_need(need).saturating_add(send_rings)
}

/// Bytes of locked memory that all executors together may come to need.
fn executors_need(need: &Need) -> u64 {
    let rings = RINGS * ring_bytes(need.ring_depth as u64);
    executor_wants(need.ring_depth)
        .saturating_mul(before_the_last(need))
        .saturating_add(rings)
        .max(MEMLOCK_MIN)
}

fn before_the_last(need: &Need) -> u64 {
    (need.shards as u64).saturating_sub(1)
}

fn ring_bytes(depth: u64) -> u64 {
    /// Room for the header of the completion mapping; it has been 320 bytes since there is
    /// io_uring.
    const HEADER: u64 = 320;
    let depth = depth.next_power_of_two();
    let submissions = (64 * depth).next_multiple_of(PAGE);
    let completions = (HEADER + 2 * 16 * depth + 4 * depth).next_multiple_of(PAGE);
    submissions + completions
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEED: Need = Need {
        shards: 2,
        ring_depth: 128,
    };

    fn healthy() -> Host {
        Host {
            kernel: "6.18.44-fc-v669".to_owned(),
            ring: RingProbe::Works,
            io_uring_disabled: Some(0),
            seccomp: false,
            memlock: limit(8 << 20),
            ipc_lock: false,
            nofile: limit(65_536),
        }
    }

    fn limit(n: u64) -> Limit {
        Limit {
            soft: Some(n),
            hard: Some(n),
        }
    }

    fn refused(errno: i32) -> RingProbe {
        RingProbe::Refused {
            call: "io_uring_setup",
            errno,
        }
    }

    #[test]
    fn rings_are_as_deep_as_is_of_use_and_as_memory_allows() {
        let with = |memlock| Host {
            memlock,
            ..healthy()
        };
        let unlimited = Limit {
            soft: None,
            hard: None,
        };
        assert_eq!(fitting_depth(&with(unlimited), 64), RING_DEPTH_MAX);
        for shards in [1, 4, 64] {
            for depth in [256, 512, 1024, 2048, 4096] {
                let at = 4 * memlock_wanted(&Need {
                    shards,
                    ring_depth: depth,
                });
                assert_eq!(fitting_depth(&with(limit(at)), shards), depth);
                assert_eq!(fitting_depth(&with(limit(at - 1)), shards), depth / 2);
                let free = Host {
                    ipc_lock: true,
                    ..with(limit(at))
                };
                assert_eq!(fitting_depth(&free, shards), RING_DEPTH_MAX);
            }
        }
        // Less than that is refused with a reason, not made do with.
        assert_eq!(fitting_depth(&with(limit(0)), 1), RING_DEPTH_MIN);
    }

    fn paragraph(host: &Host, need: &Need) -> String {
        let text = diagnose(host, need).expect_err("it is refused").to_string();
        assert!(!text.contains('\n'), "one paragraph: {text}");
        text
    }

    #[test]
    fn a_healthy_machine_passes_without_a_word() {
        assert_eq!(diagnose(&healthy(), &NEED), Ok(Vec::new()));
        let unlimited = Limit {
            soft: None,
            hard: None,
        };
        let host = Host {
            memlock: unlimited,
            nofile: unlimited,
            ..healthy()
        };
        assert_eq!(
            diagnose(
                &host,
                &Need {
                    shards: 256,
                    ring_depth: 16_384
                }
            ),
            Ok(Vec::new())
        );
    }

    // F43
    #[test]
    fn kernels_before_5_8_are_refused() {
        for old in [
            "5.7.19",
            "5.4.0-150-generic",
            "4.18.0-477.el8.x86_64",
            "3.10.0",
        ] {
            let text = paragraph(
                &Host {
                    kernel: old.to_owned(),
                    ..healthy()
                },
                &NEED,
            );
            assert!(text.contains(old) && text.contains("5.8"), "{text}");
        }
        for fine in [
            "5.8.0",
            "5.8",
            "5.15.0-91-generic",
            "6.18.44-x",
            "10.0.1",
            "",
            "gibberish",
        ] {
            let host = Host {
                kernel: fine.to_owned(),
                ..healthy()
            };
            assert!(diagnose(&host, &NEED).is_ok(), "{fine}");
        }
        assert_eq!(version("6.18.44-x"), Some((6, 18)));
        assert_eq!(version("6.1-rc2"), Some((6, 1)));
    }

    // F43: every way io_uring is refused has its own cause and its own fix.
    #[test]
    fn a_refused_ring_is_explained() {
        const EPERM: i32 = 1;
        const ENOMEM: i32 = 12;
        const EACCES: i32 = 13;
        const EINVAL: i32 = 22;
        const EMFILE: i32 = 24;
        const ENOSYS: i32 = 38;
        // error number, io_uring_disabled, seccomp -> what the paragraph has to say
        let table: &[(i32, Option<u8>, bool, &[&str])] = &[
            (
                EPERM,
                Some(2),
                false,
                &["kernel.io_uring_disabled is 2", "sysctl -w"],
            ),
            (EPERM, Some(2), true, &["kernel.io_uring_disabled is 2"]),
            (
                EPERM,
                Some(1),
                false,
                &["kernel.io_uring_disabled is 1", "io_uring_group"],
            ),
            (
                EPERM,
                Some(1),
                true,
                &["seccomp", "--security-opt", "kernel.io_uring_disabled"],
            ),
            (
                EPERM,
                Some(0),
                true,
                &["seccomp", "--security-opt", "EPERM"],
            ),
            (
                EPERM,
                None,
                true,
                &["seccomp", "seccompProfile", "@system-service"],
            ),
            (EPERM, Some(0), false, &["EPERM", "SELinux"]),
            (EACCES, Some(0), false, &["EACCES", "SELinux"]),
            (ENOSYS, Some(0), true, &["seccomp", "ENOSYS"]),
            (
                ENOSYS,
                None,
                false,
                &["ENOSYS", "CONFIG_IO_URING", "gVisor"],
            ),
            (
                ENOMEM,
                Some(0),
                false,
                &["ENOMEM", "8192 KiB", "LimitMEMLOCK=infinity"],
            ),
            (EMFILE, Some(0), false, &["EMFILE", "LimitNOFILE"]),
            (EINVAL, Some(0), false, &["EINVAL", "io_uring_setup"]),
        ];
        for &(errno, io_uring_disabled, seccomp, words) in table {
            let host = Host {
                ring: refused(errno),
                io_uring_disabled,
                seccomp,
                ..healthy()
            };
            let text = paragraph(&host, &NEED);
            for word in words {
                assert!(
                    text.contains(word),
                    "{errno} {io_uring_disabled:?} {seccomp}: {text}"
                );
            }
        }
        let lacks = Host {
            ring: RingProbe::Lacks(vec!["accept", "send"]),
            ..healthy()
        };
        assert!(paragraph(&lacks, &NEED).contains("accept, send"));
    }

    #[test]
    fn a_ring_without_memory_under_too_low_a_limit_is_the_limits_fault() {
        let host = Host {
            ring: refused(12),
            memlock: limit(64 << 10),
            ..healthy()
        };
        let text = paragraph(&host, &NEED);
        assert!(text.contains("may lock 64 KiB"), "{text}");
    }

    #[test]
    fn each_of_the_three_calls_is_named() {
        for call in ["io_uring_setup", "io_uring_register", "io_uring_enter"] {
            let ring = RingProbe::Refused { call, errno: 1 };
            let text = paragraph(
                &Host {
                    ring,
                    seccomp: true,
                    ..healthy()
                },
                &NEED,
            );
            assert!(text.contains(call), "{text}");
        }
    }

    // M10, with 64 KiB of registered memory: how many executors started as an ordinary user.
    #[test]
    fn the_arithmetic_agrees_with_the_measurement() {
        // depth, limit, executors promised, executors that started
        for (ring_depth, limit, promised, started) in [
            (128, 512 << 10, 2, 2),
            (128, 1 << 20, 5, 5),
            (128, 8 << 20, 34, 34),
            (256, 8 << 20, 30, 31),
            (512, 512 << 10, 2, 2),
            (512, 1 << 20, 3, 4),
            (512, 8 << 20, 24, 24),
            (1024, 512 << 10, 1, 1),
            (1024, 1 << 20, 2, 2),
            (1024, 8 << 20, 16, 16),
        ] {
            let fits = |shards| executors_need(&Need { shards, ring_depth }) <= limit;
            assert!(
                fits(promised),
                "{promised} at depth {ring_depth} in {limit}"
            );
            assert!(
                !fits(started + 1),
                "{started} + 1 at depth {ring_depth} in {limit}"
            );
            assert!(
                started == promised || !fits(started),
                "{started} in {limit}"
            );
        }
    }

    #[test]
    fn locked_memory_is_judged_at_its_limit() {
        let need = Need {
            shards: 8,
            ring_depth: 128,
        };
        let needed = memlock_needed(&need);
        let host = |n| Host {
            memlock: limit(n),
            ..healthy()
        };
        assert!(diagnose(&host(needed), &need).is_ok());
        let text = paragraph(&host(needed - 1), &need);
        for word in [
            "8 shards",
            "1924 KiB",
            "1923 KiB",
            "LimitMEMLOCK=infinity",
            "--ulimit",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }

    #[test]
    fn the_privileged_need_only_what_an_executor_insists_on() {
        let host = |n| Host {
            memlock: limit(n),
            ipc_lock: true,
            ..healthy()
        };
        let need = Need {
            shards: 256,
            ring_depth: 16_384,
        };
        assert!(diagnose(&host(MEMLOCK_MIN), &need).is_ok());
        assert!(paragraph(&host(MEMLOCK_MIN - 1), &need).contains("512 KiB"));
    }

    #[test]
    fn few_open_files_are_a_warning_and_too_few_a_refusal() {
        let host = |n| Host {
            nofile: limit(n),
            ..healthy()
        };
        assert_eq!(diagnose(&host(4096), &NEED), Ok(Vec::new()));
        let warnings = diagnose(&host(4095), &NEED).unwrap();
        assert!(
            warnings[0].to_string().contains("about 3999 connections"),
            "{warnings:?}"
        );
        assert_eq!(
            diagnose(&host(96), &NEED).map(|warnings| warnings.len()),
            Ok(1)
        );
        let text = paragraph(&host(95), &NEED);
        assert!(
            text.contains("95") && text.contains("96") && text.contains("ulimit -n"),
            "{text}"
        );
    }
}
