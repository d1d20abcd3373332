//! Asks the shards what they have counted, and puts it on the page.

use super::known::Shard;
use super::plan::{Desk, Log};
use crate::control::machine;
use crate::control::webhook::Totals as WebhookTotals;
use crate::crossing::{AppMeasured, Measured, OfApps};
use crate::limits::MEASURE_TIMEOUT_MS;
use crate::metrics::{Count, Page, Time, Totals, names as n};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// All values of this moment; of a shard that is late, those that it gave last.
pub(super) async fn page(desk: &Desk) -> Page {
    let known = &desk.dashboard.known;
    let took = known.ask(&desk.plan.calls, &OfApps::All).await;
    let mut page = Page::new(&desk.plan.prefix);
    apps(&mut page, desk.plan.port, &known.sums());
    let build = [env!("CARGO_PKG_VERSION"), env!("SHARDCAST_COMMIT")];
    page.add(&n::BUILD_INFO, &build, 1_u64);
    page.add(&n::MAX_CONNECTIONS, &[], desk.plan.admission.most());
    page.add(&n::DRAINING, &[], desk.health.is_draining());
    let (shards, busy) = (known.shards(), desk.dashboard.busy());
    for (at, took) in took.into_iter().enumerate() {
        let shard = at.to_string();
        page.add(&n::SHARD_UP, &[&shard], took.is_some());
        let took = took.unwrap_or(Duration::from_millis(MEASURE_TIMEOUT_MS));
        page.add(&n::SHARD_ANSWER, &[&shard], took.as_secs_f64());
        if let Some(busy) = busy.get(at).copied().flatten() {
            page.add(&n::SHARD_BUSY_RATIO, &[&shard], busy);
        }
        if let Some(measured) = shards.get(at).and_then(Shard::last) {
            of_shard(&mut page, &shard, measured);
        }
    }
    webhooks(&mut page, &desk.plan.webhooks.totals());
    for shown in (desk.plan.certificates.iter()).flat_map(|certificates| certificates.shown()) {
        let file = shown.files.cert.display().to_string();
        let expiry_s = shown.validity.not_after as f64;
        page.add(&n::CERTIFICATE_EXPIRY, &[&file], expiry_s);
    }
    process(&mut page, desk);
    page
}

/// What soketi tells of each app.
fn apps(page: &mut Page, port: u16, apps: &[AppMeasured]) {
    let port = port.to_string();
    for app in apps {
        let labels = &[&*app.id, &*port];
        page.add(&n::CONNECTED, labels, app.connected);
        page.add(&n::NEW_CONNECTIONS, labels, app.opened);
        page.add(&n::NEW_DISCONNECTIONS, labels, app.ended);
        page.add(&n::SOCKET_RECEIVED, labels, app.bytes_read);
        page.add(&n::SOCKET_TRANSMITTED, labels, app.bytes_sent);
        page.add(&n::WS_RECEIVED, labels, app.messages_read);
        page.add(&n::WS_SENT, labels, app.messages_sent);
        page.add(&n::HTTP_RECEIVED, labels, app.call_bytes);
        page.add(&n::HTTP_TRANSMITTED, labels, app.answer_bytes);
        page.add(&n::HTTP_CALLS, labels, app.calls);
        page.add(&n::CHANNELS, labels, app.channels);
    }
}

fn of_shard(page: &mut Page, shard: &str, measured: &Measured) {
    page.add(&n::SHARD_BUSY, &[shard], measured.busy.as_secs_f64());
    holds(page, shard, measured);
    counted(page, shard, &measured.totals);
    for (name, time) in [
        (&n::SHARD_LAG, Time::Lag),
        (&n::HOP, Time::Hop),
        (&n::PUBLISH_TO_WRITE, Time::Publish),
    ] {
        page.add_times(name, &[shard], measured.totals.times(time));
    }
}

/// What a shard holds just now.
fn holds(page: &mut Page, shard: &str, measured: &Measured) {
    let census = &measured.census;
    page.add(&n::MESH_WAITING, &[shard], measured.mesh_waiting);
    page.add(&n::RUNNING, &[shard], measured.running);
    page.add(&n::CONNECTIONS, &[shard], census.connections);
    for (route, clients) in measured.routes.iter().zip(&census.clients) {
        page.add(&n::CLIENTS, &[shard, route], *clients);
    }
    page.add(&n::OUTBOX_BYTES, &[shard], census.waiting_bytes);
    page.add(&n::CACHE_BYTES, &[shard], measured.hub.cache_bytes);
    page.add(&n::TASKS, &[shard], census.tasks);
    for (table, rows) in &census.rows {
        page.add(&n::TABLE_ROWS, &[shard, table], *rows);
    }
}

