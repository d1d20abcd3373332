//! Bodies that are compressed while they are sent, and what the access log says of them.

use crate::log::lines;
use crate::middleware::get;
use crate::router::{both, mount_shard, serve};
use crate::streams::chunk;
use crate::support::http::Http;
use crate::support::server::TestServer;
use crate::support::wire::PATIENCE;
use flate2::read::GzDecoder;
use flate2::write::GzDecoder as Unpacker;
use shardcast::handler::Request;
use shardcast::handler::middleware::{AccessLog, Compression};
use shardcast::http::{Event, Response};
use std::io::{Read, Write};
use std::sync::Arc;

const ACCEPTS: [&str; 1] = ["Accept-Encoding: gzip"];

/// Rows of the long answer.
const ROWS: usize = 200_000;

fn rows() -> impl Iterator<Item = String> {
    (0..ROWS).map(|row| format!("{row},{}\r\n", row * 7))
}

/// A server whose producers go on when they are told to.
fn server() -> (TestServer, flume::Sender<()>) {
    let (leave, waiting) = flume::bounded(0);
    let waiting = Arc::new(waiting);
    let server = serve(move |router| {
        mount_shard(router);
        router
            .layer(AccessLog::new())
            .layer(Compression::new().with_events());
        for pattern in ["/rows", "/rows/logged"] {
            router.get(pattern, async |_: Request<'_>| {
                Response::stream("text/csv", async |body| {
                    for row in rows() {
                        body.write(row).await?;
                    }
                    Ok(())
                })
                .with_header("ETag", "\"1\"")
            });
        }
        router.get("/broken", async |_: Request<'_>| {
            Response::stream("text/plain", async |body| {
                body.write("a part").await?;
                Err("broken in a producer".into())
            })
        });
        let leaves = Arc::clone(&waiting);
        router.get("/events", async move |_: Request<'_>| {
            let leaves = Arc::clone(&leaves);
            Response::events(async move |events| {
                for number in 0..3 {
                    events.send(Event::new(format!("number {number}"))).await?;
                    leaves.recv_async().await?;
                }
                Ok(())
            })
        });
        let leaves = Arc::clone(&waiting);
        router.get("/flushed", async move |_: Request<'_>| {
            let leaves = Arc::clone(&leaves);
            Response::stream("text/plain", async move |body| {
                body.write("now").await?;
                body.flush().await?;
                leaves.recv_async().await?;
                Ok(body.write("then").await?)
            })
        });
    });
    (server, leave)
}

/// All chunks of an answer whose head was read.
fn all_chunks(http: &mut Http) -> Vec<u8> {
    std::iter::from_fn(|| Some(chunk(http)).filter(|chunk| !chunk.is_empty()))
        .flatten()
        .collect()
}

fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    let read = GzDecoder::new(bytes).read_to_string(&mut text);
    read.expect("it is gzip and whole");
    text
}

#[test]
fn a_streamed_answer_is_compressed_while_it_is_sent() {
    let (server, _leave) = server();
    for mut http in both(&server) {
        http.wire
            .send(crate::support::http::request("GET", "/rows", &ACCEPTS, b""));
        let head = http.head_response();
        assert_eq!(head.header("content-encoding"), Some("gzip"));
        assert_eq!(head.header("content-length"), None);
        assert_eq!(head.header("vary"), Some("Accept-Encoding"));
        assert_eq!(head.header("etag"), Some("W/\"1\""));
        let packed = all_chunks(&mut http);
        let plain: String = rows().collect();
        assert!(packed.len() * 2 < plain.len(), "{} bytes", packed.len());
        assert!(unpacked(&packed) == plain, "it is what was written");
        // HEAD has the same fields and no body, and who does not accept it gets it plain.
        http.wire.send(crate::support::http::request(
            "HEAD", "/rows", &ACCEPTS, b"",
        ));
        let head = http.head_response();
        assert_eq!(head.header("content-encoding"), Some("gzip"));
        http.wire
            .send(crate::support::http::request("GET", "/rows", &[], b""));
        let head = http.head_response();
        assert_eq!(head.header("content-encoding"), None);
        assert_eq!(head.header("vary"), Some("Accept-Encoding"));
        assert!(all_chunks(&mut http) == plain.as_bytes());
        assert_eq!(get(&mut http, "/shard", &[]).status, 200);
    }
}

#[test]
fn events_and_what_is_flushed_leave_at_once() {
    let (server, leave) = server();
    for mut http in both(&server) {
        let mut unpacker = Unpacker::new(Vec::new());
        http.wire.send(crate::support::http::request(
            "GET", "/events", &ACCEPTS, b"",
        ));
        assert_eq!(
            http.head_response().header("content-encoding"),
            Some("gzip")
        );
        for number in 0..3 {
            let wanted = format!("data: number {number}\n\n");
            // The next is not made before this one was read.
            while unpacker.get_ref().len() < wanted.len() {
                unpacker.write_all(&chunk(&mut http)).expect("it is gzip");
                unpacker.flush().expect("it is gzip");
            }
            assert_eq!(std::mem::take(unpacker.get_mut()), wanted.as_bytes());
            leave.send(()).expect("it waits");
        }
        let rest = all_chunks(&mut http);
        unpacker.write_all(&rest).expect("it is gzip");
        assert_eq!(unpacker.finish().expect("it is whole"), b"");

        let mut unpacker = Unpacker::new(Vec::new());
        http.wire.send(crate::support::http::request(
            "GET", "/flushed", &ACCEPTS, b"",
        ));
        http.head_response();
        while unpacker.get_ref().is_empty() {
            unpacker.write_all(&chunk(&mut http)).expect("it is gzip");
            unpacker.flush().expect("it is gzip");
        }
        assert_eq!(unpacker.get_ref(), b"now");
        leave.send(()).expect("it waits");
        unpacker
            .write_all(&all_chunks(&mut http))
            .expect("it is gzip");
        assert_eq!(unpacker.finish().expect("it is whole"), b"nowthen");
    }
}

#[test]
fn the_access_log_tells_what_was_sent_of_a_stream() {
    let all = lines();
    let (server, _leave) = server();
    let [mut http, mut other] = both(&server);
    let line = |path: &str, method: &str| {
        let words = [format!("path=\"{path}\""), format!("method=\"{method}\"")];
        let mut lines = std::iter::from_fn(|| all.recv_timeout(PATIENCE).ok());
        lines
            .find(|line| words.iter().all(|word| line.contains(word)))
            .expect("it is logged")
    };
    http.wire.send(crate::support::http::request(
        "GET",
        "/rows/logged",
        &ACCEPTS,
        b"",
    ));
    http.head_response();
    let sent = all_chunks(&mut http).len();
    let wanted = format!("status=200 bytes={sent} ");
    let logged = line("/rows/logged", "GET");
    assert!(logged.contains(&wanted), "{logged}");
    assert!(!logged.contains("broke_off"), "{logged}");
    other
        .wire
        .send(crate::support::http::request("GET", "/broken", &[], b""));
    other.head_response();
    let logged = line("/broken", "GET");
    assert!(
        logged.contains("bytes=6") && logged.contains("broke_off=true"),
        "{logged}"
    );
}
