//! Outbound frames: encoded once, then shared.
//!
//! A [`Frame`] is 16 bytes and cheap to clone without atomics: it points to bytes that this
//! shard holds, to static bytes, or holds a very short frame itself. The buffer behind a broadcast
//! is an `Arc<[u8]>`: it crosses the mesh once and is wrapped once on each shard.

use super::lent::Held;
use crate::limits::{CLOSE_REASON_MAX, CONTROL_PAYLOAD_MAX};
use std::sync::Arc;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Bytes ready for a socket.
#[derive(Clone, Debug)]
pub struct Frame(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Held(Held),
    Static(&'static &'static [u8]),
    Short { len: u8, bytes: [u8; SHORT_MAX] },
}

/// Longest frame that is held in place. A pong that answers a ping of up to twelve bytes fits,
/// so that clients which ping every second cost no allocation (rule W11).
const SHORT_MAX: usize = 14;

const _: () = assert!(std::mem::size_of::<Frame>() == 16);

impl Frame {
    /// Takes over a buffer that may be shared with other shards; one allocation here, none for
    /// each socket.
    #[must_use]
    pub fn shared(bytes: Arc<[u8]>) -> Self {
        Self::held(Held::shared(bytes))
    }

    /// A text message from `payload`.
    #[must_use]
    pub fn text(payload: &[u8]) -> Self {
        Self::of_bytes(&encoded(OpCode::Data(Data::Text), payload))
    }

    /// Bytes that are not a WebSocket frame at all: an HTTP response on its way out.
    #[must_use]
    pub fn raw(bytes: &[u8]) -> Self {
        Self::of_bytes(bytes)
    }

    /// A binary message from `payload`.
    #[must_use]
    pub fn binary(payload: &[u8]) -> Self {
        Self::of_bytes(&encoded(OpCode::Data(Data::Binary), payload))
    }

    /// Bytes that live as long as the program.
    #[must_use]
    pub fn fixed(bytes: &'static &'static [u8]) -> Self {
        Self(Repr::Static(bytes))
    }

    /// The server's own ping, without payload.
    #[must_use]
    pub fn ping() -> Self {
        const PING: &[u8] = &[0x89, 0];
        Self::fixed(&PING)
    }

    /// The answer to a ping, with the ping's payload (W11).
    ///
    /// # Panics
    /// When the payload is longer than a control frame may carry.
    #[must_use]
    pub fn pong(payload: &[u8]) -> Self {
        assert!(
            payload.len() <= CONTROL_PAYLOAD_MAX,
            "the decoder refuses longer control frames"
        );
        let mut bytes = [0; 2 + CONTROL_PAYLOAD_MAX];
        bytes[0] = 0x8a;
        bytes[1] = payload.len() as u8;
        bytes[2..2 + payload.len()].copy_from_slice(payload);
        Self::of_bytes(&bytes[..2 + payload.len()])
    }

    /// A close frame. The reason is cut at 123 bytes, on a character's edge.
    #[must_use]
    pub fn close(code: u16, reason: &str) -> Self {
        let mut end = reason.len().min(CLOSE_REASON_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let mut payload = [0; CONTROL_PAYLOAD_MAX];
        payload[..2].copy_from_slice(&code.to_be_bytes());
        payload[2..2 + end].copy_from_slice(&reason.as_bytes()[..end]);
        Self::of_bytes(&encoded(
            OpCode::Control(Control::Close),
            &payload[..2 + end],
        ))
    }

    /// A close frame without a code, the answer to one that had none.
    #[must_use]
    pub fn close_empty() -> Self {
        const CLOSE: &[u8] = &[0x88, 0];
        Self::fixed(&CLOSE)
    }

    /// Whether this is a ping, pong or close, which may stand between the fragments of a message.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.bytes().first().is_some_and(|first| first & 0x08 != 0)
    }

