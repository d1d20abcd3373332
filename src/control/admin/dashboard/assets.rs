//! The files of the page. They are part of the binary, and nothing is put into them: what is shown
//! comes as JSON, and the script puts it on the page as text.

use crate::http::Response;

const PAGE: &str = include_str!("page/index.html");
const SCRIPT: &str = include_str!("page/app.js");
const CHARTS: &str = include_str!("page/charts.js");
const STYLE: &str = include_str!("page/style.css");

/// Nothing but our own files, no other page around ours, and nowhere to send anything to.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'";

/// What every answer below `/dashboard` has.
pub(super) const FIELDS: [(&str, &str); 6] = [
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
];

/// The file of a path below `/dashboard`.
pub(super) fn file(path: &str) -> Option<Response> {
    let (kind, text) = match path {
        "" => ("text/html; charset=utf-8", PAGE),
        "/app.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "/charts.js" => ("text/javascript; charset=utf-8", CHARTS),
        "/style.css" => ("text/css; charset=utf-8", STYLE),
        _ => return None,
    };
    Some(Response::new(200, kind, text))
}

/// An answer with the fields that all have.
pub(super) fn guarded(response: Response) -> Response {
    let mut response = response;
    for (name, value) in FIELDS {
        response = response.with_header(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_that_its_policy_forbids() {
        for (path, text) in [("html", PAGE), ("app", SCRIPT), ("charts", CHARTS)] {
            for forbidden in [
                "http://",
                "https://",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "style=\"",
                " onclick",
                "javascript:",
            ] {
                let allowed = text.replace("http://www.w3.org/2000/svg", "");
                assert!(!allowed.contains(forbidden), "{path}: {forbidden}");
            }
        }
        assert!(!PAGE.contains("<script>") && !PAGE.contains("<style"));
        for file in [
            "dashboard/app.js",
            "dashboard/charts.js",
            "dashboard/style.css",
        ] {
            assert!(PAGE.contains(file), "{file}");
        }
    }
}
