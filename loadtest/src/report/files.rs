//! The files of a run: whether they can be written is asked before the load, not after it.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Makes sure that a file can be written, and leaves everything as it was.
///
/// # Errors
/// When it cannot; the error names the path.
pub fn check_writable(path: &Path) -> io::Result<()> {
    let outcome = match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(ErrorKind::IsADirectory.into()),
        // What is there is kept until there is something to put in its place.
        Ok(there) if there.is_file() => OpenOptions::new().append(true).open(path).map(drop),
        // Who reads from a pipe would take a first look for the end of it.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = OpenOptions::new().write(true).create_new(true).open(path);
            made.and_then(|_| fs::remove_file(path))
        }
        Err(error) => Err(error),
    };
    outcome.map_err(|error| named(path, &error))
}

/// Makes a directory where there is none, and makes sure that files can be made in it.
///
/// # Errors
/// When they cannot; the error names the path.
pub fn check_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path).map_err(|error| named(path, &error))?;
    check_writable(&path.join(format!(".loadtest-{}", std::process::id())))
}

/// Writes a whole file.
///
/// # Errors
/// When that fails; the error names the path.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text).map_err(|error| named(path, &error))
}

/// Whether two paths lead to the same file. A device, such as /dev/null, takes any number of
/// outputs.
pub fn same(left: &Path, right: &Path) -> bool {
    fn real(path: &Path) -> Option<PathBuf> {
        match fs::metadata(path) {
            Ok(there) if there.is_file() => fs::canonicalize(path).ok(),
            Ok(_) => None,
            Err(_) => {
                let parent = path
                    .parent()
                    .filter(|parent| !parent.as_os_str().is_empty());
                let parent = fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()?;
                Some(parent.join(path.file_name()?))
            }
        }
    }
    real(left).is_some_and(|left| Some(left) == real(right))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot write {}: {error}", path.display()),
    )
}
