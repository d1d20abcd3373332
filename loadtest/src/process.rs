//! What processes of this machine cost, as /proc tells it.

use serde::Serialize;
use std::fmt::Display;
use std::{fs, io};

/// Memory of one process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Resident pages, shared ones included.
    pub resident: u64,
    /// Resident pages that belong to this process alone.
    pub private: u64,
}

impl Memory {
    /// Reads it. `smaps_rollup` is exact, while the counters in `status` may lag behind.
    ///
    /// # Errors
    /// When there is no such process, or it is somebody else's.
    pub fn of(pid: u32) -> io::Result<Self> {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = read(&path)?;
        Self::parse(&text).ok_or_else(|| not_understood(&path))
    }

    /// Of several processes together.
    ///
    /// # Errors
    /// As of one.
    pub fn of_all(pids: &[u32]) -> io::Result<Self> {
        let mut all = Self::default();
        for pid in pids {
            let one = Self::of(*pid)?;
            all.resident += one.resident;
            all.private += one.private;
        }
        Ok(all)
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kib * 1024)
        };
        Some(Self {
            resident: field("Rss:")?,
            private: field("Private_Clean:")? + field("Private_Dirty:")?,
        })
    }
}

/// Resident bytes of some processes: quick to read, and near enough for a time-line.
///
/// # Errors
/// When there is no such process.
pub fn resident(pids: &[u32]) -> io::Result<u64> {
    let mut pages = 0;
    for pid in pids {
        let path = format!("/proc/{pid}/statm");
        let text = read(&path)?;
        let field = text
            .split(' ')
            .nth(1)
            .and_then(|field| field.parse::<u64>().ok());
        pages += field.ok_or_else(|| not_understood(&path))?;
    }
    Ok(pages * rustix::param::page_size() as u64)
}

/// Nanoseconds of CPU time that some processes have used.
///
/// # Errors
/// When there is no such process.
pub fn cpu_ns(pids: &[u32]) -> io::Result<u64> {
    let mut total = 0;
    for pid in pids {
        total += match schedstat_ns(*pid) {
            Ok(nanoseconds) => nanoseconds,
            Err(_) => ticks_ns(*pid)?,
        };
    }
    Ok(total)
}

/// A process and everything that it started, as far as that is still there.
///
/// # Errors
/// When the processes cannot be listed.
pub fn family(pid: u32) -> io::Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that ended meanwhile is nobody's child.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        parents.extend(parent(&stat).map(|parent| (pid, parent)));
    }
    Ok(descendants(pid, &parents))
}

/// `parents` has each process and its parent, in any order.
fn descendants(pid: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut family = vec![pid];
    let mut looked_at = 0;
    while let Some(parent) = family.get(looked_at).copied() {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        family.extend(children.map(|(child, _)| *child));
        looked_at += 1;
    }
    family
}

/// Nanoseconds of CPU time that the calling thread has used.
pub fn own_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Exact, but not in every kernel.
fn schedstat_ns(pid: u32) -> io::Result<u64> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = task?.path().join("schedstat");
        let text = match fs::read_to_string(&path) {
            // A thread may end between the two looks.
            Err(error) if error.kind() == io::ErrorKind::NotFound && total > 0 => continue,
            outcome => outcome?,
        };
        let field = text
            .split(' ')
            .next()
            .and_then(|field| field.parse::<u64>().ok());
        total += field.ok_or_else(|| not_understood(path.display()))?;
    }
    Ok(total)
}

/// User and system time in hundredths of a second.
fn ticks_ns(pid: u32) -> io::Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let text = read(&path)?;
    ticks(&text)
        .map(|ticks| ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second())
        .ok_or_else(|| not_understood(&path))
}

/// The name of a process stands in parentheses and may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// It stands behind the name and the state.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

fn read(path: &str) -> io::Result<String> {
    fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
}

fn not_understood(path: impl Display) -> io::Error {
    io::Error::other(format!("{path}: not understood"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rollup_is_read() {
        let text = "55d0-7ffe ---p 00000000 00:00 0    [rollup]\nRss:    2048 kB\nPss:  1 kB\n\
                    Private_Clean:   16 kB\nPrivate_Dirty:  1000 kB\n";
        let memory = Memory::parse(text).unwrap();
        assert_eq!(
            (memory.resident, memory.private),
            (2048 * 1024, 1016 * 1024)
        );
        assert_eq!(Memory::parse("Rss: many kB\n"), None);
    }

    #[test]
    fn this_process_has_memory_and_no_process_has_none() {
        let me = std::process::id();
        let memory = Memory::of(me).unwrap();
        assert!(memory.resident >= memory.private && memory.private > 0);
        assert!(Memory::of(u32::MAX).is_err());
        let twice = Memory::of_all(&[me, me]).unwrap();
        assert!(twice.resident > memory.resident);
        assert!(resident(&[me]).unwrap() > 0);
        assert!(resident(&[u32::MAX]).is_err());
    }

    #[test]
    fn work_costs_time() {
        let me = [std::process::id()];
        let (before, own_before) = (cpu_ns(&me).unwrap(), own_cpu_ns());
        let mut sum = 0u64;
        while own_cpu_ns() < own_before + 50_000_000 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(cpu_ns(&me).unwrap() > before);
        assert!(cpu_ns(&[u32::MAX]).is_err());
    }

    #[test]
    fn ticks_stand_behind_any_name() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 300 45 0 0 20 0";
        assert_eq!(ticks(stat), Some(345));
        assert_eq!(ticks("7 (a"), None);
    }

    #[test]
    fn a_family_is_a_process_and_what_it_started() {
        let parents = [(9, 7), (3, 2), (7, 2), (2, 1), (5, 4), (11, 9)];
        assert_eq!(descendants(2, &parents), [2, 3, 7, 9, 11]);
        assert_eq!(descendants(5, &parents), [5]);
        assert_eq!(parent("7 (a b) c) S 4 2 3"), Some(4));
        let me = std::process::id();
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let family = family(me).unwrap();
        assert!(family[0] == me && family.contains(&child.id()));
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
