//! The list of cores as it is written: `0,2-3`.
//!
//! Whether the cores exist is not decided here (`check`). Invariant: a list that comes out is not
//! empty and names no core twice; its order is kept, for the first shard takes the first core.

/// Highest core number the affinity mask of a thread has room for.
const CORE_MAX: usize = 1023;

/// What a list of cores looks like, for error messages.
pub(super) const EXPECTED: &str = "expected a list of core numbers from 0 to 1023 such as 0,2-3";

/// Reads `0,2-3` as `[0, 2, 3]`.
///
/// # Errors
/// The reason it is refused: not of that form, an empty range, or a core named twice.
pub(super) fn parse(text: &str) -> Result<Vec<usize>, String> {
    let mut cores = Vec::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last {
            return Err(format!(
                "{EXPECTED}; the range {first}-{last} runs backwards"
            ));
        }
        cores.extend(first..=last);
    }
    unique(cores)
}

/// Passes a list on when it is not empty, in range and without repetition.
///
/// # Errors
/// The reason it is refused.
pub(super) fn unique(cores: Vec<usize>) -> Result<Vec<usize>, String> {
    if cores.is_empty() || cores.iter().any(|&core| core > CORE_MAX) {
        return Err(EXPECTED.to_owned());
    }
    let mut seen = [false; CORE_MAX + 1];
    for &core in &cores {
        if std::mem::replace(&mut seen[core], true) {
            return Err(format!("{EXPECTED}; core {core} is named twice"));
        }
    }
    Ok(cores)
}

fn number(text: &str) -> Result<usize, String> {
    let text = text.trim();
    // `parse` alone would let `+1` through.
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = text
        .parse()
        .ok()
        .filter(|&core: &usize| digits && core <= CORE_MAX);
    number.ok_or_else(|| EXPECTED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_keep_their_order() {
        for (text, cores) in [
            ("0", vec![0]),
            ("0,2-3", vec![0, 2, 3]),
            ("3,1", vec![3, 1]),
            (" 1 , 4 - 5 ", vec![1, 4, 5]),
            ("7-7", vec![7]),
            ("1023", vec![1023]),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(&cores[..]), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "", ",", "0,", "a", "-1", "1-", "-", "1-2-3", "0x1", "+1", "1024", "0-1024",
        ] {
            assert_eq!(parse(text), Err(EXPECTED.to_owned()), "{text}");
        }
        assert!(parse("0-99999999999999999999").is_err());
        assert!(
            parse("3-1")
                .unwrap_err()
                .ends_with("the range 3-1 runs backwards")
        );
        assert!(
            parse("0-2,1")
                .unwrap_err()
                .ends_with("core 1 is named twice")
        );
        assert!(unique(Vec::new()).is_err());
        assert!(unique(vec![1024]).is_err());
    }
}
