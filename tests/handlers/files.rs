//! Static files on real sockets, on both shards: what is served, what is refused, and what happens
//! to a file while it is sent.

use crate::support::http::{Http, Response as Answer, request};
use crate::support::server::{TestServer, config};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use shardcast::handler::{
    Client, Endpoint, Handler, Handshake, Message, Request, Result, Router, StaticFiles,
};
use shardcast::http::Response;
use shardcast::server::Server;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// When every file was changed: `Sun, 06 Nov 1994 08:49:37 GMT`.
const CHANGED_S: u64 = 784_111_777;
const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

/// Bytes of a file that no socket takes at once.
const LONG: u64 = 50 << 20;

/// Says which shard it is.
struct Shard(Endpoint);

impl Handler for Shard {
    type Session = ();

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::reject(Response::empty(403)))
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(())
    }

    async fn on_request(&self, _: &Endpoint, _: Request<'_>) -> Response {
        Response::text(200, self.0.shard().to_string())
    }
}

/// A directory with files, gone at the end, and a server for them.
struct Files {
    dir: PathBuf,
    server: TestServer,
}

impl Files {
    fn start(
        name: &str,
        make: impl Fn(StaticFiles) -> StaticFiles + Send + Sync + 'static,
    ) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("files-{name}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("root/sub dir/.hid")).expect("a directory can be made");
        let files = Self {
            server: Self::serve(dir.join("root"), make),
            dir,
        };
        files.write("../secret.txt", b"secret");
        files.write("index.html", b"<h1>home");
        files.write("a.txt", b"0123456789");
        files.write("empty.txt", b"");
        files.write("\u{fc} b.css", b"a{}");
        files.write("sub dir/index.html", b"<h1>sub");
        files.write("sub dir/x", b"?");
        files.write(".env", b"secret");
        files.write("sub dir/.hid/x", b"secret");
        files.write("app.js", b"plain");
        files.write("app.js.gz", b"as gzip");
        files.write("app.js.br", b"as br");
        files.write("zip.js", b"plain");
        files.write("zip.js.gz", b"as gzip");
        files
    }

    fn serve(
        root: PathBuf,
        make: impl Fn(StaticFiles) -> StaticFiles + Send + Sync + 'static,
    ) -> TestServer {
        let routes = move |router: &mut Router| {
            router.mount("/shard", Shard);
            router.mount("/f/*", |_| make(StaticFiles::root(&root)));
        };
        TestServer::build(Server::builder().config(config([])).routes(routes))
    }

