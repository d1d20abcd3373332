//! The server's settings for how it writes, and what the kernel holds for it: entries of the table
//! in `server_knobs`, and nothing else.

use super::knob::{Accepts, Knob, Unit};
use super::listening_knobs::LISTENING;
use super::settings::Config;

const SHARDS: &str = "Shards";

/// For how long what is to be written is gathered.
pub(super) const FLUSH_DELAY_US: Knob<Config> = Knob {
    key: "flush_delay_us",
    flag: Some("flush-delay-us"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 0,
        most: 100_000,
        unit: Unit::Microseconds,
    },
    group: SHARDS,
    help: "How long a shard gathers what is to be written: fewer, larger writes for more latency; \
           0 writes at once",
    elsewhere: &["write_delay"],
    put: |c, v| c.flush_delay_us = v.whole(),
    show: |c| c.flush_delay_us.to_string(),
};

/// What the kernel takes before the rest waits in an outbox.
pub(super) const NOTSENT_LOWAT_BYTES: Knob<Config> = Knob {
    key: "notsent_lowat_bytes",
    flag: Some("notsent-lowat-bytes"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 4096,
        most: 16_777_216,
        unit: Unit::Bytes,
    },
    group: LISTENING,
    help: "Unsent bytes the kernel takes for a client; the rest waits in its outbox, where a slow \
           reader is bounded",
    elsewhere: &["notsent_lowat", "tcp_notsent_lowat"],
    put: |c, v| c.notsent_lowat_bytes = v.whole(),
    show: |c| c.notsent_lowat_bytes.to_string(),
};

/// The kernel's buffer for what is sent.
pub(super) const SEND_BUFFER_BYTES: Knob<Config> = Knob {
    key: "send_buffer_bytes",
    flag: Some("send-buffer-bytes"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 4096,
        most: 16_777_216,
        unit: Unit::Bytes,
    },
    group: LISTENING,
    help: "The kernel's buffer for what is sent to a client, at most net.core.wmem_max; unless \
           set, as the connection needs it",
    elsewhere: &["sndbuf", "so_sndbuf"],
    put: |c, v| c.send_buffer_bytes = Some(v.whole()),
    show: |c| or_unset(c.send_buffer_bytes),
};

/// The kernel's buffer for what is received.
pub(super) const RECEIVE_BUFFER_BYTES: Knob<Config> = Knob {
    key: "receive_buffer_bytes",
    flag: Some("receive-buffer-bytes"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 4096,
        most: 16_777_216,
        unit: Unit::Bytes,
    },
    group: LISTENING,
    help: "The kernel's buffer for what a client sends, at most net.core.rmem_max; unless set, as \
           the connection needs it",
    elsewhere: &["rcvbuf", "so_rcvbuf"],
    put: |c, v| c.receive_buffer_bytes = Some(v.whole()),
    show: |c| or_unset(c.receive_buffer_bytes),
};

fn or_unset(bytes: Option<usize>) -> String {
    bytes.map_or_else(String::new, |bytes| bytes.to_string())
}
