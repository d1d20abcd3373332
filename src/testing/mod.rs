//! Tests of handlers in memory: no sockets, no ports, no threads, and a time that a test moves.
//!
//! What serves is what serves on sockets: the same router, the same callbacks, outboxes, deadlines
//! and notes between shards, from the bytes of a request on. Only the connections are lanes of
//! bytes in memory, and all shards take turns on the thread of the test. So what passes here
//! behaves so on a server, but for what the kernel adds.
//!
//! ```
//! use shardcast::handler::{Client, Endpoint, Handler, Handshake, Message, Request, Result};
//! use shardcast::testing::Testing;
//!
//! struct Chat(Endpoint);
//!
//! impl Handler for Chat {
//!     type Session = ();
//!
//!     async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
//!         Ok(Handshake::accept(()))
//!     }
//!
//!     async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
//!         let text = message.as_text().ok_or("only text is spoken here")?;
//!         self.0.broadcast_except(text, &[client.id()]);
//!         Ok(())
//!     }
//! }
//!
//! // In a `#[test]`:
//! let shards = Testing::new(|router| router.mount("/chat", Chat)).start();
//! let mut ann = shards.on(0).connect("/chat");
//! let mut bob = shards.on(1).connect("/chat");
//! ann.send_text("hi");
//! assert_eq!(bob.expect_text(), "hi");
//! ann.expect_nothing();
//! bob.send_binary(&[1, 2]);
//! assert_eq!(bob.expect_close().0, 1011);
//! shards.stop();
//! assert_eq!(ann.expect_close().0, 4100);
//! ```
//!
//! - **Order.** The same test runs the same way each time. What hands out chance, such as ids of
//!   Pusher sockets, still does. [`Testing::seed`] shuffles what runs next.
//! - **Time** stands still until [`Shards::advance`] moves it: timers, intervals, pings of silent
//!   clients, time-outs and the wall clock all follow it. Starting, stopping, connecting and
//!   waiting for an answer let it pass by themselves when nothing else is left to do.
//! - **Waiting.** `expect_...` runs the shards until the next thing has arrived. When it is
//!   another, or when nothing is left to do, the test fails and is told what happened instead.
//! - **Futures**, such as those of [`Shards::server`], are awaited by [`Shards::wait_for`].
//! - **Clients** read all the time, answer pings, and answer a close, unless told otherwise.
//!   [`Shards::pusher`] gives one that speaks the Pusher protocol.
//! - **Files** that handlers serve are read on the thread of the test.

mod answer;
mod client;
mod executor;
mod frame;
mod place;
mod pusher;
mod room_tests;
mod seat;
mod shards;
mod world;

pub use answer::Answer;
pub use client::{Client, Exchange, Wire};
pub use frame::Received;
pub use place::{Handshake, Place};
pub use pusher::{PusherClient, PusherEvent};
pub use shards::{Shards, Testing};
