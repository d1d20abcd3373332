//! All that a server and its libraries log at the finest level, with handlers that panic.

use crate::expect_none;
use crate::receiver::{Answer, Receiver};
use crate::support::http::{Http, request};
use crate::support::pusher::Client;
use crate::support::server::{TestServer, app, config};
use crate::support::sign::Keys;
use crate::support::websocket::shake;
use serde_json::json;
use shardcast::app::{App, Webhook, WebhookKind};
use shardcast::handler::middleware::{AccessLog, BasicAuth, BearerAuth};
use shardcast::handler::{
    Client as Peer, Close, Endpoint, Handler, Handshake, Message, Request, Result, Router,
};
use shardcast::http::Response;
use shardcast::id::ClientId;
use shardcast::server::Server;
use shardcast::server::config::Config;
use std::io;
use std::sync::mpsc::{Receiver as Queue, SyncSender, sync_channel};

/// Pieces of the log that may wait for the test to look at them.
const PIECES_MAX: usize = 1_000_000;

/// Where the log goes.
struct Pieces(SyncSender<Vec<u8>>);

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has everything that is logged, and every panic, go to a queue.
fn listen() -> Queue<Vec<u8>> {
    let (to, from) = sync_channel(PIECES_MAX);
    let panics = to.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let _ = panics.send(format!("{panic}\n").into_bytes());
    }));
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || Pieces(to.clone()))
        .init();
    from
}

/// A handler that breaks wherever it is told to, and keeps what it was given.
struct Broken;

fn broken(place: &str, asked: &str) {
    assert!(!asked.contains(place), "broken in {place}");
}

impl Handler for Broken {
    type Session = String;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<String>> {
        broken("on-handshake", request.path());
        Ok(Handshake::accept(request.path().to_owned()))
    }

    async fn on_open(&self, client: &mut Peer<String>) -> Result {
        broken("on-open", client.session());
        Ok(())
    }

    async fn on_message(&self, client: &mut Peer<String>, _: Message<'_>) -> Result {
        broken("on-message", client.session());
        Ok(())
    }

    async fn on_close(&self, _: ClientId, session: String, _: Close) {
        broken("on-close", &session);
    }

    async fn on_request(&self, _: &Endpoint, request: Request<'_>) -> Response {
        broken("on-request", request.path());
        Response::text(200, "fine\n")
    }

    async fn on_stop(&self, _: &Endpoint) {
        broken("on-stop", "on-stop");
    }
}

fn routes(router: &mut Router) {
    router.layer(AccessLog::new());
    router.mount("/broken/{place}", |_| Broken);
    router.nest("/basic", |inner| {
        inner.layer(BasicAuth::new("house").with_user("ann", "canary-password"));
        inner.mount("/{rest}", |_| Broken);
    });
    router.nest("/bearer", |inner| {
        let verify = async |token: &str| Ok((token == "canary-token").then_some(()));
        inner.layer(BearerAuth::new("api", verify).with_query_parameter("token"));
        inner.mount("/{rest}", |_| Broken);
    });
}

/// Endpoints that take, that refuse, and that cannot be reached by TLS.
fn told(good: &Receiver, bad: &Receiver) -> App {
    let hook = |url: String| Webhook {
        events: WebhookKind::ALL.to_vec(),
        headers: vec![("Authorization".into(), "canary-header".into())],
        trusted: true,
        ..Webhook::new(url)
    };
    let secure = format!(
        "https://127.0.0.1:{}/canary-path?t=canary-query",
        bad.port()
    );
    App {
        secret: "canary-secret".into(),
        webhooks: vec![hook(good.url()), hook(bad.url()), hook(secure)],
        watchlist: true,
        ..app()
    }
}

/// What clients send may be secret too: passwords, tokens, data.
fn ask_for_all(server: &TestServer) -> String {
    let mut answers = String::new();
    let basic = "Authorization: Basic YW5uOmNhbmFyeS1wYXNzd29yZA==";
    let paths = [
        ("/basic/x", basic),
        ("/basic/x", "Authorization: Basic YW5uOmNhbmFyeS13cm9uZw=="),
        ("/bearer/x", "Authorization: Bearer canary-token"),
        ("/bearer/x", "Authorization: Bearer canary-wrong"),
        (
            "/bearer/x?token=canary-token",
            "Cookie: session=canary-cookie",
        ),
        ("/bearer/x?token=canary-wrong", "X-Own: canary-field"),
        (
            "/broken/on-request?q=canary-query",
            "Cookie: session=canary-cookie",
        ),
        (
            "/apps/1001/events?auth_key=app-key&auth_signature=canary",
            "X-A: canary",
        ),
        ("/nothing?q=canary", "X-A: canary"),
    ];
    for method in ["GET", "POST"] {
        for (target, field) in paths {
            let body: &[u8] = if method == "POST" {
                b"canary-body"
            } else {
                b""
            };
            let mut http = Http::connect(server.address());
            http.wire.send(request(method, target, &[field], body));
            let response = http.response();
            answers += &format!("{} {}\n", response.status, response.text());
        }
    }
    for bytes in [
        "canary\r\n\r\n",
        "GET canary HTTP/9\r\n\r\n",
        "GET / HTTP/1.1\r\ncanary\r\n\r\n",
    ] {
        let mut http = Http::connect(server.address());
        answers += http.send(bytes).text();
    }
    for place in ["on-handshake", "on-open", "on-message", "on-close"] {
        let target = format!("/broken/{place}?token=canary-query");
        let (head, mut ws) = shake(server, &target, &[]);
        assert_eq!(head.status == 101, place != "on-handshake");
        match place {
            "on-open" => drop(ws.expect_close(1011)),
            "on-message" => {
                ws.send_text("canary-message");
                ws.expect_close(1011);
            }
            "on-close" => ws.close(),
            _ => answers += &head.status.to_string(),
        }
    }
    answers
}

