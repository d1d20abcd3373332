//! Names of requests and the access log. One collector hears the whole program, so each test looks
//! for its own paths.

use crate::log::lines;
use crate::router::{Echo, mount_shard, serve};
use crate::support::http::{Http, request};
use crate::support::websocket::shake;
use shardcast::handler::Request;
use shardcast::handler::middleware::{AccessLog, Id, RequestId};
use std::fmt::Write as _;

/// The next line that holds a word.
fn line_with(word: &str) -> String {
    let mut lines =
        std::iter::from_fn(|| lines().recv_timeout(crate::support::wire::PATIENCE).ok());
    lines
        .find(|line| line.contains(word))
        .expect("it is logged")
}

#[test]
fn every_answer_is_a_line_without_secrets() {
    let _ = lines(); // before the first is logged
    let server = serve(|router| {
        mount_shard(router);
        router.layer(RequestId::new()).layer(AccessLog::new());
        router.get("/logged/{x}", async |request: Request<'_>| {
            tracing::warn!("within");
            let id = request.extensions().get::<Id>().expect("handed on");
            id.to_string()
        });
        router.mount("/logged/ws", |_| Echo {
            greeting: "hi",
            answers: false,
        });
    });
    let mut http = Http::connect(server.address());
    let fields = [
        "X-Request-Id: abc-1",
        "Authorization: Bearer canary",
        "Cookie: id=canary",
    ];
    let answer = http.send(request("GET", "/logged/it?token=canary", &fields, b""));
    assert_eq!(
        (answer.text(), answer.header("x-request-id")),
        ("abc-1", Some("abc-1"))
    );
    let within = line_with("within");
    assert!(within.contains("request{id=abc-1}"), "{within}");
    let line = line_with("path=\"/logged/it\"");
    for part in [
        "INFO",
        "shardcast::access",
        "method=\"GET\"",
        "status=200",
        "bytes=5",
        "micros=",
        "peer=127.0.0.1:",
        "id=abc-1",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.contains("canary") && !line.contains('?'), "{line}");
    assert_eq!(line.matches("abc-1").count(), 1, "{line}");

    let unsound = ["X-Request-Id: a b"];
    let answer = http.send(request("POST", "/logged/nothing/x", &unsound, b""));
    assert_eq!(answer.status, 404);
    let id = answer
        .header("x-request-id")
        .expect("one was made")
        .to_owned();
    let line = line_with("path=\"/logged/nothing/x\"");
    let mut wanted = String::from("status=404 bytes=10");
    assert!(line.contains(&wanted), "{line}");
    wanted.clear();
    write!(wanted, "id={id}").expect("strings grow");
    assert!(line.contains(&wanted), "{line}");

    let (answer, _) = shake(&server, "/logged/ws", &[]);
    assert_eq!(answer.header("x-request-id").map(str::len), Some(32));
    let line = line_with("path=\"/logged/ws\"");
    assert!(line.contains("status=101 bytes=0"), "{line}");
}
