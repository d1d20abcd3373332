//! One source file, parsed: its text, its tokens, and its code without the tests.
//!
//! Not here: any rule. Invariant: `live` holds nothing that only a test build compiles, so that the
//! rules about code need not ask again.

use std::fmt;
use std::ops::RangeInclusive;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};

/// A broken rule: where, which one, what was found and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Path from the root of the project.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// Short name of the rule.
    pub rule: &'static str,
    /// What was found and what to do about it.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: [{}] {}",
            self.path, self.line, self.rule, self.text
        )
    }
}

/// One parsed `.rs` file.
pub struct Source {
    /// Path from the root of the project, with `/`.
    pub path: String,
    /// The file as it is on disk.
    pub text: String,
    /// All tokens, tests included.
    pub tokens: TokenStream,
    /// The code without what only a test build compiles.
    pub live: syn::File,
    /// Lines of the inline test modules.
    pub test_lines: Vec<RangeInclusive<usize>>,
    /// Test modules that stand in files of their own (`#[cfg(test)] mod tests;`).
    pub test_files: Vec<TestFile>,
    /// The whole file is compiled in test builds only.
    pub test_only: bool,
}

/// A test module that stands in a file of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct TestFile {
    /// Name of the module.
    pub name: String,
    /// The value of its `#[path]`, where it has one.
    pub path: Option<String>,
}

impl Source {
    /// Parses one file; a file that is not Rust is itself a violation.
    pub fn parse(path: &str, text: &str) -> Result<Source, Violation> {
        let failed = |line: usize, error: String| Violation {
            path: path.to_owned(),
            line,
            rule: "parse",
            text: format!("not readable as Rust ({error}): mend the syntax"),
        };
        let tokens: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
            failed(error.span().start().line, error.to_string())
        })?;
        let mut live: syn::File = syn::parse2(tokens.clone())
            .map_err(|error| failed(error.span().start().line, error.to_string()))?;
        let test_only = live.attrs.iter().any(is_test_attribute);
        let mut stripper = TestStripper::default();
        stripper.visit_file_mut(&mut live);
        Ok(Source {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
            live,
            test_lines: stripper.lines,
            test_files: stripper.files,
            test_only,
        })
    }

    /// Whether the file is part of the product (not a test, bench, example or load test).
    pub fn in_src(&self) -> bool {
        self.path.starts_with("src/")
    }

    /// The module path of the file inside the crate: `src/ws/codec.rs` is `["ws", "codec"]`, the
    /// crate roots are empty.
    pub fn module(&self) -> Vec<String> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let inner = inner.strip_suffix(".rs").unwrap_or(inner);
        if inner == "lib" || inner == "main" {
            return Vec::new();
        }
        let inner = inner.strip_suffix("/mod").unwrap_or(inner);
        inner.split('/').map(str::to_owned).collect()
    }

    /// A violation in this file.
    pub fn violation(&self, line: usize, rule: &'static str, text: String) -> Violation {
        Violation {
            path: self.path.clone(),
            line,
            rule,
            text,
        }
    }
}

/// All tokens with the content of groups, in the order of the text.
pub fn flatten(tokens: &TokenStream) -> Vec<TokenTree> {
    let mut flat = Vec::new();
    for token in tokens.clone() {
        flat.push(token.clone());
        if let TokenTree::Group(group) = token {
            flat.extend(flatten(&group.stream()));
        }
    }
    flat
}

/// Whether an attribute keeps its item out of every build but a test build.
fn is_test_attribute(attribute: &syn::Attribute) -> bool {
    let path = attribute.path();
    if path.is_ident("cfg") {
        return attribute
            .parse_args::<syn::Meta>()
            .is_ok_and(|condition| needs_test(&condition));
    }
    // `#[test]`, and the attributes of async runtimes that end in it.
    path.segments
        .last()
        .is_some_and(|last| last.ident == "test")
}

/// Whether a `cfg` condition can only hold in a test build.
fn needs_test(condition: &syn::Meta) -> bool {
    match condition {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(
                syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated,
            )
            .is_ok_and(|parts| parts.iter().any(needs_test)),
        _ => false,
    }
}

/// The file that a `#[path = "..."]` names.
fn path_value(attribute: &syn::Attribute) -> Option<String> {
    let value = &attribute.meta.require_name_value().ok()?.value;
    match value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) if attribute.path().is_ident("path") => Some(text.value()),
        _ => None,
    }
}

/// Takes out of a file what only a test build compiles, and notes where it stood.
#[derive(Default)]
struct TestStripper {
    lines: Vec<RangeInclusive<usize>>,
    files: Vec<TestFile>,
}

impl TestStripper {
    fn keep(&mut self, item: &syn::Item) -> bool {
        if !item_attributes(item).iter().any(is_test_attribute) {
            return true;
        }
        if let syn::Item::Mod(module) = item {
            if module.content.is_some() {
                self.lines
                    .push(module.span().start().line..=module.span().end().line);
            } else {
                let path = module.attrs.iter().find_map(path_value);
                self.files.push(TestFile {
                    name: module.ident.to_string(),
                    path,
                });
            }
        }
        false
    }
}

