//! A message that is taken while it arrives.

use super::message::Message;
use crate::net::{Buffer, Reader, look_around};
use crate::protocol::Code;
use crate::ws::Frame;
use crate::ws::codec::{CodecError, Decoder, Kind, Piece};
use std::fmt;
use std::ops::Range;

/// The message did not arrive whole: the peer closed or broke off in the middle of it, broke the
/// protocol, or the connection was closed from our side. There is nothing more to read, and
/// nothing to answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message did not arrive whole")
    }
}

impl std::error::Error for Interrupted {}

/// What a message is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// A message on its way in, as [`Handler::on_stream`](super::Handler::on_stream) is given it.
///
/// Nothing of it is gathered: [`Incoming::chunk`] gives what has arrived, where it was read. As
/// long as nobody asks for the next chunk nothing is read from the socket, and a peer that goes on
/// sending has to wait.
#[derive(Debug)]
pub struct Incoming<'a> {
    flow: &'a mut Flow,
    wire: Wire<'a>,
    kind: MessageKind,
    received: u64,
    /// A piece that was taken off the wire already, with whether it is the last.
    first: Option<(Range<usize>, bool)>,
    done: bool,
    interrupted: bool,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(flow: &'a mut Flow, wire: Wire<'a>, begun: Begun) -> Self {
        Self {
            flow,
            wire,
            kind: begun.kind,
            received: 0,
            first: Some((begun.piece, begun.last)),
            done: false,
            interrupted: false,
        }
    }

    /// Text or binary.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Bytes of the message in all chunks so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Waits for the next part of the message; `None` is its end. A chunk is never empty, is at
    /// most one read's worth (16 KiB), and may be changed in place. Of a text it may begin and end
    /// in the middle of a character, but the whole is UTF-8.
    ///
    /// Pings are answered while this waits. May be dropped and called again.
    ///
    /// # Errors
    /// [`Interrupted`], and again at each further call.
    pub async fn chunk(&mut self) -> Result<Option<&mut [u8]>, Interrupted> {
        if self.interrupted {
            return Err(Interrupted);
        }
        loop {
            let (piece, last) = match self.first.take() {
                _ if self.done => return Ok(None),
                Some(first) => first,
                None => match self.flow.next(self.wire.reborrow()).await {
                    Some(Event::Piece(piece, last)) => (piece, last),
                    Some(Event::Begin(_)) | None => {
                        self.interrupted = true;
                        return Err(Interrupted);
                    }
                },
            };
            self.done = last;
            if !piece.is_empty() {
                self.received += piece.len() as u64;
                return Ok(Some(&mut self.flow.bytes()[piece]));
            }
        }
    }

    /// Gathers what has not been asked for yet; at most `message_max` bytes.
    ///
    /// # Errors
    /// As for [`Incoming::chunk`].
    pub async fn gather(&mut self) -> Result<Vec<u8>, Interrupted> {
        let mut whole = Vec::new();
        let held = Held(self.wire.reader);
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(chunk);
            held.are(whole.len());
        }
        Ok(whole)
    }

    /// Whether the handler was told that the message does not arrive whole.
    pub(super) fn was_interrupted(&self) -> bool {
        self.interrupted
    }
}

/// Counts what is gathered of a message, until that ends in any way.
struct Held<'a>(&'a Reader);

impl Held<'_> {
    fn are(&self, bytes: usize) {
        self.0.sockets().holds(self.0.client(), bytes);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.are(0);
    }
}

impl MessageKind {
    /// A whole message of this kind.
    pub(super) fn message(self, bytes: &mut [u8]) -> Message<'_> {
        match self {
            Self::Text => Message::Text(bytes),
            Self::Binary => Message::Binary(bytes),
        }
    }
}

/// The ends of a connection that a flow reads from.
#[derive(Debug)]
pub(super) struct Wire<'a> {
    pub(super) reader: &'a Reader,
    pub(super) decoder: &'a mut Decoder,
}

impl Wire<'_> {
    fn reborrow(&mut self) -> Wire<'_> {
        Wire {
            reader: self.reader,
            decoder: self.decoder,
        }
    }
}

/// What a connection whose messages are streams has read and not yet used. An idle one holds no
/// bytes.
#[derive(Debug)]
pub(super) struct Flow {
    input: Input,
    /// How much of the input was used.
    at: usize,
    ended: bool,
    /// The peer's close frame, if that came before ours.
    pub(super) peer_code: Option<u16>,
}

#[derive(Debug)]
enum Input {
    Nothing,
    /// What came in right behind the handshake.
    Early(Box<[u8]>),
    Read(Buffer),
}

