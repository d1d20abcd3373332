//! What systemd is told, or another supervisor that gives a `NOTIFY_SOCKET`: ready, reloading,
//! stopping, a line on how it is, and that all shards turn. Without such a socket nothing is said.
//!
//! From the control thread only: a shard waits for no supervisor.

use sd_notify::NotifyState;
use std::time::Duration;

/// Most characters of the line that `systemctl status` shows.
const STATUS_CHARS_MAX: usize = 300;

/// What a stop may take beside its own time: for webhooks to leave, and for the process to end.
const END_MORE: Duration = Duration::from_secs(10);

/// The supervisor of this process, if it has one that wants to know.
#[derive(Clone, Debug, Default)]
pub struct Systemd {
    is_told: bool,
    watchdog: Option<Duration>,
    serving: String,
}

impl Systemd {
    /// The one that this process was started by; `serving` is said of a server that runs.
    #[must_use]
    pub fn of_process(serving: String) -> Self {
        Self {
            is_told: true,
            watchdog: sd_notify::watchdog_enabled().filter(|time| !time.is_zero()),
            serving,
        }
    }

    /// Within what time it wants to hear that all shards turn, if it does.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Every shard accepts.
    pub(super) fn ready(&self) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(&self.serving)]);
    }

    /// The configuration is read again.
    pub(super) fn reloading(&self) {
        let now = NotifyState::monotonic_usec_now();
        // The kernel has had this clock for ever.
        let now = now.unwrap_or(NotifyState::MonotonicUsec(0));
        let status = NotifyState::Status("reading the configuration again");
        self.tell(&[NotifyState::Reloading, now, status]);
    }

    /// It is in force, or was refused: in both cases the server goes on.
    pub(super) fn reloaded(&self, refused: Option<&str>) {
        let status = match refused {
            None => self.serving.clone(),
            Some(reason) => format!("{}; not reloaded: {reason}", self.serving),
        };
        self.tell(&[NotifyState::Ready, NotifyState::Status(&line(&status))]);
    }

    /// Clients are being closed, which takes no longer than this.
    pub(super) fn stopping(&self, time: Duration) {
        let most = u32::try_from((time + END_MORE).as_micros()).unwrap_or(u32::MAX);
        self.tell(&[
            NotifyState::Stopping,
            NotifyState::ExtendTimeoutUsec(most),
            NotifyState::Status("stopping: clients are being closed"),
        ]);
    }

    /// The server ends because of this.
    pub(super) fn lost(&self, reason: &str) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status(&line(reason))]);
    }

    /// All shards turn.
    pub(super) fn ping(&self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    fn tell(&self, state: &[NotifyState<'_>]) {
        if !self.is_told {
            return;
        }
        if let Err(error) = sd_notify::notify(state) {
            tracing::warn!(%error, "the supervisor at NOTIFY_SOCKET does not hear of it");
        }
    }
}

/// One line of what may be several: the next would be a field of its own.
fn line(text: &str) -> String {
    let words = text.split(|char: char| char.is_control());
    let joined: Vec<&str> = words.filter(|part| !part.is_empty()).collect();
    joined.join(" ").chars().take(STATUS_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line_of_bounded_length() {
        assert_eq!(line("a\nMAINPID=1\r\n\nb"), "a MAINPID=1 b");
        assert_eq!(line(&"ä".repeat(STATUS_CHARS_MAX)).chars().count(), 300);
        assert_eq!(line(&"ä".repeat(STATUS_CHARS_MAX + 1)).chars().count(), 300);
    }

    #[test]
    fn a_server_in_a_program_of_its_own_says_nothing() {
        let quiet = Systemd::default();
        assert!(!quiet.is_told && quiet.watchdog().is_none());
    }
}
