//! Apps whose clients have to speak TLS (H7).

use crate::pki::Pki;
use crate::support::pusher::{QUERY, expect_told_and_closed};
use crate::support::rest::Rest;
use crate::support::server::{TestServer, app};
use crate::support::sign::Keys;
use crate::support::websocket::Ws;
use shardcast::app::App;
use shardcast::handler::Request;
use shardcast::server::Server;
use shardcast::server::config::Config;

fn only() -> App {
    let mut only = App::new("2", "only-key", "only-secret");
    only.tls_only = true;
    only
}

#[test]
fn clients_in_clear_are_told_4000_and_those_over_tls_are_served() {
    // H7
    let pki = Pki::new("only");
    let server = TestServer::start(Config {
        tls_port: Some(0),
        ..pki.config_with([app(), only()])
    });
    let plain = |key: &str| Ws::open(server.address(), &format!("/app/{key}{QUERY}"));
    expect_told_and_closed(&mut plain("only-key"), 4000);
    let mut client = pki.client_of(&server, "only-key");
    client.subscribe("news");
    server.client().expect_quiet(); // another app's
    // Backends may be on the same machine.
    let mut rest = Rest::connect(&server, &only());
    rest.trigger("news", "e", "by a backend in clear");
    assert_eq!(client.expect("e").text(), "by a backend in clear");
    rest.http = pki.http(&server);
    rest.trigger("news", "e", "over TLS");
    assert_eq!(client.expect("e").text(), "over TLS");
    assert_eq!(Keys::of(&only()).id, "2");
}

#[test]
fn tls_comes_after_the_app_and_before_its_origins() {
    // Section 1.3, checks 5 to 7
    let pki = Pki::new("order");
    let mut off = only();
    (off.id, off.key, off.enabled) = ("3".into(), "off-key".into(), false);
    let mut listed = only();
    (listed.id, listed.key) = ("4".into(), "listed-key".into());
    listed.allowed_origins = vec!["app.example".into()];
    let server = TestServer::start(Config {
        tls_port: Some(0),
        ..pki.config_with([off, listed])
    });
    for (key, code) in [("off-key", 4003), ("listed-key", 4000)] {
        let mut ws = Ws::open(server.address(), &format!("/app/{key}{QUERY}"));
        expect_told_and_closed(&mut ws, code);
    }
    expect_told_and_closed(&mut pki.socket_of(&server, "listed-key"), 4009);
}

#[test]
fn handlers_are_told_whether_a_request_came_over_tls() {
    let pki = Pki::new("told");
    let builder = Server::builder().config(Config {
        tls_port: Some(0),
        ..pki.config()
    });
    let server = TestServer::build(builder.routes(|router| {
        router.get("/", async |request: Request<'_>| {
            request.is_tls().to_string()
        });
        router.post("/", async |request: Request<'_>| {
            request.is_tls().to_string()
        });
    }));
    for (mut http, told) in [
        (
            crate::support::http::Http::connect(server.address()),
            "false",
        ),
        (pki.http(&server), "true"),
    ] {
        assert_eq!(http.ask("GET", "/", b"").text(), told);
        assert_eq!(http.ask("POST", "/", b"a body").text(), told);
    }
}
