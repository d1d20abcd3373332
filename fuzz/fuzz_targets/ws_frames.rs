//! Frames from a client: the same bytes in other reads are the same messages, gathered or in pieces,
//! and tungstenite says the same of them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shardcast::ws::codec::{CodecError, Kind, Piece};
use shardcast::ws::deflate::Inflater;
use shardcast::ws::{Decoder, Received};
use std::io::{Cursor, ErrorKind, Read, Write};
use std::rc::Rc;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

const MAX: usize = 512;

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>, String),
    Error(CodecError),
}

fuzz_target!(|data: &[u8]| {
    let Some((&step, data)) = data.split_first() else {
        return;
    };
    let step = usize::from(step % 128) + 1;
    let whole = gathered(Decoder::new(MAX), data, data.len().max(1));
    assert_eq!(
        whole,
        gathered(Decoder::new(MAX), data, step),
        "reads of {step}"
    );
    assert_eq!(whole, gathered(Decoder::new(MAX), data, 1), "byte by byte");
    let pieces = in_pieces(data, data.len().max(1));
    assert_eq!(pieces, in_pieces(data, step), "pieces of reads of {step}");
    if !whole.contains(&Seen::Error(CodecError::TooBig)) {
        assert_eq!(whole, pieces, "gathered, and in pieces");
        let is_at_fault = matches!(whole.last(), Some(Seen::Error(_)));
        agree(whole, second_opinion(data, is_at_fault));
    }
    let inflating = || Decoder::new(MAX).inflating(Rc::new(Inflater::default()));
    let whole = gathered(inflating(), data, data.len().max(1));
    assert_eq!(
        whole,
        gathered(inflating(), data, step),
        "compressed, reads of {step}"
    );
});

fn gathered(mut decoder: Decoder, data: &[u8], step: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    for read in data.chunks(step) {
        let mut read = read.to_vec();
        let mut input = read.as_mut_slice();
        loop {
            let one = match decoder.next(&mut input) {
                Ok(None) => break,
                Ok(Some(Received::Text(text))) => Seen::Text(text.to_vec()),
                Ok(Some(Received::Binary(bytes))) => Seen::Binary(bytes.to_vec()),
                Ok(Some(Received::Ping(payload))) => Seen::Ping(payload.to_vec()),
                Ok(Some(Received::Pong)) => Seen::Pong,
                Ok(Some(Received::Close(code))) => Seen::Close(code, String::new()),
                Err(error) => Seen::Error(error),
            };
            let over = matches!(one, Seen::Error(_));
            seen.push(one);
            if over {
                return seen;
            }
        }
    }
    if let Some(Seen::Close(_, reason)) = seen.last_mut() {
        *reason = decoder.close_reason().to_owned();
    }
    seen
}

fn in_pieces(data: &[u8], step: usize) -> Vec<Seen> {
    let mut decoder = Decoder::new(MAX);
    let (mut seen, mut message) = (Vec::new(), Vec::new());
    for read in data.chunks(step) {
        let mut read = read.to_vec();
        let mut at = 0;
        loop {
            let mut input = &mut read[at..];
            let before = input.len();
            let piece = decoder.next_piece(&mut input);
            let used = at + before - input.len();
            match piece {
                Ok(None) => break,
                Ok(Some(Piece::Data(piece))) => {
                    message.extend_from_slice(&read[used - piece.length..used]);
                    if piece.last {
                        let message = std::mem::take(&mut message);
                        seen.push(match piece.kind {
                            Kind::Text => Seen::Text(message),
                            Kind::Binary => Seen::Binary(message),
                        });
                    }
                }
                Ok(Some(Piece::Ping(payload))) => seen.push(Seen::Ping(payload.to_vec())),
                Ok(Some(Piece::Pong)) => seen.push(Seen::Pong),
                Ok(Some(Piece::Close(code))) => seen.push(Seen::Close(code, String::new())),
                Err(error) => {
                    seen.push(Seen::Error(error));
                    return seen;
                }
            }
            at = used;
        }
    }
    if let Some(Seen::Close(_, reason)) = seen.last_mut() {
        *reason = decoder.close_reason().to_owned();
    }
    seen
}

