//! Commands whose answer is data: signatures, apps, the check, the version, documents.

use super::{demo_server, run, run_in, run_with};
use serde_json::{Value, json};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors.json")).unwrap()
}

/// The environment that describes the app of a vector.
fn app_of(vectors: &Value, vector: &Value) -> [(&'static str, String); 3] {
    let app = &vectors["apps"][vector["app"].as_str().unwrap()];
    [
        ("SOKETI_DEFAULT_APP_ID", "id"),
        ("SOKETI_DEFAULT_APP_KEY", "key"),
        ("SOKETI_DEFAULT_APP_SECRET", "secret"),
    ]
    .map(|(name, key)| (name, app[key].as_str().unwrap().to_owned()))
}

fn vector(vectors: &Value, list: &str, id: &str) -> Value {
    let mut all = vectors[list].as_array().unwrap().iter();
    let found = all.find(|vector| vector["id"] == id);
    found
        .unwrap_or_else(|| panic!("{id} is among {list}"))
        .clone()
}

fn signed(vectors: &Value, vector: &Value, arguments: &[&str]) -> Value {
    let app = app_of(vectors, vector);
    let app = app.each_ref().map(|(name, value)| (*name, &value[..]));
    run_in(&[&["sign"], arguments].concat(), &app).json()
}

// A1
#[test]
fn tokens_are_those_of_the_sdks() {
    let all = vectors();
    let private = vector(&all, "channel_auth", "docs-private");
    let answer = signed(&all, &private, &["channel", "1234.1234", "private-foobar"]);
    assert_eq!(answer, json!({ "auth": private["auth"] }));

    let data = vector(&all, "channel_auth", "private-with-channel-data");
    let text = data["channel_data"].as_str().unwrap();
    let answer = signed(
        &all,
        &data,
        &["channel", "1.1", "private-x", "--data", text],
    );
    assert_eq!(
        answer,
        json!({ "auth": data["auth"], "channel_data": text })
    );

    let member = vector(&all, "channel_auth", "presence-js");
    let info = "{\"name\":\"Zoë ☃\",\"url\":\"http://x/y\"}";
    let presence = [
        "presence",
        "123.456",
        "presence-room",
        "u-1",
        "--info",
        info,
    ];
    let answer = signed(&all, &member, &presence);
    let wanted = json!({ "auth": member["auth"], "channel_data": member["channel_data"] });
    assert_eq!(answer, wanted);

    let user = vector(&all, "user_auth", "user-js");
    let watch = ["--watch=user-2", "--watch=user-3"];
    let arguments = [
        "user",
        "123.456",
        "user-1",
        "--info={\"name\":\"Zoë\"}",
        watch[0],
        watch[1],
    ];
    let answer = signed(&all, &user, &arguments);
    assert_eq!(
        answer,
        json!({ "auth": user["auth"], "user_data": user["user_data"] })
    );
}

#[test]
fn tokens_are_made_only_of_what_a_server_would_take() {
    for (arguments, part) in [
        (&["channel", "1.1", "news"][..], "is no private channel"),
        (&["channel", "1.1", "presence-a"], "is no private channel"),
        (
            &["presence", "1.1", "private-a", "7"],
            "is no presence channel",
        ),
        (&["channel", "1", "private-a"], "is no socket id"),
        (&["user", "1.1", "a b"], "The id in user_data"),
        (&["presence", "1.1", "presence-a", ""], "is no user id"),
        (
            &["presence", "1.1", "presence-a", "7", "--info=[]"],
            "is no JSON object",
        ),
    ] {
        let told = run(&[&["sign"], arguments].concat()).refused(64);
        assert!(told.contains(part), "{told}");
    }
}

// Section 4.3
#[test]
fn a_signed_request_is_served() {
    let all = vectors();
    let events = vector(&all, "rest", "docs-events");
    let body = events["body"].as_str().unwrap();
    let time = events["auth_timestamp"].to_string();
    let request = [
        "request",
        "POST",
        "events",
        "--body",
        body,
        "--timestamp",
        &time,
        "--json",
    ];
    let answer = signed(&all, &events, &request);
    assert_eq!(answer["signed_text"], events["string_to_sign"]);
    assert_eq!(
        (&answer["method"], &answer["body"]),
        (&json!("POST"), &events["body"])
    );

    let (_server, port) = demo_server();
    let curl = |arguments: &[&str]| {
        let output = std::process::Command::new("curl")
            .arg("-s")
            .args(arguments)
            .output();
        String::from_utf8(output.expect("curl is installed").stdout).unwrap()
    };
    let sign = |arguments: &[&str]| {
        let url = run(&[&["sign", "request", &port], arguments].concat()).answer();
        url.trim_end().to_owned()
    };
    let url = sign(&[
        "get",
        "/apps/1001/channels?filter_by_prefix=presence-&info=user_count",
    ]);
    assert_eq!(curl(&[&url]), "{\"channels\":{}}");
    let body = "{\"name\":\"e\",\"channel\":\"a\",\"data\":\"{}\"}";
    let url = sign(&["POST", "events", "--body", body]);
    assert_eq!(curl(&[&url, "-d", body]), "{}");
    let other = curl(&[&url, "-d", "{}"]);
    assert!(other.contains("Invalid body_md5"), "{other}");
    let piped = run_with(
        body.as_bytes(),
        &["sign", "request", &port, "POST", "events", "--body=-"],
    );
    assert!(piped.answer().contains("body_md5="));
}

#[test]
fn apps_are_listed_without_their_secrets() {
    let path = std::env::temp_dir().join(format!("shardcast-apps-{}.toml", std::process::id()));
    let apps = "[[apps]]\nid='1'\nkey='first'\nsecret='canary'\n[[apps]]\nid='2'\nkey='k'\n\
                secret='canary'\nclient_events=true\nmax_connections=5\nenabled=false\n";
    std::fs::write(&path, apps).unwrap();
    let file = format!("--config={}", path.display());
    let table = run(&["apps", "list", &file]).answer();
    let wanted = "\
ID  KEY    ENABLED  CLIENT EVENTS  CONNECTIONS  WEBHOOKS
1   first  yes      no             no limit     0
2   k      no       yes            5            0
";
    assert_eq!(table, wanted);
    let all = run(&["apps", "list", &file, "--json"]).json();
    let second = json!({
        "id": "2", "key": "k", "enabled": false, "client_events": true, "max_connections": 5,
        "webhooks": 0,
    });
    assert_eq!((all.as_array().unwrap().len(), &all[1]), (2, &second));
    let demo = run(&["apps", "list", "--json"]).json();
    assert_eq!(demo[0]["key"], "app-key");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn the_check_tells_values_machine_and_warnings() {
    let arguments = ["check", "--shards=1", "--port", "7000", "--backlog=65535"];
    let text = run(&arguments).answer();
    for part in [
        "\nport = 7000 ",
        "# --port\n",
        "\n#   kernel ",
        "\n#   somaxconn ",
        "warning: ",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(
        text.ends_with("The configuration is good, and this machine can run it.\n"),
        "{text}"
    );
    // The names that scripts know.
    for older in [&["--check"][..], &["start", "--check"]] {
        let same = run(&[older, &arguments[1..]].concat());
        assert_eq!(same.answer(), text);
    }
    let variables = [("SOKETI_BACKLOG_OF_NOBODY", "1"), ("SOKETI_PORT", "7001")];
    let answer = run_in(
        &["check", "--shards=1", "--backlog=65535", "--json"],
        &variables,
    )
    .json();
    let setting = |key: &str| answer["settings"][key].clone();
    assert_eq!(
        setting("port"),
        json!({ "value": 7001, "origin": "SOKETI_PORT" })
    );
    assert_eq!(
        setting("shards"),
        json!({ "value": 1, "origin": "--shards" })
    );
    assert_eq!(
        setting("tls_cert"),
        json!({ "value": null, "origin": "default" })
    );
    assert_eq!(answer["apps"][0]["secret"]["value"], "(hidden)");
    assert_eq!(answer["good"], true);
    for name in [
        "kernel",
        "io_uring",
        "seccomp",
        "memlock",
        "nofile",
        "somaxconn",
        "cores",
    ] {
        assert!(answer["machine"][name].is_string(), "{name}: {answer}");
    }
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("somaxconn"), "{warnings}");
}

#[test]
fn a_check_that_fails_says_why_with_the_code_of_the_start() {
    let told = run(&["check", "--port=70000"]).refused(78);
    assert!(told.starts_with("--port: `port` cannot be"), "{told}");
    let told = run(&["check", "--host=0.0.0.0"]).refused(78);
    assert!(told.starts_with("--host: `host` cannot be"), "{told}");
    let bad = run(&[
        "check",
        "--tls-cert=/none.pem",
        "--tls-key=/none.key",
        "--json",
    ]);
    let answer: Value = serde_json::from_str(&bad.stdout).unwrap();
    assert_eq!((bad.code, &answer["good"]), (Some(78), &json!(false)));
    assert!(
        bad.stderr.contains("TLS cannot be spoken: /none.pem"),
        "{}",
        bad.stderr
    );
}

#[test]
fn the_version_tells_what_it_is_made_of() {
    let short = format!("shardcast {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["version"]).answer(), short);
    assert_eq!(run(&["--version"]).answer(), short);
    let long = run(&["version", "--verbose"]).answer();
    assert!(long.starts_with(&short), "{long}");
    for name in [
        "commit ",
        "features ",
        "allocator ",
        "tls ",
        "kernel ",
        "io_uring ",
    ] {
        assert!(long.contains(&format!("\n{name}")), "{name}: {long}");
    }
    let all = run(&["version", "--json"]).json();
    assert_eq!(all["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (&all["io_uring"]["needed"], &all["io_uring"]["missing"]),
        (&json!(23), &json!([]))
    );
    assert!(
        all["features"]
            .as_array()
            .unwrap()
            .contains(&json!("testing")),
        "{all}"
    );
}

#[test]
fn the_documents_of_the_configuration_are_what_they_say() {
    let schema = run(&["config", "schema"]).json();
    assert!(schema["properties"]["port"].is_object(), "{schema}");
    let default = run(&["config", "default"]).answer();
    let path = std::env::temp_dir().join(format!("shardcast-default-{}.toml", std::process::id()));
    std::fs::write(&path, default).unwrap();
    let file = format!("--config={}", path.display());
    let read = run(&["check", "--shards=1", &file]);
    assert_eq!(read.code, Some(0), "it is read back: {}", read.stderr);
    std::fs::remove_file(path).unwrap();
    assert!(run(&["config", "env"]).answer().contains("SHARDCAST_PORT"));
    assert!(
        run(&["config", "docs"])
            .answer()
            .contains("\n| `port` | `--port` | ")
    );
}
