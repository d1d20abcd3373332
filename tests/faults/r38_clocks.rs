//! R38: a clock that is wrong, and one that jumps.

use crate::scene::row;
use crate::support::http::Http;
use crate::support::sign::today;
use serde_json::json;
use std::fs;

const BODY: &[u8] = br#"{"name":"e","channel":"a","data":"x"}"#;

/// What the server's clock is set to, over and over, and whether who signs by ours is believed.
const AHEAD: [(&str, u16); 4] = [("+11m", 401), ("+0", 200), ("+9m", 200), ("+11m", 401)];
const BEHIND: [(&str, u16); 4] = [("-11m", 401), ("+0", 200), ("-9m", 200), ("-11m", 401)];

/// Jumps between `jumps`; the bystanders' backend is five minutes off, and believed throughout.
fn jump(name: &'static str, clock: fn() -> u64, jumps: [(&str, u16); 4]) {
    // What the server reads its time of day from; the clock of its timers is left alone.
    let file = std::env::temp_dir().join(format!("shardcast-{name}-{}", std::process::id()));
    fs::write(&file, "+0").unwrap();
    let from = format!("FAKETIME_TIMESTAMP_FILE={}", file.display());
    let by = [
        "env",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "FAKETIME_NO_CACHE=1",
        &from,
        "LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1",
    ];
    row(name).by(&by).clock(clock).run(|scene| {
        let mut http = Http::connect(scene.address());
        let mut status = || {
            let keys = &scene.keys;
            let target = keys.target_at(today(), "POST", "/apps/1001/events", &[], BODY);
            http.ask("POST", &target, BODY).status
        };
        assert_eq!(status(), 200);
        let mut client = scene.client();
        for (offset, wanted) in jumps {
            fs::write(&file, offset).unwrap();
            assert_eq!(status(), wanted, "{offset}");
            client.subscribe(&format!("a{offset}").replace('+', "-"));
            client.send(&json!({"event": "pusher:ping"}));
            client.expect("pusher:pong");
            scene.client().expect_quiet();
        }
    });
    fs::remove_file(&file).unwrap();
}

#[test]
fn r38_a_clock_that_runs_ahead_refuses_requests_alone() {
    jump("r38-ahead", || today() + 300, AHEAD);
}

#[test]
fn r38_a_clock_that_falls_behind_refuses_requests_alone() {
    jump("r38-behind", || today() - 300, BEHIND);
}