/// What is next of a connection whose messages are streams.
#[derive(Debug)]
pub(super) enum Event {
    /// A message begins.
    Begin(Begun),
    /// A further piece of one, with whether it is the last.
    Piece(Range<usize>, bool),
}

/// The beginning of a message.
#[derive(Debug)]
pub(super) struct Begun {
    kind: MessageKind,
    piece: Range<usize>,
    last: bool,
}

impl Begun {
    pub(super) fn is_binary(&self) -> bool {
        self.kind == MessageKind::Binary
    }
}

impl Flow {
    pub(super) fn new(early: Box<[u8]>) -> Self {
        Self {
            input: Input::Early(early),
            at: 0,
            ended: false,
            peer_code: None,
        }
    }

    /// Whether nothing more comes: the peer has closed, or it was told that it broke the protocol.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    fn bytes(&mut self) -> &mut [u8] {
        match &mut self.input {
            Input::Nothing => &mut [],
            Input::Early(bytes) => bytes,
            Input::Read(buffer) => buffer.filled_mut(),
        }
    }

    /// Waits for the next piece of a message; `None` at the end of the connection, or when it is
    /// closing in the middle of a message. What is no message is dealt with on the way.
    pub(super) async fn next(&mut self, wire: Wire<'_>) -> Option<Event> {
        let Wire { reader, decoder } = wire;
        let (sockets, id) = (reader.sockets(), reader.client());
        while !self.ended {
            let at = self.at;
            let mut rest = &mut self.bytes()[at..];
            let before = rest.len();
            let piece = decoder.next_piece(&mut rest);
            let used = at + before - rest.len();
            match piece {
                Ok(None) => {
                    self.read(reader).await;
                    continue;
                }
                Ok(Some(piece)) => {
                    match piece {
                        Piece::Data(data) => {
                            self.at = used;
                            let range = used - data.length..used;
                            sockets.tally_frames(id, data.begins_frame.into(), true, data.last);
                            if !data.first {
                                let goes_on = !sockets.is_closing(id);
                                return goes_on.then_some(Event::Piece(range, data.last));
                            }
                            if !sockets.takes_messages(id) {
                                continue;
                            }
                            let kind = match data.kind {
                                Kind::Text => MessageKind::Text,
                                Kind::Binary => MessageKind::Binary,
                            };
                            let (piece, last) = (range, data.last);
                            return Some(Event::Begin(Begun { kind, piece, last }));
                        }
                        Piece::Ping(payload) => {
                            sockets.tally_frames(id, 1, false, false);
                            if sockets.takes_ping(id) {
                                let _ = sockets.push(id, Frame::pong(payload));
                            }
                        }
                        Piece::Pong => sockets.tally_frames(id, 1, false, false),
                        Piece::Close(code) => {
                            self.ended = true;
                            sockets.tally_frames(id, 1, false, false);
                            if !sockets.is_closing(id) {
                                sockets.tally_close(id, code.unwrap_or(1005));
                                self.peer_code = Some(code.unwrap_or(1005));
                                sockets.answer_close(id, code);
                            }
                            sockets.end(id);
                        }
                    }
                    self.at = used;
                }
                Err(error) => {
                    self.ended = true;
                    refuse(reader, error);
                }
            }
        }
        None
    }

    /// Lets go of what was read and waits for more.
    async fn read(&mut self, reader: &Reader) {
        let more_waits = matches!(&self.input, Input::Read(buffer) if buffer.is_full());
        (self.input, self.at) = (Input::Nothing, 0);
        if more_waits {
            Box::pin(look_around()).await; // one busy client does not keep the shard to itself
        }
        reader.keep_pace().await;
        match reader.read().await {
            Ok(Some(buffer)) => self.input = Input::Read(buffer),
            Ok(None) | Err(_) => self.ended = true,
        }
    }
}

impl From<MessageKind> for Kind {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text,
            MessageKind::Binary => Self::Binary,
        }
    }
}

/// The peer broke the protocol: it is told so, and nothing more is read.
pub(super) fn refuse(reader: &Reader, error: CodecError) {
    let code = match error {
        CodecError::Protocol => Code::ProtocolError,
        CodecError::TooBig => Code::TooBig,
        CodecError::InvalidText | CodecError::Damaged => Code::InvalidText,
    };
    let (sockets, id) = (reader.sockets(), reader.client());
    match error {
        CodecError::Damaged => {
            sockets.close_because(id, code, "Compressed data cannot be inflated");
        }
        _ => sockets.close_with(id, code),
    }
    sockets.end(id);
}
