//! Bans: `unsafe` outside the listed files, unfinished code, glob imports, modules by `#[path]`.
//!
//! Unsafe and unfinished code are banned everywhere, tests included; glob imports and `#[path]`
//! only in `src/`, outside its tests.

use proc_macro2::TokenTree;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::house::House;
use crate::source::{Source, Violation, flatten};

/// Macros that stand for code that is not there yet, or was left from a search.
const UNFINISHED: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Checks one file of any tree.
pub fn check(source: &Source, house: &House) -> Vec<Violation> {
    let mut found = unfinished(source);
    if !house.unsafe_files.iter().any(|row| row.path == source.path) {
        found.extend(unsafe_lines(source).into_iter().map(|line| {
            let text = "`unsafe` outside the listed files: find a safe way, or write a decision \
                        record and list the file in HOUSE.unsafe_files (tests/tidy/house.rs)";
            source.violation(line, "unsafe", text.to_owned())
        }));
    }
    if source.in_src() && !source.test_only {
        found.extend(globs_and_paths(source));
    }
    found
}

/// Rows of `HOUSE.unsafe_files` that allow nothing any more, or whose decision record is missing.
/// `read` gives the text of a file of the tree.
pub fn check_unsafe_files<'a>(
    sources: &[Source],
    house: &House,
    read: impl Fn(&str) -> Option<&'a str>,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for row in house.unsafe_files {
        let row_violation = |rule, text| Violation {
            path: row.path.to_owned(),
            line: 1,
            rule,
            text,
        };
        let source = sources.iter().find(|source| source.path == row.path);
        if source.is_none_or(|source| unsafe_lines(source).is_empty()) {
            let text = "holds no `unsafe`: take its row out of HOUSE.unsafe_files".to_owned();
            found.push(row_violation("stale-row", text));
        } else if !read(row.adr).is_some_and(|adr| adr.contains(row.path)) {
            let text = format!(
                "holds `unsafe`, but {} does not exist or does not name this file: write down why",
                row.adr
            );
            found.push(row_violation("unsafe", text));
        }
    }
    found
}

fn unsafe_lines(source: &Source) -> Vec<usize> {
    let mut lines: Vec<usize> = flatten(&source.tokens)
        .iter()
        .filter(|token| matches!(token, TokenTree::Ident(ident) if ident == "unsafe"))
        .map(|token| token.span().start().line)
        .collect();
    lines.dedup();
    lines
}

fn unfinished(source: &Source) -> Vec<Violation> {
    let tokens = flatten(&source.tokens);
    let calls = tokens.windows(3).filter_map(|window| match window {
        [
            TokenTree::Ident(name),
            TokenTree::Punct(mark),
            TokenTree::Group(_),
        ] if mark.as_char() == '!' && UNFINISHED.iter().any(|macro_name| name == macro_name) => {
            Some(name)
        }
        _ => None,
    });
    calls
        .map(|name| {
            let text = format!("`{name}!` in the tree: finish it, or leave the whole thing out");
            source.violation(name.span().start().line, "unfinished", text)
        })
        .collect()
}

