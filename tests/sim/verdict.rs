//! How an oracle speaks: it stops the run with a [`Violation`] that says which promise was broken.
//!
//! A violation travels as a panic's payload, so that a panic of the hub itself, which breaks a
//! promise too, ends a run the same way. The caller of a run catches both.

use std::any::Any;

/// What is promised, one word for each kind of check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oracle {
    /// A subscriber gets its channel's home order without a gap, and each entry once (S4, S15).
    Run,
    /// An excluded connection gets nothing (S13, CE1).
    Excluded,
    /// Nothing comes before `succeeded` or after the unsubscription.
    Period,
    /// One subscribe has one answer, and the right one (S1, S5, S8).
    Reply,
    /// A client's view of a presence channel is right on the way (P1 to P5), and the number of
    /// subscribers it was last told is right at rest.
    View,
    /// What is published reaches the home once and unchanged, or is refused in words.
    Publish,
    /// At rest, what was asked is what a simple model says.
    Answer,
    /// Places of an app are never overdrawn and all given back.
    Quota,
    /// At rest no table holds more than the living need.
    Leak,
    /// What webhooks would be told is true, and no edge is told twice (K5).
    Told,
    /// Effects name only what exists; the turn's end has work only when it says so.
    Sane,
    /// The hub panicked.
    Panic,
}

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Whose check it was.
    pub oracle: Oracle,
    /// What happened.
    pub text: String,
}

impl Violation {
    /// Reads what a run panicked with.
    pub fn caught(payload: Box<dyn Any + Send>) -> Self {
        let text = match payload.downcast::<Violation>() {
            Ok(violation) => return *violation,
            Err(other) => match other.downcast::<String>() {
                Ok(text) => *text,
                Err(other) => other
                    .downcast_ref::<&str>()
                    .map_or("?", |text| text)
                    .to_owned(),
            },
        };
        Self {
            oracle: Oracle::Panic,
            text,
        }
    }
}

/// Ends the run.
pub fn violated(oracle: Oracle, text: String) -> ! {
    std::panic::panic_any(Violation { oracle, text })
}

/// Ends the run unless a promise holds.
macro_rules! promise {
    ($oracle:ident, $holds:expr, $($text:tt)+) => {
        if !$holds {
            $crate::verdict::violated($crate::verdict::Oracle::$oracle, format!($($text)+));
        }
    };
}

/// The value that must be there; without it the run ends.
macro_rules! promised {
    ($oracle:ident, $value:expr, $($text:tt)+) => {
        match $value {
            Some(value) => value,
            None => $crate::verdict::violated(
                $crate::verdict::Oracle::$oracle,
                format!($($text)+),
            ),
        }
    };
}
pub(crate) use {promise, promised};
