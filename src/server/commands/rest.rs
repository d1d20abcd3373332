//! One request to a server.

use super::dial;
use super::ending::Failure;
use super::reach::Place;
use super::signature;
use super::terminal::plain;
use crate::app::App;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// Bytes of an answer that are read.
const ANSWER_BYTES: usize = 1 << 20;

/// What the server's log knows it by.
const AGENT: &str = concat!("shardcast/", env!("CARGO_PKG_VERSION"));

/// How long a request may take, from its first byte to the last one of the answer.
pub(super) const TIME: Duration = Duration::from_secs(30);

/// What a server answered.
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// The body, which may be the text of an error.
    pub(super) body: String,
}

/// Seconds since 1970.
pub(super) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Posts to `/apps/ID` and more, signed.
///
/// # Errors
/// When nobody answers.
pub(super) fn post(place: &Place, app: &App, path: &str, body: String) -> Result<Answer, Failure> {
    let path = format!("/apps/{}{path}", signature::encode(&app.id));
    let signed = signature::request(app, "POST", (&path, ""), body.as_bytes(), now_s());
    let request = Request::post(format!("{}{path}?{}", place.prefix, signed.query))
        .header("host", place.authority())
        .header("content-type", "application/json")
        .header("user-agent", AGENT)
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| Failure::usage(format!("{place} is no place to post to: {error}")))?;
    ask(place, request)
}

/// Asks for what is behind the prefix of the server's paths.
///
/// # Errors
/// When nobody answers.
pub(super) fn get(place: &Place, path: &str) -> Result<Answer, Failure> {
    let request = Request::get(format!("{}{path}", place.prefix))
        .header("host", place.authority())
        .header("user-agent", AGENT)
        .body(Full::default())
        .map_err(|error| Failure::usage(format!("{place} is no place to ask: {error}")))?;
    ask(place, request)
}

fn ask(place: &Place, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
    let tcp = dial::tcp(place)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::internal(error.to_string()))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a command has a runtime of tokio to itself, and no shard"
    )]
    let answer =
        runtime.block_on(async { tokio::time::timeout(TIME, send(place, tcp, request)).await });
    answer.unwrap_or_else(|_| {
        let seconds = TIME.as_secs();
        Err(Failure::unavailable(format!(
            "{place} did not answer within {seconds} seconds"
        )))
    })
}

async fn send(
    place: &Place,
    tcp: TcpStream,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Failure> {
    let unreachable = |error| dial::unreachable(place, &error);
    tcp.set_nonblocking(true).map_err(unreachable)?;
    #[expect(
        clippy::disallowed_types,
        reason = "a command has a runtime of tokio to itself, and no shard"
    )]
    let tcp = tokio::net::TcpStream::from_std(tcp).map_err(unreachable)?;
    match &place.tls {
        None => exchange(place, tcp, request).await,
        Some(trust) => {
            let connector = TlsConnector::from(dial::tls(trust)?);
            let stream = connector.connect(dial::server_name(place)?, tcp).await;
            let stream = stream.map_err(|error| dial::no_tls(place, error))?;
            exchange(place, stream, request).await
        }
    }
}

async fn exchange(
    place: &Place,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Failure> {
    let no_answer = |error: hyper::Error| {
        Failure::unavailable(format!("{place} does not speak HTTP as expected: {error}"))
    };
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(no_answer)?;
    // Its errors are those of the request; it ends with the runtime.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(no_answer)?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES)
        .collect()
        .await;
    let body = body.map_err(|error| {
        Failure::unavailable(format!("the answer of {place} cannot be read: {error}"))
    })?;
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    Ok(Answer { status, body })
}

/// What an answer that is no success means for who asked.
pub(super) fn refused(place: &Place, app: &App, answer: &Answer) -> Failure {
    let said = said(&answer.body);
    let text = |hint: &str| {
        let status = answer.status;
        format!("{place} answered {status}{hint}: {said}")
    };
    match answer.status {
        401 => Failure::config(text(&format!(
            ": key or secret of app {} are not those the server knows, or its clock is another",
            app.id
        ))),
        403 => Failure::config(text("")),
        404 | 405 => Failure::config(text(&format!(
            ": it knows no app {}, or it is no server of this protocol",
            app.id
        ))),
        400..=499 if answer.status != 429 => Failure::usage(text("")),
        _ => Failure::unavailable(text("")),
    }
}

/// The error in an answer, as it is shown.
pub(super) fn said(body: &str) -> String {
    /// A page of HTML is no sentence.
    const CHARS: usize = 200;
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let error = json.as_ref().and_then(|json| json["error"].as_str());
    let said = error.unwrap_or(body).trim();
    match said.char_indices().nth(CHARS) {
        Some((end, _)) => plain(&said[..end]) + "...",
        None => plain(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_shown_without_its_wrapping_and_not_at_any_length() {
        assert_eq!(said(r#"{"error":"Unknown app"}"#), "Unknown app");
        assert_eq!(said(" <h1>502</h1>\n"), "<h1>502</h1>");
        assert_eq!(said("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(said(&"a".repeat(200)), "a".repeat(200));
        assert_eq!(said(&"a".repeat(201)), "a".repeat(200) + "...");
    }
}
