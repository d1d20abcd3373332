//! How a WebSocket client of the Pusher protocol begins, and the little it must answer.

use crate::engine::Ended;
use crate::target::Target;
use crate::wire::frame::{self, Frame};
use memchr::memmem;

/// How far a client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// There is no connection.
    #[default]
    Away,
    /// The handshake is out, or will be when the connection is made.
    Upgrading,
    /// The upgrade went through.
    Greeting,
    /// The subscription is out.
    Subscribing,
    /// Events come in.
    Subscribed,
    /// The close is out.
    Leaving,
}

/// What the server says apart from the events of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// The connection has this id.
    Established(&'a str),
    /// The subscription is good.
    Subscribed,
    /// The server wants a sign of life.
    Ping,
    /// Something was refused; the code if there is one.
    Error(Option<u32>),
    /// An event, or something that does not matter.
    Other,
}

/// Bytes of the handshake of every client of one app.
pub fn handshake(target: &Target, key: &str) -> Vec<u8> {
    format!(
        "GET /app/{key}?protocol=7&client=loadtest&version=0.1 HTTP/1.1\r\nHost: {}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        target.host
    )
    .into_bytes()
}

/// The frame that subscribes to a channel; `auth` and `channel_data` where it needs them.
pub fn subscribe(channel: &str, auth: Option<&str>, channel_data: Option<&str>) -> Vec<u8> {
    let mut data = serde_json::json!({ "channel": channel });
    for (name, value) in [("auth", auth), ("channel_data", channel_data)] {
        if let Some(value) = value {
            data[name] = value.into();
        }
    }
    let text = serde_json::json!({ "event": "pusher:subscribe", "data": data });
    frame::masked(frame::TEXT, text.to_string().as_bytes())
}

/// The frame that ends a connection in order.
pub fn goodbye() -> Vec<u8> {
    frame::masked(frame::CLOSE, &1000u16.to_be_bytes())
}

/// Takes the response to the handshake off `bytes`; whether frames may follow.
///
/// # Errors
/// When the upgrade was refused.
#[inline]
pub fn upgraded(stage: &mut Stage, bytes: &mut &[u8]) -> Result<bool, Ended> {
    if *stage != Stage::Upgrading {
        return Ok(true);
    }
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(false);
    };
    if !bytes.starts_with(b"HTTP/1.1 101 ") {
        let line = bytes
            .split(|byte| *byte == b'\r')
            .next()
            .unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        return Err(Ended::said(format!("the upgrade was refused: {line}")));
    }
    *bytes = &bytes[end + 4..];
    *stage = Stage::Greeting;
    Ok(true)
}

/// Understands a frame that carries no event of the load, and says what must be answered.
///
/// # Errors
/// When it is the last one of the connection.
pub fn hear<'a>(frame: &Frame<'a>, say: impl FnOnce(&[u8])) -> Result<Said<'a>, Ended> {
    match frame.opcode {
        frame::TEXT => {
            let said = understand(frame.payload);
            if said == Said::Ping {
                let pong = br#"{"event":"pusher:pong","data":{}}"#;
                say(&frame::masked(frame::TEXT, pong));
            }
            Ok(said)
        }
        frame::PING => {
            say(&frame::masked(frame::PONG, frame.payload));
            Ok(Said::Other)
        }
        frame::PONG => Ok(Said::Other),
        frame::CLOSE => {
            let code = frame
                .payload
                .first_chunk()
                .map(|code| u16::from_be_bytes(*code));
            let code = code.map_or_else(String::new, |code| format!(" with {code}"));
            Err(Ended::said(format!(
                "the server closed the connection{code}"
            )))
        }
        other => Err(Ended::said(format!("a frame with opcode {other}"))),
    }
}

fn understand(text: &[u8]) -> Said<'_> {
    let says = |event: &[u8]| memmem::find(text, event).is_some();
    if !says(b"\"pusher") {
        return Said::Other;
    }
    if says(b"\"pusher_internal:subscription_succeeded\"") {
        Said::Subscribed
    } else if says(b"\"pusher:connection_established\"") {
        Said::Established(socket_id(text).unwrap_or_default())
    } else if says(b"\"pusher:ping\"") {
        Said::Ping
    } else if says(b"\"pusher:error\"") || says(b"\"pusher:subscription_error\"") {
        Said::Error(number_after(text, b"\"code\":"))
    } else {
        Said::Other
    }
}

fn socket_id(text: &[u8]) -> Option<&str> {
    let rest = &text[memmem::find(text, b"socket_id")? + b"socket_id".len()..];
    let start = rest.iter().position(u8::is_ascii_digit)?;
    let id = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let end = rest[start..].iter().position(|byte| !id(byte))?;
    std::str::from_utf8(&rest[start..start + end]).ok()
}

fn number_after(text: &[u8], key: &[u8]) -> Option<u32> {
    let rest = text[memmem::find(text, key)? + key.len()..].trim_ascii_start();
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_understood() {
        for (text, said) in [
            (
                "{\"event\":\"pusher:connection_established\",\
                 \"data\":\"{\\\"socket_id\\\":\\\"12.34\\\",\\\"activity_timeout\\\":120}\"}",
                Said::Established("12.34"),
            ),
            (
                r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"a"}"#,
                Said::Subscribed,
            ),
            (r#"{"event":"pusher:ping","data":"{}"}"#, Said::Ping),
            (
                r#"{"event":"pusher:error","data":{"code":4301,"message":"x"}}"#,
                Said::Error(Some(4301)),
            ),
            (
                r#"{"event":"pusher:error","data":{"code":null,"message":"x"}}"#,
                Said::Error(None),
            ),
            (r#"{"event":"x","data":"y","channel":"a"}"#, Said::Other),
        ] {
            assert_eq!(understand(text.as_bytes()), said, "{text}");
        }
    }

    #[test]
    fn a_refused_upgrade_says_why() {
        let mut stage = Stage::Upgrading;
        let mut bytes: &[u8] = b"HTTP/1.1 101 Switching";
        assert!(!upgraded(&mut stage, &mut bytes).unwrap(), "cut");
        let mut bytes: &[u8] = b"HTTP/1.1 101 Switching\r\nA: b\r\n\r\nrest";
        assert!(upgraded(&mut stage, &mut bytes).unwrap());
        assert_eq!((stage, bytes), (Stage::Greeting, &b"rest"[..]));
        let mut bytes: &[u8] = b"HTTP/1.1 503 Full\r\n\r\n";
        let error = upgraded(&mut Stage::Upgrading, &mut bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the upgrade was refused: HTTP/1.1 503 Full"
        );
    }

    #[test]
    fn pings_are_answered_and_a_close_is_the_end() {
        let frame = |opcode, payload| Frame { opcode, payload };
        let mut out = Vec::new();
        hear(&frame(frame::PING, b"x"), |bytes| {
            out.extend_from_slice(bytes)
        })
        .unwrap();
        assert_eq!(out, frame::masked(frame::PONG, b"x"));
        let close = frame(frame::CLOSE, &[0x10, 0x68, b'x']);
        let error = hear(&close, |_| unreachable!("nothing is answered")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server closed the connection with 4200"
        );
    }
}
