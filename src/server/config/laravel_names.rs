//! The names of Reverb and of laravel-websockets: variables, keys, defaults, and what each is here.
//! Tables, and nothing else.
//!
//! A Laravel application has variables that tell its clients where the server is. Those are known,
//! and nothing is bound to them.

use super::foreign::{Name, Rule, other, setting};
use super::knob::{Accepts, Unit};

const ONE_SERVER: &str = "one process serves every core of a machine, and others are not joined \
                          through Redis; expected false, with all clients of an app on one server";
const ONE_KIND: &str = "there is one kind of server here; expected reverb";
const NO_REDIS: &str = "other servers are not joined through Redis; unset it";
const NO_RATE: &str = "messages of any kind are not limited, client events are: set \
                       SHARDCAST_APP_CLIENT_EVENTS_PER_SECOND, and this to false";
const RATE_IS_OFF: &str = "it is for REVERB_APP_RATE_LIMITING_ENABLED, which is off";
const SCALING_IS_OFF: &str = "it is for REVERB_SCALING_ENABLED, which is off";
const FOR_CLIENTS: &str = "where clients and backends find the server, not where it listens";
const NO_PULSE: &str = "Laravel's own monitors are not fed; see /metrics on the admin port";
const NO_DASHBOARD: &str = "the dashboard is on the admin port";
const NO_PASSPHRASE: &str = "a key that is encrypted is not supported; write it in clear, as \
                             `openssl pkey -in FILE -out NEW` does, let only the server read it, \
                             and unset this";
const NO_CLIENT_CA: &str = "certificates of clients are not asked for; put the chain of the \
                            server's own into its file, behind it, and unset this";
const NO_REPLICATION: &str = "one process serves every core of a machine, and others are not \
                              joined through Redis; expected local";

const ANY: Accepts = Accepts::Path;
const COUNT: Accepts = Accepts::Whole {
    least: 0,
    most: 1 << 31,
    unit: Unit::Things,
};

/// Those of Reverb.
pub(super) static REVERB: &[Name] = &[
    other(
        "REVERB_SERVER",
        "default",
        "reverb",
        Rule::Word(&["reverb"], ONE_KIND),
    ),
    setting("REVERB_SERVER_HOST", "servers.reverb.host", "0.0.0.0"),
    setting("REVERB_SERVER_PORT", "servers.reverb.port", "8080"),
    setting("REVERB_SERVER_PATH", "servers.reverb.path", ""),
    other(
        "REVERB_HOST",
        "servers.reverb.hostname",
        "",
        Rule::Clients(FOR_CLIENTS),
    ),
    other(
        "REVERB_PORT",
        "apps.apps.0.options.port",
        "443",
        Rule::Clients(FOR_CLIENTS),
    ),
    other(
        "REVERB_SCHEME",
        "apps.apps.0.options.scheme",
        "https",
        Rule::Clients(FOR_CLIENTS),
    ),
    setting(
        "REVERB_MAX_REQUEST_SIZE",
        "servers.reverb.max_request_size",
        "10000",
    ),
    other(
        "REVERB_SCALING_ENABLED",
        "servers.reverb.scaling.enabled",
        "false",
        Rule::Word(&["false", "(false)", "0"], ONE_SERVER),
    ),
    other(
        "REVERB_SCALING_CHANNEL",
        "servers.reverb.scaling.channel",
        "reverb",
        Rule::Holds(ANY, SCALING_IS_OFF),
    ),
    other(
        "REVERB_PULSE_INGEST_INTERVAL",
        "servers.reverb.pulse_ingest_interval",
        "15",
        Rule::Told(NO_PULSE),
    ),
    other(
        "REVERB_TELESCOPE_INGEST_INTERVAL",
        "servers.reverb.telescope_ingest_interval",
        "15",
        Rule::Told(NO_PULSE),
    ),
    setting("REVERB_APP_ID", "apps.apps.0.app_id", ""),
    setting("REVERB_APP_KEY", "apps.apps.0.key", ""),
    setting("REVERB_APP_SECRET", "apps.apps.0.secret", ""),
    setting(PING_INTERVAL, "apps.apps.0.ping_interval", "60"),
    setting(
        "REVERB_APP_ACTIVITY_TIMEOUT",
        "apps.apps.0.activity_timeout",
        "30",
    ),
    setting(
        "REVERB_APP_MAX_CONNECTIONS",
        "apps.apps.0.max_connections",
        "",
    ),
    setting(
        "REVERB_APP_MAX_MESSAGE_SIZE",
        "apps.apps.0.max_message_size",
        "10000",
    ),
    setting(
        "REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM",
        "apps.apps.0.accept_client_events_from",
        "members",
    ),
    other(
        "REVERB_APP_RATE_LIMITING_ENABLED",
        "apps.apps.0.rate_limiting.enabled",
        "false",
        Rule::Word(&["false", "(false)", "0"], NO_RATE),
    ),
    other(
        "REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS",
        "apps.apps.0.rate_limiting.max_attempts",
        "60",
        Rule::Holds(COUNT, RATE_IS_OFF),
    ),
    other(
        "REVERB_APP_RATE_LIMIT_DECAY_SECONDS",
        "apps.apps.0.rate_limiting.decay_seconds",
        "60",
        Rule::Holds(COUNT, RATE_IS_OFF),
    ),
    other(
        "REVERB_APP_RATE_LIMIT_TERMINATE",
        "apps.apps.0.rate_limiting.terminate_on_limit",
        "false",
        Rule::Holds(Accepts::Truth, RATE_IS_OFF),
    ),
];

