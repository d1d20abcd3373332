//! Whom a proxy asks for (R19).

use super::{admin, enter, from, status};
use crate::support::http::{Http, request};
use crate::support::metrics::Values;
use crate::support::server::{NOW, TestServer, app, config};
use shardcast::handler::{Client, Endpoint, Handler, Handshake, Message, Request, Result};
use shardcast::http::Response;
use shardcast::http::proxied::Network;
use shardcast::server::Server;
use shardcast::server::config::Config;
use std::net::SocketAddr;

/// Says where it is asked from.
struct Mirror;

impl Handler for Mirror {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(())
    }

    async fn on_request(&self, _: &Endpoint, request: Request<'_>) -> Response {
        Response::text(200, request.peer().expect("it has a peer").to_string())
    }
}

/// Believes proxies at 127.0.0.1 and in 10.0.0.0/8.
fn server(proxy_protocol: bool, per_address: Option<u32>) -> TestServer {
    let trusted = ["127.0.0.1", "10.0.0.0/8"].map(|it| Network::parse(it).unwrap());
    let config = Config {
        trusted_proxies: trusted.to_vec(),
        proxy_protocol,
        connections_per_address: per_address,
        head_timeout_ms: 500,
        ..config([app()])
    };
    let builder = Server::builder().config(config).wall_clock(|| NOW);
    TestServer::build(builder.routes(|router| router.mount("/mirror", |_| Mirror)))
}

fn seen(http: &mut Http, fields: &[&str]) -> String {
    let response = http.send(request("GET", "/mirror", fields, b""));
    assert_eq!(response.status, 200, "{}", response.text());
    response.text().to_owned()
}

#[test]
fn what_a_trusted_proxy_says_is_believed_and_nobody_else() {
    let server = server(false, None);
    let mut proxy = Http::connect(server.address());
    assert!(seen(&mut proxy, &[]).starts_with("127.0.0.1:"));
    assert_eq!(
        seen(&mut proxy, &["X-Forwarded-For: 192.0.2.7"]),
        "192.0.2.7:0"
    );
    // Each request of a kept connection is somebody else's.
    assert_eq!(
        seen(&mut proxy, &["x-forwarded-for: 192.0.2.8, 10.1.1.1"]),
        "192.0.2.8:0"
    );
    let two = [
        "X-Forwarded-For: 198.51.100.1, 192.0.2.9",
        "X-Forwarded-For: 10.2.2.2",
    ];
    assert_eq!(
        seen(&mut proxy, &two),
        "192.0.2.9:0",
        "the rest is what the client wrote"
    );
    let mut stranger = from([127, 0, 0, 2], server.address());
    assert!(seen(&mut stranger, &["X-Forwarded-For: 192.0.2.7"]).starts_with("127.0.0.2:"));
}

#[test]
fn clients_behind_a_proxy_are_counted_by_their_own_address() {
    let server = server(false, Some(1));
    let to = server.address();
    let of = |client: u8| format!("X-Forwarded-For: 192.0.2.{client}\r\n");
    let proxy = || Http::connect(to);
    let inside = enter(proxy(), &of(1)).unwrap();
    let _other = enter(proxy(), &of(2)).unwrap();
    assert_eq!(status(enter(proxy(), &of(1))), 429);
    let spoofed = "X-Forwarded-For: 192.0.2.3, 192.0.2.1\r\n";
    assert_eq!(status(enter(proxy(), spoofed)), 429);
    // The proxy itself may have any number.
    let _own = [enter(proxy(), "").unwrap(), enter(proxy(), "").unwrap()];
    inside.close();
    super::enter_soon(proxy, &of(1));
}

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x12\x34\0\x50";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// A connection that begins with this header.
fn introduced(to: SocketAddr, header: &[u8]) -> Http {
    let mut http = Http::connect(to);
    http.wire.send(header);
    http
}

#[test]
fn a_proxy_may_say_whom_it_asks_for_before_the_first_request() {
    let server = server(true, None);
    let to = server.address();
    for header in [V1, V2] {
        // Alone, with the request behind it, and byte by byte.
        let mut http = Http::connect(to);
        http.wire.send(header);
        assert_eq!(seen(&mut http, &[]), "192.0.2.7:4660");
        assert_eq!(
            seen(&mut http, &[]),
            "192.0.2.7:4660",
            "it holds for all that follows"
        );
        let mut http = Http::connect(to);
        http.wire.send(header);
        let whole = [header, &request("GET", "/mirror", &[], b"")].concat();
        drop(http);
        let mut http = Http::connect(to);
        assert_eq!(http.send(&whole).text(), "192.0.2.7:4660");
        let mut http = Http::connect(to);
        for byte in &whole {
            http.wire.send([*byte]);
        }
        assert_eq!(http.response().text(), "192.0.2.7:4660");
    }
    let mut http = Http::connect(to);
    http.wire.send(LOCAL);
    assert!(
        seen(&mut http, &[]).starts_with("127.0.0.1:"),
        "its own check"
    );
    // A proxy behind the proxy.
    let mut http = Http::connect(to);
    http.wire.send(b"PROXY TCP4 10.3.3.3 10.0.0.1 1 80\r\n");
    assert_eq!(
        seen(&mut http, &["X-Forwarded-For: 192.0.2.8"]),
        "192.0.2.8:0"
    );
}

#[test]
fn a_connection_that_does_not_begin_as_it_should_is_refused() {
    let server = server(true, None);
    let to = server.address();
    let plain = request("GET", "/mirror", &[], b"");
    let mut http = Http::connect(to);
    http.wire.send(&plain);
    http.expect_refusal(400);
    let values = Values::of(admin(&server));
    assert_eq!(
        values.sum("connections_refused_total", &[r#"reason="proxy""#]),
        1.0
    );
    let mut http = Http::connect(to);
    http.wire.send(&V2[..20]);
    http.expect_refusal(408); // the rest does not come
    // Who is no proxy of ours speaks for itself, and only so.
    let mut http = from([127, 0, 0, 2], to);
    assert!(seen(&mut http, &[]).starts_with("127.0.0.2:"));
    let mut http = from([127, 0, 0, 2], to);
    http.wire.send([V1, &plain].concat());
    http.expect_refusal(400);
}

#[test]
fn clients_behind_the_proxy_protocol_are_counted_too() {
    let server = server(true, Some(1));
    let to = server.address();
    let introduced = || introduced(to, V1);
    let inside = enter(introduced(), "").unwrap();
    assert_eq!(status(enter(introduced(), "")), 429);
    inside.close();
    super::enter_soon(introduced, "");
}

#[test]
fn a_client_that_was_announced_has_the_time_of_a_head() {
    // R06: the header comes with the connection, so it is no request that keep-alive could follow.
    let server = server(true, None);
    introduced(server.address(), V1).expect_refusal(408);
}

#[test]
fn a_proxy_behind_the_proxy_is_no_client() {
    let server = server(true, Some(1));
    let to = server.address();
    let introduced = || introduced(to, b"PROXY TCP4 10.3.3.3 10.0.0.1 1 80\r\n");
    let of = |client: u8| format!("X-Forwarded-For: 192.0.2.{client}\r\n");
    let _inside = [1, 2, 3].map(|client| enter(introduced(), &of(client)).unwrap());
    assert_eq!(status(enter(introduced(), &of(1))), 429);
}
