//! A tree of path segments. Finding walks it once: each node stands for one way to read the path so
//! far, so no node is seen twice, and within a node names are found by halving.

use super::pattern::{Segment, compare};
use memchr::memchr;
use std::cmp::Ordering;

/// What is mounted where.
#[derive(Debug)]
pub(super) struct Tree<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    /// What follows when the next segment is one of these, sorted.
    literals: Vec<(Box<[u8]>, Node<T>)>,
    /// What follows any segment that is not empty.
    param: Option<Box<Node<T>>>,
    /// The path ends here.
    here: Option<T>,
    /// Whatever follows.
    rest: Option<T>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self {
            root: Node::default(),
        }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            literals: Vec::new(),
            param: None,
            here: None,
            rest: None,
        }
    }
}

impl<T> Tree<T> {
    /// The place of a pattern.
    pub(super) fn place(&mut self, segments: &[Segment<'_>]) -> &mut Option<T> {
        let mut node = &mut self.root;
        for segment in segments {
            node = match segment {
                Segment::Literal(bytes) => node.literal(bytes),
                Segment::Param(_) => node.param.get_or_insert_default(),
                Segment::Rest => return &mut node.rest,
            };
        }
        &mut node.here
    }

    /// What is mounted at exactly this pattern.
    pub(super) fn get(&self, segments: &[Segment<'_>]) -> Option<&T> {
        let mut node = &self.root;
        for segment in segments {
            node = match segment {
                Segment::Literal(bytes) => node.known(|known| known.cmp(bytes))?,
                Segment::Param(_) => node.param.as_deref()?,
                Segment::Rest => return node.rest.as_ref(),
            };
        }
        node.here.as_ref()
    }

    /// The most specific that fits; the path begins with a slash.
    pub(super) fn find(&self, path: &str) -> Option<&T> {
        self.root.walk(path.as_bytes().get(1..))
    }
}

impl<T> Node<T> {
    fn literal(&mut self, bytes: &[u8]) -> &mut Self {
        let at = match self
            .literals
            .binary_search_by(|(known, _)| (**known).cmp(bytes))
        {
            Ok(at) => at,
            Err(at) => {
                self.literals.insert(at, (bytes.into(), Self::default()));
                at
            }
        };
        &mut self.literals[at].1
    }

    fn known(&self, compare: impl Fn(&[u8]) -> Ordering) -> Option<&Self> {
        let found = self.literals.binary_search_by(|(known, _)| compare(known));
        found.ok().map(|at| &self.literals[at].1)
    }

    /// `path` is what comes behind the slash, `None` when there was none.
    fn walk(&self, path: Option<&[u8]>) -> Option<&T> {
        let Some(path) = path else {
            return self.here.as_ref();
        };
        let (segment, behind) = match memchr(b'/', path) {
            Some(at) => (&path[..at], Some(&path[at + 1..])),
            None => (path, None),
        };
        if let Some(node) = self.known(|known| compare(known, segment))
            && let Some(found) = node.walk(behind)
        {
            return Some(found);
        }
        if !segment.is_empty()
            && let Some(node) = &self.param
            && let Some(found) = node.walk(behind)
        {
            return Some(found);
        }
        self.rest.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::{param, segments};
    use super::*;
    use proptest::prelude::*;

    fn tree<'p>(patterns: &[&'p str]) -> Tree<&'p str> {
        let mut tree = Tree::default();
        for pattern in patterns {
            *tree.place(&segments(pattern)) = Some(*pattern);
        }
        tree
    }

