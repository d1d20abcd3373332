//! Bodies of requests that handlers take while they arrive, on both shards.

use crate::support::http::{Http, in_chunks, request};
use crate::support::server::{TestServer, config};
use crate::support::wire::Wire;
use shardcast::handler::{Client, Endpoint, Handler, Handshake, Message, Request, Result, Router};
use shardcast::http::Response;
use shardcast::server::Server;
use shardcast::server::config::Config;
use std::cell::Cell;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;

/// Bytes of the largest body of `/whole/...`.
const WHOLE_MAX: u64 = 3000;

/// Bytes of the largest streamed body.
const STREAMED_MAX: u64 = 200 << 20;

/// One read of the server.
const READ: u64 = 16 * 1024;

/// Takes bodies in the way that the path tells, and counts them.
struct Upload {
    endpoint: Endpoint,
    streams: bool,
    max: u64,
    /// Leave to go on, for those who wait for it.
    leave: flume::Receiver<()>,
    /// What the last request has received so far.
    received: Cell<u64>,
}

impl Upload {
    /// Counts a body, and shows how it came.
    async fn count(&self, request: &mut Request<'_>) -> Response {
        let told = request.content_length();
        let mut waits = request.path().ends_with("/wait");
        let (mut bytes, mut longest, mut sum) = (0, 0, 0);
        loop {
            match request.chunk().await {
                Ok(Some(chunk)) => {
                    bytes += chunk.len();
                    longest = longest.max(chunk.len());
                    sum += chunk.iter().map(|byte| u64::from(*byte)).sum::<u64>();
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(request.chunk().await, Err(error), "it stays so");
                    return error.response();
                }
            }
            self.received.set(request.received());
            assert_eq!(request.received(), bytes as u64);
            if std::mem::take(&mut waits) {
                self.leave.recv_async().await.expect("the test goes on");
            }
        }
        assert_eq!(request.chunk().await, Ok(None), "it has ended");
        assert!(longest as u64 <= READ || !self.streams);
        let body = request.body().len();
        Response::text(200, format!("{bytes} {sum} {told:?} {body}"))
    }
}

impl Handler for Upload {
    type Session = ();

    fn streams_requests(&self) -> bool {
        self.streams
    }

    fn body_max(&self) -> Option<u64> {
        Some(self.max)
    }

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::reject(Response::empty(403)))
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(())
    }

    async fn on_request(&self, _: &Endpoint, mut request: Request<'_>) -> Response {
        let response = match request.param("how") {
            Some("ignore") => Response::text(200, "not read"),
            Some("first") => match request.chunk().await {
                Ok(_) => Response::text(200, "the first"),
                Err(error) => error.response(),
            },
            Some("received") => Response::text(200, self.received.get().to_string()),
            _ => self.count(&mut request).await,
        };
        response
            .try_header("X-Shard", self.endpoint.shard().to_string())
            .expect("a number is a fine value")
    }
}

/// A server of two shards, and what lets its handlers go on.
struct Uploads {
    server: TestServer,
    leave: flume::Sender<()>,
}

impl Uploads {
    fn start(config: Config) -> Self {
        let (leave, waiting) = flume::bounded(1);
        let routes = move |router: &mut Router| {
            router.post("/plain", async |request: Request<'_>| {
                request.body().len().to_string()
            });
            for (pattern, streams, max) in [
                ("/stream/{how}", true, STREAMED_MAX),
                ("/whole/{how}", false, WHOLE_MAX),
            ] {
                router.mount(pattern, |endpoint| Upload {
                    endpoint,
                    streams,
                    max,
                    leave: waiting.clone(),
                    received: Cell::new(0),
                });
            }
        };
        let server = TestServer::build(Server::builder().config(config).routes(routes));
        Self { server, leave }
    }

    fn plain() -> Self {
        Self::start(config([]))
    }

    /// A connection to a certain shard.
    fn to(&self, shard: usize) -> Http {
        let wanted = shard.to_string();
        Http::connect_on(self.server.address(), "/whole/received", |answer| {
            answer.header("x-shard") == Some(&wanted)
        })
    }
}

