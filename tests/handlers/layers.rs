//! What stands around routes, as a library user writes it: handshakes and requests alike.

use crate::router::{both, mount_shard, serve, serve_pusher};
use crate::support::http::{Http, Response as Answer, request};
use crate::support::pusher::{Client as Pusher, QUERY};
use crate::support::server::{NOW, TestServer, app, config};
use crate::support::websocket::{Ws, shake};
use shardcast::app::App;
use shardcast::handler::middleware::Origins;
use shardcast::handler::{Client, Handler, Handshake, Message, Middleware, Next, Request, Result};
use shardcast::http::Response;
use shardcast::server::Server;
use std::cell::Cell;

/// Written by a user: notes who has passed, refuses who is told to be refused, before or after the
/// route has answered.
struct Stamp(&'static str, Cell<u32>);

impl Stamp {
    fn new(name: &'static str) -> Self {
        Self(name, Cell::new(0))
    }
}

/// What a stamp hands on.
struct Stamps(String);

impl Middleware for Stamp {
    async fn around(&self, mut request: Request<'_>, next: Next<'_>) -> Response {
        self.1.set(self.1.get() + 1);
        let before = request.extensions_mut().remove::<Stamps>();
        let before = before.map_or(String::new(), |stamps| stamps.0);
        request.extensions_mut().insert(Stamps(before + self.0));
        let says = |what: &str| request.query().split('&').any(|part| part == what);
        let (before, after) = (format!("before={}", self.0), format!("after={}", self.0));
        assert!(
            !says(&format!("panic={}", self.0)),
            "broken in a middleware"
        );
        if says(&before) {
            return Response::text(403, before);
        }
        let is_late = says(&after);
        let response = next.run(request).await;
        if is_late {
            return Response::text(403, after);
        }
        let value = format!("{}{}", self.0, self.1.get());
        response.try_header("X-Stamp", value).expect("a fine value")
    }
}

/// Its session is what the middleware has handed on.
struct Stamped;

impl Handler for Stamped {
    type Session = String;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<String>> {
        let stamps = request.extensions().get::<Stamps>().ok_or("no stamps")?;
        Ok(Handshake::accept(stamps.0.clone()))
    }

    async fn on_message(&self, client: &mut Client<String>, _: Message<'_>) -> Result {
        Ok(client.send_text(client.session())?)
    }
}

fn stamps(answer: &Answer) -> String {
    let stamps = answer.headers.iter().filter(|(name, _)| name == "X-Stamp");
    let names = stamps.map(|(_, value)| &value[..1]);
    names.collect()
}

fn stamped() -> TestServer {
    serve(|router| {
        mount_shard(router);
        router.get("/before", async |_: Request<'_>| "before");
        router.layer(Stamp::new("a"));
        router.get("/a", async |request: Request<'_>| {
            request
                .extensions()
                .get::<Stamps>()
                .expect("handed on")
                .0
                .clone()
        });
        router.nest("/in", |inner| {
            inner.layer(Stamp::new("b")).layer(Stamp::new("c"));
            inner.mount("/ws", |_| Stamped);
            inner.get("/panics", async |_: Request<'_>| -> () {
                panic!("broken in a function")
            });
            inner.post("/post", async |request: Request<'_>| {
                request
                    .extensions()
                    .get::<Stamps>()
                    .expect("handed on")
                    .0
                    .clone()
            });
        });
        router.layer(Stamp::new("d"));
        router.get("/d", async |_: Request<'_>| "d");
    })
}

#[test]
fn layers_stand_around_what_is_mounted_behind_them() {
    let server = stamped();
    for mut http in both(&server) {
        for (method, target, status, text, wanted) in [
            ("GET", "/before", 200, "before", ""),
            ("GET", "/a", 200, "a", "a"),
            ("POST", "/in/post", 200, "abc", "cba"),
            ("GET", "/d", 200, "d", "da"),
            ("GET", "/a?before=a", 403, "before=a", ""),
            ("GET", "/a?after=a", 403, "after=a", ""),
            ("POST", "/in/post?before=b", 403, "before=b", "a"),
            ("POST", "/in/post?after=c", 403, "after=c", "ba"),
            // What the router itself answers.
            ("POST", "/before", 405, "Method not allowed\n", ""),
            ("POST", "/a", 405, "Method not allowed\n", "a"),
            ("GET", "/in/post", 405, "Method not allowed\n", "cba"),
            ("OPTIONS", "/in/post", 204, "", "cba"),
            (
                "GET",
                "/in/ws",
                426,
                "This is a WebSocket endpoint.\n",
                "cba",
            ),
            ("GET", "/in/nothing", 404, "Not found\n", "cba"),
            ("GET", "/in", 404, "Not found\n", "cba"),
            ("GET", "/nothing", 404, "Not found\n", "da"),
        ] {
            let answer = http.ask(method, target, b"");
            let got = (answer.status, answer.text());
            assert_eq!(got, (status, text), "{method} {target}");
            assert_eq!(stamps(&answer), wanted, "{method} {target}");
        }
        for target in ["/in/panics", "/in/post?panic=c", "/in/ws?panic=c"] {
            let answer = http.send(request("GET", target, &[], b""));
            let wanted = if target == "/in/panics" { "cba" } else { "ba" };
            assert_eq!(
                (answer.status, &*stamps(&answer)),
                (500, wanted),
                "{target}"
            );
            http = Http::connect(server.address());
        }
    }
}

