//! Answers of an HTTP API: where one ends, and what it says of the request.

use memchr::memmem;

/// One answer at the start of some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// How many bytes it takes, its body included.
    pub length: usize,
    /// Whether the server ends the connection behind it, and takes nothing more from it.
    pub closes: bool,
}

/// Reads the answer that `bytes` begin with; `None` while its end has not arrived.
///
/// # Errors
/// When the bytes are no answer whose end can be known.
pub fn answer(bytes: &[u8]) -> Result<Option<Answer>, &'static str> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        let long = bytes.len() > HEAD_MAX;
        return if long {
            Err("a head without an end")
        } else {
            Ok(None)
        };
    };
    let head = &bytes[..end + 2];
    let status = status(head).ok_or("not an answer of HTTP/1.1")?;
    let body = end + 4;
    let length = if let Some(value) = header(head, b"content-length:") {
        let digits = std::str::from_utf8(value).ok();
        let count: usize = digits
            .and_then(|digits| digits.trim().parse().ok())
            .ok_or("a Content-Length that is no number")?;
        Some(body + count).filter(|length| *length <= bytes.len())
    } else if header(head, b"transfer-encoding:").is_some() {
        chunked(&bytes[body..])?.map(|count| body + count)
    } else if status == 204 || status == 304 {
        Some(body)
    } else {
        return Err("an answer without a length");
    };
    let closes = closes(head);
    Ok(length.map(|length| Answer {
        status,
        length,
        closes,
    }))
}

/// Whether this is the last answer of its connection: in HTTP/1.1 where it says so, before unless
/// it says otherwise (RFC 9112, 9.3).
fn closes(head: &[u8]) -> bool {
    let options = header(head, b"connection:").unwrap_or_default();
    let mut options = options.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    if head.starts_with(b"HTTP/1.0") {
        !options.any(|option| option.eq_ignore_ascii_case(b"keep-alive"))
    } else {
        options.any(|option| option.eq_ignore_ascii_case(b"close"))
    }
}

/// More than any server's head.
const HEAD_MAX: usize = 64 * 1024;

fn status(head: &[u8]) -> Option<u16> {
    let digits = head.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The value of a header; `name` is in lower case and ends with a colon.
fn header<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    let mut lines = head.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let (start, value) = line.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

/// How long a chunked body is; `None` while its end has not arrived.
fn chunked(body: &[u8]) -> Result<Option<usize>, &'static str> {
    let mut at = 0;
    loop {
        let Some(line) = memmem::find(&body[at..], b"\r\n") else {
            return Ok(None);
        };
        let digits = body[at..at + line].split(|byte| *byte == b';').next();
        let size = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| usize::from_str_radix(digits.trim(), 16).ok())
            .ok_or("a chunk without a size")?;
        at += line + 2;
        if size == 0 {
            // Trailers are lines of their own, then an empty one.
            let rest = &body[at..];
            let end = if rest.starts_with(b"\r\n") {
                Some(2)
            } else {
                memmem::find(rest, b"\r\n\r\n").map(|end| end + 4)
            };
            return Ok(end.map(|end| at + end));
        }
        at += size + 2;
        if at > body.len() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERS: [(&str, u16); 5] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200),
        ("HTTP/1.1 503 Busy\r\nx: y\r\ncontent-length:0\r\n\r\n", 503),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            200,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na;x=y\r\n0123456789\r\n0\r\n\
             t: u\r\n\r\n",
            200,
        ),
    ];

    #[test]
    fn answers_end_where_they_end_and_not_before() {
        for (text, status) in ANSWERS {
            let length = text.len();
            let whole = [text.as_bytes(), b"HTTP/1.1 404 Next\r\n"].concat();
            let expected = Answer {
                status,
                length,
                closes: false,
            };
            assert_eq!(answer(&whole), Ok(Some(expected)), "{text}");
            for cut in 0..length {
                assert_eq!(answer(&whole[..cut]), Ok(None), "{cut} of {text}");
            }
        }
    }

    #[test]
    fn the_last_answer_of_a_connection_is_told() {
        for (start, last) in [
            ("HTTP/1.1 200 OK", false),
            ("HTTP/1.1 200 OK\r\nConnection: keep-alive", false),
            ("HTTP/1.1 200 OK\r\nConnection: closed-circuit", false),
            ("HTTP/1.1 200 OK\r\nconnection: Close", true),
            ("HTTP/1.1 200 OK\r\nConnection: x-y , close", true),
            ("HTTP/1.0 200 OK", true),
            ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive", false),
        ] {
            let text = format!("{start}\r\nContent-Length: 0\r\n\r\n");
            let answer = answer(text.as_bytes()).unwrap().unwrap();
            assert_eq!(answer.closes, last, "{start}");
        }
    }

    #[test]
    fn what_has_no_known_end_is_refused() {
        for wrong in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            "SSH-2.0 hello\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        ] {
            assert!(answer(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(answer(&[b'a'; HEAD_MAX + 1]).is_err());
    }
}
