//! Answers that are made while they are sent, on both shards: bodies and server-sent events.

use crate::support::http::{Http, Response as Answer, request};
use crate::support::server::{TestServer, config};
use shardcast::handler::{Client, Endpoint, Handler, Handshake, Message, Request, Result, Router};
use shardcast::http::{BodyFilter, Event, EventError, Response, WriteError};
use shardcast::server::Server;
use shardcast::server::config::Config;
use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;

/// Bytes of the answer that no socket takes at once.
const LONG: usize = 50 << 20;

/// Bytes that may wait for a client while more is made: the mark, and one piece.
const WAITING_MAX: u64 = 192 * 1024;

/// Makes the answer that the path tells.
struct Source {
    endpoint: Endpoint,
    /// What was written of the last long answer.
    written: Rc<Cell<u64>>,
    /// How the last producer ended.
    ends: flume::Sender<&'static str>,
    /// Leave to go on, for those who wait for it.
    leave: flume::Receiver<()>,
}

/// Says that its producer was dropped.
struct Dropped(flume::Sender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

/// Writes everything twice, and a mark at the end.
struct Twice;

impl BodyFilter for Twice {
    fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(bytes);
        out.extend_from_slice(bytes);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        out.push(b'.');
    }
}

impl Source {
    fn answer(&self, what: &str, after: Option<String>) -> Response {
        let (ends, leave) = (self.ends.clone(), self.leave.clone());
        let text = "text/plain";
        match what {
            "parts" => Response::stream(text, async |body| {
                for part in ["one", "", "two ", "three"] {
                    body.write(part).await?;
                }
                assert_eq!(body.written(), 12);
                Ok(())
            }),
            "nothing" => Response::stream(text, async |_| Ok(())),
            "not modified" => {
                Response::stream(text, async |_| panic!("there is no body")).with_status(304)
            }
            "filtered" => {
                Response::stream_sized(text, 2, async |body| Ok(body.write("ab").await?))
                    .with_filter(Twice)
            }
            "whole filtered" => Response::text(200, "ab").with_filter(Twice),
            "exact" => {
                Response::stream_sized(text, 5, async |body| Ok(body.write("exact").await?))
            }
            "too long" => Response::stream_sized(text, 5, async |body| {
                body.write("exact").await?;
                assert_eq!(body.write("!").await, Err(WriteError::TooLong));
                Err(WriteError::TooLong.into())
            }),
            "too short" => {
                Response::stream_sized(text, 5, async |body| Ok(body.write("exac").await?))
            }
            "failing" => Response::stream(text, async |body| {
                body.write("part").await?;
                Err("no more".into())
            }),
            "panicking" => Response::stream(text, async |body| {
                body.write("part").await?;
                panic!("on purpose")
            }),
            "written" => Response::text(200, self.written.get().to_string()),
            "long" => self.long(),
            "waiting" => Response::stream(text, async move |body| {
                let _dropped = Dropped(ends);
                body.write("part").await?;
                leave.recv_async().await?;
                Ok(body.write("!").await?)
            }),
            "to the stop" => Response::stream(text, async move |body| {
                let stopping = body.stopping();
                body.write("part").await?;
                stopping.await;
                Ok(body.write("bye").await?)
            }),
            "for ever" => Response::stream(text, async |body| {
                body.write("part").await?;
                std::future::pending().await
            }),
            other => self.events(other, after),
        }
    }

    /// Server-sent events.
    fn events(&self, what: &str, after: Option<String>) -> Response {
        let ends = self.ends.clone();
        match what {
            "events" => Response::events(async move |events| {
                let next = after.map_or(Ok(0), |id| id.parse::<u32>())? + 1;
                let event = Event::new("a\nb").with_id(next.to_string());
                events.send(event.with_name("x").with_retry_ms(9)).await?;
                let bad = Event::new("").with_id("1\n2");
                assert_eq!(events.send(bad).await, Err(EventError::Id));
                events.comment("c\nd").await?;
                Ok(events.send(Event::new("end")).await?)
            }),
            "silence" => Response::events_with(Some(20), async move |events| {
                let _dropped = Dropped(ends);
                events.stopping().await;
                Ok(events.send(Event::new("bye")).await?)
            }),
            other => Response::text(404, format!("no {other}\n")),
        }
    }