    /// Whether a message ends with this frame.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.bytes().first().is_some_and(|first| first & 0x80 != 0)
    }

    /// Whether this is the head of an HTTP response: no frame begins with its first byte, which
    /// would be that of a control frame in fragments.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        self.bytes().first() == Some(&b'H')
    }

    /// What goes to the socket.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Held(held) => held.bytes(),
            Repr::Static(bytes) => bytes,
            Repr::Short { len, bytes } => &bytes[..usize::from(*len)],
        }
    }

    pub(super) fn held(held: Held) -> Self {
        Self(Repr::Held(held))
    }

    /// A message that is short enough to be held in place.
    pub(super) fn short(is_final: bool, opcode: OpCode, payload: &[u8]) -> Option<Self> {
        let len = payload.len() + 2;
        if len > SHORT_MAX {
            return None;
        }
        let mut bytes = [0; SHORT_MAX];
        bytes[0] = u8::from(is_final) << 7 | u8::from(opcode);
        bytes[1] = payload.len() as u8;
        bytes[2..len].copy_from_slice(payload);
        let len = len as u8;
        Some(Self(Repr::Short { len, bytes }))
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        if bytes.len() <= SHORT_MAX {
            let mut short = [0; SHORT_MAX];
            short[..bytes.len()].copy_from_slice(bytes);
            Self(Repr::Short {
                len: bytes.len() as u8,
                bytes: short,
            })
        } else {
            Self::shared(Arc::from(bytes))
        }
    }
}

/// Frames text messages into a buffer that is used again and again, so that a publish costs
/// one allocation: the shared bytes themselves.
#[derive(Debug, Default)]
pub struct TextEncoder {
    payload: Vec<u8>,
    framed: Vec<u8>,
}

impl TextEncoder {
    /// Encodes what `write` appends as one text frame.
    pub fn encode(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Arc<[u8]> {
        self.payload.clear();
        write(&mut self.payload);
        self.framed.clear();
        frame_into(OpCode::Data(Data::Text), &self.payload, &mut self.framed);
        Arc::from(self.framed.as_slice())
    }
}

fn encoded(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 10);
    frame_into(opcode, payload, &mut out);
    out
}

pub(super) fn frame_into(opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
    fragment_into(true, opcode, payload, out);
}

pub(super) fn fragment_into(is_final: bool, opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
    let header = FrameHeader {
        is_final,
        rsv1: false,
        rsv2: false,
        rsv3: false,
        opcode,
        mask: None,
    };
    header
        .format(payload.len() as u64, out)
        .expect("a Vec takes every write");
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_use_the_shortest_form() {
        for (len, header) in [(125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let payload = vec![b'x'; len];
            assert_eq!(Frame::text(&payload).bytes().len(), len + header, "{len}");
        }
    }

    #[test]
    fn a_close_reason_is_cut_between_characters() {
        let frame = Frame::close(4100, &"ü".repeat(62)); // 124 bytes
        let payload = &frame.bytes()[2..];
        assert_eq!(payload.len(), 2 + 122);
        assert!(std::str::from_utf8(&payload[2..]).is_ok());
        assert_eq!(&payload[..2], 4100u16.to_be_bytes());
    }

    #[test]
    fn pongs_carry_the_whole_payload() {
        for len in [0, 12, 13, 125] {
            let payload = vec![7; len];
            let frame = Frame::pong(&payload);
            assert_eq!(frame.bytes()[..2], [0x8a, len as u8]);
            assert_eq!(&frame.bytes()[2..], payload);
        }
    }

    #[test]
    fn short_pongs_own_no_memory() {
        assert!(matches!(Frame::pong(&[0; 12]).0, Repr::Short { .. }));
        assert!(matches!(Frame::pong(&[0; 13]).0, Repr::Held(_)));
    }

    #[test]
    fn the_encoder_starts_afresh() {
        let mut encoder = TextEncoder::default();
        assert_eq!(
            &*encoder.encode(|out| out.extend_from_slice(b"abc")),
            b"\x81\x03abc"
        );
        assert_eq!(&*encoder.encode(|out| out.push(b'x')), b"\x81\x01x");
    }
}
