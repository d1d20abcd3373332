//! Runs this program under valgrind: once for each subject, so that none leaves its heap to the
//! next, and each time in the same surroundings.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Instructions of the counted steps of each subject, all steps together.
pub fn count(names: &[String]) -> Result<Vec<(String, u64)>, String> {
    let folder = folder()?;
    std::fs::create_dir_all(&folder).map_err(|error| format!("{folder:?}: {error}"))?;
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(String, u64)>, String> {
        let mut counts = Vec::new();
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            counts.push((name.clone(), count_one(name, &folder)?));
        }
        Ok(counts)
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let mut running = Vec::new();
        for _ in 0..workers {
            running.push(scope.spawn(work));
        }
        let mut counts = Vec::new();
        for worker in running {
            counts.extend(worker.join().expect("workers return their errors")?);
        }
        Ok(counts)
    })
}

/// Where the profiles are left.
pub fn folder() -> Result<PathBuf, String> {
    let (folder, _) = program()?;
    Ok(folder.join("callgrind"))
}

fn count_one(name: &str, folder: &Path) -> Result<u64, String> {
    let profile = folder.join(format!("{}.out", name.replace('/', ".")));
    let options = [
        "--tool=callgrind".to_owned(),
        format!("--callgrind-out-file={}", profile.display()),
        // Nothing is counted but what this function calls; the name may be mangled.
        "--toggle-collect=*counted_steps*".to_owned(),
    ];
    run(&options, &["step", name])?;
    let text =
        std::fs::read_to_string(&profile).map_err(|error| format!("{profile:?}: {error}"))?;
    match total(&text) {
        Some(total) if total > 0 => Ok(total),
        _ => Err(format!(
            "{profile:?}: callgrind did not find the steps to count"
        )),
    }
}

fn total(profile: &str) -> Option<u64> {
    let line = |line: &str| line.strip_prefix("totals: ").map(str::to_owned);
    profile.lines().find_map(line)?.trim().parse().ok()
}

/// Runs this program under valgrind.
///
/// The stack begins with arguments and environment, and copies of bytes cost a few instructions
/// more or less by where they lie: so the environment is empty but for one fixed entry, and the
/// program is named from its own folder.
pub fn run(options: &[String], args: &[&str]) -> Result<Output, String> {
    let (folder, program) = program()?;
    let mut command = Command::new("valgrind");
    command
        .args(options)
        .arg(format!("./{program}"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin");
    let output = command.output().map_err(|error| {
        format!("valgrind: {error} (scripts/setup-system.sh installs what the tests need)")
    })?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!(
            "valgrind, {args:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

fn program() -> Result<(PathBuf, String), String> {
    let path = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => Ok((folder.to_owned(), name.to_string_lossy().into_owned())),
        _ => Err(format!("{path:?} is no program in a folder")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_stands_in_the_profile() {
        let profile = "version: 1\nevents: Ir\nfn=(1) a\n12 7\ntotals: 6198\n";
        assert_eq!(total(profile), Some(6198));
        assert_eq!(total("events: Ir\n"), None);
        assert_eq!(total("totals: many\n"), None);
    }
}
