//! The list of further certificates, as TOML has it and as a flag does.

use super::webhooks::Mistake;
use crate::control::CertificateFiles;
use crate::limits::TLS_PAIRS_MAX;
use toml::de::DeValue;

/// What a flag takes.
pub(super) const EXPECTED: &str =
    "expected certificates with their keys, as CERT:KEY with commas between them";

const TABLES: &str =
    "expected tables, each begun by a line [[tls_certificates]] and with cert and key";

/// Reads what stands behind a flag.
pub(super) fn read_text(text: &str) -> Option<Vec<CertificateFiles>> {
    let one = |pair: &str| {
        let (cert, key) = pair.trim().split_once(':')?;
        let fits = is_path(cert) && is_path(key) && !key.contains(':');
        fits.then(|| CertificateFiles::new(cert, key))
    };
    let read: Vec<_> = text.split(',').map(one).collect::<Option<_>>()?;
    (read.len() < TLS_PAIRS_MAX).then_some(read)
}

/// Reads an array of tables.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_toml(value: &DeValue<'_>) -> Result<Vec<CertificateFiles>, Mistake> {
    let mistake = |place, key: &str, reason: &str| Mistake {
        place,
        key: key.to_owned(),
        reason: reason.to_owned(),
    };
    let DeValue::Array(items) = value else {
        return Err(mistake(None, "", TABLES));
    };
    if items.len() >= TLS_PAIRS_MAX {
        let reason = format!("expected at most {} of them", TLS_PAIRS_MAX - 1);
        return Err(mistake(None, "", &reason));
    }
    let mut read = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let place = Some(item.span().start);
        let DeValue::Table(table) = item.get_ref() else {
            return Err(mistake(place, &format!("[{at}]"), TABLES));
        };
        let (mut cert, mut key) = (None, None);
        for (name, value) in table {
            let (place, full) = (
                Some(name.span().start),
                format!("[{at}].{}", name.get_ref()),
            );
            let slot = match &**name.get_ref() {
                "cert" => &mut cert,
                "key" => &mut key,
                _ => {
                    let reason = "this key is not known; expected one of cert, key";
                    return Err(mistake(place, &full, reason));
                }
            };
            let path = value.get_ref().as_str().filter(|path| is_path(path));
            let reason = "expected the name of a file, in quotes";
            *slot = Some(path.ok_or_else(|| mistake(place, &full, reason))?);
        }
        let missing = |name: &str| {
            let reason = "it is missing; a certificate needs its key, and a key its certificate";
            mistake(place, &format!("[{at}].{name}"), reason)
        };
        let cert = cert.ok_or_else(|| missing("cert"))?;
        read.push(CertificateFiles::new(
            cert,
            key.ok_or_else(|| missing("key"))?,
        ));
    }
    Ok(read)
}

/// The list as TOML; nothing when there is none.
pub(super) fn show(list: &[CertificateFiles]) -> String {
    if list.is_empty() {
        return String::new();
    }
    // A JSON string without control characters is one of TOML too.
    let quoted =
        |path: &std::path::Path| serde_json::Value::from(path.to_string_lossy()).to_string();
    let one = |files: &CertificateFiles| {
        let (cert, key) = (quoted(&files.cert), quoted(&files.key));
        format!("{{ cert = {cert}, key = {key} }}")
    };
    let all: Vec<String> = list.iter().map(one).collect();
    format!("[{}]", all.join(", "))
}

fn is_path(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> Result<Vec<CertificateFiles>, String> {
        let value = DeValue::parse(text).expect("the sample is TOML");
        read_toml(value.get_ref()).map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn a_flag_and_a_file_say_the_same() {
        let flag = read_text("a.crt:a.key, b.crt:b.key").unwrap();
        let file = toml("[{ cert = 'a.crt', key = 'a.key' }, { key = 'b.key', cert = 'b.crt' }]");
        assert_eq!(file.unwrap(), flag);
        let shown = r#"[{ cert = "a.crt", key = "a.key" }, { cert = "b.crt", key = "b.key" }]"#;
        assert_eq!(show(&flag), shown);
        assert_eq!(toml(shown).unwrap(), flag, "what is printed reads back");
        assert_eq!((toml("[]"), show(&[])), (Ok(Vec::new()), String::new()));
    }

    #[test]
    fn mistakes_are_told_by_key() {
        for (text, message) in [
            ("'a.crt'", "expected tables, each begun by"),
            ("[1]", "[0]: expected tables"),
            ("[{ cert = 'a' }]", "[0].key: it is missing"),
            ("[{ key = 'a' }]", "[0].cert: it is missing"),
            (
                "[{ cert = '', key = 'a' }]",
                "[0].cert: expected the name of a file",
            ),
            (
                "[{ cert = 'a', key = 7 }]",
                "[0].key: expected the name of a file",
            ),
            (
                "[{ certs = 'a' }]",
                "[0].certs: this key is not known; expected one of cert, key",
            ),
        ] {
            let told = toml(text).unwrap_err();
            assert!(told.starts_with(message), "{told}");
        }
        for text in ["", "a", "a:", ":b", "a:b,", "a:b:c"] {
            assert_eq!(read_text(text), None, "{text}");
        }
    }

    #[test]
    fn there_are_as_many_as_the_limit_says() {
        let many = |count: usize| vec!["a:b"; count].join(",");
        assert_eq!(
            read_text(&many(TLS_PAIRS_MAX - 1)).unwrap().len(),
            TLS_PAIRS_MAX - 1
        );
        assert_eq!(read_text(&many(TLS_PAIRS_MAX)), None);
        let many = |count: usize| format!("[{}]", vec!["{cert='a',key='b'}"; count].join(","));
        assert!(toml(&many(TLS_PAIRS_MAX - 1)).is_ok());
        assert!(
            toml(&many(TLS_PAIRS_MAX))
                .unwrap_err()
                .contains("at most 63")
        );
    }
}
