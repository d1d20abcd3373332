//! R20: what an answer to a wrong signature tells, in words and in time.

use crate::scene::row;
use crate::support::http::Http;
use std::time::{Duration, Instant};

/// Times that each is tried: together fewer than are told why in a second.
const ROUNDS: usize = 30;

/// The signature with one digit changed.
fn wrong_at(target: &str, digit: usize) -> String {
    let at = target.find("auth_signature=").unwrap() + "auth_signature=".len() + digit;
    let other = if &target[at..=at] == "0" { "1" } else { "0" };
    let mut target = target.to_owned();
    target.replace_range(at..=at, other);
    target
}

#[test]
fn r20_no_wrong_signature_is_nearer_than_another() {
    row("r20").run(|scene| {
        let good = scene.keys.target("GET", "/apps/1001/channels", &[], b"");
        let unknown = good.replace("auth_key=app", "auth_key=apq");
        let cases = [wrong_at(&good, 0), wrong_at(&good, 63), unknown];
        let mut http = Http::connect(scene.address());
        assert_eq!(http.ask("GET", &good, b"").status, 200);
        let mut took = [const { Vec::<Duration>::new() }; 3];
        for _ in 0..ROUNDS {
            for (case, took) in cases.iter().zip(&mut took) {
                let start = Instant::now();
                let response = http.ask("GET", case, b"");
                took.push(start.elapsed());
                assert!(matches!(response.status, 401 | 429), "{}", response.status);
                assert!(!response.text().contains("app-secret"));
            }
        }
        assert_eq!(http.ask("GET", &good, b"").status, 200);
        let half = took.each_mut().map(|took| {
            took.sort_unstable();
            took[ROUNDS / 2]
        });
        println!(
            "r20: wrong first digit {:.0?}, last {:.0?}, unknown key {:.0?}",
            half[0], half[1], half[2]
        );
        // Over a socket no more than this can be told from noise; that the comparison itself is
        // blind to where a signature differs is a matter of the code (`verify_slice`).
        assert!(half[0] < 3 * half[1] && half[1] < 3 * half[0], "{half:?}");
    });
}
