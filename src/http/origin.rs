//! Which pages may connect: the `Origin` header against a list of patterns.
//!
//! A pattern is compared with the host of the origin; one with a port, with host and port; one with
//! a scheme, with all of it. `*` stands for any run of characters, dots too.

/// Whether a list of these patterns takes a client with this header.
///
/// Without a list, everybody is welcome. With one, a client that names no origin is not, unless `*`
/// is on the list: whoever is no browser could name any.
#[must_use]
pub fn is_allowed(patterns: &[String], origin: Option<&[u8]>) -> bool {
    if patterns.is_empty() || patterns.iter().any(|pattern| pattern == "*") {
        return true;
    }
    let Some(origin) = origin.and_then(|origin| str::from_utf8(origin).ok()) else {
        return false;
    };
    let origin = origin.trim().to_ascii_lowercase();
    // `null`, the origin of pages without one, has no host.
    let Some((scheme, place)) = origin.split_once("://") else {
        return false;
    };
    let (host, port) = host_and_port(place);
    patterns.iter().any(|pattern| {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.split_once("://") {
            Some((wanted, rest)) => fits(wanted, scheme) && place_fits(rest, host, port),
            None => host_fits(&pattern, host, port),
        }
    })
}

/// A pattern with a scheme says what port it means: none is the scheme's own.
fn place_fits(pattern: &str, host: &str, port: &str) -> bool {
    let (wanted_host, wanted_port) = host_and_port(pattern);
    fits(wanted_host, host) && fits(wanted_port, port)
}

/// A pattern of a host alone takes any port.
fn host_fits(pattern: &str, host: &str, port: &str) -> bool {
    let (wanted_host, wanted_port) = host_and_port(pattern);
    fits(wanted_host, host) && (wanted_port.is_empty() || fits(wanted_port, port))
}

/// The two parts of `host:port`: a host, without the dot of a full name at its end, and a port,
/// empty when there is none.
pub(crate) fn host_and_port(place: &str) -> (&str, &str) {
    let after_brackets = place.rfind(']').map_or(0, |at| at + 1); // an IPv6 address has colons
    let (host, port) = match place[after_brackets..].rfind(':') {
        Some(at) => (
            &place[..after_brackets + at],
            &place[after_brackets + at + 1..],
        ),
        None => (place, ""),
    };
    (host.strip_suffix('.').unwrap_or(host), port)
}

/// Whether `text` is what `pattern` says. Tries the shortest run for each `*` and lengthens only
/// the last one, which is enough and takes at most the product of both lengths.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut in_text) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        if pattern.get(at) == Some(&b'*') {
            last_star = Some((at, in_text));
            at += 1;
        } else if pattern.get(at) == Some(&text[in_text]) {
            at += 1;
            in_text += 1;
        } else if let Some((star, run_end)) = last_star {
            last_star = Some((star, run_end + 1));
            (at, in_text) = (star + 1, run_end + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(patterns: &[&str], origin: &str) -> bool {
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.into()).collect();
        is_allowed(&patterns, Some(origin.as_bytes()))
    }

    #[test]
    fn a_host_is_meant_whatever_scheme_port_or_case() {
        let one = &["app.Example.com"];
        for origin in [
            "https://app.example.com",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://APP.example.COM",
            "https://app.example.com.",
            "capacitor://app.example.com",
        ] {
            assert!(allows(one, origin), "{origin}");
        }
        for origin in [
            "https://example.com",
            "https://evilapp.example.com",
            "https://app.example.com.evil.com",
            "https://app.example.com@evil.com",
            "https://appxexample.com",
            "app.example.com",
            "null",
            "",
            "https://",
        ] {
            assert!(!allows(one, origin), "{origin}");
        }
    }

    #[test]
    fn a_star_is_any_run_of_characters() {
        let below = &["*.example.com"];
        assert!(allows(below, "https://a.example.com"));
        assert!(allows(below, "https://a.b.example.com"));
        assert!(!allows(below, "https://example.com"));
        assert!(!allows(below, "https://evilexample.com"));
        assert!(!allows(below, "https://a.example.com.evil.com"));
        assert!(allows(&["app-*.example.*"], "https://app-7.example.org"));
        assert!(allows(&["nope", "*"], "null"));
        assert!(!allows(&["*a*b"], &format!("https://{}", "a".repeat(2000))));
    }

    #[test]
    fn a_port_and_a_scheme_count_when_they_are_named() {
        assert!(allows(&["localhost:3000"], "http://localhost:3000"));
        assert!(!allows(&["localhost:3000"], "http://localhost:3001"));
        assert!(!allows(&["localhost:3000"], "http://localhost"));
        assert!(allows(&["localhost:*"], "http://localhost:3001"));
        assert!(allows(&["https://*.example.com"], "https://a.example.com"));
        assert!(!allows(&["https://*.example.com"], "http://a.example.com"));
        assert!(!allows(&["https://a.com"], "https://a.com:8443"));
        assert!(allows(&["https://a.com:*"], "https://a.com:8443"));
        assert!(allows(&["[::1]"], "http://[::1]:8080"));
        assert!(!allows(&["[::1]"], "http://[::2]:8080"));
    }

    #[test]
    fn no_origin_is_welcome_where_all_are() {
        assert!(is_allowed(&[], None) && is_allowed(&["*".into()], None));
        assert!(!is_allowed(&["a.com".into()], None));
        assert!(!is_allowed(&["a.com".into()], Some(b"https://\xff")));
    }
}