impl VisitMut for TestStripper {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items.retain(|item| self.keep(item));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| self.keep(item));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        item.items.retain(|inner| {
            let attributes = match inner {
                syn::ImplItem::Const(inner) => &inner.attrs,
                syn::ImplItem::Fn(inner) => &inner.attrs,
                syn::ImplItem::Type(inner) => &inner.attrs,
                syn::ImplItem::Macro(inner) => &inner.attrs,
                _ => return true,
            };
            !attributes.iter().any(is_test_attribute)
        });
        visit_mut::visit_item_impl_mut(self, item);
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block.stmts.retain(|statement| match statement {
            syn::Stmt::Local(local) => !local.attrs.iter().any(is_test_attribute),
            syn::Stmt::Item(item) => self.keep(item),
            syn::Stmt::Macro(inner) => !inner.attrs.iter().any(is_test_attribute),
            syn::Stmt::Expr(syn::Expr::Block(inner), _) => {
                !inner.attrs.iter().any(is_test_attribute)
            }
            syn::Stmt::Expr(..) => true,
        });
        visit_mut::visit_block_mut(self, block);
    }
}

fn item_attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::ExternCrate(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::ForeignMod(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::TraitAlias(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A parsed sample; it must be Rust.
    fn parse(path: &str, text: &str) -> Source {
        Source::parse(path, text).expect("the sample parses")
    }

    #[test]
    fn module_paths_follow_the_files() {
        for (path, module) in [
            ("src/lib.rs", &[][..]),
            ("src/main.rs", &[]),
            ("src/id.rs", &["id"]),
            ("src/ws/mod.rs", &["ws"]),
            ("src/ws/codec.rs", &["ws", "codec"]),
            ("src/pusher/api/events.rs", &["pusher", "api", "events"]),
        ] {
            assert_eq!(parse(path, "").module(), module, "{path}");
        }
    }

    #[test]
    fn tests_are_taken_out_and_the_rest_stays() {
        let source = parse(
            "src/id.rs",
            "fn a() {}\n\
             #[cfg(test)]\nmod tests {\n    fn b() {}\n}\n\
             #[cfg(all(test, unix))]\nfn c() {}\n\
             #[cfg(any(test, unix))]\nfn d() {}\n\
             #[cfg(not(test))]\nfn e() {}\n\
             #[test]\nfn f() {}\n\
             #[cfg(test)]\nmod far;\n\
             /// Doc.\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod near;\n\
             struct S;\nimpl S {\n    #[cfg(test)]\n    fn g() {}\n    fn h() {}\n}\n\
             fn i() {\n    #[cfg(test)]\n    let j = 1;\n}\n",
        );
        let kept: Vec<String> = flatten(&quote(&source.live))
            .into_iter()
            .filter_map(|token| match token {
                TokenTree::Ident(ident) if ident.to_string().len() == 1 => Some(ident.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(kept, ["a", "d", "e", "S", "S", "h", "i"]);
        assert_eq!(source.test_lines, [2..=5]);
        let file = |name: &str, path: Option<&str>| TestFile {
            name: name.to_owned(),
            path: path.map(str::to_owned),
        };
        assert_eq!(
            source.test_files,
            [file("far", None), file("near", Some("x.rs"))]
        );
        assert!(!source.test_only);
    }

    /// The names of items and bindings that are left, as tokens.
    fn quote(file: &syn::File) -> TokenStream {
        struct Names(TokenStream);
        impl<'ast> syn::visit::Visit<'ast> for Names {
            fn visit_ident(&mut self, ident: &'ast proc_macro2::Ident) {
                self.0.extend([TokenTree::Ident(ident.clone())]);
            }
        }
        let mut names = Names(TokenStream::new());
        syn::visit::Visit::visit_file(&mut names, file);
        names.0
    }

    #[test]
    fn a_file_for_tests_only_is_known_by_its_inner_attribute() {
        assert!(parse("src/id.rs", "//! x\n#![cfg(test)]\nfn a() {}\n").test_only);
    }

    #[test]
    fn a_file_that_is_not_rust_is_reported_with_its_line() {
        let violation = Source::parse("src/id.rs", "fn a() {}\nfn {\n}\n").err();
        let violation = violation.expect("it does not parse");
        assert_eq!((violation.rule, violation.line), ("parse", 2));
        assert_eq!(
            Source::parse("src/id.rs", "fn a() {").err().map(|v| v.rule),
            Some("parse")
        );
    }

    #[test]
    fn a_violation_reads_as_file_line_rule_and_remedy() {
        let violation = parse("src/id.rs", "").violation(7, "width", "too wide".to_owned());
        assert_eq!(violation.to_string(), "src/id.rs:7: [width] too wide");
    }
}
