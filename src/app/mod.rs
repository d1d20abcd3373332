//! An app: one tenant of the server, with its credentials, its limits and its webhooks.
//!
//! Floor 0, plain values. It is not where apps are looked up, counted or read from a file.
//! Invariant: a secret cannot be printed by accident, because [`AppSecret`] has no `Display` and
//! its `Debug` says only that there is one.

mod tenant;
mod webhook;

pub use tenant::{App, AppSecret, QuotaClose, SubscriptionErrors};
pub use webhook::{Webhook, WebhookKind, WebhookKinds};
