//! Deadlines by tick. The clock is a parameter.

pub mod wheel;

pub use wheel::Wheel;
