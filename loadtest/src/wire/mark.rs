//! The mark in every message of a load: which stream, which message of it, when it was due.
//!
//! `~LT1:ssssssss:qqqqqqqq:tttttttttttttttt~`, all digits hexadecimal. It is of one width and needs
//! no escaping in JSON, so it lies in every frame of a stream at the same place.

/// Bytes of a mark.
pub const BYTES: usize = 40;

const START: &[u8; 5] = b"~LT1:";

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The messages of one sender to one channel.
    pub stream: u32,
    /// The message's number within its stream, from 0.
    pub sequence: u32,
    /// When it was due, in nanoseconds of the load tester's clock.
    pub due: u64,
}

impl Mark {
    /// Its text.
    pub fn text(self) -> [u8; BYTES] {
        let mut text = *b"~LT1:________:________:________________~";
        hex::encode_to_slice(self.stream.to_be_bytes(), &mut text[5..13]).expect("8 digits");
        hex::encode_to_slice(self.sequence.to_be_bytes(), &mut text[14..22]).expect("8 digits");
        hex::encode_to_slice(self.due.to_be_bytes(), &mut text[23..39]).expect("16 digits");
        text
    }

    /// Finds the mark in a message. `place` is where the last one lay, and is looked at first.
    #[inline]
    pub fn find(message: &[u8], place: &mut usize) -> Option<Self> {
        if let Some(mark) = Self::at(message, *place) {
            return Some(mark);
        }
        let found = memchr::memmem::find(message, START)?;
        let mark = Self::at(message, found)?;
        *place = found;
        Some(mark)
    }

    #[inline]
    fn at(message: &[u8], place: usize) -> Option<Self> {
        let text: &[u8; BYTES] = message.get(place..)?.first_chunk()?;
        if !text.starts_with(START) || text[BYTES - 1] != b'~' {
            return None;
        }
        let due = u64::from(digits(text, 23)) << 32 | u64::from(digits(text, 31));
        Some(Self {
            stream: digits(text, 5),
            sequence: digits(text, 14),
            due,
        })
    }
}

/// Eight hexadecimal digits, all at once: each byte becomes its value, then neighbours are joined.
#[inline]
fn digits(text: &[u8; BYTES], at: usize) -> u32 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&text[at..at + 8]);
    let bytes = u64::from_be_bytes(eight);
    let letters = (bytes >> 6) & 0x0101_0101_0101_0101;
    let values = (bytes & 0x0f0f_0f0f_0f0f_0f0f) + 9 * letters;
    let pairs = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    (fours | fours >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: [Mark; 3] = [
        Mark {
            stream: 0,
            sequence: 0,
            due: 0,
        },
        Mark {
            stream: 0x0123_4567,
            sequence: 0x89ab_cdef,
            due: 0xfedc_ba98_7654_3210,
        },
        Mark {
            stream: u32::MAX,
            sequence: u32::MAX,
            due: u64::MAX,
        },
    ];

    #[test]
    fn what_is_written_is_read() {
        for mark in MARKS {
            let message = [b"{\"data\":\"", &mark.text()[..], b"xx\"}"].concat();
            let mut place = 0;
            assert_eq!(Mark::find(&message, &mut place), Some(mark));
            assert_eq!(place, 9);
            assert_eq!(Mark::find(&message, &mut place), Some(mark), "at its place");
        }
        let text = String::from_utf8(MARKS[1].text().to_vec()).unwrap();
        assert_eq!(text, "~LT1:01234567:89abcdef:fedcba9876543210~");
    }

    #[test]
    fn a_mark_is_found_at_another_place() {
        let mut place = 30;
        let message = [b"abc", &MARKS[1].text()[..]].concat();
        assert_eq!(Mark::find(&message, &mut place), Some(MARKS[1]));
        assert_eq!(place, 3);
    }

    #[test]
    fn no_mark_is_seen_where_none_is() {
        let mut place = 0;
        let text = MARKS[1].text();
        assert_eq!(Mark::find(b"", &mut place), None);
        assert_eq!(Mark::find(b"{\"event\":\"pusher:pong\"}", &mut place), None);
        assert_eq!(Mark::find(&text[..BYTES - 1], &mut place), None, "cut");
    }
}
