//! Why names of soketi that are no settings here take one value only: the reasons and what to do.

use super::foreign::{Name, Rule, other};
use super::knob::{Accepts, Unit};

pub(super) const ONE_SERVER: &str = "one process serves every core of a machine, and there is \
                                     no adapter to others; expected local, with all clients of \
                                     an app on one server";
pub(super) const NO_CLUSTER: &str = "one process serves every core of a machine and looks for \
                                     no others, so there is nobody to ask or to wait for; unset \
                                     it";
pub(super) const NO_REDIS: &str = "nothing is kept in Redis: channels, limits and webhooks that \
                                   wait are in this process; unset it, or set it to what it is \
                                   without";
pub(super) const NO_NATS: &str = "NATS is not spoken, for there is no adapter to other servers; \
                                  unset it";
pub(super) const NO_DATABASE: &str = "apps are in the configuration file, as tables [[apps]], \
                                      or in the environment, and in no database; list them \
                                      there (SIGHUP reads them again) and unset it";
pub(super) const NO_QUEUE: &str = "webhooks wait in this process, which also sends them, and in \
                                   no queue of Redis or SQS; unset it";
pub(super) const NO_WORKER: &str = "every process serves clients and sends webhooks; expected \
                                    full";
pub(super) const NO_OTHER_METRICS: &str = "metrics are told in Prometheus' format; expected \
                                           prometheus";
pub(super) const NO_PASSPHRASE: &str = "a key that is encrypted is not supported; write it in \
                                        clear, as `openssl pkey -in FILE -out NEW` does, let \
                                        only the server read it, and unset this";
pub(super) const NO_CLIENT_CA: &str = "certificates of clients are not asked for; put the chain \
                                       of the server's own into the file of SOKETI_SSL_CERT, \
                                       behind it, and unset this";
pub(super) const APPS_ARE_KEPT: &str = "apps are always in memory, and read again at SIGHUP";

/// Seconds, or -1.
pub(super) const TTL: Accepts = Accepts::WholeOrOff {
    least: 0,
    most: 1 << 31,
    unit: Unit::Seconds,
};

/// A name of Redis.
pub(super) const fn redis(
    variable: &'static str,
    option: &'static str,
    default: &'static str,
) -> Name {
    other(variable, option, default, Rule::Default(NO_REDIS))
}

/// A name of NATS.
pub(super) const fn nats(
    variable: &'static str,
    option: &'static str,
    default: &'static str,
) -> Name {
    other(variable, option, default, Rule::Default(NO_NATS))
}

/// A name of servers that look for one another.
pub(super) const fn cluster(
    variable: &'static str,
    option: &'static str,
    default: &'static str,
) -> Name {
    other(variable, option, default, Rule::Default(NO_CLUSTER))
}

/// A name of a database of apps.
pub(super) const fn database(
    variable: &'static str,
    option: &'static str,
    default: &'static str,
) -> Name {
    other(variable, option, default, Rule::Default(NO_DATABASE))
}

/// A name of a queue.
pub(super) const fn queue(
    variable: &'static str,
    option: &'static str,
    default: &'static str,
) -> Name {
    other(variable, option, default, Rule::Default(NO_QUEUE))
}
