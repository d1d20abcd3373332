//! The middleware that comes with the crate, on both shards.

use crate::router::{Echo, both, mount_shard, serve};
use crate::support::http::{Http, Response as Answer, request};
use crate::support::websocket::{Incoming, shake};
use shardcast::handler::middleware::{
    BasicAuth, BasicUser, BearerAuth, Compression, Cors, Origins, RateLimit,
};
use shardcast::handler::{Client, Handler, Handshake, Message, Request, Result};
use shardcast::http::Response;
use std::time::Duration;

pub fn get(http: &mut Http, target: &str, fields: &[&str]) -> Answer {
    http.send(request("GET", target, fields, b""))
}

#[test]
fn pages_of_listed_origins_may_shake_hands() {
    let echo = |_| Echo {
        greeting: "hi",
        answers: false,
    };
    let server = serve(move |router| {
        mount_shard(router);
        router.layer(Origins::new(["*.example.com", "http://localhost:3000"]));
        router.mount("/ws", echo);
        router.get("/page", async |_: Request<'_>| "page");
        router.nest("/strict", |inner| {
            inner.layer(
                Origins::new(["a.example.com"])
                    .allow_missing(true)
                    .guard_requests(true),
            );
            inner.get("", async |_: Request<'_>| "strict");
        });
    });
    for (origin, status) in [
        ("Origin: https://a.example.com", 101),
        ("Origin: http://localhost:3000", 101),
        ("Origin: http://localhost:3001", 403),
        ("Origin: https://evil.com", 403),
        ("Origin: null", 403),
        ("X: no origin", 403),
    ] {
        assert_eq!(
            shake(&server, "/ws", &[origin]).0.status,
            status,
            "{origin}"
        );
    }
    for mut http in both(&server) {
        for (target, origin, status) in [
            ("/page", "Origin: https://evil.com", 200),
            ("/strict", "Origin: https://evil.com", 403),
            ("/strict", "Origin: https://b.example.com", 403),
            ("/strict", "Origin: https://a.example.com", 200),
            ("/strict", "X: no origin", 200),
        ] {
            assert_eq!(
                get(&mut http, target, &[origin]).status,
                status,
                "{target} {origin}"
            );
        }
    }
}

#[test]
fn a_name_and_a_password_let_in() {
    let server = serve(|router| {
        mount_shard(router);
        router.layer(BasicAuth::new("the house").with_user("ann", "open sesame"));
        router.get("/", async |request: Request<'_>| {
            request
                .extensions()
                .get::<BasicUser>()
                .expect("handed on")
                .0
                .clone()
        });
    });
    let good = "Authorization: Basic YW5uOm9wZW4gc2VzYW1l";
    for mut http in both(&server) {
        for field in [
            "X: none",
            "Authorization: Basic YW5uOnNlc2FtZQ==",
            "Authorization: x",
        ] {
            let answer = get(&mut http, "/", &[field]);
            assert_eq!(answer.status, 401, "{field}");
            let challenge = "Basic realm=\"the house\", charset=\"UTF-8\"";
            assert_eq!(answer.header("www-authenticate"), Some(challenge));
        }
        assert_eq!(get(&mut http, "/nothing", &[]).status, 401); // not even that is told
        let answer = get(&mut http, "/", &[good]);
        assert_eq!((answer.status, answer.text()), (200, "ann"));
    }
}

/// Whom the verifier of tokens knows.
struct User(u32);

/// Greets whom the middleware has found.
struct Known;

impl Handler for Known {
    type Session = u32;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<u32>> {
        let user = request.extensions().get::<User>().ok_or("nobody")?;
        Ok(Handshake::accept(user.0))
    }

    async fn on_message(&self, client: &mut Client<u32>, _: Message<'_>) -> Result {
        Ok(client.send_text(&client.session().to_string())?)
    }
}

#[test]
fn a_token_says_who_shakes_hands() {
    let server = serve(|router| {
        mount_shard(router);
        let verify = async |token: &str| {
            futures_lite::future::yield_now().await;
            match token {
                "broken" => Err("the database is away: secret".into()),
                token => Ok(token
                    .strip_suffix("-secret")
                    .and_then(|id| id.parse().ok())
                    .map(User)),
            }
        };
        router.layer(BearerAuth::new("chat", verify).with_query_parameter("token"));
        router.mount("/ws", |_| Known);
        router.nest("/strict", |inner| {
            inner.layer(BearerAuth::new("strict", verify));
            inner.get("", async |request: Request<'_>| {
                request
                    .extensions()
                    .get::<User>()
                    .expect("handed on")
                    .0
                    .to_string()
            });
        });
    });
    for (target, field) in [
        ("/ws", "Authorization: Bearer 7-secret"),
        ("/ws?token=7-secret", "X: none"),
    ] {
        let (answer, mut ws) = shake(&server, target, &[field]);
        assert_eq!(answer.status, 101, "{target}");
        ws.send_text("");
        assert_eq!(ws.expect_text(), "7");
    }
    let invalid = "Bearer realm=\"chat\", error=\"invalid_token\"";
    for (target, field, status, challenge) in [
        ("/ws", "X: none", 401, Some("Bearer realm=\"chat\"")),
        (
            "/ws",
            "Authorization: Basic 7-secret",
            401,
            Some("Bearer realm=\"chat\""),
        ),
        ("/ws", "Authorization: Bearer 7", 401, Some(invalid)),
        ("/ws?token=7", "X: none", 401, Some(invalid)),
        (
            "/ws?token=7-secret",
            "Authorization: Bearer 7",
            401,
            Some(invalid),
        ),
        ("/ws", "Authorization: Bearer broken", 500, None),
    ] {
        let (answer, _) = shake(&server, target, &[field]);
        assert_eq!(answer.status, status, "{target} {field}");
        assert_eq!(answer.header("www-authenticate"), challenge);
    }
    for mut http in both(&server) {
        let answer = get(&mut http, "/strict?token=7-secret", &[]);
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"strict\"")
        );
        let answer = get(&mut http, "/strict", &["Authorization: bearer 8-secret"]);
        assert_eq!((answer.status, answer.text()), (200, "8"));
    }
}

