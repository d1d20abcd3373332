//! Publishes, spliced: strings are taken as they lie in the body, escapes and all.

/// The inside of the JSON string that follows `key`, escapes untouched.
pub fn string<'b>(body: &'b [u8], key: &[u8]) -> Option<&'b [u8]> {
    let start = memchr::memmem::find(body, key)? + key.len();
    let mut at = start;
    loop {
        match *body.get(at)? {
            b'"' => return Some(&body[start..at]),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The one channel of a publish.
pub fn channel(body: &[u8]) -> Option<&[u8]> {
    string(body, b"\"channel\":\"").or_else(|| string(body, b"\"channels\":[\""))
}

/// The frame that subscribers get.
pub fn frame(body: &[u8], frame: &mut Vec<u8>) {
    let name = string(body, b"\"name\":\"").unwrap_or_default();
    let data = string(body, b"\"data\":\"").unwrap_or_default();
    let channel = channel(body).unwrap_or_default();
    text(
        &[
            b"{\"event\":\"",
            name,
            b"\",\"data\":\"",
            data,
            b"\",\"channel\":\"",
            channel,
            b"\"}",
        ],
        frame,
    );
}

/// The answer to a subscription.
pub fn succeeded(channel: &[u8], frame: &mut Vec<u8>) {
    const START: &[u8] =
        br#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":""#;
    text(&[START, channel, b"\"}"], frame);
}

fn text(parts: &[&[u8]], frame: &mut Vec<u8>) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    frame.clear();
    frame.push(0x81);
    match u16::try_from(length) {
        Ok(short @ ..=125) => frame.push(short as u8),
        Ok(length) => {
            frame.push(126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    for part in parts {
        frame.extend_from_slice(part);
    }
}
