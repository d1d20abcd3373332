//! `docs/dependencies.md` and `Cargo.toml` tell the same story.
//!
//! Every direct dependency (normal, dev, build, for one target) has exactly one row in a table of
//! the document: its name in backquotes in the first cell, where it runs in the second. A
//! dependency for tests alone says `tests`, and only such a one does.

use std::collections::BTreeMap;

use crate::source::Violation;

/// The document.
pub const DOCUMENT: &str = "docs/dependencies.md";
/// The manifest.
pub const MANIFEST: &str = "Cargo.toml";

/// Where a dependency may run.
const PLACES: [&str; 6] = ["shard", "control", "start", "everywhere", "build", "tests"];

/// Compares the manifest with the document.
pub fn check(manifest: &str, document: &str) -> Vec<Violation> {
    let wrong = |path: &str, line: usize, text: String| Violation {
        path: path.to_owned(),
        line,
        rule: "dependencies",
        text,
    };
    let declared = match declared(manifest) {
        Ok(declared) => declared,
        Err(error) => return vec![wrong(MANIFEST, 1, format!("not readable: {error}"))],
    };
    let mut found = Vec::new();
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows(document) {
        let name = row.name;
        if let Some(first) = told.insert(name, row.line) {
            let text = format!("`{name}` has a row in line {first} already: keep one");
            found.push(wrong(DOCUMENT, row.line, text));
        }
        let unknown = row.places.iter().find(|place| !PLACES.contains(place));
        if let Some(place) = unknown {
            let text = format!("`{place}` is no place to run, use: {}", PLACES.join(", "));
            found.push(wrong(DOCUMENT, row.line, text));
        }
        if row.reason.split_whitespace().count() < 3 {
            let text = format!("`{name}` is there without a reason: say what for and why this one");
            found.push(wrong(DOCUMENT, row.line, text));
        }
        match declared.get(name) {
            None => {
                let text = format!("`{name}` is no direct dependency any more: take its row out");
                found.push(wrong(DOCUMENT, row.line, text));
            }
            Some(tests_only) if *tests_only != (row.places == ["tests"]) => {
                let text = format!(
                    "`{name}` must say `tests` exactly when only [dev-dependencies] has it"
                );
                found.push(wrong(DOCUMENT, row.line, text));
            }
            Some(_) => {}
        }
    }
    for name in declared
        .keys()
        .filter(|name| !told.contains_key(name.as_str()))
    {
        let text =
            format!("`{name}` has no row: say in {DOCUMENT} what for, why, and where it runs");
        let key = |line: &str| line.split(['=', '.']).next().map(str::trim) == Some(name.as_str());
        let line = manifest.lines().position(key);
        found.push(wrong(MANIFEST, line.map_or(1, |at| at + 1), text));
    }
    found
}

/// Direct dependencies, and whether only tests have them.
fn declared(manifest: &str) -> Result<BTreeMap<String, bool>, toml::de::Error> {
    let manifest: toml::Table = manifest.parse()?;
    let mut tables = vec![&manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    let mut declared = BTreeMap::new();
    for table in tables {
        for (section, tests_only) in [
            ("dependencies", false),
            ("build-dependencies", false),
            ("dev-dependencies", true),
        ] {
            let names = table.get(section).and_then(toml::Value::as_table);
            for name in names.into_iter().flat_map(|names| names.keys()) {
                let entry = declared.entry(name.clone()).or_insert(tests_only);
                *entry &= tests_only;
            }
        }
    }
    Ok(declared)
}

struct Row<'a> {
    line: usize,
    name: &'a str,
    places: Vec<&'a str>,
    reason: &'a str,
}

/// Rows of the tables whose first cell is a name in backquotes.
fn rows(document: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (at, line) in document.lines().enumerate() {
        let inside = line
            .trim()
            .strip_prefix('|')
            .and_then(|line| line.strip_suffix('|'));
        let cells: Vec<&str> = inside
            .unwrap_or_default()
            .split('|')
            .map(str::trim)
            .collect();
        let [name, places, reason, ..] = cells.as_slice() else {
            continue;
        };
        let Some(name) = name
            .strip_prefix('`')
            .and_then(|name| name.strip_suffix('`'))
        else {
            continue;
        };
        let places = places.split(',').map(str::trim).collect();
        rows.push(Row {
            line: at + 1,
            name,
            places,
            reason,
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARGO: &str = "[package]\nname = \"x\"\n[dependencies]\nbytes = \"1\"\n\
        hex = { version = \"1\" }\n[dev-dependencies]\nproptest = \"1\"\nhex = \"1\"\n\
        [build-dependencies]\ncc = \"1\"\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n";
    const TOLD: &str = "# Dependencies\n\n| crate | where | why |\n|---|---|---|\n\
        | `bytes` | shard, control | counts its references itself |\n\
        | `hex` | everywhere | small and finished |\n\
        | `cc` | build | compiles the C part |\n\
        | `libc` | start | asks the kernel |\n\
        | `proptest` | tests | shrinks what fails |\n";

    fn broken(manifest: &str, document: &str) -> Vec<String> {
        let violations = check(manifest, document);
        violations
            .iter()
            .map(|found| format!("{}:{}", found.path, found.line))
            .collect()
    }

    #[test]
    fn manifest_and_document_that_agree_pass() {
        assert_eq!(check(CARGO, TOLD), []);
    }

    #[test]
    fn a_dependency_without_a_row_is_caught_in_every_section() {
        for (name, line) in [("bytes", 4), ("proptest", 7), ("cc", 10), ("libc", 12)] {
            let document: String = TOLD
                .lines()
                .filter(|row| !row.contains(name))
                .map(|row| format!("{row}\n"))
                .collect();
            assert_eq!(
                broken(CARGO, &document),
                [format!("Cargo.toml:{line}")],
                "{name}"
            );
        }
    }

    #[test]
    fn stale_double_misplaced_and_empty_rows_are_caught() {
        let manifest = CARGO.replace("bytes = \"1\"\n", "");
        assert_eq!(broken(&manifest, TOLD), ["docs/dependencies.md:5"]);
        let twice = format!("{TOLD}| `hex` | everywhere | small and finished |\n");
        assert_eq!(broken(CARGO, &twice), ["docs/dependencies.md:10"]);
        for (from, to) in [
            ("shard, control", "shard, cellar"),
            ("| tests |", "| shard |"),
            ("| build |", "| tests |"),
            ("counts its references itself", "fast"),
        ] {
            let document = TOLD.replace(from, to);
            assert_eq!(broken(CARGO, &document).len(), 1, "{from} -> {to}");
        }
    }

    #[test]
    fn a_manifest_that_is_not_toml_is_reported() {
        assert_eq!(broken("[dependencies", TOLD), ["Cargo.toml:1"]);
    }
}