/// All that is signed, well and badly. What is told in good frames is shown at this level, as it is
/// asked for.
fn use_app(server: &TestServer, keys: &Keys) -> Vec<String> {
    let mut client = server.client();
    let info = json!({"user_id": "u", "user_info": {"mail": "told-info"}});
    client.join(keys, "presence-a", &info);
    let user = json!({"id": "u", "user_info": {"a": "told-user"}, "watchlist": ["v"]});
    client.sign_in_with(keys, &user.to_string());
    client.expect("pusher_internal:watchlist_events");
    client.subscribe("cache-a");
    client.trigger("presence-a", "client-e", &json!("told-data"));
    let wrong = Keys::new(&keys.id, &keys.key, "canary-wrong");
    client.ask_signed(&wrong, "private-b", None);
    client.expect_refused("private-b", "AuthError", 401);
    client.ask_to_sign_in(&wrong, &user.to_string());
    client.expect("pusher:error");
    for text in [
        "canary",
        "{\"event\":\"x\",\"data\":\"canary\"}",
        "{\"event\":[\"canary\"]}",
    ] {
        client.ws.send_text(text);
        client.expect("pusher:error");
    }
    let mut rest = server.rest();
    rest.keys = keys.clone();
    rest.trigger("presence-a", "e", "told-event");
    client.expect("e");
    rest.keys = wrong;
    let refused = rest.post(
        "events",
        &json!({"name": "e", "channel": "a", "data": "canary"}),
    );
    let said = format!("{} {}", refused.status, refused.text());
    rest.keys = keys.clone();
    let broken = rest.post("events", &json!({"name": ["canary"], "channel": 1}));
    let mut second = Client::connect(server.address(), "app-key");
    second.ws.send([0xff, 0xff, b'c']); // an unmasked frame
    vec![
        said,
        format!("{} {}", broken.status, broken.text()),
        keys.token(&client.socket_id, "private-b", None),
        keys.user_token(&client.socket_id, &user.to_string()),
    ]
}

// R29
#[test]
fn at_the_finest_level_and_in_panics_no_secret_is_told() {
    let log = listen();
    let (good, bad) = (
        Receiver::plain(),
        Receiver::answering(|_| Answer::Status(500, "")),
    );
    let app = told(&good, &bad);
    let keys = Keys::of(&app);
    let config = Config {
        flap_ms: 1,
        webhook_retry_ms: 20,
        debug: true,
        ..config([app.clone()])
    };
    let debug = format!("{config:?} {app:#?} {:?}", app.webhooks);
    let builder = Server::builder().config(config).routes(routes);
    let server = TestServer::build(builder.wall_clock(|| crate::support::server::NOW));
    let answers = ask_for_all(&server);
    let said = use_app(&server, &keys);
    good.next();
    bad.next();
    let handle = format!("{:?}", server.handle());
    server.stop();
    let ended = server.wait();
    let log: Vec<u8> = log.try_iter().flatten().collect();
    let log = String::from_utf8_lossy(&log);
    for part in [
        "broken in on-request",
        "broken in on-handshake",
        "broken in on-open",
        "broken in on-message",
        "broken in on-close",
        "broken in on-stop",
        "a webhook failed",
        "a webhook was taken",
        "sign-in",
        "told-info",
        "told-user",
        "told-data",
        "told-event",
        "TRACE",
    ] {
        assert!(log.contains(part), "{part} is not in the log");
    }
    expect_none(&log);
    expect_none(&answers);
    expect_none(&(debug + &handle + &format!("{ended:?}")));
    let (tokens, said) = (said[2..].to_vec(), said[..2].concat());
    expect_none(&said);
    // A token lets whoever reads it in.
    let tokens = tokens
        .iter()
        .map(|token| token.split(':').next_back().unwrap_or(token));
    assert!(tokens.clone().all(|token| !log.contains(token)));
}
