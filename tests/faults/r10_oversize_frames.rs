//! R10: frames that say that they are larger than any may be.

use crate::scene::row;
use crate::support::websocket::{CONTINUE, FIN, TEXT, frame, header};

/// A header that says the length in eight bytes.
fn longest_form(length: u64) -> Vec<u8> {
    let mut out = vec![FIN | TEXT, 0x80 | 127];
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out
}

/// A header that says the length in two bytes.
fn longer_form(length: u16) -> Vec<u8> {
    let mut out = vec![FIN | TEXT, 0x80 | 126];
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out
}

#[test]
fn r10_a_frame_is_refused_by_what_it_says_alone() {
    const TIMES: usize = 50;
    row("r10").run(|scene| {
        let before = scene.server.memory().0;
        for length in [65_537, 1 << 31, 1 << 32, 1 << 62, (1 << 63) - 1] {
            // Nothing of the payload is ever sent.
            for _ in 0..TIMES {
                let mut client = scene.client();
                client.ws.send(header(FIN | TEXT, length));
                client.ws.expect_close(1009);
            }
            let mut client = scene.client();
            let second = header(FIN | CONTINUE, length);
            client.ws.send([frame(TEXT, "{"), second].concat());
            client.ws.expect_close(1009);
        }
        let not_shortest = [
            longest_form(0),
            longest_form(125),
            longest_form(65_535),
            longer_form(0),
            longer_form(125),
        ];
        for bytes in [
            &not_shortest[..],
            &[longest_form(1 << 63), longest_form(u64::MAX)],
        ]
        .concat()
        {
            let mut client = scene.client();
            client.ws.send(bytes);
            client.ws.expect_close(1002);
        }
        let grown = scene.growth(before);
        assert!(grown < 4 << 20, "{grown} bytes for what was only announced");
    });
}