/// What tungstenite makes of the bytes, taken to be as strict as we are. Where we found fault and it
/// did not yet, it gets the rest of a frame that was cut off, for it reads all of a frame first.
fn second_opinion(data: &[u8], is_at_fault: bool) -> (Vec<Seen>, bool) {
    let end = end(data);
    if let End::Long(at) = end {
        let (seen, fault) = tungstenite(&data[..at]);
        let is_closed = matches!(seen.last(), Some(Seen::Close(..)));
        return (seen, fault || !is_closed);
    }
    let theirs = tungstenite(data);
    match end {
        End::Cut(missing) if is_at_fault && !theirs.1 => {
            // An empty last fragment behind it, so that no message stays open.
            let rest = [&vec![0; missing.min(MAX)][..], &[0x80, 0x80, 0, 0, 0, 0]].concat();
            tungstenite(&[data, &rest].concat())
        }
        _ => theirs,
    }
}

/// How the last frame that begins in some bytes ends.
enum End {
    Whole,
    /// So many bytes are missing; many, if not even the header is there.
    Cut(usize),
    /// The length of the one that begins here is not written in the shortest form, or has the top bit
    /// set: a fault (RFC 6455, section 5.2) that tungstenite lets pass.
    Long(usize),
}

fn end(data: &[u8]) -> End {
    let mut at = 0;
    while at < data.len() {
        let Some((size, length, least)) = header(&data[at..]) else {
            return End::Cut(MAX);
        };
        if length < least || length >> 63 != 0 {
            return End::Long(at);
        }
        let rest = (data.len() - at - size) as u64;
        if length > rest {
            return End::Cut(usize::try_from(length - rest).unwrap_or(MAX));
        }
        at += size + length as usize;
    }
    End::Whole
}

/// Bytes of a frame's header, of its payload, and the least that a length so written may say.
fn header(frame: &[u8]) -> Option<(usize, u64, u64)> {
    let second = *frame.get(1)?;
    let (width, least) = match second & 0x7f {
        127 => (8, 1 << 16),
        126 => (2, 126),
        _ => (0, 0),
    };
    let size = 2 + width + if second & 0x80 == 0 { 0 } else { 4 };
    let written = frame.get(..size)?.get(2..2 + width)?;
    let length = match width {
        0 => u64::from(second & 0x7f),
        _ => written
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    Some((size, length, least))
}

/// What we saw against what tungstenite did, and whether it found fault with the bytes.
fn agree(mut ours: Vec<Seen>, (mut theirs, mut their_fault): (Vec<Seen>, bool)) {
    let our_fault = matches!(ours.last(), Some(Seen::Error(_)));
    if our_fault {
        ours.pop();
    }
    // It answers a close code that may not be sent with a 1002 of its own.
    if our_fault && !their_fault && matches!(theirs.last(), Some(Seen::Close(Some(1002), _))) {
        theirs.pop();
        their_fault = true;
    }
    assert_eq!((ours, our_fault), (theirs, their_fault));
}

fn tungstenite(data: &[u8]) -> (Vec<Seen>, bool) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX))
        .max_frame_size(Some(MAX))
        .read_buffer_size(4096);
    let mut context = WebSocketContext::new(Role::Server, Some(config));
    let mut stream = Lent(Cursor::new(data));
    let mut seen = Vec::new();
    loop {
        match context.read(&mut stream) {
            Ok(Message::Text(text)) => seen.push(Seen::Text(text.as_bytes().to_vec())),
            Ok(Message::Binary(bytes)) => seen.push(Seen::Binary(bytes.to_vec())),
            Ok(Message::Ping(payload)) => seen.push(Seen::Ping(payload.to_vec())),
            Ok(Message::Pong(_)) => seen.push(Seen::Pong),
            Ok(Message::Close(frame)) => {
                seen.push(frame.map_or(Seen::Close(None, String::new()), |frame| {
                    Seen::Close(Some(frame.code.into()), frame.reason.as_str().to_owned())
                }));
                return (seen, false);
            }
            Ok(Message::Frame(_)) => unreachable!("not read by a context"),
            // What is missing at the end is no fault of the bytes so far.
            Err(Error::Io(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                return (seen, false);
            }
            Err(_) => return (seen, true),
        }
    }
}

/// Bytes that came in; what is written is dropped.
struct Lent<'a>(Cursor<&'a [u8]>);

impl Read for Lent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Lent<'_> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
