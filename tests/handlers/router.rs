//! Which route a request means: patterns, methods and nesting.

use crate::support::http::{Http, request};
use crate::support::server::{NOW, TestServer, app, config};
use crate::support::websocket::{ACCEPT, shake, upgrade};
use shardcast::handler::{
    Client, Endpoint, Error, Handler, Handshake, Message, Request, Result, Router,
};
use shardcast::http::Response;
use shardcast::server::Server;

/// Echoes, and answers requests only where it is told to.
pub struct Echo {
    pub greeting: &'static str,
    pub answers: bool,
}

impl Handler for Echo {
    type Session = String;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<String>> {
        let room = request.param("room").unwrap_or_default();
        Ok(Handshake::accept(format!("{} {room}", self.greeting)))
    }

    async fn on_message(&self, client: &mut Client<String>, _: Message<'_>) -> Result {
        Ok(client.send_text(client.session())?)
    }

    async fn on_request(&self, _: &Endpoint, request: Request<'_>) -> Response {
        if self.answers {
            return Response::text(200, format!("{} on_request\n", request.method()));
        }
        Response::empty(410)
    }
}

/// Implements no `on_request`.
pub struct Deaf;

impl Handler for Deaf {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, client: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(client.send_text("deaf")?)
    }
}

pub fn serve(routes: impl Fn(&mut Router) + Send + Sync + 'static) -> TestServer {
    TestServer::build(Server::builder().config(config([])).routes(routes))
}

/// Same, with the Pusher application.
pub fn serve_pusher(routes: impl Fn(&mut Router) + Send + Sync + 'static) -> TestServer {
    let builder = Server::builder().config(config([app()])).routes(routes);
    TestServer::build(builder.wall_clock(|| NOW))
}

/// A connection to each of both shards; `/shard` tells which one it is.
pub fn both(server: &TestServer) -> [Http; 2] {
    ["0", "1"].map(|shard| Http::connect_on(server.address(), "/shard", |it| it.text() == shard))
}

pub fn mount_shard(router: &mut Router) {
    let endpoint = router.mount("/shard", |_| Deaf);
    router.get("/shard", async move |_: Request<'_>| {
        endpoint.shard().to_string()
    });
}

pub fn echoed(server: &TestServer, target: &str) -> String {
    let (answer, mut ws) = shake(server, target, &[]);
    assert_eq!(
        answer.header("sec-websocket-accept"),
        Some(ACCEPT),
        "{answer:?}"
    );
    ws.send_text("");
    ws.expect_text()
}

pub fn told(http: &mut Http, method: &str, target: &str) -> (u16, String) {
    let answer = http.ask(method, target, b"");
    (answer.status, answer.text().to_owned())
}

#[test]
fn the_most_specific_pattern_is_meant_whatever_the_order() {
    let server = serve(|router| {
        mount_shard(router);
        router.any("/*", async |request: Request<'_>| {
            format!("rest {}", request.rest().unwrap())
        });
        router.get("/{page}", async |request: Request<'_>| {
            format!("page {}", request.param_decoded("page").unwrap())
        });
        router.get("/about us", async |request: Request<'_>| {
            request.pattern().to_owned()
        });
        router.get("/room/{id}/*", async |request: Request<'_>| {
            format!(
                "{} {}",
                request.param("id").unwrap(),
                request.rest().unwrap()
            )
        });
        router.get("/room/lobby", async |_: Request<'_>| "lobby");
    });
    for mut http in both(&server) {
        for (target, wanted) in [
            ("/", "rest "),
            ("/a/b%20c/?x", "rest a/b%20c/"),
            ("/x%20y", "page x y"),
            ("/about%20us", "/about us"),
            ("/%61bout%20us", "/about us"),
            ("/about", "page about"),
            ("/about%20us/", "rest about%20us/"),
            ("/room/lobby", "lobby"),
            ("/room/lobby/", "lobby "),
            ("/room/7/a/b", "7 a/b"),
            ("/room/7", "rest room/7"),
        ] {
            assert_eq!(
                told(&mut http, "GET", target),
                (200, wanted.into()),
                "{target}"
            );
        }
        // The pattern is chosen first, then the method.
        assert_eq!(told(&mut http, "POST", "/room/lobby").0, 405);
        assert_eq!(
            told(&mut http, "POST", "/room/7"),
            (200, "rest room/7".into())
        );
    }
}

