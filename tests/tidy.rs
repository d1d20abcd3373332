//! The house test: reads the project's own source and fails when a house rule is broken.
//!
//! What it holds to: the floors and what each may name, sizes of files and functions, names, bans,
//! and that `docs/dependencies.md` says why each direct dependency is here. The tables of the house
//! stand in `tidy/house.rs`; a new module, a longer table or a further `unsafe` is a new row there,
//! with its reason.
//!
//! What it is not: a formatter (rustfmt) or a general linter (clippy). It does not expand macros: a
//! path that a macro pastes together from parts is not seen, a path written out inside one is.
//!
//! Every rule is shown, beside its code, to catch a violation and to let a good sample pass.
//! `TIDY_ROOT=DIR cargo test --test tidy` reads another tree instead of this one.

#[path = "tidy/bans.rs"]
mod bans;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/faults.rs"]
mod faults;
#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/house.rs"]
mod house;
#[path = "tidy/links.rs"]
mod links;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/text.rs"]
mod text;
#[path = "tidy/tree.rs"]
mod tree;

use std::path::PathBuf;

use crate::house::HOUSE;
use crate::tree::Tree;

#[test]
fn the_house_is_tidy() {
    let root = std::env::var_os("TIDY_ROOT")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let tree = Tree::read(&root).expect("the source tree is readable");
    assert!(
        tree.text("src/lib.rs").is_some(),
        "no src/lib.rs under {}: this is not the tree to check",
        root.display()
    );
    let violations = tree.check(&HOUSE);
    let report: String = violations
        .iter()
        .map(|violation| format!("{violation}\n"))
        .collect();
    assert!(
        violations.is_empty(),
        "{} broken house rules:\n{report}",
        violations.len()
    );
}

#[test]
fn every_fault_of_the_table_has_its_test() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let tree = Tree::read(&root).expect("the source tree is readable");
    let table = std::fs::read_to_string(root.join("docs/faults.md")).expect("readable");
    let text = |path: &str| tree.text(path).unwrap_or_default().to_owned();
    let found = faults::check(&table, &tree.paths("tests/"), text);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    for folder in ["docs", "docs/adr"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("there are documents");
        for entry in entries {
            let name = entry.expect("readable").file_name();
            let name = name.to_string_lossy().into_owned();
            if name.ends_with(".md") {
                paths.push(format!("{folder}/{name}"));
            }
        }
    }
    assert!(paths.len() > 5, "{paths:?}");
    let found: Vec<String> = paths
        .iter()
        .flat_map(|path| {
            let text = std::fs::read_to_string(root.join(path)).expect("readable");
            links::check(path, &text, |path| root.join(path).exists())
        })
        .map(|violation| violation.to_string())
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}