/// What it has counted.
fn counted(page: &mut Page, shard: &str, totals: &Totals) {
    let late_s = totals.get(Count::LateMs) as f64 / 1000.0;
    page.add(&n::SHARD_LATE, &[shard], late_s);
    let of_shard = [
        (&n::ACCEPTED, Count::Accepted),
        (&n::ENDED, Count::Ended),
        (&n::ACCEPT_FAILED, Count::AcceptFailed),
        (&n::TLS_HANDSHAKES, Count::Agreed),
        (&n::TLS_FAILURES, Count::Disagreed),
        (&n::RECEIVED_BYTES, Count::BytesRead),
        (&n::SENT_BYTES, Count::BytesSent),
        (&n::SLOW_CONSUMERS, Count::Slow),
        (&n::WRITE_STALLS, Count::Stalled),
        (&n::MEMORY_CLOSES, Count::Fat),
        (&n::REFUSALS, Count::Refusals),
    ];
    for (name, count) in of_shard {
        page.add(name, &[shard], totals.get(count));
    }
    let timeouts = [
        ("request", Count::RequestLate),
        ("pong", Count::Silent),
        ("end", Count::EndLate),
        ("message", Count::MessageLate),
    ];
    for (of, count) in timeouts {
        page.add(&n::TIMEOUTS, &[shard, of], totals.get(count));
    }
    let refused = [
        ("full", Count::RefusedFull),
        ("memory", Count::RefusedMemory),
        ("address", Count::RefusedAddress),
        ("proxy", Count::RefusedProxy),
    ];
    for (reason, count) in refused {
        page.add(&n::REFUSED, &[shard, reason], totals.get(count));
    }
    for (of, count) in [("ping", Count::ControlFlood), ("auth", Count::AuthFlood)] {
        page.add(&n::FLOODS, &[shard, of], totals.get(count));
    }
    for (status, count) in &totals.answered {
        page.add(&n::ANSWERS, &[shard, &status.to_string()], *count);
    }
    for (closed, count) in &totals.closed {
        let code = match closed.code {
            0 => "other".to_owned(),
            code => code.to_string(),
        };
        let by = if closed.by_peer { "client" } else { "server" };
        page.add(&n::CLOSES, &[shard, &code, by], *count);
    }
}

fn webhooks(page: &mut Page, totals: &WebhookTotals) {
    let outcomes = [
        ("delivered", totals.delivered),
        ("given_up", totals.given_up),
        ("dropped_by_shard", totals.dropped_by_shards),
        ("dropped_by_queue", totals.dropped_by_full_queues),
        ("dropped_at_stop", totals.dropped_at_stop),
    ];
    for (outcome, count) in outcomes {
        page.add(&n::WEBHOOK_EVENTS, &[outcome], count);
    }
    page.add(&n::WEBHOOK_WAITING, &[], totals.waiting());
    page.add(&n::WEBHOOK_FAILURES, &[], totals.failed_requests);
}

fn process(page: &mut Page, desk: &Desk) {
    page.add(&n::WRONG_TOKENS, &[], desk.dashboard.guard.wrong());
    let dropped = |log: &Log| log.dropped.load(Ordering::Relaxed);
    page.add(
        &n::LOG_DROPPED,
        &[],
        desk.plan.log.as_ref().map_or(0, dropped),
    );
    let memory = &desk.plan.memory;
    page.add(&n::MEMORY_USED, &[], memory.used());
    page.add(&n::MEMORY_LIMIT, &[], memory.limit());
    page.add(&n::RESIDENT, &[], machine::resident());
    let cpu = machine::cpu();
    page.add(&n::CPU, &[], cpu.user_s + cpu.system_s);
    page.add(&n::CPU_USER, &[], cpu.user_s);
    page.add(&n::CPU_SYSTEM, &[], cpu.system_s);
    let sizes = machine::sizes();
    page.add(&n::VIRTUAL, &[], sizes.virtual_bytes);
    page.add(&n::HEAP, &[], sizes.data_bytes);
    if let Some(listens) = machine::listens() {
        page.add(&n::LISTEN_OVERFLOWS, &[], listens.overflows);
        page.add(&n::LISTEN_DROPS, &[], listens.drops);
    }
    page.add(&n::OPEN_FDS, &[], machine::open_fds());
    if let Some(most) = machine::max_fds() {
        page.add(&n::MAX_FDS, &[], most);
    }
    page.add(&n::START_TIME, &[], desk.started_s);
}
