//! The files that certificates and keys are in: read at the start, and again when they change.

use crate::limits::TLS_FILE_MAX;
use crate::tls::{Pair, Store, Validity};
use arc_swap::ArcSwap;
use std::fmt;
use std::fs::{self, File};
use std::future::pending;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;

/// How often it is looked whether a file has changed.
const LOOK: Duration = Duration::from_secs(2);

/// For how long a certificate has to hold, so that nothing is said about it.
const SOON: i64 = 14 * DAY;

const DAY: i64 = 24 * 60 * 60;

/// A file with a certificate and its chain, and the file with its key; both are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate first, then those that lead from it to an authority.
    pub cert: PathBuf,
    /// The private key, which is not encrypted.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// With these files.
    pub fn new(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let (cert, key) = (cert.into(), key.into());
        Self { cert, key }
    }
}

/// Why certificates cannot be used. It never shows a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateError(String);

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CertificateError {}

/// What a client may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Where it is from.
    pub files: CertificateFiles,
    /// From when until when it holds.
    pub validity: Validity,
}

/// What a look at the files has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// New clients are shown something else from now on.
    Changed,
    /// The files hold what was shown before.
    Same,
}

/// The certificates that a server shows to its clients, and the files they are from.
///
/// It may be used on any thread but a shard's: reading files takes as long as it takes.
#[derive(Debug)]
pub struct Certificates {
    store: Arc<Store>,
    loaded: ArcSwap<Loaded>,
}

/// What was read, all of it at once.
#[derive(Debug)]
struct Loaded {
    files: Vec<CertificateFiles>,
    pairs: Vec<Pair>,
    /// How the files were, before they were read.
    stamps: Stamps,
}

/// Certificates that were read and found good, and are not shown yet.
#[derive(Debug)]
pub struct ReadCertificates(Loaded);

type Stamps = Vec<Option<(u64, u64, i64, i64)>>;

impl Certificates {
    /// Reads what is in the files; the first is for clients that ask for no name that another is
    /// for.
    ///
    /// # Errors
    /// [`CertificateError`], which names the file.
    ///
    /// # Panics
    /// When there are no files.
    pub fn load(files: Vec<CertificateFiles>) -> Result<Self, CertificateError> {
        let loaded = read_all(files)?;
        let store = Store::new(loaded.pairs.clone());
        let store = store.map_err(|error| CertificateError(error.to_string()))?;
        Ok(Self {
            store: Arc::new(store),
            loaded: ArcSwap::from_pointee(loaded),
        })
    }

    /// What shards take them from.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What clients are shown, the first one by default.
    #[must_use]
    pub fn shown(&self) -> Vec<Certificate> {
        let loaded = self.loaded.load();
        let both = loaded.files.iter().zip(&loaded.pairs);
        both.map(|(files, pair)| Certificate {
            files: files.clone(),
            validity: pair.validity(),
        })
        .collect()
    }

    /// Reads the files again and shows what is in them to new clients. Connections go on with
    /// what they began with.
    ///
    /// # Errors
    /// As [`Certificates::read`]; then clients are shown what they were shown before.
    pub fn reload(&self) -> Result<Reload, CertificateError> {
        let files = self.loaded.load().files.clone();
        let read = self.read(files)?;
        self.show(read)
    }

    /// The first half of a reload, which changes nothing: reads what is in these files. All of it
    /// has to be good, and may not have run out.
    ///
    /// # Errors
    /// [`CertificateError`], which names the file.
    ///
    /// # Panics
    /// When there are no files.
    pub fn read(&self, files: Vec<CertificateFiles>) -> Result<ReadCertificates, CertificateError> {
        let loaded = read_all(files)?;
        let ended = |pair: &Pair| pair.validity().not_after < now_s();
        for (files, pair) in loaded.files.iter().zip(&loaded.pairs) {
            // One that is shown already is no worse than it was.
            let is_shown = self.loaded.load().pairs.iter().any(|it| it.is_same(pair));
            if ended(pair) && !is_shown {
                return Err(wrong(&files.cert, "it has run out"));
            }
        }
        Ok(ReadCertificates(loaded))
    }

