//! Bytes and what they mean: frames, answers, signatures, marks. Nothing here waits or reads.

pub mod frame;
pub mod http;
pub mod mark;
pub mod sign;
