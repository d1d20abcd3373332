//! HTTP answers as a client reads them.

use crate::http::{ChunkedDecoder, Limits};

/// An answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body, without its transfer coding.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first field of a name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_all(name).next()
    }

    /// All fields of a name, whatever its case: `Set-Cookie`, for one.
    pub fn header_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let of_name = move |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        let found = self.headers.iter().filter(of_name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }
}

/// Where an answer's body ends.
enum Ending {
    Length(usize),
    Chunked(ChunkedDecoder),
    /// With the connection.
    Connection,
}

/// An answer on its way in.
#[derive(Default)]
pub(super) struct Reading {
    head: Option<(Answer, Ending)>,
    is_done: bool,
    fault: Option<String>,
}

impl Reading {
    /// Takes what belongs to the answer; `ended` when the connection has.
    pub(super) fn add(&mut self, bytes: &mut Vec<u8>, is_head: bool, ended: bool) {
        if self.fault.is_none() {
            self.fault = self.try_add(bytes, is_head, ended).err();
        }
    }

    /// The connection was broken off: what an end would have ended has not ended.
    pub(super) fn break_off(&mut self) {
        if self.fault.is_none() && !self.is_done {
            self.fault = Some("the server broke the connection off".into());
        }
    }

    /// What is wrong with the answer.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn try_add(&mut self, bytes: &mut Vec<u8>, is_head: bool, ended: bool) -> Result<(), String> {
        if self.head.is_none() {
            self.head = head(bytes, is_head)?;
        }
        let Some((answer, ending)) = &mut self.head else {
            return match ended {
                true => Err("the connection ended before an answer's head".into()),
                false => Ok(()),
            };
        };
        if self.is_done {
            return Ok(());
        }
        match ending {
            Ending::Connection => {
                answer.body.append(bytes);
                self.is_done = ended;
                return Ok(());
            }
            Ending::Length(left) => {
                let count = bytes.len().min(*left);
                answer.body.extend(bytes.drain(..count));
                *left -= count;
                self.is_done = *left == 0;
            }
            Ending::Chunked(decoder) => {
                let progress = decoder.decode(bytes, &mut answer.body);
                let progress = progress.map_err(|error| error.to_string())?;
                bytes.drain(..progress.consumed);
                self.is_done = progress.done;
            }
        }
        match ended && !self.is_done {
            true => Err("the connection ended in the middle of an answer".into()),
            false => Ok(()),
        }
    }

    /// The answer as far as it has arrived, once its head has.
    pub(super) fn answer(&self) -> Option<&Answer> {
        self.head.as_ref().map(|(answer, _)| answer)
    }

    /// Takes what has arrived of the body.
    pub(super) fn take_body(&mut self) -> Vec<u8> {
        let body = self.head.as_mut().map(|(answer, _)| &mut answer.body);
        body.map(std::mem::take).unwrap_or_default()
    }

    /// Whether it has arrived as a whole.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }
}

fn head(bytes: &mut Vec<u8>, is_head: bool) -> Result<Option<(Answer, Ending)>, String> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = response.parse(bytes).map_err(|error| error.to_string())?;
        let httparse::Status::Complete(used) = parsed else {
            return Ok(None);
        };
        let status = response.code.expect("a whole head has one");
        let field = |field: &httparse::Header<'_>| {
            let value = String::from_utf8_lossy(field.value);
            (field.name.to_owned(), value.into_owned())
        };
        let answer = Answer {
            status,
            headers: response.headers.iter().map(field).collect(),
            body: Vec::new(),
        };
        bytes.drain(..used);
        if (100..200).contains(&status) && status != 101 {
            continue; // 100, 103: the answer itself follows
        }
        let ending = ending(&answer, is_head)?;
        return Ok(Some((answer, ending)));
    }
}

fn ending(answer: &Answer, is_head: bool) -> Result<Ending, String> {
    if is_head || matches!(answer.status, 101 | 204 | 304) {
        return Ok(Ending::Length(0));
    }
    if let Some(coding) = answer.header("transfer-encoding") {
        let limits = Limits {
            body_bytes: usize::MAX,
            ..Limits::default()
        };
        return match coding.eq_ignore_ascii_case("chunked") {
            true => Ok(Ending::Chunked(ChunkedDecoder::new(&limits))),
            false => Err(format!("the transfer coding {coding:?}")),
        };
    }
    match answer.header("content-length") {
        Some(length) => match length.parse() {
            Ok(length) => Ok(Ending::Length(length)),
            Err(_) => Err(format!("the length {length:?}")),
        },
        None => Ok(Ending::Connection),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &str, is_head: bool) -> Result<(Option<Answer>, bool, String), String> {
        let (mut reading, mut waiting) = (Reading::default(), Vec::new());
        for byte in bytes.bytes() {
            waiting.push(byte); // however it is cut
            reading.add(&mut waiting, is_head, false);
        }
        reading.add(&mut waiting, is_head, true);
        if let Some(fault) = reading.fault() {
            return Err(fault.to_owned());
        }
        let rest = String::from_utf8(waiting).unwrap();
        Ok((reading.answer().cloned(), reading.is_done(), rest))
    }

    #[test]
    fn a_body_ends_where_its_head_says() {
        for (sent, is_head, body, rest) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc",
                false,
                "ab",
                "c",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true, "", ""),
            ("HTTP/1.1 204 \r\n\r\n", false, "", ""),
            ("HTTP/1.1 101 \r\n\r\n\u{1}", false, "", "\u{1}"),
            (
                "HTTP/1.1 200 OK\r\n\r\nuntil the end",
                false,
                "until the end",
                "",
            ),
            (
                "HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n\
                 2\r\nab\r\n1\r\nc\r\n0\r\n\r\nd",
                false,
                "abc",
                "d",
            ),
        ] {
            let (answer, is_done, left) = read(sent, is_head).unwrap();
            assert_eq!((answer.unwrap().text(), left.as_str()), (body, rest));
            assert!(is_done, "{sent}");
        }
    }

    #[test]
    fn what_breaks_off_is_told() {
        for (sent, told) in [
            ("HTTP/1.1 200 OK\r\n", "head"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", "middle"),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\na", "length"),
            ("nonsense\r\n\r\n", "HTTP"),
        ] {
            let error = read(sent, false).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
