//! The server's settings for compressed WebSocket messages: entries of the table in `server_knobs`,
//! and nothing else.

use super::knob::{Accepts, Knob, Unit};
use super::settings::Config;

const LIMITS: &str = "Limits and deadlines";

/// Whether Pusher clients may have their messages compressed.
pub(super) const COMPRESSION: Knob<Config> = Knob {
    key: "websocket_compression",
    flag: Some("websocket-compression"),
    variables: &[],
    bare: Some("true"),
    accepts: Accepts::Truth,
    group: LIMITS,
    help: "Compress messages for clients that offer it (permessage-deflate): less traffic for \
           more CPU",
    elsewhere: &["compression", "permessage_deflate", "per_message_deflate"],
    put: |c, v| c.websocket_compression = v.truth(),
    show: |c| c.websocket_compression.to_string(),
};

/// How hard to try.
pub(super) const LEVEL: Knob<Config> = Knob {
    key: "websocket_compression_level",
    flag: Some("websocket-compression-level"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 1,
        most: 9,
        unit: Unit::Things,
    },
    group: LIMITS,
    help: "How hard to compress, where that is on: 1 is fastest, 9 smallest",
    elsewhere: &["compression_level"],
    put: |c, v| c.websocket_compression_level = v.whole(),
    show: |c| c.websocket_compression_level.to_string(),
};

/// What is too short to be worth it.
pub(super) const BYTES: Knob<Config> = Knob {
    key: "websocket_compression_bytes",
    flag: Some("websocket-compression-bytes"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 0,
        most: 16_777_216,
        unit: Unit::Bytes,
    },
    group: LIMITS,
    help: "Size of the shortest message that is compressed, where that is on",
    elsewhere: &["compression_threshold"],
    put: |c, v| c.websocket_compression_bytes = v.whole(),
    show: |c| c.websocket_compression_bytes.to_string(),
};
