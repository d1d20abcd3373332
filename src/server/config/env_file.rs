//! Which `.env` file is read: the one of the working directory, another one, or none.

use super::dotenv;
use super::environment::{self, EnvironmentLayer, Pair};
use crate::error::ConfigError;
use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches};
use std::path::{Path, PathBuf};

const NAMED: &str = "env-file";
const NONE: &str = "no-env-file";

/// Which file it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::server) enum EnvFile {
    /// `.env` in the working directory, if there is one.
    #[default]
    Usual,
    /// This one, which has to be there.
    Named(PathBuf),
    /// None.
    None,
}

impl EnvFile {
    /// The flags that say so.
    pub(in crate::server) fn flags() -> [Arg; 2] {
        let named = Arg::new(NAMED)
            .long(NAMED)
            .value_name("FILE")
            .value_parser(ValueParser::path_buf())
            .conflicts_with(NONE)
            .help("Read variables from this file instead of .env in the working directory");
        let none = Arg::new(NONE).long(NONE).action(ArgAction::SetTrue);
        [named, none.help("Read no .env file")]
    }

    /// What the flags say; nothing where they are not given.
    pub(in crate::server) fn read(matches: &ArgMatches) -> Option<EnvFile> {
        let named = matches.try_get_one::<PathBuf>(NAMED).ok().flatten();
        let none = matches.try_get_one::<bool>(NONE).ok().flatten();
        match (named, none) {
            (Some(path), _) => Some(EnvFile::Named(path.clone())),
            (None, Some(true)) => Some(EnvFile::None),
            _ => None,
        }
    }

    /// What the file says; `environment` is what its values may name.
    ///
    /// # Errors
    /// When it cannot be read, or a variable of ours in it is refused.
    pub(super) fn load(
        &self,
        environment: &[(String, String)],
    ) -> Result<Option<EnvironmentLayer>, ConfigError> {
        let (path, is_named) = match self {
            EnvFile::Usual => (Path::new(dotenv::USUAL), false),
            EnvFile::Named(path) => (&**path, true),
            EnvFile::None => return Ok(None),
        };
        let entries = dotenv::load(path, is_named, environment::is_ours, environment)?;
        if entries.is_empty() {
            return Ok(None);
        }
        let pairs = entries.into_iter().map(|entry| Pair {
            name: entry.name,
            value: entry.value,
            place: Some((path.to_owned(), entry.line)),
        });
        // Credentials of systemd count with the environment, which wins.
        environment::read_pairs(pairs, None).map(Some)
    }
}
