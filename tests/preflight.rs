//! Machines that do not let the server run, made from this one: by seccomp filters and by limits.
//!
//! Needs python3 (to install a filter) and the `prlimit` and `timeout` of util-linux and coreutils.
//! Run as root, the limits on locked memory are tried as uid 65534, for root is exempt from them. A
//! run that would start the server is ended by `timeout` and fails by its exit code.

#[path = "preflight/filter.rs"]
mod filter;

use filter::{ENOMEM, ENOSYS, ENTER, EPERM, REGISTER, SETUP, filtered};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

const EX_UNAVAILABLE: i32 = 69;
const NOBODY: u32 = 65_534;

/// Runs a command and gives exit code, standard output and standard error.
fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command
        .output()
        .expect("the tools of this test are installed");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Runs a command and expects it to be refused in one paragraph.
fn refused(command: &mut Command) -> String {
    let (code, stdout, stderr) = run(command);
    assert_eq!(code, Some(EX_UNAVAILABLE), "{stdout}{stderr}");
    assert_eq!(stderr.lines().count(), 1, "one paragraph: {stderr}");
    assert!(
        !stderr.contains("panicked") && !stderr.contains("unwrap"),
        "{stderr}"
    );
    assert!(
        stderr.starts_with("shardcast: This machine does not let shardcast run: "),
        "{stderr}"
    );
    stderr
}

/// Our own program where one system call fails.
fn under(call: &str, errno: &str, arguments: &[&str]) -> Command {
    let mut command = filtered(env!("CARGO_BIN_EXE_shardcast"), call, errno);
    command.args(arguments);
    command
}

/// A copy of the binary where anybody may run it.
struct Copy(PathBuf);

impl Copy {
    fn new(test: &str) -> Copy {
        let directory =
            std::env::temp_dir().join(format!("shardcast-{test}-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("the temporary directory takes directories");
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&directory, open).expect("it is ours");
        let binary = directory.join("shardcast");
        fs::copy(env!("CARGO_BIN_EXE_shardcast"), binary).expect("there is room for a copy");
        Copy(directory)
    }

    /// Runs it under `prlimit` with these limits, and as nobody when we are root.
    fn limited(&self, limit: &str, arguments: &[&str]) -> Command {
        let mut command = limited(limit, self.0.join("shardcast"), arguments);
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn limited(limit: &str, binary: PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["20", "prlimit", limit])
        .arg(binary)
        .args(arguments);
    command.env_remove("SOKETI_HOST").env_remove("SOKETI_PORT");
    command
}

// F43
#[test]
fn a_seccomp_filter_is_named_with_the_way_around_it() {
    for (call, name) in [
        (SETUP, "io_uring_setup"),
        (ENTER, "io_uring_enter"),
        (REGISTER, "io_uring_register"),
    ] {
        let paragraph = refused(&mut under(call, EPERM, &["start"]));
        for part in [
            name,
            "EPERM",
            "seccomp filter",
            "--security-opt",
            "seccompProfile",
        ] {
            assert!(paragraph.contains(part), "{part}: {paragraph}");
        }
    }
    let paragraph = refused(&mut under(SETUP, ENOSYS, &["--check"]));
    assert!(
        paragraph.contains("ENOSYS by a seccomp filter"),
        "{paragraph}"
    );
}

// F43, F44
#[test]
fn a_ring_without_memory_is_explained() {
    let paragraph = refused(&mut under(SETUP, ENOMEM, &[]));
    for part in ["ENOMEM", "LimitMEMLOCK=infinity", "Try again"] {
        assert!(paragraph.contains(part), "{part}: {paragraph}");
    }
}

// A filter that stops something else proves that it is not the filter itself that is refused.
#[test]
fn a_filter_on_another_call_changes_nothing() {
    const UNUSED_CALL: &str = "1023";
    let (code, stdout, stderr) = run(&mut under(UNUSED_CALL, EPERM, &["--check", "--shards=1"]));
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

// M10: eight shards of depth 128 need 1924 KiB; one byte less is refused.
#[test]
fn locked_memory_is_added_up_for_ordinary_users() {
    let copy = Copy::new("memlock");
    let at = (1924 * 1024).to_string();
    let past = (1924 * 1024 - 1).to_string();
    let paragraph =
        refused(&mut copy.limited(&format!("--memlock={past}:{past}"), &["--shards", "8"]));
    for part in [
        "8 shards of depth 128",
        "1924 KiB",
        "1923 KiB",
        "LimitMEMLOCK=infinity",
    ] {
        assert!(paragraph.contains(part), "{part}: {paragraph}");
    }
    let mut enough = copy.limited(
        &format!("--memlock={at}:{at}"),
        &["--check", "--shards", "8"],
    );
    let (code, stdout, stderr) = run(&mut enough);
    assert_eq!(code, Some(0), "{stdout}{stderr}");

    let paragraph = refused(&mut copy.limited("--memlock=65536:65536", &["start", "--shards=1"]));
    assert!(paragraph.contains("may lock 64 KiB"), "{paragraph}");
}

#[test]
fn a_soft_limit_on_locked_memory_is_raised_to_the_hard_one() {
    let copy = Copy::new("memlock-soft");
    let mut soft = copy.limited("--memlock=65536:1048576", &["--check", "--shards", "1"]);
    let (code, stdout, stderr) = run(&mut soft);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

#[test]
fn open_files_are_raised_to_the_hard_limit_and_judged_there() {
    let binary = || PathBuf::from(env!("CARGO_BIN_EXE_shardcast"));
    let check = &["--check", "--shards=1"];
    let (code, stdout, stderr) = run(&mut limited("--nofile=256:4096", binary(), check));
    assert_eq!(
        (code, stdout.contains("may be open")),
        (Some(0), false),
        "{stdout}{stderr}"
    );
    let (code, stdout, stderr) = run(&mut limited("--nofile=256:4095", binary(), check));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("only 4095 files may be open"), "{stdout}");
    let paragraph = refused(&mut limited(
        "--nofile=79:79",
        binary(),
        &["start", "--shards=1"],
    ));
    assert!(
        paragraph.contains("only 79 files") && paragraph.contains("need 80"),
        "{paragraph}"
    );
}
