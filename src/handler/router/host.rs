//! Virtual hosts: names of `Host` to routes of their own.

use crate::http::host_and_port;
use std::cmp::Ordering;

/// The names of a router's hosts, in lower case, with their number.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// Whole names, sorted.
    whole: Vec<(Box<str>, usize)>,
    /// What follows the star of `*.example.com`, its dot included, sorted.
    below: Vec<(Box<str>, usize)>,
    count: usize,
}

impl Hosts {
    /// The number of a host; a new one for a new name.
    ///
    /// # Panics
    /// When it is no name of a host.
    pub(super) fn number(&mut self, name: &str) -> usize {
        let lower = name.to_ascii_lowercase();
        let (list, key) = match lower.strip_prefix('*') {
            Some(below) => (&mut self.below, below),
            None => (&mut self.whole, lower.as_str()),
        };
        let plain = key.strip_prefix('.').unwrap_or(key);
        let fits = !plain.is_empty()
            && key.starts_with('.') == lower.starts_with('*')
            && host_and_port(plain) == (plain, "")
            && !plain.contains(['*', '/', ' ']);
        assert!(
            fits,
            "a host is a name without a port and a dot at its end, or *. and a name: {name:?}"
        );
        match list.binary_search_by(|(known, _)| (**known).cmp(key)) {
            Ok(at) => list[at].1,
            Err(at) => {
                let number = self.count;
                self.count += 1;
                list.insert(at, (key.into(), number));
                number
            }
        }
    }

    /// The numbers of the hosts that a `Host` field means, the most specific first.
    pub(super) fn of<'s>(&'s self, field: Option<&'s [u8]>) -> impl Iterator<Item = usize> + 's {
        let field = field.filter(|_| self.count > 0);
        let field = field.and_then(|field| std::str::from_utf8(field).ok());
        let host = field.map_or("", |field| host_and_port(field).0);
        let whole = find(&self.whole, host);
        let dots = memchr::memchr_iter(b'.', host.as_bytes());
        // `.example.com` is no name below `example.com`.
        let tails = dots.filter(|at| *at > 0).map(|at| &host[at..]);
        whole
            .into_iter()
            .chain(tails.filter_map(|tail| find(&self.below, tail)))
    }
}

fn find(list: &[(Box<str>, usize)], host: &str) -> Option<usize> {
    let at = list
        .binary_search_by(|(known, _)| ignoring_case(known, host))
        .ok()?;
    Some(list[at].1)
}

fn ignoring_case(known: &str, host: &str) -> Ordering {
    let lower = host.bytes().map(|byte| byte.to_ascii_lowercase());
    known.bytes().cmp(lower)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn the_most_specific_host_comes_first() {
        let mut hosts = Hosts::default();
        let names = [
            "*.com",
            "chat.Example.com",
            "*.example.com",
            "[::1]",
            "*.b.example.com",
        ];
        let numbers = names.map(|name| hosts.number(name));
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        assert_eq!(hosts.number("CHAT.example.com"), 1);
        for (field, wanted) in [
            ("chat.example.com", &[1, 2, 0][..]),
            ("CHAT.example.COM:8080", &[1, 2, 0]),
            ("chat.example.com.", &[1, 2, 0]),
            ("a.b.example.com", &[4, 2, 0]),
            ("example.com", &[0]),
            (".example.com", &[0]),
            (".com", &[]),
            ("evilexample.com", &[0]),
            ("[::1]:443", &[3]),
            ("[::2]", &[]),
            ("localhost", &[]),
            ("", &[]),
        ] {
            let of: Vec<_> = hosts.of(Some(field.as_bytes())).collect();
            assert_eq!(of, wanted, "{field}");
        }
        assert_eq!(hosts.of(None).count() + hosts.of(Some(b"\xff")).count(), 0);
    }

    #[test]
    fn what_is_no_host_is_named() {
        for name in [
            "",
            "*",
            "*.",
            "*example.com",
            ".example.com",
            "a:80",
            "a/b",
            "*.*.com",
            "a.",
        ] {
            let panic = catch_unwind(|| Hosts::default().number(name)).unwrap_err();
            let text = panic.downcast_ref::<String>().unwrap();
            assert!(text.contains(&format!("{name:?}")), "{text}");
        }
    }
}
