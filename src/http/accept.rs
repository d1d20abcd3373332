//! What a client takes, and how much it likes it (`Accept-Encoding`: RFC 9110, section 12.5.3).

/// Whether a client takes a content coding: it is named, or `*` is, and not with a weight of zero.
/// Nothing is said of which coding is liked better.
#[must_use]
pub fn accepts_coding(field: Option<&[u8]>, coding: &str) -> bool {
    coding_weight(field, &[coding]) > 0
}

/// How much a client likes a content coding that goes by any of these names, in thousandths: 0 when
/// it does not take it. A name goes before `*`.
#[must_use]
pub fn coding_weight(field: Option<&[u8]>, names: &[&str]) -> u16 {
    let named = named_weight(field, names);
    named.or_else(|| named_weight(field, &["*"])).unwrap_or(0)
}

/// Same of codings that are named, in thousandths; `None` when none of these names is there,
/// whatever `*` says. Of several the last counts.
#[must_use]
pub fn named_weight(field: Option<&[u8]>, names: &[&str]) -> Option<u16> {
    let field = field.and_then(|field| std::str::from_utf8(field).ok());
    let mut weights = field.unwrap_or_default().split(',').filter_map(|item| {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let is_one = |wanted: &&str| name.trim().eq_ignore_ascii_case(wanted);
        names.iter().any(is_one).then(|| weight(parameters))
    });
    weights.next_back()
}

/// Thousandths of `q=0.5` (section 12.4.2); 1000 when none is said, 0 when it is malformed.
fn weight(parameters: &str) -> u16 {
    let named = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("q")
            .then_some(value.trim())
    });
    let Some(value) = named else {
        return 1000;
    };
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let part: u16 = format!("{part:0<3}").parse().unwrap_or(0);
    match (whole, part) {
        ("0", part) => part,
        ("1", 0) => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_that_are_taken_and_that_are_not() {
        for field in [
            "br",
            "gzip, BR",
            "br;q=0.1",
            "br ; q=1",
            "*",
            "*;q=0.5, gzip",
            "*;q=0, br",
        ] {
            assert!(accepts_coding(Some(field.as_bytes()), "br"), "{field}");
        }
        for field in [
            "",
            "gzip",
            "br;q=0",
            "br;q=0.000",
            "*;q=0",
            "brr",
            "br;q=x",
            "br;q=2",
            "br;q=inf",
            "br;q=1e-3",
            "br;q=0, *",
        ] {
            assert!(!accepts_coding(Some(field.as_bytes()), "br"), "{field}");
        }
        assert!(!accepts_coding(None, "br"));
        assert!(!accepts_coding(Some(b"\xff"), "br"));
    }

    #[test]
    fn weights_at_their_limits_and_one_past() {
        for (said, thousandths) in [
            ("", 1000),
            (";Q=1", 1000),
            ("; q = 1.000", 1000),
            (";q=1.001", 0),
            (";q=0.999", 999),
            (";q=0.5", 500),
            (";q=0.", 0),
            (";q=0.001", 1),
            (";q=0.0001", 0),
            (";q=-0", 0),
            (";q=+1", 0),
            (";q=00", 0),
            (";level=9;q=0.25", 250),
            (";q=", 0),
        ] {
            let field = format!("gzip{said}, identity;q=0.3, *;q=0.7");
            let weight = |names: &[&str]| coding_weight(Some(field.as_bytes()), names);
            assert_eq!(weight(&["gzip", "x-gzip"]), thousandths, "{said}");
            assert_eq!((weight(&["identity"]), weight(&["br"])), (300, 700));
        }
        assert_eq!(named_weight(Some(b"*"), &["gzip"]), None);
        assert_eq!(
            named_weight(Some(b"gzip;q=0, x-gzip"), &["gzip", "x-gzip"]),
            Some(1000)
        );
    }
}
