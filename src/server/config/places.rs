//! Where in a text a byte is, for people: line and column.
//!
//! A file of thousands of apps on one line is asked for as many places, so none is counted from the
//! beginning. Invariant: a place takes a search over the lines and at most two blocks to count.

/// Bytes between two places whose characters were counted beforehand.
const BLOCK: usize = 256;

/// What is known of a text so that its places are found quickly.
pub(super) struct Places {
    /// Where lines begin.
    lines: Vec<usize>,
    /// Characters before the first byte of each block.
    before: Vec<usize>,
}

impl Places {
    /// Looks through a text once.
    pub(super) fn of(text: &str) -> Places {
        let bytes = text.as_bytes();
        let breaks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let starts = breaks.map(|(at, _)| at + 1);
        let mut count = 0;
        let blocks = bytes.chunks(BLOCK).map(|block| {
            let before = count;
            count += characters(block);
            before
        });
        Places {
            lines: std::iter::once(0).chain(starts).collect(),
            before: blocks.collect(),
        }
    }

    /// Line and column of a byte of that text, or of its end; both count from 1.
    pub(super) fn at(&self, text: &str, byte: usize) -> (usize, usize) {
        let byte = byte.min(text.len());
        let line = self.lines.partition_point(|start| *start <= byte);
        let start = self.lines[line - 1];
        let column = 1 + self.up_to(text, byte) - self.up_to(text, start);
        (line, column)
    }

    /// Characters that begin before a byte.
    fn up_to(&self, text: &str, byte: usize) -> usize {
        let block = byte / BLOCK;
        let before = self.before.get(block).copied();
        // The end of a text of whole blocks is in none of them.
        let (block, before) = before.map_or_else(
            || {
                (
                    block.saturating_sub(1),
                    self.before.last().copied().unwrap_or(0),
                )
            },
            |before| (block, before),
        );
        before + characters(&text.as_bytes()[block * BLOCK..byte])
    }
}

/// How many characters begin in a part of a text.
fn characters(part: &[u8]) -> usize {
    let begins = |byte: &&u8| (**byte).cast_signed() >= -0x40;
    part.iter().filter(begins).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_that_which_counting_from_the_beginning_finds() {
        let line = "{\"kéy\": \"wörld 🌍\"}, ";
        for text in [
            String::new(),
            "a\nbc\n\nd".to_owned(),
            "\n".repeat(BLOCK),
            "x".repeat(BLOCK),
            line.repeat(100),
            format!("{}\n{}\n", line.repeat(30), line.repeat(40)),
        ] {
            let places = Places::of(&text);
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            for at in ends {
                let before = &text[..at];
                let row = 1 + before.matches('\n').count();
                let start = before.rfind('\n').map_or(0, |at| at + 1);
                let column = 1 + before[start..].chars().count();
                assert_eq!(places.at(&text, at), (row, column), "{at} of {text:?}");
            }
            assert_eq!(
                places.at(&text, text.len() + 7),
                places.at(&text, text.len())
            );
        }
    }

    /// Counted from the beginning of its line, each of these would take millions of steps.
    #[test]
    fn a_hundred_thousand_places_of_one_long_line_are_found_at_once() {
        let text = "é".repeat(2 << 20);
        let places = Places::of(&text);
        for nth in 0..100_000 {
            let at = text.len() - 2 * nth;
            assert_eq!(places.at(&text, at), (1, (2 << 20) + 1 - nth));
        }
    }
}
