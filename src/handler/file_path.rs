//! From the path of a request to that of a file: the only place where one becomes the other.

use crate::http::query;

/// Why a path is not looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathRefused {
    /// It is none that a client makes by following links: 400.
    Malformed,
    /// It leads to a hidden file: 404.
    Hidden,
}

/// A path below the root, its segments decoded once, and whether it asks for a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FilePath {
    pub(super) path: String,
    pub(super) is_directory: bool,
}

/// Reads what follows the root's own path, still percent-encoded.
///
/// Segments are decoded once and must then be plain names: an empty one, `.` and `..`, and whatever
/// holds a slash, a backslash or a control character is refused, as is what is not UTF-8. What is
/// left can only lead down, on every file system.
pub(super) fn relative(rest: &str) -> Result<FilePath, PathRefused> {
    let mut path = String::with_capacity(rest.len());
    let mut segments = rest.split('/').peekable();
    let mut is_hidden = false;
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_none() {
            let is_directory = true;
            return hidden(is_hidden, FilePath { path, is_directory });
        }
        let name = query::decode_path(segment).ok_or(PathRefused::Malformed)?;
        let is_bad = |c: char| c == '/' || c == '\\' || c.is_control();
        if matches!(&*name, "" | "." | "..") || name.contains(is_bad) {
            return Err(PathRefused::Malformed);
        }
        is_hidden |= name.starts_with('.');
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(&name);
    }
    let is_directory = false;
    hidden(is_hidden, FilePath { path, is_directory })
}

/// A path that is malformed as well is told so first.
fn hidden(is_hidden: bool, path: FilePath) -> Result<FilePath, PathRefused> {
    match is_hidden {
        true => Err(PathRefused::Hidden),
        false => Ok(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_down_or_are_refused() {
        let file = |path: &str| {
            Ok(FilePath {
                path: path.into(),
                is_directory: false,
            })
        };
        let directory = |path: &str| {
            Ok(FilePath {
                path: path.into(),
                is_directory: true,
            })
        };
        let (bad, hidden) = (Err(PathRefused::Malformed), Err(PathRefused::Hidden));
        let table = [
            ("", directory("")),
            ("a", file("a")),
            ("a/", directory("a")),
            ("a/b.txt", file("a/b.txt")),
            ("a%20b/%C3%BC", file("a b/ü")),
            ("a+b", file("a+b")),
            ("a..b", file("a..b")),
            ("a.", file("a.")),
            ("%zz", file("%zz")),
            ("100%", file("100%")),
            ("%252e%252e/x", file("%2e%2e/x")), // decoded once
            ("a%252fb", file("a%2fb")),
            ("..", Err(PathRefused::Malformed)),
            ("../x", Err(PathRefused::Malformed)),
            ("a/../../x", Err(PathRefused::Malformed)),
            ("a/..", Err(PathRefused::Malformed)),
            ("%2e%2e/x", Err(PathRefused::Malformed)),
            (".%2E/x", Err(PathRefused::Malformed)),
            ("%2e%2e%2fx", Err(PathRefused::Malformed)),
            ("./a", Err(PathRefused::Malformed)),
            ("a/.", Err(PathRefused::Malformed)),
            ("/etc/passwd", Err(PathRefused::Malformed)),
            ("//host/x", Err(PathRefused::Malformed)),
            ("%2fetc/passwd", Err(PathRefused::Malformed)),
            ("a//b", Err(PathRefused::Malformed)),
            ("a//", Err(PathRefused::Malformed)),
            ("a%2fb", Err(PathRefused::Malformed)),
            ("a%5Cb", Err(PathRefused::Malformed)),
            ("..\\x", Err(PathRefused::Malformed)),
            ("a%00.html", Err(PathRefused::Malformed)),
            ("a%0Ab", Err(PathRefused::Malformed)),
            ("a%7f", Err(PathRefused::Malformed)),
            ("%ff", Err(PathRefused::Malformed)),
            (".git/config", Err(PathRefused::Hidden)),
            ("a/.env", Err(PathRefused::Hidden)),
            ("%2eenv", Err(PathRefused::Hidden)),
            ("...", Err(PathRefused::Hidden)),
            (".a/", hidden),
            (".a/..", bad),
        ];
        for (rest, wanted) in table {
            assert_eq!(relative(rest), wanted, "{rest}");
        }
    }
}
