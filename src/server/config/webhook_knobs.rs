//! The server's settings for webhooks: entries of the table in `server_knobs`, and nothing else.

use super::knob::{Accepts, Knob, Unit};
use super::settings::Config;
use super::variable::Variable;
use std::path::Path;

const WEBHOOKS: &str = "Webhooks";

/// Send several webhook events of an app in one body.
pub(super) const BATCHING: Knob<Config> = Knob {
    key: "webhook_batching",
    flag: Some("webhook-batching"),
    variables: &[Variable::same("SOKETI_WEBHOOKS_BATCHING")],
    bare: Some("true"),
    accepts: Accepts::Truth,
    group: WEBHOOKS,
    help: "Send several webhook events of an app in one body",
    elsewhere: &[],
    put: |c, v| c.webhook_batching = v.truth(),
    show: |c| c.webhook_batching.to_string(),
};

/// Time events are gathered for one body, where that is wanted.
pub(super) const BATCH_MS: Knob<Config> = Knob {
    key: "webhook_batch_ms",
    flag: Some("webhook-batch-ms"),
    variables: &[Variable::same("SOKETI_WEBHOOKS_BATCHING_DURATION")],
    bare: None,
    accepts: Accepts::Whole {
        least: 1,
        most: 60_000,
        unit: Unit::Milliseconds,
    },
    group: WEBHOOKS,
    help: "Time events are gathered for one body, where that is wanted",
    elsewhere: &["webhook_batching_duration"],
    put: |c, v| c.webhook_batch_ms = v.whole(),
    show: |c| c.webhook_batch_ms.to_string(),
};

/// Time before a webhook that failed is sent again, doubled each time.
pub(super) const RETRY_MS: Knob<Config> = Knob {
    key: "webhook_retry_ms",
    flag: Some("webhook-retry-ms"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 1,
        most: 60_000,
        unit: Unit::Milliseconds,
    },
    group: WEBHOOKS,
    help: "Time before a webhook that failed is sent again, doubled each time",
    elsewhere: &[],
    put: |c, v| c.webhook_retry_ms = v.whole(),
    show: |c| c.webhook_retry_ms.to_string(),
};

/// Age at which a webhook is given up.
pub(super) const GIVE_UP_MS: Knob<Config> = Knob {
    key: "webhook_give_up_ms",
    flag: Some("webhook-give-up-ms"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 1,
        most: 3_600_000,
        unit: Unit::Milliseconds,
    },
    group: WEBHOOKS,
    help: "Age at which a webhook is given up",
    elsewhere: &[],
    put: |c, v| c.webhook_give_up_ms = v.whole(),
    show: |c| c.webhook_give_up_ms.to_string(),
};

/// Time one try to send a webhook may take.
pub(super) const TIMEOUT_MS: Knob<Config> = Knob {
    key: "webhook_timeout_ms",
    flag: Some("webhook-timeout-ms"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 1,
        most: 600_000,
        unit: Unit::Milliseconds,
    },
    group: WEBHOOKS,
    help: "Time one try to send a webhook may take",
    elsewhere: &["request_timeout_ms"],
    put: |c, v| c.webhook_timeout_ms = v.whole(),
    show: |c| c.webhook_timeout_ms.to_string(),
};

/// Bytes that may wait for one webhook endpoint, then the oldest are dropped.
pub(super) const QUEUE_BYTES: Knob<Config> = Knob {
    key: "webhook_queue_bytes",
    flag: Some("webhook-queue-bytes"),
    variables: &[],
    bare: None,
    accepts: Accepts::Whole {
        least: 1024,
        most: 1_073_741_824,
        unit: Unit::Bytes,
    },
    group: WEBHOOKS,
    help: "Bytes that may wait for one webhook endpoint, then the oldest are dropped",
    elsewhere: &[],
    put: |c, v| c.webhook_queue_bytes = v.whole(),
    show: |c| c.webhook_queue_bytes.to_string(),
};

/// Further certificate authorities that webhook endpoints may have, as PEM.
pub(super) const CA_FILE: Knob<Config> = Knob {
    key: "webhook_ca_file",
    flag: Some("webhook-ca-file"),
    variables: &[],
    bare: None,
    accepts: Accepts::Path,
    group: WEBHOOKS,
    help: "Further certificate authorities that webhook endpoints may have, as PEM",
    elsewhere: &[],
    put: |c, v| c.webhook_ca_file = Some(v.name().into()),
    show: |c| shown_path(c.webhook_ca_file.as_deref()),
};

/// A path as TOML; nothing when there is none.
pub(super) fn shown_path(path: Option<&Path>) -> String {
    // A JSON string without control characters is one of TOML too.
    let text = |path: &Path| serde_json::Value::from(path.to_string_lossy()).to_string();
    path.map_or_else(String::new, text)
}
