//! A receiver of webhooks: plain sockets and threads, and answers that the test chooses.

use crate::support::wire::PATIENCE;
use serde_json::Value;
use shardcast::app::App;
use shardcast::protocol::auth::Signer;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver as Queue, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Requests that may wait for a test to look at them.
const WAITING_MAX: usize = 10_000;

/// One request.
#[derive(Clone, Debug)]
pub struct Got {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What a request is answered with.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A head with this status and these fields, and no body.
    Status(u16, &'static str),
    /// Nothing, until the other side gives up.
    Silence,
    /// 200, and a body without an end.
    Endless,
}

/// Somebody who listens for webhooks until the test ends.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    got: Queue<Got>,
    /// Bytes of endless bodies that the other side took.
    pub taken: Arc<AtomicUsize>,
}

impl Receiver {
    /// Answers 200.
    pub fn plain() -> Self {
        Self::answering(|_| Answer::Status(200, ""))
    }

    /// Answers the first request, the second and so on as it is told, by number.
    pub fn answering(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::new(answer, None)
    }

    /// Speaks TLS.
    pub fn secret(config: ServerConfig) -> Self {
        Self::new(|_| Answer::Status(200, ""), Some(Arc::new(config)))
    }

    fn new(
        answer: impl Fn(usize) -> Answer + Send + Sync + 'static,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (to, got) = sync_channel(WAITING_MAX);
        let (answer, number) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (answer, number) = (Arc::clone(&answer), Arc::clone(&number));
                let (to, taken, tls) = (to.clone(), Arc::clone(&counted), tls.clone());
                thread::spawn(move || {
                    let answer = || answer(number.fetch_add(1, Ordering::SeqCst));
                    match tls {
                        Some(tls) => {
                            let session = ServerConnection::new(tls).expect("the config is good");
                            serve(StreamOwned::new(session, stream), &answer, &to, &taken);
                        }
                        None => serve(stream, &answer, &to, &taken),
                    }
                });
            }
        });
        Self {
            address,
            got,
            taken,
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/hook?of=test", self.address)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The next request.
    #[track_caller]
    pub fn next(&self) -> Got {
        self.got.recv_timeout(PATIENCE).expect("a webhook comes")
    }

    /// A request that is here already.
    pub fn here(&self) -> Option<Got> {
        self.got.try_recv().ok()
    }

    /// The next so many events, each of which must be signed by the app.
    #[track_caller]
    pub fn events(&self, app: &App, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            events.extend(self.next().events(app));
        }
        assert_eq!(events.len(), count, "{events:?}");
        events
    }

    /// Everything until the server is gone: call it when the server has ended.
    pub fn rest(&self, app: &App) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            match self.got.recv_timeout(Duration::from_millis(1)) {
                Ok(got) => events.extend(got.events(app)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return events,
            }
        }
    }
}

impl Got {
    /// The only value of a header.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(key, _)| key == name);
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands twice: {self:?}");
        value.map_or("", |(_, value)| value)
    }

    /// The body, signed by the app and with all that a receiver needs (K1, K2, K8, K10).
    #[track_caller]
    pub fn json(&self, app: &App) -> Value {
        assert_eq!(self.header("content-type"), "application/json"); // K1
        assert_eq!(self.header("x-pusher-key"), app.key); // K8
        let signature = Signer::new(app.secret.expose()).sign(&[&self.body]);
        assert_eq!(self.header("x-pusher-signature"), signature);
        let body: Value = serde_json::from_slice(&self.body).expect("bodies are JSON");
        assert!(body["time_ms"].as_u64().is_some(), "{body}"); // K2
        body
    }

    /// The events of the body.
    #[track_caller]
    pub fn events(&self, app: &App) -> Vec<Value> {
        let body = self.json(app);
        let events = body["events"].as_array().expect("events are a list");
        for event in events {
            assert!(event["name"].is_string() && event["channel"].is_string()); // K10
            for field in ["user_id", "data", "socket_id", "event", "reason"] {
                let value = &event[field];
                assert!(value.is_null() || value.is_string(), "{event}"); // K10
            }
        }
        events.clone()
    }
}

fn serve(
    mut stream: impl Read + Write,
    answer: &dyn Fn() -> Answer,
    to: &SyncSender<Got>,
    taken: &AtomicUsize,
) {
    let Some(got) = read(&mut stream) else { return };
    let answer = answer();
    let _ = to.send(got);
    match answer {
        Answer::Status(status, fields) => {
            let head = format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: 0\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.flush();
        }
        Answer::Silence => {}
        Answer::Endless => {
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n";
            let mut sent = stream.write_all(head);
            while sent.is_ok() {
                sent = stream.write_all(&[b'x'; 4096]);
                taken.fetch_add(4096, Ordering::SeqCst);
            }
        }
    }
    let mut rest = [0; 512];
    while stream.read(&mut rest).is_ok_and(|count| count > 0) {}
}

fn read(stream: &mut impl Read) -> Option<Got> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    let mut more = |bytes: &mut Vec<u8>| match stream.read(&mut chunk) {
        Ok(0) => false,
        Ok(count) => {
            bytes.extend_from_slice(&chunk[..count]);
            true
        }
        Err(error) => error.kind() == ErrorKind::Interrupted,
    };
    let end = loop {
        match bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(at) => break at,
            None if more(&mut bytes) => {}
            None => return None,
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).expect("heads are text");
    let mut lines = head.split("\r\n").map(str::to_owned);
    let line = lines.next().expect("a split has a first part");
    let headers: Vec<(String, String)> = lines
        .map(|field| {
            let (name, value) = field.split_once(": ").expect("a field has a colon");
            (name.to_ascii_lowercase(), value.to_owned())
        })
        .collect();
    let mut got = Got {
        line,
        headers,
        body: bytes.split_off(end + 4),
    };
    let length = got.header("content-length").parse().expect("it is told");
    while got.body.len() < length {
        if !more(&mut got.body) {
            return None;
        }
    }
    Some(got)
}