    /// Far more than a socket takes; what was written so far is told beside it.
    fn long(&self) -> Response {
        let (written, ends) = (Rc::clone(&self.written), self.ends.clone());
        written.set(0);
        Response::stream("text/plain", async move |body| {
            let piece = vec![b'x'; 10_000];
            while body.written() < LONG as u64 {
                let left = LONG - body.written() as usize;
                if let Err(error) = body.write(&piece[..left.min(10_000)]).await {
                    let _ = ends.send("write failed");
                    return Err(error.into());
                }
                written.set(body.written());
            }
            Ok(())
        })
    }
}

impl Handler for Source {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::reject(Response::empty(403)))
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(())
    }

    async fn on_request(&self, _: &Endpoint, request: Request<'_>) -> Response {
        let what = request.param_decoded("what").unwrap_or_default();
        let after = request.last_event_id().map(str::to_owned);
        self.answer(&what, after)
            .try_header("X-Shard", self.endpoint.shard().to_string())
            .expect("a number is a fine value")
    }
}

struct Sources {
    server: TestServer,
    ends: flume::Receiver<&'static str>,
    leave: flume::Sender<()>,
}

impl Sources {
    fn start(config: Config) -> Self {
        let (told, ends) = flume::bounded(100);
        let (leave, waiting) = flume::bounded(1);
        let routes = move |router: &mut Router| {
            router.mount("/{what}", |endpoint| Source {
                endpoint,
                written: Rc::default(),
                ends: told.clone(),
                leave: waiting.clone(),
            });
        };
        let server = TestServer::build(Server::builder().config(config).routes(routes));
        Self {
            server,
            ends,
            leave,
        }
    }

    fn plain() -> Self {
        Self::start(config([]))
    }

    /// A connection to a certain shard.
    fn to(&self, shard: usize) -> Http {
        let wanted = shard.to_string();
        Http::connect_on(self.server.address(), "/written", |answer| {
            answer.header("x-shard") == Some(&wanted)
        })
    }
}

/// Reads one chunk; the last is empty.
pub fn chunk(http: &mut Http) -> Vec<u8> {
    let line = http.wire.take_to(b"\r\n");
    let size = std::str::from_utf8(line.trim_ascii_end()).expect("a size is text");
    let size = usize::from_str_radix(size, 16).expect("a size is a number");
    let bytes = http.wire.take(size);
    assert_eq!(http.wire.take(2), b"\r\n");
    bytes
}

/// Reads a whole chunked answer.
fn chunked(http: &mut Http) -> Answer {
    let mut answer = http.head_response();
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.header("content-length"), None);
    loop {
        let chunk = chunk(http);
        if chunk.is_empty() {
            return answer;
        }
        answer.body.extend(chunk);
    }
}

fn get(what: &str) -> Vec<u8> {
    request("GET", &format!("/{what}"), &[], b"")
}

#[test]
fn a_streamed_answer_is_chunked_and_others_follow_it() {
    let sources = Sources::plain();
    for shard in [0, 1] {
        let mut http = sources.to(shard);
        for _ in 0..2 {
            http.wire.send(
                [
                    get("parts"),
                    get("nothing"),
                    get("exact"),
                    get("filtered"),
                    get("whole%20filtered"),
                    get("nope"),
                ]
                .concat(),
            );
            let answer = chunked(&mut http);
            assert_eq!((answer.status, answer.text()), (200, "onetwo three"));
            assert_eq!(answer.header("content-type"), Some("text/plain"));
            assert!(!answer.closes());
            assert_eq!(chunked(&mut http).text(), "");
            let answer = http.response();
            assert_eq!(
                (answer.header("transfer-encoding"), answer.text()),
                (None, "exact")
            );
            assert_eq!(chunked(&mut http).text(), "abab.");
            assert_eq!(http.response().text(), "abab.");
            assert_eq!(http.response().status, 404);
        }
    }
}

