//! permessage-deflate: what comes compressed is what miniz_oxide makes of it, within the limit; what
//! goes out compressed comes back as it was, whatever went before it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use shardcast::ws::Frame;
use shardcast::ws::deflate::{Deflate, Deflaters, Inflater};

const MAX: usize = 1 << 16;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let inflater = Inflater::default();
    let ours = inflater.inflate(data, MAX);
    // An empty final block behind it ends what a message only flushes.
    let ended = [data, &[0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]].concat();
    let theirs = decompress_to_vec_with_limit(&ended, MAX);
    if let (Ok(ours), Ok(theirs)) = (&ours, &theirs) {
        // Blocks behind a final one are part of a message (RFC 7692, section 7.2.3.4), but not
        // of one stream.
        assert!(ours.starts_with(theirs));
    }
    // What another deflater made is taken, ended by a final block and the byte that has to follow it.
    let mut from_peer = compress_to_vec(data, choice % 11);
    from_peer.push(0);
    assert_eq!(inflater.inflate(&from_peer, MAX), Ok(data.to_vec()));
    assert!(ours.is_err() || ours.is_ok_and(|message| message.len() <= MAX));

    let settings = Deflate {
        level: choice % 9 + 1,
        threshold_bytes: 0,
        window_bits: choice / 9 % 7 + 9,
    };
    let mut deflaters = Deflaters::default();
    let profile = deflaters.profile(settings).expect("all are in range");
    // Without order, with it, and as it is, one after the other: each setting with what is long for
    // a deflater, and more often, for that is slow, with what is short.
    let times = if choice >= 189 { 64 } else { 4 };
    for message in [scattered(data, times), data.repeat(times), data.to_vec()] {
        let frame = Frame::binary(&message);
        let twin = deflaters.twin(profile, frame.clone());
        if twin.bytes()[0] & 0x40 == 0 {
            assert_eq!(twin.bytes(), frame.bytes());
            continue;
        }
        assert!(twin.bytes().len() < frame.bytes().len());
        let header = match twin.bytes()[1] {
            127 => 10,
            126 => 4,
            _ => 2,
        };
        let back = inflater.inflate(&twin.bytes()[header..], message.len());
        assert_eq!(back, Ok(message));
    }
});

/// Many bytes that look like none the ones before.
fn scattered(data: &[u8], times: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let bytes = data.iter().cycle().take(data.len() * times);
    bytes
        .map(|byte| {
            state = state.wrapping_mul(1_664_525).wrapping_add(u32::from(*byte));
            (state >> 24) as u8
        })
        .collect()
}
