//! Request heads: a backend's publish, and a browser that asks for a WebSocket.

use super::{Amount, Subject};
use shardcast::http::{HeadScan, Limits, parse};
use std::hint::black_box;

const PUBLISH: &str = "POST /apps/1001/events?auth_key=app-key&auth_timestamp=1700000000\
    &auth_version=1.0&body_md5=0123456789abcdef0123456789abcdef\
    &auth_signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef HTTP/1.1\r\n\
    Host: push.example.com:6001\r\n\
    Content-Type: application/json\r\n\
    X-Pusher-Library: pusher-http-php 7.2.6\r\n\
    User-Agent: GuzzleHttp/7\r\n\
    Content-Length: 67\r\n\r\n";

const UPGRADE: &str = "GET /app/app-key?protocol=7&client=js&version=8.4.0&flash=false HTTP/1.1\r\n\
    Host: push.example.com:6001\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/131.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://www.example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

pub fn add(subjects: &mut Vec<Subject>) {
    subjects.extend([("publish", PUBLISH), ("upgrade", UPGRADE)].map(head));
}

/// A head that came in one piece: its end is looked for, then it is read.
fn head((name, text): (&str, &'static str)) -> Subject {
    let subject = Subject::new(format!("http-head/{name}"), move || {
        let limits = Limits::default();
        move || {
            let bytes = black_box(text).as_bytes();
            assert!(HeadScan::new(&limits).complete(bytes));
            let (head, length) = parse(bytes, &limits).unwrap().unwrap();
            assert_eq!(length, bytes.len());
            black_box(&head);
        }
    });
    subject.amount(Amount::Bytes(text.len()))
}