    /// The second half: shows them to new clients.
    ///
    /// # Errors
    /// When TLS cannot be used at all; then clients are shown what they were shown before.
    pub fn show(&self, read: ReadCertificates) -> Result<Reload, CertificateError> {
        let ReadCertificates(loaded) = read;
        let before = self.loaded.load();
        let is_same = before.files.len() == loaded.files.len()
            && before
                .pairs
                .iter()
                .zip(&loaded.pairs)
                .all(|(a, b)| a.is_same(b));
        if !is_same {
            let replaced = self.store.replace(loaded.pairs.clone());
            replaced.map_err(|error| CertificateError(error.to_string()))?;
        }
        self.loaded.store(Arc::new(loaded));
        Ok(match is_same {
            true => Reload::Same,
            false => Reload::Changed,
        })
    }

    /// What the operator should know about them now, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let now = now_s();
        let one = |it: Certificate| {
            let (cert, left) = (it.files.cert, it.validity.not_after - now);
            let cert = cert.display();
            if it.validity.not_before > now {
                return Some(format!("the certificate {cert} does not hold yet"));
            }
            match left {
                ..0 => Some(format!(
                    "the certificate {cert} has run out: clients refuse it"
                )),
                0..SOON => Some(format!(
                    "the certificate {cert} runs out in {} days",
                    left / DAY
                )),
                _ => None,
            }
        };
        self.shown().into_iter().filter_map(one).collect()
    }

    /// Reloads whenever a file has changed or the signal comes. It goes on for ever.
    pub(super) async fn watch(self: Arc<Self>, mut hangup: Option<Signal>) {
        let mut seen = self.loaded.load().stamps.clone();
        loop {
            let signalled = tokio::select! {
                () = pause() => false,
                () = signalled(&mut hangup) => true,
            };
            let this = Arc::clone(&self);
            let last = seen.clone();
            let looked = spawn_blocking(move || this.look(&last, signalled)).await;
            match looked {
                Ok(stamps) => seen = stamps,
                Err(error) => tracing::error!(%error, "cannot look at certificates"),
            }
        }
    }

    /// Reloads if a file is not as it was, or in any case; gives how they are now.
    fn look(&self, last: &Stamps, in_any_case: bool) -> Stamps {
        let now = stamps(&self.loaded.load().files);
        if now == *last && !in_any_case {
            return now;
        }
        match self.reload() {
            Ok(Reload::Changed) => {
                let days = self.shown()[0].validity.not_after.saturating_sub(now_s()) / DAY;
                tracing::info!(days, "new clients are shown new certificates");
                for warning in self.warnings() {
                    tracing::warn!("{warning}");
                }
            }
            Ok(Reload::Same) => tracing::debug!("the certificates are what they were"),
            Err(error) => {
                tracing::error!(%error, "not reloaded: clients are shown the old certificates");
            }
        }
        now
    }
}

async fn pause() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the control thread has a reactor"
    )]
    tokio::time::sleep(LOOK).await;
}

async fn signalled(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    pending().await
}

fn read_all(files: Vec<CertificateFiles>) -> Result<Loaded, CertificateError> {
    let stamps = stamps(&files);
    let pairs = files.iter().map(read_one).collect::<Result<_, _>>()?;
    Ok(Loaded {
        files,
        pairs,
        stamps,
    })
}

fn read_one(files: &CertificateFiles) -> Result<Pair, CertificateError> {
    let read = |path: &Path| read_file(path).map_err(|error| wrong(path, error));
    let (cert, key) = (read(&files.cert)?, read(&files.key)?);
    Pair::from_pem(&cert, &key).map_err(|error| match error.is_of_key() {
        true => wrong(&files.key, error),
        false => wrong(&files.cert, error),
    })
}

fn wrong(path: &Path, why: impl fmt::Display) -> CertificateError {
    CertificateError(format!("{}: {why}", path.display()))
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?
        .take(TLS_FILE_MAX + 1)
        .read_to_end(&mut bytes)?;
    if read as u64 > TLS_FILE_MAX {
        let reason = format!("it has more than {TLS_FILE_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// How the files are just now: another file in their place, or other content, shows in it.
fn stamps(files: &[CertificateFiles]) -> Stamps {
    let paths = files.iter().flat_map(|files| [&files.cert, &files.key]);
    let stamp = |path: &PathBuf| {
        let data = fs::metadata(path).ok()?;
        Some((data.ino(), data.len(), data.mtime(), data.mtime_nsec()))
    };
    paths.map(stamp).collect()
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}
