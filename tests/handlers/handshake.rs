//! What an accepted handshake carries, and what it may not, on both shards.

use crate::support::server::{TestServer, config};
use crate::support::websocket::{ACCEPT, shake};
use shardcast::handler::{Client, Endpoint, Handler, Handshake, Message, Request, Result, Router};
use shardcast::http::{Cookie, Response};
use shardcast::server::Server;

/// Chooses what the query says from what the client offers.
struct Chooser {
    endpoint: Endpoint,
}

impl Handler for Chooser {
    type Session = String;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<String>> {
        let offered: Vec<_> = request.subprotocols().collect();
        if request.cookie("id").is_none() {
            let refusal = Response::text(401, "who are you?\n");
            return Ok(Handshake::reject(refusal)
                .with_cookie(Cookie::new("asked", "1")?)
                .with_header("X-Shard", "any"));
        }
        let handshake = Handshake::accept(offered.join("+"))
            .with_cookie(Cookie::new("seen", "1")?)
            .try_header("X-Shard", self.endpoint.shard().to_string())?;
        Ok(match request.query_param("choose") {
            Some(name) => handshake.with_subprotocol(name),
            None => handshake,
        })
    }

    async fn on_message(&self, client: &mut Client<String>, _: Message<'_>) -> Result {
        Ok(client.send_text(client.session())?)
    }
}

fn server() -> TestServer {
    let routes = |router: &mut Router| router.mount("/choose", |endpoint| Chooser { endpoint });
    TestServer::build(Server::builder().config(config([])).routes(routes))
}

#[test]
fn an_accepted_handshake_has_fields_cookies_and_one_of_the_offered_protocols() {
    let server = server();
    let fields = [
        "Cookie: id=7",
        "Sec-WebSocket-Protocol: a.v1, a.v2",
        "Sec-WebSocket-Protocol: not a token, b",
    ];
    let mut shards = [false; 2];
    while shards != [true; 2] {
        let (answer, mut ws) = shake(&server, "/choose?choose=a.v2", &fields);
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT));
        assert_eq!(answer.header("sec-websocket-protocol"), Some("a.v2"));
        assert_eq!(answer.header("set-cookie"), Some("seen=1"));
        assert_eq!(answer.header("content-length"), None);
        let shard: usize = answer.header("x-shard").unwrap().parse().unwrap();
        shards[shard] = true;
        ws.send_text("");
        assert_eq!(ws.expect_text(), "a.v1+a.v2+b"); // the session made from the request
    }
}

#[test]
fn a_protocol_that_was_not_offered_is_our_fault() {
    let server = server();
    for fields in [
        &["Cookie: id=7"][..],
        &["Cookie: id=7", "Sec-WebSocket-Protocol: A.V2"],
    ] {
        let (answer, _) = shake(&server, "/choose?choose=a.v2", fields);
        assert_eq!(answer.status, 500, "{answer:?}");
        assert_eq!(answer.header("sec-websocket-protocol"), None);
    }
    let (answer, _) = shake(&server, "/choose", &["Cookie: id=7"]);
    assert_eq!(answer.status, 101);
}

#[test]
fn a_refusal_may_set_cookies_too() {
    let (answer, mut ws) = shake(&server(), "/choose", &[]);
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("set-cookie"), Some("asked=1"));
    assert_eq!(ws.wire.take("who are you?\n".len()), b"who are you?\n");
}
