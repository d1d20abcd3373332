//! Each scenario, small and short, against the real server: nothing is lost and all is measured.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use shardcast::app::App;
use shardcast::server::config::Config;
use shardcast::server::{Server, ServerHandle};
use support::{count, run};

/// Two shards on a free port, stopped when the test is over.
struct Real(Option<ServerHandle>);

impl Real {
    fn start() -> Self {
        let mut app = App::new("1001", "app-key", "app-secret");
        app.client_events = true;
        app.client_events_per_second = None;
        let config = Config {
            port: 0,
            shards: Some(2),
            apps: vec![app],
            ..Config::default()
        };
        Self(Some(Server::builder().config(config).start().unwrap()))
    }

    fn passes(&self, scenario: &str) -> Vec<u64> {
        let address = self.0.as_ref().unwrap().local_addr();
        let me = std::process::id();
        let arguments =
            format!("{scenario} --warm-up-s 0.1 --duration-s 0.5 --timeout-s 30 --server-pid {me}");
        let outcome = run(address, &arguments);
        assert_eq!(outcome.failures, [""; 0], "{scenario}: {:?}", outcome.notes);
        assert!(!outcome.timeline.rows.is_empty());
        for (_, values) in &outcome.timeline.rows {
            assert_eq!(values.len(), outcome.timeline.series.len());
        }
        for latency in &outcome.latencies {
            assert!(
                !latency.nanoseconds.is_empty(),
                "{scenario}: {}",
                latency.key
            );
        }
        let work = ["expected", "delivered", "answered", "cycles", "sent"];
        let figures = outcome.figures.iter();
        figures
            .filter(|figure| work.iter().any(|work| figure.key.ends_with(work)))
            .map(|figure| count(&outcome, &figure.key))
            .collect()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let handle = self.0.take().unwrap();
        handle.stop();
        handle.wait().unwrap();
    }
}

#[test]
fn every_scenario_passes_against_the_real_server() {
    let server = Real::start();
    for scenario in [
        "fan-out --subscribers 50",
        "fan-out --subscribers 50 --publishers 1 --until delivered",
        "fan-out --subscribers 50 --rate 100",
        "fan-out --subscribers 50 --batch 10",
        "channels --channels 50 --subscribers 4",
        "client-events --pairs 20 --window 4",
        "client-events --pairs 20 --rate 1000",
        "presence --members 40",
        "presence --members 40 --churners 8 --rate 50",
        "publish",
        "mixed --subscribers 50 --pairs 10 --members 20 --idle 50",
    ] {
        let work = server.passes(scenario);
        assert!(
            !work.is_empty() && work.iter().all(|count| *count > 0),
            "{scenario}: {work:?}"
        );
    }
}

#[test]
fn a_storm_and_the_idle_pass_against_the_real_server() {
    let server = Real::start();
    let address = server.0.as_ref().unwrap().local_addr();
    let outcome = run(address, "connect --connections 500");
    assert_eq!(outcome.failures, [""; 0]);
    assert_eq!(count(&outcome, "subscribed"), 500);
    // In one process with its server it cannot tell whose memory it is: only the counts hold.
    let me = std::process::id();
    let idle = format!("idle --connections 200 --server-pid {me} --limit-bytes 100000000");
    let outcome = run(address, &idle);
    assert_eq!(outcome.failures, [""; 0]);
    assert_eq!(count(&outcome, "connections"), 200);
}

#[test]
fn a_wrong_secret_fails_the_run() {
    let server = Real::start();
    let address = server.0.as_ref().unwrap().local_addr();
    let arguments = "fan-out --subscribers 5 --secret wrong --warm-up-s 0.1 --duration-s 0.2";
    let outcome = run(address, arguments);
    assert!(count(&outcome, "refused") > 0);
    assert_eq!(count(&outcome, "refused"), count(&outcome, "answered"));
    assert_eq!(count(&outcome, "expected"), 0);
    assert_eq!(outcome.failures, ["every publish was refused"]);
    assert!(
        outcome
            .notes
            .iter()
            .any(|note| note.ends_with("refused with 401"))
    );
}
