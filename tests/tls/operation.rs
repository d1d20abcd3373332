//! The program itself: what it says about TLS, and SIGHUP (R28).

use crate::pki::{Pki, flags, port};
use crate::process::Process;
use crate::support::websocket::Ws;
use crate::support::wire::PATIENCE;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Writes to a file so that nothing tells it from the one that was there, but what is in it.
fn overwrite(path: &Path, text: &str, length: usize) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut file: File = OpenOptions::new().write(true).open(path).unwrap();
    let padded = format!("{text}{}", "\n".repeat(length - text.len()));
    file.write_all(padded.as_bytes()).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn sighup_reads_files_that_look_as_they_did() {
    const LENGTH: usize = 4096;
    let pki = Pki::new("sighup");
    let pairs = [pki.pem(&["localhost"], 2100), pki.pem(&["localhost"], 2100)];
    let padded = |text: &str| format!("{text}{}", "\n".repeat(LENGTH - text.len()));
    pki.put("main", &(padded(&pairs[0].0), padded(&pairs[0].1)));
    let flags = flags(&pki);
    let flags: Vec<&str> = flags.iter().map(|it| &it[..]).collect();
    let server = Process::start(&flags);
    let tls = port(&server.banner);
    assert!(server.banner.contains("wssPort"), "{}", server.banner);
    let first = pki.shown(tls, "localhost");
    assert!(first == crate::pki::der(&pairs[0].0));
    let mut open = Ws::over(pki.wire(tls), "/app/app-key?protocol=7");
    assert!(open.expect_text().contains("connection_established"));
    let files = pki.files("main");
    overwrite(&files.cert, &pairs[1].0, LENGTH);
    overwrite(&files.key, &pairs[1].1, LENGTH);
    let pid = Pid::from_raw(server.pid().cast_signed()).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    let begun = Instant::now();
    while pki.shown(tls, "localhost") == first {
        assert!(begun.elapsed() < PATIENCE, "SIGHUP is not heard");
    }
    open.send_text(r#"{"event":"pusher:ping","data":{}}"#);
    assert!(open.expect_text().contains("pusher:pong"));
    drop(open);
    let (status, log) = server.stop();
    assert!(status.success());
    assert!(
        log.contains("new clients are shown new certificates"),
        "{log}"
    );
    assert!(!log.contains("PRIVATE KEY"), "{log}");
}

#[test]
fn a_check_finds_what_would_stop_the_start() {
    let pki = Pki::new("check");
    pki.write("main", &["localhost"]);
    let checked = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shardcast"));
        let output = command.arg("--check").args(flags(&pki)).output().unwrap();
        let told = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let all = told(output.stdout) + &told(output.stderr);
        (output.status.code(), all)
    };
    assert_eq!(checked().0, Some(0));
    pki.put("main", &pki.pem(&["localhost"], 2021));
    let (code, told) = checked();
    assert!(
        code == Some(0) && told.contains("has run out: clients refuse it"),
        "{told}"
    );
    pki.put("main", &(pki.pem(&["localhost"], 2100).0, "no key".into()));
    let (code, told) = checked();
    let key = pki.files("main").key.display().to_string();
    assert_eq!(code, Some(78));
    let wanted = format!("TLS cannot be spoken: {key}: it holds no private key in PEM");
    assert!(told.contains(&wanted), "{told}");
}
