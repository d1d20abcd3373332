//! Flags that say which server, and how this machine is used.

use crate::load::publish::App;
use crate::target::Target;
use crate::wire::sign::Signer;
use clap::Args;
use std::fmt;

/// What every scenario needs to know of the server.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub struct Server {
    /// Where the server listens.
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:6001")]
    pub url: Target,
    /// Id of the app to publish to.
    #[arg(long, value_name = "ID", default_value = "1001")]
    pub app_id: String,
    /// Key of the app to connect to.
    #[arg(long, default_value = "app-key")]
    pub key: String,
    /// Secret of the app: signs publishes and subscriptions.
    #[arg(long, default_value = "app-secret")]
    pub secret: Secret,
    /// Process id of the server, on this machine: its CPU time and memory are read from /proc. Once
    /// for each of its processes.
    #[arg(long, value_name = "PID")]
    pub server_pid: Vec<u32>,
    /// Keep the load tester on this core.
    #[arg(long, value_name = "N")]
    pub core: Option<usize>,
}

/// A secret that does not let itself be printed.
#[derive(Clone)]
pub struct Secret(String);

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl Server {
    /// The app's credentials.
    pub fn app(&self) -> App<'_> {
        App {
            id: &self.app_id,
            key: &self.key,
            signer: Signer::new(&self.secret.0),
        }
    }

    /// What was asked for, without the secret.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let pids: Vec<String> = self.server_pid.iter().map(u32::to_string).collect();
        let mut settings = vec![
            ("url", format!("ws://{}", self.url.host)),
            ("app-id", self.app_id.clone()),
            ("key", self.key.clone()),
        ];
        if !pids.is_empty() {
            settings.push(("server-pid", pids.join(" ")));
        }
        if let Some(core) = self.core {
            settings.push(("core", core.to_string()));
        }
        settings
    }
}
