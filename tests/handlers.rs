//! Custom handlers on real sockets: the promises of the public trait, one by one.
//!
//! The handler is `Chat`, which writes down every callback and does what its clients ask for,
//! panics included. Most servers here have no app: the Pusher server is not there at all.

mod support;

#[path = "handlers/access.rs"]
mod access;
#[path = "handlers/bad_input.rs"]
mod bad_input;
#[path = "handlers/bodies.rs"]
mod bodies;
#[path = "handlers/chat.rs"]
mod chat;
#[path = "handlers/deflate.rs"]
mod deflate;
#[path = "handlers/endpoint.rs"]
mod endpoint;
#[path = "handlers/faults.rs"]
mod faults;
#[path = "handlers/fetch.rs"]
mod fetch;
#[path = "handlers/files.rs"]
mod files;
#[path = "handlers/full.rs"]
mod full;
#[path = "handlers/gzip.rs"]
mod gzip;
#[path = "handlers/handshake.rs"]
mod handshake;
#[path = "handlers/idle.rs"]
mod idle;
#[path = "handlers/info.rs"]
mod info;
#[path = "handlers/json.rs"]
mod json;
#[path = "handlers/kept_streams.rs"]
mod kept_streams;
#[path = "handlers/layers.rs"]
mod layers;
#[path = "handlers/log.rs"]
mod log;
#[path = "handlers/lost_shard.rs"]
mod lost_shard;
#[path = "handlers/middleware.rs"]
mod middleware;
#[path = "handlers/migrating.rs"]
mod migrating;
#[path = "handlers/named.rs"]
mod named;
#[path = "handlers/order.rs"]
mod order;
#[path = "handlers/pace.rs"]
mod pace;
#[path = "handlers/places.rs"]
mod places;
#[path = "handlers/router.rs"]
mod router;
#[path = "handlers/server_handle.rs"]
mod server_handle;
#[path = "handlers/site.rs"]
mod site;
#[path = "handlers/stop.rs"]
mod stop;
#[path = "handlers/stream_in.rs"]
mod stream_in;
#[path = "handlers/stream_out.rs"]
mod stream_out;
#[path = "handlers/streams.rs"]
mod streams;
#[path = "handlers/table.rs"]
mod table;
#[path = "handlers/tasks.rs"]
mod tasks;
#[path = "handlers/threads.rs"]
mod threads;
#[path = "handlers/unfinished.rs"]
mod unfinished;
#[path = "handlers/unread.rs"]
mod unread;
#[path = "handlers/watchdog.rs"]
mod watchdog;
#[path = "handlers/web.rs"]
mod web;
