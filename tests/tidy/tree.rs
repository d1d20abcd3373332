//! The tree of files that is checked, read once, and all rules over it.
//!
//! Not here: a rule. The rules see texts only, so that a tree of fixtures needs no disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use crate::house::House;
use crate::source::{Source, Violation};
use crate::{bans, dependencies, floors, names, sizes, text};

/// Folders that hold Rust to check.
const RUST_FOLDERS: [&str; 5] = ["src", "tests", "benches", "examples", "loadtest"];
/// Folders below them that hold none of ours.
const FOREIGN_FOLDERS: [&str; 3] = ["target", "node_modules", "corpus"];
/// The folder of the decision records.
const RECORDS: &str = "docs/adr";

/// Path from the root -> text.
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads what the rules look at: Rust files, decision records, manifest and its document.
    pub fn read(root: &Path) -> io::Result<Tree> {
        let mut files = BTreeMap::new();
        for folder in RUST_FOLDERS {
            read_folder(root, folder, "rs", &mut files)?;
        }
        read_folder(root, RECORDS, "md", &mut files)?;
        for file in [dependencies::MANIFEST, dependencies::DOCUMENT] {
            if root.join(file).exists() {
                files.insert(file.to_owned(), fs::read_to_string(root.join(file))?);
            }
        }
        Ok(Tree(files))
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// The paths of all files in a folder.
    pub fn paths(&self, folder: &str) -> Vec<&str> {
        let paths = self.0.keys().map(String::as_str);
        paths.filter(|path| path.starts_with(folder)).collect()
    }

    /// All violations, by file and line.
    pub fn check(&self, house: &House) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut sources = Vec::new();
        for (path, text) in self.0.iter().filter(|(path, _)| path.ends_with(".rs")) {
            match Source::parse(path, text) {
                Ok(source) => sources.push(source),
                Err(violation) => found.push(violation),
            }
        }
        mark_test_files(&mut sources);
        for source in &sources {
            found.extend(floors::check(source, house));
            found.extend(sizes::check(source, house));
            found.extend(names::check(source, house));
            found.extend(bans::check(source, house));
            found.extend(text::check(source));
        }
        found.extend(sizes::check_long_tables(&sources, house));
        found.extend(names::check_good_names(&sources, house));
        found.extend(bans::check_unsafe_files(&sources, house, |path| {
            self.text(path)
        }));
        let manifest = self.text(dependencies::MANIFEST).unwrap_or_default();
        let document = self.text(dependencies::DOCUMENT).unwrap_or_default();
        found.extend(dependencies::check(manifest, document));
        found.sort();
        found
    }
}

/// Marks the files of test modules that stand in files of their own, and the files below them.
fn mark_test_files(sources: &mut [Source]) {
    let mut modules = Vec::new();
    let mut paths = Vec::new();
    for source in sources.iter().filter(|source| source.in_src()) {
        let folder = source
            .path
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        for test in &source.test_files {
            match &test.path {
                Some(path) => paths.push(format!("{folder}/{path}")),
                None => modules.push([source.module(), vec![test.name.clone()]].concat()),
            }
        }
    }
    for source in sources.iter_mut().filter(|source| source.in_src()) {
        let module = source.module();
        source.test_only |= modules.iter().any(|test| module.starts_with(test));
        source.test_only |= paths.contains(&source.path);
    }
}

