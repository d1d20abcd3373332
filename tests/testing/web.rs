//! Routes, middleware, streams and files in memory.

use crate::room::{Room, Shared, panic_of};
use shardcast::handler::middleware::{BasicAuth, RateLimit};
use shardcast::handler::{
    Client, Endpoint, Handler, Handshake, Incoming, Message, Request, Result, Router, StaticFiles,
};
use shardcast::http::{Event, Response};
use shardcast::testing::{Received, Shards, Testing};
use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// Sends messages back while they arrive, once it has waited for as long as its path says.
struct Mirror {
    endpoint: Endpoint,
    written: Rc<Cell<usize>>,
}

impl Handler for Mirror {
    type Session = u64;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<u64>> {
        let ms = request.param("ms").unwrap_or_default();
        Ok(Handshake::accept(ms.parse()?))
    }

    async fn on_message(&self, _: &mut Client<u64>, _: Message<'_>) -> Result {
        Err("messages are streamed here".into())
    }

    async fn on_stream(&self, client: &mut Client<u64>, incoming: &mut Incoming<'_>) -> Result {
        let wait = Duration::from_millis(*client.session());
        self.endpoint.sleep(wait).await;
        let mut outgoing = client.stream_binary()?;
        while let Some(chunk) = incoming.chunk().await? {
            outgoing.write(&*chunk).await?;
            self.written.set(self.written.get() + chunk.len());
        }
        Ok(outgoing.finish()?)
    }

    fn streams(&self) -> bool {
        true
    }

    fn message_max(&self) -> usize {
        4 << 20
    }
}

fn mirror() -> (Shards, Rc<Cell<usize>>) {
    let written: Rc<Cell<usize>> = Rc::default();
    let shared = Rc::clone(&written);
    let shards = Testing::new(move |router| {
        router.mount("/mirror/{ms}", |endpoint| Mirror {
            endpoint,
            written: Rc::clone(&shared),
        });
    });
    (shards.start(), written)
}

