//! What stands between a row and its server: a line of the shell, for what only whoever starts a
//! program can do. The server itself takes the shell's place then, with its number.

use crate::process::connect;
use std::env;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// Words for [`Plan::by`](crate::scene::Plan::by): the script finds the program and its arguments
/// in `"$@"`, and ends with an `exec` of that.
pub fn by(script: &str) -> [&str; 4] {
    ["sh", "-c", script, "sh"]
}

/// A file that the server's log goes to, so that a row can read it while the server runs. It is
/// gone when this is dropped.
pub struct Log(PathBuf);

impl Log {
    /// An empty one.
    pub fn new(row: &str) -> Self {
        let name = format!("shardcast-{row}-{}.log", std::process::id());
        let path = env::temp_dir().join(name);
        fs::write(&path, "").unwrap();
        Self(path)
    }

    /// The script of a server whose log goes here.
    pub fn script(&self) -> String {
        format!("exec \"$@\" 2>>'{}'", self.0.display())
    }

    /// The script of another program in the server's place, whose log goes here. Where it panics
    /// it looks for no names: that takes a shard half a second, and memory that is kept.
    pub fn script_of(&self, program: &Path) -> String {
        format!(
            "shift && set -- env RUST_BACKTRACE=0 '{}' \"$@\" && {}",
            program.display(),
            self.script()
        )
    }

    /// All that it has logged so far.
    pub fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }

    /// How many lines with this in it there are.
    pub fn count(&self, part: &str) -> usize {
        self.text()
            .lines()
            .filter(|line| line.contains(part))
            .count()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The example whose handlers panic and block: the one that is named, such as a release, or else
/// the one beside this program, if it has been built.
pub fn mishaps() -> PathBuf {
    let beside = || {
        let own = env::current_exe().unwrap();
        own.parent()
            .unwrap()
            .parent()
            .unwrap()
            .join("examples/mishaps")
    };
    let path = env::var_os("SHARDCAST_MISHAPS").map_or_else(beside, PathBuf::from);
    assert!(
        path.exists(),
        "{}: run `cargo build --example mishaps`",
        path.display()
    );
    path
}

/// A free port that the kernel gives to nobody who does not ask for it by its number: a server has
/// to have it again.
pub fn port_of_our_own() -> u16 {
    let first = 10_000 + (std::process::id() % 20_000) as u16;
    let mut ports = first..32_000;
    ports
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("some port is free")
}

/// Whether so many newcomers in a row are all served: a listener that nobody serves would keep some
/// of them waiting.
pub fn serves_newcomers(address: SocketAddr) -> bool {
    const NEWCOMERS: usize = 30;
    (0..NEWCOMERS).all(|_| connect(address).is_some())
}
