//! What the process uses of the machine: memory, descriptors, processor time.

use rustix::process::{Resource, getrlimit};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How much memory there is, and where it is seen how much is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    limit: u64,
    /// The control group that sets the limit, if one does.
    group: Option<Group>,
}

/// A control group with a limit on memory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    used: PathBuf,
    stat: PathBuf,
    files: &'static Files,
}

impl Group {
    fn used(&self) -> Option<u64> {
        let used = read(&self.used, |text| text.trim().parse::<u64>().ok())?;
        let cache = read(&self.stat, |text| line(text, self.files.cache))?;
        Some(used.saturating_sub(cache))
    }
}

/// Looks at a short file of the kernel's. This is done some times a second, so nothing is allocated
/// for it.
fn read<T>(path: impl AsRef<Path>, look: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let mut buffer = [0; 8192];
    let mut file = fs::File::open(path).ok()?;
    let mut length = 0;
    loop {
        match file.read(&mut buffer[length..]).ok()? {
            0 => break,
            count => length += count,
        }
    }
    // What does not fit is cut off: the lines that are looked for stand in front.
    look(str::from_utf8(&buffer[..length]).ok()?)
}

/// What the files of the two versions of control groups are called.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    root: &'static str,
    limit: &'static str,
    used: &'static str,
    /// The line of `memory.stat` with what the kernel gives back by itself when it needs to.
    cache: &'static str,
}

static SECOND: Files = Files {
    root: "/sys/fs/cgroup",
    limit: "memory.max",
    used: "memory.current",
    cache: "inactive_file ",
};

static FIRST: Files = Files {
    root: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    cache: "total_inactive_file ",
};

impl Memory {
    /// So much, of which the process's resident memory is in use.
    #[must_use]
    pub fn of(limit: u64) -> Self {
        let limit = limit.max(1);
        Self { limit, group: None }
    }

    /// What the control group of this process allows, or what the machine has, whichever is less.
    #[must_use]
    pub fn of_machine() -> Self {
        let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let machine = line(&info, "MemTotal:").map_or(u64::MAX, |kilobytes| kilobytes * 1024);
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let groups = groups.lines().filter_map(group_path);
        let limits = groups.flat_map(|(files, path)| limits(files, Path::new(path)));
        match limits.min_by_key(|(limit, _)| *limit) {
            Some((limit, group)) if limit < machine => Self {
                limit: limit.max(1),
                group: Some(group),
            },
            _ => Self::of(machine),
        }
    }

    /// How much there is, in bytes.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// How much is in use, in bytes: of the control group without the file cache, or of this
    /// process.
    #[must_use]
    pub fn used(&self) -> u64 {
        let of_group = self.group.as_ref().and_then(Group::used);
        of_group.unwrap_or_else(resident)
    }

    /// What part of it so much is.
    #[must_use]
    pub fn percent(&self, used: u64) -> u64 {
        (u128::from(used) * 100 / u128::from(self.limit)) as u64
    }
}

/// Version and path of a line of `/proc/self/cgroup`, if the group may bound memory.
fn group_path(line: &str) -> Option<(&'static Files, &str)> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    if controllers.is_empty() {
        return Some((&SECOND, path));
    }
    let is_memory = controllers.split(',').any(|name| name == "memory");
    is_memory.then_some((&FIRST, path))
}

/// The limits of a group and of all that it is in. Seen from inside a container the path may be
/// that of the machine; then only the last of these is there.
fn limits(files: &'static Files, path: &Path) -> impl Iterator<Item = (u64, Group)> {
    path.ancestors().filter_map(move |path| {
        let inner = path.strip_prefix("/").ok()?;
        let folder = Path::new(files.root).join(inner);
        let text = fs::read_to_string(folder.join(files.limit)).ok()?;
        let limit = text.trim().parse().ok()?; // "max" is no limit
        let group = Group {
            used: folder.join(files.used),
            stat: folder.join("memory.stat"),
            files,
        };
        Some((limit, group))
    })
}

