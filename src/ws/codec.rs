//! Inbound bytes to messages, where they lie.
//!
//! The [`Decoder`] is the state of one connection between two reads: nothing at all when the
//! last read ended on a frame's edge, which is nearly always. A whole unfragmented message is
//! handed out as a slice of the read buffer; only messages that arrive in pieces are collected.
//! Frame headers are parsed by tungstenite; sizes are judged at the header, before a byte of
//! the payload is kept, and memory grows with what arrived, never with what was announced.
//!
//! After an error or a close frame the decoder yields nothing more.

mod header;
mod inflate;
mod pieces;

pub use pieces::{DataPiece, Piece};

use super::deflate::Inflater;
use crate::limits::{FRAGMENT_BYTES, FRAGMENTS_MAX};
use header::{Control, Header, Opcode, take, take_payload, unmask};
use std::rc::Rc;
use tungstenite::protocol::frame::coding::CloseCode;

/// One thing a peer sent, valid until the next call.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A whole text message, valid UTF-8. Mutable so that JSON can be parsed in place.
    Text(&'a mut [u8]),
    /// A whole binary message.
    Binary(&'a mut [u8]),
    /// To be answered with a pong that carries the same payload.
    Ping(&'a [u8]),
    /// The answer to a ping of ours, or an unasked one.
    Pong,
    /// The peer closes; the code is `None` when it gave none.
    Close(Option<u16>),
}

/// How a peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// Against RFC 6455: close 1002.
    Protocol,
    /// Above the message limit or the fragment limit: close 1009.
    TooBig,
    /// Text that is not UTF-8: close 1007.
    InvalidText,
    /// A compressed message that cannot be inflated: close 1007.
    Damaged,
}

/// The inbound half of one connection's WebSocket state.
#[derive(Debug)]
pub struct Decoder {
    message_max: usize,
    /// The start of a header or control frame that a read cut off.
    partial: Vec<u8>,
    /// Payload of a message that comes in pieces.
    message: Vec<u8>,
    kind: Option<Kind>,
    fragments: u32,
    /// How far `message` is known to be UTF-8.
    valid_to: usize,
    /// The data frame whose payload is still arriving.
    open: Option<OpenFrame>,
    /// What the last call handed out, to be let go by the next one.
    lent: Lent,
    finished: bool,
    /// Whether the message under way came compressed.
    compressed: bool,
    /// Inflates it, where compression was agreed on.
    inflater: Option<Rc<Inflater>>,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl Kind {
    fn received(self, message: &mut [u8]) -> Received<'_> {
        match self {
            Self::Text => Received::Text(message),
            Self::Binary => Received::Binary(message),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct OpenFrame {
    is_final: bool,
    left: usize,
    mask: [u8; 4],
}

impl Decoder {
    /// A decoder that refuses messages above `message_max` bytes.
    #[must_use]
    pub fn new(message_max: usize) -> Self {
        Self {
            message_max,
            partial: Vec::new(),
            message: Vec::new(),
            kind: None,
            fragments: 0,
            valid_to: 0,
            open: None,
            lent: Lent::Nothing,
            finished: false,
            compressed: false,
            inflater: None,
        }
    }

    /// Why the peer closes, in its own words; empty before its close frame, and when it gave none.
    #[must_use]
    pub fn close_reason(&self) -> &str {
        match self.finished {
            true => std::str::from_utf8(&self.partial).unwrap_or_default(),
            false => "",
        }
    }

    /// Bytes that are held of a message until the rest of it arrives.
    #[must_use]
    pub fn held(&self) -> usize {
        self.message.len()
    }

    /// Takes the next thing out of `input`, which is shortened by what was used. `None` means
    /// that all of it is used and nothing is complete.
    ///
    /// # Errors
    /// [`CodecError`], after which the connection is to be closed.
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Received<'s>>, CodecError> {
        let counted = self.next_counted(input)?;
        Ok(counted.map(|(received, _)| received))
    }

    /// Same, with the number of frames that it came in.
    ///
    /// # Errors
    /// As there.
    pub fn next_counted<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<(Received<'s>, u32)>, CodecError> {
        match std::mem::replace(&mut self.lent, Lent::Nothing) {
            Lent::Nothing => {}
            Lent::Message => self.let_go(),
            Lent::Partial => self.partial = Vec::new(),
        }
        if self.finished {
            *input = &mut [];
            return Ok(None);
        }
        let step = self.step(input);
        if let Ok(Some(Step::InPlace(kind, payload))) = step {
            return Ok(Some((kind.received(payload), 1))); // as nearly always
        }
        if matches!(step, Err(_) | Ok(Some(Step::Close(_)))) {
            self.finished = true;
        }
        let Some(step) = step? else { return Ok(None) };
        let received = match step {
            Step::InPlace(kind, payload) => kind.received(payload),
            Step::Ping(payload) => Received::Ping(payload),
            Step::CutPing(header) => {
                self.lent = Lent::Partial;
                Received::Ping(&self.partial[header..])
            }
            Step::Pong => Received::Pong,
            Step::Close(code) => Received::Close(code),
            Step::Collected(kind, frames) => {
                self.lent = Lent::Message;
                return Ok(Some((kind.received(&mut self.message), frames)));
            }
        };
        Ok(Some((received, 1)))
    }

    fn step<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Option<Step<'i>>, CodecError> {
        loop {
            if let Some(open) = self.open {
                match self.collect(open, input)? {
                    Some((kind, frames)) => return Ok(Some(Step::Collected(kind, frames))),
                    None if self.open.is_some() => return Ok(None),
                    None => continue,
                }
            }
            if !self.partial.is_empty() {
                match self.resume(input)? {
                    Resumed::Starved => return Ok(None),
                    Resumed::DataFrame => continue,
                    Resumed::Control(kind, header) => return self.cut_control(kind, header),
                }
            }
            if input.is_empty() {
                return Ok(None);
            }
            let Some(header) = Header::parse(input, self.reserved())? else {
                self.partial.extend_from_slice(input);
                *input = &mut [];
                return Ok(None);
            };
            let whole = input.len() - header.size() >= header.length;
            if let Opcode::Control(kind) = header.opcode {
                if !whole {
                    self.partial.extend_from_slice(input);
                    *input = &mut [];
                    return Ok(None);
                }
                let payload = take_payload(input, header);
                let step = control(kind, payload)?;
                if matches!(step, Step::Close(_)) {
                    self.keep_reason(payload);
                }
                return Ok(Some(step));
            }
            let kind = self.begin(header)?;
            if whole && header.is_final() && self.fragments == 0 {
                self.kind = None;
                let payload = take_payload(input, header);
                if self.compressed {
                    self.inflate(kind, payload)?;
                    return Ok(Some(Step::Collected(kind, 1)));
                }
                if kind == Kind::Text && simdutf8::basic::from_utf8(payload).is_err() {
                    return Err(CodecError::InvalidText);
                }
                return Ok(Some(Step::InPlace(kind, payload)));
            }
            take(input, header.size());
            self.open_frame(header);
        }
    }

    /// Checks a data frame's header against the message under way.
    fn begin(&mut self, header: Header) -> Result<Kind, CodecError> {
        let (kind, so_far) = match (header.opcode, self.kind) {
            (Opcode::Data(Some(kind)), None) => (kind, 0),
            // Only a message's first frame says that it is compressed. One of the two is the size
            // so far: of what was gathered, or of what came in pieces.
            (Opcode::Data(None), Some(kind)) if !header.is_compressed() => {
                (kind, self.message.len().max(self.valid_to))
            }
            _ => return Err(CodecError::Protocol),
        };
        if header.length > self.message_max.saturating_sub(so_far) {
            return Err(CodecError::TooBig);
        }
        if self.kind.is_none() {
            self.compressed = header.is_compressed();
        }
        self.kind = Some(kind);
        Ok(kind)
    }

    fn open_frame(&mut self, header: Header) {
        self.fragments += 1;
        let (is_final, left, mask) = (header.is_final(), header.length, header.mask);
        self.open = Some(OpenFrame {
            is_final,
            left,
            mask,
        });
    }

    /// Moves payload into `message`; when the message is whole, says what it is and in how many
    /// frames it came.
    fn collect(
        &mut self,
        open: OpenFrame,
        input: &mut &mut [u8],
    ) -> Result<Option<(Kind, u32)>, CodecError> {
        if self.fragments as usize > FRAGMENTS_MAX + self.message.len() / FRAGMENT_BYTES {
            return Err(CodecError::TooBig);
        }
        let count = open.left.min(input.len());
        let piece = take(input, count);
        unmask(piece, open.mask);
        self.message.extend_from_slice(piece);
        let kind = self
            .kind
            .expect("a frame is open, so a message is under way");
        let last = open.left == count && open.is_final;
        if kind == Kind::Text && !self.compressed {
            self.check_text(last)?;
        }
        if open.left > count {
            let mut mask = open.mask;
            mask.rotate_left(count % 4);
            self.open = Some(OpenFrame {
                left: open.left - count,
                mask,
                ..open
            });
            return Ok(None);
        }
        self.open = None;
        if !open.is_final {
            return Ok(None);
        }
        let frames = self.fragments;
        (self.kind, self.fragments, self.valid_to) = (None, 0, 0);
        if self.compressed {
            let gathered = std::mem::take(&mut self.message);
            self.inflate(kind, &gathered)?;
        }
        Ok(Some((kind, frames)))
    }

    /// Text is refused at the first byte that cannot be UTF-8, not at the message's end.
    fn check_text(&mut self, last: bool) -> Result<(), CodecError> {
        match simdutf8::compat::from_utf8(&self.message[self.valid_to..]) {
            Ok(_) => self.valid_to = self.message.len(),
            Err(error) if error.error_len().is_none() && !last => {
                self.valid_to += error.valid_up_to();
            }
            Err(_) => return Err(CodecError::InvalidText),
        }
        Ok(())
    }

    /// Completes what the last read cut off, taking as little as possible from `input`.
    fn resume(&mut self, input: &mut &mut [u8]) -> Result<Resumed, CodecError> {
        loop {
            if let Some(header) = Header::parse(&self.partial, self.reserved())? {
                let Opcode::Control(kind) = header.opcode else {
                    self.begin(header)?;
                    self.open_frame(header);
                    self.partial = Vec::new();
                    return Ok(Resumed::DataFrame);
                };
                let missing = header.size() + header.length - self.partial.len();
                let count = missing.min(input.len());
                self.partial.extend_from_slice(take(input, count));
                if count < missing {
                    return Ok(Resumed::Starved);
                }
                unmask(&mut self.partial[header.size()..], header.mask);
                return Ok(Resumed::Control(kind, header.size()));
            }
            if input.is_empty() {
                return Ok(Resumed::Starved);
            }
            self.partial.extend_from_slice(take(input, 1));
        }
    }

    fn cut_control<'i>(
        &mut self,
        kind: Control,
        header: usize,
    ) -> Result<Option<Step<'i>>, CodecError> {
        let step = match control(kind, &self.partial[header..])? {
            Step::Ping(_) => return Ok(Some(Step::CutPing(header))),
            Step::Close(code) => Step::Close(code),
            _ => Step::Pong,
        };
        let cut = std::mem::take(&mut self.partial);
        if matches!(step, Step::Close(_)) {
            self.keep_reason(&cut[header..]);
        }
        Ok(Some(step))
    }

    /// Keeps what a close frame says behind its code. Nothing is partial after it.
    fn keep_reason(&mut self, payload: &[u8]) {
        self.partial = payload.get(2..).unwrap_or_default().to_vec();
    }
}