#[test]
fn nothing_at_a_prefix_is_told_behind_the_layers_of_its_router() {
    let server = serve(|router| {
        mount_shard(router);
        router.nest("/open", |inner| {
            inner.get("/a", async |_: Request<'_>| "a");
        });
        router.nest("/shut", |inner| {
            inner.layer(Stamp::new("s"));
        });
        // The same prefix once more takes no layer away.
        router.nest("/shut", |inner| {
            inner.get("/b", async |_: Request<'_>| "b");
        });
        router.layer(Stamp::new("r"));
    });
    for mut http in both(&server) {
        for (target, wanted) in [
            ("/nothing", "r"),
            ("/open", ""),
            ("/open/nothing", ""),
            ("/shut/nothing", "s"),
        ] {
            let answer = http.ask("GET", target, b"");
            assert_eq!(
                (answer.status, &*stamps(&answer)),
                (404, wanted),
                "{target}"
            );
        }
    }
}

#[test]
fn a_handshake_passes_the_same_layers() {
    let server = stamped();
    let (answer, mut ws) = shake(&server, "/in/ws", &[]);
    assert_eq!((answer.status, &*stamps(&answer)), (101, "cba"));
    ws.send_text("");
    assert_eq!(ws.expect_text(), "abc");
    for (query, wanted) in [("before=b", "a"), ("after=b", "a"), ("after=c", "ba")] {
        let (answer, mut ws) = shake(&server, &format!("/in/ws?{query}"), &[]);
        assert_eq!((answer.status, &*stamps(&answer)), (403, wanted), "{query}");
        assert_eq!(ws.wire.take(query.len()), query.as_bytes());
        ws.wire.expect_end();
    }
}

#[test]
fn a_refusal_after_the_fact_costs_no_place_of_an_app() {
    let one = App {
        max_connections: Some(1),
        ..app()
    };
    let routes = |router: &mut shardcast::handler::Router| {
        router.nest("/guarded", |inner| {
            inner.layer(Stamp::new("x"));
            inner.pusher();
        });
    };
    let builder = Server::builder().config(config([one])).routes(routes);
    let server = TestServer::build(builder.wall_clock(|| NOW));
    for _ in 0..10 {
        let (answer, _) = shake(&server, "/guarded/app/app-key?after=x", &[]);
        assert_eq!(answer.status, 403);
    }
    // The place comes back with the end of a turn.
    let mut tries = (0..1000).map(|_| {
        let mut ws = Ws::open(server.address(), "/guarded/app/app-key");
        (ws.expect_text(), ws)
    });
    let found = tries.find(|(first, _)| first.contains("connection_established"));
    assert!(found.is_some(), "no place is left");
}

#[test]
fn the_pusher_application_stands_behind_layers() {
    let server = serve_pusher(|router| {
        mount_shard(router);
        router.layer(Stamp::new("s"));
        router.nest("/live", |inner| {
            inner.layer(Origins::new(["app.example.com"]));
            inner.pusher();
        });
    });
    let target = format!("/live/app/app-key{QUERY}");
    let (answer, ws) = shake(&server, &target, &["Origin: https://app.example.com"]);
    assert_eq!((answer.status, &*stamps(&answer)), (101, "s"));
    let mut client = Pusher::greeted(ws);
    client.subscribe("news");
    client.expect_quiet();
    let (answer, _) = shake(&server, &target, &["Origin: https://evil.com"]);
    assert_eq!((answer.status, &*stamps(&answer)), (403, "s"));
    for mut http in both(&server) {
        let answer = http.ask("GET", "/live/apps/1001/channels", b"");
        assert_eq!((answer.status, &*stamps(&answer)), (401, "s")); // not signed
    }
    // Without a place of its own it is mounted last, behind all layers.
    let server = serve_pusher(|router| {
        router.layer(Stamp::new("l"));
    });
    server.client().expect_quiet();
    let (answer, _) = shake(&server, &format!("/app/app-key{QUERY}"), &[]);
    assert_eq!(stamps(&answer), "l");
}
