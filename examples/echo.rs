//! Sends back what it is told: text as text, bytes as bytes.
//!
//! `cargo run --example echo -- --port 6001`, then connect to `ws://127.0.0.1:6001/echo`.

use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result};
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
}

fn main() -> ExitCode {
    Program::new()
        .routes(|router| router.mount("/echo", |_| Echo))
        .run()
}
