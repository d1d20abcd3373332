//! What only the configuration file of soketi has: options without a variable, and the fields of an
//! app. Tables, and nothing else.

use super::foreign::{Name, Rule, other, setting};
use super::knob::Accepts;
use super::soketi_rules::NO_QUEUE;
use super::variable::Variable;

const NO_CORS: &str = "answers to backends have no fields for browsers of other sites; expected \
                       what soketi has without it, and a proxy in front where a page asks";
const OWN_PID: &str = "a process is known by its own number";
const ANY: Accepts = Accepts::Path;

/// Keys of its file that have no variable.
pub(super) static SOKETI_FILE: &[Name] = &[
    other("", "cors.credentials", "true", Rule::Default(NO_CORS)),
    other("", "cors.origin", r#"["*"]"#, Rule::Default(NO_CORS)),
    other(
        "",
        "cors.methods",
        r#"["GET","POST","PUT","DELETE","OPTIONS"]"#,
        Rule::Default(NO_CORS),
    ),
    other(
        "",
        "cors.allowedHeaders",
        "[\"Origin\",\"Content-Type\",\"X-Auth-Token\",\"X-Requested-With\",\"Accept\",\
         \"Authorization\",\"X-CSRF-TOKEN\",\"XSRF-TOKEN\",\"X-Socket-Id\"]",
        Rule::Default(NO_CORS),
    ),
    setting(
        "SOKETI_HTTP_MAX_REQUEST_SIZE",
        "httpApi.requestLimitInMb",
        "100",
    ),
    other("", "instance.process_id", "", Rule::Holds(ANY, OWN_PID)),
    other(
        "",
        "queue.sqs.consumerOptions",
        "{}",
        Rule::Default(NO_QUEUE),
    ),
];

/// The fields of an app as soketi's file has them, and the keys of ours. Its tables in databases
/// have the second names.
pub(super) static APP_FIELDS: &[AppField] = &[
    field("id", "AppId", "id"),
    field("key", "AppKey", "key"),
    field("secret", "AppSecret", "secret"),
    field("enabled", "", "enabled"),
    field("maxConnections", "", "max_connections"),
    field("enableClientMessages", "", "client_events"),
    field(
        "maxBackendEventsPerSecond",
        "max_backend_events_per_sec",
        "backend_events_per_second",
    ),
    field(
        "maxClientEventsPerSecond",
        "max_client_events_per_sec",
        "client_events_per_second",
    ),
    field(
        "maxReadRequestsPerSecond",
        "max_read_req_per_sec",
        "read_requests_per_second",
    ),
    field("webhooks", "", "webhooks"),
    field("maxPresenceMembersPerChannel", "", "presence_members"),
    kilobytes("maxPresenceMemberSizeInKb", "presence_member_bytes"),
    field("maxChannelNameLength", "", "channel_name_chars"),
    field("maxEventChannelsAtOnce", "", "channels_per_event"),
    field("maxEventNameLength", "", "event_name_chars"),
    kilobytes("maxEventPayloadInKb", "event_data_bytes"),
    field("maxEventBatchSize", "", "batch_events"),
    field("enableUserAuthentication", "", "user_authentication"),
];

/// A field of an app.
pub(super) struct AppField {
    /// Its name in a file of soketi's.
    pub name: &'static str,
    /// What else it is called; empty for nothing.
    pub also: &'static str,
    /// Our key.
    pub key: &'static str,
    /// How its value is written.
    pub spelling: Variable,
}

const fn field(name: &'static str, also: &'static str, key: &'static str) -> AppField {
    AppField {
        name,
        also,
        key,
        // Values are written as in the variables.
        spelling: Variable::same("SOKETI_DEFAULT_APP"),
    }
}

const fn kilobytes(name: &'static str, key: &'static str) -> AppField {
    AppField {
        spelling: Variable::every_kilobytes("SOKETI_DEFAULT_APP"),
        ..field(name, "", key)
    }
}
