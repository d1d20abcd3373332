//! The allocation budget of a shard, without its sockets: what each kind of message may take from
//! the allocator once buffers have grown to their size.
//!
//! What a socket and its executor add is gauged by `tests/alloc_server.rs`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "alloc/gauge.rs"]
mod gauge;
#[path = "alloc/shards.rs"]
mod shards;

use flate2::write::GzEncoder;
use gauge::{Cost, Held};
use shardcast::app::App;
use shardcast::http::{self, Limits};
use shardcast::hub::{AppTable, Relay};
use shardcast::id::AppSlot;
use shardcast::limits::JSON_DEPTH_REST;
use shardcast::protocol::auth::Signer;
use shardcast::protocol::json::JsonReader;
use shardcast::protocol::publish;
use shardcast::pusher::{Rules, Signed, authenticate};
use shardcast::ws::Frame;
use shardcast::ws::deflate::{Deflate, Deflaters, Inflater};
use shards::{APP, KEY, Peer, SECRET, Shards, masked};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Rounds that let buffers grow, and as many that are counted.
const ROUNDS: u64 = 100;

/// What one round costs in steady state: the same in each, or this fails.
fn each(what: &str, mut round: impl FnMut()) -> u64 {
    for _ in 0..ROUNDS {
        round();
    }
    // The test harness has a thread of its own, which allocates once in a while. What a round
    // itself allocates now and then would have to miss one of three hundreds of them.
    let gauge = || Cost::of(|| (0..ROUNDS).for_each(|_| round()));
    let cost = std::iter::repeat_with(gauge)
        .take(3)
        .min_by_key(|cost| cost.blocks)
        .expect("three of them");
    println!("{:3} a round: {what}", cost.blocks / ROUNDS);
    assert_eq!(cost.blocks % ROUNDS, 0, "{what}: not constant: {cost}");
    if cost.blocks == 0 {
        assert_eq!(cost.bytes, 0, "{what}: a buffer still grows");
    }
    cost.blocks / ROUNDS
}

/// The one test of this program: what is gauged is the whole process.
#[test]
fn allocation_budget() {
    let _profiler = dhat::Profiler::builder().testing().build();
    the_gauge_works();
    inbound();
    client_events();
    publishes();
    bursts();
    compressed();
    kept_for_compression();
    rest();
}

/// A gauge that sees nothing would let everything pass.
fn the_gauge_works() {
    assert_eq!(
        each("a box, to try the gauge", || drop(Box::new([0u8; 9]))),
        1
    );
    let mut grown = Vec::with_capacity(1);
    let cost = Cost::of(|| grown.extend_from_slice(&[0u8; 100]));
    assert!(cost.bytes >= 99, "growing counts: {cost}");
}

