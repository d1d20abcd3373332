//! R43: machines without io_uring, made from this one by seccomp filters and limits: a server says
//! so before it takes a port from the one that is there.

use crate::filter::{ENOMEM, ENOSYS, ENTER, EPERM, REGISTER, SETUP, filtered};
use crate::process::binary;
use crate::scene::{Scene, row};
use crate::shell::serves_newcomers;
use std::os::unix::process::CommandExt;
use std::process::Command;

const EX_UNAVAILABLE: i32 = 69;
const NOBODY: u32 = 65_534;

/// Starts another server on the port of the first one, which the kernel would let it have; it must
/// end with one paragraph that says these.
fn expect_refused(scene: &Scene, mut command: Command, parts: &[&str]) {
    let port = scene.address().port().to_string();
    command.args(["start", "--shards", "2", "--admin", "off", "--port", &port]);
    let output = command
        .output()
        .expect("the tools of this row are installed");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(EX_UNAVAILABLE), "{said}");
    assert_eq!(said.lines().count(), 1, "one paragraph: {said}");
    assert!(
        said.contains(": This machine does not let shardcast run: "),
        "{said}"
    );
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Nobody who comes meanwhile ends with the one that does not run.
    assert!(serves_newcomers(scene.address()));
}

#[test]
fn r43_without_io_uring_a_server_says_so_and_takes_nothing_from_another() {
    row("r43").run(|scene| {
        let without = |call, errno| filtered(binary(), call, errno);
        for (call, name) in [
            (SETUP, "io_uring_setup"),
            (ENTER, "io_uring_enter"),
            (REGISTER, "io_uring_register"),
        ] {
            let parts = [name, "EPERM", "seccomp filter", "--security-opt"];
            expect_refused(scene, without(call, EPERM), &parts);
        }
        expect_refused(scene, without(SETUP, ENOSYS), &["ENOSYS"]);
        let parts = ["ENOMEM", "LimitMEMLOCK=infinity"];
        expect_refused(scene, without(SETUP, ENOMEM), &parts);
        if rustix::process::geteuid().is_root() {
            // Root is exempt from the limit, and nobody else may read the program where it is.
            let file = std::env::temp_dir().join(format!("shardcast-r43-{}", std::process::id()));
            std::fs::copy(binary(), &file).unwrap();
            let mut command = Command::new("timeout");
            command
                .args(["20", "prlimit", "--memlock=65536:65536"])
                .arg(&file);
            command.uid(NOBODY).gid(NOBODY);
            expect_refused(
                scene,
                command,
                &["may lock 64 KiB", "LimitMEMLOCK=infinity"],
            );
            std::fs::remove_file(&file).unwrap();
        }
    });
}
