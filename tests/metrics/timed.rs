//! Times, and what the process and the machine have of them.

use super::admin;
use super::support::metrics::Values;
use super::support::server::TestServer;
use super::support::wire::PATIENCE;
use serde_json::json;
use std::time::Instant;

/// Values until one of them is as wanted.
#[track_caller]
fn expect_soon(server: &TestServer, is_good: impl Fn(&Values) -> bool) -> Values {
    let start = Instant::now();
    loop {
        let values = Values::of(admin(server));
        if is_good(&values) {
            return values;
        }
        assert!(start.elapsed() < PATIENCE, "{}", values.text());
    }
}

#[test]
fn the_way_of_an_event_is_timed_on_every_shard_that_writes_it() {
    let server = TestServer::plain();
    let mut pair = server.pair();
    for client in &mut pair {
        client.subscribe("c");
    }
    let timed = |values: &Values, shard| values.sum("publish_to_write_seconds_count", &[shard]);
    let shards = [r#"shard="0""#, r#"shard="1""#];
    let before = Values::of(admin(&server));
    assert_eq!(
        shards.map(|shard| timed(&before, shard)),
        [0.0; 2],
        "nothing was published"
    );
    let mut rest = server.rest();
    for n in 0..5 {
        rest.publish(&json!({"name": "e", "channel": "c", "data": n.to_string()}));
        pair.iter_mut().for_each(|client| drop(client.expect("e")));
    }
    // Each has a turn of its own, for its answer came before the next.
    let values = expect_soon(&server, |values| {
        shards.iter().all(|it| timed(values, it) == 5.0)
    });
    for shard in shards {
        let labels = [shard, r#"le="+Inf""#];
        assert_eq!(values.sum("publish_to_write_seconds_bucket", &labels), 5.0);
        let sum_s = values.sum("publish_to_write_seconds_sum", &[shard]);
        assert!(sum_s > 0.0 && sum_s < 5.0, "{sum_s}");
    }
}

#[test]
fn shards_time_their_timers_and_the_way_between_them() {
    let server = TestServer::plain();
    let shards = [r#"shard="0""#, r#"shard="1""#];
    let has = |values: &Values, name| shards.iter().all(|it| values.sum(name, &[it]) >= 1.0);
    let values = expect_soon(&server, |values| {
        has(values, "mesh_hop_seconds_count") && has(values, "shard_lag_seconds_count")
    });
    for shard in shards {
        assert!(values.sum("mesh_hop_seconds_sum", &[shard]) > 0.0);
        assert!(values.sum("shard_busy_seconds_total", &[shard]) > 0.0);
    }
    let values = expect_soon(&server, |values| {
        let busy = shards.map(|shard| values.sum("shard_busy_ratio", &[shard]));
        busy.iter().all(|busy| *busy > 0.0)
    });
    for shard in shards {
        assert!(values.sum("shard_busy_ratio", &[shard]) <= 1.0);
    }
}

#[test]
fn the_machine_and_the_process_are_told_of() {
    let server = TestServer::plain();
    let values = Values::of(admin(&server));
    for name in [
        "machine_listen_overflows_total",
        "machine_listen_drops_total",
    ] {
        assert!(
            values.text().contains(&format!("\nsoketi_{name} ")),
            "{name}"
        );
    }
    let of = |name| values.sum(name, &[]);
    let cpu = of("process_cpu_user_seconds_total") + of("process_cpu_system_seconds_total");
    assert!((cpu - of("process_cpu_seconds_total")).abs() < 1e-6);
    assert!(of("process_virtual_memory_bytes") > of("process_heap_bytes"));
    assert!(of("process_heap_bytes") > 4096.0);
    assert_eq!(of("webhook_waiting_events"), 0.0);
}
