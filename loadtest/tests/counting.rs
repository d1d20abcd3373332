//! The load tester against a server whose faults are known: it must find each, and no other.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use shardcast_loadtest::outcome::Outcome;
use std::time::Duration;
use support::counting::{CountingServer, Counts, Faults};
use support::{at_least, count, run};

const SHORT: &str = "--warm-up-s 0.1 --duration-s 0.3";

fn under(faults: Faults, arguments: &str) -> (Outcome, Counts) {
    let server = CountingServer::start(faults);
    let outcome = run(server.address, &format!("{arguments} {SHORT}"));
    (outcome, server.stop())
}

/// Lost, doubled, out of order, disconnected.
fn faults(outcome: &Outcome) -> [u64; 4] {
    ["lost", "duplicated", "out_of_order", "disconnected"].map(|key| count(outcome, key))
}

#[test]
fn a_good_server_passes() {
    for arguments in [
        "fan-out --subscribers 20",
        "fan-out --subscribers 20 --publishers 1 --pipeline 8",
        "fan-out --subscribers 20 --publishers 3 --until delivered",
        "fan-out --subscribers 5 --channels 3 --publishers 7",
        "fan-out --subscribers 5 --channels 7 --publishers 3 --rate 500",
        "channels --channels 20 --subscribers 2",
        "fan-out --subscribers 5 --batch 7",
        "fan-out --subscribers 5 --batch 4 --until delivered --publishers 2 --channels 3",
        "fan-out --subscribers 5 --batch 4 --rate 400",
    ] {
        let (outcome, counts) = under(Faults::default(), arguments);
        assert_eq!(outcome.failures, [""; 0], "{arguments}");
        assert_eq!(faults(&outcome), [0; 4], "{arguments}");
        assert_eq!(count(&outcome, "published"), counts.published);
        assert_eq!(count(&outcome, "answered"), counts.published);
        assert_eq!(count(&outcome, "delivered"), counts.deliveries);
        assert_eq!(count(&outcome, "expected"), counts.deliveries);
        assert!(counts.deliveries > 0);
    }
}

#[test]
fn what_is_dropped_is_lost() {
    let drops = Faults {
        drop_every: 97,
        ..Faults::default()
    };
    let (outcome, counts) = under(drops, "fan-out --subscribers 20 --drain-s 0.1");
    assert!(counts.dropped > 0);
    assert_eq!(faults(&outcome), [counts.dropped, 0, 0, 0]);
    assert_eq!(count(&outcome, "expected"), counts.deliveries);
    assert_eq!(
        count(&outcome, "delivered"),
        counts.deliveries - counts.dropped
    );
    assert!(!outcome.failures.is_empty());
}

#[test]
fn losses_that_are_allowed_are_told_but_do_not_fail() {
    let drops = Faults {
        drop_every: 97,
        ..Faults::default()
    };
    let arguments = "fan-out --subscribers 20 --drain-s 0.1 --allow-loss";
    let (outcome, counts) = under(drops, arguments);
    assert_eq!(outcome.failures, [""; 0]);
    let note = format!("{} deliveries were lost", counts.dropped);
    assert!(outcome.notes.contains(&note), "{:?}", outcome.notes);
}

#[test]
fn what_comes_twice_is_counted_once() {
    let doubles = Faults {
        duplicate_every: 89,
        ..Faults::default()
    };
    let (outcome, counts) = under(doubles, "fan-out --subscribers 20");
    assert!(counts.duplicated > 0);
    assert_eq!(faults(&outcome), [0, counts.duplicated, 0, 0]);
    assert_eq!(count(&outcome, "delivered"), counts.deliveries);
    assert!(!outcome.failures.is_empty());
}

#[test]
fn neighbours_that_change_places_are_out_of_order() {
    let swaps = Faults {
        swap_every: 83,
        ..Faults::default()
    };
    // One publisher: neighbours are of one stream.
    let arguments = "fan-out --subscribers 20 --publishers 1 --drain-s 0.1";
    let (outcome, counts) = under(swaps, arguments);
    assert!(counts.swapped > 0);
    assert_eq!(faults(&outcome), [counts.held, 0, counts.swapped, 0]);
    assert!(!outcome.failures.is_empty());
}