#[derive(Clone, Copy, Debug)]
enum Lent {
    Nothing,
    Message,
    Partial,
}

enum Step<'i> {
    InPlace(Kind, &'i mut [u8]),
    /// A message that came in so many frames.
    Collected(Kind, u32),
    Ping(&'i [u8]),
    /// A ping that reads cut in two: it lies in `partial` after a header of so many bytes.
    CutPing(usize),
    Pong,
    Close(Option<u16>),
}

enum Resumed {
    Starved,
    DataFrame,
    /// A whole control frame lies unmasked in `partial`, its payload at the given place.
    Control(Control, usize),
}

fn control(kind: Control, payload: &[u8]) -> Result<Step<'_>, CodecError> {
    match kind {
        Control::Ping => Ok(Step::Ping(payload)),
        Control::Pong => Ok(Step::Pong),
        Control::Close => close_code(payload).map(Step::Close),
    }
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, CodecError> {
    match *payload {
        [] => Ok(None),
        [_] => Err(CodecError::Protocol),
        [high, low, ref reason @ ..] => {
            let code = u16::from_be_bytes([high, low]);
            if !CloseCode::from(code).is_allowed() {
                return Err(CodecError::Protocol);
            }
            std::str::from_utf8(reason).map_err(|_| CodecError::InvalidText)?;
            Ok(Some(code))
        }
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
