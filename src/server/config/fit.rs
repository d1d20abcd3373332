//! Settings that follow others where nobody has set them.
//!
//! Only what would else be refused although nobody asked for it. Invariant: what somebody has set
//! stays, but for an admin port that another server would open to everybody.

use super::apps::BuiltApp;
use super::layers::Settings;
use super::settings::{AdminPort, Config};
use std::net::{IpAddr, Ipv4Addr};

/// What stands around an event's data in a message of a client, at most: names and the form.
const AROUND_BYTES: usize = 4096;

/// soketi's name for the address of the admin port, which is open there unless set.
const SOKETIS_HOST: &str = "SOKETI_METRICS_HOST";

/// An event of the size that an app allows fits a message, and an app allows no larger one than
/// does: whichever of the two is not set follows the other.
pub(super) fn events(config: &mut Config, server: &Settings<Config>, apps: &mut [BuiltApp]) {
    let is_set = |built: &BuiltApp| built.from.settings.has("event_data_bytes");
    let asked_for = apps.iter().filter(|built| is_set(built));
    let asked_for = asked_for.map(|built| built.app.event_data_bytes).max();
    if let Some(bytes) = asked_for.filter(|_| !server.has("message_bytes")) {
        let needed = bytes.saturating_add(AROUND_BYTES);
        config.message_bytes = config.message_bytes.max(needed);
    }
    let limits = [
        ("body_bytes", config.body_bytes),
        ("message_bytes", config.message_bytes),
    ];
    let set = limits.into_iter().filter(|(key, _)| server.has(key));
    let Some(most) = set.map(|(_, bytes)| bytes).min() else {
        return;
    };
    for built in apps.iter_mut().filter(|built| !is_set(built)) {
        built.app.event_data_bytes = built.app.event_data_bytes.min(most);
    }
}

/// Metrics are not for everybody: without a token they stay on this machine, and a warning says so,
/// where soketi's name asks for more.
pub(super) fn admin_port(config: &mut Config, server: &Settings<Config>) -> Option<String> {
    let source = server.source("admin_host");
    let is_off = config.admin == AdminPort::Off;
    let is_open = !config.admin_host.to_canonical().is_loopback();
    let is_soketis = source.variable() == Some(SOKETIS_HOST);
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
