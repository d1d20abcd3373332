//! How a server ended, for as many as want to know, on whatever thread they wait.

use super::thread::Outcome;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, OnceLock};

type Noted = Result<Outcome, (io::ErrorKind, String)>;

/// The control thread's end: says how it ended. When it is dropped without a word, the control
/// thread has panicked.
#[derive(Debug)]
pub struct Ending {
    noted: Arc<OnceLock<Noted>>,
    /// Nothing is ever sent: what wakes those who wait is its end.
    _over: flume::Sender<Infallible>,
}

/// The waiters' end. Each clone sees the outcome.
#[derive(Clone, Debug)]
pub struct Ended {
    noted: Arc<OnceLock<Noted>>,
    over: flume::Receiver<Infallible>,
}

/// Makes both ends.
#[must_use]
pub fn ending() -> (Ending, Ended) {
    let (sender, over) = flume::bounded(1);
    let noted = Arc::default();
    let ending = Ending {
        noted: Arc::clone(&noted),
        _over: sender,
    };
    (ending, Ended { noted, over })
}

impl Ending {
    /// The server has ended.
    pub fn note(self, outcome: io::Result<Outcome>) {
        let outcome = outcome.map_err(|error| (error.kind(), error.to_string()));
        self.noted.set(outcome).expect("noted by nobody else");
    }
}

impl Ended {
    /// Stops this thread until the server has ended.
    ///
    /// # Errors
    /// What kept the control thread from running.
    ///
    /// # Panics
    /// When the control thread panicked.
    pub fn wait(&self) -> io::Result<Outcome> {
        let _ = self.over.recv(); // the only thing that can come is its end
        self.outcome()
    }

    /// As [`Ended::wait`], for tasks: it needs no runtime of its own.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub async fn until(&self) -> io::Result<Outcome> {
        self.over().await;
        self.outcome()
    }

    /// Pending until the control thread has ended, however it did.
    pub async fn over(&self) {
        let _ = self.over.recv_async().await; // the only thing that can come is its end
    }

    /// Whether the control thread has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.is_disconnected()
    }

    fn outcome(&self) -> io::Result<Outcome> {
        let noted = self.noted.get().expect("the control thread does not panic");
        noted
            .clone()
            .map_err(|(kind, text)| io::Error::new(kind, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_waiter_hears_of_the_end_and_so_does_who_asks_later() {
        let (ending, ended) = ending();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let ended = ended.clone();
                std::thread::spawn(move || ended.wait())
            })
            .collect();
        assert!(!ended.is_over());
        ending.note(Ok(Outcome::Cut));
        assert!(ended.is_over());
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap().unwrap(), Outcome::Cut);
        }
        assert_eq!(ended.wait().unwrap(), Outcome::Cut);
    }

    #[test]
    fn a_failure_is_told_to_each() {
        let (ending, ended) = ending();
        ending.note(Err(io::Error::new(io::ErrorKind::OutOfMemory, "no room")));
        for _ in 0..2 {
            let error = ended.wait().unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string()),
                (io::ErrorKind::OutOfMemory, "no room".into())
            );
        }
    }

    #[test]
    #[should_panic(expected = "the control thread does not panic")]
    fn a_control_thread_that_panicked_is_no_outcome() {
        let (ending, ended) = ending();
        drop(ending);
        let _ = ended.wait();
    }
}
