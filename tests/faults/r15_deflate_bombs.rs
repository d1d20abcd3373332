//! R15: small messages that are large when they are inflated.

use crate::scene::row;
use crate::support::deflate::{RSV1, deflated, squeezed_at};
use crate::support::websocket::{CONTINUE, FIN, Incoming, TEXT, frame};

#[test]
fn r15_a_bomb_is_refused_at_the_limit_of_a_message() {
    const BOMBS: usize = 50;
    row("r15")
        .flag("--websocket-compression", true)
        .run(|scene| {
            // As large as a message may be before it is inflated: sixty megabytes of zeros in it.
            let bomb = deflated(vec![b'0'; 60_000_000]);
            assert!((50_000..64 * 1024).contains(&bomb.len()), "{}", bomb.len());
            let whole = frame(FIN | RSV1 | TEXT, &bomb);
            let (one, two) = bomb.split_at(1_000);
            let cut = [frame(RSV1 | TEXT, one), frame(FIN | CONTINUE, two)].concat();
            let (before, cpu_s) = (scene.server.memory(), scene.server.cpu_s());
            for number in 0..BOMBS {
                let mut ws = squeezed_at(scene.address(), "/app/app-key?protocol=7", "");
                assert!(matches!(ws.next(), Incoming::Text(_)));
                ws.wire
                    .send_while_open(if number % 2 == 0 { &whole } else { &cut });
                assert!(matches!(ws.next(), Incoming::Close(Some((1009, _)))));
            }
            let each_s = (scene.server.cpu_s() - cpu_s) / BOMBS as f64;
            let grown = scene.server.memory().1 - before.0;
            println!(
                "r15: {grown} bytes, {:.1} ms each, bystanders included",
                each_s * 1e3
            );
            assert!(grown < 8 << 20, "{grown} bytes");
            assert!(each_s < 0.1, "{each_s} s");
        });
}
