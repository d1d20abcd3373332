//! Bodies of responses in fewer bytes (gzip, RFC 1952).

use super::vary::vary;
use super::{Middleware, Next};
use crate::handler::Request;
use crate::http::accept::{coding_weight, named_weight};
use crate::http::{BodyFilter, Response};
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use std::io::Write;

/// Compresses bodies by gzip for whoever accepts it (`Accept-Encoding`).
///
/// Bodies that are made while they are sent are compressed piece by piece, whatever their length;
/// what is written may leave later then, unless it is flushed
/// ([`BodyWriter::flush`](crate::http::BodyWriter::flush)). Each of them costs some 400 KiB while
/// it is sent. Server-sent events are among them only when [asked for](Compression::with_events).
///
/// Left as they are: bodies below a size that is worth it, whole ones above one that would keep the
/// shard from its other clients for too long, types that are compressed in themselves, answers that
/// are encoded already, parts of something (206, `Content-Range`), and what says
/// `Cache-Control: no-transform`. What could have been compressed
/// says `Vary: Accept-Encoding` either way; a strong `ETag` becomes a weak one, since the bytes are
/// others.
///
/// Secrets in a body that also holds what the peer has sent can be guessed from its compressed
/// size: leave such routes out.
#[derive(Clone, Debug)]
pub struct Compression {
    min_bytes: usize,
    max_bytes: usize,
    level: u32,
    types: Vec<&'static str>,
    events: bool,
}

/// The type of server-sent events.
const EVENTS: &str = "text/event-stream";

/// Bytes of a streamed body after which what was compressed of them leaves.
const FLUSH_BYTES: usize = 64 * 1024;

/// What is compressed unless something else is said.
const TYPES: [&str; 8] = [
    "text/*",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/wasm",
    "application/manifest+json",
    "application/ld+json",
    "image/svg+xml",
];

impl Default for Compression {
    fn default() -> Self {
        Self::new()
    }
}

impl Compression {
    /// Compresses text of 1 KiB to 1 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self {
            min_bytes: 1024,
            max_bytes: 1024 * 1024,
            level: 6,
            types: TYPES.to_vec(),
            events: false,
        }
    }

    /// Bytes of the smallest body that is compressed.
    #[must_use]
    pub fn with_min_bytes(mut self, bytes: usize) -> Self {
        self.min_bytes = bytes;
        self
    }

    /// Bytes of the largest whole body that is compressed; a mebibyte takes a shard some
    /// milliseconds, in which it does nothing else.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How hard to try, from 1 (fast) to 9 (small); 6 unless said.
    ///
    /// # Panics
    /// When it is none of these.
    #[must_use]
    pub fn with_level(mut self, level: u32) -> Self {
        assert!((1..=9).contains(&level), "no level of compression: {level}");
        self.level = level;
        self
    }

    /// Compresses these media types instead; `text/*` is all of text.
    #[must_use]
    pub fn with_types(mut self, types: impl IntoIterator<Item = &'static str>) -> Self {
        self.types = types.into_iter().collect();
        self
    }

    /// Compresses server-sent events as well: each still leaves at once. They are streams that last
    /// long, and each holds the memory of its compression for as long.
    #[must_use]
    pub fn with_events(mut self) -> Self {
        self.events = true;
        self
    }

    /// Whether the answer may be compressed, whoever asks.
    fn fits(&self, response: &Response) -> bool {
        let (min, max) = (self.min_bytes.max(1) as u64, self.max_bytes as u64);
        let has_size = match (response.is_streamed(), response.body_length()) {
            (true, length) => length.is_none_or(|length| length >= min),
            (false, length) => length.is_some_and(|length| (min..=max).contains(&length)),
        };
        let says = |name: &str| response.header(name).is_some();
        let is_fixed = response.headers().any(|(name, value)| {
            name.eq_ignore_ascii_case("cache-control")
                && value.to_ascii_lowercase().contains("no-transform")
        });
        has_size
            && !matches!(response.status(), 101 | 204 | 206 | 304)
            && !says("content-encoding")
            && !says("content-range")
            && !is_fixed
            && self.is_listed(response.content_type())
    }

    fn is_listed(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case(EVENTS) {
            return self.events;
        }
        self.types
            .iter()
            .any(|listed| match listed.strip_suffix('*') {
                Some(start) => {
                    let sent = essence.get(..start.len());
                    sent.is_some_and(|sent| sent.eq_ignore_ascii_case(start))
                }
                None => essence.eq_ignore_ascii_case(listed),
            })
    }

    fn compressed(&self, response: Response) -> Response {
        let room = match response.is_streamed() {
            true => Vec::new(),
            false => Vec::with_capacity(response.body().len() / 2),
        };
        let tag = response.header("etag").map(str::to_owned);
        let response = response
            .with_header("Content-Encoding", "gzip")
            .without_header("accept-ranges") // of which bytes, nobody could tell
            .with_filter(Gzip {
                encoder: GzEncoder::new(room, Level::new(self.level)),
                held: 0,
            });
        match tag {
            Some(tag) if !tag.starts_with("W/") => {
                let response = response.without_header("etag");
                let response = response.try_header("ETag", format!("W/{tag}"));
                response.expect("it was a fine value before")
            }
            _ => response,
        }
    }
}

