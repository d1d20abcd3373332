//! The configuration from outside: the binary's exit codes, and what it says to its operator.
//!
//! Every run ends by itself, for it is refused or only asked to check or to print; a run that would
//! start the server instead is ended by `timeout` and fails by its exit code.

#[path = "config/webhooks.rs"]
mod webhooks;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "config/bad_input.rs"]
mod bad_input;
#[path = "config/laravel.rs"]
mod laravel;
#[path = "config/names.rs"]
mod names;
#[path = "config/soketi.rs"]
mod soketi;

const EX_USAGE: i32 = 64;
const EX_CONFIG: i32 = 78;

/// What a run said and how it ended.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the binary with these arguments and no environment but these variables.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    run_in(Path::new("/"), arguments, variables)
}

/// Same, in a working directory.
fn run_in(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new("timeout");
    command
        .current_dir(folder)
        .arg("20")
        .arg(env!("CARGO_BIN_EXE_shardcast"))
        .args(arguments);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = command
        .envs(variables.iter().copied())
        .output()
        .expect("coreutils has timeout");
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Run {
        code: status.code(),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

/// Runs it and expects one sentence of refusal.
fn refused(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let Run {
        code,
        stdout,
        stderr,
    } = run(arguments, variables);
    assert_eq!(
        code,
        Some(EX_CONFIG),
        "{arguments:?} {variables:?}: {stdout}{stderr}"
    );
    assert_eq!(stdout, "", "a refusal goes to standard error");
    assert_eq!(stderr.lines().count(), 1, "one sentence: {stderr}");
    let sentence = stderr
        .trim_end()
        .strip_prefix("shardcast: ")
        .expect("it says who speaks");
    sentence.to_owned()
}

/// Runs it with `--print-config` and gives what it prints.
fn printed(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let all = [arguments, &["--print-config"]].concat();
    let Run {
        code,
        stdout,
        stderr,
    } = run(&all, variables);
    assert_eq!(
        (code, &stderr[..]),
        (Some(0), ""),
        "{arguments:?} {variables:?}"
    );
    stdout
}

/// Whether a line of the printed configuration gives this setting this value from there.
fn has(printed: &str, setting: &str, origin: &str) -> bool {
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    printed
        .lines()
        .any(|line| squeezed(line) == format!("{setting} # {origin}"))
}

/// A configuration file that goes when the test ends.
struct ConfigFile(PathBuf);

impl ConfigFile {
    fn new(name: &str, text: &str) -> ConfigFile {
        ConfigFile::named(&format!("{name}.toml"), text)
    }

    fn named(name: &str, text: &str) -> ConfigFile {
        let name = format!("shardcast-config-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).expect("the temporary directory takes files");
        ConfigFile(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("the path is UTF-8")
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const OWN_APP: [(&str, &str); 3] = [
    ("SOKETI_DEFAULT_APP_ID", "7"),
    ("SOKETI_DEFAULT_APP_KEY", "k7"),
    ("SOKETI_DEFAULT_APP_SECRET", "canary-7c1d"),
];

#[test]
fn with_nothing_configured_it_is_the_demo_on_loopback() {
    let text = printed(&[], &[]);
    for (setting, origin) in [
        ("host = \"127.0.0.1\"", "default"),
        ("port = 6001", "default"),
        ("id = \"1001\"", "default"),
        ("key = \"app-key\"", "default"),
        ("client_events = true", "default"),
    ] {
        assert!(has(&text, setting, origin), "{setting} is not in\n{text}");
    }
}

#[test]
fn start_and_nothing_mean_the_same() {
    let bare = printed(&["--port", "7000"], &[]);
    assert_eq!(printed(&["start", "--port", "7000"], &[]), bare);
    assert_eq!(printed(&["--port", "7000", "start"], &[]), bare);
}

#[test]
fn flags_win_over_variables_over_the_file() {
    let file = ConfigFile::new("order", "port = 1\nshards = 2\nbacklog = 99\n");
    let flags = ["--config", file.path(), "--shards", "4"];
    let text = printed(&flags, &[("SOKETI_PORT", "3")]);
    assert!(has(&text, "port = 3", "SOKETI_PORT"), "{text}");
    assert!(has(&text, "shards = 4", "--shards"), "{text}");
    assert!(
        has(&text, "backlog = 99", &format!("{}:3", file.path())),
        "{text}"
    );
    let text = printed(
        &["--port=5", "--config", file.path()],
        &[("SOKETI_PORT", "3")],
    );
    assert!(has(&text, "port = 5", "--port"), "{text}");
}

#[test]
fn an_empty_variable_is_unset() {
    let text = printed(&[], &[("SOKETI_PORT", ""), ("SOKETI_DEFAULT_APP_ID", "")]);
    assert!(has(&text, "port = 6001", "default") && has(&text, "id = \"1001\"", "default"));
}

#[test]
fn several_apps_come_from_a_file_and_one_more_from_the_environment() {
    let file = ConfigFile::new(
        "apps",
        "[[apps]]\nid = '1'\nkey = 'k1'\nsecret = 'canary-7c1d'\nmax_connections = 100\n\
         [[apps]]\nid = '2'\nkey = 'k2'\nsecret = 'canary-7c1d'\nclient_events = true\n",
    );
    let text = printed(&["--config", file.path()], &OWN_APP);
    let ids = text.lines().filter(|line| line.starts_with("id = "));
    assert_eq!(ids.count(), 3, "{text}");
    assert!(
        has(
            &text,
            "max_connections = 100",
            &format!("{}:5", file.path())
        ),
        "{text}"
    );
    assert!(has(&text, "id = \"7\"", "SOKETI_DEFAULT_APP_ID"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn the_demo_credentials_do_not_leave_the_machine() {
    for (arguments, variables, source) in [
        (&["start", "--host", "0.0.0.0"][..], &[][..], "--host"),
        (&[], &[("SOKETI_HOST", "0.0.0.0")], "SOKETI_HOST"),
    ] {
        let sentence = refused(arguments, variables);
        assert!(sentence.starts_with(&format!("{source}: `host` cannot be \"0.0.0.0\":")));
        for way_out in ["SOKETI_DEFAULT_APP_SECRET", "[[apps]]", "127.0.0.1"] {
            assert!(sentence.contains(way_out), "{sentence}");
        }
    }
    let file = ConfigFile::new("public", "port = 1\nhost = '::'\n");
    let sentence = refused(&["--config", file.path()], &[]);
    assert!(sentence.starts_with(&format!("{}:2: `host` cannot be \"::\":", file.path())));
    let text = printed(&["--host", "0.0.0.0"], &OWN_APP);
    assert!(
        has(&text, "host = \"0.0.0.0\"", "--host"),
        "own credentials may: {text}"
    );
}

#[test]
fn nonsense_in_flags_is_refused_with_what_would_be_accepted() {
    for (arguments, sentence) in [
        (
            &["--port", "70000"][..],
            "--port: `port` cannot be \"70000\": expected a whole number from 0 to 65535.",
        ),
        (
            &["--shards", "0"],
            "--shards: `shards` cannot be \"0\": expected a whole number from 1",
        ),
        (
            &["--host", "nowhere"],
            "--host: `host` cannot be \"nowhere\": expected an IP address",
        ),
        (
            &["--cores", "0,0"],
            "--cores: `cores` cannot be \"0,0\": expected a list of core",
        ),
        (
            &["--cores", "1023"],
            "--cores: `cores` cannot be \"1023\": core 1023 is not one this",
        ),
        (
            &["--spin=-1"],
            "--spin: `spin_us` cannot be \"-1\": expected a whole number of micro",
        ),
        (
            &["--debug=maybe"],
            "--debug: `debug` cannot be \"maybe\": expected true, false,",
        ),
        (
            &["--config", "/none.toml"],
            "--config: `config` cannot be \"/none.toml\": expected a",
        ),
    ] {
        let said = refused(arguments, &[]);
        assert!(said.starts_with(sentence), "{said}");
    }
}

#[test]
fn nonsense_in_a_file_is_refused_with_its_line() {
    const APP: &str = "[[apps]]\nid = '1'\nkey = 'k1'\nsecret = 's1'\n";
    for (name, text, sentence) in [
        (
            "port",
            "\n\nport = 70000".to_owned(),
            ":3: `port` cannot be \"70000\": expected a whole",
        ),
        (
            "unknown",
            "prot = 1".to_owned(),
            ":1: `prot`: this key is not known; did you mean `port`?",
        ),
        (
            "in-app",
            format!("{APP}sekret = 1"),
            ":5: `apps[0].sekret`: this key is not known; did",
        ),
        (
            "syntax",
            "port = 1\nhost = \"".to_owned(),
            ":2:9: `config`: expected TOML, but: ",
        ),
        (
            "empty",
            APP.replace("s1", ""),
            ":4: `apps[0].secret`: a secret may not be empty.",
        ),
        (
            "key",
            APP.replace("k1", ""),
            ":3: `apps[0].key` cannot be \"\": expected 1 to 128",
        ),
        (
            "slash",
            APP.replace("k1", "a/b"),
            ":3: `apps[0].key` cannot be \"a/b\": expected 1 to",
        ),
        (
            "missing",
            "[[apps]]\nid = '1'".to_owned(),
            ":1: `apps[0].key`: it is missing; an app",
        ),
        (
            "twice-id",
            format!("{APP}{}", APP.replace("k1", "k2")),
            ":6: `apps[1].id` cannot be \"1\":",
        ),
        (
            "twice-key",
            format!("{APP}{}", APP.replace("'1'", "'2'")),
            ":7: `apps[1].key` cannot be \"k1\": expected one that no other app has, but ",
        ),
    ] {
        let file = ConfigFile::new(name, &text);
        let said = refused(&["--config", file.path()], &[]);
        assert!(
            said.starts_with(&format!("{}{sentence}", file.path())),
            "{said}"
        );
    }
}

#[test]
fn nonsense_in_variables_is_refused_by_name() {
    for (name, value, sentence) in [
        (
            "SOKETI_PORT",
            "http",
            "SOKETI_PORT: `port` cannot be \"http\": expected a whole number",
        ),
        (
            "SOKETI_DEBUG",
            "yes",
            "SOKETI_DEBUG: `debug` cannot be \"yes\": expected true, false,",
        ),
        (
            "SOKETI_DEFAULT_APP_ID",
            "1",
            "SOKETI_DEFAULT_APP_KEY: `apps.key`: it is missing; an app",
        ),
        (
            "SOKETI_DEFAULT_APP_MAX_CONNS",
            "many",
            "SOKETI_DEFAULT_APP_MAX_CONNS: `apps.max_connections` cannot be \"many\": expected a \
             whole number from 1 to 1000000000, or -1 for no limit.",
        ),
    ] {
        let said = refused(&[], &[(name, value)]);
        assert!(said.starts_with(sentence), "{said}");
    }
}

// F29: the canary is in every source and in every kind of mistake, and comes out nowhere.
#[test]
fn no_output_holds_a_secret() {
    let file = ConfigFile::new(
        "secret",
        "[[apps]]\nid = '1'\nkey = 'k1'\nsecret = 'canary-7c1d'\n",
    );
    let broken = ConfigFile::new("secret-broken", "[[apps]]\nsecret = 'canary-7c1d");
    let unknown = ConfigFile::new("secret-key", "[[apps]]\nsecret = 'canary-7c1d'\nx = 1");
    let control = [("SOKETI_DEFAULT_APP_SECRET", "canary-7c1d\n")];
    let misspelt = [("SOKETI_DEFAULT_APP_SECRT", "canary-7c1d")];
    for (arguments, variables) in [
        (
            &["--config", file.path(), "--print-config"][..],
            &OWN_APP[..],
        ),
        (&["--config", file.path(), "--check"], &OWN_APP),
        (&["--config", file.path(), "--check"], &misspelt),
        (&["--config", file.path(), "--port", "70000"], &OWN_APP),
        (&["--config", broken.path()], &[]),
        (&["--config", unknown.path()], &[]),
        (&["--check"], &control),
        (&["--help"], &OWN_APP),
        (&["--bogus"], &OWN_APP),
    ] {
        let Run {
            code,
            stdout,
            stderr,
        } = run(arguments, variables);
        assert!(
            code.is_some_and(|code| code < 100),
            "{arguments:?} ended by itself: {code:?}"
        );
        assert!(
            !stdout.contains("canary") && !stderr.contains("canary"),
            "{stdout}{stderr}"
        );
    }
}

#[test]
fn unknown_flags_and_commands_are_usage_errors() {
    for arguments in [
        &["--prot", "1"][..],
        &["stop"],
        &["--port"],
        &["start", "--nope"],
    ] {
        let Run {
            code,
            stdout,
            stderr,
        } = run(arguments, &[]);
        assert_eq!(code, Some(EX_USAGE), "{arguments:?}");
        assert!(stdout.is_empty() && stderr.contains("--help"), "{stderr}");
    }
    assert!(
        run(&["--prot", "1"], &[]).stderr.contains("'--port'"),
        "it suggests the right one"
    );
}

#[test]
fn help_and_version_are_answers() {
    let version = run(&["--version"], &[]);
    let expected = format!("shardcast {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (version.code, version.stdout, version.stderr),
        (Some(0), expected, String::new())
    );
    for arguments in [
        &["start", "--help"][..],
        &["serve", "-h"],
        &["help", "start"],
    ] {
        let help = run(arguments, &[]);
        assert_eq!(
            (help.code, &help.stderr[..]),
            (Some(0), ""),
            "{arguments:?}"
        );
        for part in [
            "Listening:",
            "Shards:",
            "Limits and deadlines:",
            "--port",
            "SOKETI_PORT",
        ] {
            assert!(
                help.stdout.contains(part),
                "{part} is not in\n{}",
                help.stdout
            );
        }
    }
}

#[test]
fn a_good_configuration_passes_the_check_with_its_warnings() {
    let good = run(&["--check", "--shards", "1"], &[("SOKETI_REDIS_HOST", "x")]);
    assert_eq!(
        (good.code, &good.stderr[..]),
        (Some(0), ""),
        "{}",
        good.stdout
    );
    assert!(
        good.stdout.contains("SOKETI_REDIS_HOST is not known here"),
        "{}",
        good.stdout
    );
}
