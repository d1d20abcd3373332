//! R11: messages in endlessly many pieces.

use crate::scene::row;
use crate::support::websocket::{CONTINUE, FIN, Incoming, PING, TEXT, frame};

const ATTACKERS: usize = 50;

#[test]
fn r11_a_message_of_too_many_pieces_is_refused_early() {
    row("r11").run(|scene| {
        let empty = frame(CONTINUE, "").repeat(1_000_000);
        let with_pings = [frame(CONTINUE, ""), frame(FIN | PING, "")].concat();
        let with_pings = with_pings.repeat(100_000);
        let small = frame(CONTINUE, "x").repeat(100_000);
        let before = scene.server.cpu_s();
        for number in 0..ATTACKERS {
            let bomb = [&empty, &with_pings, &small][number % 3];
            let mut client = scene.client();
            client.ws.send(frame(TEXT, ""));
            client.ws.wire.send_while_open(bomb);
            loop {
                match client.ws.next() {
                    Incoming::Pong(_) => {}
                    Incoming::Close(Some((1009, _))) => break,
                    other => panic!("{other:?}"),
                }
            }
        }
        let each = (scene.server.cpu_s() - before) / ATTACKERS as f64;
        println!(
            "r11: {:.2} ms of processor time for each, bystanders included",
            each * 1e3
        );
        assert!(each < 0.1, "{each} s");
    });
}
