//! Whether to come back after a close, and when: as the protocol has it (section 2.6, W21).

use std::time::Duration;

/// What to do after a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To come back is of no use.
    Never,
    /// Come back after so long.
    After(Duration),
}

/// What to do after the end with this close code, if there was one, and so many tries in vain.
pub(super) fn after(code: Option<u16>, tries: u32) -> Next {
    /// The longest pause, as a power of two in seconds.
    const LONGEST: u32 = 3;
    let pause = Next::After(Duration::from_secs(1 << tries.min(LONGEST)));
    match code {
        Some(4000..=4099 | 4300..) => Next::Never,
        // Said by a server that has given its port away. One that says so again and again has not,
        // and is left in peace a while (W21).
        Some(4200..=4299) if tries == 0 => Next::After(Duration::ZERO),
        _ => pause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(code: Option<u16>, tries: u32) -> Option<u64> {
        match after(code, tries) {
            Next::Never => None,
            Next::After(wait) => Some(wait.as_secs()),
        }
    }

    // W21
    #[test]
    fn a_close_says_whether_and_when_to_come_back() {
        for code in [4000, 4001, 4009, 4099, 4300, 4999, u16::MAX] {
            assert_eq!(after(Some(code), 0), Next::Never, "{code}");
        }
        for code in [1000, 1001, 1006, 1011, 3999, 4100, 4199] {
            assert_eq!(seconds(Some(code), 0), Some(1), "{code}");
        }
        for code in [4200, 4201, 4299] {
            assert_eq!(seconds(Some(code), 0), Some(0), "{code}");
            assert_eq!(seconds(Some(code), 1), Some(2), "{code}");
        }
        let growing: Vec<_> = (0..6).map(|tries| seconds(None, tries)).collect();
        assert_eq!(growing, [1, 2, 4, 8, 8, 8].map(Some));
    }
}
