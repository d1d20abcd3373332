//! What every command may know: the program's name, what was asked for, the environment.

use super::ending::Failure;
use crate::server::banner::wants_colour;
use crate::server::config::{self, Config, Flags, Unconfigured};
use clap::Command;

/// The circumstances of one run of the program.
pub(in crate::server) struct Context {
    /// What the program is called.
    pub(in crate::server) name: String,
    /// The environment.
    pub(in crate::server) variables: Vec<(String, String)>,
    /// What is served where nothing says which apps there are.
    pub(in crate::server) unconfigured: Unconfigured,
}

/// What was asked for of one command.
pub(super) struct Order<'a> {
    /// The run it belongs to.
    pub(super) context: &'a Context,
    /// The settings among its flags.
    pub(super) flags: Flags,
    /// Every command there is.
    pub(super) commands: Command,
}

impl Context {
    /// Whether what goes to that stream is coloured.
    pub(in crate::server) fn colours(&self, is_terminal: bool) -> bool {
        let mut variables = self.variables.iter();
        let no_colour = variables.find(|(name, _)| name == "NO_COLOR");
        wants_colour(is_terminal, no_colour.map(|(_, value)| value.as_str()))
    }
}

impl Order<'_> {
    /// What flags, environment and file say of servers and apps, with none of it judged by this
    /// machine: the server may be another one's.
    ///
    /// # Errors
    /// When a setting is refused.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        let (variables, unconfigured) = (&self.context.variables, self.context.unconfigured);
        let variables = variables.iter().cloned();
        let flags = self.flags.clone();
        Ok(config::overview(flags, variables, unconfigured)?)
    }

    /// Same of the server alone, without the file.
    ///
    /// # Errors
    /// When another setting is refused.
    pub(super) fn config_without_file(&self) -> Result<Config, Failure> {
        let variables = self.context.variables.iter().cloned();
        let flags = self.flags.clone();
        Ok(config::overview_without_file(flags, variables)?)
    }
}
