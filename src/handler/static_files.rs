//! Files of a directory.

use super::callbacks::{Handler, Result};
use super::client::Client;
use super::endpoint::Endpoint;
use super::file_path::{FilePath, PathRefused, relative};
use super::handshake::Handshake;
use super::message::Message;
use super::request::Request;
use super::router::may_use;
use crate::http::accept::accepts_coding;
use crate::http::conditional::{Selected, Wanted, judge};
use crate::http::media::media_type_of;
use crate::http::{Response, date};
use crate::limits::FILE_CHUNK;
use crate::net::files::{Entry, Found, Root};
use std::cell::OnceCell;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Serves the files below a directory, to be given to [`Router::files`](super::Router::files), or
/// mounted where a pattern ends with `*`:
///
/// ```no_run
/// use shardcast::handler::{Router, StaticFiles};
///
/// let routes = |router: &mut Router| {
///     let assets = StaticFiles::root("public/assets").with_cache_control("max-age=3600");
///     router.files("/assets", assets);
///     router.files("/", "public");
/// };
/// # let _ = routes;
/// ```
///
/// GET and HEAD are answered, OPTIONS with 204, anything else with 405. Directories are
/// answered with their `index.html`, after a redirection to the form with a slash at the end; there
/// are no listings.
/// Media types follow from the names' endings. Each answer has a strong `ETag` and
/// `Last-Modified`, conditional requests are obeyed, and so is a request for one range of bytes;
/// one for several gets the whole.
///
/// Only regular files below the directory are served: a path with `..`, a backslash, an encoded
/// slash or a control character is answered with 400; hidden files, whose names or directories
/// begin with a dot, and symbolic links that lead out of the directory with 404. Nothing is cached,
/// and reading does not hold up the shard. Of a file that is cut short while it is sent, the client
/// gets a connection that breaks off. Replace files by renaming others over them: who reads the old
/// one gets it whole.
#[derive(Debug)]
pub struct StaticFiles {
    dir: PathBuf,
    root: OnceCell<Root>,
    index: Option<String>,
    cache_control: Option<&'static str>,
    precompressed: bool,
}

/// Codings of files that lie beside others, the best first.
const CODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

impl StaticFiles {
    /// The files below a directory, which has to be there when the server starts.
    #[must_use]
    pub fn root(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            root: OnceCell::new(),
            index: Some("index.html".into()),
            cache_control: None,
            precompressed: false,
        }
    }

    /// Answers directories with the file of this name instead of `index.html`.
    ///
    /// # Panics
    /// When it is not the name of a file: empty, `.` or `..`, or with a slash or a NUL.
    #[must_use]
    pub fn with_index(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        assert!(
            !matches!(&*name, "" | "." | "..") && !name.contains(['/', '\0']),
            "no file's name: {name}"
        );
        self.index = Some(name);
        self
    }

    /// Answers directories with 404.
    #[must_use]
    pub fn without_index(mut self) -> Self {
        self.index = None;
        self
    }

    /// Sends this `Cache-Control`, such as `public, max-age=3600`. Without one, clients guess.
    ///
    /// # Panics
    /// When the value holds a control character.
    #[must_use]
    pub fn with_cache_control(mut self, value: &'static str) -> Self {
        let tried = Response::empty(200).try_header("Cache-Control", value);
        assert!(tried.is_ok(), "no value of a field: {value:?}");
        self.cache_control = Some(value);
        self
    }

    /// Sends `name.br` or `name.gz` instead of `name`, where there is such a file and the client
    /// takes that coding. It has to be as new as the file itself: nobody looks.
    #[must_use]
    pub fn with_precompressed(mut self) -> Self {
        self.precompressed = true;
        self
    }

    async fn answer(&self, request: &Request<'_>) -> io::Result<Response> {
        let asked = match request.rest() {
            Some(rest) => relative(rest),
            // Its pattern is that of the directory itself.
            None if request.path().ends_with('/') => relative(""),
            None => return Ok(to_slash(request)),
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(PathRefused::Malformed) => return Ok(Response::text(400, "Bad path\n")),
            Err(PathRefused::Hidden) => return Ok(not_found()),
        };
        let Some(path) = self.file_of(&asked) else {
            return Ok(not_found());
        };
        let media_type = media_type_of(&path);
        let accepted = request.header("accept-encoding");
        let endings = CODINGS
            .iter()
            .filter(|(coding, _)| self.precompressed && accepts_coding(accepted, coding));
        let endings = endings.map(|(_, ending)| *ending).collect();
        let root = self.root.get().expect("opened before the shard accepts");
        match root.find(path, endings).await? {
            Entry::File(found) => self.file(request, found, media_type).await,
            Entry::Directory if !asked.is_directory && self.index.is_some() => {
                Ok(to_slash(request))
            }
            Entry::Directory | Entry::Nothing => Ok(not_found()),
        }
    }

    /// The file that a path asks for; a directory has none without an index.
    fn file_of(&self, asked: &FilePath) -> Option<String> {
        let FilePath { path, is_directory } = asked;
        match (is_directory, path.is_empty()) {
            (false, _) => Some(path.clone()),
            (true, true) => self.index.clone(),
            (true, false) => Some(format!("{path}/{}", self.index.as_ref()?)),
        }
    }

    async fn file(
        &self,
        request: &Request<'_>,
        found: Found,
        media_type: &'static str,
    ) -> io::Result<Response> {
        let ending = found.ending.unwrap_or_default();
        let changed = u128::from(found.modified_s) * 1_000_000_000 + u128::from(found.modified_ns);
        let selected = Selected {
            length: found.length,
            etag: format!("\"{:x}-{changed:x}{ending}\"", found.length),
            modified_s: found.modified_s,
        };
        let is_head = request.method() == "HEAD";
        let whole = 0..found.length;
        let response = match judge(&selected, is_head, |name| request.header(name)) {
            Wanted::Whole if is_head => {
                Response::stream_sized(media_type, found.length, async |_| Ok(()))
            }
            Wanted::Whole => sent(&found, whole, media_type).await?,
            Wanted::Part(part) => {
                let last = part.end - 1;
                let range = format!("bytes {}-{last}/{}", part.start, found.length);
                let response = sent(&found, part, media_type).await?.with_status(206);
                with(response, "Content-Range", range)
            }
            Wanted::NotModified => Response::empty(304),
            Wanted::Failed => return Ok(Response::text(412, "It has changed\n")),
            Wanted::NoSuchPart => {
                let response = Response::text(416, "There is no such part\n");
                return Ok(with(
                    response,
                    "Content-Range",
                    format!("bytes */{}", found.length),
                ));
            }
        };
        Ok(self.described(response, &found, selected))
    }

    /// Adds what is to be known of the file.
    fn described(&self, response: Response, found: &Found, selected: Selected) -> Response {
        let mut response = with(response, "ETag", selected.etag)
            .with_header("Accept-Ranges", "bytes")
            .with_header("X-Content-Type-Options", "nosniff");
        response = with(response, "Last-Modified", date::format(selected.modified_s));
        if let Some(value) = self.cache_control {
            response = response.with_header("Cache-Control", value);
        }
        if self.precompressed {
            response = response.with_header("Vary", "Accept-Encoding");
        }
        match CODINGS
            .iter()
            .find(|(_, ending)| found.ending == Some(*ending))
        {
            Some((coding, _)) => response.with_header("Content-Encoding", coding),
            None => response,
        }
    }
}

