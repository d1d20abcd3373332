//! From when until when a certificate holds (RFC 5280, section 4.1.2.5).
//!
//! It walks the outer parts of a certificate, which its signature was not looked at for: only to
//! tell the operator, never to decide who is believed.

/// The time in which a certificate holds, in seconds since 1970, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: i64,
    /// The last second.
    pub not_after: i64,
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which version 1 leaves out.
const VERSION: u8 = 0xa0;

impl Validity {
    /// Reads it from a certificate as DER; `None` when that is none.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (whole, _) = part(certificate, SEQUENCE)?;
        let (mut rest, _) = part(whole, SEQUENCE)?;
        if let Some((_, behind)) = part(rest, VERSION) {
            rest = behind;
        }
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            (_, rest) = part(rest, tag)?; // serial number, algorithm, issuer
        }
        let (validity, _) = part(rest, SEQUENCE)?;
        let (not_before, rest) = time(validity)?;
        let (not_after, _) = time(rest)?;
        Some(Self {
            not_before,
            not_after,
        })
    }
}

/// The content of the value that `der` begins with, if it has this tag, and what follows it.
fn part(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let len = bytes
                .iter()
                .fold(0, |len, byte| len << 8 | usize::from(*byte));
            (len, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}

/// The time that `der` begins with, in seconds since 1970, and what follows it.
fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    let (digits, year_digits, rest) = match part(der, UTC_TIME) {
        Some((digits, rest)) => (digits, 2, rest),
        None => {
            let (digits, rest) = part(der, GENERALIZED_TIME)?;
            (digits, 4, rest)
        }
    };
    let digits = digits.strip_suffix(b"Z")?;
    if digits.len() != year_digits + 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| {
        digits
            .iter()
            .fold(0, |n, digit| n * 10 + i64::from(digit - b'0'))
    };
    let (year, rest_of_it) = digits.split_at(year_digits);
    let year = match (year_digits, number(year)) {
        (2, year @ 50..) => 1900 + year,
        (2, year) => 2000 + year,
        (_, year) => year,
    };
    let [month, day, hour, minute, second] =
        [0, 2, 4, 6, 8].map(|at| number(&rest_of_it[at..at + 2]));
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day);
    let fits = fits && hour < 24 && minute < 60 && second < 60;
    let seconds = days_to(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    fits.then_some((seconds, rest))
}

/// Days from 1970 to a day of the Gregorian calendar. Years begin in March here, so that the odd
/// day of leap years is their last one.
fn days_to(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SerialNumber, date_time_ymd};

    fn certificate(from: (i32, u8, u8), to: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(to.0, to.1, to.2);
        params.serial_number = Some(SerialNumber::from_slice(&[7; 20]));
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn both_ways_to_write_a_time_are_read() {
        // GeneralizedTime from 2050 on, UTCTime before.
        for (from, to, wanted) in [
            ((2000, 2, 29), (2049, 12, 31), (951_782_400, 2_524_521_600)),
            ((1970, 1, 1), (2050, 1, 1), (0, 2_524_608_000)),
            ((1969, 12, 31), (9999, 12, 31), (-86_400, 253_402_214_400)),
            ((2024, 3, 1), (2100, 3, 1), (1_709_251_200, 4_107_542_400)),
        ] {
            let got = Validity::of(&certificate(from, to)).unwrap();
            assert_eq!((got.not_before, got.not_after), wanted, "{from:?} {to:?}");
        }
    }

    #[test]
    fn what_is_cut_or_bent_gives_a_time_or_none_and_never_panics() {
        let whole = certificate((2024, 1, 1), (2030, 1, 1));
        for len in 0..200 {
            assert_eq!(Validity::of(&whole[..len]), None, "{len}");
        }
        for at in 0..whole.len() {
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut bent = whole.clone();
                bent[at] = byte;
                let _ = Validity::of(&bent);
            }
        }
        assert_eq!(Validity::of(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for ((year, month, day), wanted) in [
            ((1970, 1, 1), 0),
            ((1970, 3, 1), 59),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((2100, 2, 28), 47_540),
            ((2100, 3, 1), 47_541),
        ] {
            assert_eq!(days_to(year, month, day), wanted);
        }
    }
}
