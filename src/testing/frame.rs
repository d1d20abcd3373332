//! Frames as a client sends and reads them (RFC 6455): masked out, unmasked in.

use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The standard asks for a mask that nobody can guess; a test wants the same bytes each time.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(super) const TEXT: OpCode = OpCode::Data(Data::Text);
pub(super) const BINARY: OpCode = OpCode::Data(Data::Binary);
pub(super) const CONTINUE: OpCode = OpCode::Data(Data::Continue);
pub(super) const PING: OpCode = OpCode::Control(Control::Ping);
pub(super) const PONG: OpCode = OpCode::Control(Control::Pong);
pub(super) const CLOSE: OpCode = OpCode::Control(Control::Close);

/// What a server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// The answer to a ping of the client's.
    Pong(Vec<u8>),
    /// A close frame: its code, 1005 when it has none, and its reason.
    Close(u16, String),
    /// The server ended the connection.
    End,
}

/// One frame of a client.
pub(super) fn encode(opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        is_final,
        rsv1: false,
        rsv2: false,
        rsv3: false,
        opcode,
        mask: Some(MASK),
    };
    let mut out = Vec::with_capacity(payload.len() + 14);
    let written = header.format(payload.len() as u64, &mut out);
    written.expect("a Vec takes every write");
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(b, m)| b ^ m));
    out
}

/// The payload of a close frame.
pub(super) fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// One frame of a server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) opcode: OpCode,
    is_final: bool,
    pub(super) payload: Vec<u8>,
}

/// Takes the next whole frame, if it has arrived.
///
/// # Errors
/// What a client has to break the connection off for.
pub(super) fn decode(bytes: &mut Vec<u8>) -> Result<Option<Frame>, String> {
    let mut cursor = Cursor::new(&bytes[..]);
    let parsed = FrameHeader::parse(&mut cursor).map_err(|error| error.to_string())?;
    let Some((header, length)) = parsed else {
        return Ok(None);
    };
    if header.rsv1 || header.rsv2 || header.rsv3 {
        return Err("a frame of an extension that this client did not ask for".into());
    }
    if header.mask.is_some() {
        return Err("a masked frame".into());
    }
    let start = cursor.position() as usize;
    let end = start + length as usize;
    if bytes.len() < end {
        return Ok(None);
    }
    let payload = bytes[start..end].to_vec();
    bytes.drain(..end);
    let is_control = matches!(header.opcode, OpCode::Control(_));
    if is_control && (payload.len() > 125 || !header.is_final) {
        return Err("a control frame that is long or fragmented".into());
    }
    Ok(Some(Frame {
        opcode: header.opcode,
        is_final: header.is_final,
        payload,
    }))
}

/// Puts fragments together.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    begun: Option<(OpCode, Vec<u8>)>,
}

impl Assembly {
    /// A frame as it comes; the message that it ends, if it does. Pings are the caller's.
    ///
    /// # Errors
    /// What a client has to break the connection off for.
    pub(super) fn add(&mut self, frame: Frame) -> Result<Option<Received>, String> {
        let Frame {
            opcode,
            is_final,
            payload,
        } = frame;
        match opcode {
            PONG => return Ok(Some(Received::Pong(payload))),
            CLOSE => return closed(&payload).map(Some),
            _ => {}
        }
        let (kind, payload) = match (opcode, self.begun.take()) {
            (CONTINUE, Some((kind, mut begun))) => {
                begun.extend(payload);
                (kind, begun)
            }
            (TEXT | BINARY, None) => (opcode, payload),
            _ => return Err("a fragment out of its order, or an unknown frame".into()),
        };
        match kind {
            _ if !is_final => {
                self.begun = Some((kind, payload));
                Ok(None)
            }
            TEXT => text(payload).map(|text| Some(Received::Text(text))),
            _ => Ok(Some(Received::Binary(payload))),
        }
    }
}

fn closed(payload: &[u8]) -> Result<Received, String> {
    match payload.split_first_chunk::<2>() {
        Some((code, reason)) => Ok(Received::Close(
            u16::from_be_bytes(*code),
            text(reason.to_vec())?,
        )),
        None if payload.is_empty() => Ok(Received::Close(1005, String::new())),
        None => Err("a close frame with half a code".into()),
    }
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|_| "a text that is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::{self, Decoder};

    #[test]
    fn what_a_client_sends_is_what_a_server_reads() {
        let payload = vec![b'x'; 70_000];
        let mut bytes = encode(BINARY, true, &payload);
        let mut decoder = Decoder::new(100_000);
        let mut rest = &mut bytes[..];
        match decoder.next(&mut rest) {
            Ok(Some(ws::Received::Binary(got))) => assert!(*got == *payload),
            other => panic!("{other:?}"),
        }
    }

    fn read(bytes: &[u8]) -> Result<Vec<Received>, String> {
        let (mut assembly, mut bytes) = (Assembly::default(), bytes.to_vec());
        let mut all = Vec::new();
        while let Some(frame) = decode(&mut bytes)? {
            all.extend(assembly.add(frame)?);
        }
        Ok(all)
    }

    #[test]
    fn whatever_a_server_may_send_is_read() {
        let close = ws::Frame::close(1000, "bye");
        let frames = [
            ws::Frame::text(b"one").bytes(),
            &[0x02, 1, b't'], // begun
            ws::Frame::pong(b"p").bytes(),
            &[0x80, 1, b'w'], // ended
            close.bytes(),
            &[0x88, 0],
            &[0x81, 126], // not whole
        ]
        .concat();
        let wanted = [
            Received::Text("one".into()),
            Received::Pong(b"p".to_vec()),
            Received::Binary(b"tw".to_vec()),
            Received::Close(1000, "bye".into()),
            Received::Close(1005, String::new()),
        ];
        assert_eq!(read(&frames).unwrap(), wanted);
    }

    #[test]
    fn whatever_a_server_must_not_send_is_told() {
        for (bytes, told) in [
            (&[0xc1, 0][..], "extension"),
            (&[0x81, 0x80, 1, 2, 3, 4], "masked"),
            (&[0x09, 0], "control"),
            (&[0x80, 0], "order"),
            (&[0x01, 0, 0x81, 0], "order"),
            (&[0x81, 1, 0xff], "UTF-8"),
            (&[0x88, 1, 3], "half a code"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
