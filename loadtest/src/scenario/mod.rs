//! The loads that can be put on a server, one file each, and what drives them.

pub mod client_events;
pub mod connect;
pub mod depart;
pub mod drive;
pub mod fan_out;
pub mod idle;
pub mod mixed;
pub mod presence;
pub mod publish;
pub mod restart;
