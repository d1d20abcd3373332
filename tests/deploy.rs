//! What `deploy/` brings is good: the unit of systemd, the profile of seccomp, the dashboard. What
//! takes a system of its own, such as installing the package, is in `make test-package`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "deploy/dashboard.rs"]
mod dashboard;
#[path = "deploy/profile.rs"]
mod profile;
#[path = "deploy/promtool.rs"]
mod promtool;
mod support;
#[path = "deploy/unit.rs"]
mod unit;

use std::path::{Path, PathBuf};

/// The path of a file of `deploy/`.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}

/// The text of a file of `deploy/`.
fn text(name: &str) -> String {
    let path = path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A folder that is gone when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("shardcast-deploy-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file in it.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
