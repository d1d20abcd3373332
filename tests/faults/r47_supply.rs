//! R47: what the server is made of: releases of the registry, pinned, and nothing that is loaded
//! when it runs but the system's own libraries. `make deny` asks for the rest: advisories and
//! licences.

use crate::scene::row;
use memchr::memmem::find_iter;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// In front of the parts' names, in the paths that a program holds for its panics.
const REGISTRY_PATHS: &[u8] = b"/registry/src/";
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// What the system may add: the C library and its own parts, and the unwinder.
const LIBRARIES: [&str; 7] = [
    "libc",
    "libm",
    "libgcc_s",
    "ld-linux",
    "libpthread",
    "libdl",
    "librt",
];

fn text(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap()
}

/// The parts that are pinned, as `name-version`.
fn pinned() -> BTreeSet<String> {
    let lock: toml::Table = text("Cargo.lock").parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    assert!(packages.len() > 100, "{}", packages.len());
    let mut names = BTreeSet::new();
    for package in packages {
        // Our own have no source.
        if let Some(source) = package.get("source") {
            assert_eq!(source.as_str(), Some(REGISTRY), "{package}");
            assert!(package.get("checksum").is_some(), "{package}");
            let part = |key: &str| package[key].as_str().unwrap();
            names.insert(format!("{}-{}", part("name"), part("version")));
        }
    }
    names
}

fn expect_strict_rules() {
    let deny: toml::Table = text("deny.toml").parse().unwrap();
    let sources = &deny["sources"];
    for unknown in ["unknown-registry", "unknown-git"] {
        assert_eq!(sources[unknown].as_str(), Some("deny"));
    }
    assert_eq!(sources["allow-git"].as_array().map(Vec::len), Some(0));
    assert_eq!(deny["bans"]["wildcards"].as_str(), Some("deny"));
    assert_eq!(deny["advisories"]["yanked"].as_str(), Some("deny"));
}

/// The parts whose code a program holds, as `name-version`.
fn parts(program: &[u8]) -> BTreeSet<String> {
    assert_eq!(
        find_iter(program, b"/git/checkouts/").count(),
        0,
        "a part is of no release"
    );
    let found = find_iter(program, REGISTRY_PATHS).map(|at| {
        let rest = &program[at + REGISTRY_PATHS.len()..];
        let rest = String::from_utf8_lossy(&rest[..rest.len().min(200)]);
        let mut folders = rest.split('/');
        let registry = folders.next().unwrap();
        assert!(registry.starts_with("index.crates.io-"), "{registry}");
        let name = folders.next().unwrap();
        let is_of_name = |c: &char| c.is_ascii_alphanumeric() || "-_.+".contains(*c);
        name.chars().take_while(is_of_name).collect()
    });
    found.collect()
}

#[test]
fn r47_every_part_is_a_release_of_the_registry_and_pinned() {
    let pinned = pinned();
    expect_strict_rules();
    row("r47").run(|scene| {
        let about = |what: &str| format!("/proc/{}/{what}", scene.server.pid());
        let program = fs::read(about("exe")).unwrap();
        let parts = parts(&program);
        let strangers: Vec<&String> = parts.difference(&pinned).collect();
        println!(
            "r47: {} of {} parts are seen in the program",
            parts.len(),
            pinned.len()
        );
        assert!(parts.len() > 20, "{parts:?}");
        assert!(strangers.is_empty(), "{strangers:?}");
        let own = fs::read_link(about("exe")).unwrap();
        let own = own.to_str().unwrap();
        for line in fs::read_to_string(about("maps")).unwrap().lines() {
            let mut fields = line.split_whitespace();
            let rights = fields.nth(1).unwrap();
            let runs = rights.contains('x');
            assert!(
                !(runs && rights.contains('w')),
                "code can be written: {line}"
            );
            let Some(file) = fields.nth(3).filter(|file| runs && file.starts_with('/')) else {
                continue;
            };
            let name = file.rsplit('/').next().unwrap();
            let is_known = LIBRARIES.iter().any(|known| name.starts_with(known));
            assert!(file == own || is_known, "{line}");
        }
        scene.client().expect_quiet();
    });
}