/// The files below this directory, without settings.
impl From<&str> for StaticFiles {
    fn from(dir: &str) -> Self {
        Self::root(dir)
    }
}

/// The files below this directory, without settings.
impl From<String> for StaticFiles {
    fn from(dir: String) -> Self {
        Self::root(dir)
    }
}

/// The files below this directory, without settings.
impl From<&Path> for StaticFiles {
    fn from(dir: &Path) -> Self {
        Self::root(dir)
    }
}

/// The files below this directory, without settings.
impl From<PathBuf> for StaticFiles {
    fn from(dir: PathBuf) -> Self {
        Self::root(dir)
    }
}

impl Handler for StaticFiles {
    type Session = ();

    async fn on_start(&self, _: &Endpoint) -> Result {
        let root = Root::open(&self.dir).map_err(|error| {
            let dir = self.dir.display();
            format!("files cannot be served from {dir}: {error}")
        })?;
        self.root.set(root).expect("it starts once");
        Ok(())
    }

    async fn on_handshake(&self, _: &Request<'_>) -> Result<Handshake<()>> {
        Ok(Handshake::reject(not_found()))
    }

    async fn on_message(&self, _: &mut Client<()>, _: Message<'_>) -> Result {
        Ok(())
    }

    async fn on_request(&self, _: &Endpoint, request: Request<'_>) -> Response {
        match request.method() {
            "GET" | "HEAD" => {}
            "OPTIONS" => return may_use(204, request.allow()),
            _ => return may_use(405, request.allow()),
        }
        match self.answer(&request).await {
            Ok(response) => response,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::warn!(
                    path = request.path(),
                    "a file may not be read by the server"
                );
                Response::text(403, "Forbidden\n")
            }
            Err(error) => {
                tracing::error!(path = request.path(), %error, "a file cannot be served");
                Response::text(500, "Internal error\n")
            }
        }
    }
}

/// A part of a file, read while it is sent.
async fn sent(found: &Found, part: Range<u64>, media_type: &'static str) -> io::Result<Response> {
    let file = found.open().await?;
    let length = part.end - part.start;
    Ok(Response::stream_sized(
        media_type,
        length,
        async move |body| {
            let mut at = part.start;
            while at < part.end {
                let size = usize::try_from(part.end - at).unwrap_or(usize::MAX);
                body.ready().await?; // nothing is read that cannot be sent
                let bytes = file.read(at, size.min(FILE_CHUNK)).await?;
                if bytes.is_empty() {
                    return Err("the file has become shorter".into());
                }
                body.write(&bytes[..]).await?;
                at += bytes.len() as u64;
            }
            file.close().await;
            Ok(())
        },
    ))
}

fn with(response: Response, name: &'static str, value: String) -> Response {
    response
        .try_header(name, value)
        .expect("what the server writes itself is a fine value")
}

fn not_found() -> Response {
    Response::text(404, "Not found\n")
}

/// The same with a slash at the end, so that links in the index lead below it.
fn to_slash(request: &Request<'_>) -> Response {
    // Where a parameter stands before the files it may hold anything. Browsers take a backslash
    // for a slash, and what follows two of them for a host.
    if request.path().starts_with("//") || request.path().contains('\\') {
        return Response::text(400, "Bad path\n");
    }
    let query = request.query();
    let mark = if query.is_empty() { "" } else { "?" };
    let location = format!("{}/{mark}{query}", request.path());
    Response::redirect(301, location).unwrap_or_else(|_| Response::text(400, "Bad path\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn what_no_answer_could_carry_is_not_built() {
        let caching = |value| catch_unwind(|| StaticFiles::root(".").with_cache_control(value));
        assert!(caching("public, max-age=60").is_ok());
        assert!(caching("no-store\r\nX-A: b").is_err());
        let index = |name: &str| catch_unwind(|| StaticFiles::root(".").with_index(name));
        assert!(index("home.html").is_ok());
        for name in ["", "a/b", ".", "..", "a\0"] {
            assert!(index(name).is_err(), "{name:?}");
        }
    }
}