/// The number behind a name, in a text of lines.
fn line(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Resident memory of this process, in bytes; 0 when it cannot be read.
#[must_use]
pub fn resident() -> u64 {
    let pages = read("/proc/self/statm", |text| {
        text.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// Processor time of this process, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpu {
    /// Outside of the kernel.
    pub(super) user_s: f64,
    /// Inside of it.
    pub(super) system_s: f64,
}

/// How much of it was used since the start; zero when it cannot be read.
#[must_use]
pub(super) fn cpu() -> Cpu {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields are counted behind the name, which may hold spaces.
    let fields = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = fields.split(' ').skip(11);
    let mut ticks = ticks.map(|it| it.parse::<u64>().unwrap_or(0));
    let mut seconds =
        || ticks.next().unwrap_or(0) as f64 / rustix::param::clock_ticks_per_second() as f64;
    let (user_s, system_s) = (seconds(), seconds());
    Cpu { user_s, system_s }
}

/// How large this process is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Its address space.
    pub(super) virtual_bytes: u64,
    /// Its data segment.
    pub(super) data_bytes: u64,
}

/// Same; zero what cannot be read.
#[must_use]
pub(super) fn sizes() -> Sizes {
    let of = |name| read("/proc/self/status", |text| line(text, name)).unwrap_or(0) * 1024;
    Sizes {
        virtual_bytes: of("VmSize:"),
        data_bytes: of("VmData:"),
    }
}

/// What became of connections for which no listener had room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listens {
    /// The backlog was full.
    pub(super) overflows: u64,
    /// They were dropped, for that or another reason.
    pub(super) drops: u64,
}

/// Same, of all listeners of this network namespace since it was made: the kernel tells no other.
#[must_use]
pub(super) fn listens() -> Option<Listens> {
    let text = fs::read_to_string("/proc/net/netstat").ok()?;
    Some(Listens {
        overflows: counted(&text, "ListenOverflows")?,
        drops: counted(&text, "ListenDrops")?,
    })
}

/// A counter of TCP: one line has the names and the next the values.
fn counted(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split(' ').position(|it| it == name)?;
    values.split(' ').nth(at)?.parse().ok()
}

/// Open descriptors of this process.
#[must_use]
pub(super) fn open_fds() -> usize {
    let files = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    files.saturating_sub(1) // the one that reads them
}

/// Most descriptors that this process may have; nothing is no limit.
#[must_use]
pub fn max_fds() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_are_found() {
        assert_eq!(group_path("0::/a/b"), Some((&SECOND, "/a/b")));
        assert_eq!(group_path("7:cpu,memory:/a:b"), Some((&FIRST, "/a:b")));
        assert_eq!(group_path("3:cpuset:/"), None);
        assert_eq!(group_path(""), None);
    }

    #[test]
    fn the_machine_has_memory_and_this_process_uses_some() {
        let memory = Memory::of_machine();
        assert!(memory.limit() > 1 << 20 && memory.limit() < 1 << 50);
        assert!((1 << 20..memory.limit()).contains(&resident()));
        assert!(memory.used() > 0);
    }

    #[test]
    fn percents_are_of_the_limit() {
        let memory = Memory::of(200);
        assert_eq!(memory.percent(0), 0);
        assert_eq!(memory.percent(169), 84);
        assert_eq!(memory.percent(170), 85);
        assert_eq!(memory.percent(u64::MAX), (u128::from(u64::MAX) / 2) as u64);
        assert_eq!(Memory::of(0).percent(1), 100);
    }

    #[test]
    fn the_process_has_used_time_and_descriptors() {
        let cpu = cpu();
        assert!(cpu.user_s >= 0.0 && cpu.system_s >= 0.0);
        let sizes = sizes();
        assert!(sizes.virtual_bytes > sizes.data_bytes && sizes.data_bytes > 1 << 12);
        assert!(listens().is_some_and(|it| it.drops >= it.overflows));
        assert!(open_fds() >= 3);
        assert!(max_fds().is_none_or(|most| most >= 3));
    }

    #[test]
    fn a_groups_file_cache_does_not_count() {
        let folder = std::env::temp_dir().join(format!("shardcast-group-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let group = Group {
            used: folder.join("used"),
            stat: folder.join("stat"),
            files: &SECOND,
        };
        let memory = Memory {
            limit: 1000,
            group: Some(group),
        };
        assert!(
            memory.used() > 1000,
            "of the process: the files are not there"
        );
        fs::write(folder.join("used"), "900\n").unwrap();
        fs::write(
            folder.join("stat"),
            "anon 600\ninactive_file 250\nactive_file 50\n",
        )
        .unwrap();
        assert_eq!((memory.used(), memory.percent(memory.used())), (650, 65));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn counters_of_tcp_stand_below_their_names() {
        let text = "TcpExt: A ListenOverflows B\nTcpExt: 1 22 3\nIpExt: A\nIpExt: 9\n";
        assert_eq!(counted(text, "ListenOverflows"), Some(22));
        assert_eq!(counted(text, "ListenDrops"), None);
        assert_eq!(counted("", "A"), None);
    }

    #[test]
    fn numbers_are_found_by_their_name() {
        let text = "a 1\nMemTotal:       12 kB\ninactive_file 7\n";
        assert_eq!(line(text, "MemTotal:"), Some(12));
        assert_eq!(line(text, "inactive_file "), Some(7));
        assert_eq!(line(text, "b"), None);
    }
}
