//! The way of log lines to the standard error: a bounded queue and one thread that writes.
//!
//! Whoever reads the log may stop reading. Who logs never waits for that: past the queue's limits
//! lines are dropped and counted, and the log says so where they are missing.

use crate::limits::{LOG_END_MS, LOG_QUEUE_BYTES, LOG_QUEUE_LINES};
use flume::{Receiver, Sender, TryRecvError};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that are joined into one write.
const JOINED: usize = 64 * 1024;

/// Where lines are left to be written.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    queue: Sender<Entry>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Bytes in the queue.
    waiting: AtomicUsize,
    /// Lines that nobody will see.
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Entry {
    Line(Box<[u8]>),
    /// Somebody wants to know when all before this was written.
    Mark(Sender<()>),
}

/// What says in the log's own format, that so many lines are missing.
pub(super) type Tell = fn(lines: u64) -> String;

impl Lines {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub(super) fn start<W>(out: W, tell: Tell) -> io::Result<Self>
    where
        W: Write + AsFd + Send + 'static,
    {
        let (queue, from) = flume::bounded(LOG_QUEUE_LINES);
        let counts = Arc::<Counts>::default();
        let writer = Writer {
            from,
            out,
            counts: Arc::clone(&counts),
            tell,
            joined: Vec::new(),
            told: 0,
            before_gap: None,
        };
        let thread = thread::Builder::new().name("log".into());
        thread.spawn(|| writer.run())?;
        Ok(Self { queue, counts })
    }

