//! The server's settings for TLS: entries of the table in `server_knobs`, and nothing else.

use super::knob::{Accepts, Knob, Unit};
use super::settings::Config;
use super::tls_files;
use super::variable::Variable;
use super::webhook_knobs::shown_path;

const TLS: &str = "TLS";

/// The certificate, with which TLS is spoken.
pub(super) const CERT: Knob<Config> = Knob {
    key: "tls_cert",
    flag: Some("tls-cert"),
    variables: &[
        Variable::same("SOKETI_SSL_CERT"),
        Variable::weak("LARAVEL_WEBSOCKETS_SSL_LOCAL_CERT"),
    ],
    bare: None,
    accepts: Accepts::Path,
    group: TLS,
    help: "Speak TLS with this certificate and its chain, as PEM; read again when it changes",
    elsewhere: &[
        "ssl_cert",
        "certPath",
        "cert_path",
        "local_cert",
        "certificate",
    ],
    put: |c, v| c.tls_cert = Some(v.name().into()),
    show: |c| shown_path(c.tls_cert.as_deref()),
};

/// The key to it.
pub(super) const KEY: Knob<Config> = Knob {
    key: "tls_key",
    flag: Some("tls-key"),
    variables: &[
        Variable::same("SOKETI_SSL_KEY"),
        Variable::weak("LARAVEL_WEBSOCKETS_SSL_LOCAL_PK"),
    ],
    bare: None,
    accepts: Accepts::Path,
    group: TLS,
    help: "The private key to that certificate, as PEM and not encrypted",
    elsewhere: &["ssl_key", "keyPath", "key_path", "local_pk"],
    put: |c, v| c.tls_key = Some(v.name().into()),
    show: |c| shown_path(c.tls_key.as_deref()),
};

/// Further certificates, for names of their own.
pub(super) const CERTIFICATES: Knob<Config> = Knob {
    key: "tls_certificates",
    flag: Some("tls-certificates"),
    variables: &[],
    bare: None,
    accepts: Accepts::Certificates,
    group: TLS,
    help: "Further certificates, shown to clients that ask for a name in them (SNI); in the file \
           tables [[tls_certificates]] with cert and key",
    elsewhere: &["sni", "certificates"],
    put: |c, v| c.tls_certificates = v.certificates(),
    show: |c| tls_files::show(&c.tls_certificates),
};

/// Where TLS is spoken, if not on the main port.
pub(super) const PORT: Knob<Config> = Knob {
    key: "tls_port",
    flag: Some("tls-port"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 0,
        most: 65_535,
        unit: Unit::Things,
    },
    group: TLS,
    help: "Speak TLS on this TCP port, and none on the other; 0 takes any free one; unless set, \
           TLS is spoken on the only port",
    elsewhere: &["ssl_port", "https_port"],
    put: |c, v| c.tls_port = Some(v.whole()),
    show: |c| c.tls_port.map_or(String::new(), |port| port.to_string()),
};

/// Time to agree on keys.
pub(super) const HANDSHAKE_TIMEOUT_MS: Knob<Config> = Knob {
    key: "tls_handshake_timeout_ms",
    flag: Some("tls-handshake-timeout-ms"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 100,
        most: 600_000,
        unit: Unit::Milliseconds,
    },
    group: TLS,
    help: "Time within which TLS must be agreed on, then the connection ends",
    elsewhere: &[],
    put: |c, v| c.tls_handshake_timeout_ms = v.whole(),
    show: |c| c.tls_handshake_timeout_ms.to_string(),
};
