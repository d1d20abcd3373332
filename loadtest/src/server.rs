//! What the server costs this machine, as /proc tells it.

use serde::Serialize;
use std::{fs, io};

/// Memory of one process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
        let text = fs::read_to_string(&path)
            .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
        Self::parse(&text).ok_or_else(|| io::Error::other(format!("{path}: not understood")))
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
        let memory = Memory::of(std::process::id()).unwrap();
        assert!(memory.resident >= memory.private && memory.private > 0);
        assert!(Memory::of(u32::MAX).is_err());
    }
}
