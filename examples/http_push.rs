//! What is posted over HTTP reaches every WebSocket client, on whichever shard it is.
//!
//! `cargo run --example http_push -- --port 6001`, connect to `ws://127.0.0.1:6001/listen`, then
//! `curl -d 'hello' http://127.0.0.1:6001/push`.

use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result, Router};
use shardcast::http::Response;
use shardcast::server::Program;
use std::process::ExitCode;

/// Its clients only listen.
struct Listeners;

impl Handler for Listeners {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, client: &mut Client<()>, _: Message<'_>) -> Result {
        client.close(1008, "this is for listening only");
        Ok(())
    }
}

fn routes(router: &mut Router) {
    let listeners = router.mount("/listen", |_| Listeners);
    router.post("/push", async move |request: Request<'_>| {
        match std::str::from_utf8(request.body()) {
            Ok(text) => listeners.broadcast(text),
            Err(_) => listeners.broadcast(request.body()),
        }
        let count = listeners.count().await;
        Response::text(202, format!("sent to {count}\n"))
    });
}

fn main() -> ExitCode {
    Program::new().routes(routes).run()
}
