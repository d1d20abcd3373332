//! Whether the settings make sense together and on this machine.
//!
//! Single values were judged by their table entries before. It starts nothing and asks the machine
//! nothing: the usable cores are a parameter. Invariant: what it lets pass can be started, as far
//! as the configuration is concerned; what is merely unwise becomes a warning.

use super::apps::{BuiltApp, has_demo_credentials};
use super::fit;
use super::layers::Settings;
use super::settings::{AdminPort, Config};
use crate::control::WATCHDOG_LEAST_MS;
use crate::error::{ConfigError, Source};
use crate::server::placement::display_cores;

/// Checks the whole and returns the warnings.
///
/// # Errors
/// A core that is not usable, demo credentials on an address others can reach, or an app's limit
/// that the server's limits make unreachable.
pub(super) fn check(
    config: &Config,
    server: &Settings<Config>,
    apps: &[BuiltApp],
    usable_cores: &[usize],
) -> Result<Vec<String>, ConfigError> {
    cores(config, server, usable_cores)?;
    demo_stays_home(config, server, apps)?;
    guard_has_a_clock(config, server)?;
    watchdog_hears_beats(config, server)?;
    admin_is_guarded(config, server)?;
    prefix_is_a_name(config, server)?;
    tls_is_whole(config, server)?;
    marks_are_in_order(config, server)?;
    proxies_are_known(config, server)?;
    let mut warnings = Vec::from_iter(admin_token_is_short(config));
    for built in apps {
        event_fits(config, server, built)?;
        tls_is_spoken(config, built)?;
        warnings.extend(presence_fits(config, built));
        warnings.extend(rate_fits(built));
    }
    Ok(warnings)
}

fn cores(config: &Config, server: &Settings<Config>, usable: &[usize]) -> Result<(), ConfigError> {
    let Some(absent) = config.cores.iter().find(|core| !usable.contains(core)) else {
        return Ok(());
    };
    Err(ConfigError {
        key: "cores".to_owned(),
        value: Some(display_cores(&config.cores)),
        source: server.source("cores"),
        reason: format!(
            "core {absent} is not one this process may run on; expected some of {}",
            display_cores(usable)
        ),
    })
}

fn demo_stays_home(
    config: &Config,
    server: &Settings<Config>,
    apps: &[BuiltApp],
) -> Result<(), ConfigError> {
    let open = apps.iter().any(|built| has_demo_credentials(&built.app));
    if !open || config.host.to_canonical().is_loopback() {
        return Ok(());
    }
    Err(ConfigError {
        key: "host".to_owned(),
        value: Some(config.host.to_string()),
        source: server.source("host"),
        reason: "the demo credentials are public, so with them the server listens on 127.0.0.1 or \
                 ::1 only; to be reached from elsewhere, set SOKETI_DEFAULT_APP_ID, \
                 SOKETI_DEFAULT_APP_KEY and SOKETI_DEFAULT_APP_SECRET to credentials of your own, \
                 or give --config a file with [[apps]]"
            .to_owned(),
    })
}

/// A certificate is of no use without its key, and the rest of no use without a certificate.
fn tls_is_whole(config: &Config, server: &Settings<Config>) -> Result<(), ConfigError> {
    let wrong = |key: &str, value: Option<String>, reason: &str| {
        Err(ConfigError {
            key: key.to_owned(),
            value,
            source: server.source(key),
            reason: reason.to_owned(),
        })
    };
    let is_own = config
        .tls_port
        .is_some_and(|port| port == 0 || port != config.port);
    match (&config.tls_cert, &config.tls_key) {
        (Some(_), None) => wrong("tls_cert", None, "it needs its key: set tls_key too"),
        (None, Some(_)) => wrong(
            "tls_key",
            None,
            "it needs its certificate: set tls_cert too",
        ),
        (None, None) => match config.tls_port {
            _ if !config.tls_certificates.is_empty() => {
                let reason = "they are beside the one for all other clients: set tls_cert too";
                wrong("tls_certificates", None, reason)
            }
            Some(port) => {
                let reason = "nothing can be spoken there without tls_cert and tls_key";
                wrong("tls_port", Some(port.to_string()), reason)
            }
            None => Ok(()),
        },
        (Some(_), Some(_)) => match config.tls_port {
            Some(port) if !is_own => {
                let reason = "it is the port that is not encrypted; expected another, or none for \
                              TLS on the only port";
                wrong("tls_port", Some(port.to_string()), reason)
            }
            _ => Ok(()),
        },
    }
}

