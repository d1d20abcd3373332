//! The end of a supervisor's socket: what a server says there, message by message.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The fields of one message.
pub type Told = BTreeMap<String, String>;

/// A socket as systemd has it; gone when it is dropped.
pub struct Supervisor {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Supervisor {
    /// One for this test.
    pub fn new(test: &str) -> Self {
        let name = format!("shardcast-{test}-{}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a free path");
        Self { socket, path }
    }

    /// Has a command tell it, within a watchdog's time if one is given.
    pub fn supervise(&self, command: &mut Command, watchdog: Option<Duration>) {
        command.env("NOTIFY_SOCKET", &self.path);
        if let Some(time) = watchdog {
            command.env("WATCHDOG_USEC", time.as_micros().to_string());
        }
    }

    /// The next message, if one comes within a time.
    pub fn next_within(&self, time: Duration) -> Option<Told> {
        self.socket.set_read_timeout(Some(time)).expect("not zero");
        let mut buffer = [0; 4096];
        let size = match self.socket.recv(&mut buffer) {
            Ok(size) => size,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => panic!("{error}"),
        };
        let text = std::str::from_utf8(&buffer[..size]).expect("text");
        let fields = text.lines().map(|line| {
            let (name, value) = line.split_once('=').expect("NAME=VALUE");
            (name.to_owned(), value.to_owned())
        });
        Some(fields.collect())
    }

    /// The next message that is no ping of the watchdog.
    #[track_caller]
    pub fn next(&self) -> Told {
        loop {
            let told = self.next_within(Duration::from_secs(20));
            let told = told.expect("the server says something");
            if !told.contains_key("WATCHDOG") {
                return told;
            }
        }
    }

    /// Whether nothing waits.
    pub fn is_quiet(&self) -> bool {
        self.next_within(Duration::from_millis(1)).is_none()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
