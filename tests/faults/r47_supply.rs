//! R47: where the parts of the server come from. `make deny` asks for the rest: advisories and
//! licences.

use std::path::Path;

fn text(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(path)).unwrap()
}

#[test]
fn r47_every_part_is_a_release_of_the_registry_and_pinned() {
    const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
    let lock: toml::Table = text("Cargo.lock").parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    assert!(packages.len() > 100, "{}", packages.len());
    for package in packages {
        // Our own have no source.
        if let Some(source) = package.get("source") {
            assert_eq!(source.as_str(), Some(REGISTRY), "{package}");
            assert!(package.get("checksum").is_some(), "{package}");
        }
    }
    let deny: toml::Table = text("deny.toml").parse().unwrap();
    let sources = &deny["sources"];
    for unknown in ["unknown-registry", "unknown-git"] {
        assert_eq!(sources[unknown].as_str(), Some("deny"));
    }
    assert_eq!(sources["allow-git"].as_array().map(Vec::len), Some(0));
    assert_eq!(deny["bans"]["wildcards"].as_str(), Some("deny"));
    assert_eq!(deny["advisories"]["yanked"].as_str(), Some("deny"));
}
