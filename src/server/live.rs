//! From a configuration to what may change while the server runs: the limits of its shards, and the
//! slots of its apps.

use super::config::{Config, DrainClose};
use crate::app::App;
use crate::conn::Timing;
use crate::crossing::fresh::{Drain, Live, PusherLimits, SPREAD_MS_MAX};
use crate::handler::Deflate;
use crate::http;
use crate::hub;
use crate::id::AppSlot;
use crate::limits::APP_SLOTS_MAX;
use crate::protocol::Code;
use std::collections::HashMap;
use std::time::Duration;

/// How long a peer may take to end after our close frame or last response.
const CLOSE_MS: u64 = 5_000;

/// What a stop may take beside the time for handlers and that of its closes: for peers to end, and
/// for what follows from that.
const STOP_MORE_MS: u64 = 15_000;

/// The limits of each of so many shards.
pub(super) fn live(config: &Config, shards: u16) -> Live {
    Live {
        outbox_bytes: config.outbox_bytes,
        timing: Timing {
            agree_ms: config.tls_handshake_timeout_ms,
            head_ms: config.head_timeout_ms,
            body_ms: config.body_timeout_ms,
            keep_alive_ms: config.keep_alive_ms,
            pong_ms: config.pong_wait_ms,
            close_ms: CLOSE_MS,
            stall_ms: config.write_stall_ms,
        },
        http: http::Limits {
            head_bytes: config.head_bytes,
            body_bytes: config.body_bytes,
            ..http::Limits::default()
        },
        hub: hub::Limits {
            channels_per_connection: config.channels_per_connection,
            cache_bytes: config.cache_bytes / usize::from(shards),
            sign_in_ms: config.sign_in_ms,
            count_interval_ms: config.count_interval_ms,
            auth_failures: config.auth_failures_per_minute,
        },
        pusher: PusherLimits {
            message_bytes: config.message_bytes,
            activity_grace_ms: config.activity_grace_ms,
            rest_clock_s: config.rest_clock_s,
            replay_guard: config.rest_replay_guard,
            auth_failures: config.auth_failures_per_minute,
            deflate: config.websocket_compression.then(|| Deflate {
                level: config.websocket_compression_level,
                threshold_bytes: config.websocket_compression_bytes,
                ..Deflate::default()
            }),
        },
        drain: Drain {
            spread_ms: config.drain_spread_ms,
            stop_wait_ms: config.stop_wait_ms,
            code: match config.drain_close {
                DrainClose::Later => Code::OverCapacity,
                DrainClose::AtOnce => Code::ReconnectNow,
            },
        },
        control_frames: config.pings_per_second,
        accept_per_second: config.accept_per_second,
        flush_delay_us: config.flush_delay_us,
    }
}

/// How long a stop may take in all.
pub(super) fn stop_time(config: &Config) -> Duration {
    let spread_ms = config.drain_spread_ms.unwrap_or(SPREAD_MS_MAX);
    let enough_ms = config.stop_wait_ms + spread_ms + STOP_MORE_MS;
    Duration::from_millis(config.stop_deadline_ms.unwrap_or(enough_ms))
}

/// Which slot each app has, by its id. A slot is an app's while it is served, and nobody's after
/// that: an app that comes back has another.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    of: HashMap<String, AppSlot>,
    next: u32,
}

impl Slots {
    /// Of the apps that a server starts with, in their order.
    pub(super) fn new(apps: &[App]) -> Self {
        let slots = (0..).map(AppSlot);
        let of = apps.iter().map(|app| app.id.clone()).zip(slots).collect();
        let next = apps.len() as u32;
        Self { of, next }
    }

    /// Gives those of a new list a slot that have none, and forgets the others.
    ///
    /// # Errors
    /// When no more slots can be given.
    pub(super) fn learn(&mut self, apps: &[App]) -> Result<(), String> {
        let mut of = HashMap::with_capacity(apps.len());
        for app in apps {
            let slot = self.of.get(&app.id).copied().unwrap_or_else(|| {
                self.next += 1;
                AppSlot(self.next - 1)
            });
            of.insert(app.id.clone(), slot);
        }
        if self.next > APP_SLOTS_MAX {
            return Err(format!(
                "{APP_SLOTS_MAX} apps have come and gone since the start: these need a restart"
            ));
        }
        self.of = of;
        Ok(())
    }

    /// The apps with their slots, new ones in the order of theirs.
    ///
    /// # Panics
    /// When one of them was not learned.
    pub(super) fn placed(&self, apps: &[App]) -> Vec<(AppSlot, App)> {
        let placed = apps.iter().map(|app| (self.of[&app.id], app.clone()));
        placed.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apps(ids: &[&str]) -> Vec<App> {
        ids.iter().map(|id| App::new(*id, *id, "s")).collect()
    }

    fn slots(slots: &Slots, ids: &[&str]) -> Vec<u32> {
        let placed = slots.placed(&apps(ids));
        placed.into_iter().map(|(slot, _)| slot.0).collect()
    }

    #[test]
    fn a_slot_is_never_given_to_another_app() {
        let mut all = Slots::new(&apps(&["a", "b", "c"]));
        assert_eq!(slots(&all, &["a", "b", "c"]), [0, 1, 2]);
        all.learn(&apps(&["c", "d", "a"])).unwrap();
        assert_eq!(slots(&all, &["c", "d", "a"]), [2, 3, 0]);
        all.learn(&apps(&["b", "a"])).unwrap();
        assert_eq!(
            slots(&all, &["b", "a"]),
            [4, 0],
            "one that comes back is new"
        );
    }

    #[test]
    fn slots_are_given_up_to_the_limit() {
        let mut all = Slots::new(&apps(&["a"]));
        all.next = APP_SLOTS_MAX - 1;
        all.learn(&apps(&["a", "last"])).unwrap();
        let refused = all.clone().learn(&apps(&["a", "last", "past"]));
        assert!(refused.unwrap_err().contains("need a restart"));
        assert!(all.learn(&apps(&["a"])).is_ok());
    }
}
