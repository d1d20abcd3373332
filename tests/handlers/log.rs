//! What the whole program logs: one collector, since a program has only one.

use flume::{Receiver, Sender, bounded};
use std::io;
use std::sync::OnceLock;

/// Takes the lines: all of them, and warnings and errors once more.
#[derive(Clone)]
struct Log {
    all: Sender<String>,
    warnings: Sender<String>,
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes).into_owned();
        // A test that reads none leaves them here until there is no room.
        if line.contains(" WARN ") || line.contains(" ERROR ") {
            let _ = self.warnings.try_send(line.clone());
        }
        let _ = self.all.try_send(line);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log() -> &'static (Receiver<String>, Receiver<String>) {
    static LOG: OnceLock<(Receiver<String>, Receiver<String>)> = OnceLock::new();
    LOG.get_or_init(|| {
        let ((all, all_of), (warnings, warnings_of)) = (bounded(4_000), bounded(1_000));
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(move || Log {
                all: all.clone(),
                warnings: warnings.clone(),
            })
            .init();
        (all_of, warnings_of)
    })
}

/// Everything from INFO on.
pub fn lines() -> Receiver<String> {
    log().0.clone()
}

/// Warnings and errors.
pub fn warnings() -> Receiver<String> {
    log().1.clone()
}
