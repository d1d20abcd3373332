//! R21: requests whose signature is old, early, or not of what they ask.

use crate::scene::row;
use crate::support::http::Http;
use crate::support::sign::today;

const BODY: &[u8] = br#"{"name":"e","channel":"a","data":"x"}"#;
const PATH: &str = "/apps/1001/events";

/// How far a time stamp is from now, in seconds, and whether it is too far. A second may pass.
const STAMPS: [(i64, bool); 8] = [
    (0, false),
    (-598, false),
    (598, false),
    (-602, true),
    (602, true),
    (-100_000, true),
    (100_000, true),
    (i64::MAX / 2, true),
];

#[test]
fn r21_a_request_is_believed_for_ten_minutes_and_for_what_was_signed() {
    row("r21").run(|scene| {
        let now = today();
        let mut http = Http::connect(scene.address());
        let mut status = |target: &str, body: &[u8]| {
            let response = http.ask("POST", target, body);
            let told = response.status == 200 || !response.error().is_empty();
            assert!(told && !response.closes(), "{response:?}");
            response.status
        };
        for (seconds, refused) in STAMPS {
            let at = now.saturating_add_signed(seconds);
            let target = scene.keys.target_at(at, "POST", PATH, &[], BODY);
            let wanted = if refused { 401 } else { 200 };
            assert_eq!(status(&target, BODY), wanted, "{seconds} s from now");
        }
        let good = scene.keys.target("POST", PATH, &[], BODY);
        let (path, query) = good.split_once('?').unwrap();
        let mut parts: Vec<&str> = query.split('&').collect();
        for at in 0..parts.len() {
            let mut fewer = parts.clone();
            let gone = fewer.remove(at);
            let target = format!("{path}?{}", fewer.join("&"));
            assert_eq!(status(&target, BODY), 401, "without {gone}");
            // Which of two signatures counts is the same to who knows none.
            if !gone.starts_with("auth_signature") {
                let twice = format!("{good}&{}", gone.replace('=', "=0"));
                assert_eq!(status(&twice, BODY), 401, "{gone} twice, differing");
            }
        }
        // What is signed is sorted: the order in which it is sent is free.
        parts.reverse();
        assert_eq!(status(&format!("{path}?{}", parts.join("&")), BODY), 200);
        assert_eq!(
            status(&good, br#"{"name":"f","channel":"a","data":"x"}"#),
            401
        );
        assert_eq!(status(&good, b""), 401);
        let other_path = good.replace(PATH, "/apps/1001/batch_events");
        assert_eq!(status(&other_path, BODY), 401);
        assert_eq!(status(&good, BODY), 200);
    });
}
