//! A signed publish request: everything that does not change is written once.

use crate::target::Target;
use crate::wire::mark::{self, Mark};
use crate::wire::sign::Signer;
use md5::{Digest, Md5};

/// The name of every event that is published.
const EVENT: &str = "lt";

/// Digits of a channel's number in its name.
pub const CHANNEL_DIGITS: usize = 5;

/// The most channels that a load can have.
pub const CHANNELS_MAX: u32 = 10u32.pow(CHANNEL_DIGITS as u32);

/// Credentials of the app.
#[derive(Clone, Debug)]
pub struct App<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its key.
    pub key: &'a str,
    /// What signs for it.
    pub signer: Signer,
}

/// The request, with places for what changes.
#[derive(Clone, Debug)]
pub struct Publish {
    bytes: Vec<u8>,
    signer: Signer,
    path: Vec<u8>,
    /// Where things stand in the bytes.
    query: std::ops::Range<usize>,
    timestamp: usize,
    body_md5: usize,
    signature: usize,
    body: usize,
    /// The places of each message's channel and mark: one, or as many as a batch has.
    messages: Vec<(usize, usize)>,
}

/// The name of a channel. All names of a load are of one length, so that marks keep their place.
pub fn channel_name(prefix: &str, number: u32) -> String {
    format!("{prefix}-{number:0CHANNEL_DIGITS$}")
}

impl Publish {
    /// Of messages of `payload` bytes to the channels of `prefix`, `batch` of them in a request.
    pub fn new(target: &Target, app: &App<'_>, prefix: &str, payload: usize, batch: u32) -> Self {
        let (body, mut messages) = body(prefix, payload, batch);
        let endpoint = if batch == 1 { "events" } else { "batch_events" };
        let path = format!("/apps/{}/{endpoint}", app.id);
        let timestamp = "0".repeat(10);
        let before = format!("auth_key={}&auth_timestamp=", app.key);
        let between = "&auth_version=1.0&body_md5=";
        let query = format!("{before}{timestamp}{between}{}", "0".repeat(32));
        let head = format!("POST {path}?{query}&auth_signature={}", "0".repeat(64));
        let bytes = format!(
            "{head} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            target.host,
            body.len()
        );
        let query_at = "POST ?".len() + path.len();
        let timestamp_at = query_at + before.len();
        let body_at = bytes.len() - body.len();
        for (channel, mark) in &mut messages {
            *channel += body_at;
            *mark += body_at;
        }
        Self {
            signer: app.signer.clone(),
            path: path.into_bytes(),
            query: query_at..query_at + query.len(),
            timestamp: timestamp_at,
            body_md5: timestamp_at + 10 + between.len(),
            signature: head.len() - 64,
            body: body_at,
            messages,
            bytes: bytes.into_bytes(),
        }
    }

    /// The request for one message, or for a batch of one stream, of which `mark` is the first.
    pub fn write(&mut self, channel: u32, mut mark: Mark, unix_s: u64, out: &mut Vec<u8>) {
        for (channel_at, mark_at) in &self.messages {
            let name = &mut self.bytes[*channel_at..][..CHANNEL_DIGITS];
            digits(name, u64::from(channel));
            self.bytes[*mark_at..][..mark::BYTES].copy_from_slice(&mark.text());
            mark.sequence += 1;
        }
        digits(&mut self.bytes[self.timestamp..][..10], unix_s);
        let md5 = Md5::digest(&self.bytes[self.body..]);
        hex::encode_to_slice(md5, &mut self.bytes[self.body_md5..][..32]).expect("16 bytes");
        let mut signature = [0; 64];
        let query = &self.bytes[self.query.clone()];
        self.signer
            .sign(&[b"POST\n", &self.path, b"\n", query], &mut signature);
        self.bytes[self.signature..][..64].copy_from_slice(&signature);
        out.extend_from_slice(&self.bytes);
    }
}

/// A body with the places of its channels' digits and of its marks.
fn body(prefix: &str, payload: usize, batch: u32) -> (String, Vec<(usize, usize)>) {
    let channel = channel_name(prefix, 0);
    let mark = "M".repeat(mark::BYTES);
    let padding = "x".repeat(payload.saturating_sub(mark::BYTES));
    let one = |start: &str, end: &str| {
        format!("{{\"name\":\"{EVENT}\",{start}{channel}{end},\"data\":\"{mark}{padding}\"}}")
    };
    let body = if batch == 1 {
        one("\"channels\":[\"", "\"]")
    } else {
        let all = vec![one("\"channel\":\"", "\""); batch as usize];
        format!("{{\"batch\":[{}]}}", all.join(","))
    };
    let marks = body.match_indices(mark.as_str());
    let channels = body.match_indices(channel.as_str());
    let digits = channel.len() - CHANNEL_DIGITS;
    let places = channels
        .zip(marks)
        .map(|((channel, _), (mark, _))| (channel + digits, mark));
    let places = places.collect();
    (body, places)
}