/// Between two beats of a shard that turns nothing can be said.
fn watchdog_hears_beats(config: &Config, server: &Settings<Config>) -> Result<(), ConfigError> {
    let times = [
        ("watchdog_warn_ms", config.watchdog_warn_ms),
        ("watchdog_end_ms", config.watchdog_end_ms),
    ];
    let short = times
        .into_iter()
        .find(|(_, ms)| (1..WATCHDOG_LEAST_MS).contains(ms));
    let Some((key, ms)) = short else {
        return Ok(());
    };
    Err(ConfigError {
        key: key.to_owned(),
        value: Some(ms.to_string()),
        source: server.source(key),
        reason: format!("expected 0, for never, or {WATCHDOG_LEAST_MS} and more"),
    })
}

/// Metrics tell what goes on here, so they are not for everybody.
fn admin_is_guarded(config: &Config, server: &Settings<Config>) -> Result<(), ConfigError> {
    let is_off = config.admin == AdminPort::Off;
    if is_off || config.admin_token.is_some() || config.admin_host.to_canonical().is_loopback() {
        return Ok(());
    }
    Err(ConfigError {
        key: "admin_host".to_owned(),
        value: Some(config.admin_host.to_string()),
        source: server.source("admin_host"),
        reason: "others can reach this address, so the admin port needs a token there; set \
                 SHARDCAST_ADMIN_TOKEN or admin_token to one, or let it listen on 127.0.0.1"
            .to_owned(),
    })
}

/// Characters of an `admin_token` below which there is a warning where others can try to guess it.
const ADMIN_TOKEN_COMFORTABLE: usize = 16;

fn admin_token_is_short(config: &Config) -> Option<String> {
    let token = config.admin_token.as_ref()?;
    let is_open = config.admin != AdminPort::Off && !config.admin_host.to_canonical().is_loopback();
    let length = token.expose().chars().count();
    (is_open && length < ADMIN_TOKEN_COMFORTABLE).then(|| {
        format!(
            "admin_token has {length} characters, and others can reach the admin port on {}: it \
             can be guessed; use {ADMIN_TOKEN_COMFORTABLE} or more at random",
            config.admin_host
        )
    })
}

/// What Prometheus takes at the start of a metric's name.
fn prefix_is_a_name(config: &Config, server: &Settings<Config>) -> Result<(), ConfigError> {
    let prefix = &config.metrics_prefix;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if prefix.bytes().all(is_part) && !prefix.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(());
    }
    Err(ConfigError {
        key: "metrics_prefix".to_owned(),
        value: Some(prefix.clone()),
        source: server.source("metrics_prefix"),
        reason: "expected letters, digits and underscores, no digit first".to_owned(),
    })
}

/// Before anybody is closed, nobody new comes in.
fn marks_are_in_order(config: &Config, server: &Settings<Config>) -> Result<(), ConfigError> {
    let (soft, hard) = (config.memory_soft_percent, config.memory_hard_percent);
    if soft <= hard {
        return Ok(());
    }
    Err(ConfigError {
        key: "memory_soft_percent".to_owned(),
        value: Some(soft.to_string()),
        source: server.source("memory_soft_percent"),
        reason: format!(
            "expected at most memory_hard_percent, which is {hard} (set by {})",
            server.source("memory_hard_percent")
        ),
    })
}

