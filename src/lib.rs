//! wip
pub mod app;
pub mod conn;
pub mod crossing;
pub mod http;
pub mod hub;
pub mod id;
pub mod limits;
pub mod mesh;
pub mod protocol;
pub mod timer;
pub mod ws;
