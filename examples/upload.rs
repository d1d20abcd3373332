//! Takes messages of up to a gigabyte while they arrive, and tells how far it is.
//!
//! `cargo run --example upload -- --port 6001`, then send one long message to
//! `ws://127.0.0.1:6001/upload`: the answers say how many bytes have come, and at last their
//! SHA-256.

use sha2::{Digest, Sha256};
use shardcast::handler::{Client, Handler, Handshake, Incoming, Message, Request, Result};
use shardcast::server::Program;
use std::process::ExitCode;

const MESSAGE_MAX: usize = 1 << 30;

/// Bytes between two reports.
const REPORT_EACH: u64 = 1 << 20;

struct Upload;

impl Handler for Upload {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_stream(&self, client: &mut Client<()>, incoming: &mut Incoming<'_>) -> Result {
        let mut digest = Sha256::new();
        let mut reported = 0;
        // Nothing is read from the socket that is not asked for here: whoever is slow to store a
        // chunk slows down the sender, and no more than a chunk is in memory.
        while let Some(chunk) = incoming.chunk().await? {
            digest.update(chunk);
            if incoming.received() - reported >= REPORT_EACH {
                reported = incoming.received();
                client.send_text(&format!("received {reported}"))?;
            }
        }
        let (total, digest) = (incoming.received(), hex::encode(digest.finalize()));
        client.send_text(&format!("done {total} sha256 {digest}"))?;
        Ok(())
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        unreachable!("messages are taken while they arrive")
    }

    fn streams(&self) -> bool {
        true
    }

    fn message_max(&self) -> usize {
        MESSAGE_MAX
    }
}

fn main() -> ExitCode {
    Program::new()
        .routes(|router| router.mount("/upload", |_| Upload))
        .run()
}
