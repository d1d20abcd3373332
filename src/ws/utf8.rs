//! UTF-8 that comes in pieces, which may be cut in the middle of a character.

/// Whether a text goes on with these bytes. `cut` holds what there is of a character that the last
/// piece has cut; a text may end where it is empty.
pub fn goes_on(cut: &mut Vec<u8>, mut bytes: &[u8]) -> bool {
    while !cut.is_empty()
        && let Some((byte, rest)) = bytes.split_first()
    {
        cut.push(*byte);
        bytes = rest;
        match std::str::from_utf8(cut) {
            Ok(_) => cut.clear(),
            Err(error) if error.error_len().is_none() => {}
            Err(_) => return false,
        }
    }
    match simdutf8::compat::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) if error.error_len().is_none() => {
            cut.extend_from_slice(&bytes[error.valid_up_to()..]);
            true
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::goes_on;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_are_judged_as_the_whole(
            text in ".{0,20}",
            broken in prop::collection::vec(any::<u8>(), 0..3),
            at in 0usize..80,
            piece in 1usize..8,
        ) {
            let mut bytes = text.into_bytes();
            let at = at.min(bytes.len());
            bytes.splice(at..at, broken);
            let mut cut = Vec::new();
            let all = bytes.chunks(piece).all(|piece| goes_on(&mut cut, piece));
            let is_text = all && cut.is_empty();
            prop_assert_eq!(is_text, std::str::from_utf8(&bytes).is_ok());
        }
    }
}
