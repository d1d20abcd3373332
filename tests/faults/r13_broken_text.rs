//! R13: text that is no UTF-8, and text that is but is cut inside of its characters.

use crate::scene::row;
use crate::support::pusher::Client;
use crate::support::websocket::{CONTINUE, FIN, TEXT, frame, text};

const BROKEN: [&[u8]; 14] = [
    b"\xff",
    b"ab\xfe",
    b"\x80",
    b"{\"event\":\"\xc3\x28\"}",
    b"\xc0\xaf",         // overlong
    b"\xe0\x80\xaf",     // overlong
    b"\xf0\x80\x80\xaf", // overlong
    b"\xed\xa0\x80",     // surrogate
    b"\xed\xbf\xbf",     // surrogate
    b"\xf4\x90\x80\x80", // past U+10FFFF
    b"\xf5\x80\x80\x80",
    b"{\xc3",          // cut short
    b"\xe2\x98",       // cut short
    b"\xf0\x9f\x98 x", // cut short, then more
];

#[test]
fn r13_text_is_judged_wherever_it_is_cut() {
    row("r13").run(|scene| {
        for bytes in BROKEN {
            for at in 0..=bytes.len() {
                let (one, two) = bytes.split_at(at);
                let mut client = scene.client();
                let cut = [frame(TEXT, one), frame(FIN | CONTINUE, two)].concat();
                client.ws.wire.send_while_open(&cut);
                client.ws.expect_close(1007);
            }
            // In pieces of TCP, inside of the frame.
            let whole = text(bytes);
            for at in 1..whole.len() {
                let mut client = scene.client();
                client.ws.send(&whole[..at]);
                client.ws.wire.send_while_open(&whole[at..]);
                client.ws.expect_close(1007);
            }
        }
        let message = r#"{"event":"pusher:ping","data":"☃ é 😀"}"#.as_bytes();
        let mut client: Client = scene.client();
        for at in 0..=message.len() {
            let (one, two) = message.split_at(at);
            let cut = [frame(TEXT, one), frame(FIN | CONTINUE, two)].concat();
            client.ws.send(cut);
            client.expect("pusher:pong");
        }
        client.expect_quiet();
    });
}
