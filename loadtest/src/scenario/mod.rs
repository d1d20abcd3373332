//! The loads that can be put on a server, one file each, and what drives them.

pub mod drive;
pub mod fan_out;

