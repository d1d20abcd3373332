//! Too much of what costs an answer: pings, and wrong signatures.

use super::admin;
use crate::support::http::Http;
use crate::support::metrics::Values;
use crate::support::pusher::{QUERY, expect_told_and_closed};
use crate::support::server::{NOW, TestServer, app, config};
use crate::support::sign::Keys;
use crate::support::websocket::{FIN, Incoming, PING, PONG, Ws, frame};
use shardcast::app::App;
use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result};
use shardcast::server::Server;
use shardcast::server::config::Config;

const MOST: u32 = 5;

struct Quiet {
    streams: bool,
}

impl Handler for Quiet {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(())
    }

    fn streams(&self) -> bool {
        self.streams
    }
}

/// So many pings or pongs, in one write.
fn controls(kind: u8, count: u32) -> Vec<u8> {
    let one = |number: u32| frame(FIN | kind, number.to_be_bytes());
    (0..count).flat_map(one).collect()
}

fn expect_pongs(ws: &mut Ws, count: u32) {
    for number in 0..count {
        assert_eq!(ws.next(), Incoming::Pong(number.to_be_bytes().into()));
    }
}

#[test]
fn so_many_pings_are_answered_in_a_second() {
    // R14
    let config = Config {
        pings_per_second: Some(MOST),
        ..config([app()])
    };
    let builder = Server::builder().config(config).wall_clock(|| NOW);
    let server = TestServer::build(builder.routes(|router| {
        router.mount("/whole", |_| Quiet { streams: false });
        router.mount("/stream", |_| Quiet { streams: true });
    }));
    let to = server.address();
    let pusher = format!("/app/app-key{QUERY}");
    for path in ["/whole", "/stream", &pusher] {
        let open = || {
            let mut ws = Ws::open(to, path);
            if path == pusher {
                ws.expect_text();
            }
            ws
        };
        let mut ws = open();
        ws.send(controls(PING, MOST));
        expect_pongs(&mut ws, MOST);
        ws.close(); // at the limit it is as well as ever
        let mut ws = open();
        ws.send(controls(PONG, 10 * MOST)); // a pong costs no answer
        ws.send(controls(PING, MOST + 1));
        expect_pongs(&mut ws, MOST);
        match path == pusher {
            true => expect_told_and_closed(&mut ws, 4100),
            false => drop(ws.expect_close(1008)),
        }
    }
    let values = Values::of(admin(&server));
    assert_eq!(values.sum("floods_total", &[r#"of="ping""#]), 3.0);
}

#[test]
fn without_a_limit_pings_are_all_answered() {
    let server = TestServer::start(Config {
        pings_per_second: None,
        ..config([app()])
    });
    let mut client = server.client();
    client.ws.send(controls(PING, 1000));
    expect_pongs(&mut client.ws, 1000);
}

fn wary() -> TestServer {
    let app = App {
        user_authentication: true,
        ..app()
    };
    TestServer::start(Config {
        auth_failures_per_minute: Some(MOST),
        ..config([app])
    })
}

#[test]
fn a_client_may_be_wrong_so_often_in_a_minute() {
    // R26
    let server = wary();
    let keys = Keys::of(&app());
    let mut client = server.client();
    let wrong = format!("app-key:{}", "0".repeat(64));
    for number in 0..MOST {
        let channel = format!("private-{number}");
        client.ask_with(&channel, &wrong, None);
        client.expect_refused(&channel, "AuthError", 401);
    }
    // What is right is served, and what is no signature at all is no attempt.
    client.subscribe_signed(&keys, "private-good");
    client.ask("private-none");
    client.expect_refused("private-none", "AuthError", 401);
    client.ask_with("private-x", &wrong, None);
    expect_told_and_closed(&mut client.ws, 4009);
    let values = Values::expect_soon(admin(&server), "floods_total", &[r#"of="auth""#], 1.0);
    assert_eq!(values.sum("connected", &[]), 0.0);
    server.client().subscribe_signed(&keys, "private-good");
}

#[test]
fn an_address_may_be_wrong_so_often_in_a_minute() {
    // R26
    let server = wary();
    let mut http = Http::connect(server.address());
    let wrong = App::new("1001", "app-key", "another-secret");
    let wrong = Keys::of(&wrong).target("GET", "/apps/1001/channels", &[], b"");
    for _ in 0..MOST {
        assert_eq!(http.ask("GET", &wrong, b"").status, 401);
    }
    let good = Keys::of(&app()).target("GET", "/apps/1001/channels", &[], b"");
    assert_eq!(
        http.ask("GET", &good, b"").status,
        200,
        "what is right is served"
    );
    http.wire
        .send(crate::support::http::request("GET", &wrong, &[], b""));
    http.expect_refusal(429);
    let mut rest = server.rest();
    assert_eq!(rest.get("channels", &[]).status, 200);
    let values = Values::of(admin(&server));
    assert_eq!(values.sum("floods_total", &[r#"of="auth""#]), 1.0);
}
