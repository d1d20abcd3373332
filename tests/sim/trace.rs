//! What happened, step by step, for a run that is replayed. Costs nothing in a run that is not.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// How many steps a failure shows.
pub const SHOWN: usize = 40;

/// The steps of one run.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// `None` when nobody will look.
    steps: Option<Rc<RefCell<VecDeque<String>>>>,
    /// Whether each step is printed when it happens.
    aloud: bool,
}

impl Trace {
    /// Keeps nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Keeps the last steps; prints all of them when `aloud`.
    pub fn on(aloud: bool) -> Self {
        Self {
            steps: Some(Rc::default()),
            aloud,
        }
    }

    /// Notes a step.
    pub fn step(&self, now_us: u64, text: impl FnOnce() -> String) {
        let Some(steps) = &self.steps else { return };
        let line = format!("{:>9} us  {}", now_us, text());
        if self.aloud {
            println!("{line}");
        }
        let mut steps = steps.borrow_mut();
        if steps.len() == SHOWN {
            steps.pop_front();
        }
        steps.push_back(line);
    }

    /// A text for a later step, unless nobody will look.
    pub fn shown(&self, text: impl FnOnce() -> String) -> Option<String> {
        self.steps.is_some().then(text)
    }

    /// The last steps, one a line.
    pub fn last(&self) -> Vec<String> {
        let steps = self.steps.as_ref();
        steps
            .map(|steps| steps.borrow().iter().cloned().collect())
            .unwrap_or_default()
    }
}
