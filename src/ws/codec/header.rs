//! The head of a frame: what it may say, and what it leaves of its payload.

use super::{CodecError, Kind};
use crate::limits::CONTROL_PAYLOAD_MAX;
use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control as ControlCode, Data, OpCode};

/// A header that passed every check but those of the message it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    /// The first byte: flags and opcode.
    first: u8,
    /// Bytes of the header itself.
    size: u8,
    pub(super) mask: [u8; 4],
    /// Bytes of the payload.
    pub(super) length: usize,
}

// Two registers: it is passed on with each frame.
const _: () = assert!(size_of::<Result<Option<Header>, CodecError>>() == 16);

/// The opcodes that mean something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    /// Part of a message: its first if it says of what kind, or else a further one.
    Data(Option<Kind>),
    Control(Control),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    Ping,
    Pong,
    Close,
}

impl Header {
    /// Parses a header and refuses what no header may say, a bit of `reserved` in its first byte
    /// among it. `None` when it is not whole.
    pub(super) fn parse(bytes: &[u8], reserved: u8) -> Result<Option<Self>, CodecError> {
        let mut cursor = Cursor::new(bytes);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| CodecError::Protocol)?;
        let Some((header, length)) = parsed else {
            // The first two bytes may already be wrong; do not wait for the rest of them.
            let extended = bytes.first().is_some_and(|first| first & reserved != 0);
            let unmasked = bytes.get(1).is_some_and(|second| second & 0x80 == 0);
            return if extended || unmasked {
                Err(CodecError::Protocol)
            } else {
                Ok(None)
            };
        };
        let size = cursor.position() as u8; // 14 at most
        let first = bytes[0];
        let (0, Some(mask)) = (first & reserved, header.mask) else {
            return Err(CodecError::Protocol);
        };
        if usize::from(size) != header.len(length) || length >> 63 != 0 {
            return Err(CodecError::Protocol); // not the shortest form, or the reserved top bit
        }
        let opcode = Opcode::of(header.opcode).ok_or(CodecError::Protocol)?;
        if let Opcode::Control(_) = opcode
            && (header.rsv1 || !header.is_final || length > CONTROL_PAYLOAD_MAX as u64)
        {
            return Err(CodecError::Protocol);
        }
        let length = usize::try_from(length).map_err(|_| CodecError::TooBig)?;
        Ok(Some(Self {
            opcode,
            first,
            size,
            mask,
            length,
        }))
    }

    /// Bytes of the header itself.
    pub(super) fn size(self) -> usize {
        usize::from(self.size)
    }

    /// Whether its message ends with this frame.
    pub(super) fn is_final(self) -> bool {
        self.first & 0x80 != 0
    }

    /// RSV1, which marks a compressed message.
    pub(super) fn is_compressed(self) -> bool {
        self.first & 0x40 != 0
    }
}

impl Opcode {
    fn of(code: OpCode) -> Option<Self> {
        Some(match code {
            OpCode::Data(Data::Text) => Self::Data(Some(Kind::Text)),
            OpCode::Data(Data::Binary) => Self::Data(Some(Kind::Binary)),
            OpCode::Data(Data::Continue) => Self::Data(None),
            OpCode::Control(ControlCode::Ping) => Self::Control(Control::Ping),
            OpCode::Control(ControlCode::Pong) => Self::Control(Control::Pong),
            OpCode::Control(ControlCode::Close) => Self::Control(Control::Close),
            OpCode::Data(Data::Reserved(_)) | OpCode::Control(ControlCode::Reserved(_)) => {
                return None;
            }
        })
    }
}

/// Takes a whole frame out of `input`; its payload is unmasked.
pub(super) fn take_payload<'i>(input: &mut &'i mut [u8], header: Header) -> &'i mut [u8] {
    take(input, header.size());
    let payload = take(input, header.length);
    unmask(payload, header.mask);
    payload
}

pub(super) fn take<'i>(input: &mut &'i mut [u8], count: usize) -> &'i mut [u8] {
    let (taken, rest) = std::mem::take(input).split_at_mut(count);
    *input = rest;
    taken
}

/// Eight bytes at a time; the compiler makes vectors of it.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let word = u64::from_ne_bytes(chunk.try_into().expect("chunks of eight")) ^ wide;
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}
