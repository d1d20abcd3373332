//! Directories beside other routes: `Router::files`.

use crate::router::{both, mount_shard, serve_pusher, told};
use crate::support::http::{Http, request};
use crate::support::server::TestServer;
use crate::support::websocket::shake;
use shardcast::handler::{Request, StaticFiles};
use std::fs;
use std::path::Path;

fn server(name: &str) -> TestServer {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("site-{name}"));
    let _ = fs::remove_dir_all(&dir);
    for (path, text) in [
        ("public/index.html", "home"),
        ("public/sub/x.txt", "x"),
        ("assets/index.html", "assets"),
        ("assets/a.js", "a"),
    ] {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a directory can be made");
        fs::write(path, text).expect("a file can be written");
    }
    let (public, assets) = (dir.join("public"), dir.join("assets"));
    serve_pusher(move |router| {
        mount_shard(router);
        // The order does not matter.
        router.files("/", public.clone());
        router.files(
            "/assets",
            StaticFiles::root(&assets).with_cache_control("no-store"),
        );
        router.get("/page", async |_: Request<'_>| "page");
        router.post("/", async |_: Request<'_>| "posted");
        router.nest("/{tenant}/site", |nested| {
            nested.files("/", public.clone());
            nested.files("/js/", assets.clone());
        });
        router.host("files.example", |host| {
            host.files("/", assets.clone());
        });
    })
}

#[test]
fn files_stand_beside_other_routes() {
    let server = server("beside");
    for mut http in both(&server) {
        for (target, status, text) in [
            ("/", 200, "home"),
            ("/index.html", 200, "home"),
            ("/sub/x.txt", 200, "x"),
            ("/nothing", 404, "Not found\n"),
            ("/assets/", 200, "assets"),
            ("/assets/a.js", 200, "a"),
            ("/page", 200, "page"),
            ("/t/site/", 200, "home"),
            ("/t/site/sub/x.txt", 200, "x"),
            ("/t/site/js/", 200, "assets"),
            ("/t/site/js/a.js", 200, "a"),
        ] {
            assert_eq!(
                told(&mut http, "GET", target),
                (status, text.into()),
                "{target}"
            );
        }
        for (target, location) in [
            ("/assets", "/assets/"),
            ("/assets?a=b", "/assets/?a=b"),
            ("/t/site", "/t/site/"),
            ("/t/site/js", "/t/site/js/"),
            ("/sub", "/sub/"),
        ] {
            let answer = http.ask("GET", target, b"");
            let told = (answer.status, answer.header("location"));
            assert_eq!(told, (301, Some(location)));
        }
        let answer = http.ask("GET", "/assets/a.js", b"");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        // Other methods, and the host.
        assert_eq!(told(&mut http, "POST", "/"), (200, "posted".into()));
        let answer = http.ask("DELETE", "/", b"");
        let allowed = (answer.status, answer.header("allow"));
        assert_eq!(allowed, (405, Some("POST, GET, HEAD, OPTIONS")));
        let sent = String::from_utf8(request("GET", "/a.js", &[], b"")).expect("it is text");
        let answer = http.send(sent.replace("localhost", "files.example:80"));
        assert_eq!((answer.status, answer.text()), (200, "a"));
    }
    // The Pusher application is still there.
    let mut http = Http::connect(server.address());
    assert_eq!(http.ask("GET", "/apps/1/channels", b"").status, 404);
    let (answer, _) = shake(&server, "/app/app-key?protocol=7", &[]);
    assert_eq!(answer.status, 101);
}

#[test]
fn two_directories_at_one_prefix_stop_the_start() {
    let panic = std::panic::catch_unwind(|| {
        serve_pusher(|router| {
            router.files("/a", "one");
            router.files("/a/", "two");
        });
    });
    assert!(panic.is_err());
}