    fn plain(name: &str) -> Self {
        Self::start(name, |files| files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join("root").join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::write(&path, bytes).expect("a file can be written");
        let file = fs::File::options()
            .append(true)
            .open(path)
            .expect("it is there");
        let changed = UNIX_EPOCH + Duration::from_secs(CHANGED_S);
        file.set_modified(changed).expect("it takes a time");
    }

    fn to(&self, shard: usize) -> Http {
        let wanted = shard.to_string();
        Http::connect_on(self.server.address(), "/shard", |it| it.text() == wanted)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.server.end();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn get(http: &mut Http, target: &str, fields: &[&str]) -> Answer {
    http.send(request("GET", target, fields, b""))
}

#[test]
fn files_are_served_with_what_is_known_of_them() {
    let files = Files::plain("served");
    symlink("a.txt", files.path("link.txt")).expect("a link can be made");
    for shard in [0, 1] {
        let mut http = files.to(shard);
        for (target, media_type, body) in [
            ("/f/a.txt", "text/plain; charset=utf-8", "0123456789"),
            ("/f/link.txt", "text/plain; charset=utf-8", "0123456789"),
            ("/f/empty.txt?x=1", "text/plain; charset=utf-8", ""),
            ("/f/%C3%BC%20b.css", "text/css; charset=utf-8", "a{}"),
            ("/f/", "text/html; charset=utf-8", "<h1>home"),
            ("/f/sub%20dir/", "text/html; charset=utf-8", "<h1>sub"),
            ("/f/sub%20dir/x", "application/octet-stream", "?"),
            ("/f/app.js.gz", "application/gzip", "as gzip"),
        ] {
            let whole = get(&mut http, target, &["Accept-Encoding: gzip, br"]);
            assert_eq!((whole.status, whole.text()), (200, body), "{target}");
            let head = http.ask("HEAD", target, b"");
            let told = [
                ("content-type", Some(media_type)),
                ("content-length", Some(&*body.len().to_string())),
                ("last-modified", Some(CHANGED)),
                ("accept-ranges", Some("bytes")),
                ("x-content-type-options", Some("nosniff")),
                ("etag", head.header("etag")),
                ("cache-control", None),
                ("content-encoding", None),
                ("vary", None),
                ("connection", Some("keep-alive")),
            ];
            for (name, value) in told {
                assert_eq!(whole.header(name), value, "{target}: {name}");
                assert_eq!(head.header(name), value, "{target}: {name}");
            }
            assert!(head.header("etag").is_some_and(|tag| tag.starts_with('"')));
        }
        let answer = get(&mut http, "/f/sub%20dir?a=b", &[]);
        assert_eq!(
            (answer.status, answer.header("location")),
            (301, Some("/f/sub%20dir/?a=b"))
        );
        for target in ["/f/nope", "/f/a.txt/", "/f/a.txt/x", "/f/sub%20dir/nope/"] {
            assert_eq!(get(&mut http, target, &[]).status, 404, "{target}");
        }
    }
}

#[test]
fn nothing_else_is_served() {
    let files = Files::plain("refused");
    symlink("../secret.txt", files.path("out.txt")).expect("a link can be made");
    symlink(files.dir.join("secret.txt"), files.path("absolute.txt")).expect("a link can be made");
    symlink("..", files.path("up")).expect("a link can be made");
    symlink("loop", files.path("loop")).expect("a link can be made");
    symlink("/proc/self/root", files.path("magic")).expect("a link can be made");
    let pipe = files.path("pipe");
    mknodat(CWD, pipe, FileType::Fifo, Mode::RWXU, 0).expect("a pipe can be made");
    let long = format!("/f/{}", "n".repeat(256));
    let table = [
        ("/f/../secret.txt", 400),
        ("/f/sub%20dir/../../secret.txt", 400),
        ("/f/%2e%2e/secret.txt", 400),
        ("/f/%2E%2E%2Fsecret.txt", 400),
        ("/f/..%5Csecret.txt", 400),
        ("/f/..\\secret.txt", 400),
        ("/f/%252e%252e/secret.txt", 404),
        ("/f//etc/passwd", 400),
        ("/f/%2Fetc/passwd", 400),
        ("/f/a.txt%00.html", 400),
        ("/f/a.txt%0A", 400),
        ("/f/%FF", 400),
        ("/f/./a.txt", 400),
        ("/f/.env", 404),
        ("/f/%2Eenv", 404),
        ("/f/sub%20dir/.hid/x", 404),
        ("/f/out.txt", 404),
        ("/f/absolute.txt", 404),
        ("/f/up/secret.txt", 404),
        ("/f/up/root/a.txt", 404), // there again, but by a way that leads out
        ("/f/loop", 404),
        ("/f/magic/etc/passwd", 404),
        ("/f/pipe", 404),
        (&*long, 404),
    ];
    for shard in [0, 1] {
        let mut http = files.to(shard);
        for (target, status) in table {
            let answer = get(&mut http, target, &[]);
            assert_eq!(answer.status, status, "{target}");
            assert!(!answer.text().contains("secret"), "{target}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "get"] {
            let answer = http.ask(method, "/f/a.txt", b"");
            assert_eq!(
                (answer.status, answer.header("allow")),
                (
                    if method == "OPTIONS" { 204 } else { 405 },
                    Some("GET, HEAD, OPTIONS")
                )
            );
        }
        assert_eq!(get(&mut http, "/f/a.txt", &[]).text(), "0123456789");
    }
}

#[test]
fn no_path_sends_a_client_to_another_host() {
    let files = Files::plain("elsewhere");
    let root = files.path("");
    let server = TestServer::build(Server::builder().config(config([])).routes(
        move |router: &mut Router| {
            router.mount("/{tenant}/*", |_| StaticFiles::root(&root));
        },
    ));
    let mut http = Http::connect(server.address());
    let answer = get(&mut http, "/ours/sub%20dir", &[]);
    assert_eq!(
        (answer.status, answer.header("location")),
        (301, Some("/ours/sub%20dir/"))
    );
    // Browsers take `/\\` for `//`, and what follows for a host.
    for target in ["/\\evil.example/sub%20dir", "//evil.example/sub%20dir"] {
        let answer = get(&mut http, target, &[]);
        assert!(matches!(answer.status, 400 | 404), "{target}");
        assert_eq!(answer.header("location"), None, "{target}");
    }
}

#[test]
fn parts_and_what_the_client_has_already() {
    let files = Files::plain("parts");
    for shard in [0, 1] {
        let mut http = files.to(shard);
        let tag = get(&mut http, "/f/a.txt", &[])
            .header("etag")
            .expect("it has one")
            .to_owned();
        let ask = |http: &mut Http, fields: &[&str]| {
            let answer = get(http, "/f/a.txt", fields);
            let range = answer.header("content-range").map(str::to_owned);
            (answer.status, range, answer.text().to_owned())
        };
        let part =
            |status, range: &str, text: &str| (status, Some(range.to_owned()), text.to_owned());
        let whole = (200, None, "0123456789".to_owned());
        for (range, wanted) in [
            ("bytes=0-3", part(206, "bytes 0-3/10", "0123")),
            ("bytes=9-9", part(206, "bytes 9-9/10", "9")),
            ("bytes=8-10", part(206, "bytes 8-9/10", "89")),
            ("bytes=-1", part(206, "bytes 9-9/10", "9")),
            (
                "bytes=10-",
                part(416, "bytes */10", "There is no such part\n"),
            ),
            (
                "bytes=-0",
                part(416, "bytes */10", "There is no such part\n"),
            ),
            ("bytes=3-1", whole.clone()),
            ("bytes=0-1,4-5", whole.clone()),
            ("lines=0-1", whole.clone()),
        ] {
            assert_eq!(
                ask(&mut http, &[&format!("Range: {range}")]),
                wanted,
                "{range}"
            );
        }
        let part = part(206, "bytes 0-3/10", "0123");
        for (field, wanted) in [
            (format!("If-Range: {tag}"), &part),
            (format!("If-Range: W/{tag}"), &whole),
            ("If-Range: \"other\"".into(), &whole),
            (format!("If-Range: {CHANGED}"), &part),
            (format!("If-Range: {BEFORE}"), &whole),
        ] {
            assert_eq!(
                &ask(&mut http, &["Range: bytes=0-3", &field]),
                wanted,
                "{field}"
            );
        }
        for (field, status) in [
            (format!("If-None-Match: {tag}"), 304),
            (format!("If-None-Match: \"x\", W/{tag}"), 304),
            ("If-None-Match: \"x\"".into(), 200),
            (format!("If-Modified-Since: {CHANGED}"), 304),
            (format!("If-Modified-Since: {BEFORE}"), 200),
            ("If-Match: \"x\"".into(), 412),
            (format!("If-Match: {tag}"), 200),
            (format!("If-Unmodified-Since: {BEFORE}"), 412),
        ] {
            let answer = get(&mut http, "/f/a.txt", &[&field]);
            assert_eq!(answer.status, status, "{field}");
            if status == 304 {
                assert_eq!(answer.header("etag"), Some(&*tag));
                assert_eq!(answer.header("last-modified"), Some(CHANGED));
            }
        }
    }
    // Another content is another tag, though it is as long and as old in whole seconds.
    let mut http = files.to(0);
    let tag = |http: &mut Http| get(http, "/f/a.txt", &[]).header("etag").map(str::to_owned);
    let before = tag(&mut http);
    fs::write(files.path("a.txt"), "9876543210").expect("a file can be written");
    assert_ne!(tag(&mut http), before);
}

#[test]
fn options_show() {
    let files = Files::start("options", |files| {
        files
            .with_precompressed()
            .with_cache_control("public, max-age=60")
            .with_index("a.txt")
    });
    let mut http = files.to(0);
    assert_eq!(get(&mut http, "/f/", &[]).text(), "0123456789");
    assert_eq!(get(&mut http, "/f/sub%20dir/", &[]).status, 404);
    let mut tags = Vec::new();
    for (target, accepted, coding, body) in [
        ("/f/app.js", "gzip, br", Some("br"), "as br"),
        ("/f/app.js", "gzip", Some("gzip"), "as gzip"),
        ("/f/app.js", "br;q=0, *", Some("gzip"), "as gzip"),
        ("/f/app.js", "identity", None, "plain"),
        ("/f/zip.js", "gzip, br", Some("gzip"), "as gzip"),
        ("/f/a.txt", "gzip, br", None, "0123456789"),
    ] {
        let answer = get(
            &mut http,
            target,
            &[&format!("Accept-Encoding: {accepted}")],
        );
        assert_eq!(
            (answer.status, answer.text()),
            (200, body),
            "{target} {accepted}"
        );
        assert_eq!(answer.header("content-encoding"), coding);
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
        if target == "/f/app.js" {
            let javascript = Some("text/javascript; charset=utf-8");
            assert_eq!(answer.header("content-type"), javascript);
            tags.push(answer.header("etag").expect("it has one").to_owned());
        }
    }
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), 3, "each coding has a tag of its own");
    drop(files);

    let files = Files::start("no-index", StaticFiles::without_index);
    let mut http = files.to(1);
    for target in ["/f/", "/f/sub%20dir", "/f/sub%20dir/"] {
        assert_eq!(get(&mut http, target, &[]).status, 404, "{target}");
    }
}

/// A sparse file that is long.
fn long(files: &Files, name: &str) -> fs::File {
    let file = fs::File::create(files.path(name)).expect("a file can be made");
    file.set_len(LONG).expect("it takes a length");
    file
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_cuts_the_connection() {
    // It is read as it is sent: of what is cut off, no more than sockets hold has been read.
    const LEFT: u64 = 1 << 20;
    let files = Files::plain("shrinks");
    for shard in [0, 1] {
        let file = long(&files, "long.bin");
        let mut http = files.to(shard);
        http.wire.send(request("GET", "/f/long.bin", &[], b""));
        let head = http.head_response();
        assert_eq!(head.header("content-length"), Some(&*LONG.to_string()));
        http.wire.take(1);
        file.set_len(LEFT).expect("it takes a length");
        let mut read = 1;
        while !http.wire.has_ended() {
            http.wire.take(1);
            read += 1;
            assert!(read < LONG, "all of it was sent");
            let kept = http.wire.take_kept();
            read += kept;
        }
        assert!((LEFT..LONG / 2).contains(&read), "{read} bytes were sent");
    }
}

#[test]
fn a_file_that_is_replaced_while_it_is_sent_is_sent_whole() {
    let files = Files::plain("replaced");
    for shard in [0, 1] {
        long(&files, "long.bin");
        let mut http = files.to(shard);
        http.wire.send(request("GET", "/f/long.bin", &[], b""));
        assert_eq!(http.head_response().status, 200);
        files.write("new.bin", b"new");
        fs::rename(files.path("new.bin"), files.path("long.bin")).expect("it can be renamed");
        let mut left = LONG;
        while left > 0 {
            let piece = left.min(1 << 20);
            assert!(http.wire.take(piece as usize).iter().all(|byte| *byte == 0));
            left -= piece;
        }
        assert_eq!(get(&mut http, "/f/long.bin", &[]).text(), "new");
    }
}

#[test]
fn a_directory_that_is_not_there_keeps_the_server_from_starting() {
    let routes = |router: &mut Router| {
        router.mount("/f/*", |_| StaticFiles::root("/nowhere/at/all"));
    };
    let started = Server::builder().config(config([])).routes(routes).start();
    let error = started.map(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("files cannot be served from /nowhere/at/all: "),
        "{error}"
    );
}
