//! What a shard counts, and how what was counted becomes text. Every metric has its name, its kind
//! and its meaning in one table.

pub mod counters;
pub mod names;
pub mod page;

pub use counters::{Closed, Count, Counters, TIME_BOUNDS_US, Time, Times, Totals};
pub use names::{ALL, Kind, Name};
pub use page::Page;
