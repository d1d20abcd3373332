//! Sizes: files, `mod.rs` and functions stay small enough to be read in one go.
//!
//! Inline test modules and test functions do not count. Uniform tables may be longer when
//! `HOUSE.long_tables` names them with a reason.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::house::{FILE_LINES, FUNCTION_LINES, House, MOD_RS_LINES};
use crate::source::{Source, Violation};

/// Checks one file of any tree.
pub fn check(source: &Source, house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    let lines = file_lines(source);
    if source.path.ends_with("/mod.rs") && source.in_src() && lines > MOD_RS_LINES {
        let text = format!(
            "{lines} lines, a mod.rs has at most {MOD_RS_LINES}: it holds documentation and \
             re-exports; move the code to a file with a name of its own"
        );
        found.push(source.violation(1, "mod-rs-length", text));
    }
    if lines > FILE_LINES && !is_listed(house, &source.path, None) {
        let text = format!(
            "{lines} lines without tests, at most {FILE_LINES}: split it by thought, one file each"
        );
        found.push(source.violation(1, "file-length", text));
    }
    for (name, line, lines) in functions(source) {
        if lines > FUNCTION_LINES && !is_listed(house, &source.path, Some(&name)) {
            let text = format!(
                "fn {name} has {lines} lines, at most {FUNCTION_LINES}: take named steps out of it"
            );
            found.push(source.violation(line, "function-length", text));
        }
    }
    found
}

/// Rows of `HOUSE.long_tables` that allow nothing any more.
pub fn check_long_tables(sources: &[Source], house: &House) -> Vec<Violation> {
    let is_long = |source: &Source, function: Option<&str>| match function {
        None => file_lines(source) > FILE_LINES,
        Some(function) => functions(source)
            .iter()
            .any(|(name, _, lines)| name == function && *lines > FUNCTION_LINES),
    };
    let stale = house.long_tables.iter().filter(|row| {
        let source = sources.iter().find(|source| source.path == row.path);
        !source.is_some_and(|source| is_long(source, row.function))
    });
    stale
        .map(|row| Violation {
            path: row.path.to_owned(),
            line: 1,
            rule: "stale-row",
            text: format!(
                "no longer too long ({}): take its row out of HOUSE.long_tables",
                row.reason
            ),
        })
        .collect()
}

fn is_listed(house: &House, path: &str, function: Option<&str>) -> bool {
    house
        .long_tables
        .iter()
        .any(|row| row.path == path && row.function == function)
}

fn file_lines(source: &Source) -> usize {
    let all = source.text.lines().count();
    let tests: usize = source
        .test_lines
        .iter()
        .map(|lines| lines.clone().count())
        .sum();
    all.saturating_sub(tests)
}