#[test]
fn a_pattern_answers_its_methods_and_names_them() {
    let server = serve(|router| {
        mount_shard(router);
        let put = async |mut request: Request<'_>| {
            request.body_mut().reverse();
            String::from_utf8(request.body().to_vec()).map_err(Error::from)
        };
        router
            .get("/note/{id}", async |request: Request<'_>| {
                request.method().to_owned()
            })
            .put("/note/{name}", put)
            .patch("/note/{id}", async |_: Request<'_>| (202, "patched"))
            .delete("/note/{id}", async |_: Request<'_>| ())
            .route("REPORT", "/note/{id}", async |_: Request<'_>| None::<&str>)
            .post("/inbox", async |_: Request<'_>| "posted")
            .any("/any", async |request: Request<'_>| {
                request.method().to_owned()
            })
            .get("/any", async |_: Request<'_>| "got")
            .get("/panics", async |_: Request<'_>| -> &str {
                panic!("broken in a function")
            });
    });
    let allow = "GET, PUT, PATCH, DELETE, REPORT, HEAD, OPTIONS";
    for mut http in both(&server) {
        assert_eq!(told(&mut http, "GET", "/note/1"), (200, "GET".into()));
        let head = http.ask("HEAD", "/note/1", b"");
        assert_eq!(
            (head.status, head.header("content-length")),
            (200, Some("4"))
        );
        let put = http.ask("PUT", "/note/1", b"abc");
        assert_eq!((put.status, put.text()), (200, "cba"));
        let bad = http.ask("PUT", "/note/1", b"\xff");
        assert_eq!((bad.status, bad.text()), (500, "Internal error\n"));
        http = Http::connect(server.address());
        assert_eq!(told(&mut http, "PATCH", "/note/1"), (202, "patched".into()));
        assert_eq!(told(&mut http, "DELETE", "/note/1"), (204, String::new()));
        assert_eq!(told(&mut http, "REPORT", "/note/1").0, 404);
        let options = http.ask("OPTIONS", "/note/1", b"");
        assert_eq!(
            (options.status, options.header("allow")),
            (204, Some(allow))
        );
        let post = http.ask("POST", "/note/1", b"");
        assert_eq!((post.status, post.header("allow")), (405, Some(allow)));
        let head = http.ask("HEAD", "/inbox", b"");
        assert_eq!(
            (head.status, head.header("allow")),
            (405, Some("POST, OPTIONS"))
        );
        assert_eq!(told(&mut http, "POST", "/any"), (200, "POST".into()));
        assert_eq!(told(&mut http, "OPTIONS", "/any"), (200, "OPTIONS".into()));
        assert_eq!(told(&mut http, "GET", "/any"), (200, "got".into()));
        assert_eq!(told(&mut http, "get", "/note/1").0, 405); // methods have a case
        http.wire.send(request("GET", "/panics", &[], b""));
        http.expect_refusal(500);
        http = Http::connect(server.address());
        assert_eq!(told(&mut http, "GET", "/any"), (200, "got".into())); // the shard lives
    }
    // A handshake where only functions are is a plain GET.
    let (answer, mut ws) = shake(&server, "/any", &[]);
    assert_eq!((answer.status, answer.header("upgrade")), (200, None));
    assert_eq!(ws.wire.take(3), b"got");
    assert_eq!(shake(&server, "/inbox", &[]).0.status, 405);
    assert_eq!(shake(&server, "/nothing", &[]).0.status, 404);
}

#[test]
fn a_handler_and_functions_share_a_pattern() {
    let server = serve(|router| {
        mount_shard(router);
        router.get("/echo/{id}", async |_: Request<'_>| "function");
        let echo = |answers| {
            move |_| Echo {
                greeting: "hello",
                answers,
            }
        };
        router.mount("/echo/{room}", echo(true));
        router.mount("/deaf", |_| Deaf);
        router.mount("/shared", |_| Deaf);
        router.post("/shared", async |_: Request<'_>| "posted");
    });
    assert_eq!(echoed(&server, "/echo/7"), "hello 7");
    assert_eq!(echoed(&server, "/shared"), "deaf");
    for mut http in both(&server) {
        assert_eq!(told(&mut http, "GET", "/echo/7"), (200, "function".into()));
        assert_eq!(
            told(&mut http, "POST", "/echo/7"),
            (200, "POST on_request\n".into())
        );
        assert_eq!(
            told(&mut http, "OPTIONS", "/echo/7"),
            (200, "OPTIONS on_request\n".into())
        );
        let get = http.ask("GET", "/deaf", b"");
        assert_eq!(get.status, 426);
        assert!(
            get.headers
                .contains(&("Upgrade".into(), "websocket".into())),
            "{get:?}"
        );
        for (path, allow) in [
            ("/deaf", "GET, HEAD, OPTIONS"),
            ("/shared", "POST, GET, HEAD, OPTIONS"),
        ] {
            let answer = http.ask("DELETE", path, b"");
            assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)));
            let answer = http.ask("OPTIONS", path, b"");
            assert_eq!((answer.status, answer.header("allow")), (204, Some(allow)));
        }
        assert_eq!(told(&mut http, "POST", "/shared"), (200, "posted".into()));
    }
    // A handshake is a GET, whoever may answer a POST otherwise.
    let post = |path| Http::connect(server.address()).send(upgrade("POST", path, &[]));
    let answer = post("/deaf");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")));
    assert_eq!(post("/shared").status, 200);
}