    /// How many lines were dropped so far.
    pub(super) fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.counts.dropped)
    }

    /// Leaves a line, line break included, or drops it.
    pub(super) fn leave(&self, line: &[u8]) {
        let Counts { waiting, dropped } = &*self.counts;
        let before = waiting.fetch_add(line.len(), Ordering::Relaxed);
        let has_room = before + line.len() <= LOG_QUEUE_BYTES;
        if !(has_room && self.queue.try_send(Entry::Line(line.into())).is_ok()) {
            waiting.fetch_sub(line.len(), Ordering::Relaxed);
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Leaves what must not be missing, for who may wait: for as long as [`LOG_END_MS`].
    pub(super) fn leave_last(&self, line: &[u8]) {
        (self.counts.waiting).fetch_add(line.len(), Ordering::Relaxed);
        let wait = Duration::from_millis(LOG_END_MS);
        let _ = self.queue.send_timeout(Entry::Line(line.into()), wait); // nobody reads
    }

    /// Waits until all that was left before is written, but not for longer than
    /// [`LOG_END_MS`].
    pub(super) fn flush(&self) {
        let until = Instant::now() + Duration::from_millis(LOG_END_MS);
        let (mark, reached) = flume::bounded(1);
        if self.queue.send_deadline(Entry::Mark(mark), until).is_ok() {
            let _ = reached.recv_deadline(until); // nobody reads, and there is nobody to tell
        }
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.leave(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

/// The thread's own part.
struct Writer<W> {
    from: Receiver<Entry>,
    out: W,
    counts: Arc<Counts>,
    tell: Tell,
    joined: Vec<u8>,
    /// How many dropped lines the log has told of.
    told: u64,
    /// Entries of the queue in front of the place where lines are missing.
    before_gap: Option<usize>,
}

impl<W: Write + AsFd> Writer<W> {
    fn run(mut self) {
        while let Ok(entry) = self.from.recv() {
            let mut mark = self.take(entry);
            while mark.is_none() && self.joined.len() < JOINED {
                match self.from.try_recv() {
                    Ok(entry) => mark = self.take(entry),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            self.write();
            if mark.is_some() || self.before_gap == Some(0) {
                self.tell();
                self.write();
            }
            if let Some(mark) = mark {
                let _ = mark.send(()); // who wanted to know may have gone
            }
        }
        self.tell();
        self.write();
    }

    /// Takes over an entry of the queue; gives the mark, if it is one.
    fn take(&mut self, entry: Entry) -> Option<Sender<()>> {
        match self.before_gap {
            Some(0) => self.tell(),
            Some(before) => self.before_gap = Some(before - 1),
            None => {}
        }
        match entry {
            Entry::Line(line) => {
                (self.counts.waiting).fetch_sub(line.len(), Ordering::Relaxed);
                self.joined.extend_from_slice(&line);
                None
            }
            Entry::Mark(mark) => Some(mark),
        }
    }

    /// Adds a line about lines that are not there, if there are any that it was not said of.
    fn tell(&mut self) {
        self.before_gap = None;
        let dropped = self.counts.dropped.load(Ordering::Relaxed);
        let untold = dropped - self.told;
        if untold > 0 {
            self.told = dropped;
            self.joined.extend((self.tell)(untold).into_bytes());
        }
    }

    fn write(&mut self) {
        let written = write_all(&mut self.out, &self.joined);
        if let Err(from) = written {
            let lost = self.joined[from..].iter().filter(|byte| **byte == b'\n');
            (self.counts.dropped).fetch_add(lost.count() as u64, Ordering::Relaxed);
        }
        self.joined.clear();
        let dropped = self.counts.dropped.load(Ordering::Relaxed);
        // Nothing is told to who has gone: that would be lost, too.
        if written.is_ok() && self.before_gap.is_none() && dropped > self.told {
            self.before_gap = Some(self.from.len());
        }
    }
}

/// Writes all of it, however long that takes.
///
/// # Errors
/// From where on it could not be written, as when who reads has gone.
fn write_all(out: &mut (impl Write + AsFd), bytes: &[u8]) -> Result<(), usize> {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => return Err(written),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // Others may have the same file, and have made it one that does not wait.
                let _ = poll(&mut [PollFd::new(out, PollFlags::OUT)], None); // the write tells
            }
            Err(_) => return Err(written),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{PipeReader, Read, pipe};

    fn start() -> (Lines, PipeReader) {
        let (reader, writer) = pipe().unwrap();
        let lines = Lines::start(writer, |lines| format!("{lines} are missing\n")).unwrap();
        (lines, reader)
    }

    fn dropped(lines: &Lines) -> u64 {
        lines.dropped().load(Ordering::Relaxed)
    }

    /// Reads until the pipe ends, which it does when the queue does.
    fn rest(lines: Lines, mut reader: PipeReader) -> String {
        drop(lines);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn lines_are_written_in_their_order_and_flushed() {
        let (lines, mut reader) = start();
        for at in 0..1000 {
            lines.leave(format!("{at}\n").as_bytes());
        }
        lines.flush();
        let wanted: String = (0..1000).map(|at| format!("{at}\n")).collect();
        let mut got = vec![0; wanted.len()];
        reader.read_exact(&mut got).unwrap();
        assert_eq!(got, wanted.as_bytes());
        assert_eq!((dropped(&lines), rest(lines, reader)), (0, String::new()));
    }

    #[test]
    fn what_nobody_reads_is_bounded_and_what_is_missing_is_told_where_it_is() {
        let (lines, reader) = start();
        let line = [[b'x'; 1023].as_slice(), b"\n"].concat();
        let began = Instant::now();
        while dropped(&lines) < 100 {
            lines.leave(&line);
        }
        assert!(lines.counts.waiting.load(Ordering::Relaxed) <= LOG_QUEUE_BYTES);
        // Nobody waits for long for what nobody reads.
        lines.flush();
        assert!(began.elapsed() < Duration::from_millis(20 * LOG_END_MS));
        let text = rest(lines, reader);
        let found: Vec<&str> = text.lines().collect();
        let most = (LOG_QUEUE_BYTES + 4 * JOINED) / line.len();
        assert!((LOG_QUEUE_BYTES / line.len()..most).contains(&found.len()));
        assert_eq!(found.last(), Some(&"100 are missing"));
        let told = found.iter().filter(|line| line.ends_with("are missing"));
        assert_eq!(told.count(), 1);
    }

    #[test]
    fn short_lines_are_bounded_by_their_number() {
        let (lines, reader) = start();
        while dropped(&lines) == 0 {
            lines.leave(b"\n");
        }
        // One may be on its way from the queue into the pipe.
        assert!(lines.counts.waiting.load(Ordering::Relaxed) <= LOG_QUEUE_LINES + 1);
        drop(reader);
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let (lines, reader) = start();
        drop(reader);
        lines.leave(b"a\n");
        lines.leave(b"b\n");
        lines.flush();
        assert!(dropped(&lines) >= 2);
    }
}
