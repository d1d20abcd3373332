//! Tells the program which commit it is built from: `SHARDCAST_COMMIT`, or what git says of a
//! release. A build for tests says "unknown", so that not every commit builds everything anew.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=SHARDCAST_COMMIT");
    let told = std::env::var("SHARDCAST_COMMIT").ok();
    let told = told.filter(|commit| !commit.is_empty());
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let asked = || is_release.then(commit).flatten();
    let commit = told.or_else(asked);
    let commit = commit.as_deref().unwrap_or("unknown");
    println!("cargo::rustc-env=SHARDCAST_COMMIT={commit}");
}

/// What is checked out in this directory, if it is a clone.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    // Packed into another project's tree it is not that project's commit that counts.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = std::env::var("CARGO_MANIFEST_DIR").ok()?;
    if Path::new(&top).canonicalize().ok()? != Path::new(&here).canonicalize().ok()? {
        return None;
    }
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        println!("cargo::rerun-if-changed={path}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}