fn sum(body: &[u8]) -> u64 {
    body.iter().map(|byte| u64::from(*byte)).sum()
}

/// A body of this length in which every byte counts.
fn body_of(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// The head of a chunked request.
fn chunked(target: &str) -> Vec<u8> {
    request("POST", target, &["Transfer-Encoding: chunked"], b"")
}

#[test]
fn bodies_of_either_framing_are_taken_while_they_arrive_or_whole() {
    let uploads = Uploads::plain();
    for shard in [0, 1] {
        let mut http = uploads.to(shard);
        for (target, in_body) in [("/stream/count", false), ("/whole/count", true)] {
            for length in [0, 1, 2999, 3000] {
                let body = body_of(length);
                let seen = if in_body { length } else { 0 };
                let answer = http.ask("POST", target, &body);
                let wanted = format!("{length} {} Some({length}) {seen}", sum(&body));
                assert_eq!((answer.status, answer.text()), (200, &*wanted), "{target}");
                let wanted = format!("{length} {} None {seen}", sum(&body));
                for size in [1, 7, 3000] {
                    let answer = http.send([chunked(target), in_chunks(&body, size)].concat());
                    assert_eq!((answer.status, answer.text()), (200, &*wanted), "{size}");
                }
            }
        }
    }
}

#[test]
fn requests_behind_a_streamed_body_are_served_in_their_order() {
    let uploads = Uploads::plain();
    for shard in [0, 1] {
        let mut http = uploads.to(shard);
        let bodies = [10, 20_000, 100_000].map(body_of);
        let mut all = Vec::new();
        for body in &bodies {
            all.extend(request("POST", "/stream/count", &[], body));
            all.extend(request("GET", "/whole/count", &[], b""));
            all.extend(chunked("/stream/count"));
            all.extend(in_chunks(body, 4999));
            all.extend(request("GET", "/nowhere", &[], b""));
        }
        http.wire.send(all);
        for body in &bodies {
            let wanted = format!("{} {}", body.len(), sum(body));
            assert!(http.response().text().starts_with(&wanted));
            assert_eq!(http.response().text(), "0 0 Some(0) 0");
            assert!(http.response().text().starts_with(&wanted));
            assert_eq!(http.response().status, 404);
        }
    }
}

#[test]
fn each_route_has_a_limit_of_its_own() {
    let uploads = Uploads::plain();
    let too_large = (413, "Request body too large\n");
    for shard in [0, 1] {
        for target in ["/whole/count", "/stream/count"] {
            // Told: refused before a byte of it has come.
            let max = if target.starts_with("/whole") {
                WHOLE_MAX
            } else {
                STREAMED_MAX
            };
            let mut http = uploads.to(shard);
            let length = format!("Content-Length: {}", max + 1);
            let answer = http.send(request(
                "POST",
                target,
                &[&length, "Expect: 100-continue"],
                b"",
            ));
            assert_eq!((answer.status, answer.text()), too_large);
            assert!(answer.closes());
            http.wire.expect_end();
        }
        // Not told: refused at the chunk that is too much.
        let fits = body_of(WHOLE_MAX as usize);
        let mut http = uploads.to(shard);
        let at_limit = [chunked("/whole/count"), in_chunks(&fits, 100)].concat();
        assert_eq!(http.send(at_limit).status, 200);
        let past = [fits, vec![0]].concat();
        let answer = http.send([chunked("/whole/count"), in_chunks(&past, 100)].concat());
        assert_eq!((answer.status, answer.text()), too_large);
        http.wire.expect_end();
        let mut http = uploads.to(shard);
        http.wire.send(chunked("/stream/count"));
        http.wire.send(format!("{:x}\r\n", STREAMED_MAX + 1));
        let answer = http.response();
        assert_eq!((answer.status, answer.text()), too_large);
        http.wire.expect_end();
    }
    // A route without one has the configuration's.
    for (length, status) in [(1_048_576, 200), (1_048_577, 413)] {
        let body = vec![b'a'; length];
        let mut http = uploads.to(0);
        http.wire
            .send_while_open(&request("POST", "/plain", &[], &body));
        assert_eq!(http.response().status, status, "{length}");
    }
}

#[test]
fn nothing_is_read_that_is_not_asked_for() {
    let uploads = Uploads::plain();
    for shard in [0, 1] {
        const LENGTH: usize = 64 << 20;
        let mut beside = uploads.to(shard);
        let Http { wire } = uploads.to(shard);
        let mut stream: TcpStream = wire.into_stream();
        let length = format!("Content-Length: {LENGTH}");
        let head = request("POST", "/stream/wait", &[&length], b"");
        stream.write_all(&head).expect("it is open");
        stream.set_nonblocking(true).expect("a socket can do that");
        let (piece, mut sent) = (vec![1; 1 << 20], 0);
        // What the kernels on both sides hold is far less than the body.
        let is_full = loop {
            match stream.write(&piece[..piece.len().min(LENGTH - sent)]) {
                Ok(0) => break false,
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let received = beside.ask("GET", "/stream/received", b"");
                    let received: u64 = received.text().parse().expect("a number");
                    assert!(received <= READ, "{received} of {sent} bytes were taken");
                    if received > 0 {
                        break true;
                    }
                }
                Err(error) => panic!("{error}"),
            }
        };
        assert!(
            is_full,
            "the server took {sent} bytes for a handler that waits"
        );
        stream.set_nonblocking(false).expect("a socket can do that");
        uploads.leave.send(()).expect("the server runs");
        while sent < LENGTH {
            let next = &piece[..piece.len().min(LENGTH - sent)];
            stream.write_all(next).expect("the server goes on");
            sent += next.len();
        }
        let wire = Wire::over(stream);
        let answer = Http { wire }.response();
        let wanted = format!("{LENGTH} {LENGTH} Some({LENGTH}) 0");
        assert_eq!(answer.text(), wanted);
    }
}

