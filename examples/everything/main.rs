//! The Pusher server, a page of static files, an HTTP route and a WebSocket handler on one port.
//!
//! `cargo run --example everything -- --port 6001`, then open `http://127.0.0.1:6001/site/`: the
//! page listens with pusher-js's own protocol and counts who looks at it over a WebSocket of its
//! own.

use shardcast::handler::middleware::{AccessLog, RequestId};
use shardcast::handler::{
    Client, Close, Endpoint, Handler, Handshake, Json, Message, Request, Result, Router,
};
use shardcast::id::ClientId;
use shardcast::server::Program;
use std::process::ExitCode;

/// Tells everybody how many are looking.
struct Viewers {
    endpoint: Endpoint,
}

impl Viewers {
    async fn tell(&self) {
        let count = self.endpoint.count().await;
        self.endpoint.broadcast(&count.to_string());
    }
}

impl Handler for Viewers {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, _: &mut Client<()>) -> Result {
        self.tell().await;
        Ok(())
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(())
    }

    async fn on_close(&self, _: ClientId, (): (), _: Close) {
        self.tell().await;
    }
}

fn routes(router: &mut Router) {
    router.layer(RequestId::new()).layer(AccessLog::new());
    let viewers = router.mount("/viewers", |endpoint| Viewers { endpoint });
    router.get("/viewers/count", async move |_: Request<'_>| {
        Json(viewers.count().await)
    });
    let site = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/everything/site");
    router.files("/site", site);
    router.pusher();
}

fn main() -> ExitCode {
    Program::new().with_demo_app().routes(routes).run()
}
