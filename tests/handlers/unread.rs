//! Bodies that nobody has read yet: middleware runs before them, and functions say how they take
//! theirs.

use crate::router::{both, mount_shard, serve};
use crate::support::http::{Http, request};
use crate::support::server::TestServer;
use shardcast::handler::middleware::{BearerAuth, RateLimit};
use shardcast::handler::{
    Client, Endpoint, Handler, Handshake, Message, Middleware, Next, Request, Result, Router,
};
use shardcast::http::{BodyError, Response};
use std::time::Duration;

/// Bytes of the largest body of most routes here.
const MAX: u64 = 100_000;

const KNOWN: &str = "Authorization: Bearer word";

/// Reads the body before its route does, and adds it up.
struct Sum;

impl Middleware for Sum {
    async fn around(&self, mut request: Request<'_>, next: Next<'_>) -> Response {
        assert!(request.body().is_empty() && request.received() == 0);
        let sum: u64 = match request.read_body().await {
            Ok(body) => body.iter().map(|byte| u64::from(*byte)).sum(),
            Err(error) => return error.response().with_header("X-By", "the layer"),
        };
        let answer = next.run(request).await;
        answer.with_number("X-Sum", sum)
    }
}

/// Takes the first chunk of a body, and hands on the rest.
struct First;

impl Middleware for First {
    async fn around(&self, mut request: Request<'_>, next: Next<'_>) -> Response {
        let first = request
            .chunk()
            .await
            .map(|chunk| chunk.map_or(0, <[u8]>::len));
        let answer = next.run(request).await;
        answer.with_number("X-First", first.map_or(u64::MAX, |length| length as u64))
    }
}

/// Says how long a body is, as it comes.
struct Length {
    streams: bool,
}

impl Handler for Length {
    type Session = ();

    fn streams_requests(&self) -> bool {
        self.streams
    }

    fn body_max(&self) -> Option<u64> {
        Some(MAX)
    }

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::accept(()))
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(())
    }

    async fn on_request(&self, _: &Endpoint, request: Request<'_>) -> Response {
        match self.streams {
            true => length_of_chunks(request).await,
            false => Response::text(200, request.body().len().to_string()),
        }
    }
}

async fn length_of_chunks(mut request: Request<'_>) -> Response {
    let mut length = 0;
    loop {
        match request.chunk().await {
            Ok(Some(chunk)) => length += chunk.len(),
            Ok(None) => return Response::text(200, length.to_string()),
            Err(error) => return error.response(),
        }
    }
}

async fn length_of_body(request: Request<'_>) -> String {
    request.body().len().to_string()
}

/// All four ways to take a body.
fn mount_all(router: &mut Router) {
    router.mount("/handler", |_| Length { streams: false });
    router.mount("/handler/streamed", |_| Length { streams: true });
    router.post("/function", length_of_body).body_max(MAX);
    let streamed = router.post("/function/streamed", length_of_chunks);
    streamed.streamed().body_max(MAX);
}

const ALL: [&str; 4] = [
    "/handler",
    "/handler/streamed",
    "/function",
    "/function/streamed",
];

fn server() -> TestServer {
    serve(|router| {
        mount_shard(router);
        mount_all(router);
        router.nest("/guarded", |inner| {
            inner.layer(BearerAuth::new("api", async |token: &str| {
                Ok((token == "word").then_some(()))
            }));
            mount_all(inner);
        });
        router.nest("/summed", |inner| {
            inner.layer(Sum);
            mount_all(inner);
        });
        router.nest("/first", |inner| {
            inner.layer(First);
            mount_all(inner);
        });
    })
}

fn post(target: &str, fields: &[&str]) -> Vec<u8> {
    request("POST", target, fields, b"")
}

#[test]
fn who_is_refused_need_not_send_a_body() {
    let server = server();
    for shard in [0, 1] {
        for target in ALL.map(|target| format!("/guarded{target}")) {
            let too_long = format!("Content-Length: {}", MAX + 1);
            for fields in [
                &["Content-Length: 1000", "Expect: 100-continue"][..],
                &["Content-Length: 65537"],
                &["Transfer-Encoding: chunked"],
                &[&too_long],
            ] {
                let [mut http, other] = both(&server);
                if shard == 1 {
                    http = other;
                }
                http.wire.send(post(&target, fields));
                http.expect_refusal(401);
            }
        }
    }
    for mut http in both(&server) {
        for target in ALL.map(|target| format!("/guarded{target}")) {
            // A short one is skipped, whenever it comes.
            let body = [b'a'; 1000];
            let answer = http.ask("POST", &target, &body);
            assert_eq!((answer.status, answer.closes()), (401, false));
            let answer = http.send(post(&target, &["Content-Length: 1000"]));
            assert_eq!((answer.status, answer.closes()), (401, false));
            http.wire.send(body);
            let answer = http.send(request("POST", &target, &[KNOWN], &body));
            assert_eq!((answer.status, answer.text()), (200, "1000"), "{target}");
        }
    }
}

