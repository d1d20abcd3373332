//! A control group with little memory, for one row's server: the kernel kills who takes more.
//!
//! Needs root and a file system of control groups that can be written to, of either version. A
//! container may have neither.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// A group that is there until it is dropped, by when nobody may be in it.
pub struct Group(PathBuf);

impl Group {
    /// One that may use so many bytes; `None` where there can be none.
    pub fn new(row: &str, bytes: u64) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let of_memory = own.lines().find_map(|line| line.split_once(":memory:"));
        let (root, limit, path) = match of_memory {
            Some((_, path)) => (format!("{ROOT}/memory"), "memory.limit_in_bytes", path),
            None => {
                let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
                (ROOT.to_owned(), "memory.max", path)
            }
        };
        let name = format!("shardcast-{row}-{}", std::process::id());
        // Seen from inside a container the path may be that of the machine.
        let inner = Path::new(&root).join(path.trim_start_matches('/'));
        let folders = [inner, PathBuf::from(root)];
        folders.into_iter().find_map(|folder| {
            let group = Self(folder.join(&name));
            fs::create_dir(&group.0).ok()?;
            // Not all of version 2 that can be made bound memory.
            fs::write(group.0.join(limit), bytes.to_string()).ok()?;
            Some(group)
        })
    }

    /// The script of a server that is in it.
    pub fn script(&self) -> String {
        format!(
            "echo $$ > '{}/cgroup.procs' && exec \"$@\"",
            self.0.display()
        )
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
