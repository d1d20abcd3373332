//! The unit of systemd: that systemd understands it, how little it may do, and that what it names
//! is there.

use crate::{Folder, path, text};
use std::collections::BTreeSet;
use std::process::{Command, Output};

const UNIT: &str = "systemd/shardcast.service";
const BINARY: &str = env!("CARGO_BIN_EXE_shardcast");

/// The values of a setting, in their order.
fn values(name: &str) -> Vec<String> {
    let unit = text(UNIT);
    let values = unit.lines().filter_map(|line| line.split_once('='));
    values
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
        .collect()
}

#[track_caller]
fn value(name: &str) -> String {
    let values = values(name);
    assert_eq!(values.len(), 1, "{name}: {values:?}");
    values.into_iter().next().unwrap()
}

fn analyze(arguments: &[&str]) -> Output {
    Command::new("systemd-analyze")
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .expect("systemd-analyze is installed")
}

fn all(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    texts.concat()
}

#[test]
fn its_exposure_is_two_at_most() {
    let security = |unit: &str| {
        let flags = ["--offline=yes", "--threshold=20", "--no-pager"];
        analyze(&[&["security"], &flags[..], &[unit]].concat())
    };
    let output = security(path(UNIT).to_str().unwrap());
    assert!(output.status.success(), "{}", all(&output));
    // It is this test that would notice a unit that is open.
    let folder = Folder::new("open");
    let unit = text(UNIT);
    let (open, _) = unit.split_once("NoNewPrivileges").unwrap();
    let open = folder.write("shardcast.service", open);
    let output = security(open.to_str().unwrap());
    assert!(!output.status.success(), "{}", all(&output));
}

#[test]
fn systemd_understands_all_of_it() {
    let folder = Folder::new("verify");
    // The program and its page are where the package puts them: not here.
    let unit = text(UNIT).replace("/usr/bin/shardcast", BINARY);
    let unit = unit.replace("Documentation=man:shardcast(1)\n", "");
    let verify = |text: &str| {
        let file = folder.write("shardcast.service", text);
        analyze(&["verify", "--man=no", file.to_str().unwrap()])
    };
    let output = verify(&unit);
    assert!(output.status.success(), "{}", all(&output));
    assert_eq!(all(&output), "");
    let wrong = verify(&unit.replace("WatchdogSec=", "WatchdogSecs="));
    assert!(all(&wrong).contains("WatchdogSecs"), "{}", all(&wrong));
}

/// The system calls that a set of systemd's comes down to.
fn calls(set: &str) -> BTreeSet<String> {
    let output = analyze(&["syscall-filter", "--no-pager", set]);
    assert!(output.status.success(), "{}", all(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut calls = BTreeSet::new();
    for word in text.lines().skip(1).map(str::trim) {
        match word.strip_prefix('@') {
            Some(_) => calls.extend(self::calls(word)),
            None if word.starts_with('#') || word.is_empty() => {}
            None => drop(calls.insert(word.to_owned())),
        }
    }
    calls
}

#[test]
fn a_shard_may_have_its_rings_and_its_core() {
    let mut allowed = BTreeSet::new();
    for filter in values("SystemCallFilter") {
        match filter.strip_prefix('~') {
            Some(set) => allowed = &allowed - &calls(set),
            None => allowed.extend(calls(&filter)),
        }
    }
    for needed in [
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "sched_setaffinity",
        "prlimit64",
        "socket",
        "clone3",
        "eventfd2",
    ] {
        assert!(allowed.contains(needed), "{needed}");
    }
    for forbidden in ["reboot", "init_module", "ptrace", "mount", "setuid"] {
        assert!(!allowed.contains(forbidden), "{forbidden}");
    }
    assert_eq!(value("LimitMEMLOCK"), "infinity");
    assert_eq!(value("Type"), "notify");
}

/// What the unit runs, with the file replaced.
fn started(config: &str) -> Output {
    let command = value("ExecStart");
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(words[0], "/usr/bin/shardcast");
    assert_eq!(words[words.len() - 1], "/etc/shardcast/shardcast.toml");
    Command::new(BINARY)
        .args(&words[1..words.len() - 1])
        .arg(config)
        .arg("--check")
        .output()
        .unwrap()
}

#[test]
fn what_it_runs_and_what_it_does_not_try_again_is_as_the_program_has_it() {
    let output = started(path("debian/shardcast.toml").to_str().unwrap());
    assert!(output.status.success(), "{}", all(&output));
    let folder = Folder::new("codes");
    let broken = folder.write("broken.toml", "prot = 1\n");
    let output = started(broken.to_str().unwrap());
    let no_flag = Command::new(BINARY).arg("--no-such-flag").output().unwrap();
    let never: Vec<String> = value("RestartPreventExitStatus")
        .split(' ')
        .map(str::to_owned)
        .collect();
    let codes = [&no_flag, &output].map(|output| output.status.code().unwrap().to_string());
    assert_eq!(codes[..], never[..]);
}

// The example in that file, with the comments taken away.
#[test]
fn the_file_of_the_package_shows_an_app_that_works() {
    let shown: String = text("debian/shardcast.toml")
        .lines()
        .skip_while(|line| !line.starts_with("# host"))
        .map(|line| line.trim_start_matches("# ").trim_start_matches('#'))
        .map(|line| format!("{line}\n"))
        .filter(|line| line.contains('=') || line.starts_with('['))
        .collect();
    let credentials = Folder::new("credentials");
    credentials.write("app_my-app", "a-secret\n");
    let file = credentials.write("shown.toml", &shown);
    let mut command = Command::new(BINARY);
    command.args(["start", "--check", "--config", file.to_str().unwrap()]);
    let output = command.output().unwrap();
    assert!(!output.status.success(), "without the credential");
    let output = command
        .env("CREDENTIALS_DIRECTORY", &credentials.0)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", all(&output));
    let loaded = value("LoadCredential");
    assert_eq!(loaded, "app:/etc/shardcast/credentials");
}

// Credentials of a whole directory came with 250.
#[test]
fn the_version_of_systemd_that_it_needs_is_said_everywhere() {
    let oldest = "250";
    assert!(text(UNIT).contains(&format!("({oldest} or later)")));
    let root = |name: &str| {
        let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    assert!(root("Cargo.toml").contains(&format!("systemd (>= {oldest})")));
    assert!(root("docs/packages.md").contains(&format!("systemd {oldest} or later")));
}
