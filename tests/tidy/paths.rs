//! Which paths a file names: imports, paths in code, paths inside macros and attributes.
//!
//! Each is resolved to where it starts from: `crate::...` for our own modules (through `super`,
//! `self`, sibling modules and renamed imports), or the name of another crate. Not here: what a
//! file may name (`floors`). Imports of the whole file are taken together, whatever block they
//! stand in; that can only find more, never less.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::source::Source;

/// Our own crate as other targets of the package name it.
const CRATE_NAME: &str = "shardcast";

/// How often an import of an import is followed; no sane file goes deeper.
const ALIAS_DEPTH: usize = 8;

/// A path as the file names it, resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    /// Line, from 1.
    pub line: usize,
    /// Segments; the first is `crate` or the name of another crate.
    pub segments: Vec<String>,
}

impl Mention {
    /// The path as one would write it.
    pub fn text(&self) -> String {
        self.segments.join("::")
    }

    /// Whether the path is `prefix` or something inside it.
    pub fn is_in(&self, prefix: &str) -> bool {
        let mut segments = self.segments.iter();
        prefix
            .split("::")
            .all(|part| segments.next().is_some_and(|segment| segment == part))
    }
}

/// All paths of two or more segments and all imports of the live code of `source`, resolved.
pub fn mentions(source: &Source) -> Vec<Mention> {
    let mut collector = Collector {
        module: source.module(),
        ..Collector::default()
    };
    collector.visit_file(&source.live);
    let mut found = BTreeSet::new();
    for raw in &collector.raw {
        for segments in collector.resolve(raw) {
            found.insert(Mention {
                line: raw.line,
                segments,
            });
        }
    }
    found.into_iter().collect()
}

/// A path as it is written.
#[derive(Debug, Clone)]
struct Raw {
    line: usize,
    segments: Vec<String>,
    /// Written with a leading `::`: the first segment is another crate.
    absolute: bool,
    /// The module that it is written in.
    module: Vec<String>,
}

#[derive(Default)]
struct Collector {
    module: Vec<String>,
    raw: Vec<Raw>,
    /// Name in this file -> the imports that give it.
    imports: BTreeMap<String, Vec<Raw>>,
    /// Modules declared in this file, with the module that declares them.
    declared: BTreeSet<(Vec<String>, String)>,
}

impl Collector {
    fn note(&mut self, line: usize, segments: Vec<String>, absolute: bool) -> Raw {
        let raw = Raw {
            line,
            segments,
            absolute,
            module: self.module.clone(),
        };
        self.raw.push(raw.clone());
        raw
    }

    fn walk_use(&mut self, tree: &syn::UseTree, prefix: &[String], absolute: bool) {
        let with = |name: &syn::Ident| {
            let mut segments = prefix.to_vec();
            // `use a::{self}` names `a`.
            if name != "self" || segments.is_empty() {
                segments.push(name.to_string());
            }
            segments
        };
        match tree {
            syn::UseTree::Path(path) => self.walk_use(&path.tree, &with(&path.ident), absolute),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.walk_use(tree, prefix, absolute);
                }
            }
            syn::UseTree::Name(name) => {
                let segments = with(&name.ident);
                let alias = segments.last().cloned().unwrap_or_default();
                self.import(alias, name.span().start().line, segments, absolute);
            }
            syn::UseTree::Rename(rename) => {
                let line = rename.span().start().line;
                self.import(
                    rename.rename.to_string(),
                    line,
                    with(&rename.ident),
                    absolute,
                );
            }
            syn::UseTree::Glob(glob) => {
                self.note(glob.span().start().line, prefix.to_vec(), absolute);
            }
        }
    }

    fn import(&mut self, alias: String, line: usize, segments: Vec<String>, absolute: bool) {
        let raw = self.note(line, segments, absolute);
        self.imports.entry(alias).or_default().push(raw);
    }

    fn resolve(&self, raw: &Raw) -> Vec<Vec<String>> {
        let mut resolved = Vec::new();
        self.follow(raw, ALIAS_DEPTH, &mut resolved);
        resolved
    }

    fn follow(&self, raw: &Raw, depth: usize, resolved: &mut Vec<Vec<String>>) {
        let Some(first) = raw.segments.first() else {
            return;
        };
        let inside =
            |module: &[String], rest: &[String]| [&["crate".to_owned()], module, rest].concat();
        let rest = &raw.segments[1..];
        let declared = self.declared.contains(&(raw.module.clone(), first.clone()));
        match first.as_str() {
            _ if raw.absolute => resolved.push(raw.segments.clone()),
            "crate" => resolved.push(raw.segments.clone()),
            CRATE_NAME => resolved.push(inside(&[], rest)),
            "self" => resolved.push(inside(&raw.module, rest)),
            "super" => {
                let ups = raw
                    .segments
                    .iter()
                    .take_while(|segment| *segment == "super")
                    .count();
                let kept = raw.module.len().saturating_sub(ups);
                resolved.push(inside(&raw.module[..kept], &raw.segments[ups..]));
            }
            _ if declared => resolved.push(inside(&raw.module, &raw.segments)),
            _ => {
                let imports = self.imports.get(first).map_or(&[][..], Vec::as_slice);
                // `use tokio;` gives the name `tokio` to itself.
                let imports = imports
                    .iter()
                    .filter(|import| import.segments != [first.as_str()]);
                let mut followed = false;
                for import in imports.filter(|_| depth > 0) {
                    followed = true;
                    let segments = [&import.segments, rest].concat();
                    self.follow(
                        &Raw {
                            segments,
                            ..import.clone()
                        },
                        depth - 1,
                        resolved,
                    );
                }
                if !followed {
                    resolved.push(raw.segments.clone());
                }
            }
        }
    }

    fn tokens(&mut self, tokens: &TokenStream, prefix: &[String]) {
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            let path = PathTokens::read(&tokens[at..]);
            let segments = [prefix, &path.segments].concat();
            if segments.len() > 1 && !path.segments.is_empty() && !path.opens_group {
                let line = tokens[at].span().start().line;
                self.note(line, segments.clone(), path.absolute);
            }
            at += path.tokens;
            match tokens.get(at) {
                // `a::{b, c}`
                Some(TokenTree::Group(group)) if path.opens_group => {
                    self.tokens(&group.stream(), &segments);
                    at += 1;
                }
                Some(TokenTree::Group(group)) if path.tokens == 0 => {
                    self.tokens(&group.stream(), &[]);
                    at += 1;
                }
                _ if path.tokens == 0 => at += 1,
                _ => {}
            }
        }
    }
}

