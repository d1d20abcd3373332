//! What is measured: each subject is made ready once and then takes the same step again and again.
//!
//! Two programs use them: `benches/timing.rs` takes the time, `benches/counts` the instructions. A
//! subject therefore does the same in each run and leaves everything as it found it: fixed hash
//! keys, no clock, no socket, no executor, no other thread. A step that scrambles its input begins
//! by copying it to where a read would have put it.

mod crowd;
mod http;
mod index;
mod mesh;
mod presence;
#[path = "../../tests/alloc/shards.rs"]
mod shards;
mod signed;
mod text;

/// One step of a subject that is ready.
pub type Step = Box<dyn FnMut()>;

/// Something to measure.
pub struct Subject {
    /// `GROUP/WHAT`.
    pub name: String,
    /// What one step works through, for rates.
    pub amount: Amount,
    ready: Box<dyn FnOnce() -> Step>,
}

/// What a step works through.
#[derive(Clone, Copy)]
pub enum Amount {
    /// One thing.
    One,
    /// So many bytes.
    Bytes(usize),
    /// So many elements: subscribers, members, messages.
    Elements(usize),
}

impl Subject {
    fn new<S: FnMut() + 'static>(
        name: impl Into<String>,
        ready: impl FnOnce() -> S + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            amount: Amount::One,
            ready: Box::new(|| Box::new(ready())),
        }
    }

    fn amount(self, amount: Amount) -> Self {
        Self { amount, ..self }
    }

    /// Makes it ready.
    pub fn ready(self) -> Step {
        (self.ready)()
    }
}

/// All of them, in the order of a message's walk.
pub fn all() -> Vec<Subject> {
    let mut subjects = Vec::new();
    text::add(&mut subjects);
    http::add(&mut subjects);
    signed::add(&mut subjects);
    index::add(&mut subjects);
    presence::add(&mut subjects);
    mesh::add(&mut subjects);
    crowd::add(&mut subjects);
    subjects
}
