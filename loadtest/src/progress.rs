//! How far a scenario is, for the person who waits.

/// Bars on a terminal, nothing on a pipe.
#[derive(Debug, Default)]
pub struct Progress {}

impl Progress {
    /// A new phase begins; `total` is how many steps it has, when that is known.
    pub fn phase(&mut self, name: &str, total: Option<u64>) {
        let _ = (name, total);
    }

    /// So many steps are done; `detail` is what stands beside the bar. Called a few times a second.
    pub fn at(&mut self, done: u64, detail: &str) {
        let _ = (done, detail);
    }

    /// Takes the bars off the screen.
    pub fn end(&mut self) {}
}