#[test]
fn leave_to_send_is_given_when_the_body_is_asked_for() {
    let uploads = Uploads::plain();
    let expects = ["Expect: 100-continue", "Content-Length: 5"];
    for shard in [0, 1] {
        let mut http = uploads.to(shard);
        http.wire
            .send(request("POST", "/stream/count", &expects, b""));
        assert_eq!(http.head_response().status, 100);
        assert!(http.send(b"hello").text().starts_with("5 "));
        // Who sends it at once needs no leave.
        let expects = request("POST", "/stream/count", &expects, b"");
        http.wire.send([&expects[..], b"world"].concat());
        assert!(http.response().text().starts_with("5 "));
        // Not asked for: the answer is final, and nobody can tell what follows it.
        let ignored = request(
            "POST",
            "/stream/ignore",
            &["Expect: 100-continue", "Content-Length: 5"],
            b"",
        );
        let answer = http.send(ignored);
        assert_eq!((answer.text(), answer.closes()), ("not read", true));
        http.wire.expect_end();
    }
}

#[test]
fn a_body_that_is_not_read_is_skipped_or_ends_the_connection() {
    const SKIPPED_MAX: usize = 64 * 1024;
    let uploads = Uploads::plain();
    for shard in [0, 1] {
        let mut http = uploads.to(shard);
        for how in ["ignore", "first"] {
            // The most that is skipped, told before it comes; what it looks like is the client's.
            let target = format!("/stream/{how}");
            let given = if how == "first" { 1 } else { 0 };
            let body = body_of(SKIPPED_MAX + given);
            let whole = request("POST", &target, &[], &body);
            let split = whole.len() - SKIPPED_MAX;
            http.wire.send(&whole[..split]);
            let answer = http.response();
            assert!(!answer.closes(), "{how}");
            http.wire.send(&whole[split..]);
            assert_eq!(http.ask("GET", "/whole/count", b"").text(), "0 0 Some(0) 0");
            // A chunked one that is there with its head is skipped too.
            let short = [chunked(&target), in_chunks(b"GET / HTTP/1.1", 3)].concat();
            assert!(!http.send(short).closes());
        }
        // One byte more, and chunks of which nobody knows the end.
        let past = format!("Content-Length: {}", SKIPPED_MAX + 1);
        for field in [&*past, "Transfer-Encoding: chunked"] {
            let mut http = uploads.to(shard);
            let answer = http.send(request("POST", "/stream/ignore", &[field], b""));
            assert_eq!((answer.text(), answer.closes()), ("not read", true));
            // What follows is no request.
            http.wire
                .send_while_open(&request("GET", "/whole/count", &[], b""));
            http.wire.expect_end();
        }
    }
}

