//! The environment's names of two other servers, alone and together.

use crate::{ConfigFile, has, printed, refused};

#[test]
fn a_file_and_the_names_of_two_servers_make_one_configuration() {
    let file = ConfigFile::new(
        "limits",
        "rest_clock_s = 0\n[[apps]]\nid = '1'\nkey = 'k1'\nsecret = 's1'\nquota_close = 4100\n\
         allowed_origins = ['*.example.com', 'localhost:3000']\nbatch_events = 30\n",
    );
    let variables = [
        ("REVERB_SERVER_PORT", "8080"),
        ("SOKETI_PATH_PREFIX", "live/"),
        ("REVERB_SERVER_PATH", "/live"),
        ("REVERB_APP_ID", "9"),
        ("REVERB_APP_KEY", "k9"),
        ("SOKETI_DEFAULT_APP_SECRET", "canary-9"),
        ("SOKETI_EVENT_MAX_BATCH_SIZE", "20"),
        ("SOKETI_EVENT_MAX_SIZE_IN_KB", "20"),
        ("SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC", "7"),
        ("REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM", "all"),
    ];
    let text = printed(&["--config", file.path()], &variables);
    for (setting, origin) in [
        ("port = 8080", "REVERB_SERVER_PORT"),
        ("path_prefix = \"/live\"", "SOKETI_PATH_PREFIX"),
        ("rest_clock_s = 0", &*format!("{}:1", file.path())),
        ("quota_close = 4100", &format!("{}:6", file.path())),
        (
            "allowed_origins = [\"*.example.com\", \"localhost:3000\"]",
            &format!("{}:7", file.path()),
        ),
        ("batch_events = 30", &format!("{}:8", file.path())),
        ("batch_events = 20", "SOKETI_EVENT_MAX_BATCH_SIZE"),
        ("event_data_bytes = 20480", "SOKETI_EVENT_MAX_SIZE_IN_KB"),
        (
            "read_requests_per_second = 7",
            "SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC",
        ),
        (
            "client_events = true",
            "REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM",
        ),
        ("key = \"k9\"", "REVERB_APP_KEY"),
    ] {
        assert!(has(&text, setting, origin), "{setting} # {origin}:\n{text}");
    }
    assert!(!text.contains("canary"));
}

#[test]
fn two_names_that_disagree_are_refused_together() {
    let variables = [("SOKETI_PORT", "1"), ("REVERB_SERVER_PORT", "2")];
    assert_eq!(
        refused(&[], &variables),
        "REVERB_SERVER_PORT: `port` cannot be \"2\": expected the same as in SOKETI_PORT, or only \
         one of the two."
    );
    let secrets = [
        ("SOKETI_DEFAULT_APP_SECRET", "canary-1"),
        ("REVERB_APP_SECRET", "canary-2"),
    ];
    let sentence = refused(&[], &secrets);
    assert!(sentence.contains("SOKETI_DEFAULT_APP_SECRET") && !sentence.contains("canary"));
}