#[test]
fn what_was_refused_need_not_arrive() {
    let refusals = Faults {
        refuse_every: 5,
        ..Faults::default()
    };
    for arguments in [
        "fan-out --subscribers 20",
        "fan-out --subscribers 20 --until delivered --publishers 2 --pipeline 4",
        "fan-out --subscribers 20 --rate 300",
    ] {
        let (outcome, counts) = under(refusals, arguments);
        assert!(counts.refused > 0);
        assert_eq!(count(&outcome, "refused"), counts.refused, "{arguments}");
        assert_eq!(count(&outcome, "published"), counts.published);
        assert_eq!(count(&outcome, "expected"), counts.deliveries);
        assert_eq!(faults(&outcome), [0; 4], "{arguments}");
        assert_eq!(outcome.failures, [""; 0], "{arguments}");
        let note = format!("{} publishes were refused with 503", counts.refused);
        assert!(outcome.notes.contains(&note), "{:?}", outcome.notes);
    }
}

#[test]
fn a_server_that_ends_connections_after_an_answer_loses_nothing() {
    for (close_after_every, arguments) in [
        (1, "fan-out --subscribers 20"),
        (1, "fan-out --subscribers 20 --publishers 2 --pipeline 4"),
        (7, "fan-out --subscribers 20 --publishers 2 --pipeline 4"),
        (
            3,
            "fan-out --subscribers 20 --until delivered --publishers 2 --pipeline 4",
        ),
        (1, "fan-out --subscribers 20 --rate 300"),
        (1, "publish --publishers 2 --pipeline 8"),
    ] {
        let closes = Faults {
            close_after_every,
            ..Faults::default()
        };
        let (outcome, counts) = under(closes, arguments);
        let told = format!("{close_after_every}: {arguments}");
        assert!(counts.last_answers > 10, "{told}");
        assert_eq!(count(&outcome, "published"), counts.published, "{told}");
        assert_eq!(count(&outcome, "answered"), counts.published, "{told}");
        if counts.deliveries > 0 {
            assert_eq!(count(&outcome, "expected"), counts.deliveries, "{told}");
            assert_eq!(faults(&outcome), [0; 4], "{told}");
        }
        assert_eq!(outcome.failures, [""; 0], "{told}");
        let note = format!(
            "{} times the server ended a publisher's connection after an answer",
            counts.last_answers
        );
        assert!(outcome.notes.contains(&note), "{told}: {:?}", outcome.notes);
    }
}

#[test]
fn a_subscriber_that_is_thrown_out_is_no_loss_but_a_failure() {
    let closes = Faults {
        close_at: 101,
        ..Faults::default()
    };
    let (outcome, counts) = under(closes, "fan-out --subscribers 20");
    assert_eq!(counts.closed, 1);
    assert_eq!(faults(&outcome), [0, 0, 0, 1]);
    assert_eq!(count(&outcome, "delivered"), counts.deliveries - 1);
    assert!(!outcome.failures.is_empty());
}

/// A closed loop would see one slow publish. The schedule sees all that were due meanwhile.
#[test]
fn a_stall_is_felt_by_all_that_was_due_in_it() {
    const RATE: u64 = 200;
    const STALL_MS: u64 = 400;
    let server = CountingServer::start(Faults {
        stall_at: 60,
        stall: Duration::from_millis(STALL_MS),
        ..Faults::default()
    });
    let arguments = "fan-out --subscribers 3 --warm-up-s 0 --duration-s 1.5";
    let outcome = run(server.address, &format!("{arguments} --rate {RATE}"));
    let counts = server.stop();
    assert_eq!(outcome.failures, [""; 0]);
    // What was due in the first half of the stall waited for its second half at least.
    let due_in_half = RATE * STALL_MS / 1_000 / 2 - 1;
    let half = STALL_MS * 1_000_000 / 2;
    assert!(at_least(&outcome, "answer", half) >= due_in_half);
    assert!(at_least(&outcome, "delivery", half) >= 3 * due_in_half);
    // The first that was due in it waited for all of it, less the time between two.
    let nearly_all = (STALL_MS - 1_000 / RATE) * 999_000;
    assert!(at_least(&outcome, "answer", nearly_all) >= 1);
    // And none was left out because another was late.
    assert!(counts.published >= RATE * 14 / 10, "{counts:?}");
    assert_eq!(at_least(&outcome, "answer", 0), counts.published);
}