#[test]
fn an_address_that_asks_too_often_is_told_when_to_come_back() {
    let server = serve(|router| {
        mount_shard(router);
        router.nest("/slow", |inner| {
            inner.layer(RateLimit::new(2, Duration::from_secs(3600)).with_burst(3));
            inner.get("", async |_: Request<'_>| "in");
            inner.mount("/ws", |_| Echo {
                greeting: "hi",
                answers: false,
            });
        });
    });
    // Each shard counts for itself.
    for mut http in both(&server) {
        for _ in 0..3 {
            assert_eq!(get(&mut http, "/slow", &[]).status, 200);
        }
        let answer = get(&mut http, "/slow", &[]);
        assert_eq!((answer.status, answer.text()), (429, "Too many requests\n"));
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1790..=1800).contains(&wait), "{wait}");
        assert_eq!(get(&mut http, "/slow/nothing", &[]).status, 429);
        assert_eq!(get(&mut http, "/shard", &[]).status, 200); // not behind it
    }
    let (answer, _) = shake(&server, "/slow/ws", &[]);
    assert_eq!(answer.status, 429);
}

#[test]
fn pages_of_other_origins_read_what_they_may() {
    let server = serve(|router| {
        mount_shard(router);
        let cors = Cors::new()
            .with_origins(["https://*.example.com"])
            .with_methods(["PUT", "DELETE"])
            .with_headers(["Authorization", "X-A"])
            .with_exposed(["X-B"])
            .with_credentials()
            .with_max_age_s(600);
        router.layer(cors);
        router.put("/note", async |_: Request<'_>| "put");
        router.mount("/ws", |_| Echo {
            greeting: "hi",
            answers: false,
        });
        router.nest("/open", |inner| {
            inner.get("", async |_: Request<'_>| "open");
        });
    });
    let good = "Origin: https://a.example.com";
    let allow = "access-control-allow-origin";
    for mut http in both(&server) {
        let asks = "Access-Control-Request-Method: PUT";
        let preflight = http.send(request("OPTIONS", "/note", &[good, asks], b""));
        let field = |name: &str| preflight.header(name).map(str::to_owned);
        assert_eq!(preflight.status, 204);
        assert_eq!(field(allow).as_deref(), Some("https://a.example.com"));
        assert_eq!(
            field("access-control-allow-methods").as_deref(),
            Some("PUT, DELETE")
        );
        let headers = field("access-control-allow-headers");
        assert_eq!(headers.as_deref(), Some("Authorization, X-A"));
        assert_eq!(
            field("access-control-allow-credentials").as_deref(),
            Some("true")
        );
        assert_eq!(field("access-control-max-age").as_deref(), Some("600"));
        assert_eq!(
            (field("vary").as_deref(), field("allow")),
            (Some("Origin"), None)
        );
        let evil = "Origin: https://example.com.evil.com";
        let refused = http.send(request("OPTIONS", "/note", &[evil, asks], b""));
        assert_eq!((refused.status, refused.header(allow)), (403, None));
        assert_eq!(refused.header("vary"), Some("Origin"));
        let plain = http.send(request("OPTIONS", "/note", &[good], b""));
        assert_eq!(plain.header("allow"), Some("PUT, OPTIONS")); // no preflight
        for (target, status) in [("/note", 200), ("/open", 405), ("/nothing", 404)] {
            let answer = http.send(request("PUT", target, &[good], b""));
            assert_eq!(answer.status, status);
            assert_eq!(
                answer.header(allow),
                Some("https://a.example.com"),
                "{target}"
            );
            assert_eq!(answer.header("access-control-expose-headers"), Some("X-B"));
            assert_eq!(answer.header("vary"), Some("Origin"));
        }
        let answer = http.send(request("PUT", "/note", &[evil], b""));
        assert_eq!((answer.status, answer.header(allow)), (200, None));
        let answer = http.send(request("PUT", "/note", &[], b""));
        assert_eq!(
            (answer.header(allow), answer.header("vary")),
            (None, Some("Origin"))
        );
    }
    let (answer, _) = shake(&server, "/ws", &["Origin: https://evil.com"]);
    assert_eq!((answer.status, answer.header("vary")), (101, None));
}

#[test]
fn bodies_are_compressed_for_who_accepts_it() {
    let server = serve(|router| {
        mount_shard(router);
        router.layer(
            Compression::new()
                .with_min_bytes(100)
                .with_max_bytes(2000)
                .with_level(9),
        );
        router.get("/text/{size}", async |request: Request<'_>| {
            let size = request.param("size").unwrap().parse().unwrap();
            Response::text(200, "a".repeat(size)).with_header("ETag", "\"v1\"")
        });
        router.mount("/ws", |_| Echo {
            greeting: "hi",
            answers: false,
        });
    });
    for mut http in both(&server) {
        for (size, fits) in [(99, false), (100, true), (2000, true), (2001, false)] {
            let target = format!("/text/{size}");
            let plain = get(&mut http, &target, &["Accept-Encoding: br, gzip;q=0"]);
            assert_eq!(
                (plain.body.len(), plain.header("etag")),
                (size, Some("\"v1\""))
            );
            assert_eq!(plain.header("content-encoding"), None);
            let vary = fits.then_some("Accept-Encoding");
            assert_eq!(plain.header("vary"), vary);
            let gzip = get(&mut http, &target, &["Accept-Encoding: br, gzip"]);
            assert_eq!((gzip.status, gzip.header("vary")), (200, vary));
            if !fits {
                assert_eq!(gzip.body, plain.body);
                continue;
            }
            assert_eq!(gzip.header("content-encoding"), Some("gzip"));
            assert_eq!(gzip.header("etag"), Some("W/\"v1\""));
            assert_eq!(
                gzip.header("content-type"),
                Some("text/plain; charset=utf-8")
            );
            let mut decoder = flate2::write::GzDecoder::new(Vec::new());
            std::io::Write::write_all(&mut decoder, &gzip.body).unwrap();
            assert_eq!(decoder.finish().unwrap(), plain.body);
            assert!(gzip.body.len() < 60, "{}", gzip.body.len());
        }
    }
    let (answer, mut ws) = shake(&server, "/ws", &["Accept-Encoding: gzip"]);
    assert_eq!((answer.status, answer.header("vary")), (101, None));
    ws.send_text("");
    assert_eq!(ws.expect_text(), "hi ");
}

/// Has its silent clients pinged.
struct Watchful;

impl Handler for Watchful {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_open(&self, client: &mut Client<()>) -> Result {
        client.set_idle_timeout(Duration::from_millis(1));
        Ok(())
    }

    async fn on_message(&self, client: &mut Client<()>, _: Message<'_>) -> Result {
        client.set_idle_timeout(Duration::MAX);
        Ok(client.send_text("heard")?)
    }
}

#[test]
fn a_silent_client_is_pinged_when_its_handler_wants_it() {
    let server = serve(|router| {
        router.mount("/ws", |_| Watchful);
    });
    let (_, mut ws) = shake(&server, "/ws", &[]);
    assert!(matches!(ws.next(), Incoming::Ping(_)));
    ws.send_text("still here");
    assert_eq!(ws.expect_text(), "heard");
}