/// Whoever is not trusted is asked for no header of the PROXY protocol, so it would have no effect.
/// In front of TLS it is not read.
fn proxies_are_known(config: &Config, server: &Settings<Config>) -> Result<(), ConfigError> {
    let reason = match (config.trusted_proxies.is_empty(), &config.tls_cert) {
        _ if !config.proxy_protocol => return Ok(()),
        (true, _) => {
            "only trusted_proxies may say whom they ask for; expected some of these too".to_owned()
        }
        (false, Some(_)) => format!(
            "it is not read in front of TLS; expected false, or no tls_cert (set by {}) where the \
             proxy speaks TLS itself",
            server.source("tls_cert")
        ),
        (false, None) => return Ok(()),
    };
    Err(ConfigError {
        key: "proxy_protocol".to_owned(),
        value: Some("true".to_owned()),
        source: server.source("proxy_protocol"),
        reason,
    })
}

/// The guard remembers a signature while its time stamp is good, which without a clock is always.
fn guard_has_a_clock(config: &Config, server: &Settings<Config>) -> Result<(), ConfigError> {
    if !config.rest_replay_guard || config.rest_clock_s > 0 {
        return Ok(());
    }
    Err(ConfigError {
        key: "rest_replay_guard".to_owned(),
        value: Some("true".to_owned()),
        source: server.source("rest_replay_guard"),
        reason: format!(
            "signatures would have to be remembered for ever; expected false, or a rest_clock_s \
             above 0 (set by {})",
            server.source("rest_clock_s")
        ),
    })
}

/// An event of the size an app allows has to get in by either way and out again.
fn event_fits(
    config: &Config,
    server: &Settings<Config>,
    built: &BuiltApp,
) -> Result<(), ConfigError> {
    let limits = [
        ("body_bytes", config.body_bytes),
        ("message_bytes", config.message_bytes),
        ("outbox_bytes", config.outbox_bytes),
    ];
    let wanted = built.app.event_data_bytes;
    let from_clients = |name| name == "message_bytes" && fit::follows_requests(built);
    let mut limits = limits.into_iter().filter(|(name, _)| !from_clients(*name));
    let Some((name, limit)) = limits.find(|&(_, limit)| wanted > limit) else {
        return Ok(());
    };
    let origin = match server.source(name) {
        Source::Default => "the default".to_owned(),
        given => format!("set by {given}"),
    };
    Err(ConfigError {
        key: format!("{}.event_data_bytes", built.from.label),
        value: Some(wanted.to_string()),
        source: built.from.settings.source("event_data_bytes"),
        reason: format!(
            "an event of that size would not get through; expected at most {limit}, which is the \
             server's {name} ({origin}), or a larger {name}"
        ),
    })
}

/// An app whose clients have to speak TLS is of no use where it is not spoken.
fn tls_is_spoken(config: &Config, built: &BuiltApp) -> Result<(), ConfigError> {
    if !built.app.tls_only || config.tls_cert.is_some() {
        return Ok(());
    }
    Err(ConfigError {
        key: format!("{}.tls_only", built.from.label),
        value: Some("true".to_owned()),
        source: built.from.settings.source("tls_only"),
        reason: "no client could connect, for this server speaks no TLS; expected false, or a \
                 tls_cert and its tls_key"
            .to_owned(),
    })
}

/// A request that counts more than a second's worth is refused whenever it comes: an event counts
/// once for each channel, a batch once for each event.
fn rate_fits(built: &BuiltApp) -> Option<String> {
    let app = &built.app;
    let rate = app.backend_events_per_second?;
    let largest = [
        ("channels_per_event", app.channels_per_event),
        ("batch_events", app.batch_events),
    ];
    let (limit, most) = largest
        .into_iter()
        .find(|(_, most)| *most > rate as usize)?;
    Some(format!(
        "app {} takes {rate} backend events a second: a request that counts more can never pass, \
         although {limit} ({most}) allows it",
        app.id
    ))
}

/// A new member is sent the whole channel at once; should that not fit, joining would end in 4100.
fn presence_fits(config: &Config, built: &BuiltApp) -> Option<String> {
    let app = &built.app;
    let snapshot = app
        .presence_members
        .saturating_mul(app.presence_member_bytes);
    (snapshot > config.outbox_bytes).then(|| {
        format!(
            "the member list of a full presence channel of app {} may need {snapshot} bytes, more \
             than outbox_bytes ({}): who joins such a channel would be disconnected",
            app.id, config.outbox_bytes
        )
    })
}
