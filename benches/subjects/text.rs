//! Frames in, commands read, events out.

use super::shards::masked;
use super::{Amount, Subject};
use shardcast::protocol::{Parser, event};
use shardcast::ws::deflate::{Deflate, Deflaters, Inflater};
use shardcast::ws::frame::TextEncoder;
use shardcast::ws::{Decoder, Frame};
use std::hint::black_box;

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

pub fn add(subjects: &mut Vec<Subject>) {
    for (name, text) in FRAMES {
        subjects.push(decoder(name, masked(0x81, text.as_bytes())));
    }
    subjects.push(decoder("10-kilobytes", masked(0x81, &[b'x'; 10_000])));
    subjects.push(decoder("control-ping", masked(0x89, b"12 bytes it.")));
    subjects.extend(FRAMES.map(|(name, text)| parser(name, text)));
    subjects.extend([16, 1_000].map(encoder));
    for size in [1_000, 10_000] {
        subjects.extend([deflater(size), inflater(size)]);
    }
}

/// A frame as it came in, to the text in it.
fn decoder(name: &str, frame: Vec<u8>) -> Subject {
    let amount = Amount::Bytes(frame.len());
    let subject = Subject::new(format!("decoder/{name}"), move || {
        let mut decoder = Decoder::new(64 * 1024);
        let mut buffer = frame.clone();
        move || {
            buffer.copy_from_slice(&frame);
            let mut rest = buffer.as_mut_slice();
            black_box(decoder.next(&mut rest).unwrap().unwrap());
        }
    });
    subject.amount(amount)
}

/// A text to the command in it.
fn parser(name: &str, text: &'static str) -> Subject {
    let subject = Subject::new(format!("parser/{name}"), move || {
        let mut parser = Parser::default();
        let mut buffer = text.as_bytes().to_vec();
        move || {
            buffer.copy_from_slice(text.as_bytes());
            black_box(parser.parse(&mut buffer).unwrap());
        }
    });
    subject.amount(Amount::Bytes(text.len()))
}

/// JSON of about so many bytes, as varied as a table of orders is.
pub fn listing(size: usize) -> String {
    let (mut rows, mut seed) = (String::new(), 1_u32);
    while rows.len() < size {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (id, price) = (seed >> 12, seed >> 20);
        let city = ["Berlin", "Lagos", "Lima", "Osaka", "Oslo"][(seed >> 8) as usize % 5];
        rows += &format!(r#"{{"id":{id},"city":"{city}","price":{price}}},"#);
    }
    rows
}

/// A frame to its compressed twin.
fn deflater(size: usize) -> Subject {
    Subject::new(format!("deflate/listing-{size}"), move || {
        let frame = Frame::text(listing(size).as_bytes());
        let mut deflaters = Deflaters::default();
        let profile = deflaters.profile(Deflate::default()).unwrap();
        move || {
            deflaters.forget();
            let twin = deflaters.twin(profile, black_box(frame.clone()));
            assert!(twin.bytes().len() < frame.bytes().len());
        }
    })
}

/// A compressed message to what it means.
fn inflater(size: usize) -> Subject {
    Subject::new(format!("inflate/listing-{size}"), move || {
        let mut deflaters = Deflaters::default();
        let profile = deflaters.profile(Deflate::default()).unwrap();
        let twin = deflaters.twin(profile, Frame::text(listing(size).as_bytes()));
        let header = if twin.bytes()[1] < 126 { 2 } else { 4 };
        let compressed = twin.bytes()[header..].to_vec();
        let inflater = Inflater::default();
        move || {
            let message = inflater.inflate(black_box(&compressed), 65_536).unwrap();
            assert!(message.len() >= size);
            inflater.give_back(message);
        }
    })
}

/// An event to its frame.
fn encoder(size: usize) -> Subject {
    Subject::new(format!("encoder/event-{size}"), move || {
        let data = format!("{{\"text\":\"{}\"}}", "x".repeat(size));
        let mut encoder = TextEncoder::default();
        move || {
            let write = |out: &mut Vec<u8>| {
                event::channel_event("headline", black_box(&data), "news", None, out);
            };
            black_box(encoder.encode(write));
        }
    })
}