/// The server stands still because the crowd leaves: that is seen only if it leaves while it is
/// measured, however short that is.
#[test]
fn who_leaves_is_felt_by_who_stays() {
    const STALL_MS: u64 = 400;
    let depart = |limit_ms: u64| {
        let server = CountingServer::start(Faults {
            // Those who listened and published in the quiet part have gone before the crowd.
            stall_when_gone: 3 + 4 + 50,
            stall: Duration::from_millis(STALL_MS),
            ..Faults::default()
        });
        let arguments = "depart --connections 100 --bystanders 3 --quiet-s 1";
        let outcome = run(
            server.address,
            &format!("{arguments} --limit-ms {limit_ms}"),
        );
        server.stop();
        outcome
    };
    let failed = depart(STALL_MS / 2);
    assert_eq!(failed.failures.len(), 1, "{:?}", failed.failures);
    assert!(failed.failures[0].contains("while the crowd left, past the limit of 200 ms"));
    // Not one message alone, but all that were due in the first half.
    let due_in_half = 200 * STALL_MS / 1_000 / 2 - 1;
    let half = STALL_MS * 1_000_000 / 2;
    assert!(at_least(&failed, "delivery", half) >= 3 * due_in_half);
    // The first that was due in it waited for all of it, less the time between two.
    assert!(at_least(&failed, "delivery", (STALL_MS - 5) * 999_000) >= 1);
    assert_eq!(depart(60_000).failures, [""; 0]);
}

#[test]
fn client_events_are_checked_as_publishes_are() {
    let events = "client-events --pairs 5";
    let (outcome, counts) = under(Faults::default(), &format!("{events} --window 4"));
    assert_eq!(outcome.failures, [""; 0]);
    assert_eq!(count(&outcome, "sent"), counts.deliveries);
    assert_eq!(count(&outcome, "delivered"), counts.deliveries);

    let drops = Faults {
        drop_every: 31,
        ..Faults::default()
    };
    let (outcome, counts) = under(drops, &format!("{events} --rate 500 --drain-s 0.1"));
    assert!(counts.dropped > 0);
    assert_eq!(faults(&outcome), [counts.dropped, 0, 0, 0]);

    let swaps = Faults {
        swap_every: 31,
        ..Faults::default()
    };
    let (outcome, counts) = under(swaps, &format!("{events} --rate 500 --drain-s 0.1"));
    assert!(counts.swapped > 0);
    assert_eq!(faults(&outcome), [counts.held, 0, counts.swapped, 0]);

    let refusals = Faults {
        refuse_event_every: 7,
        ..Faults::default()
    };
    let (outcome, counts) = under(refusals, &format!("{events} --window 4"));
    assert!(counts.refused_events > 0);
    assert_eq!(count(&outcome, "refused"), counts.refused_events);
    assert_eq!(faults(&outcome), [0; 4]);
    assert_eq!(outcome.failures, [""; 0]);
}

#[test]
fn client_events_that_are_all_refused_fail_the_run() {
    let refusals = Faults {
        refuse_event_every: 1,
        ..Faults::default()
    };
    let told = |texts: &[String]| {
        let start = "no client event was delivered: ";
        texts.iter().filter(|text| text.starts_with(start)).count()
    };
    let events = "client-events --pairs 5 --rate 200 --drain-s 0.1";
    let (outcome, counts) = under(refusals, events);
    assert_eq!(count(&outcome, "refused"), counts.refused_events);
    assert_eq!(told(&outcome.failures), 1, "{:?}", outcome.failures);
    let (outcome, _) = under(refusals, &format!("{events} --allow-loss"));
    assert_eq!(outcome.failures, [""; 0]);
    assert_eq!(told(&outcome.notes), 1, "{:?}", outcome.notes);
}

