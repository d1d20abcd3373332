//! Query strings: as text they are what the URL Standard makes of them, and the form that signatures
//! cover is sorted and complete.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shardcast::http::query::{self, Plus};

fuzz_target!(|text: &str| {
    let theirs: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
    let ours: Vec<_> = query::parse_text(text).collect();
    assert_eq!(ours, theirs);
    for plus in [Plus::Literal, Plus::Space] {
        let mut wanted: Vec<_> = query::parse(text, plus)
            .map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned()))
            .filter(|(name, _)| name != b"auth_signature")
            .collect();
        wanted.sort_by(|(one, _), (other, _)| one.cmp(other));
        let wanted: Vec<_> = wanted
            .into_iter()
            .map(|(name, value)| [&name[..], b"=", &value].concat())
            .collect();
        let mut form = b"GET\n".to_vec();
        query::canonical(text, plus, &mut form);
        assert_eq!(form, [&b"GET\n"[..], &wanted.join(&b'&')].concat());
        let mut joined = Vec::new();
        if !query::canonical_joined(text, plus, &mut joined) {
            assert_eq!(joined, form[4..]);
        }
    }
    if let Some(path) = query::decode_path(text) {
        assert!(path.len() <= text.len());
    }
});
