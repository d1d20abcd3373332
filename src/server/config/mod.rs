//! Configuration: defaults, a file in TOML or JSON, the environment and flags become one [`Config`]
//! or an error.
//!
//! Every setting has one entry in one table (`server_knobs`, `app_knobs`): its key in the file, its
//! flag, its variables, what it accepts and its help. All sources go through that entry, so they
//! cannot disagree on a range, and all documents are made from it. A later source wins over an
//! earlier one: defaults, file, `.env`, environment, flags. Names of other servers that are no
//! settings here have tables of their own (`foreign`).
//!
//! ```text
//! cli ──┐                                      knob, server_knobs, app_knobs: the tables
//! file, json ─┼─> layers (who set what) ─> fit ─> check ─> settings::Config
//! environment, dotenv ─┘                 └ apps (credentials, duplicates, demo app)
//! ```
//!
//! Not here: whether the kernel allows what was asked for (`preflight`) and which shard gets which
//! core (`placement`). Invariants: nothing unknown is ignored in a file; an error names the flag,
//! variable or line to blame; no error, help text or printed configuration contains a secret.

mod admin_knobs;
mod app_knobs;
mod apps;
mod check;
mod cli;
mod compression_knobs;
mod cpu_list;
mod defaults;
pub mod documents;
mod dotenv;
mod drain_knobs;
mod env_file;
mod environment;
mod family;
mod file;
mod fit;
mod foreign;
mod json;
mod knob;
mod kubernetes;
mod laravel_names;
mod layers;
mod limit_knobs;
mod listening_knobs;
mod load;
mod moves;
mod own_names;
mod ping;
mod places;
mod print;
mod reload;
mod request_knobs;
mod schema;
mod secret_files;
mod server_knobs;
mod settings;
mod soketi_file;
mod soketi_names;
mod soketi_rules;
mod suggest;
mod tls_files;
mod tls_knobs;
mod tuning_knobs;
mod variable;
mod watchdog_knobs;
mod webhook_knobs;
mod webhooks;

pub use crate::control::CertificateFiles;
pub use apps::{DEMO_APP_ID, DEMO_APP_KEY, DEMO_APP_SECRET, Unconfigured};
pub use cli::UsageError;
pub(in crate::server) use cli::{Flags, behind_flags, flags};
#[cfg(test)]
pub(in crate::server) use defaults::limits;
pub(in crate::server) use defaults::{app_default, server_default};
pub use environment::process_environment;
pub(in crate::server) use load::{Blame, load_flags, overview, overview_without_file};
pub use load::{Halt, Invocation, load};
pub(super) use reload::{Reloaded, reload};
pub use settings::{AdminPort, Config, DrainClose, LogFormat};