#[test]
fn an_answer_without_a_body_makes_none() {
    let sources = Sources::plain();
    for shard in [0, 1] {
        let mut http = sources.to(shard);
        for what in ["/panicking", "/failing", "/long"] {
            let answer = http.ask("HEAD", what, b"");
            assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
            assert!(!answer.closes());
        }
        let answer = http.ask("HEAD", "/too%20long", b"");
        assert_eq!(answer.header("content-length"), Some("5"));
        assert_eq!(http.send(get("not%20modified")).status, 304);
        http.wire.send(get("parts"));
        assert_eq!(chunked(&mut http).text(), "onetwo three");
    }
}

#[test]
fn an_old_client_reads_to_the_end_of_the_connection() {
    let sources = Sources::plain();
    for shard in [0, 1] {
        let mut http = sources.to(shard);
        http.wire
            .send("GET /parts HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let answer = http.head_response();
        assert!(answer.closes());
        assert_eq!(answer.header("transfer-encoding"), None);
        assert_eq!(http.wire.take(12), b"onetwo three");
        http.wire.expect_end();
        // A length is as good as before.
        let mut http = sources.to(shard);
        let exact = "GET /exact HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        assert_eq!(http.send(exact).text(), "exact");
        assert!(!http.send(exact).closes());
        // Its end without a reset would be that of the body.
        for what in ["failing", "panicking"] {
            let mut http = sources.to(shard);
            http.wire.send(format!("GET /{what} HTTP/1.0\r\n\r\n"));
            let mut stream = http.wire.into_stream();
            let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{what}");
        }
    }
}

#[test]
fn a_body_that_breaks_off_is_never_taken_for_a_whole_one() {
    let sources = Sources::plain();
    for shard in [0, 1] {
        for what in ["failing", "panicking"] {
            let mut http = sources.to(shard);
            http.wire.send([get(what), get("parts")].concat());
            assert_eq!(http.head_response().status, 200);
            assert_eq!(chunk(&mut http), b"part");
            http.wire.expect_end();
        }
        for (what, sent) in [("too%20long", &b"exact"[..]), ("too%20short", b"exac")] {
            let mut http = sources.to(shard);
            http.wire.send([get(what), get("parts")].concat());
            assert_eq!(http.head_response().header("content-length"), Some("5"));
            assert_eq!(http.wire.take(sent.len()), sent);
            http.wire.expect_end();
        }
    }
}

#[test]
fn a_slow_reader_slows_its_producer_down() {
    let sources = Sources::plain();
    for shard in [0, 1] {
        let (mut http, mut beside) = (sources.to(shard), sources.to(shard));
        let written = |beside: &mut Http| -> u64 {
            beside
                .ask("GET", "/written", b"")
                .text()
                .parse()
                .expect("a number")
        };
        http.wire.send(get("long"));
        assert_eq!(http.head_response().status, 200);
        // It stands still once the socket and the outbox have what they take.
        let mut before = 0;
        let mut now = written(&mut beside);
        let mut same = 0;
        while same < 50 {
            same = if now == before { same + 1 } else { 0 };
            before = now;
            now = written(&mut beside);
        }
        assert!(
            now > 0 && now < LONG as u64 / 2,
            "{now} bytes were made for nobody"
        );
        // As it is read, never more is made than the kernel's buffers and the outbox hold.
        let (mut read, mut slack) = (0, now + WAITING_MAX);
        loop {
            let chunk = chunk(&mut http);
            if chunk.is_empty() {
                break;
            }
            read += chunk.len() as u64;
            if read % 1_000_000 < 10_000 {
                // The kernel widens its buffers for a fast reader.
                slack = slack.max(16 << 20);
                let ahead = written(&mut beside).saturating_sub(read);
                assert!(ahead <= slack, "{ahead} bytes wait");
            }
        }
        assert_eq!(read, LONG as u64);
        http.wire.send(get("parts"));
        assert_eq!(chunked(&mut http).text(), "onetwo three");
    }
}

#[test]
fn a_producer_learns_that_its_client_is_gone() {
    let sources = Sources::start(Config {
        write_stall_ms: 200,
        ..config([])
    });
    for shard in [0, 1] {
        // It takes nothing any more while much is written to it.
        let mut stalled = sources.to(shard);
        stalled.wire.send(get("long"));
        assert_eq!(sources.ends.recv(), Ok("write failed"));
        // It has gone while its producer waits for something else.
        let mut gone = sources.to(shard);
        gone.wire.send(get("silence"));
        assert_eq!(gone.head_response().status, 200);
        drop(gone);
        assert_eq!(sources.ends.recv(), Ok("dropped"));
    }
}

#[test]
fn a_producer_may_wait_as_long_as_it_likes() {
    let sources = Sources::plain();
    for shard in [0, 1] {
        let mut http = sources.to(shard);
        http.wire.send(get("waiting"));
        assert_eq!(http.head_response().status, 200);
        assert_eq!(chunk(&mut http), b"part");
        sources.leave.send(()).expect("the server runs");
        assert_eq!(chunk(&mut http), b"!");
        assert_eq!(chunk(&mut http), b"");
        assert_eq!(sources.ends.recv(), Ok("dropped"));
    }
}

#[test]
fn a_stop_tells_producers_and_cuts_off_those_that_go_on() {
    let mut sources = Sources::plain();
    let open = |sources: &Sources, shard, what| {
        let mut http = sources.to(shard);
        http.wire.send(get(what));
        assert_eq!(http.head_response().status, 200);
        http
    };
    let [mut polite, mut deaf] = ["to%20the%20stop", "for%20ever"]
        .map(|what| [0, 1].map(|shard| open(&sources, shard, what)));
    let mut quiet = [0, 1].map(|shard| open(&sources, shard, "silence"));
    for http in polite.iter_mut().chain(&mut deaf) {
        assert_eq!(chunk(http), b"part");
    }
    sources.server.stop();
    for http in &mut polite {
        assert_eq!(chunk(http), b"bye");
        assert_eq!(chunk(http), b"");
        http.wire.expect_end();
    }
    for http in &mut quiet {
        let mut text = Vec::new();
        while !text.ends_with(b"data: bye\n\n") {
            text = chunk(http);
            assert!(text == b":\n\n" || text == b"data: bye\n\n");
        }
        assert_eq!(chunk(http), b"");
    }
    for http in &mut deaf {
        http.wire.expect_end(); // without a last chunk
    }
    sources.server.end();
}

#[test]
fn events_are_sent_as_browsers_read_them() {
    let sources = Sources::plain();
    for shard in [0, 1] {
        let mut http = sources.to(shard);
        for (fields, id) in [
            (&[][..], 1),
            (&["Last-Event-ID: 41"], 42),
            (&["Last-Event-ID:"], 1),
        ] {
            http.wire.send(request("GET", "/events", fields, b""));
            let answer = chunked(&mut http);
            let wanted = format!(
                "event: x\nid: {id}\nretry: 9\ndata: a\ndata: b\n\n: c\n: d\n\ndata: end\n\n"
            );
            assert_eq!(answer.text(), wanted);
            assert_eq!(answer.header("content-type"), Some("text/event-stream"));
            assert_eq!(answer.header("cache-control"), Some("no-cache"));
            assert_eq!(answer.header("x-accel-buffering"), Some("no"));
        }
    }
}

#[test]
fn silence_is_filled_with_comments() {
    let sources = Sources::plain();
    for shard in [0, 1] {
        let mut http = sources.to(shard);
        http.wire.send(get("silence"));
        assert_eq!(http.head_response().status, 200);
        for _ in 0..3 {
            assert_eq!(chunk(&mut http), b":\n\n");
        }
    }
}