#[test]
fn routes_are_found_as_on_a_server() {
    let shards = Testing::new(|router| {
        router.get("/", async |_: Request<'_>| "front");
        router.nest("/users", |users| {
            users.get("/{id}", async |request: Request<'_>| {
                request.param_decoded("id").unwrap_or_default().into_owned()
            });
        });
        router.host("other.example", |other| {
            other.get("/", async |_: Request<'_>| "other");
        });
        router.mount("/room/{name}", |endpoint| {
            Room::new(endpoint, &Shared::default())
        });
    });
    let shards = shards.start();
    for (method, target, status, text) in [
        ("GET", "/", 200, "front"),
        ("GET", "/users/a%20b", 200, "a b"),
        ("HEAD", "/users/7", 200, ""),
        ("GET", "/elsewhere", 404, "Not found\n"),
    ] {
        let answer = shards.request(method, target, &[], b"");
        assert_eq!((answer.status, answer.text()), (status, text), "{target}");
    }
    let answer = shards.request("PUT", "/", &[], b"");
    assert_eq!(answer.status, 405);
    assert!(answer.header("allow").is_some_and(|it| it.contains("GET")));
    let answer = shards.request("GET", "/", &[("Host", "other.example")], b"");
    assert_eq!(answer.text(), "other");
}

#[test]
fn middleware_stands_before_handshakes() {
    let shared = Shared::default();
    let log = shared.clone();
    let shards = Testing::new(move |router: &mut Router| {
        router.layer(BasicAuth::new("the house").with_user("ann", "open sesame"));
        router.mount("/room/{name}", |endpoint| Room::new(endpoint, &log));
    });
    let shards = shards.start();
    shared.take();
    let refused = shards.handshake("/room/ann");
    assert_eq!(refused.status, 401);
    let asks = refused.header("www-authenticate").unwrap();
    assert!(asks.starts_with("Basic realm=\"the house\""), "{asks}");
    assert_eq!(shared.take(), [""; 0], "no handler has heard of it");
    let mut ann = shards.connect_with("/room/ann", |handshake| {
        handshake.header("Authorization", "Basic YW5uOm9wZW4gc2VzYW1l")
    });
    ann.send_text("echo in");
    assert_eq!(ann.expect_text(), "in");
    assert_eq!(shared.take(), ["open ann"]);
    shards.stop();
}

#[test]
fn a_rate_is_one_of_virtual_time() {
    let shards = Testing::new(|router: &mut Router| {
        router.layer(RateLimit::new(2, Duration::from_secs(3_600)));
        let shared = Shared::default();
        router.mount("/room/{name}", move |endpoint| Room::new(endpoint, &shared));
    });
    let shards = shards.start();
    let knock = |address: &str| {
        let from = format!("{address}:5000");
        let connected = shards.on(0).try_connect("/room/x", |it| it.peer(&from));
        connected.err().map(|answer| {
            let after = answer.header("retry-after").map(str::to_owned);
            (answer.status, after.unwrap())
        })
    };
    let refused = Some((429, "1800".to_owned()));
    assert_eq!([knock("10.0.0.1"), knock("10.0.0.1")], [None, None]);
    assert_eq!(knock("10.0.0.1"), refused);
    assert_eq!(knock("10.0.0.2"), None, "another address");
    shards.advance(Duration::from_millis(1_799_999));
    assert_eq!(knock("10.0.0.1"), Some((429, "1".to_owned())));
    shards.advance(Duration::from_millis(1));
    assert_eq!(knock("10.0.0.1"), None);
    assert_eq!(knock("10.0.0.1"), refused);
    shards.stop();
}

#[test]
fn a_message_is_streamed_in_when_it_is_wanted() {
    let (shards, written) = mirror();
    let mut ann = shards.connect("/mirror/1000");
    let long: Vec<u8> = (0..1_000_000).map(|n| (n % 251) as u8).collect();
    ann.send_binary(&long);
    assert!(ann.unread() > 900_000, "{}", ann.unread());
    shards.advance(Duration::from_millis(999));
    assert_eq!(written.get(), 0);
    shards.advance(Duration::from_millis(1));
    assert!(ann.expect_binary() == long, "it comes back as it was");
    assert_eq!((ann.unread(), written.get()), (0, 1_000_000));
    // Fragments are a message as well, and one that is cut off is none.
    ann.send_binary_fragments(&[&long[..10], &long[10..20]]);
    shards.advance(Duration::from_secs(1));
    assert_eq!(ann.expect_binary(), long[..20]);
    shards.stop();
}

#[test]
fn a_message_is_streamed_out_as_fast_as_it_is_read() {
    let (shards, written) = mirror();
    let mut ann = shards.connect("/mirror/0");
    let long = vec![7; 3_000_000];
    ann.stop_reading();
    ann.send_binary(&long);
    shards.advance(Duration::from_secs(1));
    // Its outbox is a megabyte, of which a stream fills half; the rest has not been read.
    let (here, left) = (written.get(), ann.unread());
    assert!((64 * 1024..800_000).contains(&here), "{here}");
    assert!(left > 2_000_000, "{left}");
    ann.read_again();
    assert!(ann.expect_binary() == long);
    shards.stop();
}

#[test]
fn events_come_with_the_time_and_end_with_the_server() {
    let shards = Testing::new(|router: &mut Router| {
        let (mirror, written) = ("/mirror/{ms}", Rc::default());
        let endpoint = router.mount(mirror, |endpoint| Mirror { endpoint, written });
        router.get("/events", async move |_: Request<'_>| {
            let endpoint = endpoint.clone();
            Response::events(async move |events| {
                for n in 0..3 {
                    events.send(Event::new(n.to_string())).await?;
                    endpoint.sleep(Duration::from_secs(1)).await;
                }
                events.stopping().await;
                Ok(events.send(Event::new("bye")).await?)
            })
        });
    });
    let shards = shards.start();
    let mut exchange = shards.begin("GET", "/events", &[], b"");
    let head = exchange.head().expect("it is there before the first event");
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    for n in 0..3 {
        assert_eq!(exchange.take_body(), format!("data: {n}\n\n").as_bytes());
        shards.advance(Duration::from_secs(1));
    }
    // It is 3 s now; the last event was sent at 2 s.
    shards.advance(Duration::from_millis(13_999));
    assert_eq!(exchange.take_body(), b"");
    shards.advance(Duration::from_millis(1));
    assert_eq!(exchange.take_body(), b":\n\n", "15 s of silence");
    shards.advance(Duration::from_millis(14_999));
    assert_eq!(exchange.take_body(), b"");
    shards.advance(Duration::from_millis(1));
    assert_eq!(exchange.take_body(), b":\n\n", "and 15 s more");
    shards.stop();
    assert!(exchange.is_done());
    assert_eq!(exchange.take_body(), b"data: bye\n\n");
}

