//! One core: its executor, its tasks, its turn.
//!
//! A turn is whatever the executor runs between two looks at the ring. Tasks that were woken by
//! I/O run first; the task that ends the turn was woken by them and runs after them: it tells
//! homes what changed, writes each dirty socket once, and rings the bells of other shards.

mod calls;
mod door;
mod pump;
mod reload;
mod rooms;
mod run;
mod serve;
mod stop;
mod stream;
mod visitors;

pub use door::{Door, run_in_memory};
pub use run::{Place, Routes, Setup, run};
pub use visitors::Doors;
