//! What may be set about compression.

use std::error::Error;
use std::fmt;

/// How a server compresses the messages it sends to clients that understand compression.
///
/// Messages from clients are inflated in any case, up to the size that a message may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// How hard to try, from 1 (fastest) to 9 (smallest). 1 unless set.
    pub level: u8,
    /// Bytes of the shortest message that is compressed; shorter ones go as they are, and so does
    /// each message that compression does not make shorter. 256 unless set.
    pub threshold_bytes: usize,
    /// How far back repetitions are looked for, as a power of two, from 9 (512 bytes) to 15
    /// (32 KiB). A client may ask for less. 15 unless set.
    pub window_bits: u8,
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            level: 1,
            threshold_bytes: 256,
            window_bits: WINDOW_BITS_MAX,
        }
    }
}

/// Smallest window for deflating without a header: zlib's format of 8 bits is read but not written.
pub(super) const WINDOW_BITS_MIN: u8 = 9;

/// The window when nobody asks for another one.
pub(super) const WINDOW_BITS_MAX: u8 = 15;

impl Deflate {
    /// Whether every value is within its range.
    ///
    /// # Errors
    /// [`DeflateError`] names the value that is not.
    pub fn check(&self) -> Result<(), DeflateError> {
        if !(1..=9).contains(&self.level) {
            return Err(DeflateError::Level(self.level));
        }
        if !(WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(&self.window_bits) {
            return Err(DeflateError::WindowBits(self.window_bits));
        }
        Ok(())
    }
}

/// A value of [`Deflate`] out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeflateError {
    /// The level.
    Level(u8),
    /// The window.
    WindowBits(u8),
}

impl fmt::Display for DeflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(level) => write!(f, "deflate level {level}: it is from 1 to 9"),
            Self::WindowBits(bits) => write!(f, "deflate window_bits {bits}: it is from 9 to 15"),
        }
    }
}

impl Error for DeflateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_accepted_at_its_ends_and_refused_past_them() {
        let level = |level| Deflate {
            level,
            ..Deflate::default()
        };
        let window = |window_bits| Deflate {
            window_bits,
            ..Deflate::default()
        };
        for good in [level(1), level(9), window(9), window(15)] {
            assert_eq!(good.check(), Ok(()));
        }
        for past in [0, 10] {
            assert_eq!(level(past).check(), Err(DeflateError::Level(past)));
        }
        for past in [8, 16] {
            assert_eq!(window(past).check(), Err(DeflateError::WindowBits(past)));
        }
        assert_eq!(
            window(8).check().unwrap_err().to_string(),
            "deflate window_bits 8: it is from 9 to 15"
        );
    }
}
