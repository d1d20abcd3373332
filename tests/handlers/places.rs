//! Hosts, routes that contradict each other, and where the Pusher application is served.

use crate::router::{Deaf, Echo, both, echoed, mount_shard, serve, serve_pusher, told};
use crate::support::http::Http;
use crate::support::pusher::{Client as Pusher, QUERY};
use crate::support::server::{app, config};
use crate::support::sign::Keys;
use crate::support::websocket::{Ws, shake};
use serde_json::json;
use shardcast::handler::{Request, Router};
use shardcast::server::Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn hosts_have_routes_of_their_own() {
    let server = serve(|router| {
        mount_shard(router);
        router.get("/", async |_: Request<'_>| "anybody");
        router.get("/plain", async |_: Request<'_>| "plain");
        router.host("*.example.com", |host| {
            host.get("/", async |_: Request<'_>| "below");
            host.fallback(async |_: Request<'_>| (404, "not below"));
        });
        router.host("Chat.example.com", |chat| {
            chat.get("/", async |_: Request<'_>| "chat");
            chat.nest("/api", |api| {
                api.get("/x", async |_: Request<'_>| "chat api");
            });
            chat.mount("/ws/{room}", |_| Echo {
                greeting: "chat",
                answers: false,
            });
        });
    });
    let ask = |http: &mut Http, host: &str, target: &str| {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = http.send(bytes);
        (answer.status, answer.text().to_owned())
    };
    for mut http in both(&server) {
        for (host, target, status, wanted) in [
            ("example.com", "/", 200, "anybody"),
            ("localhost", "/", 200, "anybody"),
            ("", "/", 200, "anybody"),
            ("chat.example.com", "/", 200, "chat"),
            ("CHAT.EXAMPLE.COM:8080", "/", 200, "chat"),
            ("chat.example.com", "/api/x", 200, "chat api"),
            ("www.example.com", "/api/x", 404, "not below"),
            ("www.example.com", "/", 200, "below"),
            ("a.b.example.com.", "/", 200, "below"),
            ("www.example.com", "/plain", 200, "plain"),
            ("chat.example.com", "/plain", 200, "plain"),
            ("chat.example.com", "/nothing", 404, "not below"),
            ("example.org", "/nothing", 404, "Not found\n"),
            // RFC 9112, section 3.2.2: of two names the one in the target counts.
            ("localhost", "http://chat.example.com:80/?a", 200, "chat"),
            ("chat.example.com", "http://localhost", 200, "anybody"),
        ] {
            let got = ask(&mut http, host, target);
            assert_eq!(got, (status, wanted.into()), "{host} {target}");
        }
    }
    assert_eq!(shake(&server, "/ws/1", &[]).0.status, 404); // the host is localhost
    assert_eq!(echoed(&server, "ws://chat.example.com/ws/1"), "chat 1");
}

/// What keeps a server with these routes from starting.
fn refusal(routes: impl Fn(&mut Router) + Send + Sync + 'static) -> String {
    let started = Server::builder().config(config([])).routes(routes).start();
    started
        .expect_err("the routes contradict each other")
        .to_string()
}

#[test]
fn routes_that_mean_the_same_requests_end_the_start() {
    async fn nothing(_: Request<'_>) {}
    let same = |router: &mut Router| {
        router
            .get("/room/{id}", nothing)
            .get("/room/{name}", nothing);
    };
    let text = refusal(same);
    let wanted = r#"GET is mounted twice at "/room/{name}": it has the shape of "/room/{id}""#;
    assert!(text.contains(wanted), "{text}");
    let text = refusal(|router| {
        router.mount("/a", |_| Deaf);
        router.mount("/%61", |_| Deaf);
    });
    assert!(
        text.contains(r#"A WebSocket handler is mounted twice at "/%61""#),
        "{text}"
    );
    let text = refusal(|router| {
        router.get("/a/b", nothing);
        router.nest("/a", |inner| {
            inner.any("/b", nothing).any("/b", nothing);
        });
    });
    assert!(
        text.contains(r#"Any method is mounted twice at "/a/b""#),
        "{text}"
    );
    let text = refusal(|router| {
        router.host("a.com", |host| {
            host.get("/b", nothing);
        });
        router.host("A.com", |host| {
            host.get("/b", nothing);
        });
    });
    assert!(text.contains(r#"GET is mounted twice at "/b""#), "{text}");
    for (text, wanted) in [
        (
            refusal(|router| {
                router.get("a", nothing);
            }),
            "begins with a slash: \"a\"",
        ),
        (
            refusal(|router| {
                router.get("", nothing);
            }),
            "begins with a slash: \"\"",
        ),
        (
            refusal(|router| {
                router.route("GE T", "/", nothing);
            }),
            "not a method: \"GE T\"",
        ),
        (
            refusal(|router| {
                router.nest("/a/", |_| {});
            }),
            "a prefix begins with a slash",
        ),
        (
            refusal(|router| {
                router.nest("/*", |_| {});
            }),
            "a prefix begins with a slash",
        ),
        (
            refusal(|router| {
                router.host("a", |a| {
                    a.host("b", |_| {});
                });
            }),
            "a host within a host: \"b\"",
        ),
        (
            refusal(|router| {
                router.fallback(nothing).fallback(nothing);
            }),
            "two fallbacks",
        ),
        (
            refusal(|router| {
                for _ in 0..2 {
                    router.nest("/a", |inner| {
                        inner.fallback(nothing);
                    });
                }
            }),
            "two fallbacks at \"/a\"",
        ),
        (
            refusal(|router| {
                router.pusher().pusher();
            }),
            "is placed twice",
        ),
    ] {
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn the_pusher_application_gives_way_to_routes_of_the_same_pattern_only() {
    let server = serve_pusher(|router| {
        router.pusher(); // mounted last all the same
        router.get("/", async |_: Request<'_>| "my page");
        router.get("/app/{any}", async |_: Request<'_>| "no key");
        router.get("/apps/{id}/stats", async |_: Request<'_>| "stats");
        router.any("/*", async |_: Request<'_>| (404, "mine"));
        router.mount("/users/{user}/terminate_connections", |_| Deaf);
        assert!(router.is_mounted("/users/{id}/terminate_connections"));
        assert!(!router.is_mounted("/app/{key}")); // only a function
    });
    let mut http = Http::connect(server.address());
    assert_eq!(told(&mut http, "GET", "/"), (200, "my page".into()));
    assert_eq!(told(&mut http, "POST", "/").0, 405); // the application's own
    assert_eq!(
        told(&mut http, "GET", "/app/app-key"),
        (200, "no key".into())
    );
    assert_eq!(
        told(&mut http, "GET", "/apps/1001/stats"),
        (200, "stats".into())
    );
    assert_eq!(told(&mut http, "GET", "/x"), (404, "mine".into()));
    assert_eq!(
        told(&mut http, "GET", "/users/a/terminate_connections").0,
        426
    );
    server.client().expect_quiet();
    assert_eq!(server.rest().get("channels", &[]).status, 200);
}

#[test]
fn the_pusher_application_is_served_where_it_is_placed() {
    let called = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&called);
    let server = serve_pusher(move |router| {
        mount_shard(router);
        router.host("*.example.com", |host| {
            host.nest("/{tenant}/push", |inner| {
                inner.pusher();
                assert_eq!(inner.prefix(), "/{tenant}/push");
            });
        });
        seen.store(true, Ordering::Relaxed);
    });
    assert!(called.load(Ordering::Relaxed));
    let on = |path: &str| format!("ws://push.example.com{path}");
    let target = on(&format!("/acme/push/app/app-key{QUERY}"));
    let mut client = Pusher::greeted(Ws::open(server.address(), &target));
    client.subscribe("news");
    let keys = Keys::of(&app());
    let body = json!({"name": "e", "channel": "news", "data": "d"});
    let body = body.to_string().into_bytes();
    // Signed with the path that is sent, or with what an SDK knows of.
    let bare = keys.target("POST", "/apps/1001/events", &[], &body);
    let whole = keys.target("POST", "/acme/push/apps/1001/events", &[], &body);
    for mut http in both(&server) {
        for target in [on(&whole), on(&format!("/acme/push{bare}"))] {
            let answer = http.ask("POST", &target, &body);
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(client.expect("e").text(), "d");
        }
        assert_eq!(http.ask("GET", &on("/acme/push/"), b"").status, 200);
        assert_eq!(http.ask("POST", &on(&bare), &body).status, 404);
        assert_eq!(http.ask("POST", &whole, &body).status, 404); // another host
    }
    let elsewhere = format!("/app/app-key{QUERY}");
    assert_eq!(shake(&server, &elsewhere, &[]).0.status, 404);
}

#[test]
fn a_server_without_apps_has_no_application_to_place() {
    let server = serve(|router| {
        router.pusher();
        router.get("/apps", async |_: Request<'_>| "mine");
    });
    let mut http = Http::connect(server.address());
    assert_eq!(told(&mut http, "GET", "/apps"), (200, "mine".into()));
    assert_eq!(told(&mut http, "GET", "/apps/1/channels").0, 404);
}