/// Requests that were signed beforehand, used in turn: their making costs nothing in the measured
/// part. For channels that nobody checks, as their marks come again and again.
#[derive(Clone, Debug)]
pub struct Pool {
    bytes: Vec<u8>,
    each: usize,
    next: usize,
    signed_at: u64,
}

/// Requests in a pool.
const POOL: u32 = 1024;

/// A signature is good for 600 seconds; it is renewed long before.
const GOOD_FOR_S: u64 = 300;

impl Pool {
    /// Signs all of them.
    pub fn new(request: &mut Publish, channels: u32, unix_s: u64) -> Self {
        let mut bytes = Vec::new();
        for sequence in 0..POOL.next_multiple_of(channels) {
            let channel = sequence % channels;
            let mark = Mark {
                stream: channel,
                sequence,
                due: 0,
            };
            request.write(channel, mark, unix_s, &mut bytes);
        }
        Self {
            each: request.bytes.len(),
            next: 0,
            signed_at: unix_s,
            bytes,
        }
    }

    /// The next of them; `None` when it is time to sign them anew.
    pub fn take(&mut self, unix_s: u64) -> Option<&[u8]> {
        if unix_s > self.signed_at + GOOD_FOR_S {
            return None;
        }
        if self.next == self.bytes.len() {
            self.next = 0;
        }
        let request = &self.bytes[self.next..][..self.each];
        self.next += self.each;
        Some(request)
    }
}

/// Writes a number over the whole width of `out`, with zeros in front.
pub fn digits(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_as_pusher_says() {
        let target: Target = "ws://127.0.0.1:6001".parse().unwrap();
        let signer = Signer::new("app-secret");
        let app = App {
            id: "1001",
            key: "app-key",
            signer: signer.clone(),
        };
        let mut publish = Publish::new(&target, &app, "p", 50, 1);
        let mark = Mark {
            stream: 1,
            sequence: 2,
            due: 3,
        };
        let mut out = Vec::new();
        publish.write(99_999, mark, 1, &mut out);
        out.clear();
        publish.write(42, mark, 1_700_000_000, &mut out);
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mark = String::from_utf8(mark.text().to_vec()).unwrap();
        assert_eq!(
            body,
            format!(r#"{{"name":"lt","channels":["p-00042"],"data":"{mark}xxxxxxxxxx"}}"#)
        );
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())));
        let md5 = hex::encode(Md5::digest(body));
        let query =
            format!("auth_key=app-key&auth_timestamp=1700000000&auth_version=1.0&body_md5={md5}");
        let mut signature = [0; 64];
        signer.sign(
            &[format!("POST\n/apps/1001/events\n{query}").as_bytes()],
            &mut signature,
        );
        let signature = std::str::from_utf8(&signature).unwrap();
        let line =
            format!("POST /apps/1001/events?{query}&auth_signature={signature} HTTP/1.1\r\n");
        assert!(head.starts_with(&line), "{head}");
        assert!(head.contains("\r\nHost: 127.0.0.1:6001\r\n"));
    }

    #[test]
    fn a_batch_numbers_its_messages() {
        let target: Target = "ws://127.0.0.1:6001".parse().unwrap();
        let signer = Signer::new("app-secret");
        let app = App {
            id: "1",
            key: "k",
            signer,
        };
        let mark = |sequence| Mark {
            stream: 9,
            sequence,
            due: 3,
        };
        let mut out = Vec::new();
        Publish::new(&target, &app, "p", 40, 3).write(7, mark(5), 1, &mut out);
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("POST /apps/1/batch_events?auth_key=k&"),
            "{head}"
        );
        let one = |sequence| {
            let mark = String::from_utf8(mark(sequence).text().to_vec()).unwrap();
            format!(r#"{{"name":"lt","channel":"p-00007","data":"{mark}"}}"#)
        };
        let all = [5, 6, 7].map(one).join(",");
        assert_eq!(body, format!(r#"{{"batch":[{all}]}}"#));
    }
}
