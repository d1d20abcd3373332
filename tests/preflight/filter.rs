//! A program under a seccomp filter that answers one system call with an error, as a container's
//! runtime would. Needs python3 and the `timeout` of coreutils.

use std::ffi::OsStr;
use std::process::Command;

/// Arguments: a system call's number, the error it shall have, and the command to run.
const UNDER_FILTER: &str = r#"
import ctypes, os, struct, sys
call, errno = int(sys.argv[1]), int(sys.argv[2])
LOAD, IS, RETURN = 0x20, 0x15, 0x06
ALLOW, ERROR = 0x7fff0000, 0x00050000
steps = [(LOAD, 0, 0, 0), (IS, 0, 1, call), (RETURN, 0, 0, ERROR | errno), (RETURN, 0, 0, ALLOW)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(SECCOMP, FILTER, program, 0, 0):
    sys.exit("no filter: " + os.strerror(ctypes.get_errno()))
os.execv(sys.argv[3], sys.argv[3:])
"#;

/// The numbers of the three calls, the same on every architecture.
pub const SETUP: &str = "425";
pub const ENTER: &str = "426";
pub const REGISTER: &str = "427";

pub const EPERM: &str = "1";
pub const ENOMEM: &str = "12";
pub const ENOSYS: &str = "38";

/// Runs a program, with arguments that are still to be added, where one system call fails; whatever
/// it does otherwise, it is ended in 20 seconds.
pub fn filtered(program: impl AsRef<OsStr>, call: &str, errno: &str) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["20", "python3", "-c", UNDER_FILTER, call, errno])
        .arg(program);
    command.env_remove("SOKETI_HOST").env_remove("SOKETI_PORT");
    command
}
