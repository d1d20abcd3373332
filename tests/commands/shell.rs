//! What a package installs beside the program, and what a terminal is shown.

use super::{Run, run};
use crate::process::binary;
use std::process::Command;

#[test]
fn completions_are_a_script_of_their_shell() {
    let folder = std::env::temp_dir().join(format!("shardcast-complete-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).answer();
        for word in ["listen", "trigger", "user-id", "loadtest"] {
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
        // Settings are offered where the help shows them.
        assert!(
            script.contains("tls-cert") && script.contains("path-prefix"),
            "{shell}"
        );
    }
    let script = folder.join("shardcast");
    std::fs::write(&script, run(&["completions", "bash"]).answer()).unwrap();
    let complete = format!(
        "source {}; COMP_WORDS=(shardcast li); COMP_CWORD=1; _shardcast shardcast li shardcast; \
         echo \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let output = Command::new("bash")
        .args(["-c", &complete])
        .output()
        .unwrap();
    assert_eq!(Run::of(output).answer(), "listen\n");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn every_command_has_a_man_page() {
    let folder = std::env::temp_dir().join(format!("shardcast-man-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let dir = format!("--dir={}", folder.display());
    assert_eq!(run(&["man", &dir]).answer(), "");
    for page in [
        "shardcast",
        "shardcast-start",
        "shardcast-listen",
        "shardcast-sign-user",
    ] {
        let text = std::fs::read_to_string(folder.join(format!("{page}.1"))).unwrap();
        assert!(text.contains(&format!(".TH {page} 1")), "{text}");
    }
    let main = run(&["man"]).answer();
    assert!(
        main.contains(".SH NAME") && main.contains("shardcast\\-listen(1)"),
        "{main}"
    );
    assert!(main.contains("Exit codes:"), "{main}");
    std::fs::remove_dir_all(&folder).unwrap();
    let told = run(&["man", &dir]).refused(64);
    assert!(told.starts_with("--dir: cannot write to "), "{told}");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let shown = |setting: &str| {
        let program = binary().into_string().unwrap();
        let line = format!("env -u NO_COLOR -u CLICOLOR {setting} {program} --help");
        let mut command = Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .env("TERM", "xterm");
        Run::of(command.output().expect("util-linux has script")).answer()
    };
    assert!(shown("X=1").contains('\u{1b}'), "a terminal");
    assert!(
        !shown("NO_COLOR=1").contains('\u{1b}'),
        "one that wants none"
    );
    assert!(!run(&["--help"]).answer().contains('\u{1b}'), "a pipe");
}
