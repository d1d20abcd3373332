//! Settings that follow others where nobody has set them.
//!
//! Only what would else be refused although nobody asked for it. Invariant: what somebody has set
//! stays, but for an admin port that another server would open to everybody.

use super::apps::BuiltApp;
use super::family::Family;
use super::layers::Settings;
use super::settings::{AdminPort, Config};
use std::net::{IpAddr, Ipv4Addr};

/// What stands around an event's data in a message of a client, at most: names and the form.
const AROUND_BYTES: usize = 4096;

/// Bytes that one of an event may take in JSON, but for control characters.
const WRITTEN: usize = 2;

/// What stands around it in a request, at most: the names of a thousand channels, too.
const REQUEST_AROUND_BYTES: usize = 256 << 10;

/// The largest event that an app can allow.
const EVENT_BYTES_MOST: usize = 16 << 20;

/// soketi's names for the address of the admin port, which is open there unless set.
const SOKETIS_HOST: &str = "SOKETI_METRICS_HOST";
const SOKETIS_HOST_OPTION: &str = "metrics.host";

/// Lets everything follow that does; gives a warning where something does that was set.
pub(super) fn all(
    config: &mut Config,
    server: &Settings<Config>,
    apps: &mut [BuiltApp],
) -> Option<String> {
    events(config, server, apps);
    sizes(config, server, apps);
    if !server.has("memory_hard_percent") {
        let hard = config.memory_hard_percent;
        config.memory_hard_percent = hard.max(config.memory_soft_percent);
    }
    admin_port(config, server)
}

/// Whether an app says itself how large an event may be.
fn is_set(built: &BuiltApp) -> bool {
    built.from.settings.has("event_data_bytes")
}

/// Whether the size of an app's events is that of requests alone, as in Reverb, where clients have
/// a limit of their own.
pub(super) fn follows_requests(built: &BuiltApp) -> bool {
    let family = Family::of(&built.from.settings);
    !is_set(built) && family.is_some_and(Family::limits_requests_alone)
}

/// An app that does not say how large an event may be allows no larger one than gets through.
fn events(config: &Config, server: &Settings<Config>, apps: &mut [BuiltApp]) {
    let limits = [
        ("body_bytes", config.body_bytes),
        ("message_bytes", config.message_bytes),
    ];
    let set = limits.into_iter().filter(|(key, _)| server.has(key));
    let most = set.map(|(_, bytes)| bytes).min();
    for built in apps.iter_mut().filter(|built| !is_set(built)) {
        let follows = follows_requests(built);
        let event = &mut built.app.event_data_bytes;
        match follows {
            true if server.has("body_bytes") => {
                let room = config.outbox_bytes.saturating_sub(AROUND_BYTES) / WRITTEN;
                let most = config.body_bytes.min(EVENT_BYTES_MOST);
                *event = match server.has("outbox_bytes") {
                    true => most.min(room),
                    false => most,
                };
            }
            true => {}
            false => *event = most.map_or(*event, |most| most.min(*event)),
        }
    }
}

/// An event of the size that an app allows gets in by either way and out again.
fn sizes(config: &mut Config, server: &Settings<Config>, apps: &[BuiltApp]) {
    let largest = |is_meant: &dyn Fn(&BuiltApp) -> bool| {
        let meant = apps.iter().filter(|built| is_meant(built));
        meant
            .map(|built| built.app.event_data_bytes)
            .max()
            .unwrap_or(0)
    };
    let written = largest(&|_| true).saturating_mul(WRITTEN);
    let from_clients = largest(&|built| !follows_requests(built));
    let needs = [
        (
            "message_bytes",
            &mut config.message_bytes,
            from_clients,
            AROUND_BYTES,
        ),
        (
            "outbox_bytes",
            &mut config.outbox_bytes,
            written,
            AROUND_BYTES,
        ),
        (
            "body_bytes",
            &mut config.body_bytes,
            written,
            REQUEST_AROUND_BYTES,
        ),
    ];
    for (key, limit, inside, around) in needs {
        if !server.has(key) {
            *limit = (*limit).max(inside.saturating_add(around));
        }
    }
}

/// Metrics are not for everybody: without a token they stay on this machine, and a warning says so,
/// where soketi's name asks for more.
fn admin_port(config: &mut Config, server: &Settings<Config>) -> Option<String> {
    let source = server.source("admin_host");
    let is_off = config.admin == AdminPort::Off;
    let is_open = !config.admin_host.to_canonical().is_loopback();
    let is_soketis = source.variable() == Some(SOKETIS_HOST)
        || server.option("admin_host") == Some(SOKETIS_HOST_OPTION);
    if is_off || !is_open || !is_soketis || config.admin_token.is_some() {
        return None;
    }
    let asked_for = config.admin_host;
    config.admin_host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Some(format!(
        "metrics are told to this machine only: {source} asks for {asked_for}, which others can \
         reach, and that takes a token; set SHARDCAST_ADMIN_TOKEN"
    ))
}