/// Compresses one body.
struct Gzip {
    encoder: GzEncoder<Vec<u8>>,
    /// Bytes that were written since the last flush.
    held: usize,
}

/// Why a buffer's errors are none.
const IN_MEMORY: &str = "a buffer in memory takes everything";

impl BodyFilter for Gzip {
    fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.encoder.write_all(bytes).expect(IN_MEMORY);
        self.held += bytes.len();
        match self.held >= FLUSH_BYTES {
            true => self.flush(out),
            false => out.append(self.encoder.get_mut()),
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if self.held > 0 {
            self.encoder.flush().expect(IN_MEMORY);
            self.held = 0;
        }
        out.append(self.encoder.get_mut());
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.encoder.try_finish().expect(IN_MEMORY);
        out.append(self.encoder.get_mut());
    }
}

impl Middleware for Compression {
    async fn around(&self, request: Request<'_>, next: Next<'_>) -> Response {
        let accepts = accepts_gzip(request.header("accept-encoding"));
        let response = next.run(request).await;
        if !self.fits(&response) {
            return response;
        }
        let response = match accepts {
            true => self.compressed(response),
            false => response,
        };
        vary(response, "Accept-Encoding")
    }
}

/// Whether gzip is accepted, and no less than what is not encoded (RFC 9110, section 12.5.3).
fn accepts_gzip(field: Option<&[u8]>) -> bool {
    let gzip = coding_weight(field, &["gzip", "x-gzip"]);
    gzip > 0 && gzip >= named_weight(field, &["identity"]).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_accepted_by_weight() {
        for field in [
            "gzip",
            "GZip",
            "x-gzip",
            "br, gzip;q=0.5",
            "deflate;q=1, gzip ; q=0.001",
            "*",
            "*;q=0.1",
            "gzip;q=0.5, identity;q=0.5",
            "gzip;q=1.000",
            "identity;q=0, *",
        ] {
            assert!(accepts_gzip(Some(field.as_bytes())), "{field}");
        }
        for field in [
            "",
            "br",
            "identity",
            "gzip;q=0",
            "gzip;q=0.000, *",
            "*;q=0",
            "gzip;q=0.5, identity",
            "gzip;q=0.4, identity;q=0.5",
            "gzip;q=1.001",
            "gzip;q=x",
            "gzip;q=0.1234",
            "gzip;q=",
            "gzipped",
        ] {
            assert!(!accepts_gzip(Some(field.as_bytes())), "{field}");
        }
        assert!(!accepts_gzip(None) && !accepts_gzip(Some(b"\xff")));
    }

    #[test]
    fn only_what_is_worth_it_fits() {
        let compression = Compression::new().with_min_bytes(10).with_max_bytes(20);
        let of = |size: usize| Response::text(200, "a".repeat(size));
        for (size, fits) in [(0, false), (9, false), (10, true), (20, true), (21, false)] {
            assert_eq!(compression.fits(&of(size)), fits, "{size}");
        }
        let body = "a".repeat(15);
        for (content_type, fits) in [
            ("text/html; charset=utf-8", true),
            ("TEXT/css", true),
            ("application/json", true),
            ("application/json5", false),
            ("image/svg+xml", true),
            ("image/png", false),
            ("", false),
        ] {
            let response = Response::new(200, content_type, body.clone());
            assert_eq!(compression.fits(&response), fits, "{content_type}");
        }
        for response in [
            of(15).with_status(206),
            of(15).with_status(304),
            of(15).with_header("Content-Encoding", "br"),
            of(15).with_header("content-range", "bytes 0-1/2"),
            of(15).with_header("Cache-Control", "max-age=1, No-Transform"),
        ] {
            assert!(!compression.fits(&response), "{response:?}");
        }
        // One of a length that is not known fits, however long it will be.
        let stream = |length: Option<u64>, content_type| match length {
            None => Response::stream(content_type, async |_| Ok(())),
            Some(length) => Response::stream_sized(content_type, length, async |_| Ok(())),
        };
        for (length, fits) in [
            (None, true),
            (Some(9), false),
            (Some(10), true),
            (Some(21), true),
        ] {
            assert_eq!(
                compression.fits(&stream(length, "text/csv")),
                fits,
                "{length:?}"
            );
        }
        for content_type in ["text/event-stream", "Text/Event-Stream; charset=utf-8"] {
            let events = stream(None, content_type);
            assert!(!compression.fits(&events), "{content_type}");
            assert!(compression.clone().with_events().fits(&events));
        }
        let png = Compression::new()
            .with_min_bytes(0)
            .with_types(["image/png"]);
        assert!(png.fits(&Response::new(200, "image/png", "x")));
        assert!(!png.fits(&of(15)) && !png.fits(&Response::new(200, "image/png", "")));
    }

    #[test]
    fn levels_at_the_limits_and_one_past() {
        for (level, fits) in [(0, false), (1, true), (9, true), (10, false)] {
            let made = std::panic::catch_unwind(|| Compression::new().with_level(level));
            assert_eq!(made.is_ok(), fits, "{level}");
        }
    }
}