/// Name, first line and number of lines of each function outside tests.
fn functions(source: &Source) -> Vec<(String, usize, usize)> {
    #[derive(Default)]
    struct Functions(Vec<(String, usize, usize)>);
    impl Functions {
        fn note(&mut self, signature: &syn::Signature, block: &syn::Block) {
            let start = signature.span().start().line;
            let lines = block.span().end().line - start + 1;
            self.0.push((signature.ident.to_string(), start, lines));
        }
    }
    impl<'ast> Visit<'ast> for Functions {
        fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
            self.note(&item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }
        fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
            self.note(&item.sig, &item.block);
            visit::visit_impl_item_fn(self, item);
        }
        fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
            if let Some(block) = &item.default {
                self.note(&item.sig, block);
            }
            visit::visit_trait_item_fn(self, item);
        }
    }
    if source.test_only {
        return Vec::new();
    }
    let mut functions = Functions::default();
    functions.visit_file(&source.live);
    functions.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::{HOUSE, LongTable};

    fn parse(path: &str, text: &str) -> Source {
        Source::parse(path, text).expect("the sample parses")
    }

    fn rules(path: &str, text: &str, house: &House) -> Vec<&'static str> {
        check(&parse(path, text), house)
            .iter()
            .map(|violation| violation.rule)
            .collect()
    }

    /// A function that takes exactly `lines` lines from its signature on.
    fn function(lines: usize, head: &str) -> String {
        format!("{head} {{\n{}}}\n", "    f();\n".repeat(lines - 2))
    }

    #[test]
    fn a_file_at_the_limit_passes_and_one_line_more_does_not() {
        let file = "// a\n".repeat(FILE_LINES);
        for path in [
            "src/id.rs",
            "tests/sim.rs",
            "benches/hub.rs",
            "loadtest/src/main.rs",
        ] {
            assert_eq!(rules(path, &file, &HOUSE), [""; 0], "{path}");
            assert_eq!(
                rules(path, &(file.clone() + "// b\n"), &HOUSE),
                ["file-length"],
                "{path}"
            );
        }
    }

    #[test]
    fn inline_test_modules_do_not_count() {
        let tests = format!(
            "#[cfg(test)]\nmod tests {{\n{}}}\n",
            "// a\n".repeat(FILE_LINES)
        );
        let file = "// a\n".repeat(FILE_LINES) + &tests;
        assert_eq!(rules("src/id.rs", &file, &HOUSE), [""; 0]);
        assert_eq!(
            rules("src/id.rs", &(file + "// b\n"), &HOUSE),
            ["file-length"]
        );
    }

    #[test]
    fn a_mod_rs_is_short() {
        let file = "// a\n".repeat(MOD_RS_LINES);
        assert_eq!(rules("src/ws/mod.rs", &file, &HOUSE), [""; 0]);
        let file = file + "// b\n";
        assert_eq!(rules("src/ws/mod.rs", &file, &HOUSE), ["mod-rs-length"]);
        assert_eq!(rules("src/ws/model.rs", &file, &HOUSE), [""; 0]);
    }

    #[test]
    fn a_function_at_the_limit_passes_and_one_line_more_does_not() {
        for (before, head, after) in [
            ("", "/// Doc.\n#[inline]\npub async fn a()", ""),
            ("impl S {\n", "fn a(&self)", "}\n"),
            ("trait T {\n", "fn a(&self)", "}\n"),
            ("fn outer() {\n", "const fn a()", "}\n"),
        ] {
            let sample = |lines| format!("{before}{}{after}", function(lines, head));
            let limit = if before.starts_with("fn") {
                FUNCTION_LINES - 2
            } else {
                FUNCTION_LINES
            };
            assert_eq!(
                rules("src/id.rs", &sample(limit), &HOUSE),
                [""; 0],
                "{head}"
            );
            let broken = rules("src/id.rs", &sample(limit + 1), &HOUSE);
            assert_eq!(broken, ["function-length"], "{head}");
        }
    }

    #[test]
    fn test_functions_may_be_long() {
        let long = function(FUNCTION_LINES + 1, "fn a()");
        assert_eq!(rules("tests/sim.rs", &long, &HOUSE), ["function-length"]);
        assert_eq!(
            rules("tests/sim.rs", &format!("#[test]\n{long}"), &HOUSE),
            [""; 0]
        );
        let module = format!("#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert_eq!(rules("src/id.rs", &module, &HOUSE), [""; 0]);
    }

    #[test]
    fn listed_tables_may_be_long_as_long_as_they_are() {
        const TABLES: House = House {
            long_tables: &[
                LongTable {
                    path: "src/id.rs",
                    function: None,
                    reason: "one row per name",
                },
                LongTable {
                    path: "src/app.rs",
                    function: Some("a"),
                    reason: "one row per flag",
                },
            ],
            ..HOUSE
        };
        let file = "// a\n".repeat(FILE_LINES + 1);
        let long = function(FUNCTION_LINES + 1, "fn a()");
        assert_eq!(rules("src/id.rs", &file, &TABLES), [""; 0]);
        assert_eq!(rules("src/app.rs", &long, &TABLES), [""; 0]);
        assert_eq!(
            rules("src/app.rs", &long.replace("fn a", "fn b"), &TABLES),
            ["function-length"]
        );

        let listed = [parse("src/id.rs", &file), parse("src/app.rs", &long)];
        assert_eq!(check_long_tables(&listed, &TABLES), []);
        let short = [parse("src/id.rs", "// a\n"), parse("src/app.rs", &long)];
        let stale = check_long_tables(&short, &TABLES);
        assert_eq!(
            stale.iter().map(|v| v.path.as_str()).collect::<Vec<_>>(),
            ["src/id.rs"]
        );
        assert_eq!(check_long_tables(&[], &TABLES).len(), 2);
    }
}