fn read_folder(
    root: &Path,
    folder: &str,
    extension: &str,
    files: &mut BTreeMap<String, String>,
) -> io::Result<()> {
    let path = root.join(folder);
    if !path.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let inner = format!("{folder}/{name}");
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && !FOREIGN_FOLDERS.contains(&name.as_str()) {
                read_folder(root, &inner, extension, files)?;
            }
        } else if Path::new(&name)
            .extension()
            .is_some_and(|found| found == extension)
        {
            files.insert(inner, fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::HOUSE;

    const QUIET: House = House {
        unsafe_files: &[],
        long_tables: &[],
        ..HOUSE
    };

    fn tree(files: &[(&str, &str)]) -> Tree {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Tree(files.collect())
    }

    fn broken(files: &[(&str, &str)]) -> Vec<String> {
        let violations = tree(files).check(&QUIET);
        violations
            .iter()
            .map(|v| format!("{}:{} {}", v.path, v.line, v.rule))
            .collect()
    }

    #[test]
    fn a_good_tree_passes() {
        let files = [
            ("src/lib.rs", "//! The crate.\npub mod hub;\npub mod id;\n"),
            ("src/id.rs", "//! Words.\npub struct Id(u64);\n"),
            (
                "src/hub/mod.rs",
                "//! State.\nmod index;\npub use index::Index;\n",
            ),
            (
                "src/hub/index.rs",
                "//! Who listens.\nuse crate::id::Id;\npub struct Index(Id);\n",
            ),
            (
                "tests/sim.rs",
                "//! Many hubs.\nuse shardcast::hub::Index;\n",
            ),
            ("Cargo.toml", "[dependencies]\nhex = \"1\"\n"),
            (
                "docs/dependencies.md",
                "| `hex` | shard | small and finished |\n",
            ),
        ];
        assert_eq!(broken(&files), [""; 0]);
    }

    #[test]
    fn every_rule_is_asked_about_a_whole_tree() {
        let files = [
            (
                "src/hub/mod.rs",
                "use crate::shard::X;\nuse std::fs;\nstruct IndexManager;\n",
            ),
            (
                "src/pusher/app.rs",
                "//! x\nuse glommio::spawn_local;\nuse super::*;\n// XXX\n",
            ),
            ("tests/sim.rs", "//! x\nfn f() { unsafe { dbg!(1) } }\n"),
            ("tests/bad.rs", "//! x\nfn {\n}"),
            ("Cargo.toml", "[dependencies]\nhex = \"1\"\n"),
        ];
        assert_eq!(
            broken(&files),
            [
                "Cargo.toml:2 dependencies",
                "src/hub/mod.rs:1 first-line",
                "src/hub/mod.rs:1 floors",
                "src/hub/mod.rs:2 sans-io",
                "src/hub/mod.rs:3 names",
                "src/pusher/app.rs:2 confined",
                "src/pusher/app.rs:3 glob",
                "src/pusher/app.rs:4 note",
                "tests/bad.rs:2 parse",
                "tests/sim.rs:2 unfinished",
                "tests/sim.rs:2 unsafe",
            ]
        );
    }

    #[test]
    fn a_test_module_in_files_of_its_own_is_test_code() {
        let inner = "//! x\nuse super::*;\nuse crate::server::X;\nuse std::time::Instant;\n";
        let files = [
            ("src/hub/mod.rs", "//! x\n#[cfg(test)]\nmod tests;\n"),
            ("src/hub/tests.rs", inner),
            ("src/hub/tests/deep.rs", inner),
        ];
        assert_eq!(broken(&files), [""; 0]);
        let index = "//! x\n#[cfg(test)]\n#[path = \"index_tests.rs\"]\nmod tests;\n";
        let beside = [
            ("src/hub/index.rs", index),
            ("src/hub/index_tests.rs", inner),
        ];
        assert_eq!(broken(&beside), [""; 0]);
        let files = [("src/hub/mod.rs", "//! x\nmod tests;\n"), files[1]];
        assert_eq!(
            broken(&files),
            [
                "src/hub/tests.rs:2 glob",
                "src/hub/tests.rs:3 floors",
                "src/hub/tests.rs:4 sans-io"
            ]
        );
    }

    #[test]
    fn the_tree_on_disk_is_read_to_its_depth() {
        let tree = Tree::read(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("it is readable");
        for path in [
            "src/lib.rs",
            "tests/tidy.rs",
            "tests/tidy/tree.rs",
            "Cargo.toml",
        ] {
            assert!(tree.text(path).is_some(), "{path}");
        }
        assert!(tree.0.keys().all(|path| !path.contains("/target/")));
    }
}