#[test]
fn nested_routes_have_their_prefix_parameters_and_fallback() {
    let server = serve(|router| {
        mount_shard(router);
        router.nest("/house/{house}", |house| {
            assert_eq!(house.prefix(), "/house/{house}");
            house.get("", async |request: Request<'_>| {
                request.param("house").unwrap().to_owned()
            });
            house.get("/", async |_: Request<'_>| "slash");
            house.nest("/room", |rooms| {
                rooms.get("/{id}", async |request: Request<'_>| {
                    let (house, id) = (request.param("house"), request.param("id"));
                    format!("{} {} {}", house.unwrap(), id.unwrap(), request.pattern())
                });
                rooms.mount("/{room}/ws", |_| Echo {
                    greeting: "nested",
                    answers: false,
                });
            });
            house.nest("/attic", |attic| {
                attic.fallback(async |_: Request<'_>| (404, "nobody goes there"));
            });
            house.fallback(async |request: Request<'_>| {
                assert_eq!(request.pattern(), "");
                (404, format!("not in this house: {}", request.path()))
            });
        });
        router.get("/house/{house}/cellar/*", cellar);
    });
    for mut http in both(&server) {
        for (target, status, wanted) in [
            ("/house/red", 200, "red"),
            ("/house/red/", 200, "slash"),
            ("/house/red/room/7", 200, "red 7 /house/{house}/room/{id}"),
            ("/house/red/cellar/x", 200, "cellar"),
            ("/house/red/roof", 404, "not in this house: /house/red/roof"),
            (
                "/house/red/room/",
                404,
                "not in this house: /house/red/room/",
            ),
            (
                "/house/red/room/7/x",
                404,
                "not in this house: /house/red/room/7/x",
            ),
            ("/house/red/attic", 404, "nobody goes there"),
            ("/house/red/attic/chest", 404, "nobody goes there"),
            (
                "/house/red/attics",
                404,
                "not in this house: /house/red/attics",
            ),
            ("/house", 404, "Not found\n"),
            ("/house/", 404, "Not found\n"),
        ] {
            assert_eq!(
                told(&mut http, "GET", target),
                (status, wanted.into()),
                "{target}"
            );
        }
    }
    assert_eq!(echoed(&server, "/house/red/room/7/ws"), "nested 7");
}

async fn cellar(_: Request<'_>) -> &'static str {
    "cellar"
}
