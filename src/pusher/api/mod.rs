//! The REST API (section 8): routes to answers, after the request has proved who sent it.

mod attributes;
mod auth;
mod batch;
mod channels;
mod demo;
mod events;
mod health;
mod operator;
mod pass;
mod plain;
mod route;
mod terminate;
mod users;

pub use auth::{Refused, Rules, Signed, Verified, authenticate};

pub(super) use route::not_found;