/// A path at the head of a row of tokens.
#[derive(Default)]
struct PathTokens {
    segments: Vec<String>,
    absolute: bool,
    /// It ends in `::` and an opening brace.
    opens_group: bool,
    /// How many tokens it takes.
    tokens: usize,
}

impl PathTokens {
    fn read(tokens: &[TokenTree]) -> PathTokens {
        let mut path = PathTokens::default();
        if is_colons(tokens) && matches!(tokens.get(2), Some(TokenTree::Ident(_))) {
            path.absolute = true;
            path.tokens = 2;
        }
        while let Some(TokenTree::Ident(ident)) = tokens.get(path.tokens) {
            path.segments.push(ident.to_string());
            path.tokens += 1;
            if !is_colons(&tokens[path.tokens..]) {
                break;
            }
            match tokens.get(path.tokens + 2) {
                Some(TokenTree::Ident(_)) => path.tokens += 2,
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    path.tokens += 2;
                    path.opens_group = true;
                    break;
                }
                _ => break,
            }
        }
        path
    }
}

fn is_colons(tokens: &[TokenTree]) -> bool {
    let colon = |token: Option<&TokenTree>| match token {
        Some(TokenTree::Punct(punct)) => punct.as_char() == ':',
        _ => false,
    };
    colon(tokens.first()) && colon(tokens.get(1))
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_file(&mut self, file: &'ast syn::File) {
        visit::visit_file(self, file);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.declared
            .insert((self.module.clone(), module.ident.to_string()));
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.walk_use(&item.tree, &[], item.leading_colon.is_some());
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        let name = item.ident.to_string();
        let alias = item
            .rename
            .as_ref()
            .map_or(name.clone(), |(_, alias)| alias.to_string());
        self.import(alias, item.span().start().line, vec![name], true);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let segments = path
                .segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect();
            self.note(
                path.span().start().line,
                segments,
                path.leading_colon.is_some(),
            );
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.tokens(&mac.tokens, &[]);
        visit::visit_macro(self, mac);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(&list.tokens, &[]);
            self.quoted_paths(&list.tokens);
        }
        visit::visit_attribute(self, attribute);
    }
}

