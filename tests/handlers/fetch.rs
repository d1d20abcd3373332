//! Streams, events, uploads and files as a client reads them that many use: the `fetch` of Node.

use crate::support::server::{TestServer, config};
use shardcast::handler::{
    Client, Endpoint, Handler, Handshake, Message, Request, Result, Router, StaticFiles,
};
use shardcast::http::{Event, Response};
use shardcast::server::Server;
use std::path::Path;
use std::process::Command;

/// What Node is to find, thrown where it does not.
const SCRIPT: &str = r#"
const assert = require('node:assert');
const base = process.argv[1];
const text = async (path, options) => {
    const answer = await fetch(base + path, options);
    return [answer.status, await answer.text()];
};
(async () => {
    for (let round = 0; round < 8; round += 1) {
        const [status, long] = await text('/web/long');
        assert.deepEqual([status, long.length, long.replaceAll('x', '')], [200, 3000000, '']);
        await assert.rejects(text('/web/broken'));
        assert.deepEqual(await text('/web/events'), [200, 'id: 1\ndata: a\ndata: b\n\n']);
        const piece = new Uint8Array(100000).fill(1);
        const pieces = async function* () { for (let n = 0; n < 30; n += 1) yield piece; };
        const upload = { method: 'POST', body: ReadableStream.from ? ReadableStream.from(pieces())
            : new Blob(Array(30).fill(piece)).stream(), duplex: 'half' };
        assert.deepEqual(await text('/web/upload', upload), [200, '3000000 null']);
        const whole = { method: 'POST', body: new Uint8Array(3000000) };
        assert.deepEqual(await text('/web/upload', whole), [200, '3000000 3000000']);
        const part = { headers: { range: 'bytes=1-3' } };
        assert.deepEqual(await text('/files/web.rs', part), [206, '/! ']);
        const file = await fetch(base + '/files/web.rs');
        const tag = { headers: { 'if-none-match': file.headers.get('etag') } };
        assert.match(await file.text(), /^\/\/! Requests and responses/);
        assert.deepEqual(await text('/files/web.rs', tag), [304, '']);
        assert.deepEqual(await text('/files/%2e%2e%2fCargo.toml'), [400, 'Bad path\n']);
    }
})().catch((error) => { console.error(error); process.exit(1); });
"#;

struct Web;

impl Web {
    async fn upload(mut request: Request<'_>) -> Response {
        let length = request.content_length();
        loop {
            match request.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return error.response(),
            }
        }
        let length = length.map_or("null".to_owned(), |length| length.to_string());
        Response::text(200, format!("{} {length}", request.received()))
    }
}

impl Handler for Web {
    type Session = ();

    fn streams_requests(&self) -> bool {
        true
    }

    fn body_max(&self) -> Option<u64> {
        Some(3_000_000)
    }

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::reject(Response::empty(403)))
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(())
    }

    async fn on_request(&self, _: &Endpoint, request: Request<'_>) -> Response {
        match request.param("what") {
            Some("long") => Response::stream("text/plain", async |body| {
                let piece = vec![b'x'; 10_000];
                for _ in 0..300 {
                    body.write(&piece).await?;
                }
                Ok(())
            }),
            Some("broken") => Response::stream("text/plain", async |body| {
                body.write("part").await?;
                Err("no more".into())
            }),
            Some("events") => Response::events(async |events| {
                Ok(events.send(Event::new("a\nb").with_id("1")).await?)
            }),
            _ => Self::upload(request).await,
        }
    }
}

#[test]
fn the_fetch_of_node_reads_and_sends_streams_events_and_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/handlers");
    let routes = move |router: &mut Router| {
        router.mount("/web/{what}", |_| Web);
        router.mount("/files/*", |_| StaticFiles::root(&root));
    };
    let server = TestServer::build(Server::builder().config(config([])).routes(routes));
    let mut node = Command::new("node");
    node.args(["-e", SCRIPT, &format!("http://{}", server.address())]);
    let run = node
        .output()
        .expect("Node is here (scripts/setup-system.sh)");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
}
