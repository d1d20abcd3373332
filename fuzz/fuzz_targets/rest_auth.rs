//! Signed requests: what is signed as the protocol says is believed, and anything else is not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use md5::{Digest, Md5};
use shardcast::app::App;
use shardcast::http::query::{self, Plus};
use shardcast::hub::Tenant;
use shardcast::pusher::{Refused, Rules, Signed, authenticate};

const NOW_S: u64 = 1_700_000_000;
const METHOD: &str = "GET";
const PATH: &str = "/apps/1/channels";

fuzz_target!(|input: (&str, u8)| {
    let (text, at) = input;
    let tenant = Tenant::new(App::new("1", "key", "secret"));
    let check = |query: &str| {
        let request = Signed {
            method: METHOD,
            path: PATH,
            query,
            body: Some(b""),
        };
        let rules = Rules {
            now_s: NOW_S,
            window_s: 600,
            prefix: "",
        };
        authenticate(&tenant, request, rules)
    };
    // As it came: nobody guesses a signature.
    assert!(check(text).is_err());
    let proof = format!("auth_key=key&auth_timestamp={NOW_S}&auth_version=1.0");
    let unsigned = format!("{proof}&{text}");
    let asks_for_a_body =
        query::parse(text, Plus::Literal).any(|(name, _)| name.eq_ignore_ascii_case(b"body_md5"));
    let brings_another = query::parse(text, Plus::Literal)
        .any(|(name, _)| name.eq_ignore_ascii_case(b"auth_signature"));
    if asks_for_a_body || brings_another {
        return;
    }
    assert_eq!(check(&unsigned), Err(Refused::NoSignature));
    let signature = tenant.signer.sign(&[&to_sign(&unsigned)]);
    let signed = format!("{unsigned}&auth_signature={signature}");
    let verified = check(&signed).expect("it is signed");
    assert_eq!(verified.signed_s, NOW_S);
    check_with_body(&tenant, text);
    // One digit of the signature is another.
    let place = signed.len() - 1 - usize::from(at) % 64;
    let mut bytes = signed.into_bytes();
    bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
    let forged = String::from_utf8(bytes).expect("only a digit was exchanged");
    assert!(matches!(check(&forged), Err(Refused::Signature { .. })));
});

/// A body is signed by its digest: it is believed, and no other is.
fn check_with_body(tenant: &Tenant, body: &str) {
    let rules = Rules {
        now_s: NOW_S,
        window_s: 600,
        prefix: "",
    };
    let digest = hex::encode(Md5::digest(body));
    let unsigned =
        format!("auth_key=key&auth_timestamp={NOW_S}&auth_version=1.0&body_md5={digest}");
    let signature = tenant.signer.sign(&[&to_sign(&unsigned)]);
    let query = format!("{unsigned}&auth_signature={signature}");
    let with = |body| {
        let request = Signed {
            method: METHOD,
            path: PATH,
            query: &query,
            body,
        };
        authenticate(tenant, request, rules).map(drop)
    };
    let other = format!("{body} ");
    assert_eq!(with(Some(body.as_bytes())), Ok(()));
    assert_eq!(with(Some(other.as_bytes())), Err(Refused::BodyMd5));
    // Before the body is here, nothing is said of it.
    assert_eq!(with(None), Ok(()));
}

/// The text that is signed, put together as the SDKs do it.
fn to_sign(text: &str) -> Vec<u8> {
    let mut pairs: Vec<_> = query::parse(text, Plus::Literal)
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| [&name, &b"="[..], &value].concat())
        .collect();
    [format!("{METHOD}\n{PATH}\n").as_bytes(), &pairs.join(&b'&')].concat()
}
