//! How a command ends: exit codes in the words of sysexits, and the sentence that goes with them.

use crate::error::ConfigError;
use crate::server::config::Blame;
use crate::server::handle::ServerError;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// What the help says of exit codes.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
   0  done
   1  a second signal ended the server before its clients were told
  64  the command line makes no sense
  69  not available: no server there, the machine does not allow io_uring, a port is taken
  70  a shard was lost: a mistake of the server's own
  74  the answer could not be written
  78  a setting or a credential makes no sense";

/// Why a command has not done what it was asked for; one sentence or paragraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// The command line makes no sense (`EX_USAGE`).
    pub(in crate::server) fn usage(text: impl Into<String>) -> Self {
        Self::with(64, text)
    }

    /// Nobody is there, or nobody who can (`EX_UNAVAILABLE`).
    pub(in crate::server) fn unavailable(text: impl Into<String>) -> Self {
        Self::with(69, text)
    }

    /// A mistake of ours, or of the server's (`EX_SOFTWARE`).
    pub(in crate::server) fn internal(text: impl Into<String>) -> Self {
        Self::with(70, text)
    }

    /// A setting or a credential makes no sense (`EX_CONFIG`).
    pub(in crate::server) fn config(text: impl Into<String>) -> Self {
        Self::with(ConfigError::EXIT_CODE, text)
    }

    /// The answer does not arrive (`EX_IOERR`).
    pub(in crate::server) fn unwritten(error: &io::Error) -> Self {
        Self::with(74, format!("the answer cannot be written: {error}"))
    }

    /// With an exit code that something else has chosen.
    pub(in crate::server) fn with(code: u8, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { code, text }
    }

    /// Why a server does not start with a configuration that is from there.
    pub(in crate::server) fn of_start(error: &ServerError, blame: &Blame) -> Self {
        let text = error.to_string();
        let blamed = blame.of(&text).map(|error| error.to_string());
        Self::with(error.exit_code(), blamed.unwrap_or(text))
    }

    /// What the process exits with.
    pub(in crate::server) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// The number of it.
    #[cfg(test)]
    pub(super) fn number(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::config(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_code() {
        for failure in [
            Failure::usage(""),
            Failure::unavailable(""),
            Failure::internal(""),
            Failure::config(""),
        ] {
            assert!(EXIT_CODES.contains(&format!("  {}  ", failure.number())));
        }
    }
}
