//! The loads that can be put on a server, one file each.

pub mod idle;
