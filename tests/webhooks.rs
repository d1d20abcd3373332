//! Webhooks over real sockets (section 9): what receivers are told, when, how often and in which
//! order, and what a receiver that misbehaves can do to the server, which is nothing.
//!
//! Rule ids are those of the protocol reference (`K1` to `K11`). What is decided without sockets
//! (delays, batches, tries, addresses) has its tests beside the code.

mod support;

#[path = "webhooks/delivery.rs"]
mod delivery;
#[path = "webhooks/endpoints.rs"]
mod endpoints;
#[path = "webhooks/events.rs"]
mod events;
#[path = "webhooks/receiver.rs"]
mod receiver;

use receiver::Receiver;
use serde_json::Value;
use shardcast::app::{App, Webhook, WebhookKind};
use shardcast::server::config::Config;
use std::time::Instant;
use support::server::{app, config};
use support::wire::PATIENCE;

/// An app whose receiver is told everything.
fn told(receiver: &Receiver) -> App {
    app_with([everything(receiver.url())])
}

fn app_with(webhooks: impl Into<Vec<Webhook>>) -> App {
    App {
        webhooks: webhooks.into(),
        client_events_per_second: None,
        ..app()
    }
}

/// A trusted endpoint that is told everything, our own events too.
fn everything(url: String) -> Webhook {
    Webhook {
        events: WebhookKind::ALL.to_vec(),
        trusted: true,
        ..Webhook::new(url)
    }
}

/// A trusted endpoint that is told of these.
fn only(url: String, events: &[WebhookKind]) -> Webhook {
    Webhook {
        events: events.to_vec(),
        ..everything(url)
    }
}

/// Two shards, nothing held back for long, and tries that follow each other quickly.
fn quick(apps: impl Into<Vec<App>>) -> Config {
    Config {
        flap_ms: 1,
        webhook_retry_ms: 20,
        ..config(apps)
    }
}

/// The names of a channel's events, in order.
fn names(events: &[Value], channel: &str) -> Vec<String> {
    let here = events.iter().filter(|event| event["channel"] == channel);
    here.map(|event| event["name"].as_str().expect("names are text").to_owned())
        .collect()
}

/// Looks until it is so.
#[track_caller]
fn wait_until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "it never is");
        std::thread::yield_now();
    }
}
