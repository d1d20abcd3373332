//! How long the steps of a message's walk take: frame in, text read, signature checked, event
//! encoded, one frame into a thousand outboxes.
//!
//! `cargo bench --bench codec`. No sockets and no executor: what the kernel adds is the load
//! tester's to measure. Runs are short; for a comparison raise `--measurement-time`.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

use criterion::{BatchSize, Bencher, Criterion, Throughput};
use md5::{Digest, Md5};
use shardcast::app::App;
use shardcast::conn::Table;
use shardcast::hub::AppTable;
use shardcast::id::{AppSlot, ClientId, ShardId};
use shardcast::limits::JSON_DEPTH_REST;
use shardcast::protocol::auth::{Signer, channel_is_signed};
use shardcast::protocol::json::JsonReader;
use shardcast::protocol::{Parser, event, publish};
use shardcast::pusher::authenticate;
use shardcast::ws::frame::TextEncoder;
use shardcast::ws::{Decoder, Frame};
use std::hint::black_box;
use std::time::Duration;

const KEY: &str = "app-key";
const SECRET: &str = "app-secret";

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    decoder(&mut criterion);
    parser(&mut criterion);
    signatures(&mut criterion);
    rest(&mut criterion);
    encoder(&mut criterion);
    fan_out(&mut criterion);
    criterion.final_summary();
}

/// The frames that clients send most, as text.
const FRAMES: [(&str, &str); 4] = [
    ("ping", r#"{"event":"pusher:ping","data":{}}"#),
    (
        "subscribe",
        r#"{"event":"pusher:subscribe","data":{"auth":"","channel":"news"}}"#,
    ),
    (
        "client-event-object",
        r#"{"event":"client-move","channel":"private-room","data":{"x":10,"y":[1,2,3]}}"#,
    ),
    (
        "client-event-string",
        r#"{"event":"client-move","channel":"private-room","data":"{\"x\":10,\"y\":[1,2,3]}"}"#,
    ),
];

/// Runs `work` on a fresh copy of `bytes`, which it may scramble.
fn on_a_copy(bencher: &mut Bencher<'_>, bytes: &[u8], mut work: impl FnMut(&mut [u8])) {
    let copy = || bytes.to_vec();
    bencher.iter_batched_ref(copy, |bytes| work(bytes), BatchSize::SmallInput);
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![first];
    match u16::try_from(payload.len()).unwrap() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

fn decoder(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decoder");
    let long = "x".repeat(10_000);
    let texts = FRAMES.into_iter().chain([("10-kilobytes", long.as_str())]);
    let frames = texts.map(|(name, text)| (name, masked(0x81, text.as_bytes())));
    for (name, frame) in frames.chain([("control-ping", masked(0x89, b"12 bytes it."))]) {
        let mut decoder = Decoder::new(64 * 1024);
        group.throughput(Throughput::Bytes(frame.len() as u64));
        group.bench_function(name, |bencher| {
            on_a_copy(bencher, &frame, |mut bytes| {
                black_box(decoder.next(&mut bytes).unwrap().unwrap());
            });
        });
    }
    group.finish();
}

fn parser(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parser");
    for (name, text) in FRAMES {
        let mut parser = Parser::default();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            on_a_copy(bencher, text.as_bytes(), |bytes| {
                black_box(parser.parse(bytes).unwrap());
            });
        });
    }
    group.finish();
}

fn signatures(criterion: &mut Criterion) {
    let signer = Signer::new(SECRET);
    let (socket_id, channel) = ("123456789.987654321", "private-room");
    let signature = signer.sign(&[socket_id.as_bytes(), b":", channel.as_bytes()]);
    let auth = format!("{KEY}:{signature}");
    criterion.bench_function("signature/channel", |bencher| {
        bencher.iter(|| {
            let auth = black_box(auth.as_str());
            assert!(channel_is_signed(
                &signer, KEY, auth, socket_id, channel, None
            ));
        });
    });
}

fn rest(criterion: &mut Criterion) {
    const NOW_S: u64 = 1_700_000_000;
    let apps = AppTable::new([App::new("1001", KEY, SECRET)]);
    let tenant = apps.get(AppSlot(0));
    let body = br#"{"name":"headline","channels":["news"],"data":"{\"title\":\"small\"}"}"#;
    let body_md5 = hex::encode(Md5::digest(body));
    let path = "/apps/1001/events";
    let unsigned =
        format!("auth_key={KEY}&auth_timestamp={NOW_S}&auth_version=1.0&body_md5={body_md5}");
    let text = format!("POST\n{path}\n{unsigned}");
    let query = format!(
        "{unsigned}&auth_signature={}",
        tenant.signer.sign(&[text.as_bytes()])
    );
    criterion.bench_function("rest/auth", |bencher| {
        bencher
            .iter(|| authenticate(tenant, "POST", path, black_box(&query), body, NOW_S).unwrap());
    });
    let mut reader = JsonReader::new(JSON_DEPTH_REST);
    criterion.bench_function("rest/body", |bencher| {
        on_a_copy(bencher, body, |body| {
            black_box(publish::event(&mut reader, body, 10_240).unwrap());
        });
    });
}

fn encoder(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let mut encoder = TextEncoder::default();
    for size in [16, 1_000] {
        let data = format!("{{\"text\":\"{}\"}}", "x".repeat(size));
        group.bench_function(format!("event-{size}"), |bencher| {
            bencher.iter(|| {
                encoder.encode(|out| {
                    event::channel_event("headline", black_box(&data), "news", None, out);
                })
            });
        });
    }
    group.finish();
}

/// One frame into every outbox, then what a turn's end does with them, less the sockets.
fn fan_out(criterion: &mut Criterion) {
    const SUBSCRIBERS: usize = 1_000;
    let mut group = criterion.benchmark_group("fan-out");
    group.throughput(Throughput::Elements(SUBSCRIBERS as u64));
    for frames in [1, 8] {
        let mut table = Table::new(ShardId(0), 1 << 20);
        let clients: Vec<ClientId> = (0..SUBSCRIBERS).map(|_| table.insert(0).unwrap()).collect();
        let frame = Frame::text(&[b'x'; 100]);
        let mut scratch = Vec::new();
        group.bench_function(format!("{frames}-to-1000-outboxes"), |bencher| {
            bencher.iter(|| {
                for _ in 0..frames {
                    for client in &clients {
                        table.push(*client, frame.clone()).unwrap();
                    }
                }
                while let Some(client) = table.next_dirty() {
                    let outbox = &mut table.get_mut(client).unwrap().outbox;
                    let count = black_box(outbox.gather(&mut scratch)).len();
                    outbox.advance(count);
                }
            });
        });
    }
    group.finish();
}
