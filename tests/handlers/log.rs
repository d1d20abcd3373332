//! What the whole program logs: one collector, since a program has only one.

#![allow(
    clippy::disallowed_types,
    reason = "tests of one program run on threads of their own"
)]

use flume::{Receiver, Sender, bounded};
use std::io;
use std::sync::{Mutex, OnceLock};

/// Takes the lines: all of them, and warnings and errors once more.
#[derive(Clone)]
struct Log {
    all: Sender<String>,
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes).into_owned();
        // A test that reads none leaves them here until there is no room.
        if line.contains(" WARN ") || line.contains(" ERROR ") {
            for watching in WATCHING.lock().expect("nobody panics with it").iter() {
                let _ = watching.try_send(line.clone());
            }
        }
        let _ = self.all.try_send(line);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Who wants warnings and errors, each for itself.
static WATCHING: Mutex<Vec<Sender<String>>> = Mutex::new(Vec::new());

fn log() -> &'static Receiver<String> {
    static LOG: OnceLock<Receiver<String>> = OnceLock::new();
    LOG.get_or_init(|| {
        let (all, all_of) = bounded(4_000);
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(move || Log { all: all.clone() })
            .init();
        all_of
    })
}

/// Everything from INFO on.
pub fn lines() -> Receiver<String> {
    log().clone()
}

/// Warnings and errors from here on, whoever else reads them too.
pub fn warnings() -> Receiver<String> {
    log();
    let (to, from) = bounded(1_000);
    let mut watching = WATCHING.lock().expect("nobody panics with it");
    watching.push(to);
    from
}
