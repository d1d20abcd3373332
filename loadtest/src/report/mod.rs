//! What becomes of a run: a table for people, JSON and `.hgrm` for programs, a page for both, and
//! the verdict that the exit code tells.
//!
//! The outcome becomes a [`document::Document`]; every output is drawn from that and from nothing
//! else. What can go wrong with files is found before the load begins, as far as that can be.

mod chart;
pub mod compare;
pub mod document;
pub mod files;
mod hgrm;
mod html;
mod latency;
pub mod machine;
mod markup;
pub mod number;
mod options;
pub mod require;
mod run;
#[cfg(test)]
mod sample;
mod svg;
pub mod table;

pub use options::Options;
pub use run::{Report, Verdict};
