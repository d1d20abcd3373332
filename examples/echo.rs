//! Sends back what it is told: text as text, bytes as bytes, and compressed if the client can take
//! that.
//!
//! `cargo run --example echo -- --port 6001`, then connect to `ws://127.0.0.1:6001/echo`. A message
//! of more than a mebibyte comes back with `--outbox-bytes 33554432` only.

use shardcast::handler::{Client, Deflate, Handler, Handshake, Message, Request, Result};
use shardcast::server::Program;
use std::process::ExitCode;

struct Echo;

impl Handler for Echo {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        Ok(client.send(message)?)
    }

    fn message_max(&self) -> usize {
        16 * 1024 * 1024
    }

    fn deflate(&self) -> Option<Deflate> {
        Some(Deflate::default())
    }
}

fn main() -> ExitCode {
    Program::new()
        .routes(|router| router.mount("/echo", |_| Echo))
        .run()
}
