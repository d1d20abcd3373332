//! Webhooks from outside: both ways to write them, and what is never shown of them.

use crate::{ConfigFile, has, printed, refused};

#[test]
fn webhooks_come_from_both_sources_and_show_no_header() {
    // K7
    let file = ConfigFile::new(
        "webhooks",
        "[[apps]]\nid = '1'\nkey = 'k'\nsecret = 's'\n[[apps.webhooks]]\n\
         url = 'https://a.example/hook'\nevent_types = ['cache_miss']\n\
         headers = { X-T = 'canary' }\n",
    );
    let text = printed(&["--config", file.path()], &[]);
    let shown = "webhooks = [{ url = \"https://a.example/hook\", event_types = [\"cache_miss\"], \
                 headers = { \"X-T\" = \"(hidden)\" } }]";
    assert!(has(&text, shown, &format!("{}:5:8", file.path())), "{text}");
    assert!(!text.contains("canary"), "{text}");

    let hooks = r#"[{"url":"http://10.0.0.1/","filter":{"channel_name_starts_with":"private-"}}]"#;
    let text = printed(&[], &[("SOKETI_DEFAULT_APP_WEBHOOKS", hooks)]);
    let shown = "webhooks = [{ url = \"http://10.0.0.1/\", channel_prefix = \"private-\" }]";
    assert!(has(&text, shown, "SOKETI_DEFAULT_APP_WEBHOOKS"), "{text}");
}

#[test]
fn webhooks_that_cannot_be_are_refused_without_their_headers() {
    let file = ConfigFile::new(
        "webhooks-wrong",
        "[[apps]]\nid = '1'\nkey = 'k'\nsecret = 's'\n[[apps.webhooks]]\n\
         url = 'http://a.example'\nlambda_function = 'f'\n",
    );
    let told = refused(&["--config", file.path()], &[]);
    let start = format!(
        "{}:7: `apps[0].webhooks[0].lambda_function`: AWS Lambda",
        file.path()
    );
    assert!(told.starts_with(&start), "{told}");
    let hooks = r#"[{"url":"http://a.example","headers":{"X-Pusher-Key":"canary"}}]"#;
    let told = refused(&[], &[("SOKETI_DEFAULT_APP_WEBHOOKS", hooks)]);
    let start =
        "SOKETI_DEFAULT_APP_WEBHOOKS: `apps.webhooks`: [0].headers: the header \"X-Pusher-Key\"";
    assert!(
        told.starts_with(start) && !told.contains("canary"),
        "{told}"
    );
}

#[test]
fn batching_has_soketis_names() {
    let variables = [
        ("SOKETI_WEBHOOKS_BATCHING", "1"),
        ("SOKETI_WEBHOOKS_BATCHING_DURATION", "75"),
    ];
    let text = printed(&["--webhook-ca-file", "/etc/own.pem"], &variables);
    for (setting, origin) in [
        ("webhook_batching = true", "SOKETI_WEBHOOKS_BATCHING"),
        ("webhook_batch_ms = 75", "SOKETI_WEBHOOKS_BATCHING_DURATION"),
        ("webhook_ca_file = \"/etc/own.pem\"", "--webhook-ca-file"),
        ("webhook_retry_ms = 1000", "default"),
        ("webhook_give_up_ms = 300000", "default"),
    ] {
        assert!(has(&text, setting, origin), "{setting} is not in\n{text}");
    }
}