#[test]
fn an_answer_that_breaks_off_is_told() {
    let broken = async |_: Request<'_>| {
        Response::stream("text/plain", async |body| {
            body.write("half").await?;
            Err("no more".into())
        })
    };
    let shards = Testing::new(move |router: &mut Router| {
        router.get("/broken", broken);
        router.get("/whole", async |_: Request<'_>| {
            Response::stream("text/plain", async |body| Ok(body.write("all").await?))
        });
    });
    let shards = shards.start();
    assert_eq!(shards.request("GET", "/whole", &[], b"").text(), "all");
    let text = panic_of(|| shards.request("GET", "/broken", &[], b""));
    assert!(text.contains("no whole answer"), "{text}");
    // Where the end of the connection is that of the answer, only a reset tells them apart.
    for (target, breaks) in [("/whole", false), ("/broken", true)] {
        let mut wire = shards.wire();
        wire.send(format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes());
        let text = String::from_utf8(wire.receive()).unwrap();
        assert_eq!(text.ends_with("all"), !breaks, "{text}");
        assert_eq!((wire.has_ended(), wire.was_reset()), (true, breaks));
    }
    shards.stop();
}

#[test]
fn files_are_served() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("testing-files");
    fs::create_dir_all(&dir).unwrap();
    let long: Vec<u8> = (0..500_000).map(|n| (n % 253) as u8).collect();
    fs::write(dir.join("long.bin"), &long).unwrap();
    fs::write(dir.join("index.html"), "<p>front").unwrap();
    let shards = Testing::new(move |router: &mut Router| {
        router.mount("/files/*", |_| StaticFiles::root(&dir));
    });
    let shards = shards.start();
    let get = |target: &str, fields: &[(&str, &str)]| shards.request("GET", target, fields, b"");
    let whole = get("/files/long.bin", &[]);
    assert!(whole.status == 200 && whole.body == long);
    let etag = whole.header("etag").unwrap();
    let unchanged = get("/files/long.bin", &[("If-None-Match", etag)]);
    assert_eq!(unchanged.status, 304);
    let part = get("/files/long.bin", &[("Range", "bytes=1000-1999")]);
    assert!(part.status == 206 && part.body == long[1000..2000]);
    assert_eq!(get("/files/", &[]).text(), "<p>front");
    assert_eq!(get("/files/none", &[]).status, 404);
    assert_eq!(get("/files/../room.rs", &[]).status, 400);
    shards.stop();
    let missing = Testing::new(|router: &mut Router| {
        router.mount("/files/*", |_| StaticFiles::root("/nowhere"));
    });
    let error = missing.try_start().unwrap_err();
    assert!(error.contains("/nowhere"), "{error}");
}

#[test]
fn a_stream_that_is_cut_off_leads_to_no_answer() {
    let (shards, written) = mirror();
    let mut ann = shards.connect("/mirror/0");
    // A frame of 100 bytes, of which 10 are sent before the end.
    ann.send_bytes(&[0x82, 0x80 | 100, 0, 0, 0, 0]);
    ann.send_bytes(&[1; 10]);
    shards.run();
    assert_eq!(written.get(), 10);
    assert!(
        !ann.receive_all()
            .iter()
            .any(|it| matches!(it, Received::Binary(_)))
    );
    ann.vanish();
    assert_eq!(written.get(), 10);
    shards.stop();
}
