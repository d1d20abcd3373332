//! A real-time server that speaks the Pusher protocol, and a framework for custom WebSocket and
//! HTTP handlers beside it: one shard on each core, no lock between them, io_uring below.
//!
//! ```no_run
//! use shardcast::app::App;
//! use shardcast::server::{Server, config::Config};
//!
//! let mut app = App::new("1001", "app-key", "app-secret");
//! app.client_events = true;
//! let config = Config { apps: vec![app], ..Config::default() };
//! Server::builder().config(config).handle_signals(true).run()?;
//! # Ok::<(), shardcast::server::ServerError>(())
//! ```
//!
//! The floors of the house. A module uses itself and floors below it, never a neighbour:
//!
//! ```text
//! 9 testing                     handlers in memory: no sockets, virtual time
//! 8 server                      flags and files to running threads
//! 7 shard                       one core's turn: accept, serve, pump, flush
//! 6 pusher                      the Pusher application: a Handler plus its REST API
//! 5 handler                     the public surface: Handler, Client, Endpoint, Router
//! 4 mesh  net  control          other cores, sockets, tokio
//! 3 crossing                    every type that changes thread
//! 2 conn  hub  timer  tls       state: no I/O, no clock, no executor
//!   metrics
//! 1 ws    http  protocol        bytes and values
//! 0 id    app   limits  error   words
//! ```

/// The programs that the pages show are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/handlers.md")]
struct Pages;

pub mod app;
pub mod conn;
pub mod control;
pub mod crossing;
pub mod error;
pub mod handler;
pub mod http;
pub mod hub;
pub mod id;
pub mod limits;
pub mod mesh;
pub mod metrics;
pub mod net;
pub mod protocol;
pub mod pusher;
pub mod server;
pub mod shard;
#[cfg(feature = "testing")]
pub mod testing;
pub mod timer;
pub mod tls;
pub mod ws;
