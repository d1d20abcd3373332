//! What is spoken: both versions, HTTP/1.1 alone, and over them all that is spoken in clear.

use crate::pki::Pki;
use crate::support::http::{Http, request};
use crate::support::pusher::{Client, QUERY};
use crate::support::rest::Rest;
use crate::support::server::{TestServer, app};
use crate::support::sign::Keys;
use crate::support::websocket::{Incoming, Ws};
use crate::support::wire::Wire;
use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use serde_json::json;
use shardcast::handler::{Request, Result as HandlerResult};
use shardcast::http::Response;
use shardcast::server::Server;
use shardcast::server::config::Config;
use std::sync::Arc;

#[test]
fn clients_and_backends_meet_over_tls_on_all_shards() {
    // R28
    let pki = Pki::new("meet");
    let server = TestServer::start(pki.config());
    let handle = server.handle();
    assert_eq!(handle.tls_addr(), Some(server.address()));
    let keys = Keys::of(&app());
    let mut clients: Vec<Client> = (0..8).map(|_| pki.client(&server)).collect();
    // Where the kernel puts a connection is a throw of dice.
    while [0, 1]
        .iter()
        .any(|shard| clients.iter().all(|it| it.shard() != *shard))
    {
        assert!(clients.len() < 100, "it listens on one shard only");
        clients.push(pki.client(&server));
    }
    for client in &mut clients {
        client.subscribe("news");
        client.subscribe_signed(&keys, "private-news");
    }
    let http = pki.http(&server);
    let mut rest = Rest { keys, http };
    rest.trigger("news", "e", "from a backend");
    for client in &mut clients {
        assert_eq!(client.expect("e").text(), "from a backend");
    }
    let event = json!({"event": "client-e", "channel": "private-news", "data": {"n": 1}});
    clients[0].send(&event);
    for client in &mut clients[1..] {
        assert_eq!(client.expect("client-e").json()["n"], 1);
    }
    let answer = rest.get_json("channels", &[]);
    assert_eq!(answer["channels"], json!({"news": {}, "private-news": {}}));
}

#[test]
fn both_versions_are_spoken_and_http_alone() {
    // R28
    let pki = Pki::new("versions");
    let server = TestServer::start(pki.config());
    for (version, number) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        for offered in [&["h2", "http/1.1"][..], &[]] {
            let mut config = (*pki.speak(&[version])).clone();
            config.alpn_protocols = offered.iter().map(|it| it.as_bytes().to_vec()).collect();
            let mut wire = Wire::encrypted(server.address(), &Arc::new(config), "localhost");
            wire.agree().unwrap();
            assert_eq!(wire.tls().protocol_version(), Some(number));
            let chosen = wire.tls().alpn_protocol();
            assert_eq!(chosen, (!offered.is_empty()).then_some(&b"http/1.1"[..]));
            let target = format!("/app/app-key{QUERY}");
            Client::greeted(Ws::over(wire, &target)).expect_quiet();
        }
    }
    let mut config = (*pki.trust()).clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut wire = Wire::encrypted(server.address(), &Arc::new(config), "localhost");
    let refused = wire.agree().unwrap_err().to_string();
    assert!(refused.contains("NoApplicationProtocol"), "{refused}");
}

#[test]
fn a_port_in_clear_and_one_with_tls_serve_the_same() {
    let pki = Pki::new("both-ports");
    let server = TestServer::start(Config {
        tls_port: Some(0),
        ..pki.config()
    });
    let tls = server.handle().tls_addr().unwrap();
    assert_ne!(tls, server.address());
    let (mut plain, mut encrypted) = (server.client(), pki.client(&server));
    plain.subscribe("news");
    encrypted.subscribe("news");
    server.rest().trigger("news", "e", "to both");
    assert_eq!(plain.expect("e").text(), "to both");
    assert_eq!(encrypted.expect("e").text(), "to both");
    // Each says what it speaks to who mistakes it.
    let mut mistaken = Http::connect(tls);
    let answer = mistaken.ask("GET", "/", b"");
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.text(),
        "This port speaks TLS: use https:// or wss://.\r\n"
    );
    mistaken.wire.expect_end();
    let mut wire = pki.wire(server.address());
    assert!(wire.agree().is_err());
}

#[test]
fn a_server_without_a_certificate_speaks_no_tls() {
    let server = TestServer::plain();
    assert_eq!(server.handle().tls_addr(), None);
    assert!(server.handle().certificates().is_none());
    let mut wire = Pki::new("none").wire(server.address());
    assert!(wire.agree().is_err());
}

const LARGE: usize = 4 << 20;

/// Bytes that differ from their neighbours, so that none is lost or doubled unseen.
fn large() -> Vec<u8> {
    (0..LARGE as u32)
        .flat_map(|n| n.to_le_bytes())
        .take(LARGE)
        .collect()
}

#[test]
fn large_bodies_arrive_whole_in_both_directions() {
    let pki = Pki::new("large");
    let builder = Server::builder().config(Config {
        body_bytes: LARGE,
        ..pki.config()
    });
    let server = TestServer::build(builder.routes(|router| {
        router.get("/large", async |_: Request<'_>| {
            Response::new(200, "application/octet-stream", large())
        });
        router.post(
            "/length",
            async |request: Request<'_>| -> HandlerResult<String> {
                Ok(format!(
                    "{} {}",
                    request.body().len(),
                    request.body() == large()
                ))
            },
        );
    }));
    let mut http = pki.http(&server);
    for _ in 0..2 {
        // What is not read yet fills the server's socket: it goes on where it stopped. It reads
        // nothing meanwhile, so what is sent next has to fit into what the kernel takes.
        http.wire.send(request("GET", "/large", &[], b""));
        http.wire.send(request("POST", "/length", &[], b"short"));
        let answer = http.response();
        assert_eq!(answer.status, 200);
        assert!(answer.body == large());
        assert_eq!(http.response().text(), "5 false");
        let length = http.send(request("POST", "/length", &[], &large()));
        assert_eq!(length.text(), format!("{LARGE} true"));
    }
}

#[test]
fn who_does_not_read_is_dropped_as_without_tls() {
    let pki = Pki::new("slow");
    let server = TestServer::start(Config {
        outbox_bytes: 256 * 1024,
        shards: Some(1),
        ..pki.config()
    });
    let (mut slow, mut quick) = (pki.client(&server), pki.client(&server));
    slow.subscribe("news");
    quick.subscribe("news");
    let http = pki.http(&server);
    let keys = Keys::of(&app());
    let mut rest = Rest { keys, http };
    let data = "x".repeat(10_000);
    let mut sent = 0;
    // Sockets hold megabytes of their own; then the outbox fills.
    let waiting = || {
        let snapshot = server.handle().snapshot().wait().expect("it runs");
        snapshot.shards[0].waiting_bytes
    };
    while waiting() < 200 * 1024 {
        rest.trigger("news", "e", &data);
        quick.expect("e");
        sent += 1;
    }
    for _ in 0..40 {
        rest.trigger("news", "e", &data);
        quick.expect("e");
        sent += 1;
    }
    // It was closed, and hears that behind what had left: every frame whole, none doubled.
    let mut heard = 0;
    loop {
        match slow.ws.next() {
            Incoming::Text(text) if text.contains(&data) => heard += 1,
            Incoming::Text(text) => assert!(text.contains("4100"), "{text}"),
            Incoming::Close(Some((code, _))) => break assert_eq!(code, 4100),
            other => panic!("{other:?}"),
        }
    }
    assert!(heard < sent && heard > 10, "{heard} of {sent}");
    quick.expect_quiet();
}
