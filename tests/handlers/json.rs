//! Messages that are JSON, echoes in one line, and handlers that speak text only.

use crate::support::server::{TestServer, config};
use crate::support::websocket::{BINARY, FIN, Incoming, Ws, frame};
use serde::{Deserialize, Serialize};
use shardcast::handler::{
    Client, Endpoint, Handler, Handshake, Message, Prepared, Request, Result,
};
use shardcast::server::Server;

#[derive(Serialize, Deserialize)]
struct Said<'a> {
    to: &'a str,
    text: &'a str,
}

struct Json(Endpoint);

impl Handler for Json {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        let said: Said<'_> = match message.json() {
            Ok(said) => said,
            Err(error) => return Ok(client.send(&error.to_string())?),
        };
        match said.to {
            "me" => client.send_json(&said)?,
            "all" => self.0.broadcast_json(&said)?,
            "each" => {
                let clients = self.0.clients().await;
                self.0.multicast(&clients, &Prepared::json(&said)?);
            }
            _ => self.0.send_json(client.id(), &(said.to, said.text))?,
        }
        Ok(())
    }
}

/// Gives back what comes, in one line.
struct Echo {
    text_only: bool,
    streams: bool,
}

impl Handler for Echo {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, client: &mut Client<()>, message: Message<'_>) -> Result {
        Ok(client.send(message)?)
    }

    fn text_only(&self) -> bool {
        self.text_only
    }

    fn streams(&self) -> bool {
        self.streams
    }
}

fn start() -> TestServer {
    let routes = |router: &mut shardcast::handler::Router| {
        router.mount("/json", Json);
        for (path, text_only, streams) in [
            ("/echo", false, false),
            ("/text", true, false),
            ("/text-stream", true, true),
        ] {
            router.mount(path, move |_| Echo { text_only, streams });
        }
    };
    TestServer::build(Server::builder().config(config([])).routes(routes))
}

#[test]
fn values_go_as_json() {
    let server = start();
    let mut clients: Vec<Ws> = (0..6)
        .map(|_| Ws::open(server.address(), "/json"))
        .collect();
    let first = &mut clients[0];
    first.send_text(r#"{"to":"me","text":"a"}"#);
    assert_eq!(first.expect_text(), r#"{"to":"me","text":"a"}"#);
    first.send_text(r#"{"to":"x","text":"b"}"#);
    assert_eq!(first.expect_text(), r#"["x","b"]"#);
    for to in ["all", "each"] {
        let said = format!(r#"{{"to":"{to}","text":"c"}}"#);
        clients[0].send_text(&said);
        for client in &mut clients {
            assert_eq!(client.expect_text(), said);
        }
    }
    let first = &mut clients[0];
    first.send_text(r#"{"to":"me"}"#);
    assert_eq!(
        first.expect_text(),
        "the message is not the JSON that is expected: missing field `text` at line 1 column 11"
    );
    first.send(frame(FIN | BINARY, "{}"));
    let binary = "the message is binary, where JSON was expected";
    assert_eq!(first.expect_text(), binary);
}

#[test]
fn an_echo_is_one_line_and_keeps_the_kind() {
    let server = start();
    let mut ws = Ws::open(server.address(), "/echo");
    ws.send_text("grüße");
    assert_eq!(ws.expect_text(), "grüße");
    ws.send(frame(FIN | BINARY, [0xff, 0]));
    assert_eq!(ws.next(), Incoming::Binary(vec![0xff, 0]));
}

#[test]
fn a_handler_of_text_refuses_bytes_with_1003() {
    let server = start();
    for path in ["/text", "/text-stream"] {
        let mut ws = Ws::open(server.address(), path);
        ws.send_text("fine");
        assert_eq!(ws.expect_text(), "fine");
        ws.send(frame(FIN | BINARY, "x"));
        ws.expect_close(1003);
    }
}
