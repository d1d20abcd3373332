//! What may be logged, in words: a level, or a filter in the words of `tracing`.

use std::str::FromStr;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// What is logged when it is asked for in these words: a level, in any case, or directives of
/// `tracing` between commas. Without a level among them `info` holds for what they do not name.
///
/// # Errors
/// What is wrong with the words. A word that is no level is refused: `tracing` would take it for
/// the name of a part of the program, and be silent about all others.
pub(super) fn filter(words: &str) -> Result<EnvFilter, String> {
    let parts: Vec<&str> = words.split(',').map(str::trim).collect();
    if let [word] = *parts
        && let Some(level) = level(word)
    {
        return Ok(EnvFilter::new(directives(level)));
    }
    let is_plain = |part: &&str| !part.contains(['=', '[']);
    if let Some(word) = parts
        .iter()
        .filter(|part| is_plain(part))
        .find(|part| level(part).is_none())
    {
        return Err(format!(
            "{word:?} is not a level: expected off, error, warn, info, debug or trace, or a filter \
             such as info,shardcast::control=debug"
        ));
    }
    // Nothing at all would be `error` here, too.
    if let Some(part) = parts.iter().find(|part| part.ends_with('=')) {
        return Err(format!("{part} lacks its level"));
    }
    let has_level = parts.iter().any(is_plain);
    let words = match has_level {
        true => parts.join(","),
        false => format!("info,{}", parts.join(",")),
    };
    let filter = EnvFilter::builder().parse(words);
    filter.map_err(|error| format!("not a level, and no filter: {error}"))
}

/// What a level of this program means: libraries stay quiet.
fn directives(level: LevelFilter) -> String {
    match level {
        LevelFilter::DEBUG | LevelFilter::TRACE => format!("info,shardcast={level}"),
        other => other.to_string(),
    }
}

/// A level by its name or number.
fn level(word: &str) -> Option<LevelFilter> {
    // Nothing at all would be `error`.
    let word = Some(word).filter(|word| !word.is_empty())?;
    LevelFilter::from_str(word).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &str) -> String {
        let filter = filter(words).unwrap().to_string();
        let mut parts: Vec<&str> = filter.split(',').collect();
        parts.sort_unstable();
        parts.join(",")
    }

    #[test]
    fn levels_are_of_this_program_in_any_case() {
        for words in ["debug", "DEBUG", " Debug "] {
            assert_eq!(shown(words), "info,shardcast=debug", "{words}");
        }
        assert_eq!(shown("trace"), "info,shardcast=trace");
        for words in ["off", "error", "warn", "info"] {
            assert_eq!(shown(words), words);
            assert_eq!(shown(&words.to_uppercase()), words);
        }
    }

    #[test]
    fn filters_keep_info_for_the_rest() {
        let part = "shardcast::control=trace";
        assert_eq!(shown(part), format!("info,{part}"));
        assert_eq!(shown(&format!("{part}, warn")), format!("{part},warn"));
        let named = "shardcast[client{a=1}]=debug";
        assert!(shown(named).starts_with("info"), "{}", shown(named));
    }

    #[test]
    fn words_that_are_no_level_are_refused() {
        for words in [
            "verbose",
            "debgu",
            "",
            " ",
            ",",
            "info,",
            "shardcast",
            "info,verbose",
            "6",
        ] {
            let reason = filter(words).unwrap_err();
            assert!(
                reason.contains("off, error, warn, info, debug or trace"),
                "{reason}"
            );
        }
        for words in ["shardcast=loud", "shardcast=verbose,info", "shardcast="] {
            assert!(filter(words).is_err(), "{words}");
        }
    }
}