impl Collector {
    /// Paths that stand in the strings of an attribute, such as `#[serde(with = "crate::id")]`.
    fn quoted_paths(&mut self, tokens: &TokenStream) {
        for token in crate::source::flatten(tokens) {
            let TokenTree::Literal(literal) = token else {
                continue;
            };
            let line = literal.span().start().line;
            let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) else {
                continue;
            };
            let Ok(path) = syn::parse_str::<syn::Path>(&text.value()) else {
                continue;
            };
            if path.segments.len() > 1 {
                let names = path
                    .segments
                    .iter()
                    .map(|segment| segment.ident.to_string());
                self.note(line, names.collect(), path.leading_colon.is_some());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let source = Source::parse(path, text).expect("the sample parses");
        mentions(&source)
            .iter()
            .map(|mention| format!("{} {}", mention.line, mention.text()))
            .collect()
    }

    #[test]
    fn imports_are_resolved_in_every_form() {
        for (text, expected) in [
            ("use crate::id::ClientId;", "1 crate::id::ClientId"),
            ("use super::table::Table;", "1 crate::hub::table::Table"),
            ("use super::super::id;", "1 crate::id"),
            ("use self::inner::X;", "1 crate::hub::index::inner::X"),
            (
                "mod inner;\npub use inner::X;",
                "2 crate::hub::index::inner::X",
            ),
            ("use ::tokio::time;", "1 tokio::time"),
            ("use tokio as rt;", "1 tokio"),
            ("use tokio::{self as rt};", "1 tokio"),
            ("extern crate tokio as rt;", "1 tokio"),
            ("use shardcast::shard::Shard;", "1 crate::shard::Shard"),
            ("use std::time::*;", "1 std::time"),
            (
                "pub(crate) use crate::\n    shard::Shard;",
                "2 crate::shard::Shard",
            ),
            ("fn f() { use crate::shard::X; }", "1 crate::shard::X"),
        ] {
            assert_eq!(found("src/hub/index.rs", text), [expected], "{text}");
        }
        assert_eq!(
            found(
                "src/hub/mod.rs",
                "use std::{env, time::{self, Instant as Now}};"
            ),
            ["1 std::env", "1 std::time", "1 std::time::Instant"]
        );
    }

    #[test]
    fn paths_in_code_are_found_wherever_they_stand() {
        for (text, expected) in [
            ("fn f() { crate::shard::go(); }", "1 crate::shard::go"),
            ("fn f(x: super::shard::X) {}", "1 crate::shard::X"),
            ("fn f<T: crate::shard::Go>() {}", "1 crate::shard::Go"),
            ("fn f() -> Vec<crate::shard::X> { x }", "1 crate::shard::X"),
            (
                "fn f() { println!(\"{}\", crate::shard::x()); }",
                "1 crate::shard::x",
            ),
            (
                "fn f() { m!(a, [b { ::tokio::spawn(c) }]); }",
                "1 tokio::spawn",
            ),
            (
                "macro_rules! m { () => { $crate::shard::x() } }",
                "1 crate::shard::x",
            ),
            (
                "macro_rules! m { () => { use crate::{shard::x}; } }",
                "1 crate::shard::x",
            ),
            ("#[derive(crate::shard::D)]\nstruct S;", "1 crate::shard::D"),
            (
                "#[serde(with = \"crate::shard\")]\nstruct S;",
                "1 crate::shard",
            ),
            (
                "mod a { fn f() { super::super::shard::x(); } }",
                "1 crate::shard::x",
            ),
        ] {
            assert!(
                found("src/id.rs", text).contains(&expected.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_short_name_is_followed_to_its_import() {
        let text = "use std::time as clock;\nfn f() { clock::Instant::now(); }";
        assert_eq!(
            found("src/id.rs", text),
            ["1 std::time", "2 std::time::Instant::now"]
        );
        let text = "use std::time;\nuse time::Instant;\n";
        assert_eq!(
            found("src/id.rs", text),
            ["1 std::time", "2 std::time::Instant"]
        );
        let text = "use crate as me;\nfn f() { me::shard::x(); }";
        assert_eq!(found("src/id.rs", text), ["1 crate", "2 crate::shard::x"]);
    }

    #[test]
    fn imports_in_a_circle_come_to_an_end() {
        let text = "use a::b as c;\nuse c::d as a;\nfn f() { a::x(); }";
        assert!(!found("src/id.rs", text).is_empty());
    }

    #[test]
    fn tests_comments_strings_and_local_modules_are_no_mentions() {
        for text in [
            "#[cfg(test)]\nmod tests { use crate::shard::X; }",
            "/// See [`crate::shard::X`].\nfn f() {}",
            "fn f() { let s = \"crate::shard::x\"; }",
            "fn f() { let rand = 1; g(rand); }",
        ] {
            assert_eq!(found("src/id.rs", text), [""; 0], "{text}");
        }
        let text = "mod rand;\nfn f() { rand::next(); }";
        assert_eq!(
            found("src/hub/index.rs", text),
            ["2 crate::hub::index::rand::next"]
        );
    }

    #[test]
    fn a_prefix_is_met_by_whole_segments() {
        let mention = |text: &str| Mention {
            line: 1,
            segments: text.split("::").map(str::to_owned).collect(),
        };
        assert!(mention("std::env::var").is_in("std::env"));
        assert!(mention("std::env").is_in("std::env"));
        assert!(!mention("std::environment").is_in("std::env"));
        assert!(!mention("std").is_in("std::env"));
    }
}