/// A small message that needs no answer from elsewhere: nothing at all.
fn inbound() {
    let mut shards = Shards::new(1);
    let mut peer = shards.subscriber(0, 1, "news");
    for (what, frame) in [
        (
            "pusher:ping",
            masked(0x81, br#"{"event":"pusher:ping","data":{}}"#),
        ),
        (
            "pusher:pong",
            masked(0x81, br#"{"event":"pusher:pong","data":{}}"#),
        ),
        ("ping without payload", masked(0x89, b"")),
        ("ping of twelve bytes", masked(0x89, b"twelve bytes")),
        ("pong", masked(0x8a, b"")),
        (
            "unsubscribe from what it is not in",
            masked(
                0x81,
                br#"{"event":"pusher:unsubscribe","data":{"channel":"else"}}"#,
            ),
        ),
    ] {
        let mut buffer = frame.clone();
        let blocks = each(what, || {
            buffer.copy_from_slice(&frame);
            shards.say(&mut peer, &mut buffer);
            shards.turn();
        });
        assert_eq!(blocks, 0, "{what}");
    }
}

/// Subscribers besides the one that is told of, on each shard in turn.
fn crowd(shards: &mut Shards, count: u16, others: u32, channel: &str) -> Vec<Peer> {
    (0..others)
        .map(|number| shards.subscriber((number % u32::from(count)) as u16, number + 10, channel))
        .collect()
}

/// A client event: the shared bytes, and a count of its own for each shard that listens.
fn client_events() {
    for (shard_count, budget) in [(1, 2), (2, 3)] {
        for channel in ["private-room", "presence-room"] {
            for others in [shard_count.into(), 10, 1_000] {
                let mut shards = Shards::new(shard_count);
                let _crowd = crowd(&mut shards, shard_count, others, channel);
                let mut sender = shards.subscriber(0, 1, channel);
                let text = format!(
                    r#"{{"event":"client-move","channel":"{channel}","data":{{"x":1,"y":[2]}}}}"#
                );
                let frame = masked(0x81, text.as_bytes());
                let mut buffer = frame.clone();
                let what = format!("client event, {shard_count} shards, {others} in {channel}");
                let mut sent = 0;
                let blocks = each(&what, || {
                    buffer.copy_from_slice(&frame);
                    shards.say(&mut sender, &mut buffer);
                    sent += shards.turn();
                });
                assert_eq!(blocks, budget, "{what}");
                assert!(sent as u64 > 2 * ROUNDS * u64::from(others), "all get it");
            }
        }
    }
}

fn event(data: &str) -> Relay<'_> {
    Relay {
        app: APP,
        channel: "news",
        event: "headline",
        data,
        user_id: None,
        except: None,
    }
}

/// An event from a backend, from either shard: as above.
fn publishes() {
    for (shard_count, budget) in [(1, 2), (2, 3)] {
        for subscribers in [shard_count.into(), 10, 1_000] {
            let mut shards = Shards::new(shard_count);
            let _crowd = crowd(&mut shards, shard_count, subscribers, "news");
            for from in 0..shard_count {
                let what = format!(
                    "publish from shard {from} of {shard_count} to {subscribers} subscribers"
                );
                let blocks = each(&what, || {
                    shards.publish(from, event(r#"{"title":"small"}"#));
                    assert!(shards.turn() > subscribers as usize);
                });
                assert_eq!(blocks, budget, "{what}");
            }
        }
        let mut nobody = Shards::new(shard_count);
        let what = format!("publish to nobody, {shard_count} shards");
        let blocks = each(&what, || {
            nobody.publish(0, event("x"));
            assert_eq!(nobody.turn(), 0);
        });
        assert_eq!(blocks, 1, "{what}");
    }
}

/// Several events in one turn wait in each outbox together, and still cost nothing more for
/// each subscriber.
fn bursts() {
    const BURST: u64 = 8;
    for subscribers in [1, 10, 1_000] {
        let mut shards = Shards::new(1);
        let _crowd = crowd(&mut shards, 1, subscribers, "news");
        let what = format!("{BURST} publishes in one turn to {subscribers} subscribers");
        let blocks = each(&what, || {
            for _ in 0..BURST {
                shards.publish(0, event(r#"{"title":"small"}"#));
            }
            shards.turn();
        });
        assert_eq!(blocks, 2 * BURST, "{what}");
    }
}

/// A crowd of whom every other one is sent compressed messages: the twin of the frame costs as much
/// as the frame, once. A compressed message that comes in costs nothing.
fn compressed() {
    let data = r#"{\"id\":1,\"title\":\"headline\"},"#.repeat(30);
    for subscribers in [2, 10, 1_000] {
        let mut shards = Shards::new(1);
        let mut peers = crowd(&mut shards, 1, subscribers, "news");
        for peer in peers.iter_mut().step_by(2) {
            shards.compress(peer);
        }
        let what = format!("publish to {subscribers} subscribers, half of them compressed");
        let mut sent = 0;
        let blocks = each(&what, || {
            shards.publish(0, event(&data));
            sent = shards.turn();
        });
        assert_eq!(blocks, 4, "{what}");
        let whole = subscribers as usize * data.len();
        assert!((whole / 2..whole).contains(&sent), "{sent} bytes");
    }
    let mut shards = Shards::new(1);
    let mut peer = shards.subscriber(0, 1, "news");
    shards.compress(&mut peer);
    let text = format!(
        r#"{{"event":"pusher:ping","data":"{data}"}}"#,
        data = "x".repeat(999)
    );
    let frame = masked(0xc1, &deflated(text.as_bytes()));
    let mut buffer = frame.clone();
    let what = "compressed pusher:ping of a kilobyte";
    let blocks = each(what, || {
        buffer.copy_from_slice(&frame);
        shards.say(&mut peer, &mut buffer);
        assert_ne!(shards.turn(), 0);
    });
    assert_eq!(blocks, 0, "{what}");
}

/// What compression holds once it was needed: numbers that docs/performance.md gives.
fn kept_for_compression() {
    let text = "x".repeat(1_000);
    let frame = Frame::text(text.as_bytes());
    for (window_bits, most) in [(9, 260_000), (15, 390_000)] {
        let held = kept(|| {
            let mut deflaters = Deflaters::default();
            let settings = Deflate {
                window_bits,
                ..Deflate::default()
            };
            let profile = deflaters.profile(settings).unwrap();
            let twin = deflaters.twin(profile, frame.clone());
            assert!(twin.bytes().len() < 100, "it is compressed");
            deflaters.forget();
            deflaters
        });
        println!("{held:6} bytes: the deflater of a window of {window_bits} bits");
        assert!((most * 9 / 10..=most).contains(&held), "{held}");
    }
    let message = deflated(text.as_bytes());
    let held = kept(|| {
        let inflater = Inflater::default();
        drop(inflater.inflate(&message, 1_000).unwrap());
        inflater
    });
    println!("{held:6} bytes: the inflater of a shard");
    assert!((45_000..=50_000).contains(&held), "{held}");
    let held = kept(|| GzEncoder::new(Vec::new(), flate2::Compression::new(6)));
    println!("{held:6} bytes: the deflater of a response's body");
    assert!((380_000..=420_000).contains(&held), "{held}");
}

/// Bytes that what was made holds.
fn kept<T>(make: impl FnOnce() -> T) -> usize {
    let before = Held::now().bytes;
    let made = make();
    let held = Held::now().bytes - before;
    drop(made);
    held
}

/// What a message is on the wire (RFC 7692, section 7.2.1).
fn deflated(payload: &[u8]) -> Vec<u8> {
    use flate2::{Compress, Compression, FlushCompress};
    let mut out = Vec::with_capacity(payload.len() + 100);
    Compress::new(Compression::best(), false)
        .compress_vec(payload, &mut out, FlushCompress::Sync)
        .unwrap();
    out.truncate(out.len() - 4);
    out
}

/// A publish request from its bytes to its event: a number that the body's size does not change.
fn rest() {
    const NOW_S: u64 = 1_700_000_000;
    let table = AppTable::new([App::new("1001", KEY, SECRET)]);
    let tenant = table.get(AppSlot(0));
    let mut reader = JsonReader::new(JSON_DEPTH_REST);
    for size in [10, 1_000, 10_000] {
        let request = signed_request(NOW_S, &"x".repeat(size));
        let mut buffer = request.clone();
        let what = format!("REST publish of {size} bytes: head, signature, body");
        let blocks = each(&what, || {
            buffer.copy_from_slice(&request);
            let end = memchr::memmem::find(&buffer, b"\r\n\r\n").unwrap() + 4;
            let (head, body) = buffer.split_at_mut(end);
            let (head, _) = http::parse(head, &Limits::default()).unwrap().unwrap();
            let request = Signed {
                method: head.method,
                path: head.path,
                query: head.query,
                body: Some(body),
            };
            let rules = Rules {
                now_s: NOW_S,
                window_s: 600,
                prefix: "",
            };
            authenticate(tenant, request, rules).unwrap();
            let limits = publish::Limits::of(&tenant.app);
            let publication = publish::event(&mut reader, body, limits).unwrap();
            assert_eq!(publication.data.len(), size);
        });
        assert_eq!(blocks, 1, "{what}");
    }
}

fn signed_request(now_s: u64, data: &str) -> Vec<u8> {
    use md5::{Digest, Md5};
    let body = serde_json::json!({ "name": "e", "channels": ["news"], "data": data }).to_string();
    let body_md5 = hex::encode(Md5::digest(&body));
    let path = "/apps/1001/events";
    let query =
        format!("auth_key={KEY}&auth_timestamp={now_s}&auth_version=1.0&body_md5={body_md5}");
    let text = format!("POST\n{path}\n{query}");
    let signature = Signer::new(SECRET).sign(&[text.as_bytes()]);
    let head = format!(
        "POST {path}?{query}&auth_signature={signature} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}
