//! A request head and the body behind it: the same bytes in other reads say the same, be it a request
//! or a refusal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shardcast::http::{self, BodyDecoder, BodyKind, HeadScan, Limits};

const LIMITS: Limits = Limits {
    head_bytes: 512,
    headers: 8,
    target_bytes: 64,
    body_bytes: 256,
};

/// What was read: method, path, query and fields, how the body ends, and the bytes of the head.
type Request = (String, Vec<(String, Vec<u8>)>, BodyKind, usize);

fuzz_target!(|data: &[u8]| {
    let Some((&step, data)) = data.split_first() else {
        return;
    };
    let step = usize::from(step % 64) + 1;
    let whole = head(data, data.len().max(1));
    assert_eq!(whole, head(data, step), "in reads of {step}");
    assert_eq!(whole, head(data, 1), "byte by byte");
    let Some(Ok((_, fields, kind, length))) = whole else {
        return;
    };
    expect_one_length(&fields, kind);
    let mut theirs = [httparse::EMPTY_HEADER; 64];
    let mut theirs = httparse::Request::new(&mut theirs);
    let parsed = theirs.parse(&data[..length]);
    assert_eq!(
        parsed,
        Ok(httparse::Status::Complete(length)),
        "it is a head to others too"
    );
    let rest = &data[length..];
    let whole = body(kind, rest, rest.len().max(1));
    assert_eq!(whole, body(kind, rest, step), "in reads of {step}");
    assert_eq!(whole, body(kind, rest, 1), "byte by byte");
});

/// Nobody behind or in front of us can take another length for the body's.
fn expect_one_length(fields: &[(String, Vec<u8>)], kind: BodyKind) {
    let values = |name: &str| {
        let named = fields
            .iter()
            .filter(|(it, _)| it.eq_ignore_ascii_case(name));
        named.map(|(_, value)| &value[..]).collect::<Vec<_>>()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    match kind {
        BodyKind::None => {
            assert!(codings.is_empty() && lengths.iter().all(|it| it.iter().all(|it| *it == b'0')))
        }
        BodyKind::Length(length) => {
            assert!(codings.is_empty());
            let told = length.to_string();
            let same = |it: &&[u8]| {
                String::from_utf8_lossy(it).trim_start_matches('0') == told.trim_start_matches('0')
            };
            assert!(
                !lengths.is_empty() && lengths.iter().all(same),
                "{lengths:?}"
            );
        }
        BodyKind::Chunked => assert!(lengths.is_empty() && codings.len() == 1),
    }
}

/// What the server does with a connection that brings so many bytes with each read.
fn head(data: &[u8], step: usize) -> Option<Result<Request, u16>> {
    let mut scan = HeadScan::new(&LIMITS);
    let mut end = 0;
    while end < data.len() {
        end = (end + step).min(data.len());
        let seen = &data[..end];
        if !scan.complete(seen) {
            continue;
        }
        return Some(match http::parse(seen, &LIMITS) {
            Ok(Some((head, length))) => {
                assert!(length <= seen.len());
                assert!(head.path.starts_with('/') && head.path.len() <= LIMITS.target_bytes);
                let fields: Vec<_> = head
                    .headers()
                    .map(|(name, value)| (name.to_owned(), value.to_vec()))
                    .collect();
                assert!(fields.len() <= LIMITS.headers);
                let line = format!(
                    "{} {} {} {} {:?} {} {} {}",
                    head.method,
                    head.path,
                    head.query,
                    head.minor,
                    head.host(),
                    head.keep_alive,
                    head.expect_continue,
                    head.upgrade_websocket,
                );
                Ok((line, fields, head.body, length))
            }
            Ok(None) => panic!("a head that is complete needs no more"),
            Err(error) => Err(error.status()),
        });
    }
    None
}

/// The bytes of a body and how much of the input it took, whether it has ended, or the refusal.
fn body(kind: BodyKind, data: &[u8], step: usize) -> Result<(Vec<u8>, usize, bool), u16> {
    let max = LIMITS.body_bytes as u64;
    let mut decoder = BodyDecoder::new(kind, max).map_err(|error| error.status())?;
    let (mut out, mut used, mut done) = (Vec::new(), 0, false);
    'reads: for read in data.chunks(step) {
        let mut at = 0;
        while at < read.len() {
            let piece = decoder.piece(&read[at..]).map_err(|error| error.status())?;
            out.extend_from_slice(&read[at..][piece.data]);
            at += piece.consumed;
            used += piece.consumed;
            done = piece.done;
            if done {
                break 'reads;
            }
            assert!(piece.consumed > 0, "it gets on");
        }
    }
    assert!(out.len() <= LIMITS.body_bytes && decoder.received() == out.len() as u64);
    Ok((out, used, done))
}
