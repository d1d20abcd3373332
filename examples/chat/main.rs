//! A chat room over all shards, with a page, and a farewell when the server stops.
//!
//! `cargo run --example chat -- --port 6001`, then open `http://127.0.0.1:6001/` in two windows.

use shardcast::handler::{Client, Close, Endpoint, Handler, Handshake, Message, Request, Result};
use shardcast::http::Response;
use shardcast::id::ClientId;
use shardcast::server::Program;
use std::process::ExitCode;

/// Longest name, in characters.
const NAME_MAX: usize = 20;

/// Longest thing to say, in bytes.
const WORDS_MAX: usize = 2_000;

struct Chat {
    endpoint: Endpoint,
}

impl Chat {
    /// Tells everybody, wherever they are connected.
    fn tell(&self, kind: &str, who: &str, words: &str) {
        let told = serde_json::json!({ "kind": kind, "who": who, "words": words });
        self.endpoint.broadcast(&told.to_string());
    }
}

impl Handler for Chat {
    /// The name.
    type Session = String;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<String>> {
        let name = request.query_param("name").unwrap_or_default();
        let name = name.trim();
        if name.is_empty() || name.chars().count() > NAME_MAX {
            let text = format!("A name has 1 to {NAME_MAX} characters.\n");
            return Ok(Handshake::reject(Response::text(400, text)));
        }
        Ok(Handshake::accept(name.to_owned()))
    }

    async fn on_open(&self, client: &mut Client<String>) -> Result {
        self.tell("came", client.session(), "");
        Ok(())
    }

    async fn on_message(&self, client: &mut Client<String>, message: Message<'_>) -> Result {
        if let Some(words) = message.as_text() {
            self.tell("said", client.session(), words);
        }
        Ok(())
    }

    async fn on_close(&self, _: ClientId, name: String, _: Close) {
        self.tell("left", &name, "");
    }

    async fn on_request(&self, _: &Endpoint, _: Request<'_>) -> Response {
        Response::new(200, "text/html; charset=utf-8", include_str!("page.html"))
    }

    async fn on_stop(&self, endpoint: &Endpoint) {
        // Each shard says goodbye to its own clients.
        let farewell = endpoint.prepare(r#"{"kind":"stop","who":"","words":"Good night!"}"#);
        endpoint.multicast_local(endpoint.local_clients(), &farewell);
    }

    fn message_max(&self) -> usize {
        WORDS_MAX
    }
}

fn main() -> ExitCode {
    Program::new()
        .routes(|router| router.mount_at(&["/chat", "/"], |endpoint| Chat { endpoint }))
        .run()
}
