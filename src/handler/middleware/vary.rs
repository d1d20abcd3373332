//! What an answer depends on besides its URL, for caches (RFC 9110, section 12.5.5).

use crate::http::Response;

/// Adds a field name to `Vary`, unless that says it already.
pub(super) fn vary(response: Response, name: &'static str) -> Response {
    let known = response.headers();
    let known = known.filter(|(field, _)| field.eq_ignore_ascii_case("vary"));
    let names = known.flat_map(|(_, value)| value.split(',')).map(str::trim);
    let is_said = names
        .into_iter()
        .any(|known| known == "*" || known.eq_ignore_ascii_case(name));
    if is_said {
        return response;
    }
    response.with_header("Vary", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_there_once() {
        for (before, after) in [
            (None, vec!["Origin"]),
            (Some("Accept"), vec!["Accept", "Origin"]),
            (Some("Accept, origin"), vec!["Accept, origin"]),
            (Some("*"), vec!["*"]),
        ] {
            let response = Response::empty(200);
            let response = match before {
                Some(value) => response.with_header("vary", value),
                None => response,
            };
            let response = vary(response, "Origin");
            let values: Vec<_> = response.headers().map(|(_, value)| value).collect();
            assert_eq!(values, after);
        }
    }
}
