//! `config`: what there is to be set, as a file, as variables, as a schema, as a document.

use super::context::Order;
use super::ending::Failure;
use super::terminal::say;
use crate::server::config::documents;
use clap::{ArgMatches, Command};

pub(super) fn command() -> Command {
    let kind = |name, about| Command::new(name).about(about);
    Command::new("config")
        .about("Print every setting as a file, as variables, as a schema, as a document")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            kind(
                "default",
                "A configuration file with every setting and its default",
            ),
            kind(
                "env",
                "Every variable of the environment with its default, as an .env file",
            ),
            kind(
                "schema",
                "The JSON schema of a configuration file, for editors",
            ),
            kind("docs", "The reference of all settings, in Markdown"),
        ])
        .after_help("Example:\n  {name} config default > {name}.toml")
}

/// # Errors
/// When it cannot be written.
pub(super) fn run(_: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let (kind, _) = matches.subcommand().expect("clap wants one");
    say(&match kind {
        "default" => documents::default_file(),
        "env" => documents::environment(),
        "schema" => documents::schema(),
        _ => documents::document(),
    })
}