/// The one of them that is a setting of ours and another together: seconds of silence until a ping.
pub(super) const PING_INTERVAL: &str = "REVERB_APP_PING_INTERVAL";

/// Those of laravel-websockets.
pub(super) static LARAVEL_WEBSOCKETS: &[Name] = &[
    setting("PUSHER_APP_ID", "apps.0.id", ""),
    setting("PUSHER_APP_KEY", "apps.0.key", ""),
    setting("PUSHER_APP_SECRET", "apps.0.secret", ""),
    other(
        "PUSHER_APP_HOST",
        "apps.0.host",
        "",
        Rule::Clients(FOR_CLIENTS),
    ),
    other(
        "PUSHER_APP_PATH",
        "apps.0.path",
        "",
        Rule::Clients(FOR_CLIENTS),
    ),
    other(
        "PUSHER_APP_CLUSTER",
        "options.cluster",
        "mt1",
        Rule::Clients(FOR_CLIENTS),
    ),
    setting("LARAVEL_WEBSOCKETS_PORT", "dashboard.port", "6001"),
    other(
        "LARAVEL_WEBSOCKETS_DOMAIN",
        "dashboard.domain",
        "",
        Rule::Told(NO_DASHBOARD),
    ),
    other(
        "LARAVEL_WEBSOCKETS_PATH",
        "dashboard.path",
        "laravel-websockets",
        Rule::Told(NO_DASHBOARD),
    ),
    setting("LARAVEL_WEBSOCKETS_SSL_LOCAL_CERT", "ssl.local_cert", ""),
    setting("LARAVEL_WEBSOCKETS_SSL_LOCAL_PK", "ssl.local_pk", ""),
    other(
        "LARAVEL_WEBSOCKETS_SSL_CA",
        "ssl.capath",
        "",
        Rule::Default(NO_CLIENT_CA),
    ),
    other(
        "LARAVEL_WEBSOCKETS_SSL_PASSPHRASE",
        "ssl.passphrase",
        "",
        Rule::Default(NO_PASSPHRASE),
    ),
    other(
        "WEBSOCKETS_REPLICATION_MODE",
        "replication.mode",
        "local",
        Rule::Word(&["local"], NO_REPLICATION),
    ),
    other(
        "WEBSOCKETS_REDIS_REPLICATION_CONNECTION",
        "replication.modes.redis.connection",
        "default",
        Rule::Default(NO_REDIS),
    ),
];