#[test]
fn member_events_are_checked_in_turn() {
    let presence = "presence --members 6 --churners 2 --rate 200 --drain-s 0.1";
    let (outcome, _) = under(Faults::default(), presence);
    assert_eq!(outcome.failures, [""; 0]);
    assert_eq!(count(&outcome, "expected"), 12 * count(&outcome, "cycles"));
    assert_eq!(count(&outcome, "delivered"), 12 * count(&outcome, "cycles"));

    // The seventh who hears of it is the other one who comes and goes, and is not checked.
    let presence = "presence --members 6 --churners 1 --rate 200 --drain-s 0.1";
    let drops = Faults {
        drop_every: 37,
        ..Faults::default()
    };
    let (outcome, counts) = under(drops, presence);
    assert!(counts.dropped > 0);
    assert_eq!(count(&outcome, "lost"), counts.dropped);
    assert_eq!(count(&outcome, "duplicated"), 0);
    assert!(!outcome.failures.is_empty());

    let doubles = Faults {
        duplicate_every: 37,
        ..Faults::default()
    };
    let (outcome, counts) = under(doubles, presence);
    assert!(counts.duplicated > 0);
    assert_eq!(count(&outcome, "duplicated"), counts.duplicated);
    assert_eq!(count(&outcome, "lost"), 0);
}

#[test]
fn connections_that_fail_are_counted_by_cause() {
    let refusals = Faults {
        refuse_upgrade_every: 10,
        ..Faults::default()
    };
    let server = CountingServer::start(refusals);
    let outcome = run(server.address, "connect --connections 200 --under-way 8");
    let counts = server.stop();
    assert_eq!(counts.refused_upgrades, 20);
    assert_eq!(count(&outcome, "failed"), 20);
    assert_eq!(count(&outcome, "subscribed"), 180);
    assert_eq!(at_least(&outcome, "subscribed", 0), 180);
    assert_eq!(outcome.failures, ["20 connections failed"]);
    let note = "20 connections: the upgrade was refused: HTTP/1.1 503 Full (while Upgrading)";
    // On a machine that is busy with other things, a note tells that the tester was the bottleneck.
    let mut notes = outcome.notes.iter();
    assert!(notes.any(|one| one == note), "{:?}", outcome.notes);
}

#[test]
fn a_storm_at_a_rate_is_measured_from_when_it_was_due() {
    let server = CountingServer::start(Faults::default());
    let outcome = run(server.address, "connect --connections 100 --rate 1000");
    server.stop();
    assert_eq!(outcome.failures, [""; 0]);
    assert_eq!(count(&outcome, "subscribed"), 100);
    assert_eq!(at_least(&outcome, "established", 0), 100);
}

#[test]
fn publishes_to_nobody_are_answered() {
    let (outcome, counts) = under(Faults::default(), "publish --publishers 2 --pipeline 8");
    assert_eq!(outcome.failures, [""; 0]);
    assert_eq!(count(&outcome, "answered"), counts.published);
    assert_eq!(counts.deliveries, 0);
}

#[test]
fn everything_at_once_is_told_apart() {
    let drops = Faults {
        drop_every: 41,
        ..Faults::default()
    };
    let (outcome, counts) = under(
        drops,
        "mixed --subscribers 20 --rate 100 --pairs 3 --event-rate 200 --members 5 --churners 1 \
         --churn-rate 50 --idle 20 --visit-rate 50 --drain-s 0.1",
    );
    let lost: Vec<u64> = ["fan_out_lost", "client_event_lost", "presence_lost"]
        .map(|key| count(&outcome, key))
        .into();
    assert_eq!(lost.iter().sum::<u64>(), counts.dropped, "{lost:?}");
    assert!(lost[0] > 0 && !outcome.failures.is_empty());
    let labels = outcome.figures.iter().map(|figure| figure.label.as_str());
    let labels = labels.filter(|label| label.ends_with(": deliveries lost"));
    let whose =
        ["fan-out", "client events", "presence"].map(|name| format!("{name}: deliveries lost"));
    assert!(labels.eq(&whose));
    assert!(count(&outcome, "visit_subscribed") > 0);
    assert_eq!(count(&outcome, "visit_failed"), 0);
    assert_eq!(count(&outcome, "idle_subscribed"), 20);
}
