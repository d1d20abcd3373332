//! The REST API (section 8): routes to answers, after the request has proved who sent it.

mod auth;
mod batch;
mod channels;
mod demo;
mod events;
mod route;
mod users;

pub use auth::{Refused, authenticate};

pub(super) use route::not_found;
