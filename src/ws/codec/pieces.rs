//! Messages in pieces, as they arrive: nothing is gathered, so their number of fragments and, but
//! for the limit, their size do not matter.

use super::super::utf8;
use super::{
    CodecError, Decoder, Header, Kind, Lent, Opcode, OpenFrame, Resumed, Step, control, take,
    take_payload, unmask,
};

/// One thing a peer sent, valid until the next call.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Part of a message: the last bytes of what was used of the input, unmasked.
    Data(DataPiece),
    /// To be answered with a pong that carries the same payload.
    Ping(&'a [u8]),
    /// The answer to a ping of ours, or an unasked one.
    Pong,
    /// The peer closes; the code is `None` when it gave none.
    Close(Option<u16>),
}

/// Part of a message; empty for an empty frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataPiece {
    /// What the message is.
    pub kind: Kind,
    /// Bytes in this piece.
    pub length: usize,
    /// Whether a frame begins with it.
    pub begins_frame: bool,
    /// Whether the message begins with it.
    pub first: bool,
    /// Whether the message ends with it.
    pub last: bool,
}

enum PieceStep<'i> {
    Data(DataPiece),
    Control(Step<'i>),
}

impl Decoder {
    /// As [`Decoder::next`], but messages come in pieces. Of text, the pieces together are UTF-8;
    /// a single one may begin and end in the middle of a character. A connection is read by one of
    /// the two, from its first byte to its last.
    ///
    /// # Errors
    /// [`CodecError`], after which the connection is to be closed.
    pub fn next_piece<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Piece<'s>>, CodecError> {
        if let Lent::Partial = std::mem::replace(&mut self.lent, Lent::Nothing) {
            self.partial = Vec::new();
        }
        if self.finished {
            *input = &mut [];
            return Ok(None);
        }
        let step = self.piece_step(input);
        if matches!(step, Err(_) | Ok(Some(PieceStep::Control(Step::Close(_))))) {
            self.finished = true;
        }
        Ok(step?.map(|step| match step {
            PieceStep::Data(piece) => Piece::Data(piece),
            PieceStep::Control(Step::Ping(payload)) => Piece::Ping(payload),
            PieceStep::Control(Step::CutPing(header)) => {
                self.lent = Lent::Partial;
                Piece::Ping(&self.partial[header..])
            }
            PieceStep::Control(Step::Close(code)) => Piece::Close(code),
            PieceStep::Control(_) => Piece::Pong,
        }))
    }

    fn piece_step<'i>(
        &mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<PieceStep<'i>>, CodecError> {
        loop {
            if let Some(open) = self.open {
                if input.is_empty() && open.left > 0 {
                    return Ok(None);
                }
                return self.piece(open, input).map(PieceStep::Data).map(Some);
            }
            if !self.partial.is_empty() {
                match self.resume(input)? {
                    Resumed::Starved => return Ok(None),
                    Resumed::DataFrame => self.count_streamed(),
                    Resumed::Control(kind, header) => {
                        let step = self.cut_control(kind, header)?;
                        return Ok(step.map(PieceStep::Control));
                    }
                }
                continue;
            }
            if input.is_empty() {
                return Ok(None);
            }
            let parsed = Header::parse(input, self.reserved())?;
            let whole = |size, length| input.len() - size >= length;
            match parsed {
                Some(header) if matches!(header.opcode, Opcode::Data(_)) => {
                    self.begin(header)?;
                    take(input, header.size());
                    self.open_frame(header);
                    self.count_streamed();
                }
                Some(header) if whole(header.size(), header.length) => {
                    let Opcode::Control(kind) = header.opcode else {
                        unreachable!("the arm above takes data");
                    };
                    let payload = take_payload(input, header);
                    let step = control(kind, payload)?;
                    if matches!(step, Step::Close(_)) {
                        self.keep_reason(payload);
                    }
                    return Ok(Some(PieceStep::Control(step)));
                }
                _ => {
                    self.partial.extend_from_slice(input);
                    *input = &mut [];
                    return Ok(None);
                }
            }
        }
    }

    /// Counts the frame that was opened just now towards its message's limit. `valid_to` has
    /// nothing else to do here, and `message` holds at most a cut character.
    fn count_streamed(&mut self) {
        self.valid_to += self.open.map_or(0, |open| open.left);
    }

    fn piece(&mut self, open: OpenFrame, input: &mut &mut [u8]) -> Result<DataPiece, CodecError> {
        let length = open.left.min(input.len());
        let bytes = take(input, length);
        unmask(bytes, open.mask);
        let ends = open.left == length;
        let last = ends && open.is_final;
        let kind = self
            .kind
            .expect("a frame is open, so a message is under way");
        if kind == Kind::Text {
            self.check_piece(bytes, last)?;
        }
        let (first, begins_frame) = (self.fragments == 1, self.fragments != 2);
        self.fragments = 2; // they are not counted: whatever they carry is not kept
        self.open = (!ends).then(|| {
            let mut mask = open.mask;
            mask.rotate_left(length % 4);
            OpenFrame {
                left: open.left - length,
                mask,
                ..open
            }
        });
        if last {
            (self.kind, self.fragments, self.valid_to) = (None, 0, 0);
            self.message = Vec::new();
        }
        Ok(DataPiece {
            kind,
            length,
            begins_frame,
            first,
            last,
        })
    }

    /// Holds the pieces of a text against UTF-8; a character that was cut waits in `message`.
    fn check_piece(&mut self, bytes: &[u8], last: bool) -> Result<(), CodecError> {
        let is_text = utf8::goes_on(&mut self.message, bytes);
        match is_text && (!last || self.message.is_empty()) {
            true => Ok(()),
            false => Err(CodecError::InvalidText),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FIN: u8 = 0x80;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut out = vec![first];
        match payload.len() {
            len @ 0..126 => out.push(0x80 | len as u8),
            len => {
                out.push(0x80 | 126);
                out.extend_from_slice(&(len as u16).to_be_bytes());
            }
        }
        out.extend_from_slice(&mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
        out
    }

    /// What came out: messages put together again, with their controls where they came.
    #[derive(Debug, PartialEq, Eq)]
    enum Seen {
        Begin(Kind),
        Bytes(Vec<u8>),
        End,
        Ping(Vec<u8>),
        Pong,
        Close(Option<u16>),
        Error(CodecError),
    }

    fn decode(max: usize, bytes: &[u8], read: usize) -> Vec<Seen> {
        let mut decoder = Decoder::new(max);
        let mut seen: Vec<Seen> = Vec::new();
        for part in bytes.chunks(read) {
            let mut part = part.to_vec();
            let mut at = 0;
            loop {
                let mut rest = &mut part[at..];
                let before = rest.len();
                let piece = decoder.next_piece(&mut rest);
                let used = at + before - rest.len();
                match piece {
                    Ok(None) => break,
                    Ok(Some(Piece::Data(piece))) => {
                        if piece.first {
                            seen.push(Seen::Begin(piece.kind));
                        }
                        let bytes = &part[used - piece.length..used];
                        match seen.last_mut() {
                            Some(Seen::Bytes(more)) => more.extend_from_slice(bytes),
                            _ if bytes.is_empty() => {}
                            _ => seen.push(Seen::Bytes(bytes.to_vec())),
                        }
                        if piece.last {
                            seen.push(Seen::End);
                        }
                    }
                    Ok(Some(Piece::Ping(payload))) => seen.push(Seen::Ping(payload.to_vec())),
                    Ok(Some(Piece::Pong)) => seen.push(Seen::Pong),
                    Ok(Some(Piece::Close(code))) => seen.push(Seen::Close(code)),
                    Err(error) => seen.push(Seen::Error(error)),
                }
                at = used;
            }
        }
        seen
    }

    /// In reads of every size up to a bit more than all of it.
    fn always(max: usize, bytes: &[u8], wanted: &[Seen]) {
        for read in 1..bytes.len() + 2 {
            let seen = decode(max, bytes, read);
            assert_eq!(seen, wanted, "in reads of {read}");
        }
    }

    #[test]
    fn a_message_comes_as_it_arrives_with_controls_between() {
        let bytes = [
            frame(2, b"abc"),
            frame(FIN | 9, b"ping"),
            frame(0, b""),
            frame(FIN | 10, b"x"),
            frame(FIN, b"def"),
            frame(FIN | 1, "f\u{fc}r".as_bytes()),
            frame(FIN | 2, b""),
            frame(FIN | 8, &1000_u16.to_be_bytes()),
            frame(FIN | 1, b"too late"),
        ];
        let wanted = [
            Seen::Begin(Kind::Binary),
            Seen::Bytes(b"abc".to_vec()),
            Seen::Ping(b"ping".to_vec()),
            Seen::Pong,
            Seen::Bytes(b"def".to_vec()),
            Seen::End,
            Seen::Begin(Kind::Text),
            Seen::Bytes("f\u{fc}r".into()),
            Seen::End,
            Seen::Begin(Kind::Binary),
            Seen::End,
            Seen::Close(Some(1000)),
        ];
        always(100, &bytes.concat(), &wanted);
    }

    #[test]
    fn a_limit_is_for_all_fragments_together() {
        let message = [frame(1, b"12345"), frame(0, b"678"), frame(FIN, b"90")].concat();
        let whole = [
            Seen::Begin(Kind::Text),
            Seen::Bytes(b"1234567890".to_vec()),
            Seen::End,
        ];
        always(10, &message, &whole);
        let cut = [
            Seen::Begin(Kind::Text),
            Seen::Bytes(b"12345678".to_vec()),
            Seen::Error(CodecError::TooBig),
        ];
        always(9, &message, &cut);
        // The next message starts from nothing, and a cut character does not count twice.
        let twice = [frame(1, b"1234567\xc3"), frame(FIN, b"\xbc0")]
            .concat()
            .repeat(2);
        for read in 1..twice.len() {
            let seen = decode(10, &twice, read);
            assert_eq!(
                seen.iter().filter(|it| **it == Seen::End).count(),
                2,
                "{read}"
            );
        }
    }

    #[test]
    fn more_fragments_than_are_gathered() {
        let mut message = frame(2, b"x");
        message.extend(frame(0, b"x").repeat(1_000));
        message.extend(frame(FIN, b"x"));
        let seen = decode(2_000, &message, 100);
        assert_eq!(seen[1], Seen::Bytes(vec![b'x'; 1_002]));
    }

    #[test]
    fn text_is_checked_over_all_pieces() {
        let snow = "a\u{2603}b".as_bytes(); // 61 e2 98 83 62
        for cut in 0..=snow.len() {
            let message = [frame(1, &snow[..cut]), frame(FIN, &snow[cut..])].concat();
            let wanted = [
                Seen::Begin(Kind::Text),
                Seen::Bytes(snow.to_vec()),
                Seen::End,
            ];
            always(100, &message, &wanted);
        }
        for bad in [
            &b"a\xe2\x98"[..],
            b"\xff",
            b"a\xe2b",
            b"\xc0\x80",
            b"\xed\xa0\x80",
        ] {
            for cut in 0..=bad.len() {
                let message = [frame(1, &bad[..cut]), frame(FIN, &bad[cut..])].concat();
                for read in 1..message.len() + 1 {
                    let seen = decode(100, &message, read);
                    let last = seen.last();
                    assert_eq!(last, Some(&Seen::Error(CodecError::InvalidText)), "{bad:?}");
                }
            }
            // Bytes are anything.
            let message = frame(FIN | 2, bad);
            assert_eq!(decode(100, &message, 100).last(), Some(&Seen::End));
        }
    }

    #[test]
    fn what_no_frame_may_be_is_refused_between_pieces_too() {
        for bad in [
            frame(FIN | 1, b"x"),
            frame(0x70, b"x"),
            frame(9, b""),
            vec![FIN, 1],
        ] {
            let bytes = [frame(1, b"begun"), bad].concat();
            for read in 1..bytes.len() {
                let seen = decode(100, &bytes, read);
                assert_eq!(seen.last(), Some(&Seen::Error(CodecError::Protocol)));
            }
        }
        let alone = decode(100, &frame(FIN, b"x"), 100);
        assert_eq!(alone, [Seen::Error(CodecError::Protocol)]);
    }

    proptest! {
        #[test]
        fn pieces_put_together_are_the_message(
            parts in prop::collection::vec(".{0,40}", 1..8),
            cuts in prop::collection::vec(0usize..200, 1..8),
            read in 1usize..300,
        ) {
            let whole = parts.concat();
            let mut message = Vec::new();
            let mut rest = whole.as_bytes();
            let mut first = 1;
            for cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                message.extend(frame(first, now));
                (rest, first) = (later, 0);
            }
            message.extend(frame(FIN, rest));
            let mut wanted = vec![Seen::Begin(Kind::Text)];
            if !whole.is_empty() {
                wanted.push(Seen::Bytes(whole.clone().into()));
            }
            wanted.push(Seen::End);
            prop_assert_eq!(decode(whole.len(), &message, read), wanted);
        }
    }
}
