#!/usr/bin/env python3
"""Runs the server in a container as deploy/docker/compose.yaml has it: no capability, a root that is
only read, uid 65532, and the profile of seccomp that stands beside it.

usage: test-container.py BINARY FOLDER     FOLDER is made, and gone at the end; needs root, and runc

Three times: with that profile it has to serve; with the same one without io_uring, as Docker has it by
default, it has to say so and end; and with the system calls that deploy/systemd/shardcast.service
allows it has to serve too.
"""

import json
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
USER = 65532
READY = re.compile(r"ws://127\.0\.0\.1:\d+")
NO_IO_URING = {"io_uring_enter", "io_uring_register", "io_uring_setup"}


def profile():
    with open(f"{ROOT}/deploy/docker/seccomp.json", encoding="utf-8") as file:
        return json.load(file)


def without_io_uring():
    made = profile()
    for rule in made["syscalls"]:
        rule["names"] = [name for name in rule["names"] if name not in NO_IO_URING]
    return made


def calls(name):
    """The system calls of a set of systemd's."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", name],
        check=True, capture_output=True, text=True,
    )
    words = [line.strip() for line in listed.stdout.splitlines()[1:]]
    found = set()
    for word in words:
        if word.startswith("@"):
            found |= calls(word)
        elif word and not word.startswith("#"):
            found.add(word)
    return found


def of_the_unit():
    allowed = set()
    with open(f"{ROOT}/deploy/systemd/shardcast.service", encoding="utf-8") as file:
        for line in file:
            if line.startswith("SystemCallFilter=~"):
                allowed -= calls(line.strip().split("~")[1])
            elif line.startswith("SystemCallFilter="):
                allowed |= calls(line.strip().split("=")[1])
    rule = {"names": sorted(allowed), "action": "SCMP_ACT_ALLOW"}
    # What runc itself does between the filter and the program.
    rule["names"] += ["setuid", "setgid", "setgroups", "capset", "execve"]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [rule],
    }


def fill(root, binary):
    """What the image holds: the program, and the libraries that it is linked to."""
    os.makedirs(f"{root}/proc")
    shutil.copy(binary, f"{root}/shardcast")
    linked = subprocess.run(["ldd", binary], check=True, capture_output=True, text=True)
    for path in re.findall(r"(/\S+) \(0x", linked.stdout):
        os.makedirs(root + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, root + path)


def config(seccomp):
    most = [{"type": "RLIMIT_NOFILE", "soft": 20000, "hard": 20000}]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": USER, "gid": USER},
            "args": ["/shardcast", "start", "--port", "0", "--shards", "2", "--admin", "off"],
            "env": ["PATH=/"],
            "cwd": "/",
            "noNewPrivileges": True,
            "capabilities": {},
            "rlimits": most,
        },
        "root": {"path": "root", "readonly": True},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", "ro"]},
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")],
            "seccomp": seccomp,
        },
    }


def run(folder, name, seccomp):
    """What it says, until it is ready or ends, and its exit code if it ended by itself."""
    with open(f"{folder}/config.json", "w", encoding="utf-8") as file:
        json.dump(config(seccomp), file)
    name = f"shardcast-{name}-{os.getpid()}"
    command = ["runc", "--root", f"{folder}/state", "run", "--no-pivot", "--bundle", folder, name]
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    )
    said = ""
    for line in server.stdout:
        said += line
        if line.strip().startswith("stop "):
            subprocess.run(
                ["runc", "--root", f"{folder}/state", "kill", name, "TERM"], check=True
            )
    return said, server.wait()


def main():
    binary, folder = sys.argv[1:]
    shutil.rmtree(folder, ignore_errors=True)
    fill(f"{folder}/root", binary)
    try:
        for name, seccomp in (("profile", profile()), ("unit", of_the_unit())):
            said, code = run(folder, name, seccomp)
            if code != 0 or not READY.search(said):
                sys.exit(f"error: under the calls of the {name} it ended with {code}:\n{said}")
            print(f"    in a container, with the calls of the {name}: it serves")
        said, code = run(folder, "default", without_io_uring())
        if code != 69 or "seccomp" not in said or "io_uring" not in said:
            sys.exit(f"error: without io_uring it ended with {code}:\n{said}")
        print("    in a container, without io_uring: it says what is missing")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
