//! What the server makes of handlers that fail, panic or block: it ends that client or answers 500,
//! and names a shard that is blocked. The Pusher clients on the same shards notice nothing of the
//! first two.
//!
//! `cargo run --example mishaps -- --port 6001`, connect to `ws://127.0.0.1:6001/mishaps` and say
//! `panic`, `fail` or `block 2000`; or have another callback panic, as by
//! `ws://127.0.0.1:6001/mishaps?in=close`.

use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Message, Request, Result, Router,
};
use shardcast::http::Response;
use shardcast::id::ClientId;
use shardcast::server::Program;
use std::cell::Cell;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// Panics in the callback that a client has asked for.
#[derive(Default)]
struct Mishaps {
    /// Whether somebody has asked for a panic at the stop.
    in_stop: Cell<bool>,
}

fn panic_if(asked: &str, callback: &str) {
    assert_ne!(asked, callback, "as it was asked for");
}

/// The callback that a request asks for.
fn asked(request: &Request<'_>) -> String {
    request.query_param("in").unwrap_or_default().into_owned()
}

/// What no handler may do: nobody else on this shard is served meanwhile.
fn block(time: Duration) {
    let start = Instant::now();
    while let Some(rest) = time.checked_sub(start.elapsed()) {
        thread::park_timeout(rest);
    }
}

impl Handler for Mishaps {
    type Session = String;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<String>> {
        let callback = asked(request);
        panic_if(&callback, "handshake");
        Ok(Handshake::accept(callback))
    }

    async fn on_open(&self, client: &mut Client<String>) -> Result {
        client.send_text(&format!("shard {}", client.endpoint().shard()))?;
        panic_if(client.session(), "open");
        self.in_stop
            .set(self.in_stop.get() || client.session() == "stop");
        Ok(())
    }

    async fn on_message(&self, client: &mut Client<String>, message: Message<'_>) -> Result {
        match message.as_text().unwrap_or_default().split_once(' ') {
            Some(("block", ms)) => block(Duration::from_millis(ms.parse()?)),
            _ if message.as_text() == Some("panic") => panic!("as it was asked for"),
            _ if message.as_text() == Some("fail") => return Err("as it was asked for".into()),
            _ => {}
        }
        Ok(client.send(message)?)
    }

    async fn on_error(&self, client: &mut Client<String>, error: &dyn std::error::Error) {
        panic_if(client.session(), "error");
        // Who has closed meanwhile is not told.
        let _ = client.send_text(&format!("sorry: {error}"));
    }

    async fn on_close(&self, _: ClientId, session: String, _: Close) {
        panic_if(&session, "close");
    }

    async fn on_request(&self, _: &Endpoint, request: Request<'_>) -> Response {
        panic_if(&asked(&request), "request");
        Response::text(200, "well\n")
    }

    async fn on_stop(&self, _: &Endpoint) {
        assert!(!self.in_stop.get(), "as it was asked for");
    }
}

fn routes(router: &mut Router) {
    router.mount("/mishaps", |_| Mishaps::default());
    router.pusher();
}

fn main() -> ExitCode {
    Program::new().with_demo_app().routes(routes).run()
}
