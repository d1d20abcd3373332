#!/usr/bin/env python3
"""Makes deploy/docker/seccomp.json from the profile that Docker has by default.

usage: make-seccomp-profile.py DEFAULT.json VERSION >deploy/docker/seccomp.json

DEFAULT.json is seccomp/default.json of github.com/moby/profiles (Apache License 2.0), VERSION what is
said of where it is from. What comes out is that profile as it is in force for a container without any
capability, on x86-64 and on ARM of 64 bits, and the calls of io_uring, which it leaves out.

Docker chooses among the rules by capability and architecture; the runtimes of Kubernetes read the same
file without knowing of that, and would take all of them. So the choice is made here, and one file fits
both.
"""

import json
import sys

IO_URING = ["io_uring_enter", "io_uring_register", "io_uring_setup"]
# As the profile calls them.
ARCHES = {"amd64", "arm64"}
ARCHITECTURES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"]


def is_in_force(rule):
    """Whether it holds without capabilities, on one of the architectures."""
    includes, excludes = rule.get("includes", {}), rule.get("excludes", {})
    if includes.get("caps"):
        return False
    arches = set(includes.get("arches", ARCHES))
    return bool(arches & ARCHES) and not ARCHES <= set(excludes.get("arches", []))


def main():
    source, version = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        default = json.load(file)
    plain, special = set(IO_URING), []
    for rule in filter(is_in_force, default["syscalls"]):
        rule = {key: rule[key] for key in ("names", "action", "errnoRet", "args") if key in rule}
        if rule["action"] == "SCMP_ACT_ALLOW" and not rule.get("args"):
            plain.update(rule["names"])
        else:
            special.append(rule)
    profile = {
        "defaultAction": default["defaultAction"],
        "defaultErrnoRet": default["defaultErrnoRet"],
        "architectures": ARCHITECTURES,
        "syscalls": [
            {
                "comment": f"What Docker allows without capabilities ({version}, Apache License "
                "2.0), and io_uring. Made by scripts/make-seccomp-profile.py.",
                "names": sorted(plain),
                "action": "SCMP_ACT_ALLOW",
            },
            *special,
        ],
    }
    json.dump(profile, sys.stdout, indent=2)
    print()


main()
