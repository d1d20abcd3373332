//! Secrets that stand in files of their own: named by a variable that ends in `_FILE`, passed by
//! systemd as a credential, or named by a `secret_file` of an app.
//!
//! It reads such files and knows where credentials are. Invariant: a reason for a refusal says
//! nothing of what a file holds.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What the name of a variable ends in that names a file with the secret.
pub(super) const SUFFIX: &str = "_FILE";

/// The variable by which systemd tells where a unit's credentials are.
const DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Largest file with a secret: room for an app's webhooks.
const BYTES_MAX: u64 = 1 << 20;

/// Where the credentials are, if there are any.
pub(super) fn directory(variables: &[(String, String)]) -> Option<PathBuf> {
    let mut variables = variables.iter();
    let given = variables.find(|(name, value)| name == DIRECTORY && !value.is_empty());
    given.map(|(_, directory)| PathBuf::from(directory))
}

/// Reads a secret: the text of the file without a line break at its end.
///
/// # Errors
/// Why it cannot be read, as the end of a sentence.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let unreadable = |why: String| format!("expected a readable file with the secret, but: {why}");
    let mut bytes = Vec::new();
    // One byte past the limit tells a file that is too large from one that just fits.
    File::open(path)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(unreadable(format!("it has more than {BYTES_MAX} bytes")));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| unreadable("it is no UTF-8".into()))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    match text.is_empty() {
        true => Err(unreadable("it is empty".into())),
        false => Ok(text),
    }
}

/// The file that an app's `secret_file` names: a whole path, or the name of a credential.
///
/// # Errors
/// Why there is none.
pub(super) fn named(name: &str, credentials: Option<&Path>) -> Result<PathBuf, String> {
    let path = Path::new(name);
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    let is_name = path.components().count() == 1 && path.file_name().is_some();
    match credentials {
        Some(directory) if is_name => Ok(directory.join(path)),
        Some(_) => Err("expected a path that begins with /, or the name of a credential".into()),
        None => Err(format!(
            "expected a path that begins with /; the name of a credential takes systemd, and \
             {DIRECTORY} is not set"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// What is read of a file with these bytes.
    fn of(test: &str, bytes: &[u8]) -> Result<String, String> {
        let name = format!("shardcast-secret-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).unwrap();
        let text = read(&path);
        fs::remove_file(&path).unwrap();
        text
    }

    #[test]
    fn one_line_break_at_the_end_is_not_of_the_secret() {
        for (bytes, text) in [
            (&b"s3cret"[..], "s3cret"),
            (b"s3cret\n", "s3cret"),
            (b"s3cret\r\n", "s3cret"),
            (b" s3cret\n\n", " s3cret\n"),
        ] {
            assert_eq!(of("line", bytes).as_deref(), Ok(text));
        }
    }

    // F29
    #[test]
    fn what_cannot_be_a_secret_is_refused_without_being_told() {
        let large = vec![b'x'; BYTES_MAX as usize];
        assert!(of("large", &large).is_ok());
        let larger = [&large[..], b"x"].concat();
        for (bytes, why) in [
            (&b""[..], "it is empty"),
            (b"\n", "it is empty"),
            (b"canary\xff", "it is no UTF-8"),
            (&larger, "it has more than 1048576 bytes"),
        ] {
            let reason = of("refused", bytes).unwrap_err();
            assert!(
                reason.ends_with(why) && !reason.contains("canary"),
                "{reason}"
            );
        }
        assert!(read(Path::new("/nonexistent")).is_err());
    }

    #[test]
    fn a_name_alone_is_that_of_a_credential() {
        let directory = Some(Path::new("/run/credentials/x"));
        let path = |name, directory| named(name, directory).map(|path| path.display().to_string());
        assert_eq!(path("/etc/s", None).unwrap(), "/etc/s");
        assert_eq!(path("app", directory).unwrap(), "/run/credentials/x/app");
        for (name, directory) in [
            ("app", None),
            ("../app", directory),
            ("a/b", directory),
            ("", directory),
            ("..", directory),
        ] {
            assert!(path(name, directory).is_err(), "{name}");
        }
    }
}
