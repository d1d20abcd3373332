//! The little of RFC 6455 that a load needs: masked frames out, whole frames in.

/// Opcode of a text frame.
pub const TEXT: u8 = 1;
/// Opcode of a close frame.
pub const CLOSE: u8 = 8;
/// Opcode of a ping.
pub const PING: u8 = 9;
/// Opcode of a pong.
pub const PONG: u8 = 10;

/// A frame of a server, as it lies in the bytes that were read.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What kind it is.
    pub opcode: u8,
    /// What it carries.
    pub payload: &'a [u8],
}

/// Takes the next whole frame off `bytes`; `None` when its end has not arrived.
pub fn take<'a>(bytes: &mut &'a [u8]) -> Option<Frame<'a>> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (start, length) = match second & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(array(bytes, 2)?))),
        127 => (10, u64::from_be_bytes(array(bytes, 2)?)),
        short => (2, u64::from(short)),
    };
    let end = usize::try_from(length).ok()?.checked_add(start)?;
    let payload = bytes.get(start..end)?;
    *bytes = &bytes[end..];
    Some(Frame {
        opcode: first & 0x0f,
        payload,
    })
}

/// A whole frame as a client sends it. The mask is all zeros, which is legal: masks protect
/// proxies from chosen bytes, and there is none here.
///
/// # Panics
/// When the payload is longer than 65,535 bytes: no scenario sends that.
pub fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("frames of scenarios are short");
    let mut out = vec![0x80 | opcode];
    if length < 126 {
        out.push(0x80 | length as u8);
    } else {
        out.push(0x80 | 126);
        out.extend_from_slice(&length.to_be_bytes());
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
    out
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a server sends it: without a mask.
    fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            length @ 0..126 => frame.push(length as u8),
            length @ 126..65_536 => {
                frame.push(126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                frame.push(127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn frames_of_every_length_are_taken_when_they_are_whole() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut bytes = unmasked(TEXT, &payload);
            bytes.extend_from_slice(b"rest");
            let mut cut = &bytes[..bytes.len() - 5];
            if length > 0 {
                assert_eq!(take(&mut cut), None, "{length}");
                assert_eq!(cut.len(), bytes.len() - 5, "nothing of it was used");
            }
            let mut whole = bytes.as_slice();
            let frame = take(&mut whole).unwrap();
            assert_eq!((frame.opcode, frame.payload), (TEXT, payload.as_slice()));
            assert_eq!(whole, b"rest");
        }
    }

    #[test]
    fn what_is_sent_is_masked() {
        assert_eq!(masked(PONG, b"x"), [0x8a, 0x81, 0, 0, 0, 0, b'x']);
        let long = masked(TEXT, &[b'x'; 300]);
        assert_eq!(long[..8], [0x81, 0xfe, 1, 44, 0, 0, 0, 0]);
        assert_eq!(long.len(), 308);
    }
}
