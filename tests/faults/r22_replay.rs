//! R22: a signed request that comes again.

use crate::scene::row;
use crate::support::http::Http;

const BODY: &[u8] = br#"{"name":"e","channel":"a","data":"x"}"#;

#[test]
fn r22_a_request_is_served_again_unless_replays_are_guarded_against() {
    for guarded in [false, true] {
        // The bystanders' backend signs each event with the event's own digest: none comes twice.
        row("r22")
            .flag("--rest-replay-guard", guarded)
            .run(|scene| {
                let target = scene.keys.target("POST", "/apps/1001/events", &[], BODY);
                let mut http = Http::connect(scene.address());
                assert_eq!(http.ask("POST", &target, BODY).status, 200);
                for _ in 0..20 {
                    let mut other = Http::connect(scene.address()); // of any shard
                    let status = other.ask("POST", &target, BODY).status;
                    assert_eq!(status == 200, !guarded, "{status}");
                }
            });
    }
}
