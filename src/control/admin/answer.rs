//! What the admin port answers to what.

use super::Desk;
use super::measure::page;
use crate::http::query::{self, Plus};
use crate::http::{Head, Response};
use crate::metrics::page::TEXT_TYPE;
use sha2::{Digest, Sha256};

/// Answers one request.
pub(super) async fn answer(head: &Head<'_>, desk: &Desk) -> Response {
    if !matches!(head.method, "GET" | "HEAD") {
        return Response::text(405, "Method not allowed\n").with_header("Allow", "GET, HEAD");
    }
    match head.path {
        "/" | "/live" => Response::text(200, "OK\n"),
        "/ready" => ready(desk.health.is_ready()),
        "/accept-traffic" => ready(desk.health.is_ready() && !is_full(desk)),
        "/usage" | "/metrics" if !may_see(head, desk) => {
            Response::text(401, "The token of the admin port is needed\n")
                .with_header("WWW-Authenticate", "Bearer realm=\"admin\"")
        }
        "/usage" => usage(desk),
        "/metrics" => metrics(head, desk).await,
        _ => Response::text(404, "Not found\n"),
    }
}

fn ready(is_ready: bool) -> Response {
    match is_ready {
        true => Response::text(200, "OK\n"),
        false => Response::text(503, "Not now\n").with_header("Retry-After", "1"),
    }
}

/// Whether so much memory is in use that no more traffic is wanted.
fn is_full(desk: &Desk) -> bool {
    let memory = &desk.plan.memory;
    memory.percent(memory.used()) >= desk.plan.full_percent
}

/// Whether the request has the token, where there is one. Digests are compared, so that the time
/// tells nothing of the token.
fn may_see(head: &Head<'_>, desk: &Desk) -> bool {
    let Some(token) = &desk.plan.token else {
        return true;
    };
    let given = head.header("authorization").and_then(|value| {
        let (scheme, token) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
    });
    let digest = |bytes: &[u8]| Sha256::digest(bytes);
    given.is_some_and(|given| digest(given) == digest(token.expose().as_bytes()))
}

/// The memory, in the shape that soketi gives it.
fn usage(desk: &Desk) -> Response {
    let memory = &desk.plan.memory;
    let (used, total) = (memory.used(), memory.limit());
    let free = total.saturating_sub(used);
    let percent = used as f64 * 100.0 / total as f64;
    Response::json(
        200,
        format!(
            "{{\"memory\":{{\"free\":{free},\"used\":{used},\"total\":{total},\
             \"percent\":{percent}}}}}"
        )
        .into_bytes(),
    )
}

async fn metrics(head: &Head<'_>, desk: &Desk) -> Response {
    let page = page(desk).await;
    let wants_json = query::parse(head.query, Plus::Literal)
        .any(|(key, value)| *key == *b"json" && !matches!(&*value, b"" | b"0" | b"false"));
    match wants_json {
        true => Response::json(200, page.json()),
        false => Response::new(200, TEXT_TYPE, page.text()),
    }
}