fn globs_and_paths(source: &Source) -> Vec<Violation> {
    struct Finder<'a> {
        source: &'a Source,
        found: Vec<Violation>,
    }
    impl<'ast> Visit<'ast> for Finder<'_> {
        fn visit_use_glob(&mut self, glob: &'ast syn::UseGlob) {
            let text = "glob import: name what is imported (only test modules take everything \
                        from `super`)";
            let line = glob.span().start().line;
            self.found
                .push(self.source.violation(line, "glob", text.to_owned()));
        }
        fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
            for attribute in item
                .attrs
                .iter()
                .filter(|attr| attr.path().is_ident("path"))
            {
                let text = "#[path] hides where a module lives: let the file's name say it";
                let line = attribute.span().start().line;
                self.found
                    .push(self.source.violation(line, "path", text.to_owned()));
            }
            visit::visit_item_mod(self, item);
        }
    }
    let mut finder = Finder {
        source,
        found: Vec::new(),
    };
    finder.visit_file(&source.live);
    finder.found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::{HOUSE, UnsafeFile};

    fn parse(path: &str, text: &str) -> Source {
        Source::parse(path, text).expect("the sample parses")
    }

    fn broken(path: &str, text: &str) -> Vec<(&'static str, usize)> {
        let violations = check(&parse(path, text), &HOUSE);
        violations
            .iter()
            .map(|violation| (violation.rule, violation.line))
            .collect()
    }

    #[test]
    fn unsafe_is_caught_in_every_form_and_everywhere() {
        for text in [
            "//! x\nfn f() { unsafe { g() } }",
            "//! x\nunsafe fn f() {}",
            "//! x\nunsafe impl Send for S {}",
            "//! x\nmacro_rules! m { () => { unsafe { g() } } }",
            "//! x\n#[cfg(test)] mod tests { fn f() { unsafe { g() } } }",
            "//! x\n#[unsafe(no_mangle)] fn f() {}",
        ] {
            for path in ["src/id.rs", "tests/sim.rs", "benches/hub.rs"] {
                assert_eq!(broken(path, text), [("unsafe", 2)], "{path}: {text}");
            }
        }
        let text = "//! unsafe\n#![deny(unsafe_code)]\n/// unsafe\nfn f() { g(\"unsafe\") }";
        assert_eq!(broken("src/id.rs", text), []);
    }

    #[test]
    fn a_listed_file_may_hold_unsafe_when_its_record_names_it() {
        const LISTED: House = House {
            unsafe_files: &[UnsafeFile {
                path: "src/id.rs",
                adr: "docs/adr/1.md",
            }],
            ..HOUSE
        };
        let source = [parse("src/id.rs", "fn f() { unsafe { g() } }")];
        let rows = |sources: &[Source], adr: Option<&'static str>| -> Vec<&'static str> {
            let found = check_unsafe_files(sources, &LISTED, |path| {
                adr.filter(|_| path == "docs/adr/1.md")
            });
            found.iter().map(|violation| violation.rule).collect()
        };
        assert_eq!(check(&source[0], &LISTED), []);
        assert_eq!(rows(&source, Some("why src/id.rs needs it")), [""; 0]);
        assert_eq!(rows(&source, Some("why another file needs it")), ["unsafe"]);
        assert_eq!(rows(&source, None), ["unsafe"]);
        assert_eq!(
            rows(&[parse("src/id.rs", "fn f() {}")], Some("src/id.rs")),
            ["stale-row"]
        );
        assert_eq!(rows(&[], Some("src/id.rs")), ["stale-row"]);
    }

    #[test]
    fn unfinished_code_is_caught_everywhere() {
        for name in UNFINISHED {
            for text in [
                format!("//! x\nfn f() {{ {name}!() }}"),
                format!("//! x\nfn f() {{ std::{name}![1] }}"),
                format!("//! x\nfn f() {{ println!(\"{{}}\", {name}!(1)) }}"),
                format!("//! x\n#[test] fn f() {{ {name}!(1) }}"),
            ] {
                assert_eq!(broken("tests/sim.rs", &text), [("unfinished", 2)], "{text}");
            }
            let text = format!("//! {name}!()\nfn f() {{ {name}(); if {name} != (1) {{}} }}");
            assert_eq!(broken("src/id.rs", &text), [], "{text}");
        }
    }

    #[test]
    fn globs_are_for_test_modules() {
        for text in [
            "//! x\nuse super::*;",
            "//! x\nuse crate::ws::{codec::*, frame};",
            "//! x\nfn f() { use Opcode::*; }",
            "//! x\nmod inner { use super::*; }",
            "//! x\npub use codec::*;",
        ] {
            assert_eq!(broken("src/hub/index.rs", text), [("glob", 2)], "{text}");
        }
        for (path, text) in [
            ("src/id.rs", "#[cfg(test)]\nmod tests { use super::*; }"),
            ("src/id.rs", "use crate::id::{A, B};"),
            ("src/hub/tests.rs", "#![cfg(test)]\nuse super::*;"),
            ("tests/sim.rs", "use proptest::prelude::*;"),
        ] {
            assert_eq!(broken(path, text), [], "{path}: {text}");
        }
    }

    #[test]
    fn modules_live_where_their_name_says() {
        let text = "//! x\n#[path = \"x.rs\"]\nmod y;";
        assert_eq!(broken("src/id.rs", text), [("path", 2)]);
        assert_eq!(broken("tests/sim.rs", text), []);
        assert_eq!(broken("src/id.rs", "mod y;"), []);
    }
}
