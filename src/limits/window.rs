//! Counting for each of many, in windows of time: of who has done nothing in this one, nothing is
//! kept.

use super::COUNTED_MAX;
use hashbrown::HashMap;
use std::hash::Hash;

/// How often each has done something, in the window that runs. In any time as long as a window no
/// more than two windows' worth is let through.
#[derive(Debug)]
pub struct Window<K> {
    length_ms: u64,
    begun_ms: u64,
    counts: HashMap<K, u32>,
}

impl<K: Hash + Eq> Window<K> {
    /// Windows of so many milliseconds.
    #[must_use]
    pub fn new(length_ms: u64) -> Self {
        Self {
            length_ms,
            begun_ms: 0,
            counts: HashMap::new(),
        }
    }

    /// Counts one more of `key`; says how many that makes.
    pub fn count(&mut self, key: K, now_ms: u64) -> u32 {
        let is_over = now_ms >= self.begun_ms + self.length_ms;
        if is_over || self.counts.len() >= COUNTED_MAX {
            self.counts.clear();
            self.begun_ms = now_ms;
        }
        let count = self.counts.entry(key).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_until_the_window_is_over() {
        let mut window = Window::new(1000);
        let counts = [5, 6, 1003].map(|now_ms| window.count("a", now_ms));
        assert_eq!(counts, [1, 2, 1], "the first window began with the clock");
        assert_eq!(window.count("b", 1003), 1);
        assert_eq!(window.count("a", 2002), 2);
        assert_eq!(window.count("a", 2003), 1);
    }

    #[test]
    fn no_more_are_counted_than_the_limit_says() {
        let mut window = Window::new(1000);
        for key in 0..COUNTED_MAX {
            assert_eq!(window.count(key, 0), 1);
        }
        assert_eq!(window.count(0, 0), 1, "all were forgotten");
        assert_eq!(window.counts.len(), 1);
    }
}