#[test]
fn a_body_that_breaks_off_is_an_error() {
    let uploads = Uploads::plain();
    for shard in [0, 1] {
        let length = request("POST", "/stream/count", &["Content-Length: 5"], b"");
        for start in [
            [&length[..], b"hell"].concat(),
            [&chunked("/stream/count")[..], b"5\r\nhello\r\n"].concat(),
        ] {
            let mut http = uploads.to(shard);
            http.wire.send(&start);
            http.wire.end_sending();
            let answer = http.response();
            let wanted = (400, "The request ended before its body did\n");
            assert_eq!((answer.status, answer.text()), wanted);
            http.wire.expect_end();
        }
        let mut http = uploads.to(shard);
        http.wire
            .send([&chunked("/stream/count")[..], b"5\r\nhelloX"].concat());
        http.expect_refusal(400);
    }
}

#[test]
fn a_peer_has_its_time_for_each_chunk_and_handlers_have_theirs() {
    let uploads = Uploads::start(Config {
        body_timeout_ms: 300,
        ..config([])
    });
    for shard in [0, 1] {
        let mut waiting = uploads.to(shard);
        let two = ["Content-Length: 2"];
        waiting
            .wire
            .send([request("POST", "/stream/wait", &two, b""), b"a".to_vec()].concat());
        // A whole deadline passes, and another one that bytes keep from coming.
        for target in ["/whole/count", "/stream/count"] {
            let mut http = uploads.to(shard);
            http.wire
                .send([request("POST", target, &two, b""), b"a".to_vec()].concat());
            let answer = http.response();
            assert_eq!((answer.status, answer.text()), (408, "Request timeout\n"));
            http.wire.expect_end();
        }
        // Twice the least rate, for longer than a pause may be.
        let mut dripping = uploads.to(shard);
        let drips = ["Content-Length: 600"];
        dripping
            .wire
            .send(request("POST", "/stream/count", &drips, b""));
        for _ in 0..29 {
            dripping.wire.send([b'b'; 20]);
            assert!(!dripping.wire.hears_within(20), "bytes keep coming");
        }
        assert!(dripping.send([b'b'; 20]).text().starts_with("600 "));
        // A byte before each pause is too long; a thirtieth of the least rate.
        let mut slow = uploads.to(shard);
        slow.wire
            .send(request("POST", "/stream/count", &drips, b""));
        let mut drops = 0;
        while !slow.wire.hears_within(60) {
            slow.wire.send_while_open(b"b");
            drops += 1;
            assert!(drops < 100, "a slow body is taken for ever");
        }
        let answer = slow.response();
        assert_eq!((answer.status, answer.text()), (408, "Request timeout\n"));
        slow.wire.expect_end();
        // The handler that held its client back all the time goes on where it was.
        uploads.leave.send(()).expect("the server runs");
        assert!(waiting.send(b"a").text().starts_with("2 194 "));
    }
}
