//! Names: no module, file or type in `src/` carries a word that says nothing.
//!
//! A file or module is caught when its last word is empty (`util`, `string_helpers`), a type when
//! any of its words is (`ConnectionManager`) or when it ends in `Data` or `Info`. In a type `core`
//! and `base` are caught as the last word only: `CoreId` is about a processor, and that says much.

use syn::visit::{self, Visit};

use crate::house::House;
use crate::source::{Source, Violation};

/// Words that are empty only at the end of a type's name.
const EMPTY_AT_THE_END: [&str; 4] = ["core", "base", "data", "info"];

/// Checks one file of `src/`.
pub fn check(source: &Source, house: &House) -> Vec<Violation> {
    if !source.in_src() || source.test_only {
        return Vec::new();
    }
    let mut names = Names::default();
    for part in source.module() {
        names.modules.push((part, 1));
    }
    names.visit_file(&source.live);

    let empty_module = |name: &str| {
        let last = name.rsplit('_').next().unwrap_or(name);
        // More than one processor core is `cores`, and that is a fine name.
        let singular = last
            .strip_suffix('s')
            .filter(|singular| *singular != "core");
        house
            .empty_words
            .iter()
            .any(|word| *word == last || Some(*word) == singular)
    };
    let empty_type = |name: &str| {
        let words = words(name);
        let Some((last, before)) = words.split_last() else {
            return false;
        };
        let empty = |word: &String| house.empty_words.contains(&word.as_str());
        let anywhere = |word: &String| empty(word) && !EMPTY_AT_THE_END.contains(&word.as_str());
        empty(last) || EMPTY_AT_THE_END.contains(&last.as_str()) || before.iter().any(anywhere)
    };
    let good = |name: &str| house.good_names.iter().any(|(good, _)| *good == name);

    let modules = names
        .modules
        .iter()
        .filter(|(name, _)| empty_module(name) && !good(name));
    let types = names
        .types
        .iter()
        .filter(|(name, _)| empty_type(name) && !good(name));
    let modules = modules.map(|found| (found, "module"));
    let types = types.map(|found| (found, "type"));
    modules
        .chain(types)
        .map(|((name, line), kind)| {
            let text = format!(
                "{kind} `{name}` carries a word that says nothing: name it after what it is or does"
            );
            source.violation(*line, "names", text)
        })
        .collect()
}

/// Rows of `HOUSE.good_names` that no name needs any more.
pub fn check_good_names(sources: &[Source], house: &House) -> Vec<Violation> {
    let mut used = Vec::new();
    for source in sources.iter().filter(|source| source.in_src()) {
        let mut names = Names::default();
        names.visit_file(&source.live);
        used.extend(source.module());
        used.extend(
            names
                .modules
                .into_iter()
                .chain(names.types)
                .map(|(name, _)| name),
        );
    }
    let stale = house
        .good_names
        .iter()
        .filter(|(good, _)| !used.iter().any(|name| name == good));
    stale
        .map(|(good, reason)| Violation {
            path: "tests/tidy/house.rs".to_owned(),
            line: 1,
            rule: "stale-row",
            text: format!(
                "nothing is called `{good}` ({reason}): take its row out of HOUSE.good_names"
            ),
        })
        .collect()
}

/// The words of a name in camel case, in lower case: `HTTPHead2` is `http`, `head2`.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    for (at, letter) in letters.iter().enumerate() {
        let before_is_capital = at > 0 && letters[at - 1].is_uppercase();
        let next_is_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        let starts = letter.is_uppercase() && (!before_is_capital || next_is_small);
        match words.last_mut() {
            Some(word) if !starts => word.extend(letter.to_lowercase()),
            _ => words.push(letter.to_lowercase().collect()),
        }
    }
    words
}

#[derive(Default)]
struct Names {
    modules: Vec<(String, usize)>,
    types: Vec<(String, usize)>,
}

impl Names {
    fn a_type(&mut self, ident: &syn::Ident) {
        self.types
            .push((ident.to_string(), ident.span().start().line));
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_some() {
            // A module in a file of its own is named by that file.
            self.modules
                .push((item.ident.to_string(), item.ident.span().start().line));
        }
        visit::visit_item_mod(self, item);
    }
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.a_type(&item.ident);
    }
    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.a_type(&item.ident);
    }
    fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
        self.a_type(&item.ident);
    }
    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.a_type(&item.ident);
    }
    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.a_type(&item.ident);
        visit::visit_item_trait(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::HOUSE;

    fn parse(path: &str, text: &str) -> Source {
        Source::parse(path, text).expect("the sample parses")
    }

    fn lines(path: &str, text: &str, house: &House) -> Vec<usize> {
        check(&parse(path, text), house)
            .iter()
            .map(|violation| violation.line)
            .collect()
    }

    #[test]
    fn empty_words_in_files_and_modules_are_caught() {
        for path in [
            "src/util.rs",
            "src/hub/utils.rs",
            "src/hub/helpers/index.rs",
            "src/manager/mod.rs",
            "src/core.rs",
            "src/base.rs",
            "src/hub/common.rs",
            "src/hub/user_service.rs",
        ] {
            assert_eq!(lines(path, "//! x", &HOUSE), [1], "{path}");
        }
        assert_eq!(lines("src/id.rs", "//! x\nmod helpers {}", &HOUSE), [2]);
        for path in [
            "src/server/cores.rs",
            "src/ws/base64.rs",
            "src/hub/info.rs",
            "tests/util.rs",
        ] {
            assert_eq!(
                lines(path, "mod tables { fn util() {} }", &HOUSE),
                [0; 0],
                "{path}"
            );
        }
    }

    #[test]
    fn empty_words_in_types_are_caught() {
        for text in [
            "struct ConnectionManager;",
            "struct HelperTable;",
            "enum Utils2 {}\nstruct Util;",
            "trait Service {}",
            "type ShardCore = u8;",
            "union Common { a: u8 }",
            "struct ChannelData;",
            "enum ConnInfo {}",
            "struct Info;",
            "fn f() { struct UserData; }",
        ] {
            assert_eq!(lines("src/id.rs", text, &HOUSE).len(), 1, "{text}");
        }
        for text in [
            "struct CoreId;",
            "struct CoreList;",
            "struct Base64Text;",
            "struct DataFrame;",
            "struct Database;",
            "struct Informed;",
            "struct HTTPHead;",
            "fn helper() { let data = PhantomData::<u8>; }",
            "#[cfg(test)]\nmod tests { struct Helper; }",
        ] {
            assert_eq!(lines("src/id.rs", text, &HOUSE), [0; 0], "{text}");
        }
    }

    #[test]
    fn a_good_name_passes_by_its_row_and_the_row_goes_with_it() {
        const NAMES: House = House {
            good_names: &[
                ("PhysicalCore", "a core of the processor"),
                ("Gone", "was a type"),
            ],
            ..HOUSE
        };
        let text = "struct PhysicalCore;";
        assert_eq!(lines("src/id.rs", text, &HOUSE), [1]);
        assert_eq!(lines("src/id.rs", text, &NAMES), [0; 0]);
        let stale = check_good_names(&[parse("src/id.rs", text)], &NAMES);
        assert_eq!(stale.len(), 1);
        assert!(stale[0].text.contains("`Gone`"), "{}", stale[0]);
    }

    #[test]
    fn names_are_split_into_words() {
        assert_eq!(words("ConnectionManager"), ["connection", "manager"]);
        assert_eq!(words("HTTPHead2"), ["http", "head2"]);
        assert_eq!(words("X"), ["x"]);
    }
}
