//! What is signed: a subscription to a private channel, and a backend's publish with its body.

use super::shards::{KEY, SECRET};
use super::{Amount, Subject};
use md5::{Digest, Md5};
use shardcast::app::App;
use shardcast::hub::AppTable;
use shardcast::id::AppSlot;
use shardcast::limits::JSON_DEPTH_REST;
use shardcast::protocol::auth::{Signer, channel_is_signed};
use shardcast::protocol::json::JsonReader;
use shardcast::protocol::publish::{self, Limits};
use shardcast::pusher::{Rules, Signed, authenticate};
use std::hint::black_box;

const NOW_S: u64 = 1_700_000_000;
const PATH: &str = "/apps/1001/events";

pub fn add(subjects: &mut Vec<Subject>) {
    subjects.push(Subject::new("signature/channel", channel));
    for size in [16, 1_000] {
        let body = body(size);
        let amount = Amount::Bytes(body.len());
        let copy = body.clone();
        let auth = Subject::new(format!("rest/auth-{size}"), move || auth(body));
        let read = Subject::new(format!("rest/body-{size}"), move || read(copy));
        subjects.extend([auth.amount(amount), read.amount(amount)]);
    }
}

fn channel() -> impl FnMut() {
    let signer = Signer::new(SECRET);
    let (socket_id, channel) = ("123456789.987654321", "private-room");
    let signature = signer.sign(&[socket_id.as_bytes(), b":", channel.as_bytes()]);
    let auth = format!("{KEY}:{signature}");
    move || {
        let auth = black_box(auth.as_str());
        let signed = channel_is_signed(&signer, KEY, auth, socket_id, channel, None);
        assert!(signed);
    }
}

fn body(size: usize) -> Vec<u8> {
    let data = serde_json::json!({ "title": "x".repeat(size) }).to_string();
    let body = serde_json::json!({ "name": "headline", "channels": ["news"], "data": data });
    body.to_string().into_bytes()
}

/// Digest of the body and signature over the query.
fn auth(body: Vec<u8>) -> impl FnMut() {
    let apps = AppTable::new([App::new("1001", KEY, SECRET)]);
    let body_md5 = hex::encode(Md5::digest(&body));
    let unsigned =
        format!("auth_key={KEY}&auth_timestamp={NOW_S}&auth_version=1.0&body_md5={body_md5}");
    let text = format!("POST\n{PATH}\n{unsigned}");
    let signature = apps.get(AppSlot(0)).signer.sign(&[text.as_bytes()]);
    let query = format!("{unsigned}&auth_signature={signature}");
    move || {
        let tenant = apps.get(AppSlot(0));
        let request = Signed {
            method: "POST",
            path: PATH,
            query: black_box(&query),
            body: Some(&body),
        };
        let rules = Rules {
            now_s: NOW_S,
            window_s: 600,
            prefix: "",
        };
        black_box(authenticate(tenant, request, rules).unwrap());
    }
}

/// The body as JSON.
fn read(body: Vec<u8>) -> impl FnMut() {
    let mut reader = JsonReader::new(JSON_DEPTH_REST);
    let mut buffer = body.clone();
    let limits = Limits::of(&App::new("1001", KEY, SECRET));
    move || {
        buffer.copy_from_slice(&body);
        black_box(publish::event(&mut reader, &mut buffer, limits).unwrap());
    }
}
