//! Links from one document to another lead somewhere.
//!
//! Not here: links to other sites, and to a heading within a document.

use std::path::Path;

use crate::source::Violation;

/// Checks the links of one document, by its path from the root of the project. `is_there` says
/// whether a path from that root exists.
pub fn check(path: &str, text: &str, is_there: impl Fn(&Path) -> bool) -> Vec<Violation> {
    let dir = Path::new(path).parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for target in targets(line) {
            let file = target.split('#').next().unwrap_or_default();
            let is_elsewhere = file.is_empty() || file.contains(':');
            if !is_elsewhere && !is_there(&dir.join(file)) {
                found.push(Violation {
                    path: path.to_owned(),
                    line: number + 1,
                    rule: "links",
                    text: format!("`{target}` leads nowhere"),
                });
            }
        }
    }
    found
}

/// What stands in `](...)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let ends = line.split("](").skip(1);
    ends.filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found_where_it_stands() {
        let text = "[a](a.md) and [b](../b.md#part)\n\
                    [c](nope.md), [d](https://d.example/x), [e](#here)\n";
        let there =
            |path: &Path| path == Path::new("docs/a.md") || path == Path::new("docs/../b.md");
        let found = check("docs/x.md", text, there);
        let told: Vec<_> = found.iter().map(|it| (it.line, &*it.text)).collect();
        assert_eq!(told, [(2, "`nope.md` leads nowhere")]);
    }
}
