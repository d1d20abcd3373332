//! `completions` and `man`: what a package installs beside the program.

use super::context::Order;
use super::ending::Failure;
use super::terminal::say;
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

const SHELL: &str = "shell";
const FOLDER: &str = "dir";

pub(super) fn completions_command() -> Command {
    Command::new("completions")
        .about("Print what completes commands and flags in a shell")
        .arg(
            Arg::new(SHELL)
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("The shell"),
        )
        .after_help(
            "Examples:\n  {name} completions bash > /etc/bash_completion.d/{name}\n  \
             {name} completions zsh > \"${fpath[1]}/_{name}\"\n  \
             {name} completions fish > ~/.config/fish/completions/{name}.fish",
        )
}

/// # Errors
/// None.
pub(super) fn completions(order: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let shell: Shell = *matches.get_one(SHELL).expect("clap wants it");
    let mut script = Vec::new();
    let mut commands = order.commands.clone();
    clap_complete::generate(shell, &mut commands, &*order.context.name, &mut script);
    say(&String::from_utf8_lossy(&script))
}

pub(super) fn man_command() -> Command {
    Command::new("man")
        .about("Print the man page, or write those of all commands")
        .arg(
            Arg::new(FOLDER)
                .long(FOLDER)
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("Write a page of the program and one of each command into this directory"),
        )
}

/// # Errors
/// When a page cannot be written.
pub(super) fn man(order: &Order<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let commands = order.commands.clone();
    match matches.get_one::<PathBuf>(FOLDER) {
        None => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(commands).render(&mut page);
            rendered.map_err(|error| Failure::internal(error.to_string()))?;
            say(&String::from_utf8_lossy(&page))
        }
        Some(folder) => write(commands, folder),
    }
}

fn write(commands: Command, folder: &Path) -> Result<(), Failure> {
    let written = clap_mangen::generate_to(commands, folder);
    written.map_err(|error| {
        Failure::usage(format!(
            "--dir: cannot write to {}: {error}",
            folder.display()
        ))
    })
}
