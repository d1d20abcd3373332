//! Media types by the ending of a file's name, and which encodings of it a client takes.

/// The media type of a file, by what follows the last dot of its name, whatever its case.
#[must_use]
pub fn media_type_of(name: &str) -> &'static str {
    const UNKNOWN: &str = "application/octet-stream";
    let Some((_, ending)) = name.rsplit_once('.') else {
        return UNKNOWN;
    };
    match ending.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "txt" | "log" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "ics" => "text/calendar; charset=utf-8",
        "vtt" => "text/vtt; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "xml" => "application/xml",
        "xhtml" => "application/xhtml+xml",
        "rss" => "application/rss+xml",
        "atom" => "application/atom+xml",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "tar" => "application/x-tar",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "ico" => "image/vnd.microsoft.icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "oga" | "ogg" | "opus" => "audio/ogg",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "ogv" => "video/ogg",
        "mov" => "video/quicktime",
        _ => UNKNOWN,
    }
}

/// Whether a client takes a content coding (RFC 9110, section 12.5.3): it is named, or `*` is, and
/// not with a weight of zero. Nothing is said of which coding is liked better.
#[must_use]
pub fn accepts_coding(field: Option<&[u8]>, coding: &str) -> bool {
    let field = field.and_then(|field| std::str::from_utf8(field).ok());
    let (mut named, mut any) = (None, None);
    for item in field.unwrap_or_default().split(',') {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let takes = weighs(parameters);
        match name.trim() {
            "*" => any = Some(takes),
            name if name.eq_ignore_ascii_case(coding) => named = Some(takes),
            _ => {}
        }
    }
    named.or(any).unwrap_or(false)
}

/// Whether `q=..` is above zero; none is one, and what is no number is nothing.
fn weighs(parameters: &str) -> bool {
    let weight = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_weight = name.trim().eq_ignore_ascii_case("q");
        is_weight.then_some(value.trim())
    });
    weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_ending() {
        for (name, wanted) in [
            ("index.html", "text/html; charset=utf-8"),
            ("A.JPG", "image/jpeg"),
            ("app.min.js", "text/javascript; charset=utf-8"),
            ("x.tar.gz", "application/gzip"),
            ("html", "application/octet-stream"),
            ("x.", "application/octet-stream"),
            ("x.exe", "application/octet-stream"),
        ] {
            assert_eq!(media_type_of(name), wanted, "{name}");
        }
    }

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
            "br;q=0, *",
        ] {
            assert!(!accepts_coding(Some(field.as_bytes()), "br"), "{field}");
        }
        assert!(!accepts_coding(None, "br"));
        assert!(!accepts_coding(Some(b"\xff"), "br"));
    }
}
