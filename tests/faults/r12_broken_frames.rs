//! R12: frames that break the WebSocket protocol, whole and byte by byte.

use crate::proxy::{GOOD, Line, Proxy};
use crate::scene::row;
use crate::support::pusher::Client;
use crate::support::websocket::{
    CLOSE, CONTINUE, FIN, Incoming, PING, PONG, TEXT, close_payload, frame, header, text,
};

const PING_EVENT: &str = r#"{"event":"pusher:ping"}"#;

fn of_headers() -> Vec<Vec<u8>> {
    let mut all = vec![
        [&[FIN | TEXT, PING_EVENT.len() as u8], PING_EVENT.as_bytes()].concat(), // unmasked
        vec![FIN | TEXT, 0],
        vec![FIN | PING, 0],
        vec![FIN | CLOSE, 2, 3, 232],
        [&[FIN | TEXT, 0x80 | 126, 0, 2], &[0; 6][..]].concat(),
        [vec![FIN | TEXT, 0x80 | 127, 0x80], vec![0; 11]].concat(),
        [header(FIN | PING, 126), vec![0; 126]].concat(),
        [header(FIN | PONG, 126), vec![0; 126]].concat(),
        [header(FIN | CLOSE, 126), vec![0; 126]].concat(),
        [header(FIN | PING, 70_000), vec![0; 10]].concat(),
        frame(PING, "x"),
        frame(PONG, ""),
        frame(CLOSE, close_payload(1000, "")),
        frame(FIN | CONTINUE, "x"),
        frame(CONTINUE, "x"),
        [frame(TEXT, "{"), text("}")].concat(),
        [frame(TEXT, "{"), frame(TEXT, "}")].concat(),
    ];
    all.extend([0x40, 0x20, 0x10, 0x70].map(|bits| frame(FIN | bits | TEXT, PING_EVENT)));
    all.extend([0x40, 0x20, 0x10].map(|bits| frame(FIN | bits | PING, "")));
    all.extend([3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(|opcode| frame(FIN | opcode, "x")));
    all
}

fn of_closes() -> Vec<Vec<u8>> {
    let codes = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535];
    let mut all: Vec<_> = codes
        .map(|code| frame(FIN | CLOSE, close_payload(code, "")))
        .into();
    all.push(frame(FIN | CLOSE, [3]));
    all
}

/// Sends a fault and what comes after it, of which nothing may be heard.
fn expect_fault(mut client: Client, bytes: &[u8], code: u16) {
    let shown = bytes[..bytes.len().min(40)].escape_ascii().to_string();
    client.ws.wire.send_while_open(bytes);
    client.ws.wire.send_while_open(&text(PING_EVENT));
    match client.ws.next() {
        Incoming::Close(Some((told, _))) => assert_eq!(told, code, "{shown}"),
        other => panic!("{shown}: {other:?}"),
    }
    assert!(client.ws.wire.ends_in_silence(), "{shown}");
}

#[test]
fn r12_each_breach_is_told_once_and_ends_the_connection() {
    row("r12").run(|scene| {
        let bytewise = Line { piece: 1, ..GOOD };
        let proxy = Proxy::start(scene.address(), bytewise);
        let breaches = [of_headers(), of_closes()].concat();
        assert!(breaches.len() >= 40, "{}", breaches.len());
        for bytes in breaches {
            expect_fault(scene.client(), &bytes, 1002);
            expect_fault(Client::connect(proxy.address, "app-key"), &bytes, 1002);
        }
        let reason = [&1000u16.to_be_bytes()[..], b"\xff"].concat();
        expect_fault(scene.client(), &frame(FIN | CLOSE, reason), 1007);
    });
}
