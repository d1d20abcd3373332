//! The public surface: write a [`Handler`], mount it on a [`Router`], talk to clients through
//! its [`Endpoint`].
//!
//! Handlers live on one shard and never leave it: they may hold `Rc` and `Cell`, need no lock
//! and no `Send`. The Pusher server is mounted through the same trait.

mod body;
mod callbacks;
mod calls;
mod client;
mod endpoint;
mod extensions;
mod file_path;
mod handshake;
mod incoming;
mod json;
mod life;
mod message;
pub mod middleware;
mod mount;
mod named;
mod outgoing;
mod payload;
mod pressure;
mod request;
mod router;
mod running;
mod server_handle;
mod snapshot;
mod static_files;
mod table;
mod task;
mod tickets;
mod time;
mod work;

pub use crate::conn::{Pace, PushError as SendError, Vitals};
pub use crate::net::Clock;
pub use callbacks::{Error, Handler, HandlerPanic, Result};
pub use client::Client;
pub use endpoint::Endpoint;
pub use extensions::Extensions;
pub use handshake::Handshake;
pub use incoming::{Incoming, Interrupted, MessageKind};
pub use json::JsonError;
pub use message::{Close, Message};
pub use middleware::{Middleware, Next};
pub use named::Named;
pub use outgoing::{Outgoing, StreamError};
pub use payload::{Payload, Prepared};
pub use request::Request;
pub use router::{IntoResponse, Json, Placed, Router};
pub use server_handle::ServerHandle;
pub use snapshot::{Pending, ShardSnapshot, Snapshot};
pub use static_files::StaticFiles;
pub use table::{Rows, SharedTable, TableError};
pub use task::{Task, TaskError};
pub use time::{Interval, Sleep};

pub use crate::control::{CallError, Work, WorkError};

pub use crate::ws::deflate::{Deflate, DeflateError};

pub(crate) use body::{Body, BodyStream};
pub(crate) use endpoint::Local;
pub(crate) use mount::{Boxed, Mount, Serve, Upgraded};
pub(crate) use router::Found;
pub(crate) use server_handle::{Parts, mark_own_thread};
pub(crate) use table::{Forgets, Tables, TablesParts};
pub(crate) use tickets::Tickets;
