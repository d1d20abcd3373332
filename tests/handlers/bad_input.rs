//! What no honest client sends: each is told what is wrong with it, by a status of 4xx.

use crate::router::{both, mount_shard, serve};
use crate::support::http::Http;
use crate::support::server::TestServer;
use shardcast::handler::{Request, StaticFiles};
use shardcast::http::{PayloadError, Response};
use std::fs;
use std::path::Path;

/// A start of a request, and the status that it leads to.
type Row = (&'static str, &'static str, u16);

fn server(name: &str) -> TestServer {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bad-input-{name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("root")).expect("a directory can be made");
    fs::write(dir.join("secret"), "secret").expect("a file can be written");
    fs::write(dir.join("root/a.txt"), "0123456789").expect("a file can be written");
    serve(move |router| {
        mount_shard(router);
        router.files("/f", StaticFiles::root(dir.join("root")));
        router.post("/body", async |request: Request<'_>| {
            String::from_utf8_lossy(request.body()).into_owned()
        });
        router
            .post(
                "/form",
                async |request: Request<'_>| -> Result<String, PayloadError> {
                    Ok(request.form()?.count().to_string())
                },
            )
            .body_max(10);
        router.get("/room/{id}", async |request: Request<'_>| {
            let id = request.param_decoded("id");
            id.map(|id| Response::text(200, id.into_owned()))
        });
        router.get("/cookie", async |request: Request<'_>| {
            request.cookie("id").map(str::to_owned)
        });
    })
}

/// Sends each on a connection of its own, to one shard and the other.
fn judge(name: &str, rows: &[Row]) {
    let server = server(name);
    for (head, rest, status) in rows {
        for mut http in both(&server) {
            let sent = format!("{head} HTTP/1.1\r\nHost: a\r\n{rest}");
            http.wire.send_while_open(sent.as_bytes());
            let answer = http.response();
            assert_eq!(answer.status, *status, "{sent:?}: {answer:?}");
            assert!(!answer.text().contains("secret"), "{sent:?}");
            assert!(
                *status < 400 || !answer.body.is_empty(),
                "{sent:?} is told why"
            );
            if answer.closes() {
                http.wire.expect_end();
            } else {
                assert_eq!(http.ask("GET", "/room/7", b"").text(), "7", "{sent:?}");
            }
        }
    }
}

#[test]
fn paths_lead_nowhere_else() {
    judge(
        "paths",
        &[
            ("GET /f/a.txt", "\r\n", 200),
            ("GET /f/../secret", "\r\n", 400),
            ("GET /f/%2e%2e/secret", "\r\n", 400),
            ("GET /f/..%2Fsecret", "\r\n", 400),
            ("GET /f/%2e%2e%5csecret", "\r\n", 400),
            ("GET /f/x/../../secret", "\r\n", 400),
            ("GET /f//secret", "\r\n", 400),
            ("GET /f/a.txt%00", "\r\n", 400),
            ("GET /f/.secret", "\r\n", 404),
            ("GET /../secret", "\r\n", 404),
            ("GET /f/%FF", "\r\n", 400),
            ("GET /room/%FF", "\r\n", 404),
            ("GET /room/a b", "\r\n", 400),
            ("GET secret", "\r\n", 400),
            ("GET /room/\u{1}", "\r\n", 400),
        ],
    );
}

#[test]
fn ranges_that_are_not_there_are_told_so() {
    judge(
        "ranges",
        &[
            ("GET /f/a.txt", "Range: bytes=0-0\r\n\r\n", 206),
            ("GET /f/a.txt", "Range: bytes=9-\r\n\r\n", 206),
            ("GET /f/a.txt", "Range: bytes=10-\r\n\r\n", 416),
            ("GET /f/a.txt", "Range: bytes=-0\r\n\r\n", 416),
            // What is no range counts as none (RFC 9110, section 14.2).
            ("GET /f/a.txt", "Range: bytes=5-2\r\n\r\n", 200),
            ("GET /f/a.txt", "Range: bytes=x\r\n\r\n", 200),
            ("GET /f/a.txt", "Range: lines=1-2\r\n\r\n", 200),
        ],
    );
}

#[test]
fn cookies_hold_no_more_than_cookies_may() {
    judge(
        "cookies",
        &[
            ("GET /cookie", "Cookie: id=7\r\n\r\n", 200),
            ("GET /cookie", "Cookie: ;;=; id\r\n\r\n", 404),
            ("GET /cookie", "Cookie: id=\u{1}\r\n\r\n", 400),
            ("GET /cookie", "Cookie: id=\0\r\n\r\n", 400),
            ("GET /cookie", "Cookie: id=7\n id=8\r\n\r\n", 400),
            ("GET /cookie", "Cookie\r\n\r\n", 400),
            ("GET /cookie", "Cookie : id=7\r\n\r\n", 400),
        ],
    );
    // Longer than a head may be.
    let server = server("long-cookie");
    for mut http in both(&server) {
        let cookie = format!("Cookie: id={}", "a".repeat(9000));
        let sent = crate::support::http::request("GET", "/cookie", &[&cookie], b"");
        http.wire.send_while_open(&sent);
        http.expect_refusal(431);
    }
}

#[test]
fn bodies_are_as_they_say_and_no_longer_than_they_may() {
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n\r\n";
    let chunked = |coded: &str| -> &'static str { format!("{CHUNKED}{coded}").leak() };
    judge(
        "bodies",
        &[
            ("POST /body", chunked("2\r\nab\r\n0\r\n\r\n"), 200),
            ("POST /body", chunked("x\r\n"), 400),
            ("POST /body", chunked("-1\r\n"), 400),
            ("POST /body", chunked("0x1\r\n"), 400),
            ("POST /body", chunked("\r\n"), 400),
            ("POST /body", chunked("11111111111111111\r\n"), 400),
            ("POST /body", chunked("2\nab\r\n0\r\n\r\n"), 400),
            ("POST /body", chunked("2\r\nabc\r\n0\r\n\r\n"), 400),
            ("POST /body", chunked("0\r\nno trailer\r\n\r\n"), 400),
            ("POST /body", chunked("100001\r\n"), 413),
            ("POST /form", chunked("b\r\n"), 413),
            ("POST /body", "Content-Length: 1048577\r\n\r\n", 413),
            ("POST /form", "Content-Length: 11\r\n\r\n", 413),
            ("POST /body", "Content-Length: -1\r\n\r\n", 400),
            ("POST /body", "Content-Length: 1, 1\r\n\r\na", 400),
            (
                "POST /body",
                "Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
                400,
            ),
            (
                "POST /body",
                "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                400,
            ),
        ],
    );
}

#[test]
fn forms_are_well_encoded() {
    let form = |body: &str| -> &'static str {
        let length = body.len();
        let kind = "Content-Type: application/x-www-form-urlencoded";
        format!("{kind}\r\nContent-Length: {length}\r\n\r\n{body}").leak()
    };
    judge(
        "forms",
        &[
            ("POST /form", form("a=%20&b=c"), 200),
            ("POST /form", form("a=%zz"), 400),
            ("POST /form", form("a=%2"), 400),
            ("POST /form", form("a=%FF"), 400),
            ("POST /form", "Content-Length: 3\r\n\r\na=b", 415),
        ],
    );
    let server = server("connections");
    for Http { mut wire } in both(&server) {
        // No request at all.
        wire.send_while_open(b"\x16\x03\x01\x02\0\x01\r\n\r\n");
        Http { wire }.expect_refusal(400);
    }
}