#[test]
fn leave_to_send_is_given_behind_all_layers() {
    let server = server();
    for mut http in both(&server) {
        for target in ALL.map(|target| format!("/guarded{target}")) {
            let fields = [KNOWN, "Expect: 100-continue", "Content-Length: 5"];
            http.wire.send(post(&target, &fields));
            assert_eq!(http.head_response().status, 100);
            assert_eq!(http.send(b"hello").text(), "5");
        }
    }
}

#[test]
fn every_way_to_take_a_body_has_a_limit_of_its_own() {
    let server = server();
    for target in ALL.into_iter().chain(["/guarded/function"]) {
        let [mut http, mut other] = both(&server);
        let body = vec![b'a'; MAX as usize];
        let whole = request("POST", target, &[KNOWN], &body);
        assert_eq!(http.send(whole).text(), "100000", "{target}");
        let told = format!("Content-Length: {}", MAX + 1);
        http.wire.send(post(target, &[KNOWN, &told]));
        http.expect_refusal(413);
        // In chunks: one at the limit, one past it.
        let mut chunked = post(target, &[KNOWN, "Transfer-Encoding: chunked"]);
        chunked.extend_from_slice(b"186a0\r\n");
        chunked.extend_from_slice(&body);
        other.wire.send(&chunked);
        assert_eq!(other.send(b"\r\n0\r\n\r\n").text(), "100000");
        other.wire.send(&chunked);
        other.wire.send_while_open(b"\r\n1\r\n");
        other.expect_refusal(413);
    }
}

#[test]
fn middleware_may_read_the_body_and_hands_it_on() {
    let server = server();
    for mut http in both(&server) {
        for target in ALL {
            let target = format!("/summed{target}");
            for length in [0, 3, 20_000] {
                let body = vec![2; length];
                let chunks = [
                    format!("{length:x}\r\n").as_bytes(),
                    &body,
                    b"\r\n0\r\n\r\n",
                ]
                .concat();
                let chunks = if length == 0 {
                    b"0\r\n\r\n".to_vec()
                } else {
                    chunks
                };
                let head = post(&target, &["Transfer-Encoding: chunked"]);
                for sent in [
                    request("POST", &target, &[], &body),
                    [head, chunks].concat(),
                ] {
                    let answer = http.send(sent);
                    assert_eq!(answer.text(), length.to_string(), "{target}");
                    let sum = (2 * length).to_string();
                    assert_eq!(answer.header("x-sum"), Some(&*sum));
                }
            }
        }
        // What is wrong with the body, the layer is told.
        let told = format!("Content-Length: {}", MAX + 1);
        let answer = http.send(post("/summed/function", &[&told]));
        assert_eq!(
            (answer.status, answer.header("x-by")),
            (413, Some("the layer"))
        );
        http.wire.expect_end();
    }
}

#[test]
fn what_a_layer_takes_as_a_chunk_is_gone_for_the_route() {
    let server = server();
    for mut http in both(&server) {
        for target in ALL {
            let answer = http.ask("POST", &format!("/first{target}"), b"hello");
            assert_eq!((answer.text(), answer.header("x-first")), ("0", Some("5")));
        }
    }
}

#[test]
fn a_limit_of_requests_is_told_before_their_bodies() {
    let server = serve(|router| {
        router.layer(RateLimit::new(1, Duration::from_secs(600)));
        router.post("/", length_of_body);
    });
    let mut served = 0;
    loop {
        let mut http = Http::connect(server.address());
        http.wire.send(post("/", &["Content-Length: 70000"]));
        if !http.wire.hears_within(200) {
            served += 1; // this shard has let it in, and waits for its body
            assert!(served <= 2, "each shard lets in one");
            continue;
        }
        http.expect_refusal(429);
        break;
    }
}

#[test]
fn an_error_of_a_body_is_an_answer() {
    let server = serve(|router| {
        let read = async |mut request: Request<'_>| -> std::result::Result<String, BodyError> {
            let body = request.read_body().await?;
            Ok(body.len().to_string())
        };
        router.post("/", read).streamed().body_max(3);
    });
    let mut http = Http::connect(server.address());
    assert_eq!(http.ask("POST", "/", b"abc").text(), "3");
    http.wire
        .send([&post("/", &["Transfer-Encoding: chunked"])[..], b"x"].concat());
    http.expect_refusal(400);
}
