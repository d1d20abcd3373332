//! R07: TLS handshakes that are cut anywhere, and stay open.

use crate::pki::{Pki, flags, hello, port};
use crate::scene::{open_many_files, row};
use crate::support::wire::Wire;
use rustls::version::{TLS12, TLS13};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(3);
/// Bytes of memory for each of them: a connection, and what rustls holds for a handshake.
const EACH_MAX: u64 = 24 * 1024;
/// What the allocator takes at a time.
const ROUNDING: u64 = 2 << 20;

#[test]
fn r07_hellos_that_are_cut_are_ended_in_time() {
    open_many_files();
    let pki = Pki::new("r07");
    pki.write("main", &["localhost"]);
    let plan = flags(&pki).into_iter().fold(row("r07"), |plan, flag| {
        let (name, value) = flag.split_once('=').unwrap();
        plan.flag(name, value)
    });
    let plan = plan.flag("--tls-handshake-timeout-ms", LIMIT.as_millis());
    plan.run(|scene| {
        let address = port(&scene.server.banner);
        let before = scene.server.memory().0;
        let begun = Instant::now();
        let mut wires = Vec::new();
        for version in [&TLS12, &TLS13] {
            let hello = hello(&pki, version);
            // All of the bytes too: the answer to them is not answered.
            wires.extend((0..=hello.len()).map(|cut| {
                let mut wire = Wire::connect(address);
                wire.send(&hello[..cut]);
                wire
            }));
        }
        // All have come in by now, for this one stands behind them.
        let mut good = pki.wire(address);
        good.agree()
            .expect("the handshake of an honest client goes through");
        let (cost, count) = (scene.growth(before), wires.len() as u64);
        for wire in &mut wires {
            assert!(wire.ends_somehow());
        }
        let took = begun.elapsed();
        println!("r07: {cost} bytes for {count}; all over after {took:.1?}");
        assert!(took >= LIMIT, "{took:?}");
        assert!(took < 3 * LIMIT, "{took:?}");
        assert!(cost < count * EACH_MAX + ROUNDING, "{cost} bytes");
    });
}
