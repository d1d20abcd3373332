//! What the admin port answers to what.

use super::dashboard;
use super::guard;
use super::measure::page;
use super::plan::Desk;
use super::serve::{Answer, Asked};
use crate::crossing::admission::Level as MemoryLevel;
use crate::http::query::{self, Plus};
use crate::http::{Head, Response, health};
use crate::metrics::page::TEXT_TYPE;
use serde::Deserialize;

/// Whether a path asks how the server is, which is answered at once, whatever else is asked.
pub(super) fn is_health(path: &str) -> bool {
    let is_one = matches!(path, "/" | "/live" | "/up" | "/ready" | "/accept-traffic");
    is_one || path.starts_with("/up/")
}

/// Answers one request.
pub(super) async fn answer(asked: &Asked<'_>, desk: &Desk) -> Answer {
    match asked.head.path.strip_prefix("/dashboard") {
        Some(path) if path.is_empty() || path.starts_with('/') => {
            dashboard::answer(asked, path, desk).await
        }
        _ if asked.head.path == "/log-level" => Answer::Whole(log_level(asked, desk)),
        _ => Answer::Whole(plain(asked, desk).await),
    }
}

/// Changes what is logged, for as long as the server runs or until it is changed again.
fn log_level(asked: &Asked<'_>, desk: &Desk) -> Response {
    let head = &asked.head;
    if let Err(response) = guard::same_origin(head, asked.peer, desk) {
        return *response;
    }
    if let Some(refusal) = guard::refusal(head, asked.peer, desk) {
        return refusal;
    }
    let Some(log) = &desk.plan.log else {
        return guard::error(404, "This program does not log by itself");
    };
    if head.method != "POST" {
        return guard::error(405, "Method not allowed").with_header("Allow", "POST");
    }
    let asked: Result<Level, _> = serde_json::from_slice(asked.body);
    let Ok(Level { level }) = asked else {
        return guard::error(400, "Expected {\"level\": \"debug\"}, or another level");
    };
    match (log.set_level)(&level) {
        Ok(()) => {
            tracing::info!(level, "the level of the log was changed at the admin port");
            Response::json(200, "{}")
        }
        Err(reason) => guard::error(400, &reason),
    }
}

#[derive(Deserialize)]
struct Level {
    level: String,
}

/// Same, of what programs ask for.
async fn plain(asked: &Asked<'_>, desk: &Desk) -> Response {
    let head = &asked.head;
    if let Some(refusal) = only_reads(head) {
        return refusal;
    }
    match head.path {
        "/usage" | "/metrics" => {
            if let Err(refusal) = guard::is_here(head, asked.peer, desk) {
                return *refusal;
            }
            if let Some(refusal) = guard::refusal(head, asked.peer, desk) {
                return refusal;
            }
            match head.path {
                "/usage" => usage(desk),
                _ => metrics(head, desk).await,
            }
        }
        _ => Response::text(404, "Not found\n"),
    }
}

/// How the server is.
pub(super) fn health(head: &Head<'_>, desk: &Desk) -> Response {
    if let Some(refusal) = only_reads(head) {
        return refusal;
    }
    match head.path {
        "/" | "/live" => health::plain(true),
        "/up" => health::up(desk.health.is_ready()),
        "/ready" => health::plain(desk.health.is_ready()),
        "/accept-traffic" => health::plain(wants_traffic(desk)),
        path => match path.strip_prefix("/up/").and_then(query::decode_path) {
            Some(app) if desk.dashboard.serves(&app) => health::up(desk.health.is_ready()),
            Some(_) => Response::json(404, "{\"error\":\"Unknown app\"}"),
            None => Response::text(404, "Not found\n"),
        },
    }
}

fn only_reads(head: &Head<'_>) -> Option<Response> {
    let refusal = || Response::text(405, "Method not allowed\n").with_header("Allow", "GET, HEAD");
    (!matches!(head.method, "GET" | "HEAD")).then(refusal)
}

/// By the same look at the memory that the shards go by.
fn wants_traffic(desk: &Desk) -> bool {
    desk.health.is_ready() && desk.plan.admission.memory() == MemoryLevel::Free
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
