//! The profile of seccomp: that it is one, and allows what the server needs and Docker leaves out.
//! That the server runs under it is shown by `make test-package`.

use crate::text;
use serde_json::Value;

fn profile() -> Value {
    serde_json::from_str(&text("docker/seccomp.json")).unwrap()
}

fn is_allowed(profile: &Value, call: &str) -> bool {
    let rules = profile["syscalls"].as_array().unwrap();
    rules.iter().any(|rule| {
        let names = rule["names"].as_array().unwrap();
        let allows = rule["action"] == "SCMP_ACT_ALLOW" && rule.get("args").is_none();
        allows && names.iter().any(|name| name == call)
    })
}

#[test]
fn it_allows_io_uring_and_refuses_what_it_does_not_name() {
    let profile = profile();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    for call in [
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "sched_setaffinity",
    ] {
        assert!(is_allowed(&profile, call), "{call}");
    }
    for call in ["bpf", "init_module", "keyctl", "mount", "reboot", "setns"] {
        assert!(!is_allowed(&profile, call), "{call}");
    }
}

// Docker chooses among rules by these; the runtimes of Kubernetes take them all.
#[test]
fn it_means_the_same_to_docker_and_to_kubernetes() {
    let profile = profile();
    for rule in profile["syscalls"].as_array().unwrap() {
        for key in rule.as_object().unwrap().keys() {
            let known = ["comment", "names", "action", "args", "errnoRet"];
            assert!(known.contains(&key.as_str()), "{key}");
        }
    }
    assert!(profile.get("archMap").is_none());
    let architectures = profile["architectures"].as_array().unwrap();
    assert_eq!(architectures.len(), 2);
}