    #[test]
    fn patterns_fit_whole_paths() {
        for (pattern, path) in [
            ("/", "/"),
            ("/chat", "/chat"),
            ("/chat/", "/chat/"),
            ("/app/{key}", "/app/abc"),
            ("/apps/*", "/apps/"),
            ("/apps/*", "/apps/1/channels/x"),
            ("/*", "/"),
            ("/*", "/a//b/"),
            ("/a/{b}/c", "/a/%20/c"),
            ("/a//c", "/a//c"),
            ("/caf%C3%A9", "/café"),
            ("/café", "/%63af%c3%a9"),
        ] {
            assert_eq!(tree(&[pattern]).find(path), Some(&pattern), "{path}");
        }
        for (pattern, path) in [
            ("/", "/x"),
            ("/", "//"),
            ("/chat", "/chat/"),
            ("/chat/", "/chat"),
            ("/app/{key}", "/app/"),
            ("/app/{key}", "/app"),
            ("/app/{key}", "/app/a/b"),
            ("/apps/*", "/apps"),
            ("/chat", "/Chat"),
            ("/a/b", "/a%2Fb"),
            ("/a%2Fb", "/a/b"),
        ] {
            assert_eq!(tree(&[pattern]).find(path), None, "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_written_out_goes_before_parameters_and_those_before_the_rest() {
        let mut patterns = [
            "/*",
            "/{page}",
            "/about",
            "/room/*",
            "/room/{id}",
            "/room/{id}/members",
            "/room/lobby",
            "/room/lobby/*",
            "/{any}/lobby/members",
        ];
        for _ in 0..patterns.len() {
            patterns.rotate_left(1);
            let tree = tree(&patterns);
            for (path, wanted) in [
                ("/", "/*"),
                ("/about", "/about"),
                ("/other", "/{page}"),
                ("/other/x", "/*"),
                ("/room", "/{page}"),
                ("/room/", "/room/*"),
                ("/room/7", "/room/{id}"),
                ("/room/lobby", "/room/lobby"),
                ("/room/lobby/", "/room/lobby/*"),
                ("/room/lobby/members", "/room/lobby/*"),
                ("/room/7/members", "/room/{id}/members"),
                ("/room/7/else", "/room/*"),
                ("/hall/lobby/members", "/{any}/lobby/members"),
                ("/hall/lobby/else", "/*"),
            ] {
                assert_eq!(tree.find(path), Some(&wanted), "{path}");
            }
        }
    }

    #[test]
    fn a_pattern_is_known_by_its_shape() {
        let tree = tree(&["/a/{b}", "/c/*", "/d"]);
        for (pattern, known) in [
            ("/a/{other}", true),
            ("/c/*", true),
            ("/%64", true),
            ("/a", false),
            ("/c", false),
            ("/a/b", false),
            ("/c/{x}", false),
        ] {
            assert_eq!(tree.get(&segments(pattern)).is_some(), known, "{pattern}");
        }
    }

    /// How specific each segment of a pattern is that fits a path: the least is the most.
    fn rank(pattern: &str, path: &str) -> Option<Vec<u8>> {
        let mut rank = Vec::new();
        let mut path = path.split('/');
        for segment in pattern.split('/') {
            match (segment, path.next()) {
                ("*", Some(_)) => {
                    rank.push(2);
                    return Some(rank);
                }
                (_, None) => return None,
                (segment, Some(part)) if param(segment).is_some() => {
                    if part.is_empty() {
                        return None;
                    }
                    rank.push(1);
                }
                (segment, Some(part)) => {
                    if segment != part {
                        return None;
                    }
                    rank.push(0);
                }
            }
        }
        path.next().is_none().then_some(rank)
    }

    proptest! {
        #[test]
        fn the_tree_finds_what_a_look_at_all_patterns_finds(
            patterns in prop::collection::btree_set("(/(|a|b|ab|\\{x\\})){1,4}(/\\*)?", 1..12),
            paths in prop::collection::vec("(/(|a|b|ab|c)){1,5}", 1..12),
        ) {
            // Parameters get names of their own by their place.
            let name = |pattern: String| {
                let segments = pattern.split('/').enumerate();
                let named = segments.map(|(at, segment)| match segment {
                    "{x}" => format!("{{x{at}}}"),
                    other => other.to_owned(),
                });
                named.collect::<Vec<_>>().join("/")
            };
            let patterns: Vec<String> = patterns.into_iter().map(name).collect();
            let texts: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let tree = tree(&texts);
            for path in paths {
                let fits = texts.iter().filter_map(|text| Some((rank(text, &path)?, text)));
                let best = fits.min().map(|(_, text)| text);
                prop_assert_eq!(tree.find(&path), best, "{} in {:?}", path, texts);
            }
        }
    }
}
