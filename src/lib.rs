//! wip
pub mod app;
pub mod id;
pub mod limits;
pub mod protocol;
pub mod ws;
pub mod hub;
