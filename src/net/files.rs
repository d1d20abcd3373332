//! Files below a directory, read without holding up the shard.
//!
//! A path is walked on the executor's thread for blocking calls, by one `openat2` that the kernel
//! keeps below the directory: neither `..` nor a symbolic link leads out of it. That call opens
//! nothing for reading; what it finds is opened and read over io_uring.
//!
//! On another runtime than glommio, which is one for tests, all of that blocks instead.

use super::tasks;
use glommio::io::{BufferedFile, ReadResult};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;
use std::fmt;
use std::fs;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// How often a path is walked again when a directory was renamed meanwhile.
const TRIES: u32 = 8;

/// A directory.
#[derive(Clone, Debug)]
pub struct Root {
    dir: Arc<OwnedFd>,
}

/// What a path leads to.
#[derive(Debug)]
pub enum Entry {
    /// A regular file.
    File(Found),
    /// A directory.
    Directory,
    /// Nothing, or nothing that is served: a way out of the root, a device, a pipe.
    Nothing,
}

/// A regular file that was found, and not opened yet.
pub struct Found {
    path_only: OwnedFd,
    /// Bytes of it.
    pub length: u64,
    /// When it was changed last, in seconds since 1970; 0 for earlier times.
    pub modified_s: u64,
    /// Nanoseconds of that second.
    pub modified_ns: u32,
    /// Which of the endings that were asked for its name has.
    pub ending: Option<&'static str>,
}

impl Root {
    /// A directory, named by its path. Blocks: for the time before a shard accepts.
    ///
    /// # Errors
    /// When there is no such directory, or the kernel or a sandbox has no `openat2`.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = open(dir, flags, Mode::empty())?;
        walk(&dir, ".")?;
        let dir = Arc::new(dir);
        Ok(Self { dir })
    }

    /// Looks for a path below the directory: for a file beside the one it leads to, whose name has
    /// the first of these endings for which there is one, or else for that one.
    ///
    /// # Errors
    /// What the kernel says, but that there is nothing or nothing that may be seen.
    pub async fn find(&self, path: String, endings: Vec<&'static str>) -> io::Result<Entry> {
        let dir = Arc::clone(&self.dir);
        if tasks::is_glommio() {
            return glommio::executor()
                .spawn_blocking(move || find(&dir, &path, &endings))
                .await;
        }
        find(&dir, &path, &endings)
    }
}

fn find(dir: &OwnedFd, path: &str, endings: &[&'static str]) -> io::Result<Entry> {
    let mut entry = look(dir, path)?;
    if let Entry::File(plain) = &mut entry {
        for ending in endings {
            if let Entry::File(mut found) = look(dir, &format!("{path}{ending}"))? {
                found.ending = Some(ending);
                *plain = found;
                break;
            }
        }
    }
    Ok(entry)
}

/// What one path leads to.
fn look(dir: &OwnedFd, path: &str) -> io::Result<Entry> {
    let path_only = match walk(dir, path) {
        Ok(path_only) => path_only,
        // XDEV is a way out of the root.
        Err(
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::XDEV
            | Errno::LOOP
            | Errno::ACCESS
            | Errno::NAMETOOLONG,
        ) => return Ok(Entry::Nothing),
        Err(error) => return Err(error.into()),
    };
    let stat = fstat(&path_only)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Entry::File(Found {
            path_only,
            length: u64::try_from(stat.st_size).unwrap_or(0),
            modified_s: u64::try_from(stat.st_mtime).unwrap_or(0),
            modified_ns: stat.st_mtime_nsec as u32, // below 10^9
            ending: None,
        }),
        FileType::Directory => Entry::Directory,
        _ => Entry::Nothing,
    })
}

fn walk(dir: &OwnedFd, path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut outcome = Err(Errno::AGAIN);
    for _ in 0..TRIES {
        outcome = openat2(dir.as_fd(), path, flags, Mode::empty(), resolve);
        if !matches!(outcome, Err(Errno::AGAIN)) {
            break;
        }
    }
    outcome
}

impl Found {
    /// Opens it for reading.
    ///
    /// # Errors
    /// What the kernel says; `PermissionDenied` when the server may not read it.
    pub async fn open(&self) -> io::Result<File> {
        // The very file that was found, whatever its path leads to by now. Not `self`: the kernel
        // may open it from a worker.
        let (process, number) = (std::process::id(), self.path_only.as_raw_fd());
        let path = format!("/proc/{process}/fd/{number}");
        let opened = match tasks::is_glommio() {
            true => Opened::OnRing(BufferedFile::open(path).await.map_err(io::Error::from)?),
            false => Opened::Blocking(fs::File::open(path)?),
        };
        Ok(File(opened))
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("length", &self.length)
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}

/// A file that is open for reading.
#[derive(Debug)]
pub struct File(Opened);

#[derive(Debug)]
enum Opened {
    OnRing(BufferedFile),
    Blocking(fs::File),
}

/// Bytes of a file.
enum Bytes {
    OnRing(ReadResult),
    Blocking(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::OnRing(bytes) => bytes,
            Self::Blocking(bytes) => bytes,
        }
    }
}

impl File {
    /// Reads so many bytes at a place, or fewer; nothing at the end.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn read(
        &self,
        at: u64,
        size: usize,
    ) -> io::Result<impl Deref<Target = [u8]> + use<>> {
        Ok(match &self.0 {
            Opened::OnRing(file) => {
                let read = file.read_at(at, size).await;
                Bytes::OnRing(read.map_err(io::Error::from)?)
            }
            Opened::Blocking(file) => {
                let mut bytes = vec![0; size];
                let count = file.read_at(&mut bytes, at)?;
                bytes.truncate(count);
                Bytes::Blocking(bytes)
            }
        })
    }

    /// Closes it.
    pub async fn close(self) {
        if let Opened::OnRing(file) = self.0
            && let Err(error) = file.close().await
        {
            tracing::debug!(%error, "a file could not be closed");
        }
    }
}
